import { describe, expect, test } from 'vitest';
import { DEFAULT_SETTINGS, parseSettings, sessionOf } from './settings';

describe('parseSettings', () => {
  test('nothing stored gives the defaults', () => {
    expect(parseSettings(null)).toEqual(DEFAULT_SETTINGS);
  });

  test('keeps what is usable and replaces what is not', () => {
    const stored = JSON.stringify({ voice: 'sage', silenceMs: -3, theme: 'pink', isPushToTalk: true, unknown: 1 });

    expect(parseSettings(stored)).toEqual({ ...DEFAULT_SETTINGS, voice: 'sage', isPushToTalk: true });
  });

  test.each(['', 'not json', '[]', 'null', '7'])('survives %j', (text) => {
    expect(parseSettings(text)).toEqual(DEFAULT_SETTINGS);
  });
});

describe('sessionOf', () => {
  test('asks for detection with the silence chosen', () => {
    const session = sessionOf({ ...DEFAULT_SETTINGS, silenceMs: 200 });

    expect(session).toMatchObject({
      type: 'realtime',
      output_modalities: ['audio'],
      audio: { input: { turn_detection: { type: 'server_vad', silence_duration_ms: 200 } }, output: { voice: 'marin' } },
    });
  });

  test('asks for the cost only where it is to be shown', () => {
    expect(sessionOf(DEFAULT_SETTINGS)).not.toHaveProperty('vivavoce');
    expect(sessionOf({ ...DEFAULT_SETTINGS, hasCost: true })).toMatchObject({ vivavoce: { cost: true } });
  });

  test('push to talk switches detection off', () => {
    expect(sessionOf({ ...DEFAULT_SETTINGS, isPushToTalk: true })).toMatchObject({ audio: { input: { turn_detection: null } } });
  });

  test('a page that cannot play asks for text', () => {
    expect(sessionOf(DEFAULT_SETTINGS, false)).toMatchObject({ output_modalities: ['text'] });
  });
});
