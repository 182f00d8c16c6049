import { describe, expect, test } from 'vitest';
import { MOODS, mix, shareAfter } from './mood';

describe('mood', () => {
  test('mixing ends where it should', () => {
    expect(mix(MOODS.idle, MOODS.speaking, 0)).toEqual(MOODS.idle);
    expect(mix(MOODS.idle, MOODS.speaking, 1)).toEqual(MOODS.speaking);
  });

  test('half way lies between', () => {
    const half = mix(MOODS.idle, MOODS.thinking, 0.5);

    expect(half.swirl).toBe(0.5);
    expect(half.colours[0][0]).toBe((MOODS.idle.colours[0][0] + MOODS.thinking.colours[0][0]) / 2);
  });

  test('the way is the same in one step or in two', () => {
    const twice = 1 - (1 - shareAfter(16)) ** 2;

    expect(twice).toBeCloseTo(shareAfter(32), 9);
  });

  test('only those who may be heard move the orb', () => {
    const reaching = Object.entries(MOODS).filter(([, mood]) => mood.reach > 0);

    expect(reaching.map(([phase]) => phase).sort()).toEqual(['hearing', 'listening', 'speaking']);
  });
});
