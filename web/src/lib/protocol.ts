/**
 * The events of the Realtime wire, made from the structs of `vivavoce.protocol` by `vivavoce.testing.typescript`.
 * Do not edit: a test compares this file with the structs.
 */

/** The effective `audio.input`. */
export interface AudioInput {
  readonly format: PcmFormat | PcmuFormat | PcmaFormat;
  readonly transcription: Transcription | null;
  readonly noise_reduction: NoiseReduction | null;
  readonly turn_detection: ServerVad | SemanticVad | null;
}

/** `session.audio.input` as a client sends it. */
export interface AudioInputPatch {
  readonly format?: PcmFormat | PcmuFormat | PcmaFormat | 'g711_alaw' | 'g711_ulaw' | 'pcm16' | null;
  readonly transcription?: Transcription | null;
  readonly noise_reduction?: NoiseReduction | null;
  readonly turn_detection?: ServerVad | SemanticVad | null;
}

/** The effective `audio.output`; `speed` is 0.25 to 1.5. */
export interface AudioOutput {
  readonly format: PcmFormat | PcmuFormat | PcmaFormat;
  readonly voice: string;
  readonly speed: number;
}

/** `session.audio.output` as a client sends it. */
export interface AudioOutputPatch {
  readonly format?: PcmFormat | PcmuFormat | PcmaFormat | 'g711_alaw' | 'g711_ulaw' | 'pcm16' | null;
  readonly voice?: string | VoiceId | null;
  readonly speed?: number | null;
}

/** A spoken content part; not `output_audio` as in items. */
export interface AudioPart {
  readonly type: 'audio';
  readonly transcript: string;
}

/** `session.audio` as a client sends it. */
export interface AudioPatch {
  readonly input?: AudioInputPatch | null;
  readonly output?: AudioOutputPatch | null;
}

/** Cached input tokens by kind. */
export interface CachedTokensDetails {
  readonly text_tokens: number;
  readonly audio_tokens: number;
  readonly image_tokens: number;
}

/** The default conversation. */
export interface Conversation {
  readonly id: string;
  readonly object: 'realtime.conversation';
}

/** The default conversation; beta only. */
export interface ConversationCreated {
  readonly type: 'conversation.created';
  readonly event_id: string;
  readonly conversation: Conversation;
}

/** An item entered the conversation. */
export interface ConversationItemAdded {
  readonly type: 'conversation.item.added';
  readonly event_id: string;
  readonly previous_item_id: string | null;
  readonly item: Message | FunctionCall | FunctionCallOutput | McpListTools | McpCall | McpApprovalRequest | McpApprovalResponse;
}

/** Add an item: at the end (None), first ("root") or directly after `previous_item_id`. */
export interface ConversationItemCreate {
  readonly type: 'conversation.item.create';
  readonly event_id?: string | null;
  readonly item: Message | FunctionCall | FunctionCallOutput | McpListTools | McpCall | McpApprovalRequest | McpApprovalResponse;
  readonly previous_item_id?: string | null;
}

/** An item entered the conversation; beta only. */
export interface ConversationItemCreated {
  readonly type: 'conversation.item.created';
  readonly event_id: string;
  readonly previous_item_id: string | null;
  readonly item: Message | FunctionCall | FunctionCallOutput | McpListTools | McpCall | McpApprovalRequest | McpApprovalResponse;
}

/** Remove an item. */
export interface ConversationItemDelete {
  readonly type: 'conversation.item.delete';
  readonly event_id?: string | null;
  readonly item_id: string;
}

/** An item was removed. */
export interface ConversationItemDeleted {
  readonly type: 'conversation.item.deleted';
  readonly event_id: string;
  readonly item_id: string;
}

/** An item is complete. */
export interface ConversationItemDone {
  readonly type: 'conversation.item.done';
  readonly event_id: string;
  readonly previous_item_id: string | null;
  readonly item: Message | FunctionCall | FunctionCallOutput | McpListTools | McpCall | McpApprovalRequest | McpApprovalResponse;
}

/** The transcript of user audio; replaces its deltas. */
export interface ConversationItemInputAudioTranscriptionCompleted {
  readonly type: 'conversation.item.input_audio_transcription.completed';
  readonly event_id: string;
  readonly item_id: string;
  readonly content_index: number;
  readonly transcript: string;
  readonly usage: TokensUsage | DurationUsage;
  readonly logprobs?: readonly LogProb[] | null;
  readonly languages?: readonly TranscriptLanguage[];
}

/** More of a transcript. */
export interface ConversationItemInputAudioTranscriptionDelta {
  readonly type: 'conversation.item.input_audio_transcription.delta';
  readonly event_id: string;
  readonly item_id: string;
  readonly content_index: number;
  readonly delta: string;
  readonly logprobs?: readonly LogProb[] | null;
  readonly obfuscation?: string;
}

