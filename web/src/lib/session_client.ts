/**
 * The Realtime protocol over a WebSocket: opening, configuring, sending, and coming back after a loss.
 *
 * Sockets, timers and randomness are handed in, so that a test drives every path. A connection is used once the
 * server has said `session.created`: then the configuration goes out, the history is replayed, and audio that was
 * captured meanwhile follows. A lost connection is tried again with growing pauses; the server keeps nothing of it,
 * so the replay carries what was said and heard.
 */

import { encodeBase64 } from './base64';
import { samplesToMs } from './pcm';
import type { ClientEvent, Message, ServerEvent, SessionPatch } from './protocol';

export interface Socket {
  send(text: string): void;
  close(code?: number, reason?: string): void;
  onmessage: ((message: { data: unknown }) => void) | null;
  onclose: ((closed: { code: number; reason: string }) => void) | null;
}

export type ConnectionStatus =
  | { readonly kind: 'connecting' }
  | { readonly kind: 'open' }
  | { readonly kind: 'waiting'; readonly delayMs: number; readonly attempt: number }
  | { readonly kind: 'closed'; readonly code: number; readonly reason: string; readonly isWanted: boolean };

export interface SessionPorts {
  readonly openSocket: () => Socket;
  /** Calls `action` after `delayMs` and returns what cancels that. */
  readonly schedule: (delayMs: number, action: () => void) => () => void;
  /** Returns a number in [0, 1). */
  readonly random: () => number;
  readonly configuration: () => SessionPatch;
  readonly history: () => readonly Message[];
  readonly receive: (event: ServerEvent) => void;
  readonly report: (status: ConnectionStatus) => void;
  /** Audio left for the server: its length in ms; `isLive` is false for audio that had waited. */
  readonly sent: (ms: number, isLive: boolean) => void;
}

const FIRST_DELAY_MS = 500;
const LONGEST_DELAY_MS = 15_000;
const MAX_ATTEMPTS = 8;
const WAITING_AUDIO_BYTES = 5 * 48_000; // 5 s of audio captured before the session is open
const MIN_COMMIT_MS = 100; // the server refuses shorter commits

// The reference clients treat these as worth another attempt and every other code as final.
const RETRIED_CODES = new Set([1001, 1005, 1006, 1011, 1012, 1013, 1015]);

export class SessionClient {
  #socket: Socket | null = null;
  #isReady = false;
  #isWanted = false;
  #attempt = 0;
  #cancelRetry: (() => void) | null = null;
  #waiting: Uint8Array[] = [];
  #uncommittedMs = 0;

  constructor(private readonly ports: SessionPorts) {}

  get isReady(): boolean {
    return this.#isReady;
  }

