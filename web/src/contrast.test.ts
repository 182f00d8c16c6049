import { describe, expect, test } from 'vitest';
import css from './app.css?raw';

/** Returns the custom properties of the block that follows `selector`. */
function tokensOf(selector: string): Record<string, string> {
  const block = css.slice(css.indexOf(selector)).match(/\{([^}]*)\}/)?.[1] ?? '';
  return Object.fromEntries([...block.matchAll(/--([\w-]+):\s*(#[0-9a-f]{6});/g)].map((found) => [found[1], found[2]]));
}

/** Relative luminance, WCAG 2.2. */
function luminance(hex: string): number {
  const [red = 0, green = 0, blue = 0] = [1, 3, 5].map((at) => {
    const part = parseInt(hex.slice(at, at + 2), 16) / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

function contrast(one: string, other: string): number {
  const [dark = 0, light = 0] = [luminance(one), luminance(other)].sort((a, b) => a - b);
  return (light + 0.05) / (dark + 0.05);
}

const DARK = tokensOf(':root {\n  color-scheme: dark');
const THEMES = {
  dark: DARK,
  light: { ...DARK, ...tokensOf(":root[data-theme='light']") },
  'light of the system': { ...DARK, ...tokensOf(":root:not([data-theme='dark'])") },
};
const GROUNDS = ['ground', 'ground-lit', 'surface', 'surface-high'];
const TEXTS = ['text', 'text-soft', 'user', 'assistant', 'danger'];
const PAIRS = [...GROUNDS.flatMap((ground) => TEXTS.map((text) => [text, ground])), ['on-accent', 'accent'], ['on-danger', 'danger-fill'], ['ground', 'text'], ['ground', 'user']];

describe.each(Object.entries(THEMES))('contrast in the theme %s', (_name, tokens) => {
  test.each(PAIRS)('%s on %s is at least 4.5 to 1', (text, ground) => {
    expect(contrast(tokens[text as string] as string, tokens[ground as string] as string)).toBeGreaterThanOrEqual(4.5);
  });

  test('the focus ring stands out from every ground', () => {
    for (const ground of GROUNDS) expect(contrast(tokens['focus'] as string, tokens[ground] as string)).toBeGreaterThanOrEqual(3);
  });
});

test('both light themes are the same', () => {
  expect(THEMES['light of the system']).toEqual(THEMES.light);
});
