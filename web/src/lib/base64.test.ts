import { describe, expect, test } from 'vitest';
import { decodeBase64, encodeBase64 } from './base64';

describe('base64', () => {
  test('gives back every byte, also beyond one slice', () => {
    const bytes = Uint8Array.from({ length: 20_001 }, (_, at) => (at * 31) & 255);

    const back = decodeBase64(encodeBase64(bytes));

    expect(back).toEqual(bytes);
  });

  test('is the standard alphabet with padding', () => {
    expect(encodeBase64(Uint8Array.from([251, 255, 254, 1]))).toBe('+//+AQ==');
  });

  test('refuses text that is not base64', () => {
    expect(() => decodeBase64('***')).toThrow();
  });
});
