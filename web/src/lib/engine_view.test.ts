import { describe, expect, test } from 'vitest';
import { readEngine, usdText } from './engine_view';

describe('readEngine', () => {
  test('says that the embedded recogniser is demo-grade', () => {
    const session = { model: 'vivavoce-local', vivavoce: { engine: 'embedded' }, audio: { output: { voice: 'sage' } } };

    expect(readEngine(session)).toMatchObject({ title: 'Built-in engine', voice: 'sage', isDemoGrade: true, isAligned: true });
  });

  test('names the stages when the server tells them', () => {
    const vivavoce = { engine: 'embedded', stages: { stt: { name: 'moonshine', note: 'Good.' }, tts: 'flite' } };

    const engine = readEngine({ vivavoce });

    expect(engine.stages).toEqual([
      { job: 'stt', name: 'moonshine', note: 'Good.' },
      { job: 'tts', name: 'flite', note: '' },
    ]);
    expect(engine.isDemoGrade).toBe(false);
  });

  test('another server is named by its model', () => {
    expect(readEngine({ model: 'gpt-realtime' })).toMatchObject({ title: 'gpt-realtime', isDemoGrade: false, isAligned: false });
  });

  test('a relayed model is called hosted, and its text is not taken to be aligned with its sound', () => {
    const engine = readEngine({ model: 'gpt-realtime', vivavoce: { engine: 'upstream' } });

    expect(engine).toMatchObject({ title: 'Hosted model', isDemoGrade: false, isAligned: false });
  });

  test('has the cost where the server tells it', () => {
    const cost = { usd: 0.0421, usd_per_min: 0.02, responses: 3, cached_share: 0.5, budget_usd: null, prices: '2026-11-01' };

    expect(readEngine({ vivavoce: { engine: 'upstream', cost } }).cost).toEqual({
      usd: 0.0421,
      usdPerMin: 0.02,
      cachedShare: 0.5,
      budgetUsd: null,
      spentUsd: null,
      prices: '2026-11-01',
      unpriced: [],
    });
    expect(readEngine({ vivavoce: { engine: 'upstream' } }).cost).toBeNull();
  });

  test('survives a session of the wrong shape', () => {
    expect(readEngine({ vivavoce: 7, audio: null, model: [] }).title).toBe('unknown');
  });
});

describe('usdText', () => {
  test.each([
    [0, '$0.00'],
    [1.369, '$1.37'],
    [0.1, '$0.10'],
    [0.0421, '$0.042'],
    [0.0042, '$0.0042'],
    [0.00000004, '$0.000000'],
  ])('%d is %s', (usd, text) => {
    expect(usdText(usd)).toBe(text);
  });
});
