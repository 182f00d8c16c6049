/** What the voice page shows, as plain data. `reducer.ts` makes it; nothing else changes it. */

import type { SpeechMark } from './spoken_text';

export type Speaker = 'user' | 'assistant';

/** One turn of the conversation as shown. */
export interface Caption {
  readonly itemId: string;
  readonly speaker: Speaker;
  readonly text: string;
  readonly isTyped: boolean;
  readonly isFinal: boolean; // nothing about it changes any more; it stands in the log
  readonly heardChars: number; // of an assistant's text: spoken so far; of a user's: all
  readonly isCut: boolean; // the listener interrupted it; the text after heardChars was not heard
  readonly isFailed: boolean; // the user's speech could not be transcribed
  readonly audioMs: number;
  readonly marks: readonly SpeechMark[];
}

export type Connection = 'idle' | 'connecting' | 'open' | 'waiting' | 'closed';

export type MicrophoneState = 'off' | 'asking' | 'on' | MicrophoneProblem;
export type MicrophoneProblem = 'insecure' | 'denied' | 'missing' | 'busy' | 'lost' | 'unsupported';

/** What the server tells about the engines of this session. */
export interface EngineView {
  readonly name: string; // what answers, for example "embedded"
  readonly title: string; // the same for people
  readonly model: string; // what was asked for
  readonly voice: string;
  readonly stages: readonly EngineStage[];
  readonly isAligned: boolean; // the text of a segment comes directly before its audio
  readonly isDemoGrade: boolean; // the embedded recogniser listens
  readonly cost: CostView | null; // what the session has cost; null unless it was asked for
}

/** What a session has cost so far, in US dollars by the server's price list. */
export interface CostView {
  readonly usd: number;
  readonly usdPerMin: number;
  readonly cachedShare: number; // of the input tokens, in [0, 1]
  readonly budgetUsd: number | null; // of the key
  readonly spentUsd: number | null; // by all sessions of the key
  readonly prices: string; // date of the price list
  readonly unpriced: readonly string[]; // models that it does not have
}

export interface EngineStage {
  readonly job: string;
  readonly name: string;
  readonly note: string;
}

export interface Problem {
  readonly code: string;
  readonly message: string;
  readonly isFatal: boolean; // the session cannot go on
}

export interface ViewState {
  readonly connection: Connection;
  readonly retryAtMs: number | null; // while waiting: when the next attempt is due, on the clock of the caller
  readonly microphone: MicrophoneState;
  readonly isMuted: boolean;
  readonly isHearing: boolean; // the detector hears the user
  readonly isHolding: boolean; // push to talk: the user holds the button
  readonly isAwaiting: boolean; // a turn ended and its answer has not begun
  readonly isAudible: boolean; // speech is being played
  readonly activeResponseId: string | null;
  readonly captions: readonly Caption[];
  readonly engine: EngineView | null;
  readonly isVoiceFixed: boolean; // audio was produced, so the voice cannot change in this session
  readonly problem: Problem | null;
  readonly hint: 'unheard' | null; // the last utterance had no words in it
}

export const INITIAL_STATE: ViewState = {
  connection: 'idle',
  retryAtMs: null,
  microphone: 'off',
  isMuted: false,
  isHearing: false,
  isHolding: false,
  isAwaiting: false,
  isAudible: false,
  activeResponseId: null,
  captions: [],
  engine: null,
  isVoiceFixed: false,
  problem: null,
  hint: null,
};

/** The one word for what goes on; it drives the orb, the status line and `data-state`. */
export type Phase =
  | 'idle'
  | 'connecting'
  | 'ready' // no microphone: the conversation is typed
  | 'listening'
  | 'hearing'
  | 'thinking'
  | 'speaking'
  | 'muted'
  | 'error';

/** Returns the phase of a state. The first that applies wins, most urgent first. */
export function phaseOf(state: ViewState): Phase {
  if (state.problem?.isFatal) return 'error';
  if (state.connection === 'idle' || state.connection === 'closed') return 'idle';
  if (state.connection !== 'open') return 'connecting';
  if ((state.isHearing || state.isHolding) && !state.isMuted) return 'hearing';
  if (state.isAudible) return 'speaking';
  if (state.isAwaiting || state.activeResponseId !== null) return 'thinking';
  if (state.microphone === 'asking') return 'connecting';
  if (state.microphone !== 'on') return 'ready';
  if (state.isMuted) return 'muted';
  return 'listening';
}