/** The transcription of user audio failed; the session goes on. */
export interface ConversationItemInputAudioTranscriptionFailed {
  readonly type: 'conversation.item.input_audio_transcription.failed';
  readonly event_id: string;
  readonly item_id: string;
  readonly content_index: number;
  readonly error: TranscriptionError;
}

/** A piece of a transcript with its speaker; times in seconds. */
export interface ConversationItemInputAudioTranscriptionSegment {
  readonly type: 'conversation.item.input_audio_transcription.segment';
  readonly event_id: string;
  readonly item_id: string;
  readonly content_index: number;
  readonly id: string;
  readonly text: string;
  readonly speaker: string;
  readonly start: number;
  readonly end: number;
}

/** Ask for an item with its audio. */
export interface ConversationItemRetrieve {
  readonly type: 'conversation.item.retrieve';
  readonly event_id?: string | null;
  readonly item_id: string;
}

/** An item with its audio. */
export interface ConversationItemRetrieved {
  readonly type: 'conversation.item.retrieved';
  readonly event_id: string;
  readonly item: Message | FunctionCall | FunctionCallOutput | McpListTools | McpCall | McpApprovalRequest | McpApprovalResponse;
}

/** Cut an assistant item to the first `audio_end_ms` of its audio. */
export interface ConversationItemTruncate {
  readonly type: 'conversation.item.truncate';
  readonly event_id?: string | null;
  readonly item_id: string;
  readonly content_index: number;
  readonly audio_end_ms: number;
}

/** An assistant item was cut to `audio_end_ms` of its audio. */
export interface ConversationItemTruncated {
  readonly type: 'conversation.item.truncated';
  readonly event_id: string;
  readonly item_id: string;
  readonly content_index: number;
  readonly audio_end_ms: number;
}

/** A transcription that is charged by the length of its audio. */
export interface DurationUsage {
  readonly type: 'duration';
  readonly seconds: number;
}

/** Which engine does each part of the work, by its name. */
export interface EngineStages {
  readonly vad: string;
  readonly stt: string;
  readonly llm: string;
  readonly tts: string;
  readonly noise?: string;
  readonly turn?: string;
}

/** The `error` object of an error event. All five keys are always sent; `param` is a dotted path. */
export interface ErrorDetail {
  readonly type: string;
  readonly code: string | null;
  readonly message: string;
  readonly param: string | null;
  readonly event_id: string | null;
}

/** A client's mistake, or our own failure. */
export interface ErrorEvent {
  readonly type: 'error';
  readonly event_id: string;
  readonly error: ErrorDetail;
}

/** `session.vivavoce` as a client may send it. */
export interface ExtensionPatch {
  readonly events?: readonly string[] | null;
  readonly locked?: readonly string[] | null;
  readonly pre_roll_ms?: number | null;
  readonly cost?: boolean | null;
}

/** A function call by the assistant; `arguments` is JSON text exactly as generated, "" at first. */
export interface FunctionCall {
  readonly type: 'function_call';
  readonly id?: string;
  readonly object?: 'realtime.item';
  readonly status?: 'completed' | 'in_progress' | 'incomplete';
  readonly name: string;
  readonly call_id?: string;
  readonly arguments: string;
}

/** The result of a function call, as the client sent it. */
export interface FunctionCallOutput {
  readonly type: 'function_call_output';
  readonly id?: string;
  readonly object?: 'realtime.item';
  readonly status?: 'completed' | 'in_progress' | 'incomplete';
  readonly call_id: string;
  readonly output: string;
}

/** A function that the client runs; `parameters` is a JSON Schema object. */
export interface FunctionTool {
  readonly type: 'function';
  readonly name: string;
  readonly description?: string;
  readonly parameters?: Readonly<Record<string, unknown>>;
}

/** Speech of the user, in the session's input format. `transcript` is always sent, null until it is known. */
export interface InputAudio {
  readonly type: 'input_audio';
  readonly audio?: string;
  readonly transcript?: string | null;
}

/** More user audio, in the session's input format; never acknowledged. */
export interface InputAudioBufferAppend {
  readonly type: 'input_audio_buffer.append';
  readonly event_id?: string | null;
  readonly audio: string;
}

/** Drop the buffered audio. */
export interface InputAudioBufferClear {
  readonly type: 'input_audio_buffer.clear';
  readonly event_id?: string | null;
}

/** The buffered audio was dropped. */
export interface InputAudioBufferCleared {
  readonly type: 'input_audio_buffer.cleared';
  readonly event_id: string;
}

