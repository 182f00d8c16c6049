export interface OutputAudio { type: 'output_audio'; transcript?: string | null }
export interface OutputText { type: 'output_text'; text: string }
export interface InputText { type: 'input_text'; text: string }
export interface InputAudio { type: 'input_audio'; transcript?: string | null; audio?: string | null }
export interface Message { type: 'message'; id?: string | null; role: 'user' | 'assistant' | 'system'; status?: 'in_progress' | 'completed' | 'incomplete' | null; content: (OutputAudio | OutputText | InputText | InputAudio)[] }
export interface FunctionCall { type: 'function_call'; id?: string | null; name: string; call_id?: string | null; arguments: string }
export type Item = Message | FunctionCall;
export interface ErrorDetail { type: string; code: string | null; message: string; param: string | null; event_id: string | null }
export interface Session { type: string; id?: string; model?: string; vivavoce?: unknown; audio?: unknown }
export interface Response { id: string; status: string; output: Item[]; status_details?: { type: string; reason?: string; error?: { type?: string; code?: string; message?: string } } | null }
interface P { event_id: string; response_id: string; item_id: string; output_index: number; content_index: number }
export interface ErrorEvent { type: 'error'; event_id: string; error: ErrorDetail }
export interface SessionCreated { type: 'session.created'; event_id: string; session: Session }
export interface SessionUpdated { type: 'session.updated'; event_id: string; session: Session }
export interface ConversationItemAdded { type: 'conversation.item.added'; event_id: string; previous_item_id?: string | null; item: Item }
export interface ConversationItemDone { type: 'conversation.item.done'; event_id: string; previous_item_id?: string | null; item: Item }
export interface ConversationItemTruncated { type: 'conversation.item.truncated'; event_id: string; item_id: string; content_index: number; audio_end_ms: number }
export interface ConversationItemDeleted { type: 'conversation.item.deleted'; event_id: string; item_id: string }
export interface Delta { type: 'conversation.item.input_audio_transcription.delta'; event_id: string; item_id: string; content_index?: number; delta?: string }
export interface Completed { type: 'conversation.item.input_audio_transcription.completed'; event_id: string; item_id: string; content_index: number; transcript: string }
export interface Failed { type: 'conversation.item.input_audio_transcription.failed'; event_id: string; item_id: string; content_index: number; error: { message?: string } }
export interface Committed { type: 'input_audio_buffer.committed'; event_id: string; item_id: string; previous_item_id?: string | null }
export interface Cleared { type: 'input_audio_buffer.cleared'; event_id: string }
export interface SpeechStarted { type: 'input_audio_buffer.speech_started'; event_id: string; item_id: string; audio_start_ms: number }
export interface SpeechStopped { type: 'input_audio_buffer.speech_stopped'; event_id: string; item_id: string; audio_end_ms: number }
export interface ResponseCreated { type: 'response.created'; event_id: string; response: Response }
export interface ResponseDone { type: 'response.done'; event_id: string; response: Response }
export interface ResponseOutputItemAdded { type: 'response.output_item.added'; event_id: string; response_id: string; output_index: number; item: Item }
export interface ResponseOutputAudioDelta extends P { type: 'response.output_audio.delta'; delta: string }
export interface ResponseOutputAudioDone extends P { type: 'response.output_audio.done' }
export interface ResponseOutputAudioTranscriptDelta extends P { type: 'response.output_audio_transcript.delta'; delta: string }
export interface ResponseOutputAudioTranscriptDone extends P { type: 'response.output_audio_transcript.done'; transcript: string }
export interface ResponseOutputTextDelta extends P { type: 'response.output_text.delta'; delta: string }
export interface ResponseOutputTextDone extends P { type: 'response.output_text.done'; text: string }
export type ServerEvent = ErrorEvent | SessionCreated | SessionUpdated | ConversationItemAdded | ConversationItemDone | ConversationItemTruncated | ConversationItemDeleted | Delta | Completed | Failed | Committed | Cleared | SpeechStarted | SpeechStopped | ResponseCreated | ResponseDone | ResponseOutputItemAdded | ResponseOutputAudioDelta | ResponseOutputAudioDone | ResponseOutputAudioTranscriptDelta | ResponseOutputAudioTranscriptDone | ResponseOutputTextDelta | ResponseOutputTextDone;
export type ClientEvent =
  | { type: 'session.update'; session: Record<string, unknown>; event_id?: string }
  | { type: 'input_audio_buffer.append'; audio: string }
  | { type: 'input_audio_buffer.commit' } | { type: 'input_audio_buffer.clear' }
  | { type: 'conversation.item.create'; item: Item; previous_item_id?: string | null }
  | { type: 'conversation.item.truncate'; item_id: string; content_index: number; audio_end_ms: number }
  | { type: 'response.create'; response?: Record<string, unknown> } | { type: 'response.cancel'; response_id?: string | null };
