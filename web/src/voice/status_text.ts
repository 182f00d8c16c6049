/** What the status line says. */

import type { Phase, ViewState } from '../lib/view_state';

export interface StatusText {
  readonly title: string;
  readonly hint: string;
}

export interface StatusContext {
  readonly isPushToTalk: boolean;
  readonly isHolding: boolean;
  readonly isTalkingMuted: boolean;
  readonly hasKeyboard: boolean;
}

type Texts = Readonly<Record<Phase, (state: ViewState, context: StatusContext) => StatusText>>;

const TEXTS: Texts = {
  idle: (state) =>
    state.captions.length > 0
      ? { title: 'Conversation ended', hint: 'Start again and it goes on where you left it.' }
      : { title: 'Let’s talk.', hint: 'Say something, and hear an answer.' },
  connecting: (state) => connecting(state),
  ready: () => ({ title: 'Ready', hint: 'Type a message; the answer is spoken.' }),
  listening: (state, context) => listening(state, context),
  hearing: (_state, context) =>
    context.isHolding ? { title: 'Go ahead', hint: 'Let go when you have finished.' } : { title: 'Go ahead', hint: 'I hear you.' },
  thinking: () => ({ title: 'Thinking', hint: 'One moment.' }),
  speaking: (_state, context) => speaking(context),
  muted: (_state, context) =>
    context.isTalkingMuted
      ? { title: 'You are muted', hint: 'I cannot hear what you say. Unmute to be heard.' }
      : { title: 'Muted', hint: 'I hear nothing until you unmute.' },
  error: (state) => ({ title: 'Not connected', hint: state.problem?.message ?? '' }),
};

function connecting(state: ViewState): StatusText {
  if (state.connection === 'waiting' && state.engine === null) return { title: 'No answer yet', hint: 'The server cannot be reached.' };
  if (state.connection === 'waiting') return { title: 'Reconnecting', hint: 'What was said is kept.' };
  if (state.microphone === 'asking') return { title: 'Allow the microphone', hint: 'Your browser is asking for it.' };
  return { title: 'Connecting', hint: 'Just a moment.' };
}

function listening(state: ViewState, context: StatusContext): StatusText {
  if (context.isPushToTalk) {
    const hint = context.hasKeyboard ? 'Hold the space bar, or the button below, while you talk.' : 'Hold the button while you talk.';
    return { title: 'Your turn', hint };
  }
  if (state.hint === 'unheard') return { title: 'Listening', hint: 'I heard something, but no words. Say it again?' };
  return { title: 'Listening', hint: 'Speak whenever you like.' };
}

function speaking(context: StatusContext): StatusText {
  if (context.isPushToTalk) return { title: 'Speaking', hint: 'Tap the orb to interrupt.' };
  const hint = context.hasKeyboard ? 'Speak, or press Esc, to interrupt.' : 'Speak, or tap the orb, to interrupt.';
  return { title: 'Speaking', hint };
}

/** Returns the status of a phase: a title that a screen reader announces, and a hint. */
export function statusText(phase: Phase, state: ViewState, context: StatusContext): StatusText {
  return TEXTS[phase](state, context);
}
