import { describe, expect, test } from 'vitest';
import { readEngine } from '../lib/engine_view';
import { INITIAL_STATE, type Phase } from '../lib/view_state';
import { statusText, type StatusContext } from './status_text';

const CONTEXT: StatusContext = { isPushToTalk: false, isHolding: false, isTalkingMuted: false, hasKeyboard: true };
const PHASES: readonly Phase[] = ['idle', 'connecting', 'ready', 'listening', 'hearing', 'thinking', 'speaking', 'muted', 'error'];

describe('statusText', () => {
  test('every phase has a title of its own', () => {
    const titles = PHASES.map((phase) => statusText(phase, INITIAL_STATE, CONTEXT).title);

    expect(new Set(titles).size).toBe(PHASES.length);
  });

  test('names a key only where there is a keyboard', () => {
    expect(statusText('speaking', INITIAL_STATE, CONTEXT).hint).toContain('Esc');
    expect(statusText('speaking', INITIAL_STATE, { ...CONTEXT, hasKeyboard: false }).hint).not.toContain('Esc');
  });

  test('tells someone who talks while muted', () => {
    expect(statusText('muted', INITIAL_STATE, { ...CONTEXT, isTalkingMuted: true }).title).toBe('You are muted');
  });

  test('tells that an utterance had no words', () => {
    expect(statusText('listening', { ...INITIAL_STATE, hint: 'unheard' }, CONTEXT).hint).toContain('no words');
  });

  test('tells a lost connection from a server that never answered', () => {
    const engine = readEngine({ model: 'vivavoce-local' });
    const waiting = { ...INITIAL_STATE, connection: 'waiting' as const };

    expect(statusText('connecting', { ...waiting, engine }, CONTEXT).title).toBe('Reconnecting');
    expect(statusText('connecting', waiting, CONTEXT).title).toBe('No answer yet');
  });
});
