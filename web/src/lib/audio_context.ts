/** The audio context of the page, at the device's own rate, with our worklets in it. */

import captureUrl from '../worklets/capture.worklet.ts?worker&url';
import playbackUrl from '../worklets/playback.worklet.ts?worker&url';

/** Whether this page may use worklets; browsers take them away on insecure addresses. */
export function hasWorklets(): boolean {
  return typeof AudioContext !== 'undefined' && typeof AudioWorkletNode !== 'undefined' && window.isSecureContext;
}

/**
 * Returns a context ready for capture and playback. Call it in a click, else it stays suspended.
 *
 * The rate is the device's: contexts at another rate than the microphone's drift in Firefox.
 */
export async function openAudioContext(): Promise<AudioContext> {
  const session = (navigator as { audioSession?: { type: string } }).audioSession; // Safari only
  if (session) session.type = 'play-and-record';
  const context = new AudioContext({ latencyHint: 'interactive' });
  void context.resume();
  await Promise.all([context.audioWorklet.addModule(captureUrl), context.audioWorklet.addModule(playbackUrl)]);
  return context;
}

/** Returns when, on the clock of `performance.now()`, a moment of the context reaches the ear. */
export function heardAtMs(context: AudioContext, time: number): number {
  const { contextTime = 0, performanceTime = 0 } = context.getOutputTimestamp();
  if (performanceTime === 0) return performance.now() + (time - context.currentTime) * 1000;
  return performanceTime + (time - contextTime) * 1000;
}
