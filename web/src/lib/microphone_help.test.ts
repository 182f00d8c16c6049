import { expect, test } from 'vitest';
import { MICROPHONE_HELP, microphoneProblemOf } from './microphone_help';

test.each([
  ['NotAllowedError', 'denied'],
  ['NotFoundError', 'missing'],
  ['OverconstrainedError', 'missing'],
  ['NotReadableError', 'busy'],
  ['SecurityError', 'denied'],
])('%s is shown as %s', (name, problem) => {
  expect(microphoneProblemOf(new DOMException('', name))).toBe(problem);
});

test('every problem has its own title and remedy', () => {
  const texts = Object.values(MICROPHONE_HELP).flatMap((help) => [help.title, help.remedy]);

  expect(new Set(texts).size).toBe(texts.length);
});
