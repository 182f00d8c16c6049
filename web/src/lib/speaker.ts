/** The loudspeaker: queued speech, and what of it was heard. */

import { PLAYBACK_PROCESSOR, type PlaybackCommand, type PlaybackReport } from '../worklets/messages';
import type { PlayedItem } from './playback_queue';
import { samplesToMs } from './pcm';

export class Speaker {
  readonly node: AudioWorkletNode;

  constructor(
    private readonly context: AudioContext,
    receive: (report: PlaybackReport) => void,
  ) {
    this.node = new AudioWorkletNode(context, PLAYBACK_PROCESSOR, { numberOfInputs: 0, outputChannelCount: [1] });
    this.node.port.onmessage = (message: MessageEvent<PlaybackReport>) => receive(message.data);
    this.node.connect(context.destination);
  }

  play(itemId: string, contentIndex: number, samples: Float32Array<ArrayBuffer>): void {
    this.#command({ type: 'play', itemId, contentIndex, samples }, [samples.buffer]);
  }

  /** The item's audio is complete. */
  finish(itemId: string): void {
    this.#command({ type: 'finish', itemId });
  }

  /** Stops at once; the worklet answers with a `cleared` report. */
  clear(): void {
    this.#command({ type: 'clear' });
  }

  /** How long a sample takes from the worklet to the ear, in ms; Bluetooth makes it long. */
  get latencyMs(): number {
    return 1000 * (this.context.outputLatency || this.context.baseLatency || 0);
  }

  /** Returns how many ms of an item were heard: played, less what is still on its way to the ear. */
  heardMs(item: PlayedItem): number {
    const playedMs = samplesToMs(item.playedSamples);
    return item.isFinished ? playedMs : Math.max(0, playedMs - this.latencyMs);
  }

  close(): void {
    this.node.port.onmessage = null;
    this.node.disconnect();
  }

  #command(command: PlaybackCommand, transfer: Transferable[] = []): void {
    this.node.port.postMessage(command, transfer);
  }
}
