import { beforeEach, describe, expect, test } from 'vitest';
import type { ServerEvent } from './protocol';
import { SessionClient, messageItem, type ConnectionStatus, type Socket } from './session_client';

class ScriptedSocket implements Socket {
  readonly sent: Record<string, unknown>[] = [];
  isClosed = false;
  onmessage: Socket['onmessage'] = null;
  onclose: Socket['onclose'] = null;

  send(text: string): void {
    this.sent.push(JSON.parse(text) as Record<string, unknown>);
  }

  close(): void {
    this.isClosed = true;
  }

  say(event: object): void {
    this.onmessage?.({ data: JSON.stringify(event) });
  }

  types(): unknown[] {
    return this.sent.map((event) => event['type']);
  }
}

const CREATED = { type: 'session.created', event_id: 'event_1', session: { type: 'realtime' } };
const PCM_20_MS = new Uint8Array(960);

let sockets: ScriptedSocket[];
let timers: { delayMs: number; action: () => void; isCancelled: boolean }[];
let statuses: ConnectionStatus[];
let received: ServerEvent[];
let sent: { ms: number; isLive: boolean }[];
let client: SessionClient;

beforeEach(() => {
  [sockets, timers, statuses, received, sent] = [[], [], [], [], []];
  client = new SessionClient({
    openSocket: () => {
      const socket = new ScriptedSocket();
      sockets.push(socket);
      return socket;
    },
    schedule: (delayMs, action) => {
      const timer = { delayMs, action, isCancelled: false };
      timers.push(timer);
      return () => {
        timer.isCancelled = true;
      };
    },
    random: () => 0.5,
    configuration: () => ({ type: 'realtime' }),
    history: () => [messageItem('user', 'item_1', 'Hello')],
    receive: (event) => received.push(event),
    report: (status) => statuses.push(status),
    sent: (ms, isLive) => sent.push({ ms, isLive }),
  });
});

function open(): ScriptedSocket {
  client.connect();
  const socket = sockets.at(-1) as ScriptedSocket; // connect() has just made it
  socket.say(CREATED);
  return socket;
}

describe('opening', () => {
  test('configures, then replays the history, then is open', () => {
    const socket = open();

    expect(socket.types()).toEqual(['session.update', 'conversation.item.create']);
    expect(statuses).toEqual([{ kind: 'connecting' }, { kind: 'open' }]);
    expect(received).toEqual([CREATED]);
  });

  test('sends nothing before the server has created the session', () => {
    client.connect();

    client.configure();
    client.cancel();

    expect(client.say('item_2', 'Hello')).toBe(false);
    expect(sockets[0]?.sent).toEqual([]);
  });

  test('audio captured before the session is open follows the configuration', () => {
    client.connect();
    client.append(PCM_20_MS);

    sockets[0]?.say(CREATED);
    client.append(PCM_20_MS);

    expect(sockets[0]?.types().slice(2)).toEqual(['input_audio_buffer.append', 'input_audio_buffer.append']);
    expect(sent).toEqual([
      { ms: 20, isLive: false },
      { ms: 20, isLive: true },
    ]);
  });

  test('of the audio that waits the newest five seconds are kept', () => {
    client.connect();
    for (let at = 0; at < 300; at += 1) client.append(PCM_20_MS);

    sockets[0]?.say(CREATED);

    expect(sent).toHaveLength(250);
  });

  test('connecting twice opens one socket', () => {
    client.connect();
    client.connect();

    expect(sockets).toHaveLength(1);
  });
});

