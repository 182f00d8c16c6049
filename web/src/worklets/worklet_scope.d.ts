/** What an AudioWorklet's global scope offers; TypeScript's DOM library leaves it out. */

interface WorkletProcessor {
  readonly port: MessagePort;
  process(inputs: Float32Array[][], outputs: Float32Array[][]): boolean;
}

declare const AudioWorkletProcessor: { prototype: WorkletProcessor; new (): WorkletProcessor };
declare const registerProcessor: (name: string, processor: new () => WorkletProcessor) => void;
declare const sampleRate: number;
declare const currentTime: number;
