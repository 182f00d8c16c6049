/** Which key does what. */

import type { Settings } from '../lib/settings';

export type Shortcut =
  | 'start'
  | 'mute'
  | 'interrupt'
  | 'type'
  | 'captions'
  | 'voice'
  | 'settings'
  | 'details'
  | 'engines'
  | 'shortcuts'
  | 'hold';

const LETTERS: Readonly<Record<string, Shortcut>> = {
  m: 'mute',
  t: 'type',
  c: 'captions',
  v: 'voice',
  s: 'settings',
  l: 'details',
  e: 'engines',
  '?': 'shortcuts',
};

export interface KeyPress {
  readonly key: string;
  readonly ctrlKey: boolean;
  readonly metaKey: boolean;
  readonly altKey: boolean;
  readonly target: unknown;
}

/** Returns what a key press asks for; null while typing, with a modifier, or when the key belongs to a control. */
export function shortcutOf(press: KeyPress, settings: Pick<Settings, 'hasShortcuts' | 'isPushToTalk'>): Shortcut | null {
  const tag = tagOf(press.target);
  if (tag === 'INPUT' || tag === 'TEXTAREA' || tag === 'SELECT') return null;
  if (press.ctrlKey || press.metaKey || press.altKey) return null;
  if (press.key === 'Escape') return 'interrupt';
  if (!settings.hasShortcuts) return null;
  if (tag !== 'BUTTON' && press.key === 'Enter') return 'start';
  if (tag !== 'BUTTON' && press.key === ' ' && settings.isPushToTalk) return 'hold';
  return LETTERS[press.key.toLowerCase()] ?? null;
}

function tagOf(target: unknown): string {
  return typeof target === 'object' && target !== null && 'tagName' in target ? String(target.tagName) : '';
}
