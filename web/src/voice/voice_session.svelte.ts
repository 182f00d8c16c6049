/**
 * One person's conversation on this page: the shell that joins the wire, the microphone, the loudspeaker and the state.
 *
 * Nothing is decided here that a pure module can decide. Events go through `reduce`, audio through the worklets, and
 * what the listener heard comes from the playback worklet alone.
 */

import { hasWorklets, heardAtMs, openAudioContext } from '../lib/audio_context';
import { decodeBase64 } from '../lib/base64';
import { openSocket, readSettings, schedule, writeSettings } from '../lib/browser_ports';
import { historyOf } from '../lib/history';
import { makeItemId } from '../lib/ids';
import { SentAudio, TurnTimer, type TurnLatency } from '../lib/latency';
import { Microphone } from '../lib/microphone';
import { microphoneProblemOf } from '../lib/microphone_help';
import { pcmToFloats, samplesToMs } from '../lib/pcm';
import type { PlayedItem } from '../lib/playback_queue';
import type { ServerEvent } from '../lib/protocol';
import { reduce, type Input } from '../lib/reducer';
import { SessionClient, type ConnectionStatus } from '../lib/session_client';
import { sessionOf, type Settings } from '../lib/settings';
import { Speaker } from '../lib/speaker';
import { INITIAL_STATE, phaseOf, type Phase, type ViewState } from '../lib/view_state';
import type { CapturedChunk, PlaybackReport } from '../worklets/messages';
import type { Probe } from './probe';

const LIVE_SETTINGS: readonly (keyof Settings)[] = ['silenceMs', 'isPushToTalk', 'hasCost'];
const DEVICE_SETTINGS: readonly (keyof Settings)[] = [
  'microphoneId',
  'echoCancellation',
  'noiseSuppression',
  'autoGainControl',
];
const KEPT_LATENCIES = 50;
const MUTED_SPEECH_RMS = 0.03; // -30 dB: someone is talking to a muted microphone

export class VoiceSession {
  state: ViewState = $state.raw(INITIAL_STATE);
  settings: Settings = $state.raw(readSettings());
  latencies: readonly TurnLatency[] = $state.raw([]);
  isSoundBlocked = $state(false);
  isTalkingMuted = $state(false);
  readonly phase: Phase = $derived(phaseOf(this.state));
  readonly isRunning: boolean = $derived(this.phase !== 'idle' && this.phase !== 'error');
  /** Loudness of the moment (RMS); read by drawing code on every frame, so not reactive. */
  readonly levels = { input: 0, output: 0 };

  #context: AudioContext | null = null;
  #microphone: Microphone | null = null;
  #speaker: Speaker | null = null;
  readonly #sent = new SentAudio();
  readonly #timer = new TurnTimer();
  readonly #client: SessionClient;

