/** What the page says about the engine that answers. */

import type { CostView, EngineStage, EngineView } from './view_state';

const TITLES: Readonly<Record<string, string>> = {
  embedded: 'Built-in engine',
  scripted: 'Scripted engine',
  hybrid: 'Hybrid engine',
  upstream: 'Hosted model',
};

/** Returns what people call an engine. */
export function titleOf(name: string): string {
  return TITLES[name] ?? name;
}

/** What each stage does, by its job. */
export const JOBS: Readonly<Record<string, string>> = {
  vad: 'Hears',
  stt: 'Understands',
  llm: 'Answers',
  tts: 'Speaks',
  noise: 'Quietens',
  turn: 'Takes turns',
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
    title: titleOf(name),
    model,
    voice: stringOf(recordOf(recordOf(fields['audio'])['output'])['voice']),
    stages: readStages(extension['stages']),
    isAligned: 'engine' in extension && name !== 'upstream', // a hosted model sends its text ahead of the audio
    isDemoGrade: isDemoGrade(name, readStages(extension['stages'])),
    cost: readCost(extension['cost']),
  };
}

/** Tells whether the recogniser of these stages mishears often; without stages the engine's name tells. */
export function isDemoGrade(name: string, stages: readonly EngineStage[]): boolean {
  const recogniser = stages.find((stage) => stage.job === 'stt')?.name ?? name;
  return DEMO_GRADE.some((weak) => recogniser.includes(weak));
}

/** Returns a sum of money as people read it, at least two digits of it: "$0.0042", "$1.37". */
export function usdText(usd: number): string {
  if (usd >= 0.1 || usd <= 0) return `$${usd.toFixed(2)}`;
  const digits = Math.min(6, 1 - Math.floor(Math.log10(usd)));
  return `$${usd.toFixed(digits)}`;
}

/** Returns what a session has cost, as the server tells it; null if it tells nothing. */
export function readCost(value: unknown): CostView | null {
  const fields = recordOf(value);
  if (typeof fields['usd'] !== 'number') return null;
  return {
    usd: fields['usd'],
    usdPerMin: numberOf(fields['usd_per_min']),
    cachedShare: numberOf(fields['cached_share']),
    budgetUsd: typeof fields['budget_usd'] === 'number' ? fields['budget_usd'] : null,
    spentUsd: typeof fields['spent_usd'] === 'number' ? fields['spent_usd'] : null,
    prices: stringOf(fields['prices']),
    unpriced: Array.isArray(fields['unpriced']) ? fields['unpriced'].map(stringOf) : [],
  };
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

function numberOf(value: unknown): number {
  return typeof value === 'number' ? value : 0;
}

function stringOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