/** Make a user message from the buffered audio. */
export interface InputAudioBufferCommit {
  readonly type: 'input_audio_buffer.commit';
  readonly event_id?: string | null;
}

/** The buffered audio becomes the user item `item_id`. */
export interface InputAudioBufferCommitted {
  readonly type: 'input_audio_buffer.committed';
  readonly event_id: string;
  readonly previous_item_id: string | null;
  readonly item_id: string;
}

/** A telephone key; `received_at` in unix seconds. */
export interface InputAudioBufferDtmfEventReceived {
  readonly type: 'input_audio_buffer.dtmf_event_received';
  readonly event_id: string;
  readonly event: string;
  readonly received_at: number;
}

/** Speech began; `audio_start_ms` includes the prefix padding. */
export interface InputAudioBufferSpeechStarted {
  readonly type: 'input_audio_buffer.speech_started';
  readonly event_id: string;
  readonly audio_start_ms: number;
  readonly item_id: string;
}

/** Speech ended; `audio_end_ms` includes the silence that showed it. */
export interface InputAudioBufferSpeechStopped {
  readonly type: 'input_audio_buffer.speech_stopped';
  readonly event_id: string;
  readonly audio_end_ms: number;
  readonly item_id: string;
}

/** Nobody spoke for the idle timeout. */
export interface InputAudioBufferTimeoutTriggered {
  readonly type: 'input_audio_buffer.timeout_triggered';
  readonly event_id: string;
  readonly audio_start_ms: number;
  readonly audio_end_ms: number;
  readonly item_id: string;
}

/** A picture as a data URI. */
export interface InputImage {
  readonly type: 'input_image';
  readonly image_url: string;
  readonly detail?: 'auto' | 'high' | 'low';
}

/** Text of the user or the system. */
export interface InputText {
  readonly type: 'input_text';
  readonly text: string;
}

/** Input tokens by kind; cached ones are included in the other counts. */
export interface InputTokenDetails {
  readonly text_tokens: number;
  readonly audio_tokens: number;
  readonly image_tokens: number;
  readonly cached_tokens: number;
  readonly cached_tokens_details: CachedTokensDetails;
}

/** An item of the conversation by its id; only inside `response.input`. */
export interface ItemReference {
  readonly type: 'item_reference';
  readonly id: string;
}

/** A transcribed token with its log probability. */
export interface LogProb {
  readonly token: string;
  readonly logprob: number;
  readonly bytes: readonly number[];
}

/** Which tools of an MCP server need the client's approval; those that no filter names need it. */
export interface McpApproval {
  readonly always?: McpToolFilter | null;
  readonly never?: McpToolFilter | null;
}

/** The assistant asks whether it may call an MCP tool. */
export interface McpApprovalRequest {
  readonly type: 'mcp_approval_request';
  readonly id?: string;
  readonly server_label: string;
  readonly name: string;
  readonly arguments: string;
}

/** The client's answer to an approval request. */
export interface McpApprovalResponse {
  readonly type: 'mcp_approval_response';
  readonly id?: string;
  readonly approval_request_id: string;
  readonly approve: boolean;
  readonly reason?: string | null;
}

/** A tool call that the server itself makes; the three nullable keys are always sent. */
export interface McpCall {
  readonly type: 'mcp_call';
  readonly id?: string;
  readonly server_label: string;
  readonly name: string;
  readonly arguments: string;
  readonly approval_request_id?: string | null;
  readonly output?: string | null;
  readonly error?: McpProtocolError | McpToolExecutionError | McpHttpError | null;
}

/** The MCP server answered with an HTTP error. */
export interface McpHttpError {
  readonly type: 'http_error';
  readonly code: number;
  readonly message: string;
}

/** The tools that an MCP server offers. */
export interface McpListTools {
  readonly type: 'mcp_list_tools';
  readonly id?: string;
  readonly server_label: string;
  readonly tools: readonly McpListedTool[];
}

/** The tools of an MCP server were listed. */
export interface McpListToolsCompleted {
  readonly type: 'mcp_list_tools.completed';
  readonly event_id: string;
  readonly item_id: string;
}

/** The tools of an MCP server could not be listed. */
export interface McpListToolsFailed {
  readonly type: 'mcp_list_tools.failed';
  readonly event_id: string;
  readonly item_id: string;
}

/** The tools of an MCP server are being listed. */
export interface McpListToolsInProgress {
  readonly type: 'mcp_list_tools.in_progress';
  readonly event_id: string;
  readonly item_id: string;
}

/** One tool of an MCP server. */
export interface McpListedTool {
  readonly name: string;
  readonly input_schema: Readonly<Record<string, unknown>>;
  readonly description?: string | null;
  readonly annotations?: Readonly<Record<string, unknown>> | null;
}