  constructor(private readonly probe: Probe | null) {
    this.#client = new SessionClient({
      openSocket,
      schedule,
      random: Math.random,
      configuration: () => sessionOf(this.settings, hasWorklets()),
      history: () => historyOf(this.state.captions),
      receive: (event) => this.#receive(event),
      report: (status) => this.#connectionChanged(status),
      sent: (ms) => this.#sent.add(ms, performance.now()),
    });
  }

  /** Begins a conversation; call it in a click, so that sound is allowed. */
  async start({ hasMicrophone = true } = {}): Promise<void> {
    this.#dispatch({ type: 'local.problem', problem: null });
    this.#sent.restart();
    if (hasMicrophone) this.#dispatch({ type: 'local.microphone', microphone: 'asking' });
    this.#client.connect();
    if (!hasWorklets()) {
      this.#dispatch({ type: 'local.microphone', microphone: window.isSecureContext ? 'unsupported' : 'insecure' });
      return;
    }
    await this.#openSound();
    if (hasMicrophone) await this.openMicrophone();
  }

  /** Ends the conversation; what was said stays on the page. */
  stop(): void {
    this.interrupt();
    this.#client.close();
    this.#microphone?.close();
    this.#microphone = null;
    this.#speaker?.close();
    this.#speaker = null;
    void this.#context?.close();
    this.#context = null;
    this.levels.input = 0;
    this.levels.output = 0;
    this.#dispatch({ type: 'local.microphone', microphone: 'off' });
  }

  /** Asks for the microphone, again after a refusal. */
  async openMicrophone(): Promise<void> {
    const context = this.#context;
    if (context === null) return;
    this.#microphone?.close();
    this.#microphone = null;
    this.#dispatch({ type: 'local.microphone', microphone: 'asking' });
    try {
      if (!navigator.mediaDevices) throw new DOMException('no media devices', 'SecurityError');
      const microphone = await Microphone.open(context, this.settings, {
        receive: (chunk) => this.#captured(chunk),
        lose: () => this.#microphoneLost(),
      });
      this.#adopt(microphone, context);
    } catch (error) {
      this.#dispatch({ type: 'local.microphone', microphone: microphoneProblemOf(error) });
    }
  }

  #adopt(microphone: Microphone, context: AudioContext): void {
    if (context !== this.#context) {
      microphone.close(); // the conversation ended while the browser asked
      return;
    }
    this.#microphone = microphone;
    microphone.mute(this.state.isMuted);
    this.#dispatch({ type: 'local.microphone', microphone: 'on' });
  }

  /** Stops the assistant: what plays, and what is still being made. */
  interrupt(): void {
    if (this.state.activeResponseId !== null) this.#client.cancel();
    this.#speaker?.clear();
  }

  toggleMute(): void {
    const isMuted = !this.state.isMuted;
    this.#microphone?.mute(isMuted);
    this.isTalkingMuted = false;
    this.#dispatch({ type: 'local.muted', isMuted });
  }

  /** Sends a typed message; returns false while there is no session to send it to. */
  say(text: string): boolean {
    const itemId = makeItemId();
    this.interrupt();
    if (!this.#client.say(itemId, text)) return false;
    const now = performance.now();
    this.#timer.userEnded(now, now);
    this.#dispatch({ type: 'local.typed', itemId, text });
    return true;
  }

  /** Push to talk: the turn lasts as long as the button is held. */
  hold(isHeld: boolean): void {
    if (isHeld === this.state.isHolding || !this.settings.isPushToTalk || !this.#client.isReady) return;
    this.#dispatch({ type: 'local.holding', isHeld });
    if (isHeld) {
      this.interrupt();
      this.#client.clearInput();
    } else if (this.#client.commit()) {
      const now = performance.now();
      this.#timer.userEnded(now, now);
    }
  }

  /** Changes settings; what the session can take at once, it gets. A voice that is fixed needs a fresh session. */
  change(changes: Partial<Settings>): void {
    const before = this.settings;
    this.settings = { ...before, ...changes };
    writeSettings(this.settings);
    const changed = (keys: readonly (keyof Settings)[]): boolean => keys.some((key) => before[key] !== this.settings[key]);
    if (changed(['voice'])) this.#changeVoice();
    else if (changed(LIVE_SETTINGS)) this.#client.configure();
    if (changed(DEVICE_SETTINGS) && this.#microphone !== null) void this.openMicrophone();
  }

  #changeVoice(): void {
    if (!this.#client.isReady) return;
    if (!this.state.isVoiceFixed) {
      this.#client.configure();
      return;
    }
    this.interrupt();
    this.#dispatch({ type: 'local.fresh_session' });
    this.#client.restart();
  }

  /** Tries to connect at once instead of waiting for the next attempt. */
  reconnect(): void {
    this.#client.connect();
  }

  dismissProblem(): void {
    this.#dispatch({ type: 'local.problem', problem: null });
  }

  /** Forgets the conversation; the next one starts with nothing. */
  forget(): void {
    this.latencies = [];
    this.#dispatch({ type: 'local.forget' });
  }

  resumeSound(): void {
    void this.#context?.resume();
  }

  #dispatch(input: Input): void {
    this.state = reduce(this.state, input);
  }

  async #openSound(): Promise<void> {
    if (this.#context !== null) return;
    const context = await openAudioContext();
    this.#context = context;
    this.#speaker = new Speaker(context, (report) => this.#playback(report));
    context.onstatechange = () => {
      this.isSoundBlocked = context.state === 'suspended';
    };
    this.isSoundBlocked = context.state === 'suspended';
    this.probe?.attach(context, this.#speaker);
  }

  #captured(chunk: CapturedChunk): void {
    this.levels.input = this.state.isMuted ? 0 : chunk.rms;
    this.isTalkingMuted = this.state.isMuted && (chunk.rms > MUTED_SPEECH_RMS || this.isTalkingMuted);
    this.probe?.captured(chunk);
    if (!this.settings.isPushToTalk || this.state.isHolding) this.#client.append(chunk.pcm);
  }

  #microphoneLost(): void {
    this.#microphone?.close();
    this.#microphone = null;
    this.levels.input = 0;
    this.#dispatch({ type: 'local.microphone', microphone: 'lost' });
  }

  #receive(event: ServerEvent): void {
    this.probe?.received(event, this.state.isAudible);
    if (event.type === 'input_audio_buffer.speech_started') this.#speaker?.clear(); // also what is not audible yet
    this.#time(event);
    if (event.type === 'response.output_audio.delta') this.#play(event.item_id, event.content_index, event.delta);
    if (event.type === 'response.output_audio.done') this.#speaker?.finish(event.item_id);
    this.#dispatch(event);
  }

  #play(itemId: string, contentIndex: number, delta: string): void {
    const samples = pcmToFloats(decodeBase64(delta));
    this.#dispatch({ type: 'local.audio_received', itemId, ms: samplesToMs(samples.length) });
    this.#timer.firstAudio(itemId, performance.now());
    this.#speaker?.play(itemId, contentIndex, samples);
  }

  #time(event: ServerEvent): void {
    const now = performance.now();
    if (event.type === 'input_audio_buffer.speech_stopped') {
      const spokeUntil = this.#sent.capturedAt(event.audio_end_ms - this.settings.silenceMs);
      this.#timer.userEnded(Math.min(now, spokeUntil ?? now - this.settings.silenceMs), now);
    } else if (event.type === 'conversation.item.input_audio_transcription.completed') {
      if (this.state.engine?.isAligned) this.#timer.transcribed(now); // a hosted model answers without it
    } else if (event.type === 'response.created') this.#timer.responseCreated(now);
  }

  #playback(report: PlaybackReport): void {
    this.probe?.played(report);
    if (report.type === 'progress') this.#progress(report.items, report.rms);
    else if (report.type === 'audible') this.#audible(report.itemId, report.time);
    else if (report.type === 'cleared') this.#cleared(report.items);
    else this.levels.output = 0;
  }

  #progress(items: readonly PlayedItem[], rms: number): void {
    this.levels.output = rms;
    for (const item of items) {
      if (item.playedSamples === 0) continue;
      const playedMs = this.#speaker?.heardMs(item) ?? 0;
      this.#dispatch({ type: 'local.played', itemId: item.itemId, playedMs, isFinished: item.isFinished });
    }
    if (this.state.isAudible && items.every((item) => item.isFinished)) this.#dispatch({ type: 'local.silent' });
  }

  #audible(itemId: string, time: number): void {
    if (this.#context === null) return;
    const latency = this.#timer.audible(itemId, heardAtMs(this.#context, time));
    if (latency !== null) this.latencies = [...this.latencies, latency].slice(-KEPT_LATENCIES);
  }

  /** The listener interrupted: the server learns what was heard of every item that did not play to its end. */
  #cleared(items: readonly PlayedItem[]): void {
    this.levels.output = 0;
    for (const item of items) {
      const heardMs = this.#speaker?.heardMs(item) ?? 0;
      this.#client.truncate(item.itemId, item.contentIndex, heardMs);
      this.#dispatch({ type: 'local.cut', itemId: item.itemId, playedMs: heardMs });
    }
    this.#dispatch({ type: 'local.silent' });
  }

  #connectionChanged(status: ConnectionStatus): void {
    if (status.kind === 'connecting') this.#dispatch({ type: 'local.connecting' });
    else if (status.kind === 'open') {
      this.#dispatch({ type: 'local.open' });
    } else if (status.kind === 'waiting') {
      this.#quiet();
      this.#dispatch({ type: 'local.waiting', retryAtMs: performance.now() + status.delayMs });
    } else {
      this.#quiet();
      this.#dispatch({ type: 'local.closed' });
      if (!status.isWanted) this.#dispatch({ type: 'local.problem', problem: closedProblem(status.code, status.reason) });
    }
  }

  /** A lost session says nothing more; what it had sent is not heard either. */
  #quiet(): void {
    this.#sent.restart();
    this.#speaker?.clear();
  }
}

function closedProblem(code: number, reason: string): { code: string; message: string; isFatal: boolean } {
  if (code === 3000) return { code: 'invalid_api_key', message: 'This server asks for a key.', isFatal: true };
  if (code === 1006) return { code: 'unreachable', message: 'The server cannot be reached.', isFatal: true };
  return { code: `closed_${code}`, message: reason || `The server ended the session (code ${code}).`, isFatal: true };
}
