/**
 * How long an answer took, from the end of the user's speech to the first audible sample, on the clock of this page.
 *
 * Speech ends where the server says it did, `silence_duration_ms` before `audio_end_ms`; `SentAudio` knows when that
 * moment of the audio was captured here. Every other moment is the arrival of an event, or playback beginning.
 */

export const LATENCY_PARTS = ['silence', 'transcript', 'answer', 'audio', 'playback'] as const;
export type LatencyPart = (typeof LATENCY_PARTS)[number];

/** What each part measures, in words for the page. */
export const PART_MEANING: Readonly<Record<LatencyPart, string>> = {
  silence: 'waiting to be sure that you have finished',
  transcript: 'writing down your words',
  answer: 'starting an answer',
  audio: 'speaking its first sound',
  playback: 'network and play-out buffer',
};

export interface TurnLatency {
  readonly itemId: string; // the assistant's item
  readonly totalMs: number;
  readonly parts: Readonly<Record<LatencyPart, number>>;
}

const KEPT_MARKS = 2000; // 40 s of 20 ms chunks

/** Remembers when which ms of the input audio was captured. */
export class SentAudio {
  #marks: { audioMs: number; atMs: number }[] = [];
  #totalMs = 0;

  /** `ms` more were sent; their last sample was captured at `atMs`. */
  add(ms: number, atMs: number): void {
    this.#totalMs += ms;
    this.#marks.push({ audioMs: this.#totalMs, atMs });
    if (this.#marks.length > KEPT_MARKS) this.#marks = this.#marks.slice(KEPT_MARKS / 2);
  }

  /** Returns when the sample at `audioMs` was captured; null when that is forgotten or not sent yet. */
  capturedAt(audioMs: number): number | null {
    const mark = this.#marks.find((it) => it.audioMs >= audioMs);
    return mark === undefined ? null : mark.atMs - (mark.audioMs - audioMs);
  }

  /** A connection counts its audio from zero. */
  restart(): void {
    this.#marks = [];
    this.#totalMs = 0;
  }
}

/** Collects the moments of one turn after the other. All times in ms of one clock. */
export class TurnTimer {
  #endedAt: number | null = null;
  #stoppedAt: number | null = null;
  #transcribedAt: number | null = null;
  #createdAt: number | null = null;
  #audio: { itemId: string; atMs: number } | null = null;

  /** The user finished: `spokeUntilMs` is the last sample of speech, `atMs` the moment we were told. */
  userEnded(spokeUntilMs: number, atMs: number): void {
    this.#endedAt = spokeUntilMs;
    this.#stoppedAt = atMs;
    this.#transcribedAt = null;
    this.#createdAt = null;
    this.#audio = null;
  }

  /** The answer waits for this transcript; do not tell transcripts that the answer does not need. */
  transcribed(atMs: number): void {
    this.#transcribedAt ??= atMs;
  }

  responseCreated(atMs: number): void {
    this.#createdAt ??= atMs;
  }

  firstAudio(itemId: string, atMs: number): void {
    this.#audio ??= { itemId, atMs };
  }

  /** The first sample is audible; returns the turn's latency once, null when no turn waits for this item. */
  audible(itemId: string, atMs: number): TurnLatency | null {
    const [endedAt, stoppedAt, audio] = [this.#endedAt, this.#stoppedAt, this.#audio];
    if (endedAt === null || stoppedAt === null || audio === null || audio.itemId !== itemId) return null;
    this.#endedAt = null;
    const transcribedAt = Math.min(this.#transcribedAt ?? stoppedAt, audio.atMs);
    const createdAt = Math.max(this.#createdAt ?? transcribedAt, transcribedAt, stoppedAt);
    const parts = {
      silence: stoppedAt - endedAt,
      transcript: Math.max(0, transcribedAt - stoppedAt),
      answer: createdAt - Math.max(transcribedAt, stoppedAt),
      audio: audio.atMs - createdAt,
      playback: atMs - audio.atMs,
    };
    return { itemId, totalMs: atMs - endedAt, parts };
  }
}

/** Returns the value below which `share` (0 to 1) of the values lie, nearest rank; null for none. */
export function percentile(values: readonly number[], share: number): number | null {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.max(0, Math.ceil(share * sorted.length) - 1))] ?? null;
}
