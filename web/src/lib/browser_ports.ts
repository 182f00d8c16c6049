/** The browser's side of what `SessionClient` asks for: the socket of this server, timers, stored settings. */

import type { Socket } from './session_client';
import { parseSettings, type Settings } from './settings';

const SETTINGS_KEY = 'vivavoce.settings';
const API_KEY = 'vivavoce.key';
const VISITED_KEY = 'vivavoce.visited';

/** Returns the address of the session socket: this server, and the model that the page's own address names. */
export function socketUrl(page: Location): string {
  const url = new URL('/v1/realtime', page.href);
  url.protocol = page.protocol === 'https:' ? 'wss:' : 'ws:';
  const model = modelOf(page);
  if (model) url.searchParams.set('model', model);
  return url.href;
}

/** Returns the model that the page's own address names, or an empty text. */
export function modelOf(page: Location): string {
  return new URLSearchParams(page.search).get('model') ?? '';
}

/** Opens a socket; a browser can carry a key only as a subprotocol. */
export function openSocket(): Socket {
  const key = readKey();
  const protocols = key ? ['realtime', `openai-insecure-api-key.${key}`] : ['realtime'];
  return new WebSocket(socketUrl(window.location), protocols) as unknown as Socket; // its handlers take more than ours
}

export function schedule(delayMs: number, action: () => void): () => void {
  const timer = setTimeout(action, delayMs);
  return () => clearTimeout(timer);
}

/** The key lives as long as the tab: it is a secret, not a setting. */
export function readKey(): string {
  return sessionStorage.getItem(API_KEY) ?? '';
}

export function writeKey(key: string): void {
  if (key) sessionStorage.setItem(API_KEY, key);
  else sessionStorage.removeItem(API_KEY);
}

/** Tells whether this browser has seen the sheet of the first visit to its end. */
export function wasHere(): boolean {
  return localStorage.getItem(VISITED_KEY) !== null;
}

export function rememberVisit(): void {
  localStorage.setItem(VISITED_KEY, '1');
}

export function readSettings(): Settings {
  return parseSettings(localStorage.getItem(SETTINGS_KEY));
}

export function writeSettings(settings: Settings): void {
  localStorage.setItem(SETTINGS_KEY, JSON.stringify(settings));
}
