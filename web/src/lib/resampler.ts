/**
 * Streaming sample rate conversion with a windowed sinc (Blackman-Harris), for any pair of rates.
 *
 * The kernel is tabulated at `PHASES` positions between two samples and linearly interpolated. Its cut-off lies at
 * 0.92 of the lower Nyquist frequency, its half-width is 16 periods of the lower rate. Output is aligned with input:
 * output sample n is the signal at n / outRate seconds. It is held back by half a kernel (0.7 ms at 24 kHz).
 */

const PHASES = 256;
const HALF_WIDTH_PERIODS = 16;
const CUTOFF = 0.92;

function blackmanHarris(position: number): number {
  // position in [-1, 1]; 0 is the middle of the window
  const angle = Math.PI * (position + 1);
  return 0.35875 - 0.48829 * Math.cos(angle) + 0.14128 * Math.cos(2 * angle) - 0.01168 * Math.cos(3 * angle);
}

function sinc(x: number): number {
  return x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x);
}

/** Row p holds the taps for a position p / PHASES of a sample after an input sample; every row sums to one. */
function makeKernel(bandwidth: number, halfWidth: number): Float32Array {
  const taps = halfWidth * 2;
  const table = new Float32Array((PHASES + 1) * taps);
  for (let phase = 0; phase <= PHASES; phase += 1) {
    const row = table.subarray(phase * taps, (phase + 1) * taps);
    let sum = 0;
    for (let tap = 0; tap < taps; tap += 1) {
      const distance = tap - halfWidth + 1 - phase / PHASES;
      const value = sinc(distance * bandwidth) * blackmanHarris(Math.max(-1, Math.min(1, distance / halfWidth)));
      row[tap] = value;
      sum += value;
    }
    for (let tap = 0; tap < taps; tap += 1) row[tap] = (row[tap] ?? 0) / sum;
  }
  return table;
}

/** Converts one mono stream. Feed chunks of any length in order; the output does not depend on how it was cut. */
export class Resampler {
  readonly #step: number;
  readonly #halfWidth: number;
  readonly #kernel: Float32Array;
  #pending: Float32Array<ArrayBuffer>;
  #pendingStart: number; // input index of the first pending sample
  #produced = 0;
  #consumed = 0;

  constructor(
    readonly inRateHz: number,
    readonly outRateHz: number,
  ) {
    if (!(inRateHz > 0 && outRateHz > 0)) {
      throw new RangeError(`expected two positive rates, but got ${inRateHz} and ${outRateHz}`);
    }
    const bandwidth = CUTOFF * Math.min(1, outRateHz / inRateHz);
    this.#step = inRateHz / outRateHz;
    this.#halfWidth = Math.ceil(HALF_WIDTH_PERIODS * Math.max(1, this.#step));
    this.#kernel = makeKernel(bandwidth, this.#halfWidth);
    this.#pending = new Float32Array(this.#halfWidth - 1); // silence before the first sample
    this.#pendingStart = -(this.#halfWidth - 1);
  }

  /** Returns the output that `input` completes. */
  process(input: Float32Array): Float32Array<ArrayBuffer> {
    if (this.inRateHz === this.outRateHz) return new Float32Array(input);
    this.#append(input);
    const end = this.#pendingStart + this.#pending.length;
    const output = new Float32Array(Math.max(0, Math.ceil((end - this.#halfWidth) / this.#step) - this.#produced));
    for (let at = 0; at < output.length; at += 1) output[at] = this.#sampleAt((this.#produced + at) * this.#step);
    this.#produced += output.length;
    this.#forget();
    return output;
  }

  /** Returns what is left of the stream, so that the output lasts as long as the input did, and starts afresh. */
  flush(): Float32Array<ArrayBuffer> {
    const wanted = Math.round(this.#consumed / this.#step) - this.#produced;
    const tail = wanted > 0 ? this.process(new Float32Array(this.#halfWidth + Math.ceil(this.#step))) : new Float32Array(0);
    this.#pending = new Float32Array(this.#halfWidth - 1);
    this.#pendingStart = -(this.#halfWidth - 1);
    this.#produced = 0;
    this.#consumed = 0;
    return tail.slice(0, Math.max(0, wanted));
  }

  #append(input: Float32Array): void {
    const joined = new Float32Array(this.#pending.length + input.length);
    joined.set(this.#pending);
    joined.set(input, this.#pending.length);
    this.#pending = joined;
    this.#consumed += input.length;
  }

  #sampleAt(position: number): number {
    const index = Math.floor(position);
    const phase = (position - index) * PHASES;
    const row = Math.floor(phase);
    const blend = phase - row;
    const taps = this.#halfWidth * 2;
    const from = index - this.#halfWidth + 1 - this.#pendingStart;
    const rowAt = row * taps;
    let lower = 0;
    let upper = 0;
    for (let tap = 0; tap < taps; tap += 1) {
      const sample = this.#pending[from + tap] as number; // in range: process() asks only for complete kernels
      lower += sample * (this.#kernel[rowAt + tap] as number);
      upper += sample * (this.#kernel[rowAt + taps + tap] as number);
    }
    return lower + (upper - lower) * blend;
  }

  #forget(): void {
    const keepFrom = Math.floor(this.#produced * this.#step) - this.#halfWidth + 1;
    const drop = keepFrom - this.#pendingStart;
    if (drop <= 0) return;
    this.#pending = this.#pending.slice(Math.min(drop, this.#pending.length));
    this.#pendingStart += drop;
  }
}
