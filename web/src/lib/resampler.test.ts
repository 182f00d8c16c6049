import { describe, expect, test } from 'vitest';
import { Resampler } from './resampler';

function tone(rateHz: number, hertz: number, seconds: number): Float32Array {
  return Float32Array.from({ length: Math.round(rateHz * seconds) }, (_, at) => Math.sin((2 * Math.PI * hertz * at) / rateHz));
}

function convert(input: Float32Array, inRateHz: number, outRateHz: number, chunk: number): Float32Array {
  const resampler = new Resampler(inRateHz, outRateHz);
  const parts: number[] = [];
  for (let at = 0; at < input.length; at += chunk) parts.push(...resampler.process(input.subarray(at, at + chunk)));
  parts.push(...resampler.flush());
  return Float32Array.from(parts);
}

/** Signal to error in dB between two signals, leaving out the ends, where the kernel meets silence. */
function snrDb(wanted: Float32Array, got: Float32Array): number {
  let [signal, error] = [0, 0];
  for (let at = 200; at < Math.min(wanted.length, got.length) - 200; at += 1) {
    signal += (wanted[at] ?? 0) ** 2;
    error += ((wanted[at] ?? 0) - (got[at] ?? 0)) ** 2;
  }
  return 10 * Math.log10(signal / error);
}

describe('Resampler', () => {
  test.each([
    [48_000, 24_000],
    [44_100, 24_000],
    [96_000, 24_000],
    [16_000, 24_000],
    [24_000, 48_000],
    [24_000, 44_100],
  ])('keeps a 1 kHz tone in place from %i to %i Hz', (inRateHz, outRateHz) => {
    const output = convert(tone(inRateHz, 1000, 0.5), inRateHz, outRateHz, 128);

    expect(snrDb(tone(outRateHz, 1000, 0.5), output)).toBeGreaterThan(60);
  });

  test.each([48_000, 44_100, 96_000])('removes what would alias, coming from %i Hz', (inRateHz) => {
    const output = convert(tone(inRateHz, 15_000, 0.3), inRateHz, 24_000, 128);

    const loudest = Math.max(...output.subarray(200, -200).map(Math.abs));

    expect(20 * Math.log10(loudest)).toBeLessThan(-70);
  });

  test('passes 9 kHz with less than 0.5 dB of loss', () => {
    const output = convert(tone(48_000, 9000, 0.3), 48_000, 24_000, 128);

    const power = output.subarray(200, -200).reduce((sum, sample) => sum + sample * sample, 0) / (output.length - 400);

    expect(Math.abs(10 * Math.log10(power * 2))).toBeLessThan(0.5);
  });

  test('does not depend on how the stream is cut', () => {
    const input = tone(44_100, 440, 0.2);

    expect(convert(input, 44_100, 24_000, 1)).toEqual(convert(input, 44_100, 24_000, 997));
  });

  test('lasts as long as its input', () => {
    expect(convert(tone(44_100, 440, 2), 44_100, 24_000, 128)).toHaveLength(48_000);
  });

  test('holds back less than 1.5 ms', () => {
    const output = new Resampler(48_000, 24_000).process(new Float32Array(4800));

    expect(2400 - output.length).toBeLessThanOrEqual(36);
  });

  test('starts afresh after a flush', () => {
    const resampler = new Resampler(48_000, 24_000);
    const input = tone(48_000, 440, 0.1);
    const once = (): number[] => [...resampler.process(input), ...resampler.flush()];

    expect(once()).toEqual(once());
  });

  test('refuses a rate that is not positive', () => {
    expect(() => new Resampler(0, 24_000)).toThrow('expected two positive rates, but got 0 and 24000');
  });
});
