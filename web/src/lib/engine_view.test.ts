import { describe, expect, test } from 'vitest';
import { readEngine } from './engine_view';

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

  test('survives a session of the wrong shape', () => {
    expect(readEngine({ vivavoce: 7, audio: null, model: [] }).title).toBe('unknown');
  });
});
