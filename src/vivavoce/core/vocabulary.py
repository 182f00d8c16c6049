"""The session's inputs (past tense) and outputs (imperative): all that crosses the sans-I/O core.

Every engine result carries the id of the request it answers; results for ids that are not live are
dropped in the core. Audio is opaque: bytes in a wire encoding and a sample count on the 24 kHz session clock.
"""

import enum

import msgspec

from vivavoce.core.requests import (
    AudioEncoding,
    GenerationEnd,
    GenerationRequest,
    McpServer,
    SpeechRequest,
    SpokenPart,
    TranscriptOptions,
    Word,
)
from vivavoce.core.requests import EngineFault as EngineFault
from vivavoce.protocol.client_events import ClientEvent
from vivavoce.protocol.errors import ErrorDetail
from vivavoce.protocol.items import McpError, McpListedTool
from vivavoce.protocol.server_events import DurationUsage, ServerEvent, TokensUsage
from vivavoce.protocol.session import NoiseReduction, TracingChoice

# Inputs -------------------------------------------------------------------------------------------------------


class Opened(msgspec.Struct, frozen=True):
    """The connection is ready; the first input of every session. `unix_s` is the wall time, for `expires_at`."""

    unix_s: int


class FromClient(msgspec.Struct, frozen=True):
    """The client sent an event."""

    event: ClientEvent


class ClientRejected(msgspec.Struct, frozen=True):
    """The client sent something that could not be read as an event."""

    error: ErrorDetail


class SpeechScored(msgspec.Struct, frozen=True):
    """The detector scored one window; `end_sample` is absolute on the input clock (24 kHz), `probability` in [0, 1]."""

    detection_id: int
    end_sample: int
    probability: float


class DetectionFailed(msgspec.Struct, frozen=True):
    """The detector broke; it hears nothing more until a new `detection_id`."""

    detection_id: int
    fault: EngineFault


class TranscriptRevised(msgspec.Struct, frozen=True):
    """More of an utterance is known. `stable` only ever grows; `text` may rewrite its unstable tail."""

    item_id: str
    stable: str
    text: str


class TranscriptFinalized(msgspec.Struct, frozen=True):
    """The utterance is transcribed; word times count from the start of its audio. `parts` tell speakers apart."""

    item_id: str
    text: str
    words: tuple[Word, ...] = ()
    parts: tuple[SpokenPart, ...] = ()
    usage: TokensUsage | DurationUsage | None = None  # None: the length of the audio


class TranscriptFailed(msgspec.Struct, frozen=True):
    """The transcriber gave up on an utterance."""

    item_id: str
    fault: EngineFault


class TurnScored(msgspec.Struct, frozen=True):
    """The turn scorer heard the utterance up to `end_sample`; `probability` in [0, 1] that the speaker has finished."""

    item_id: str
    end_sample: int
    probability: float


class TextGenerated(msgspec.Struct, frozen=True):
    """The generator wrote more text."""

    response_id: str
    text: str


class ToolCallGenerated(msgspec.Struct, frozen=True):
    """The generator called a function; `arguments` is JSON text exactly as generated."""

    response_id: str
    name: str
    arguments: str


class GenerationFinished(msgspec.Struct, frozen=True):
    """The generator ended a response. Token counts are text tokens of the engine's own tokenizer."""

    response_id: str
    input_tokens: int = 0
    output_tokens: int = 0
    reason: GenerationEnd = "stop"
    cached_tokens: int = 0  # of the input tokens


class GenerationFailed(msgspec.Struct, frozen=True):
    """The generator failed."""

    response_id: str
    fault: EngineFault


class SpeechSynthesized(msgspec.Struct, frozen=True):
    """Audio of a segment, in the encoding its `Speak` asked for; word times count from the start of the segment."""

    response_id: str
    segment: int
    audio: bytes
    samples: int  # on the 24 kHz session clock
    words: tuple[Word, ...] = ()

    def __repr__(self) -> str:
        return f"SpeechSynthesized({self.response_id}, segment={self.segment}, audio={len(self.audio)} bytes)"


class SynthesisFinished(msgspec.Struct, frozen=True):
    """All audio of a segment was delivered."""

    response_id: str
    segment: int


class SynthesisFailed(msgspec.Struct, frozen=True):
    """The synthesizer failed on a segment."""

    response_id: str
    segment: int
    fault: EngineFault


class McpToolsListed(msgspec.Struct, frozen=True):
    """An MCP server told its tools; `item_id` is that of the `mcp_list_tools` item."""

    item_id: str
    tools: tuple[McpListedTool, ...]


class McpListingFailed(msgspec.Struct, frozen=True):
    """An MCP server's tools could not be listed."""

    item_id: str
    error: McpError


class McpCallReturned(msgspec.Struct, frozen=True):
    """An MCP tool returned; `item_id` is that of the `mcp_call` item."""

    item_id: str
    output: str


class McpCallFailed(msgspec.Struct, frozen=True):
    """An MCP tool could not be called, or failed."""

    item_id: str
    error: McpError


class Draining(msgspec.Struct, frozen=True):
    """The server is shutting down: what is being answered or transcribed is finished, then it ends with code 1012.

    `is_final`: the time for that is over; what still runs is cancelled.
    """

    is_final: bool = False


class Disconnected(msgspec.Struct, frozen=True):
    """The client is gone; nothing can be sent any more."""

    code: int | None = None


TranscriptResult = TranscriptRevised | TranscriptFinalized | TranscriptFailed
GenerationResult = TextGenerated | ToolCallGenerated | GenerationFinished | GenerationFailed
SynthesisResult = SpeechSynthesized | SynthesisFinished | SynthesisFailed
McpResult = McpToolsListed | McpListingFailed | McpCallReturned | McpCallFailed
EngineResult = TranscriptResult | GenerationResult | SynthesisResult | TurnScored | McpResult
Input = Opened | FromClient | ClientRejected | SpeechScored | DetectionFailed | EngineResult | Draining | Disconnected


