/** Takes the microphone at the device's own rate and hands out 20 ms chunks of the wire format. */

import { peak, rms } from '../lib/levels';
import { WIRE_RATE_HZ, floatsToPcm } from '../lib/pcm';
import { Resampler } from '../lib/resampler';
import { CAPTURE_PROCESSOR, type CaptureCommand, type CapturedChunk } from './messages';

const CHUNK_SAMPLES = WIRE_RATE_HZ / 50;

class CaptureProcessor extends AudioWorkletProcessor {
  readonly #resampler = new Resampler(sampleRate, WIRE_RATE_HZ);
  readonly #chunk = new Float32Array(CHUNK_SAMPLES);
  #filled = 0;
  #isMuted = false;

  constructor() {
    super();
    this.port.onmessage = (message: MessageEvent<CaptureCommand>) => {
      this.#isMuted = message.data.isMuted;
    };
  }

  override process(inputs: Float32Array[][]): boolean {
    const channel = inputs[0]?.[0];
    if (channel === undefined) return true; // not connected yet, or the device is gone
    let samples = this.#resampler.process(channel);
    while (samples.length > 0) {
      const part = samples.subarray(0, CHUNK_SAMPLES - this.#filled);
      this.#chunk.set(part, this.#filled);
      this.#filled += part.length;
      samples = samples.subarray(part.length);
      if (this.#filled === CHUNK_SAMPLES) this.#post(samples.length);
    }
    return true;
  }

  #post(samplesAfter: number): void {
    const pcm = this.#isMuted ? new Uint8Array(CHUNK_SAMPLES * 2) : floatsToPcm(this.#chunk);
    const endTime = currentTime - samplesAfter / WIRE_RATE_HZ;
    const chunk: CapturedChunk = { pcm, rms: rms(this.#chunk), peak: peak(this.#chunk), endTime };
    this.port.postMessage(chunk, [pcm.buffer]);
    this.#filled = 0;
  }
}

registerProcessor(CAPTURE_PROCESSOR, CaptureProcessor);
