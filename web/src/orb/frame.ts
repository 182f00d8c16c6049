import type { Mood } from './mood';

/** One picture of the orb. */
export interface Frame {
  readonly mood: Mood;
  readonly flowTime: number; // how far the clouds have drifted
  readonly timeS: number;
  readonly levels: readonly number[]; // loudness 0 to 1: of this moment first, then further and further back
  readonly isDark: boolean;
}

/** Draws frames on its canvas. */
export interface OrbRenderer {
  readonly canvas: HTMLCanvasElement;
  resize(pixels: number): void;
  draw(frame: Frame): void;
  dispose(): void;
}

/** The radius of the resting orb as a part of the canvas' width: room for rings and glow around it. */
export const REST_RADIUS = 0.29;
