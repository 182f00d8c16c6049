import { describe, expect, test } from 'vitest';
import type { ServerEvent } from './protocol';
import { reduce, type Input } from './reducer';
import { INITIAL_STATE, phaseOf, type Caption, type ViewState } from './view_state';

const AUDIO_PLACE = { response_id: 'resp_1', item_id: 'item_a', output_index: 0, content_index: 0 };

let count = 0;

/** A server event with an id of its own; the fields that the reducer does not read may be missing. */
function from(type: string, fields: object = {}): ServerEvent {
  count += 1;
  return { type, event_id: `event_${count}`, ...fields } as unknown as ServerEvent;
}

function fold(inputs: readonly Input[], state: ViewState = INITIAL_STATE): ViewState {
  return inputs.reduce(reduce, state);
}

function message(id: string, role: 'user' | 'assistant', content: object[] = []): object {
  return { type: 'message', id, role, status: 'completed', content };
}

const OPEN: readonly Input[] = [
  { type: 'local.connecting' },
  from('session.created', { session: { model: 'vivavoce-local', vivavoce: { engine: 'embedded' } } }),
  { type: 'local.open' },
  { type: 'local.microphone', microphone: 'on' },
];

const USER_TURN: readonly Input[] = [
  from('input_audio_buffer.speech_started', { item_id: 'item_u', audio_start_ms: 0 }),
  from('conversation.item.input_audio_transcription.delta', { item_id: 'item_u', delta: 'Good ' }),
  from('conversation.item.input_audio_transcription.delta', { item_id: 'item_u', delta: 'mourning' }),
  from('input_audio_buffer.speech_stopped', { item_id: 'item_u', audio_end_ms: 900 }),
  from('input_audio_buffer.committed', { item_id: 'item_u', previous_item_id: null }),
  from('conversation.item.added', { previous_item_id: null, item: message('item_u', 'user', [{ type: 'input_audio', transcript: null }]) }),
  from('conversation.item.done', { previous_item_id: null, item: message('item_u', 'user', [{ type: 'input_audio', transcript: null }]) }),
];

const TRANSCRIBED = from('conversation.item.input_audio_transcription.completed', { item_id: 'item_u', transcript: 'Good morning.' });

const ANSWER: readonly Input[] = [
  from('response.created', { response: { id: 'resp_1', status: 'in_progress', output: [] } }),
  from('response.output_item.added', { response_id: 'resp_1', output_index: 0, item: message('item_a', 'assistant') }),
  from('conversation.item.added', { previous_item_id: 'item_u', item: message('item_a', 'assistant') }),
  from('response.output_audio_transcript.delta', { ...AUDIO_PLACE, delta: 'One two three four. ' }),
  { type: 'local.audio_received', itemId: 'item_a', ms: 2000 },
  from('response.output_audio.delta', { ...AUDIO_PLACE, delta: '' }),
  from('response.output_audio_transcript.delta', { ...AUDIO_PLACE, delta: 'Five six seven eight.' }),
  { type: 'local.audio_received', itemId: 'item_a', ms: 2000 },
];

const ANSWER_DONE: readonly Input[] = [
  from('response.output_audio.done', AUDIO_PLACE),
  from('response.output_audio_transcript.done', { ...AUDIO_PLACE, transcript: 'One two three four. Five six seven eight.' }),
  from('response.done', { response: { id: 'resp_1', status: 'completed', output: [] } }),
];

function captionOf(state: ViewState, itemId: string): Caption {
  const caption = state.captions.find((it) => it.itemId === itemId);
  if (caption === undefined) throw new Error(`expected a caption for ${itemId}`);
  return caption;
}

function played(playedMs: number, isFinished = false): Input {
  return { type: 'local.played', itemId: 'item_a', playedMs, isFinished };
}

