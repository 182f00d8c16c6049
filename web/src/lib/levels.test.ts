import { describe, expect, test } from 'vitest';
import { LevelFollower, SILENCE_DB, loudness, peak, rms, toDb } from './levels';

describe('levels', () => {
  test('a square wave has its amplitude as RMS and as peak', () => {
    const square = Float32Array.from([0.5, -0.5, 0.5, -0.5]);

    expect(rms(square)).toBeCloseTo(0.5);
    expect(peak(square)).toBe(0.5);
  });

  test('nothing is silent', () => {
    expect(rms(new Float32Array(0))).toBe(0);
    expect(toDb(0)).toBe(SILENCE_DB);
  });

  test('half of full scale is 6 dB down', () => {
    expect(toDb(0.5)).toBeCloseTo(-6.02, 2);
  });

  test('loudness stays between 0 and 1 and grows with the amplitude', () => {
    const values = [0, 0.001, 0.01, 0.1, 0.3, 1].map(loudness);

    expect(values[0]).toBe(0);
    expect(values.at(-1)).toBe(1);
    expect([...values].sort((a, b) => a - b)).toEqual(values);
  });
});

describe('LevelFollower', () => {
  test('rises faster than it falls', () => {
    const follower = new LevelFollower();

    const risen = follower.follow(1, 50);
    const fallen = risen - follower.follow(0, 50);

    expect(risen).toBeGreaterThan(0.7);
    expect(fallen).toBeLessThan(0.25);
  });

  test('two short steps reach what one long step reaches', () => {
    const [often, once] = [new LevelFollower(), new LevelFollower()];

    often.follow(1, 20);

    expect(often.follow(1, 20)).toBeCloseTo(once.follow(1, 40), 6);
  });
});
