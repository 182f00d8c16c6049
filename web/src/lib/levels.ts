/** Loudness of audio, and the smoothing that makes it pleasant to look at. */

export const SILENCE_DB = -60;

/** Returns the root mean square of samples in [-1, 1]; 0 for none. */
export function rms(samples: Float32Array): number {
  if (samples.length === 0) return 0;
  let sum = 0;
  for (const sample of samples) sum += sample * sample;
  return Math.sqrt(sum / samples.length);
}

/** Returns the largest magnitude of samples in [-1, 1]; 0 for none. */
export function peak(samples: Float32Array): number {
  let largest = 0;
  for (const sample of samples) largest = Math.max(largest, Math.abs(sample));
  return largest;
}

/** Returns an amplitude in decibels below full scale, never below `SILENCE_DB`. */
export function toDb(amplitude: number): number {
  return amplitude <= 0 ? SILENCE_DB : Math.max(SILENCE_DB, 20 * Math.log10(amplitude));
}

/** Returns how loud speech of this RMS appears, 0 (-54 dB and below) to 1 (-12 dB and above). */
export function loudness(amplitude: number): number {
  const [quietDb, loudDb] = [-54, -12];
  return Math.max(0, Math.min(1, (toDb(amplitude) - quietDb) / (loudDb - quietDb)));
}

/** Follows a level with a fast attack and a slow release, independent of how often it is asked. */
export class LevelFollower {
  #value = 0;

  constructor(
    private readonly attackMs = 35,
    private readonly releaseMs = 240,
  ) {}

  /** Moves towards `target` for `elapsedMs` and returns the level reached. */
  follow(target: number, elapsedMs: number): number {
    const timeMs = target > this.#value ? this.attackMs : this.releaseMs;
    this.#value += (target - this.#value) * (1 - Math.exp(-Math.max(0, elapsedMs) / timeMs));
    return this.#value;
  }
}
