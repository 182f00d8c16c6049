/**
 * Server events and what happens on this page, folded into the view state.
 *
 * Pure: the same inputs give the same state. Captions are keyed by item id, so an event that comes late, twice or in
 * a batch changes what it names and nothing else. The order of captions is the order of the conversation.
 */

import type { Item, ResponseDone, ServerEvent } from './protocol';
import { readCost, readEngine } from './engine_view';
import { heardChars } from './spoken_text';
import { INITIAL_STATE, type Caption, type MicrophoneState, type Problem, type Speaker, type ViewState } from './view_state';

/** What happens on this side of the wire. */
export type LocalEvent =
  | { readonly type: 'local.connecting' }
  | { readonly type: 'local.open' }
  | { readonly type: 'local.waiting'; readonly retryAtMs: number }
  | { readonly type: 'local.closed' }
  | { readonly type: 'local.microphone'; readonly microphone: MicrophoneState }
  | { readonly type: 'local.muted'; readonly isMuted: boolean }
  | { readonly type: 'local.problem'; readonly problem: Problem | null }
  | { readonly type: 'local.typed'; readonly itemId: string; readonly text: string }
  | { readonly type: 'local.audio_received'; readonly itemId: string; readonly ms: number }
  | { readonly type: 'local.played'; readonly itemId: string; readonly playedMs: number; readonly isFinished: boolean }
  | { readonly type: 'local.silent' }
  | { readonly type: 'local.cut'; readonly itemId: string; readonly playedMs: number }
  | { readonly type: 'local.holding'; readonly isHeld: boolean }
  | { readonly type: 'local.fresh_session' }
  | { readonly type: 'local.forget' };

export type Input = ServerEvent | LocalEvent;

const QUIET: Partial<ViewState> = {
  isHearing: false,
  isHolding: false,
  isAwaiting: false,
  isAudible: false,
  activeResponseId: null,
};

// Races with the end of a response; the outcome is the one that was wanted.
const HARMLESS_CODES = new Set(['response_cancel_not_active', 'conversation_already_has_active_response']);

/** Returns the state after an input. */
export function reduce(state: ViewState, input: Input): ViewState {
  return input.type.startsWith('local.') ? happen(state, input as LocalEvent) : receive(state, input as ServerEvent);
}

function happen(state: ViewState, event: LocalEvent): ViewState {
  switch (event.type) {
    case 'local.connecting':
      return { ...state, connection: 'connecting', retryAtMs: null, problem: null };
    case 'local.open':
      return { ...state, connection: 'open', retryAtMs: null };
    case 'local.waiting':
      return settle({ ...state, ...QUIET, connection: 'waiting', retryAtMs: event.retryAtMs });
    case 'local.closed':
      return settle({ ...state, ...QUIET, connection: 'closed', retryAtMs: null, isVoiceFixed: false });
    case 'local.microphone':
      return { ...state, microphone: event.microphone };
    case 'local.muted':
      return { ...state, isMuted: event.isMuted, isHearing: state.isHearing && !event.isMuted };
    case 'local.problem':
      return { ...state, problem: event.problem };
    case 'local.typed':
      return typed(state, event.itemId, event.text);
    case 'local.audio_received':
      return changeAssistant(state, event.itemId, (it) => ({ ...it, audioMs: it.audioMs + event.ms }));
    case 'local.played':
      return played(state, event);
    case 'local.silent':
      return { ...state, isAudible: false };
    case 'local.cut':
      return { ...cut(state, event.itemId, event.playedMs), isAudible: false };
    case 'local.holding':
      return { ...state, isHolding: event.isHeld, hint: null };
    case 'local.fresh_session':
      return settle({ ...state, ...QUIET, isVoiceFixed: false });
    case 'local.forget':
      return { ...INITIAL_STATE, microphone: state.microphone, isMuted: state.isMuted };
  }
}