describe('phases', () => {
  test('a whole turn passes through all of them in order', () => {
    const steps = [...OPEN, ...USER_TURN, TRANSCRIBED, ...ANSWER, played(100), ...ANSWER_DONE, played(4000, true), { type: 'local.silent' } as const];
    const phases: string[] = [];
    let state = INITIAL_STATE;

    for (const input of steps) {
      state = reduce(state, input);
      if (phases.at(-1) !== phaseOf(state)) phases.push(phaseOf(state));
    }

    expect(phases).toEqual(['connecting', 'ready', 'listening', 'hearing', 'listening', 'thinking', 'speaking', 'listening']);
  });

  test('the microphone question is part of connecting', () => {
    expect(phaseOf(fold([...OPEN, { type: 'local.microphone', microphone: 'asking' }]))).toBe('connecting');
  });

  test('without a microphone the conversation is typed', () => {
    expect(phaseOf(fold([...OPEN, { type: 'local.microphone', microphone: 'denied' }]))).toBe('ready');
  });

  test('a muted person is not heard, an answer still is', () => {
    const muted = fold([...OPEN, ...USER_TURN.slice(0, 2), { type: 'local.muted', isMuted: true }]);

    expect(phaseOf(muted)).toBe('muted');
    expect(phaseOf(fold([...ANSWER, played(100)], muted))).toBe('speaking');
  });

  test('a commit without speech_stopped ends the hearing', () => {
    const state = fold([...OPEN, ...USER_TURN.slice(0, 3), from('input_audio_buffer.committed', { item_id: 'item_u', previous_item_id: null })]);

    expect(phaseOf(state)).toBe('thinking');
  });

  test('a held button is hearing until it is let go, whatever the buffer does', () => {
    const held = fold([...OPEN, { type: 'local.holding', isHeld: true }, from('input_audio_buffer.cleared')]);

    expect(phaseOf(held)).toBe('hearing');
    expect(phaseOf(reduce(held, { type: 'local.holding', isHeld: false }))).toBe('listening');
  });

  test('a session that the server ended for good is an error', () => {
    const problem = { code: 'closed_4004', message: 'No such model.', isFatal: true };

    expect(phaseOf(fold([...OPEN, { type: 'local.closed' }, { type: 'local.problem', problem }]))).toBe('error');
  });

  test('a response that made no sound leaves listening behind', () => {
    const state = fold([...OPEN, ...USER_TURN, TRANSCRIBED, ...ANSWER.slice(0, 1), from('response.done', { response: { id: 'resp_1', status: 'completed', output: [] } })]);

    expect(phaseOf(state)).toBe('listening');
  });
});

describe('the user’s captions', () => {
  test('grow with deltas and end with the final transcript', () => {
    const before = fold([...OPEN, ...USER_TURN]);

    const after = reduce(before, TRANSCRIBED);

    expect(captionOf(before, 'item_u')).toMatchObject({ text: 'Good mourning', isFinal: false });
    expect(captionOf(after, 'item_u')).toMatchObject({ text: 'Good morning.', isFinal: true });
  });

  test('a delta after the final transcript changes nothing', () => {
    const state = fold([...OPEN, ...USER_TURN, TRANSCRIBED]);

    const late = reduce(state, from('conversation.item.input_audio_transcription.delta', { item_id: 'item_u', delta: 'x' }));

    expect(captionOf(late, 'item_u').text).toBe('Good morning.');
  });

  test('an utterance without words disappears with a hint', () => {
    const state = fold([...OPEN, ...USER_TURN, from('conversation.item.input_audio_transcription.completed', { item_id: 'item_u', transcript: ' ' })]);

    expect(state.captions).toEqual([]);
    expect(state).toMatchObject({ hint: 'unheard', isAwaiting: false });
  });

  test('a failed transcription is shown as failed', () => {
    const state = fold([...OPEN, ...USER_TURN, from('conversation.item.input_audio_transcription.failed', { item_id: 'item_u', error: {} })]);

    expect(captionOf(state, 'item_u')).toMatchObject({ isFailed: true, isFinal: true });
  });

  test('a transcript that comes after the answer stays in its place', () => {
    const state = fold([...OPEN, ...USER_TURN, ...ANSWER, TRANSCRIBED]);

    expect(state.captions.map((it) => it.itemId)).toEqual(['item_u', 'item_a']);
  });

  test('a typed message is final at once and is not doubled by its echo', () => {
    const item = message('item_t', 'user', [{ type: 'input_text', text: 'Hello' }]);

    const state = fold([...OPEN, { type: 'local.typed', itemId: 'item_t', text: 'Hello' }, from('conversation.item.added', { previous_item_id: null, item })]);

    expect(state.captions).toHaveLength(1);
    expect(captionOf(state, 'item_t')).toMatchObject({ text: 'Hello', isTyped: true, isFinal: true });
  });

  test('an item that belongs between two others is put there', () => {
    const state = fold([
      ...OPEN,
      from('conversation.item.added', { previous_item_id: null, item: message('a', 'user', [{ type: 'input_text', text: 'a' }]) }),
      from('conversation.item.added', { previous_item_id: 'a', item: message('c', 'user', [{ type: 'input_text', text: 'c' }]) }),
      from('conversation.item.added', { previous_item_id: 'a', item: message('b', 'user', [{ type: 'input_text', text: 'b' }]) }),
    ]);

    expect(state.captions.map((it) => it.itemId)).toEqual(['a', 'b', 'c']);
  });
});

