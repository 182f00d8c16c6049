/**
 * What is played next, and how much of every item has been played, to the sample.
 *
 * Chunks of assistant items queue up in order; `pull` takes them. Playback of a stretch begins when `prebufferMs` of
 * audio lie ready or the item is complete, and stops again when the queue runs dry. `clear` stops with a short fade,
 * answers with the number of samples played per item, and refuses what still arrives for the items it dropped.
 */

export interface PlayedItem {
  readonly itemId: string;
  readonly contentIndex: number;
  readonly playedSamples: number;
  readonly isFinished: boolean;
}

interface Chunk {
  readonly itemId: string;
  readonly samples: Float32Array;
}

interface Progress {
  readonly contentIndex: number;
  played: number;
  queued: number;
  isComplete: boolean;
}

export interface PlaybackQueueOptions {
  readonly rateHz: number;
  readonly prebufferMs: number;
  readonly fadeMs: number;
}

export const DEFAULT_QUEUE_OPTIONS: PlaybackQueueOptions = { rateHz: 24_000, prebufferMs: 80, fadeMs: 4 };

export class PlaybackQueue {
  readonly #prebufferSamples: number;
  readonly #fadeSamples: number;
  readonly #chunks: Chunk[] = [];
  readonly #items = new Map<string, Progress>();
  readonly #dropped = new Set<string>();
  #headOffset = 0;
  #bufferedSamples = 0;
  #isPlaying = false;
  #fadeInLeft = 0;
  #tail = new Float32Array(0); // the fading end of audio that was cleared

  constructor(options: PlaybackQueueOptions = DEFAULT_QUEUE_OPTIONS) {
    this.#prebufferSamples = Math.round((options.prebufferMs * options.rateHz) / 1000);
    this.#fadeSamples = Math.max(1, Math.round((options.fadeMs * options.rateHz) / 1000));
  }

  /** Whether samples are being handed out: false while prebuffering, after the end and after `clear`. */
  get isPlaying(): boolean {
    return this.#isPlaying;
  }

  get bufferedSamples(): number {
    return this.#bufferedSamples;
  }

  /** Queues audio of an item; audio of an item that was cleared is dropped. */
  push(itemId: string, contentIndex: number, samples: Float32Array): void {
    if (this.#dropped.has(itemId) || samples.length === 0) return;
    const progress = this.#progressOf(itemId, contentIndex);
    progress.queued += samples.length;
    this.#chunks.push({ itemId, samples });
    this.#bufferedSamples += samples.length;
  }

  /** No more audio of this item will come: what is queued plays without waiting for the prebuffer. */
  finish(itemId: string): void {
    const progress = this.#items.get(itemId);
    if (progress) progress.isComplete = true;
  }

  /** Fills `out` with the next samples and silence; returns how many of them are audio of an item. */
  pull(out: Float32Array): number {
    out.fill(0);
    this.#startIfReady();
    let filled = 0;
    while (this.#isPlaying && filled < out.length) {
      const chunk = this.#chunks[0];
      if (chunk === undefined) {
        this.#isPlaying = false;
        this.#fadeOut(out, filled);
        break;
      }
      filled += this.#takeFrom(chunk, out, filled);
    }
    this.#addTail(out);
    return filled;
  }

  /** Stops at once. Returns every item that was not played to its end, also those that had not begun. */
  clear(): PlayedItem[] {
    this.#tail = this.#isPlaying ? this.#fadingTail() : new Float32Array(0);
    const unfinished = this.progress().filter((item) => !item.isFinished);
    for (const item of unfinished) this.#dropped.add(item.itemId);
    this.#chunks.length = 0;
    this.#headOffset = 0;
    this.#bufferedSamples = 0;
    this.#isPlaying = false;
    this.#items.clear();
    return unfinished;
  }

  /** Returns the items known since the last `clear`, oldest first. */
  progress(): PlayedItem[] {
    return [...this.#items].map(([itemId, item]) => ({
      itemId,
      contentIndex: item.contentIndex,
      playedSamples: item.played,
      isFinished: item.isComplete && item.played === item.queued,
    }));
  }

  #progressOf(itemId: string, contentIndex: number): Progress {
    let progress = this.#items.get(itemId);
    if (progress === undefined) {
      this.#forgetFinished();
      progress = { contentIndex, played: 0, queued: 0, isComplete: false };
      this.#items.set(itemId, progress);
    }
    return progress;
  }

  #forgetFinished(): void {
    for (const [itemId, item] of this.#items) {
      if (item.isComplete && item.played === item.queued) this.#items.delete(itemId);
    }
  }

  #startIfReady(): void {
    const head = this.#chunks[0];
    if (this.#isPlaying || head === undefined) return;
    const isComplete = this.#items.get(head.itemId)?.isComplete ?? false;
    if (!isComplete && this.#bufferedSamples < this.#prebufferSamples) return;
    this.#isPlaying = true;
    this.#fadeInLeft = this.#fadeSamples;
  }

  #takeFrom(chunk: Chunk, out: Float32Array, at: number): number {
    const count = Math.min(out.length - at, chunk.samples.length - this.#headOffset);
    out.set(chunk.samples.subarray(this.#headOffset, this.#headOffset + count), at);
    this.#fadeIn(out, at, count);
    this.#headOffset += count;
    this.#bufferedSamples -= count;
    const progress = this.#items.get(chunk.itemId);
    if (progress) progress.played += count;
    if (this.#headOffset === chunk.samples.length) {
      this.#chunks.shift();
      this.#headOffset = 0;
    }
    return count;
  }

  #fadeIn(out: Float32Array, at: number, count: number): void {
    for (let index = at; index < at + count && this.#fadeInLeft > 0; index += 1) {
      out[index] = (out[index] as number) * (1 - this.#fadeInLeft / this.#fadeSamples);
      this.#fadeInLeft -= 1;
    }
  }

  /** Softens the end of a stretch that ran dry, as far as this buffer reaches back. */
  #fadeOut(out: Float32Array, end: number): void {
    const length = Math.min(end, this.#fadeSamples);
    for (let index = 0; index < length; index += 1) {
      const at = end - length + index;
      out[at] = (out[at] as number) * (1 - (index + 1) / length);
    }
  }

  #fadingTail(): Float32Array<ArrayBuffer> {
    const tail = new Float32Array(this.#fadeSamples);
    let filled = 0;
    for (const [index, chunk] of this.#chunks.entries()) {
      const rest = chunk.samples.subarray(index === 0 ? this.#headOffset : 0);
      const part = rest.subarray(0, tail.length - filled);
      tail.set(part, filled);
      filled += part.length;
      if (filled === tail.length) break;
    }
    return tail.map((sample, index) => sample * (1 - (index + 1) / tail.length));
  }

  #addTail(out: Float32Array): void {
    const count = Math.min(out.length, this.#tail.length);
    for (let index = 0; index < count; index += 1) out[index] = (out[index] as number) + (this.#tail[index] as number);
    if (count > 0) this.#tail = this.#tail.slice(count);
  }
}
