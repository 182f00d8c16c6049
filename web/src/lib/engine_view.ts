/** What the page says about the engine that answers. */

import type { EngineStage, EngineView } from './view_state';

const TITLES: Readonly<Record<string, string>> = {
  embedded: 'Built-in engine',
  scripted: 'Scripted engine',
  relay: 'Hosted model, relayed',
};

// Embedded recognisers whose errors a listener must expect, see the engines' own notes.
const DEMO_GRADE = ['pocketsphinx', 'embedded'];

export const DEMO_NOTE =
  'The built-in recogniser is demo-grade: it runs anywhere without a download, but it mishears often. ' +
  'Speak in short, clear sentences.';

/** Returns the view of a `session` object. Unknown servers, which have no `vivavoce` object, get their model's name. */
export function readEngine(session: object): EngineView {
  const fields = session as Record<string, unknown>;
  const extension = recordOf(fields['vivavoce']);
  const model = stringOf(fields['model']);
  const name = stringOf(extension['engine']) || model || 'unknown';
  return {
    name,
    title: TITLES[name] ?? name,
    model,
    voice: stringOf(recordOf(recordOf(fields['audio'])['output'])['voice']),
    stages: readStages(extension['stages']),
    isAligned: 'engine' in extension && !name.includes('relay'),
    isDemoGrade: isDemoGrade(name, readStages(extension['stages'])),
  };
}

function isDemoGrade(name: string, stages: readonly EngineStage[]): boolean {
  const recogniser = stages.find((stage) => stage.job === 'stt')?.name ?? name;
  return DEMO_GRADE.some((weak) => recogniser.includes(weak));
}

function readStages(value: unknown): readonly EngineStage[] {
  return Object.entries(recordOf(value)).map(([job, stage]) => ({
    job,
    name: typeof stage === 'string' ? stage : stringOf(recordOf(stage)['name']),
    note: stringOf(recordOf(stage)['note']),
  }));
}

function recordOf(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}

function stringOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
