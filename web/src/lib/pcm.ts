/** Conversion between float samples in [-1, 1] and pcm16le bytes. */

/** The rate of all audio on the wire. */
export const WIRE_RATE_HZ = 24_000;

/** Returns pcm16le of float samples; values outside [-1, 1] are clipped. */
export function floatsToPcm(samples: Float32Array): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(samples.length * 2);
  const view = new DataView(bytes.buffer);
  for (let at = 0; at < samples.length; at += 1) {
    const clipped = Math.max(-1, Math.min(1, samples[at] ?? 0));
    view.setInt16(at * 2, Math.round(clipped * 32_767), true);
  }
  return bytes;
}

/** Returns float samples in [-1, 1] of pcm16le; a dangling last byte is ignored. */
export function pcmToFloats(bytes: Uint8Array): Float32Array<ArrayBuffer> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const samples = new Float32Array(bytes.byteLength >> 1);
  for (let at = 0; at < samples.length; at += 1) samples[at] = view.getInt16(at * 2, true) / 32_768;
  return samples;
}

/** Returns the length in ms of a number of samples on the wire. */
export function samplesToMs(samples: number): number {
  return (samples * 1000) / WIRE_RATE_HZ;
}
