/** What the page and its worklets tell each other. Times are seconds on the clock of the audio context. */

import type { PlayedItem } from '../lib/playback_queue';

export const CAPTURE_PROCESSOR = 'vivavoce-capture';
export const PLAYBACK_PROCESSOR = 'vivavoce-playback';

/** To the capture worklet. A muted microphone sends silence, so that the server's audio clock goes on. */
export interface CaptureCommand {
  readonly isMuted: boolean;
}

/** One chunk of captured audio: pcm16le, mono, 24 kHz. The levels are those of the microphone, also when muted. */
export interface CapturedChunk {
  readonly pcm: Uint8Array<ArrayBuffer>;
  readonly rms: number;
  readonly peak: number;
  readonly endTime: number; // of the last sample
}

export type PlaybackCommand =
  | { readonly type: 'play'; readonly itemId: string; readonly contentIndex: number; readonly samples: Float32Array }
  | { readonly type: 'finish'; readonly itemId: string }
  | { readonly type: 'clear' };

export type PlaybackReport =
  | { readonly type: 'progress'; readonly items: readonly PlayedItem[]; readonly rms: number; readonly time: number }
  | { readonly type: 'audible'; readonly itemId: string; readonly time: number } // first sound of an item
  | { readonly type: 'cleared'; readonly items: readonly PlayedItem[]; readonly time: number }
  | { readonly type: 'silent'; readonly time: number }; // output went quiet after playing
