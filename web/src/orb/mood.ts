/**
 * What the orb looks like in each phase, and the way from one look to the next.
 *
 * Colour tells who has the floor: sea green is the person, coral the assistant, pearl with a trace of both is nobody.
 * Movement tells what goes on: it breathes while listening, swirls while thinking, and swells with whoever speaks.
 */

import type { Phase } from '../lib/view_state';

export type Rgb = readonly [number, number, number]; // 0 to 255

export interface Mood {
  readonly colours: readonly [Rgb, Rgb, Rgb, Rgb]; // light, first and second cloud, shadow
  readonly flow: number; // speed of the clouds, 1 is calm
  readonly swirl: number; // 0 to 1: the clouds circle
  readonly reach: number; // 0 to 1: how much the level shows
  readonly sweep: number; // 0 to 1: an arc runs around it
  readonly glow: number; // 0 to 1
}

const YOU: Mood['colours'] = [
  [222, 255, 247],
  [46, 190, 172],
  [94, 222, 190],
  [6, 62, 74],
];
const ASSISTANT: Mood['colours'] = [
  [255, 232, 214],
  [255, 112, 70],
  [255, 168, 96],
  [128, 24, 62],
];
const NOBODY: Mood['colours'] = [
  [255, 248, 238],
  [134, 196, 186],
  [242, 164, 132],
  [74, 66, 92],
];
const BOTH: Mood['colours'] = [
  [255, 244, 228],
  [40, 176, 162],
  [255, 120, 78],
  [62, 34, 84],
];
const GREY: Mood['colours'] = [
  [226, 222, 218],
  [150, 146, 144],
  [172, 166, 162],
  [74, 72, 76],
];
const ALARM: Mood['colours'] = [
  [255, 220, 214],
  [188, 66, 60],
  [150, 60, 66],
  [66, 20, 32],
];

const STILL = { flow: 0.25, swirl: 0, reach: 0, sweep: 0, glow: 0.25 } as const;

export const MOODS: Readonly<Record<Phase, Mood>> = {
  idle: { ...STILL, colours: NOBODY, flow: 0.5, glow: 0.45 },
  connecting: { ...STILL, colours: NOBODY, flow: 0.8, sweep: 1, glow: 0.3 },
  ready: { ...STILL, colours: NOBODY, flow: 0.7, glow: 0.45 },
  listening: { ...STILL, colours: NOBODY, flow: 1, reach: 0.7, glow: 0.55 },
  hearing: { ...STILL, colours: YOU, flow: 1.6, reach: 1, glow: 0.8 },
  thinking: { ...STILL, colours: BOTH, flow: 2.4, swirl: 1, sweep: 0.55, glow: 0.6 },
  speaking: { ...STILL, colours: ASSISTANT, flow: 1.7, reach: 1, glow: 0.9 },
  muted: { ...STILL, colours: GREY, flow: 0.3, glow: 0.15 },
  error: { ...STILL, colours: ALARM, flow: 0.1, glow: 0.3 },
};

/** Returns the mood `share` (0 to 1) of the way between two. */
export function mix(from: Mood, to: Mood, share: number): Mood {
  const between = (a: number, b: number): number => a + (b - a) * share;
  const colour = (at: 0 | 1 | 2 | 3): Rgb => {
    const [a, b] = [from.colours[at], to.colours[at]];
    return [between(a[0], b[0]), between(a[1], b[1]), between(a[2], b[2])];
  };
  return {
    colours: [colour(0), colour(1), colour(2), colour(3)],
    flow: between(from.flow, to.flow),
    swirl: between(from.swirl, to.swirl),
    reach: between(from.reach, to.reach),
    sweep: between(from.sweep, to.sweep),
    glow: between(from.glow, to.glow),
  };
}

const SETTLE_MS = 260;

/** Returns how much of the way to a target is covered in `elapsedMs`. */
export function shareAfter(elapsedMs: number): number {
  return 1 - Math.exp(-elapsedMs / SETTLE_MS);
}

/** The phases whose orb moves with sound or thought; in the others 30 frames a second are enough. */
export function isLively(phase: Phase): boolean {
  return phase === 'hearing' || phase === 'speaking' || phase === 'thinking';
}
