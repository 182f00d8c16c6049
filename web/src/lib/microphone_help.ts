/** Why there is no microphone, and what the person can do about it. */

import type { MicrophoneProblem } from './view_state';

export interface MicrophoneHelp {
  readonly title: string;
  readonly remedy: string;
  readonly canRetry: boolean;
}

/** One text per cause; browsers tell them apart by the name of the error. */
export const MICROPHONE_HELP: Readonly<Record<MicrophoneProblem, MicrophoneHelp>> = {
  insecure: {
    title: 'This address cannot use a microphone',
    remedy:
      'Browsers allow the microphone on https addresses and on this computer itself. ' +
      'Open the page through localhost, or give the server a certificate.',
    canRetry: false,
  },
  denied: {
    title: 'The microphone is blocked',
    remedy: 'Allow it in the site settings, next to the address of this page, then try again.',
    canRetry: true,
  },
  missing: {
    title: 'No microphone was found',
    remedy: 'Connect one, or switch it on in the system settings, then try again.',
    canRetry: true,
  },
  busy: {
    title: 'The microphone is in use',
    remedy: 'Another program holds it. Close that program or its call, then try again.',
    canRetry: true,
  },
  lost: {
    title: 'The microphone went away',
    remedy: 'It was unplugged or switched off. Connect it again, or choose another one in the settings.',
    canRetry: true,
  },
  unsupported: {
    title: 'This browser cannot record sound here',
    remedy: 'It lacks audio worklets. A current Chrome, Edge, Firefox or Safari has them.',
    canRetry: false,
  },
};

const PROBLEM_OF_ERROR: Readonly<Record<string, MicrophoneProblem>> = {
  NotAllowedError: 'denied',
  SecurityError: 'denied',
  NotFoundError: 'missing',
  OverconstrainedError: 'missing',
  NotReadableError: 'busy',
  AbortError: 'busy',
};

/** Returns the cause for an error of `getUserMedia`. */
export function microphoneProblemOf(error: unknown): MicrophoneProblem {
  const name = error instanceof Error || error instanceof DOMException ? error.name : '';
  return PROBLEM_OF_ERROR[name] ?? 'busy';
}
