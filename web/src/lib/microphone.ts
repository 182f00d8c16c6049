/** The microphone: permission, device, and a stream of chunks for the wire. */

import { CAPTURE_PROCESSOR, type CaptureCommand, type CapturedChunk } from '../worklets/messages';
import type { Settings } from './settings';

export interface MicrophonePorts {
  readonly receive: (chunk: CapturedChunk) => void;
  readonly lose: () => void; // the device went away
}

/** Returns the constraints that settings ask for; every one is a wish, so that no device is refused for lacking it. */
export function constraintsOf(settings: Settings): MediaTrackConstraints {
  return {
    channelCount: { ideal: 1 },
    echoCancellation: { ideal: settings.echoCancellation },
    noiseSuppression: { ideal: settings.noiseSuppression },
    autoGainControl: { ideal: settings.autoGainControl },
    ...(settings.microphoneId ? { deviceId: { ideal: settings.microphoneId } } : {}),
  };
}

export class Microphone {
  private constructor(
    private readonly stream: MediaStream,
    private readonly source: MediaStreamAudioSourceNode,
    private readonly capture: AudioWorkletNode,
  ) {}

  /** Asks for the microphone and begins to capture; rejects with the error of `getUserMedia`. */
  static async open(context: AudioContext, settings: Settings, ports: MicrophonePorts): Promise<Microphone> {
    const stream = await navigator.mediaDevices.getUserMedia({ audio: constraintsOf(settings) });
    const source = context.createMediaStreamSource(stream);
    const capture = new AudioWorkletNode(context, CAPTURE_PROCESSOR, {
      numberOfOutputs: 0,
      channelCount: 1,
      channelCountMode: 'explicit', // devices deliver two channels at times, whatever was asked for
    });
    capture.port.onmessage = (message: MessageEvent<CapturedChunk>) => ports.receive(message.data);
    source.connect(capture);
    stream.getAudioTracks()[0]?.addEventListener('ended', ports.lose);
    return new Microphone(stream, source, capture);
  }

  get label(): string {
    return this.stream.getAudioTracks()[0]?.label ?? '';
  }

  mute(isMuted: boolean): void {
    const command: CaptureCommand = { isMuted };
    this.capture.port.postMessage(command);
  }

  /** Stops capturing and releases the device. */
  close(): void {
    this.source.disconnect();
    this.capture.port.onmessage = null;
    for (const track of this.stream.getTracks()) track.stop();
  }
}

/** Returns the microphones; their names are known once permission was given. */
export async function listMicrophones(): Promise<MediaDeviceInfo[]> {
  const devices = (await navigator.mediaDevices?.enumerateDevices()) ?? [];
  return devices.filter((device) => device.kind === 'audioinput' && device.deviceId !== '');
}