describe('talking', () => {
  test('a typed message is an item and a request for an answer', () => {
    const socket = open();

    client.say('item_2', 'What time is it?');

    expect(socket.sent.slice(2)).toEqual([
      { type: 'conversation.item.create', item: messageItem('user', 'item_2', 'What time is it?') },
      { type: 'response.create' },
    ]);
  });

  test('truncation sends whole milliseconds, never below zero', () => {
    const socket = open();

    client.truncate('item_3', 0, 812.7);
    client.truncate('item_4', 1, -3);

    expect(socket.sent.slice(2)).toEqual([
      { type: 'conversation.item.truncate', item_id: 'item_3', content_index: 0, audio_end_ms: 812 },
      { type: 'conversation.item.truncate', item_id: 'item_4', content_index: 1, audio_end_ms: 0 },
    ]);
  });

  test('a held turn is committed and answered', () => {
    const socket = open();
    client.clearInput();
    for (let at = 0; at < 10; at += 1) client.append(PCM_20_MS);

    expect(client.commit()).toBe(true);

    expect(socket.types().slice(-2)).toEqual(['input_audio_buffer.commit', 'response.create']);
  });

  test('a held turn too short to be one is dropped', () => {
    const socket = open();
    client.clearInput();
    client.append(PCM_20_MS);

    expect(client.commit()).toBe(false);

    expect(socket.types().at(-1)).toBe('input_audio_buffer.clear');
  });
});

describe('losing the connection', () => {
  test.each([1001, 1005, 1006, 1011, 1012, 1013])('close code %i is tried again', (code) => {
    open().onclose?.({ code, reason: '' });

    expect(statuses.at(-1)).toEqual({ kind: 'waiting', delayMs: 500, attempt: 1 });
  });

  test.each([1000, 1008, 1009, 3000, 4000, 4004])('close code %i is final', (code) => {
    open().onclose?.({ code, reason: 'no' });

    expect(statuses.at(-1)).toEqual({ kind: 'closed', code, reason: 'no', isWanted: false });
    expect(timers).toEqual([]);
  });

  test('the pauses grow and end after eight attempts', () => {
    client.connect();
    for (let attempt = 0; attempt < 8; attempt += 1) {
      sockets.at(-1)?.onclose?.({ code: 1006, reason: '' });
      timers.at(-1)?.action();
    }

    sockets.at(-1)?.onclose?.({ code: 1006, reason: '' });

    expect(timers.map((timer) => timer.delayMs)).toEqual([500, 1000, 2000, 4000, 8000, 15_000, 15_000, 15_000]);
    expect(statuses.at(-1)).toMatchObject({ kind: 'closed', code: 1006 });
  });

  test('the pauses start over once a session was open', () => {
    open().onclose?.({ code: 1006, reason: '' });
    timers.at(-1)?.action();
    sockets.at(-1)?.say(CREATED);

    sockets.at(-1)?.onclose?.({ code: 1006, reason: '' });

    expect(statuses.at(-1)).toMatchObject({ kind: 'waiting', attempt: 1 });
  });

  test('the history is replayed into the next session', () => {
    open().onclose?.({ code: 1012, reason: '' });
    timers.at(-1)?.action();

    sockets.at(-1)?.say(CREATED);

    expect(sockets.at(-1)?.types()).toEqual(['session.update', 'conversation.item.create']);
  });

  test('asking to connect does not wait for the pause to end', () => {
    open().onclose?.({ code: 1006, reason: '' });

    client.connect();

    expect(sockets).toHaveLength(2);
    expect(timers[0]?.isCancelled).toBe(true);
  });
});

describe('closing', () => {
  test('closes the socket and hears nothing of it any more', () => {
    const socket = open();

    client.close();
    socket.onclose?.({ code: 1006, reason: '' });
    socket.say({ type: 'session.updated' });

    expect(socket.isClosed).toBe(true);
    expect(statuses.at(-1)).toEqual({ kind: 'closed', code: 1000, reason: '', isWanted: true });
    expect(received).toEqual([CREATED]);
    expect(timers).toEqual([]);
  });

  test('a restart moves to a fresh socket at once', () => {
    const before = open();

    client.restart();

    expect(before.isClosed).toBe(true);
    expect(sockets).toHaveLength(2);
    expect(statuses.at(-1)).toEqual({ kind: 'connecting' });
  });
});
