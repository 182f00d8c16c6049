import { describe, expect, test } from 'vitest';
import { SentAudio, TurnTimer, percentile } from './latency';

describe('SentAudio', () => {
  test('knows when a moment of the audio was captured', () => {
    const sent = new SentAudio();
    for (let chunk = 1; chunk <= 50; chunk += 1) sent.add(20, 5000 + chunk * 20);

    expect(sent.capturedAt(500)).toBe(5500);
    expect(sent.capturedAt(510)).toBe(5510);
  });

  test('knows nothing of audio that was not sent', () => {
    const sent = new SentAudio();
    sent.add(20, 100);

    expect(sent.capturedAt(40)).toBeNull();
  });

  test('forgets with the connection', () => {
    const sent = new SentAudio();
    sent.add(20, 100);

    sent.restart();

    expect(sent.capturedAt(10)).toBeNull();
  });
});

describe('TurnTimer', () => {
  test('splits a turn into parts that add up', () => {
    const timer = new TurnTimer();
    timer.userEnded(1000, 1520);
    timer.transcribed(1560);
    timer.responseCreated(1570);
    timer.firstAudio('item_a', 1600);

    const latency = timer.audible('item_a', 1700);

    expect(latency?.totalMs).toBe(700);
    expect(latency?.parts).toEqual({ silence: 520, transcript: 40, answer: 10, audio: 30, playback: 100 });
  });

  test('a response that was created before its transcript waits for the transcript', () => {
    const timer = new TurnTimer();
    timer.userEnded(1000, 1500);
    timer.responseCreated(1510);
    timer.transcribed(1590);
    timer.firstAudio('item_a', 1600);

    const latency = timer.audible('item_a', 1700);

    expect(latency?.parts).toEqual({ silence: 500, transcript: 90, answer: 0, audio: 10, playback: 100 });
  });

  test('a transcript that the answer did not wait for costs no more than the time to its audio', () => {
    const timer = new TurnTimer();
    timer.userEnded(1000, 1500);
    timer.responseCreated(1510);
    timer.firstAudio('item_a', 1600);
    timer.transcribed(1900);

    const latency = timer.audible('item_a', 1950);

    expect(Object.values(latency?.parts ?? {}).reduce((sum, part) => sum + part, 0)).toBe(950);
    expect(latency?.parts.playback).toBe(350);
  });

  test('tells a turn once', () => {
    const timer = new TurnTimer();
    timer.userEnded(0, 500);
    timer.firstAudio('item_a', 600);
    timer.audible('item_a', 700);

    expect(timer.audible('item_a', 800)).toBeNull();
  });

  test('ignores audio of an item that answers no turn of the user', () => {
    const timer = new TurnTimer();
    timer.firstAudio('greeting', 100);

    expect(timer.audible('greeting', 200)).toBeNull();
  });
});

describe('percentile', () => {
  test('takes the nearest rank', () => {
    expect(percentile([30, 10, 20, 40], 0.5)).toBe(20);
    expect(percentile([30, 10, 20, 40], 0.95)).toBe(40);
  });

  test('has no value for no turns', () => {
    expect(percentile([], 0.5)).toBeNull();
  });
});
