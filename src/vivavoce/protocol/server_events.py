"""The events that the server sends in the GA API, one struct per wire name; those about responses are re-exported.

Only a session makes these. Times in ms count audio of the input buffer since the session began.
"""

from typing import Literal

import msgspec
from msgspec import UNSET, UnsetType

from vivavoce.protocol.errors import ErrorDetail
from vivavoce.protocol.items import Item
from vivavoce.protocol.response_events import (
    AudioPart,
    ResponseContentPartAdded,
    ResponseContentPartDone,
    ResponseCreated,
    ResponseDone,
    ResponseEvent,
    ResponseFunctionCallArgumentsDelta,
    ResponseFunctionCallArgumentsDone,
    ResponseMcpCallArgumentsDelta,
    ResponseMcpCallArgumentsDone,
    ResponseMcpCallCompleted,
    ResponseMcpCallFailed,
    ResponseMcpCallInProgress,
    ResponseOutputAudioDelta,
    ResponseOutputAudioDone,
    ResponseOutputAudioTranscriptDelta,
    ResponseOutputAudioTranscriptDone,
    ResponseOutputItemAdded,
    ResponseOutputItemDone,
    ResponseOutputTextDelta,
    ResponseOutputTextDone,
    ServerEventBase,
    TextPart,
)
from vivavoce.protocol.session import RealtimeSession, TranscriptionSession


class _ItemEvent(ServerEventBase, frozen=True, kw_only=True):
    """An item takes its place after `previous_item_id`; null is the first place."""

    previous_item_id: str | None
    item: Item


class Conversation(msgspec.Struct, frozen=True, kw_only=True):
    """The default conversation."""

    id: str
    object: Literal["realtime.conversation"] = "realtime.conversation"


class TranscriptTokenDetails(msgspec.Struct, frozen=True, kw_only=True):
    """Input tokens of a transcription by kind."""

    text_tokens: int
    audio_tokens: int


class TokensUsage(msgspec.Struct, frozen=True, kw_only=True, tag="tokens"):
    """A transcription that is charged by tokens."""

    input_tokens: int
    output_tokens: int
    total_tokens: int
    input_token_details: TranscriptTokenDetails | UnsetType = UNSET


class DurationUsage(msgspec.Struct, frozen=True, kw_only=True, tag="duration"):
    """A transcription that is charged by the length of its audio."""

    seconds: float


class TranscriptionError(msgspec.Struct, frozen=True, kw_only=True):
    """Why a transcription failed. `param` is left out when there is none: a null one confuses clients."""

    type: str = "server_error"
    code: str | None = None
    message: str
    param: str | UnsetType = UNSET


class LogProb(msgspec.Struct, frozen=True, kw_only=True):
    """A transcribed token with its log probability."""

    token: str
    logprob: float
    bytes: tuple[int, ...]


class TranscriptLanguage(msgspec.Struct, frozen=True, kw_only=True):
    """A language that was heard."""

    code: str


class RateLimit(msgspec.Struct, frozen=True, kw_only=True):
    """One limit and what is left of it."""

    name: Literal["requests", "tokens"]
    limit: int
    remaining: int
    reset_seconds: float


class SessionCreated(ServerEventBase, frozen=True, kw_only=True, tag="session.created"):
    """The first event of a connection."""

    session: RealtimeSession | TranscriptionSession


class SessionUpdated(ServerEventBase, frozen=True, kw_only=True, tag="session.updated"):
    """The answer to session.update: the whole effective session."""

    session: RealtimeSession | TranscriptionSession


class ErrorEvent(ServerEventBase, frozen=True, kw_only=True, tag="error"):
    """A client's mistake, or our own failure."""

    error: ErrorDetail


class ConversationCreated(ServerEventBase, frozen=True, kw_only=True, tag="conversation.created"):
    """The default conversation; beta only."""

    conversation: Conversation


class ConversationItemCreated(_ItemEvent, frozen=True, kw_only=True, tag="conversation.item.created"):
    """An item entered the conversation; beta only."""


class ConversationItemAdded(_ItemEvent, frozen=True, kw_only=True, tag="conversation.item.added"):
    """An item entered the conversation."""


class ConversationItemDone(_ItemEvent, frozen=True, kw_only=True, tag="conversation.item.done"):
    """An item is complete."""


class ConversationItemDeleted(ServerEventBase, frozen=True, kw_only=True, tag="conversation.item.deleted"):
    """An item was removed."""

    item_id: str


class ConversationItemRetrieved(ServerEventBase, frozen=True, kw_only=True, tag="conversation.item.retrieved"):
    """An item with its audio."""

    item: Item


class ConversationItemTruncated(ServerEventBase, frozen=True, kw_only=True, tag="conversation.item.truncated"):
    """An assistant item was cut to `audio_end_ms` of its audio."""

    item_id: str
    content_index: int
    audio_end_ms: int


class ConversationItemInputAudioTranscriptionDelta(
    ServerEventBase, frozen=True, kw_only=True, tag="conversation.item.input_audio_transcription.delta"
):
    """More of a transcript."""

    item_id: str
    content_index: int
    delta: str
    logprobs: tuple[LogProb, ...] | None | UnsetType = UNSET
    obfuscation: str | UnsetType = UNSET


class ConversationItemInputAudioTranscriptionCompleted(
    ServerEventBase, frozen=True, kw_only=True, tag="conversation.item.input_audio_transcription.completed"
):
    """The transcript of user audio; replaces its deltas."""

    item_id: str
    content_index: int
    transcript: str
    usage: TokensUsage | DurationUsage
    logprobs: tuple[LogProb, ...] | None | UnsetType = UNSET
    languages: tuple[TranscriptLanguage, ...] | UnsetType = UNSET


