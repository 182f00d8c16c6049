/** What a person chose on this page; kept in the browser. */

import type { ServerVad, SessionPatch } from './protocol';

export const VOICES = ['alloy', 'ash', 'ballad', 'coral', 'echo', 'sage', 'shimmer', 'verse', 'marin', 'cedar'] as const;
export type Voice = (typeof VOICES)[number];

export const SILENCE_CHOICES_MS = [200, 350, 500, 800, 1200] as const;
export const THEMES = ['system', 'light', 'dark'] as const;

export interface Settings {
  readonly voice: Voice;
  readonly silenceMs: number;
  readonly echoCancellation: boolean;
  readonly noiseSuppression: boolean;
  readonly autoGainControl: boolean;
  readonly microphoneId: string; // empty: the system's default
  readonly isPushToTalk: boolean;
  readonly hasCaptions: boolean;
  readonly hasShortcuts: boolean;
  readonly hasCost: boolean; // show what the conversation costs
  readonly theme: (typeof THEMES)[number];
}

export const DEFAULT_SETTINGS: Settings = {
  voice: 'marin',
  silenceMs: 500,
  echoCancellation: true,
  noiseSuppression: true,
  autoGainControl: true,
  microphoneId: '',
  isPushToTalk: false,
  hasCaptions: true,
  hasShortcuts: true,
  hasCost: false,
  theme: 'system',
};

type Checks = { readonly [Key in keyof Settings]: (value: unknown) => boolean };

const isBoolean = (value: unknown): boolean => typeof value === 'boolean';
const isOneOf = (values: readonly unknown[]) => (value: unknown): boolean => values.includes(value);

const CHECKS: Checks = {
  voice: isOneOf(VOICES),
  silenceMs: (value) => typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= 5000,
  echoCancellation: isBoolean,
  noiseSuppression: isBoolean,
  autoGainControl: isBoolean,
  microphoneId: (value) => typeof value === 'string',
  isPushToTalk: isBoolean,
  hasCaptions: isBoolean,
  hasShortcuts: isBoolean,
  hasCost: isBoolean,
  theme: isOneOf(THEMES),
};

/** Returns the settings that `text` (JSON, or null for none) holds; what is missing or unusable has its default. */
export function parseSettings(text: string | null): Settings {
  const stored = readObject(text);
  const usable = Object.entries(stored).filter(([key, value]) => CHECKS[key as keyof Settings]?.(value));
  return { ...DEFAULT_SETTINGS, ...Object.fromEntries(usable) };
}

function readObject(text: string | null): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text ?? '{}');
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}

/** Returns the `session` object of the `session.update` that puts these settings into effect. */
export function sessionOf(settings: Settings, canPlay = true): SessionPatch {
  const detection: ServerVad = {
    type: 'server_vad',
    silence_duration_ms: settings.silenceMs,
    create_response: true,
    interrupt_response: true,
  };
  return {
    type: 'realtime',
    output_modalities: [canPlay ? 'audio' : 'text'],
    audio: {
      input: {
        format: { type: 'audio/pcm', rate: 24_000 },
        transcription: { model: 'gpt-4o-mini-transcribe' }, // local engines take any name, a hosted one needs its own
        turn_detection: settings.isPushToTalk ? null : detection,
      },
      output: { format: { type: 'audio/pcm', rate: 24_000 }, voice: settings.voice },
    },
    ...(settings.hasCost ? { vivavoce: { cost: true } } : {}),
  };
}
