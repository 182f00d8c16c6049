import { describe, expect, test } from 'vitest';
import { shortcutOf, type KeyPress } from './shortcuts';

const SETTINGS = { hasShortcuts: true, isPushToTalk: false };

function press(key: string, changes: Partial<KeyPress> = {}): KeyPress {
  return { key, ctrlKey: false, metaKey: false, altKey: false, target: { tagName: 'BODY' }, ...changes };
}

describe('shortcutOf', () => {
  test.each([
    ['m', 'mute'],
    ['M', 'mute'],
    ['Escape', 'interrupt'],
    ['?', 'shortcuts'],
    ['Enter', 'start'],
  ])('%s means %s', (key, shortcut) => {
    expect(shortcutOf(press(key), SETTINGS)).toBe(shortcut);
  });

  test.each(['INPUT', 'TEXTAREA', 'SELECT'])('does nothing while typing in %s', (tagName) => {
    expect(shortcutOf(press('m', { target: { tagName } }), SETTINGS)).toBeNull();
  });

  test('leaves the keys of a button to the button', () => {
    const settings = { hasShortcuts: true, isPushToTalk: true };

    expect(shortcutOf(press(' ', { target: { tagName: 'BUTTON' } }), settings)).toBeNull();
    expect(shortcutOf(press('Enter', { target: { tagName: 'BUTTON' } }), settings)).toBeNull();
    expect(shortcutOf(press('m', { target: { tagName: 'BUTTON' } }), settings)).toBe('mute');
  });

  test('leaves combinations to the browser', () => {
    expect(shortcutOf(press('c', { ctrlKey: true }), SETTINGS)).toBeNull();
    expect(shortcutOf(press('t', { metaKey: true }), SETTINGS)).toBeNull();
  });

  test('the space bar talks only with push to talk', () => {
    expect(shortcutOf(press(' '), SETTINGS)).toBeNull();
    expect(shortcutOf(press(' '), { ...SETTINGS, isPushToTalk: true })).toBe('hold');
  });

  test('switched off, only Escape is left', () => {
    const settings = { hasShortcuts: false, isPushToTalk: true };

    expect(shortcutOf(press('m'), settings)).toBeNull();
    expect(shortcutOf(press('Escape'), settings)).toBe('interrupt');
  });
});