# Outputs ------------------------------------------------------------------------------------------------------


class Send(msgspec.Struct, frozen=True):
    """Send an event to the client."""

    event: ServerEvent


class PlayAudio(msgspec.Struct, frozen=True):
    """Let the client hear audio: an audio delta on WebSocket, a paced track elsewhere."""

    event_id: str
    response_id: str
    item_id: str
    output_index: int
    content_index: int
    audio: bytes  # in the response's output encoding
    samples: int  # on the 24 kHz session clock

    def __repr__(self) -> str:
        return f"PlayAudio({self.item_id}, audio={len(self.audio)} bytes)"


class ClearPlayout(msgspec.Struct, frozen=True):
    """Drop audio that was handed out and not heard yet (a no-op where the client owns playout)."""

    response_id: str


class DetectSpeech(msgspec.Struct, frozen=True):
    """Score audio that starts at `start_sample` of the input clock. A new `detection_id` is a fresh detector."""

    detection_id: int
    start_sample: int
    audio: bytes
    encoding: AudioEncoding

    def __repr__(self) -> str:
        return f"DetectSpeech({self.detection_id}, {self.start_sample}, audio={len(self.audio)} bytes)"


class OpenTranscript(msgspec.Struct, frozen=True):
    """Start to transcribe an utterance."""

    item_id: str
    encoding: AudioEncoding
    options: TranscriptOptions


class FeedTranscript(msgspec.Struct, frozen=True):
    """More audio of an utterance that was opened."""

    item_id: str
    audio: bytes

    def __repr__(self) -> str:
        return f"FeedTranscript({self.item_id}, audio={len(self.audio)} bytes)"


class FinishTranscript(msgspec.Struct, frozen=True):
    """The utterance is over; its final transcript is wanted."""

    item_id: str


class AbortTranscript(msgspec.Struct, frozen=True):
    """The utterance is abandoned; no transcript is wanted."""

    item_id: str


class ScoreTurn(msgspec.Struct, frozen=True):
    """Tell whether the speaker has finished; `audio` is the utterance up to `end_sample`, at most its last 8 s."""

    item_id: str
    end_sample: int
    audio: bytes
    encoding: AudioEncoding

    def __repr__(self) -> str:
        return f"ScoreTurn({self.item_id}, {self.end_sample}, audio={len(self.audio)} bytes)"


class ReduceNoise(msgspec.Struct, frozen=True):
    """From the next append on, remove noise from user audio; None: leave it as it comes."""

    reduction: NoiseReduction | None
    encoding: AudioEncoding


class StartTrace(msgspec.Struct, frozen=True):
    """The client enabled tracing: keep a trace of the session's events under these labels."""

    tracing: TracingChoice


class ListMcpTools(msgspec.Struct, frozen=True):
    """Ask an MCP server for its tools."""

    item_id: str
    server: McpServer


class CallMcpTool(msgspec.Struct, frozen=True):
    """Call a tool of an MCP server; `arguments` is JSON text as it was generated."""

    item_id: str
    server: McpServer
    name: str
    arguments: str


class CancelMcp(msgspec.Struct, frozen=True):
    """The listing or call of this item is wanted no more; idempotent."""

    item_id: str


class Generate(msgspec.Struct, frozen=True):
    """Write a response. `is_background`: out of band, so the main response's work goes first."""

    response_id: str
    request: GenerationRequest
    is_background: bool = False


class CancelGeneration(msgspec.Struct, frozen=True):
    """Stop writing a response; idempotent."""

    response_id: str


class Speak(msgspec.Struct, frozen=True):
    """Speak one segment; segments of a response are spoken one after the other in order of `segment`."""

    response_id: str
    segment: int
    speech: SpeechRequest
    encoding: AudioEncoding
    is_background: bool = False


class CancelSpeaking(msgspec.Struct, frozen=True):
    """The response needs its voice no more: drop the segments that are not spoken; idempotent."""

    response_id: str


class Close(msgspec.Struct, frozen=True):
    """End the connection."""

    code: int
    reason: str


TranscriptOutput = OpenTranscript | FeedTranscript | FinishTranscript | AbortTranscript
ResponseOutput = Generate | CancelGeneration | Speak | CancelSpeaking
McpOutput = ListMcpTools | CallMcpTool | CancelMcp
HearingOutput = DetectSpeech | ScoreTurn | ReduceNoise
Output = (
    Send | PlayAudio | ClearPlayout | HearingOutput | TranscriptOutput | ResponseOutput | McpOutput | StartTrace | Close
)


class DeadlineReason(enum.Enum):
    """Why the session wants to be woken."""

    SESSION_EXPIRY = "session_expiry"
    TRANSCRIPT_WAIT = "transcript_wait"  # the automatic response has waited long enough for the final transcript
    TRANSCRIPT_TIMEOUT = "transcript_timeout"  # the transcriber never answered
    MCP_LISTING_WAIT = "mcp_listing_wait"  # responses have waited long enough for the tools of an MCP server
    TRANSLATION_TIMEOUT = "translation_timeout"  # the translator never gave the rest
    UPSTREAM_RETRY = "upstream_retry"  # a lost upstream is dialled again
    UPSTREAM_TIMEOUT = "upstream_timeout"  # the upstream never opened a session
    UPSTREAM_ROLLOVER = "upstream_rollover"  # the upstream is replaced before it ends its session


class Deadline(msgspec.Struct, frozen=True):
    """When (monotonic seconds) and why `handle_timer` must be called."""

    at: float
    reason: DeadlineReason
