import { describe, expect, test } from 'vitest';
import { PlaybackQueue } from './playback_queue';

const OPTIONS = { rateHz: 1000, prebufferMs: 80, fadeMs: 4 }; // one sample is one ms

function filled(samples: number, value = 0.5): Float32Array {
  return new Float32Array(samples).fill(value);
}

function pull(queue: PlaybackQueue, samples: number): Float32Array {
  const out = new Float32Array(samples);
  queue.pull(out);
  return out;
}

describe('PlaybackQueue', () => {
  test('is silent until the prebuffer is full', () => {
    const queue = new PlaybackQueue(OPTIONS);
    queue.push('a', 0, filled(79));

    const before = pull(queue, 10);
    queue.push('a', 0, filled(1));
    const after = pull(queue, 10);

    expect(before).toEqual(filled(10, 0));
    expect(after[9]).toBe(0.5);
  });

  test('plays a short item at once when it is complete', () => {
    const queue = new PlaybackQueue(OPTIONS);
    queue.push('a', 0, filled(20));
    queue.finish('a');

    pull(queue, 30);

    expect(queue.progress()).toEqual([{ itemId: 'a', contentIndex: 0, playedSamples: 20, isFinished: true }]);
  });

  test('counts what was played to the sample', () => {
    const queue = new PlaybackQueue(OPTIONS);
    queue.push('a', 0, filled(100));
    queue.push('a', 0, filled(100));

    pull(queue, 128);

    expect(queue.progress()[0]?.playedSamples).toBe(128);
    expect(queue.bufferedSamples).toBe(72);
  });

  test('an item that stays open is not finished when its audio ran out', () => {
    const queue = new PlaybackQueue(OPTIONS);
    queue.push('a', 0, filled(100));

    pull(queue, 200);

    expect(queue.progress()[0]).toMatchObject({ playedSamples: 100, isFinished: false });
    expect(queue.isPlaying).toBe(false);
  });

  test('fills the prebuffer again after an underrun', () => {
    const queue = new PlaybackQueue(OPTIONS);
    queue.push('a', 0, filled(100));
    pull(queue, 200);

    queue.push('a', 0, filled(50));

    expect(pull(queue, 10)).toEqual(filled(10, 0));
  });

  test('fades in, so that a stretch does not begin with a click', () => {
    const queue = new PlaybackQueue(OPTIONS);
    queue.push('a', 0, filled(100, 1));

    const out = pull(queue, 8);

    expect([...out]).toEqual([0, 0.25, 0.5, 0.75, 1, 1, 1, 1]);
  });

  test('clear answers with what was played and falls silent within the fade', () => {
    const queue = new PlaybackQueue(OPTIONS);
    queue.push('a', 0, filled(1000, 1));
    pull(queue, 300);

    const unfinished = queue.clear();
    const out = pull(queue, 8);

    expect(unfinished).toEqual([{ itemId: 'a', contentIndex: 0, playedSamples: 300, isFinished: false }]);
    expect([...out]).toEqual([0.75, 0.5, 0.25, 0, 0, 0, 0, 0]);
  });

  test('clear names items that had not begun and leaves out those that were played to the end', () => {
    const queue = new PlaybackQueue(OPTIONS);
    queue.push('done', 0, filled(50));
    queue.finish('done');
    queue.push('playing', 0, filled(100));
    queue.push('waiting', 2, filled(100));
    pull(queue, 60);

    const unfinished = queue.clear();

    expect(unfinished).toEqual([
      { itemId: 'playing', contentIndex: 0, playedSamples: 10, isFinished: false },
      { itemId: 'waiting', contentIndex: 2, playedSamples: 0, isFinished: false },
    ]);
  });

  test('audio that arrives late for a cleared item is dropped, that of the next item is played', () => {
    const queue = new PlaybackQueue(OPTIONS);
    queue.push('a', 0, filled(200));
    pull(queue, 100);
    queue.clear();
    pull(queue, 10);

    queue.push('a', 0, filled(200, 1));
    queue.push('b', 0, filled(200, 0.25));

    expect(pull(queue, 20)[19]).toBe(0.25);
  });

  test('clear while the prebuffer fills makes no sound', () => {
    const queue = new PlaybackQueue(OPTIONS);
    queue.push('a', 0, filled(40, 1));

    queue.clear();

    expect(pull(queue, 8)).toEqual(filled(8, 0));
  });

  test('clear twice names an item once', () => {
    const queue = new PlaybackQueue(OPTIONS);
    queue.push('a', 0, filled(100));
    queue.clear();

    expect(queue.clear()).toEqual([]);
  });
});