/** The MCP server broke its protocol. */
export interface McpProtocolError {
  readonly type: 'protocol_error';
  readonly code: number;
  readonly message: string;
}

/** A remote MCP server whose tools the server calls itself. `authorization` is a bearer token. */
export interface McpTool {
  readonly type: 'mcp';
  readonly server_label: string;
  readonly server_url?: string | null;
  readonly connector_id?: string | null;
  readonly tunnel_id?: string | null;
  readonly server_description?: string | null;
  readonly authorization?: string | null;
  readonly headers?: Readonly<Record<string, string>> | null;
  readonly allowed_tools?: readonly string[] | McpToolFilter | null;
  readonly require_approval?: 'always' | 'never' | McpApproval | null;
  readonly defer_loading?: boolean | null;
  readonly allowed_callers?: readonly string[] | null;
}

/** The tool reported a failure. */
export interface McpToolExecutionError {
  readonly type: 'tool_execution_error';
  readonly message: string;
}

/** A choice among the tools of an MCP server: by name, or by the server's own word that they only read. */
export interface McpToolFilter {
  readonly tool_names?: readonly string[] | null;
  readonly read_only?: boolean | null;
}

/** A message; the parts allowed depend on its role. */
export interface Message {
  readonly type: 'message';
  readonly id?: string;
  readonly object?: 'realtime.item';
  readonly status?: 'completed' | 'in_progress' | 'incomplete';
  readonly role: 'assistant' | 'system' | 'user';
  readonly content: readonly (InputText | InputAudio | InputImage | OutputText | OutputAudio)[];
  readonly phase?: 'commentary' | 'final_answer';
}

/** How noise is removed from user audio. */
export interface NoiseReduction {
  readonly type: 'far_field' | 'near_field';
  readonly strength?: number;
}

/** Speech of the assistant, in the session's output format; `audio` in `conversation.item.retrieved` only. */
export interface OutputAudio {
  readonly type: 'output_audio';
  readonly transcript?: string | null;
  readonly audio?: string;
}

/** Drop audio that was generated but not yet played (WebRTC and SIP only). */
export interface OutputAudioBufferClear {
  readonly type: 'output_audio_buffer.clear';
  readonly event_id?: string | null;
}

/** The rest of a response will not be played. */
export interface OutputAudioBufferCleared {
  readonly type: 'output_audio_buffer.cleared';
  readonly event_id: string;
  readonly response_id: string;
}

/** A response began to play. */
export interface OutputAudioBufferStarted {
  readonly type: 'output_audio_buffer.started';
  readonly event_id: string;
  readonly response_id: string;
}

/** A response was played out. */
export interface OutputAudioBufferStopped {
  readonly type: 'output_audio_buffer.stopped';
  readonly event_id: string;
  readonly response_id: string;
}

/** Text of the assistant. */
export interface OutputText {
  readonly type: 'output_text';
  readonly text: string;
}

/** Output tokens by kind. */
export interface OutputTokenDetails {
  readonly text_tokens: number;
  readonly audio_tokens: number;
  readonly reasoning_tokens?: number;
}

/** pcm16le, mono, 24 kHz: 48 bytes per ms. */
export interface PcmFormat {
  readonly type: 'audio/pcm';
  readonly rate?: 24000;
}

/** G.711 A-law, mono, 8 kHz: 8 bytes per ms. */
export interface PcmaFormat {
  readonly type: 'audio/pcma';
}

/** G.711 mu-law, mono, 8 kHz: 8 bytes per ms. */
export interface PcmuFormat {
  readonly type: 'audio/pcmu';
}

/** A stored prompt by its id; `variables` take the places that its text names. */
export interface Prompt {
  readonly id: string;
  readonly version?: string | null;
  readonly variables?: Readonly<Record<string, string | PromptText>> | null;
}

/** The value of a prompt's variable, spelled out. */
export interface PromptText {
  readonly type: 'input_text';
  readonly text: string;
}

/** One limit and what is left of it. */
export interface RateLimit {
  readonly name: 'requests' | 'tokens';
  readonly limit: number;
  readonly remaining: number;
  readonly reset_seconds: number;
}

/** What is left of the limits. */
export interface RateLimitsUpdated {
  readonly type: 'rate_limits.updated';
  readonly event_id: string;
  readonly rate_limits: readonly RateLimit[];
}