function receive(state: ViewState, event: ServerEvent): ViewState {
  switch (event.type) {
    case 'session.created':
    case 'session.updated':
      return { ...state, engine: readEngine(event.session) };
    case 'error':
      return HARMLESS_CODES.has(event.error.code ?? '') ? state : { ...state, problem: problemOf(event.error) };
    case 'input_audio_buffer.speech_started':
      return { ...ensure(state, event.item_id, 'user'), isHearing: true, hint: null };
    case 'input_audio_buffer.speech_stopped':
      return { ...state, isHearing: false };
    case 'input_audio_buffer.committed':
      return { ...ensure(state, event.item_id, 'user'), isHearing: false, isAwaiting: true };
    case 'input_audio_buffer.cleared':
      return { ...dropEmpty(state), isHearing: false };
    case 'conversation.item.added':
    case 'conversation.item.done':
      return placed(state, event.item, event.previous_item_id);
    case 'conversation.item.deleted':
      return { ...state, captions: state.captions.filter((it) => it.itemId !== event.item_id) };
    case 'conversation.item.truncated':
      return cut(state, event.item_id, event.audio_end_ms);
    case 'conversation.item.input_audio_transcription.delta':
      return change(ensure(state, event.item_id, 'user'), event.item_id, (it) =>
        it.isFinal ? it : { ...it, text: it.text + (event.delta ?? '') },
      );
    case 'conversation.item.input_audio_transcription.completed':
      return transcribed(state, event.item_id, event.transcript);
    case 'conversation.item.input_audio_transcription.failed':
      return change(state, event.item_id, (it) => ({ ...it, isFinal: true, isFailed: true }));
    default:
      return receiveResponse(state, event);
  }
}

function receiveResponse(state: ViewState, event: ServerEvent): ViewState {
  switch (event.type) {
    case 'response.created':
      return { ...state, activeResponseId: event.response.id, isAwaiting: false };
    case 'response.output_item.added':
      return event.item.type === 'message' && event.item.id ? ensure(state, event.item.id, 'assistant') : state;
    case 'response.output_audio_transcript.delta':
      return changeAssistant(state, event.item_id, (it) => ({
        ...it,
        text: it.text + event.delta,
        marks: state.engine?.isAligned ? [...it.marks, { startMs: it.audioMs, startChar: it.text.length }] : [],
      }));
    case 'response.output_audio_transcript.done':
      return changeAssistant(state, event.item_id, (it) => ({ ...it, text: event.transcript }));
    case 'response.output_text.delta':
      return changeAssistant(state, event.item_id, (it) => withAllHeard({ ...it, text: it.text + event.delta }));
    case 'response.output_text.done':
      return changeAssistant(state, event.item_id, (it) => withAllHeard({ ...it, text: event.text, isFinal: true }));
    case 'response.output_audio.delta':
      return { ...state, isVoiceFixed: true };
    case 'response.done':
      return responseEnded(state, event);
    default:
      return state;
  }
}

function responseEnded(state: ViewState, event: ResponseDone): ViewState {
  const { response } = event;
  const isActive = state.activeResponseId === null || state.activeResponseId === response.id;
  const next = isActive ? { ...state, activeResponseId: null, isAwaiting: false } : state;
  const settled = withCost(settleOutput(next, response.output), response.vivavoce?.cost.session);
  if (response.status !== 'failed') return settled;
  const detail = response.status_details?.error;
  const message = detail?.message ?? 'The answer could not be made.';
  return { ...settled, problem: { code: detail?.code ?? 'server_error', message, isFatal: false } };
}

function withCost(state: ViewState, told: unknown): ViewState {
  const cost = readCost(told);
  return cost === null || state.engine === null ? state : { ...state, engine: { ...state.engine, cost } };
}

/** Of an answer that ended, what has no audio waits for nothing more; what was never written leaves nothing to show. */
function settleOutput(state: ViewState, output: readonly Item[]): ViewState {
  const ids = new Set(output.map((item) => item.id));
  const captions = state.captions
    .filter((it) => !(ids.has(it.itemId) && it.text === ''))
    .map((it) => (ids.has(it.itemId) && it.audioMs === 0 && !it.isFinal ? asLeft(it) : it));
  return { ...state, captions };
}

/** A caption that ends as it stands. */
function asLeft(caption: Caption): Caption {
  return { ...caption, isFinal: true, isCut: caption.speaker === 'assistant' && caption.heardChars < caption.text.length };
}

function problemOf(error: { code?: string | null; message: string }): Problem {
  return { code: error.code ?? 'server_error', message: error.message, isFatal: false };
}

function blank(itemId: string, speaker: Speaker): Caption {
  return {
    itemId,
    speaker,
    text: '',
    isTyped: false,
    isFinal: false,
    heardChars: 0,
    isCut: false,
    isFailed: false,
    audioMs: 0,
    marks: [],
  };
}

