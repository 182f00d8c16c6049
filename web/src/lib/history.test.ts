import { expect, test } from 'vitest';
import { historyOf } from './history';
import type { Caption } from './view_state';

const BASE: Caption = {
  itemId: 'item_1',
  speaker: 'user',
  text: 'Hello there.',
  isTyped: false,
  isFinal: true,
  heardChars: 12,
  isCut: false,
  isFailed: false,
  audioMs: 0,
  marks: [],
};

test('replays what was said by the user and what was heard of the assistant', () => {
  const cut: Caption = { ...BASE, itemId: 'item_2', speaker: 'assistant', heardChars: 5, isCut: true };

  const items = historyOf([BASE, cut]);

  expect(items).toEqual([
    { type: 'message', id: 'item_1', role: 'user', status: 'completed', content: [{ type: 'input_text', text: 'Hello there.' }] },
    { type: 'message', id: 'item_2', role: 'assistant', status: 'completed', content: [{ type: 'output_text', text: 'Hello' }] },
  ]);
});

test('leaves out what is unfinished, failed or was not heard at all', () => {
  const captions: Caption[] = [
    { ...BASE, isFinal: false },
    { ...BASE, itemId: 'item_2', isFailed: true },
    { ...BASE, itemId: 'item_3', speaker: 'assistant', heardChars: 0, isCut: true },
  ];

  expect(historyOf(captions)).toEqual([]);
});