/** The effective conversation session, echoed in full by `session.created` and `session.updated`. */
export interface RealtimeSession {
  readonly type: 'realtime';
  readonly object: 'realtime.session';
  readonly id: string;
  readonly model: string;
  readonly output_modalities: readonly ('audio' | 'text')[];
  readonly instructions: string;
  readonly tools: readonly (FunctionTool | McpTool)[];
  readonly tool_choice: 'auto' | 'none' | 'required' | ToolChoiceFunction | ToolChoiceMcp;
  readonly max_output_tokens: number | 'inf';
  readonly tracing: 'auto' | Tracing | null;
  readonly truncation: 'auto' | 'disabled' | RetentionRatio;
  readonly prompt: Prompt | null;
  readonly expires_at: number;
  readonly audio: SessionAudio;
  readonly include: readonly 'item.input_audio_transcription.logprobs'[] | null;
  readonly parallel_tool_calls?: boolean;
  readonly reasoning?: Reasoning;
  readonly vivavoce?: SessionExtension;
}

/** How much a reasoning model thinks. */
export interface Reasoning {
  readonly effort?: 'high' | 'low' | 'medium' | 'minimal' | 'xhigh';
}

/** A response as `response.created` and `response.done` carry it. Out of band, `conversation_id` is null. */
export interface Response {
  readonly object: 'realtime.response';
  readonly id: string;
  readonly status: 'cancelled' | 'completed' | 'failed' | 'in_progress' | 'incomplete';
  readonly status_details: StatusDetails | null;
  readonly output: readonly (Message | FunctionCall | FunctionCallOutput | McpListTools | McpCall | McpApprovalRequest | McpApprovalResponse)[];
  readonly conversation_id: string | null;
  readonly output_modalities: readonly ('audio' | 'text')[];
  readonly max_output_tokens: number | 'inf';
  readonly audio: ResponseAudio;
  readonly usage: Usage | null;
  readonly metadata: Readonly<Record<string, string>> | null;
  readonly vivavoce?: ResponseReport;
}

/** The audio settings of a response; also sent with text-only responses. */
export interface ResponseAudio {
  readonly output: ResponseAudioOutput;
}

/** The format and the voice that a response speaks in. */
export interface ResponseAudioOutput {
  readonly format: PcmFormat | PcmuFormat | PcmaFormat;
  readonly voice: string;
}

/** `response.audio.output` as a client sends it; None is the session's value. */
export interface ResponseAudioOutputParams {
  readonly format?: PcmFormat | PcmuFormat | PcmaFormat | null;
  readonly voice?: string | VoiceId | null;
}

/** `response.audio` as a client sends it. */
export interface ResponseAudioParams {
  readonly output?: ResponseAudioOutputParams | null;
}

/** Stop a response: this one, or the active one of the default conversation. */
export interface ResponseCancel {
  readonly type: 'response.cancel';
  readonly event_id?: string | null;
  readonly response_id?: string | null;
}

/** An item of a response opened a part. */
export interface ResponseContentPartAdded {
  readonly type: 'response.content_part.added';
  readonly event_id: string;
  readonly response_id: string;
  readonly item_id: string;
  readonly output_index: number;
  readonly content_index: number;
  readonly part: AudioPart | TextPart;
}

/** An item of a response closed a part. */
export interface ResponseContentPartDone {
  readonly type: 'response.content_part.done';
  readonly event_id: string;
  readonly response_id: string;
  readonly item_id: string;
  readonly output_index: number;
  readonly content_index: number;
  readonly part: AudioPart | TextPart;
}

/** What a response has cost, in US dollars, and what its session has cost with it. */
export interface ResponseCost {
  readonly usd: number;
  readonly session: SessionCost;
}

/** Answer; `response` holds what differs from the session. */
export interface ResponseCreate {
  readonly type: 'response.create';
  readonly event_id?: string | null;
  readonly response?: ResponseParams | null;
}

/** A response began. */
export interface ResponseCreated {
  readonly type: 'response.created';
  readonly event_id: string;
  readonly response: Response;
}

/** A response ended, whatever its status. */
export interface ResponseDone {
  readonly type: 'response.done';
  readonly event_id: string;
  readonly response: Response;
}

/** `response.vivavoce` as a client may send it. */
export interface ResponseExtension {
  readonly say?: string | null;
}

/** More of a function call's arguments. */
export interface ResponseFunctionCallArgumentsDelta {
  readonly type: 'response.function_call_arguments.delta';
  readonly event_id: string;
  readonly response_id: string;
  readonly item_id: string;
  readonly output_index: number;
  readonly call_id: string;
  readonly delta: string;
  readonly obfuscation?: string;
}

/** The full arguments of a function call. */
export interface ResponseFunctionCallArgumentsDone {
  readonly type: 'response.function_call_arguments.done';
  readonly event_id: string;
  readonly response_id: string;
  readonly item_id: string;
  readonly output_index: number;
  readonly call_id: string;
  readonly name: string;
  readonly arguments: string;
}

