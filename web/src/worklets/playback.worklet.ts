/** Plays what the page queues at the device's own rate and counts what was played, per item. */

import { rms } from '../lib/levels';
import { WIRE_RATE_HZ } from '../lib/pcm';
import { PlaybackQueue } from '../lib/playback_queue';
import { Resampler } from '../lib/resampler';
import { PLAYBACK_PROCESSOR, type PlaybackCommand, type PlaybackReport } from './messages';

const PULL_SAMPLES = 32; // 1.3 ms of the wire rate
const REPORT_EVERY_S = 0.02;
const AUDIBLE_RMS = 0.002; // -54 dB, above the noise floor of synthesizers

class PlaybackProcessor extends AudioWorkletProcessor {
  readonly #queue = new PlaybackQueue();
  readonly #resampler = new Resampler(WIRE_RATE_HZ, sampleRate);
  readonly #pulled = new Float32Array(PULL_SAMPLES);
  readonly #heard = new Set<string>();
  #ready = new Float32Array(0);
  #reportedAt = 0;
  #wasLoud = false;

  constructor() {
    super();
    this.port.onmessage = (message: MessageEvent<PlaybackCommand>) => this.#obey(message.data);
  }

  override process(_inputs: Float32Array[][], outputs: Float32Array[][]): boolean {
    const channels = outputs[0] ?? [];
    const first = channels[0];
    if (first === undefined) return true;
    this.#fill(first);
    for (const channel of channels.slice(1)) channel.set(first);
    this.#observe(rms(first));
    return true;
  }

  #obey(command: PlaybackCommand): void {
    if (command.type === 'play') this.#queue.push(command.itemId, command.contentIndex, command.samples);
    else if (command.type === 'finish') this.#queue.finish(command.itemId);
    else this.#report({ type: 'cleared', items: this.#queue.clear(), time: currentTime });
  }

  #fill(out: Float32Array): void {
    let filled = 0;
    while (filled < out.length) {
      if (this.#ready.length === 0) {
        this.#queue.pull(this.#pulled);
        this.#ready = this.#resampler.process(this.#pulled);
      }
      const part = this.#ready.subarray(0, out.length - filled);
      out.set(part, filled);
      filled += part.length;
      this.#ready = this.#ready.subarray(part.length);
    }
  }

  #observe(level: number): void {
    const isLoud = level > AUDIBLE_RMS;
    const playing = this.#queue.progress().find((item) => !item.isFinished && item.playedSamples > 0);
    if (isLoud && playing && !this.#heard.has(playing.itemId)) {
      this.#heard.add(playing.itemId);
      this.#report({ type: 'audible', itemId: playing.itemId, time: currentTime });
    }
    if (this.#wasLoud && !isLoud && !this.#queue.isPlaying) this.#report({ type: 'silent', time: currentTime });
    this.#wasLoud = isLoud || (this.#wasLoud && this.#queue.isPlaying);
    if (currentTime - this.#reportedAt >= REPORT_EVERY_S) this.#reportProgress(level);
  }

  #reportProgress(level: number): void {
    this.#reportedAt = currentTime;
    const items = this.#queue.progress();
    if (items.length > 0) this.#report({ type: 'progress', items, rms: level, time: currentTime });
  }

  #report(report: PlaybackReport): void {
    this.port.postMessage(report);
  }
}

registerProcessor(PLAYBACK_PROCESSOR, PlaybackProcessor);