describe('the assistant’s captions', () => {
  test('become heard as they are played', () => {
    const state = fold([...OPEN, ...ANSWER, played(2000)]);

    const caption = captionOf(state, 'item_a');

    expect(caption.text.slice(0, caption.heardChars)).toBe('One two three four.');
  });

  test('are final when they were played to the end, not when the response is done', () => {
    const done = fold([...OPEN, ...ANSWER, played(100), ...ANSWER_DONE]);

    const end = reduce(done, played(4000, true));

    expect(captionOf(done, 'item_a').isFinal).toBe(false);
    expect(captionOf(end, 'item_a')).toMatchObject({ isFinal: true, isCut: false, heardChars: 41 });
  });

  test('keep what was not heard when they are interrupted', () => {
    const state = fold([...OPEN, ...ANSWER, played(2000), { type: 'local.cut', itemId: 'item_a', playedMs: 2050 }]);

    const caption = captionOf(state, 'item_a');

    expect(caption).toMatchObject({ isCut: true, isFinal: true, text: 'One two three four. Five six seven eight.' });
    expect(caption.text.slice(caption.heardChars)).toBe(' Five six seven eight.');
  });

  test('are not revived by events that come after the interruption', () => {
    const cut = fold([...OPEN, ...ANSWER, played(2000), { type: 'local.cut', itemId: 'item_a', playedMs: 2050 }]);

    const late = fold([...ANSWER_DONE, played(3000), from('conversation.item.truncated', { item_id: 'item_a', content_index: 0, audio_end_ms: 2050 })], cut);

    expect(captionOf(late, 'item_a')).toEqual(captionOf(cut, 'item_a'));
  });

  test('of text are heard at once and final when done', () => {
    const state = fold([
      ...OPEN,
      ...ANSWER.slice(0, 2),
      from('response.output_text.delta', { ...AUDIO_PLACE, delta: 'Hi' }),
      from('response.output_text.done', { ...AUDIO_PLACE, text: 'Hi.' }),
    ]);

    expect(captionOf(state, 'item_a')).toMatchObject({ text: 'Hi.', heardChars: 3, isFinal: true });
  });

  test('that were cancelled before a word leave nothing', () => {
    const done = { id: 'resp_1', status: 'cancelled', output: [message('item_a', 'assistant')] };

    expect(fold([...OPEN, ...ANSWER.slice(0, 3), from('response.done', { response: done })]).captions).toEqual([]);
  });
});

describe('an answer that was cancelled with text but no sound', () => {
  test('is kept as not heard', () => {
    const done = { id: 'resp_1', status: 'cancelled', output: [message('item_a', 'assistant')] };

    const state = fold([...OPEN, ...ANSWER.slice(0, 4), from('response.done', { response: done })]);

    expect(captionOf(state, 'item_a')).toMatchObject({ isFinal: true, isCut: true, heardChars: 0 });
  });
});

describe('problems', () => {
  test('a failed response says why and stops the thinking', () => {
    const response = { id: 'resp_1', status: 'failed', output: [], status_details: { type: 'failed', error: { type: 'server_error', code: 'engine_timeout', message: 'Too slow.' } } };

    const state = fold([...OPEN, ...USER_TURN, ...ANSWER.slice(0, 1), from('response.done', { response })]);

    expect(state.problem).toEqual({ code: 'engine_timeout', message: 'Too slow.', isFatal: false });
    expect(phaseOf(state)).toBe('listening');
  });

  test('a cancel that came too late is no problem', () => {
    const error = { type: 'invalid_request_error', code: 'response_cancel_not_active', message: 'x', param: null, event_id: null };

    expect(fold([...OPEN, from('error', { error })]).problem).toBeNull();
  });

  test('an unknown event changes nothing', () => {
    const state = fold(OPEN);

    expect(reduce(state, from('rate_limits.updated', { rate_limits: [] }))).toEqual(state);
  });
});

describe('the connection', () => {
  test('a loss settles what was open: heard words stay, the rest is marked', () => {
    const state = fold([...OPEN, ...USER_TURN, TRANSCRIBED, ...ANSWER, played(2000), { type: 'local.waiting', retryAtMs: 5 }]);

    expect(phaseOf(state)).toBe('connecting');
    expect(captionOf(state, 'item_a')).toMatchObject({ isFinal: true, isCut: true, heardChars: 19 });
  });

  test('a fresh session lets the voice be chosen again', () => {
    const spoken = fold([...OPEN, ...ANSWER]);

    expect(spoken.isVoiceFixed).toBe(true);
    expect(reduce(spoken, { type: 'local.fresh_session' }).isVoiceFixed).toBe(false);
  });

  test('forgetting leaves the page as at the beginning, muted if it was', () => {
    const state = fold([...OPEN, ...USER_TURN, TRANSCRIBED, { type: 'local.muted', isMuted: true }, { type: 'local.forget' }]);

    expect(state).toEqual({ ...INITIAL_STATE, microphone: 'on', isMuted: true });
  });
});

test('the cost grows with each response that tells it, and stays when one does not', () => {
  const told = { cost: { usd: 0.01, session: { usd: 0.03, usd_per_min: 0.02, prices: '2026-11-01' } } };

  const paid = fold([...OPEN, from('response.done', { response: { id: 'resp_1', status: 'completed', output: [], vivavoce: told } })]);
  const later = fold([from('response.done', { response: { id: 'resp_2', status: 'completed', output: [] } })], paid);

  expect(fold(OPEN).engine?.cost).toBeNull();
  expect(paid.engine?.cost).toMatchObject({ usd: 0.03, usdPerMin: 0.02 });
  expect(later.engine?.cost).toEqual(paid.engine?.cost);
});