/** More of an MCP call's arguments; a client drops it without `obfuscation`. */
export interface ResponseMcpCallArgumentsDelta {
  readonly type: 'response.mcp_call_arguments.delta';
  readonly event_id: string;
  readonly response_id: string;
  readonly item_id: string;
  readonly output_index: number;
  readonly delta: string;
  readonly obfuscation: string;
}

/** The full arguments of an MCP call. */
export interface ResponseMcpCallArgumentsDone {
  readonly type: 'response.mcp_call_arguments.done';
  readonly event_id: string;
  readonly response_id: string;
  readonly item_id: string;
  readonly output_index: number;
  readonly arguments: string;
}

/** An MCP call returned. */
export interface ResponseMcpCallCompleted {
  readonly type: 'response.mcp_call.completed';
  readonly event_id: string;
  readonly item_id: string;
  readonly output_index: number;
}

/** An MCP call failed. */
export interface ResponseMcpCallFailed {
  readonly type: 'response.mcp_call.failed';
  readonly event_id: string;
  readonly item_id: string;
  readonly output_index: number;
}

/** An MCP call runs. */
export interface ResponseMcpCallInProgress {
  readonly type: 'response.mcp_call.in_progress';
  readonly event_id: string;
  readonly item_id: string;
  readonly output_index: number;
}

/** More audio, in the response's output format; whole samples. */
export interface ResponseOutputAudioDelta {
  readonly type: 'response.output_audio.delta';
  readonly event_id: string;
  readonly response_id: string;
  readonly item_id: string;
  readonly output_index: number;
  readonly content_index: number;
  readonly delta: string;
}

/** All audio of a part was sent. */
export interface ResponseOutputAudioDone {
  readonly type: 'response.output_audio.done';
  readonly event_id: string;
  readonly response_id: string;
  readonly item_id: string;
  readonly output_index: number;
  readonly content_index: number;
}

/** More of what is spoken; runs ahead of the audio. */
export interface ResponseOutputAudioTranscriptDelta {
  readonly type: 'response.output_audio_transcript.delta';
  readonly event_id: string;
  readonly response_id: string;
  readonly item_id: string;
  readonly output_index: number;
  readonly content_index: number;
  readonly delta: string;
  readonly obfuscation?: string;
}

/** The full transcript of a part. */
export interface ResponseOutputAudioTranscriptDone {
  readonly type: 'response.output_audio_transcript.done';
  readonly event_id: string;
  readonly response_id: string;
  readonly item_id: string;
  readonly output_index: number;
  readonly content_index: number;
  readonly transcript: string;
}

/** A response opened an item. */
export interface ResponseOutputItemAdded {
  readonly type: 'response.output_item.added';
  readonly event_id: string;
  readonly response_id: string;
  readonly output_index: number;
  readonly item: Message | FunctionCall | FunctionCallOutput | McpListTools | McpCall | McpApprovalRequest | McpApprovalResponse;
}

/** A response closed an item. */
export interface ResponseOutputItemDone {
  readonly type: 'response.output_item.done';
  readonly event_id: string;
  readonly response_id: string;
  readonly output_index: number;
  readonly item: Message | FunctionCall | FunctionCallOutput | McpListTools | McpCall | McpApprovalRequest | McpApprovalResponse;
}

/** More text. */
export interface ResponseOutputTextDelta {
  readonly type: 'response.output_text.delta';
  readonly event_id: string;
  readonly response_id: string;
  readonly item_id: string;
  readonly output_index: number;
  readonly content_index: number;
  readonly delta: string;
  readonly obfuscation?: string;
}

/** The full text of a part. */
export interface ResponseOutputTextDone {
  readonly type: 'response.output_text.done';
  readonly event_id: string;
  readonly response_id: string;
  readonly item_id: string;
  readonly output_index: number;
  readonly content_index: number;
  readonly text: string;
}

/** What `response.create` overrides for one response; None (absent or null) is the session's value. */
export interface ResponseParams {
  readonly output_modalities?: readonly ('audio' | 'text')[] | null;
  readonly instructions?: string | null;
  readonly tools?: readonly (FunctionTool | McpTool)[] | null;
  readonly tool_choice?: 'auto' | 'none' | 'required' | ToolChoiceFunction | ToolChoiceMcp | null;
  readonly parallel_tool_calls?: boolean | null;
  readonly reasoning?: Reasoning | null;
  readonly max_output_tokens?: number | 'inf' | null;
  readonly prompt?: Prompt | null;
  readonly audio?: ResponseAudioParams | null;
  readonly conversation?: 'auto' | 'none' | null;
  readonly input?: readonly (Message | FunctionCall | FunctionCallOutput | McpListTools | McpCall | McpApprovalRequest | McpApprovalResponse | ItemReference)[] | null;
  readonly metadata?: Readonly<Record<string, string>> | null;
  readonly vivavoce?: ResponseExtension | null;
}

