import { describe, expect, test } from 'vitest';
import { heardChars, type SpokenText } from './spoken_text';

const TEXT = 'One two three four. Five six seven eight.';
const ALIGNED: SpokenText = {
  text: TEXT,
  audioMs: 4000,
  marks: [
    { startMs: 0, startChar: 0 },
    { startMs: 2000, startChar: 20 },
  ],
};

function heard(spoken: SpokenText, playedMs: number): string {
  return spoken.text.slice(0, heardChars(spoken, playedMs));
}

describe('heardChars', () => {
  test('nothing was heard before the audio began', () => {
    expect(heard(ALIGNED, 0)).toBe('');
  });

  test('everything was heard when all audio was played', () => {
    expect(heard(ALIGNED, 4000)).toBe(TEXT);
  });

  test('a segment that was played to its end was heard, the next was not', () => {
    expect(heard(ALIGNED, 2000)).toBe('One two three four.');
  });

  test('a word counts once its middle was played', () => {
    expect(heard(ALIGNED, 400)).toBe('One');
    expect(heard(ALIGNED, 600)).toBe('One two');
  });

  test('text without marks is spread over the whole audio', () => {
    expect(heard({ ...ALIGNED, marks: [] }, 2000)).toBe('One two three four.');
  });

  test('text far ahead of its audio is not taken for heard', () => {
    const early: SpokenText = { text: TEXT.repeat(10), audioMs: 200, marks: [] };

    expect(heardChars(early, 200)).toBeLessThanOrEqual(8);
  });

  test('never goes back while more is played', () => {
    const counts = Array.from({ length: 41 }, (_, at) => heardChars(ALIGNED, at * 100));

    expect([...counts].sort((a, b) => a - b)).toEqual(counts);
  });
});