  /** Opens a session, or the next one at once when an attempt is waiting. */
  connect(): void {
    this.#isWanted = true;
    this.#cancelRetry?.();
    this.#cancelRetry = null;
    if (this.#socket !== null) return;
    this.ports.report({ kind: 'connecting' });
    const socket = this.ports.openSocket();
    this.#socket = socket;
    socket.onmessage = (message) => this.#receive(socket, message.data);
    socket.onclose = (closed) => this.#lost(socket, closed.code, closed.reason);
  }

  /** Ends the session for good. */
  close(): void {
    this.#isWanted = false;
    this.#attempt = 0;
    this.#cancelRetry?.();
    this.#cancelRetry = null;
    this.#waiting = [];
    const wasOpen = this.#drop();
    if (wasOpen) this.ports.report({ kind: 'closed', code: 1000, reason: '', isWanted: true });
  }

  /** Ends this session and opens another with the same history, for what cannot change within one. */
  restart(): void {
    this.#drop();
    this.connect();
  }

  /** Applies the configuration as it is at this moment. */
  configure(): void {
    if (this.#isReady) this.#send({ type: 'session.update', session: this.ports.configuration() });
  }

  /** Sends captured audio (pcm16le, mono, 24 kHz); before the session is open it waits, the newest 5 s of it. */
  append(pcm: Uint8Array): void {
    if (this.#isReady) this.#append(pcm, true);
    else if (this.#isWanted) this.#keep(pcm);
  }

  /** Ends a turn that the user marked by hand. Returns false when it was too short to be a turn. */
  commit(): boolean {
    if (!this.#isReady || this.#uncommittedMs < MIN_COMMIT_MS) {
      this.clearInput();
      return false;
    }
    this.#send({ type: 'input_audio_buffer.commit' });
    this.#send({ type: 'response.create' });
    this.#uncommittedMs = 0;
    return true;
  }

  clearInput(): void {
    this.#uncommittedMs = 0;
    if (this.#isReady) this.#send({ type: 'input_audio_buffer.clear' });
  }

  /** Adds a typed message under the id given and asks for an answer. Returns false when there is no session. */
  say(itemId: string, text: string): boolean {
    if (!this.#isReady) return false;
    this.#send({ type: 'conversation.item.create', item: messageItem('user', itemId, text) });
    this.#send({ type: 'response.create' });
    return true;
  }

  cancel(): void {
    if (this.#isReady) this.#send({ type: 'response.cancel' });
  }

  /** Tells the server how much of an item the listener heard. */
  truncate(itemId: string, contentIndex: number, heardMs: number): void {
    if (!this.#isReady) return;
    const audio_end_ms = Math.max(0, Math.floor(heardMs));
    this.#send({ type: 'conversation.item.truncate', item_id: itemId, content_index: contentIndex, audio_end_ms });
  }

  #send(event: ClientEvent): void {
    this.#socket?.send(JSON.stringify(event));
  }

  #append(pcm: Uint8Array, isLive: boolean): void {
    const ms = samplesToMs(pcm.length / 2);
    this.#uncommittedMs += ms;
    this.#send({ type: 'input_audio_buffer.append', audio: encodeBase64(pcm) });
    this.ports.sent(ms, isLive);
  }

  #keep(pcm: Uint8Array): void {
    this.#waiting.push(pcm);
    let size = this.#waiting.reduce((sum, chunk) => sum + chunk.length, 0);
    while (size > WAITING_AUDIO_BYTES) size -= this.#waiting.shift()?.length ?? size;
  }

  #receive(socket: Socket, data: unknown): void {
    if (socket !== this.#socket || typeof data !== 'string') return;
    const event = JSON.parse(data) as ServerEvent; // the server's own JSON; unknown types pass through the reducer
    this.ports.receive(event);
    if (event.type === 'session.created') this.#open();
  }

  #open(): void {
    this.#isReady = true;
    this.#attempt = 0;
    this.#uncommittedMs = 0;
    this.configure();
    for (const item of this.ports.history()) this.#send({ type: 'conversation.item.create', item });
    this.ports.report({ kind: 'open' });
    for (const pcm of this.#waiting.splice(0)) this.#append(pcm, false);
  }

  #lost(socket: Socket, code: number, reason: string): void {
    if (socket !== this.#socket) return;
    this.#forget();
    const mayRetry = this.#isWanted && RETRIED_CODES.has(code) && this.#attempt < MAX_ATTEMPTS;
    if (mayRetry) this.#retry();
    else this.#giveUp(code, reason);
  }

  #retry(): void {
    const full = Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** this.#attempt);
    const delayMs = Math.round(full * (0.75 + 0.5 * this.ports.random()));
    this.#attempt += 1;
    this.ports.report({ kind: 'waiting', delayMs, attempt: this.#attempt });
    this.#cancelRetry = this.ports.schedule(delayMs, () => this.connect());
  }

  #giveUp(code: number, reason: string): void {
    this.#isWanted = false;
    this.#attempt = 0;
    this.#waiting = [];
    this.ports.report({ kind: 'closed', code, reason, isWanted: false });
  }

  #drop(): boolean {
    const socket = this.#socket;
    const wasBusy = socket !== null;
    this.#forget();
    socket?.close(1000);
    return wasBusy;
  }

  #forget(): void {
    this.#socket = null;
    this.#isReady = false;
  }
}

/** Returns a text message as an item of the conversation. */
export function messageItem(role: 'user' | 'assistant', id: string, text: string): Message {
  const part = role === 'user' ? { type: 'input_text' as const, text } : { type: 'output_text' as const, text };
  return { type: 'message', id, role, status: 'completed', content: [part] };
}