/** `response.vivavoce` as the server sends it. */
export interface ResponseReport {
  readonly cost: ResponseCost;
}

/** When the context is too long, keep this fraction of the tokens that are allowed. */
export interface RetentionRatio {
  readonly type: 'retention_ratio';
  readonly retention_ratio: number;
  readonly token_limits?: TokenLimits;
}

/** Turn detection by meaning. Numbers of `server_vad` given along with it have no effect and are dropped. */
export interface SemanticVad {
  readonly type: 'semantic_vad';
  readonly eagerness?: 'auto' | 'high' | 'low' | 'medium';
  readonly create_response?: boolean;
  readonly interrupt_response?: boolean;
  readonly threshold?: number | null;
  readonly prefix_padding_ms?: number | null;
  readonly silence_duration_ms?: number | null;
  readonly idle_timeout_ms?: number | null;
}

/** Turn detection by silence. */
export interface ServerVad {
  readonly type: 'server_vad';
  readonly threshold?: number;
  readonly prefix_padding_ms?: number;
  readonly silence_duration_ms?: number;
  readonly idle_timeout_ms?: number | null;
  readonly create_response?: boolean;
  readonly interrupt_response?: boolean;
}

/** The effective `audio`. */
export interface SessionAudio {
  readonly input: AudioInput;
  readonly output: AudioOutput;
}

/** What a session has cost so far, in US dollars by the price list of `prices`. */
export interface SessionCost {
  readonly usd: number;
  readonly usd_per_min: number;
  readonly responses: number;
  readonly cached_share: number;
  readonly budget_usd: number | null;
  readonly spent_usd: number | null;
  readonly prices: string;
  readonly unpriced: readonly string[];
}

/** The first event of a connection. */
export interface SessionCreated {
  readonly type: 'session.created';
  readonly event_id: string;
  readonly session: RealtimeSession | TranscriptionSession;
}

/** `session.vivavoce` as the server echoes it. */
export interface SessionExtension {
  readonly engine?: string;
  readonly stages?: EngineStages;
  readonly ignored: readonly string[];
  readonly events: readonly string[];
  readonly locked: readonly string[];
  readonly pre_roll_ms: number;
  readonly cost?: SessionCost;
}

/** The session object of `session.update`: only what is present changes. */
export interface SessionPatch {
  readonly type: 'realtime' | 'transcription';
  readonly model?: string | null;
  readonly output_modalities?: readonly ('audio' | 'text')[] | null;
  readonly instructions?: string | null;
  readonly tools?: readonly (FunctionTool | McpTool)[] | null;
  readonly tool_choice?: 'auto' | 'none' | 'required' | ToolChoiceFunction | ToolChoiceMcp | null;
  readonly max_output_tokens?: number | 'inf' | null;
  readonly tracing?: 'auto' | Tracing | null;
  readonly truncation?: 'auto' | 'disabled' | RetentionRatio | null;
  readonly prompt?: Prompt | null;
  readonly audio?: AudioPatch | null;
  readonly include?: readonly 'item.input_audio_transcription.logprobs'[] | null;
  readonly parallel_tool_calls?: boolean | null;
  readonly reasoning?: Reasoning | null;
  readonly vivavoce?: ExtensionPatch | null;
}

/** Change the session's configuration. */
export interface SessionUpdate {
  readonly type: 'session.update';
  readonly event_id?: string | null;
  readonly session: SessionPatch;
}

/** The answer to session.update: the whole effective session. */
export interface SessionUpdated {
  readonly type: 'session.updated';
  readonly event_id: string;
  readonly session: RealtimeSession | TranscriptionSession;
}

/** How a response ended; `type` repeats its status. */
export interface StatusDetails {
  readonly type: 'cancelled' | 'failed' | 'incomplete';
  readonly reason?: 'client_cancelled' | 'content_filter' | 'max_output_tokens' | 'turn_detected';
  readonly error?: StatusError;
}

/** Why a response failed; the only report of it. */
export interface StatusError {
  readonly type: string;
  readonly code: string | null;
  readonly message?: string;
}

/** A written content part; not `output_text` as in items. */
export interface TextPart {
  readonly type: 'text';
  readonly text: string;
}

/** The token limits of a retention ratio; counted after instructions and tools. */
export interface TokenLimits {
  readonly post_instructions?: number;
}