class ConversationItemInputAudioTranscriptionFailed(
    ServerEventBase, frozen=True, kw_only=True, tag="conversation.item.input_audio_transcription.failed"
):
    """The transcription of user audio failed; the session goes on."""

    item_id: str
    content_index: int
    error: TranscriptionError


class ConversationItemInputAudioTranscriptionSegment(
    ServerEventBase, frozen=True, kw_only=True, tag="conversation.item.input_audio_transcription.segment"
):
    """A piece of a transcript with its speaker; times in seconds."""

    item_id: str
    content_index: int
    id: str
    text: str
    speaker: str
    start: float
    end: float


class InputAudioBufferCommitted(ServerEventBase, frozen=True, kw_only=True, tag="input_audio_buffer.committed"):
    """The buffered audio becomes the user item `item_id`."""

    previous_item_id: str | None
    item_id: str


class InputAudioBufferCleared(ServerEventBase, frozen=True, kw_only=True, tag="input_audio_buffer.cleared"):
    """The buffered audio was dropped."""


class InputAudioBufferSpeechStarted(
    ServerEventBase, frozen=True, kw_only=True, tag="input_audio_buffer.speech_started"
):
    """Speech began; `audio_start_ms` includes the prefix padding."""

    audio_start_ms: int
    item_id: str


class InputAudioBufferSpeechStopped(
    ServerEventBase, frozen=True, kw_only=True, tag="input_audio_buffer.speech_stopped"
):
    """Speech ended; `audio_end_ms` includes the silence that showed it."""

    audio_end_ms: int
    item_id: str


class InputAudioBufferTimeoutTriggered(
    ServerEventBase, frozen=True, kw_only=True, tag="input_audio_buffer.timeout_triggered"
):
    """Nobody spoke for the idle timeout."""

    audio_start_ms: int
    audio_end_ms: int
    item_id: str


class InputAudioBufferDtmfEventReceived(
    ServerEventBase, frozen=True, kw_only=True, tag="input_audio_buffer.dtmf_event_received"
):
    """A telephone key; `received_at` in unix seconds."""

    event: str
    received_at: int


class OutputAudioBufferStarted(ServerEventBase, frozen=True, kw_only=True, tag="output_audio_buffer.started"):
    """A response began to play."""

    response_id: str


class OutputAudioBufferStopped(ServerEventBase, frozen=True, kw_only=True, tag="output_audio_buffer.stopped"):
    """A response was played out."""

    response_id: str


class OutputAudioBufferCleared(ServerEventBase, frozen=True, kw_only=True, tag="output_audio_buffer.cleared"):
    """The rest of a response will not be played."""

    response_id: str


class McpListToolsInProgress(ServerEventBase, frozen=True, kw_only=True, tag="mcp_list_tools.in_progress"):
    """The tools of an MCP server are being listed."""

    item_id: str


class McpListToolsCompleted(ServerEventBase, frozen=True, kw_only=True, tag="mcp_list_tools.completed"):
    """The tools of an MCP server were listed."""

    item_id: str


class McpListToolsFailed(ServerEventBase, frozen=True, kw_only=True, tag="mcp_list_tools.failed"):
    """The tools of an MCP server could not be listed."""

    item_id: str


class RateLimitsUpdated(ServerEventBase, frozen=True, kw_only=True, tag="rate_limits.updated"):
    """What is left of the limits."""

    rate_limits: tuple[RateLimit, ...]


ServerEvent = (
    SessionCreated
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
    | ResponseEvent
)

__all__ = [
    "AudioPart",
    "Conversation",
    "ConversationCreated",
    "ConversationItemAdded",
    "ConversationItemCreated",
    "ConversationItemDeleted",
    "ConversationItemDone",
    "ConversationItemInputAudioTranscriptionCompleted",
    "ConversationItemInputAudioTranscriptionDelta",
    "ConversationItemInputAudioTranscriptionFailed",
    "ConversationItemInputAudioTranscriptionSegment",
    "ConversationItemRetrieved",
    "ConversationItemTruncated",
    "DurationUsage",
    "ErrorEvent",
    "InputAudioBufferCleared",
    "InputAudioBufferCommitted",
    "InputAudioBufferDtmfEventReceived",
    "InputAudioBufferSpeechStarted",
    "InputAudioBufferSpeechStopped",
    "InputAudioBufferTimeoutTriggered",
    "LogProb",
    "McpListToolsCompleted",
    "McpListToolsFailed",
    "McpListToolsInProgress",
    "OutputAudioBufferCleared",
    "OutputAudioBufferStarted",
    "OutputAudioBufferStopped",
    "RateLimit",
    "RateLimitsUpdated",
    "ResponseContentPartAdded",
    "ResponseContentPartDone",
    "ResponseCreated",
    "ResponseDone",
    "ResponseFunctionCallArgumentsDelta",
    "ResponseFunctionCallArgumentsDone",
    "ResponseMcpCallArgumentsDelta",
    "ResponseMcpCallArgumentsDone",
    "ResponseMcpCallCompleted",
    "ResponseMcpCallFailed",
    "ResponseMcpCallInProgress",
    "ResponseOutputAudioDelta",
    "ResponseOutputAudioDone",
    "ResponseOutputAudioTranscriptDelta",
    "ResponseOutputAudioTranscriptDone",
    "ResponseOutputItemAdded",
    "ResponseOutputItemDone",
    "ResponseOutputTextDelta",
    "ResponseOutputTextDone",
    "ServerEvent",
    "SessionCreated",
    "SessionUpdated",
    "TextPart",
    "TokensUsage",
    "TranscriptLanguage",
    "TranscriptTokenDetails",
    "TranscriptionError",
]