function ensure(state: ViewState, itemId: string, speaker: Speaker): ViewState {
  if (state.captions.some((it) => it.itemId === itemId)) return state;
  return { ...state, captions: [...state.captions, blank(itemId, speaker)] };
}

function change(state: ViewState, itemId: string, update: (caption: Caption) => Caption): ViewState {
  return { ...state, captions: state.captions.map((it) => (it.itemId === itemId ? update(it) : it)) };
}

/** Text and audio that come after the listener interrupted an item change nothing that was heard. */
function changeAssistant(state: ViewState, itemId: string, update: (caption: Caption) => Caption): ViewState {
  return change(state, itemId, (it) => (it.speaker === 'assistant' && !it.isFinal ? update(it) : it));
}

function withAllHeard(caption: Caption): Caption {
  return { ...caption, heardChars: caption.text.length };
}

function typed(state: ViewState, itemId: string, text: string): ViewState {
  const caption = { ...blank(itemId, 'user'), text, isTyped: true, isFinal: true, heardChars: text.length };
  return { ...state, captions: [...state.captions, caption], isAwaiting: true, hint: null };
}

/** Takes an item's place in the conversation and, when it carries text that is not known yet, its text. */
function placed(state: ViewState, item: Item, previousItemId: string | null | undefined): ViewState {
  if (item.type !== 'message' || !item.id || item.role === 'system') return state;
  const itemId = item.id;
  const text = textOf(item);
  const known = ensure(state, itemId, item.role === 'user' ? 'user' : 'assistant');
  const isWritten = item.role === 'user' && text !== '';
  const filled = change(known, itemId, (it) => (isWritten && it.text === '' ? finished({ ...it, text }) : it));
  return { ...filled, captions: moveAfter(filled.captions, itemId, previousItemId) };
}

function textOf(item: Extract<Item, { type: 'message' }>): string {
  return item.content.map((part) => ('text' in part ? part.text : (('transcript' in part && part.transcript) || ''))).join('');
}

function finished(caption: Caption): Caption {
  return { ...caption, isFinal: true, heardChars: caption.text.length };
}

function moveAfter(captions: readonly Caption[], itemId: string, previousItemId: string | null | undefined): readonly Caption[] {
  const from = captions.findIndex((it) => it.itemId === itemId);
  const anchor = captions.findIndex((it) => it.itemId === previousItemId);
  const moved = captions[from];
  if (moved === undefined || anchor < 0 || from === anchor + 1) return captions;
  const rest = captions.filter((it) => it.itemId !== itemId);
  const to = rest.findIndex((it) => it.itemId === previousItemId) + 1;
  return [...rest.slice(0, to), moved, ...rest.slice(to)];
}

function transcribed(state: ViewState, itemId: string, transcript: string): ViewState {
  const text = transcript.trim();
  if (text === '') {
    const captions = state.captions.filter((it) => it.itemId !== itemId);
    return { ...state, captions, isAwaiting: false, hint: 'unheard' };
  }
  return change(ensure(state, itemId, 'user'), itemId, (it) => finished({ ...it, text }));
}

function played(state: ViewState, event: Extract<LocalEvent, { type: 'local.played' }>): ViewState {
  const before = state.captions.find((it) => it.itemId === event.itemId);
  if (before === undefined || before.isFinal) return state;
  if (event.isFinished) return change(state, event.itemId, finished);
  const heard = Math.max(before.heardChars, heardChars(before, event.playedMs));
  if (heard === before.heardChars && state.isAudible) return state; // told 50 times a second; a word is heard thrice
  return { ...change(state, event.itemId, (it) => ({ ...it, heardChars: heard })), isAudible: true };
}

function cut(state: ViewState, itemId: string, playedMs: number): ViewState {
  return change(state, itemId, (it) => {
    if (it.speaker !== 'assistant' || it.isFinal) return it;
    const heard = heardChars(it, playedMs);
    return { ...it, heardChars: heard, isCut: heard < it.text.length, isFinal: true };
  });
}

function dropEmpty(state: ViewState): ViewState {
  return { ...state, captions: state.captions.filter((it) => it.text !== '' || it.speaker === 'assistant') };
}

/** The connection is gone: what was still open stays as it is, and nothing more will come. */
function settle(state: ViewState): ViewState {
  const captions = state.captions
    .filter((it) => it.text !== '')
    .map((it) => (it.isFinal ? it : asLeft(it)))
    .map((it) => (it.speaker === 'user' ? { ...it, heardChars: it.text.length } : it));
  return { ...state, captions };
}