/** A transcription that is charged by tokens. */
export interface TokensUsage {
  readonly type: 'tokens';
  readonly input_tokens: number;
  readonly output_tokens: number;
  readonly total_tokens: number;
  readonly input_token_details?: TranscriptTokenDetails;
}

/** The response must call this function. */
export interface ToolChoiceFunction {
  readonly type: 'function';
  readonly name: string;
}

/** The response must call a tool of this MCP server. */
export interface ToolChoiceMcp {
  readonly type: 'mcp';
  readonly server_label: string;
  readonly name?: string | null;
}

/** Labels of the session's trace. */
export interface Tracing {
  readonly workflow_name?: string;
  readonly group_id?: string;
  readonly metadata?: Readonly<Record<string, unknown>>;
}

/** A language that was heard. */
export interface TranscriptLanguage {
  readonly code: string;
}

/** Input tokens of a transcription by kind. */
export interface TranscriptTokenDetails {
  readonly text_tokens: number;
  readonly audio_tokens: number;
}

/** How user audio is transcribed for the client. */
export interface Transcription {
  readonly model: string;
  readonly language?: string | null;
  readonly prompt?: string | null;
  readonly languages?: readonly string[];
  readonly keywords?: readonly string[];
  readonly delay?: 'high' | 'low' | 'medium' | 'minimal' | 'xhigh';
}

/** The effective `audio` of a transcription session. */
export interface TranscriptionAudio {
  readonly input: AudioInput;
}

/** Why a transcription failed. `param` is left out when there is none: a null one confuses clients. */
export interface TranscriptionError {
  readonly type: string;
  readonly code: string | null;
  readonly message: string;
  readonly param?: string;
}

/** The effective transcription session. */
export interface TranscriptionSession {
  readonly type: 'transcription';
  readonly object: 'realtime.transcription_session';
  readonly id: string;
  readonly expires_at: number;
  readonly audio: TranscriptionAudio;
  readonly include: readonly 'item.input_audio_transcription.logprobs'[] | null;
  readonly vivavoce?: SessionExtension;
}

/** Tokens of a response; the total is input plus output. */
export interface Usage {
  readonly total_tokens: number;
  readonly input_tokens: number;
  readonly output_tokens: number;
  readonly input_token_details: InputTokenDetails;
  readonly output_token_details: OutputTokenDetails;
}

/** A custom voice by its id. */
export interface VoiceId {
  readonly id: string;
}

export type ServerEvent =
  | SessionCreated
  | SessionUpdated
  | ErrorEvent
  | ConversationCreated
  | ConversationItemCreated
  | ConversationItemAdded
  | ConversationItemDone
  | ConversationItemDeleted
  | ConversationItemRetrieved
  | ConversationItemTruncated
  | ConversationItemInputAudioTranscriptionDelta
  | ConversationItemInputAudioTranscriptionCompleted
  | ConversationItemInputAudioTranscriptionFailed
  | ConversationItemInputAudioTranscriptionSegment
  | InputAudioBufferCommitted
  | InputAudioBufferCleared
  | InputAudioBufferSpeechStarted
  | InputAudioBufferSpeechStopped
  | InputAudioBufferTimeoutTriggered
  | InputAudioBufferDtmfEventReceived
  | OutputAudioBufferStarted
  | OutputAudioBufferStopped
  | OutputAudioBufferCleared
  | McpListToolsInProgress
  | McpListToolsCompleted
  | McpListToolsFailed
  | RateLimitsUpdated
  | ResponseCreated
  | ResponseDone
  | ResponseOutputItemAdded
  | ResponseOutputItemDone
  | ResponseContentPartAdded
  | ResponseContentPartDone
  | ResponseOutputTextDelta
  | ResponseOutputTextDone
  | ResponseOutputAudioDelta
  | ResponseOutputAudioDone
  | ResponseOutputAudioTranscriptDelta
  | ResponseOutputAudioTranscriptDone
  | ResponseFunctionCallArgumentsDelta
  | ResponseFunctionCallArgumentsDone
  | ResponseMcpCallArgumentsDelta
  | ResponseMcpCallArgumentsDone
  | ResponseMcpCallInProgress
  | ResponseMcpCallCompleted
  | ResponseMcpCallFailed;

export type ClientEvent =
  | SessionUpdate
  | InputAudioBufferAppend
  | InputAudioBufferCommit
  | InputAudioBufferClear
  | ConversationItemCreate
  | ConversationItemRetrieve
  | ConversationItemTruncate
  | ConversationItemDelete
  | ResponseCreate
  | ResponseCancel
  | OutputAudioBufferClear;

export type Item =
  | Message
  | FunctionCall
  | FunctionCallOutput
  | McpListTools
  | McpCall
  | McpApprovalRequest
  | McpApprovalResponse;
