/**
 * Measurements for tests and benchmarks, only with `?debug` in the page's address, as `window.vivavoce`.
 *
 * Everything is on the clock of the audio context. What is measured as output is tapped behind the playback worklet,
 * so it is the sound that goes to the device. `onsetToSilenceMs` adds the device's output latency.
 */

import { encodeBase64 } from '../lib/base64';
import type { ServerEvent } from '../lib/protocol';
import type { Speaker } from '../lib/speaker';
import { CAPTURE_PROCESSOR, type CapturedChunk, type PlaybackReport } from '../worklets/messages';

const SPEECH_RMS = 0.01; // -40 dB
const OUTPUT_RMS = 0.002;
const PAUSE_S = 0.3; // shorter pauses do not end a run of speech
const CHUNK_S = 0.02; // of the capture worklet
const KEPT_CHUNKS = 250; // 5 s of 20 ms

interface Level {
  readonly time: number;
  readonly rms: number;
}

export interface BargeIn {
  readonly onsetTime: number;
  readonly speechStartedTime: number;
  readonly clearedTime: number;
  readonly silenceTime: number;
  readonly onsetToSilenceMs: number;
}

export class Probe {
  readonly bargeIns: BargeIn[] = [];
  readonly outputLevels: Level[] = [];
  readonly events: { readonly time: number; readonly type: string }[] = [];
  #inputLevels: Level[] = [];
  #output: Uint8Array[] = [];
  #context: AudioContext | null = null;
  #speaker: Speaker | null = null;
  #pending: { onsetTime: number; speechStartedTime: number; clearedTime: number } | null = null;

  attach(context: AudioContext, speaker: Speaker): void {
    this.#context = context;
    this.#speaker = speaker;
    const tap = new AudioWorkletNode(context, CAPTURE_PROCESSOR, { numberOfOutputs: 0, channelCount: 1 });
    tap.port.onmessage = (message: MessageEvent<CapturedChunk>) => this.#tapped(message.data);
    speaker.node.connect(tap);
  }

  /** Returns what was played, base64 of pcm16le, mono, 24 kHz; silence between answers is left in. */
  outputPcm(): string {
    const size = this.#output.reduce((sum, chunk) => sum + chunk.length, 0);
    const joined = new Uint8Array(size);
    let at = 0;
    for (const chunk of this.#output) {
      joined.set(chunk, at);
      at += chunk.length;
    }
    return encodeBase64(joined);
  }

  forgetOutput(): void {
    this.#output = [];
    this.outputLevels.length = 0;
  }

  captured(chunk: CapturedChunk): void {
    this.#inputLevels.push({ time: chunk.endTime, rms: chunk.rms });
    if (this.#inputLevels.length > KEPT_CHUNKS) this.#inputLevels.shift();
  }

  received(event: ServerEvent, isAudible: boolean): void {
    const time = this.#context?.currentTime ?? 0;
    this.events.push({ time, type: event.type });
    if (event.type === 'input_audio_buffer.speech_started' && isAudible) {
      this.#pending = { onsetTime: this.#onset(time), speechStartedTime: time, clearedTime: 0 };
    }
  }

  played(report: PlaybackReport): void {
    if (report.type === 'cleared' && this.#pending) this.#pending.clearedTime = report.time;
  }

  #tapped(chunk: CapturedChunk): void {
    this.#output.push(chunk.pcm);
    this.outputLevels.push({ time: chunk.endTime, rms: chunk.rms });
    const pending = this.#pending;
    const beganTime = chunk.endTime - CHUNK_S;
    if (pending === null || pending.clearedTime === 0 || beganTime < pending.clearedTime - CHUNK_S) return;
    if (chunk.rms > OUTPUT_RMS) return;
    const silenceTime = Math.max(beganTime, pending.clearedTime); // all of this chunk is silent
    const onsetToSilenceMs = 1000 * (silenceTime - pending.onsetTime) + (this.#speaker?.latencyMs ?? 0);
    this.bargeIns.push({ ...pending, silenceTime, onsetToSilenceMs });
    this.#pending = null;
  }

  /** Returns where the run of speech that reaches up to `time` begins. */
  #onset(time: number): number {
    let onset = time;
    for (const { time: end, rms } of [...this.#inputLevels].reverse()) {
      if (rms > SPEECH_RMS) onset = end - CHUNK_S;
      else if (onset - end > PAUSE_S) break;
    }
    return onset;
  }
}
