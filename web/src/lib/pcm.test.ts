import { expect, test } from 'vitest';
import { floatsToPcm, pcmToFloats, samplesToMs } from './pcm';

test('samples are little endian and clipped at full scale', () => {
  const bytes = floatsToPcm(Float32Array.from([0, 1, -1, 2, -2]));

  expect([...bytes]).toEqual([0, 0, 0xff, 0x7f, 0x01, 0x80, 0xff, 0x7f, 0x01, 0x80]);
});

test('floats survive the way to the wire and back within one step', () => {
  const samples = Float32Array.from([0.5, -0.25, 0.001, -0.999]);

  const back = pcmToFloats(floatsToPcm(samples));

  back.forEach((sample, at) => expect(sample).toBeCloseTo(samples[at] ?? NaN, 3));
});

test('a dangling byte is left out', () => {
  expect(pcmToFloats(Uint8Array.from([0, 64, 7]))).toEqual(Float32Array.from([0.5]));
});

test('24 000 samples are one second', () => {
  expect(samplesToMs(24_000)).toBe(1000);
});
