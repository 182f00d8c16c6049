"""The interfaces behind which every engine stands. One adapter per file; engines know nothing of sessions.

All `deliver` callbacks are called on the event loop's thread. `start` loads and warms up, may be called once,
and returns only when the engine can answer; `close` releases everything and may be called twice.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from typing import Literal, Protocol

import msgspec

from vivavoce.core.requests import (
    GenerationEnd,
    GenerationRequest,
    McpServer,
    SpeechRequest,
    SpokenPart,
    TranscriptOptions,
    Word,
)
from vivavoce.protocol.items import McpError, McpListedTool
from vivavoce.protocol.server_events import DurationUsage, TokensUsage

DETECTOR_RATE_HZ = 16_000
DETECTOR_WINDOW_SAMPLES = 512  # 32 ms at 16 kHz
TRANSCRIBER_RATE_HZ = 16_000
SPEECH_RATE_HZ = 24_000


class EngineError(Exception):
    """A dependency failed. `code` is an API error code: `engine_unavailable`, `engine_timeout` or `server_error`."""

    def __init__(
        self, engine: str, message: str, *, code: str = "engine_unavailable", is_retryable: bool = False
    ) -> None:
        super().__init__(message)
        self.engine = engine
        self.code = code
        self.is_retryable = is_retryable


class Capabilities(msgspec.Struct, frozen=True):
    """What an engine can do, as data."""

    name: str  # as configured and shown, for example "silero"
    is_verbatim: bool = False  # keeps fillers such as "um"
    has_word_times: bool = False
    has_confidence: bool = False  # a transcriber that tells how sure it is of each word
    hints: tuple[str, ...] = ()  # what a transcriber takes besides language and prompt: languages, keywords, delay
    ignores: tuple[str, ...] = ()  # session fields, by path, that most of its kind make something of, and it does not
    models: tuple[str, ...] = ()  # a transcriber's models that a session may choose; empty: it hears with its own
    is_streaming: bool = False
    languages: tuple[str, ...] = ()  # ISO-639-1; empty: any
    voices: tuple[str, ...] = ()
    sees_images: bool = False  # a generator that takes the images of a message
    context_tokens: int | None = None  # input tokens that a generator takes at most; None: as configured
    note: str = ""  # one sentence for the user on its limits


class Engine(Protocol):
    """What all engines share."""

    @property
    def capabilities(self) -> Capabilities: ...

    async def start(self) -> None: ...

    async def close(self) -> None: ...


class DetectorStream(Protocol):
    """One session's detector. Audio is pcm16le, mono, 16 kHz, any length; windows of 512 samples, in order."""

    @property
    def pending_ms(self) -> float:
        """Audio that was fed and not scored; the runtime stops reading above its bound."""
        ...

    def feed(self, pcm: bytes) -> None: ...

    def close(self) -> None: ...


class Detector(Engine, Protocol):
    """Tells speech from silence."""

    def open(self, deliver: Callable[[Sequence[float]], None]) -> DetectorStream:
        """Open a fresh stream; `deliver` gets the probabilities of consecutive windows, each exactly once, in order."""
        ...


class Partial(msgspec.Struct, frozen=True):
    """A transcript in progress; `stable` is a prefix that will not be rewritten and only grows."""

    stable: str
    text: str


class Final(msgspec.Struct, frozen=True):
    """A finished transcript; word times in ms from the first sample fed. `parts` tell who said what, if known."""

    text: str
    words: tuple[Word, ...] = ()
    parts: tuple[SpokenPart, ...] = ()
    usage: TokensUsage | DurationUsage | None = None  # what a server says that it has counted


class TranscriberStream(Protocol):
    """One utterance. Audio is pcm16le, mono, 16 kHz. After `finish` exactly one Final or EngineError is delivered;
    after `abort` nothing."""

    @property
    def pending_ms(self) -> float:
        """Audio that was fed and not decoded."""
        ...

    def feed(self, pcm: bytes) -> None: ...

    def finish(self) -> None: ...

    def abort(self) -> None: ...


class Transcriber(Engine, Protocol):
    """Turns speech into text."""

    def open(
        self, options: TranscriptOptions, deliver: Callable[[Partial | Final | EngineError], None]
    ) -> TranscriberStream: ...


class TextDelta(msgspec.Struct, frozen=True):
    """More text of the answer."""

    text: str


class ToolCall(msgspec.Struct, frozen=True):
    """A function call; `arguments` is JSON text."""

    name: str
    arguments: str


class Finished(msgspec.Struct, frozen=True):
    """The end of a generation; always the last event."""

    input_tokens: int = 0
    output_tokens: int = 0
    reason: GenerationEnd = "stop"
    cached_tokens: int = 0  # of the input tokens


class Generator(Engine, Protocol):
    """Writes the assistant's answers."""

    def generate(self, request: GenerationRequest) -> AsyncIterator[TextDelta | ToolCall | Finished]:
        """Yield the answer; cancelling the consuming task stops it. Raises EngineError."""
        ...


class SpeechChunk(msgspec.Struct, frozen=True):
    """A piece of speech: pcm16le, mono, 24 kHz.

    `words` are those that start in this piece, their times in ms from the start of the request.
    """

    pcm: bytes
    words: tuple[Word, ...] = ()

    def __repr__(self) -> str:
        return f"SpeechChunk(pcm={len(self.pcm)} bytes, words={len(self.words)})"


class Synthesizer(Engine, Protocol):
    """Speaks text."""

    def synthesize(self, request: SpeechRequest) -> AsyncIterator[SpeechChunk]:
        """Yield the speech as it is made; cancelling the consuming task stops it. Raises EngineError."""
        ...


class TurnScorer(Engine, Protocol):
    """Tells by the sound of an utterance whether its speaker has finished."""

    async def score(self, pcm: bytes) -> float:
        """Return the probability in [0, 1] that the turn is complete; pcm16le, mono, 16 kHz, at most 8 s.

        Raises EngineError.
        """
        ...


class NoiseReducerStream(Protocol):
    """One session's noise reduction. Called on the loop's thread with little audio at a time."""

    def process(self, pcm: bytes) -> bytes:
        """Return cleaned audio, in order; may withhold less than `withheld_ms`. pcm16le, mono, at the opened rate."""
        ...

    def flush(self) -> bytes:
        """Return what is withheld: as many samples have then come out as went in."""
        ...

    def close(self) -> None: ...


class NoiseReducer(Engine, Protocol):
    """Removes noise from user audio before anyone hears it."""

    def open(self, kind: Literal["near_field", "far_field"], strength: float, rate_hz: int) -> NoiseReducerStream:
        """Open a fresh stream for audio at `rate_hz` (24,000 or 8,000); `strength` in [0, 1], 0 changes nothing."""
        ...


class McpFailure(Exception):
    """A remote MCP server failed, as data for the item that asked."""

    def __init__(self, error: McpError) -> None:
        super().__init__(error.message)
        self.error = error


class McpConnector(Engine, Protocol):
    """Reaches remote MCP servers. Cancelling the awaiting task ends the connection."""

    async def list_tools(self, server: McpServer) -> tuple[McpListedTool, ...]:
        """Return the tools of a server. Raises McpFailure."""
        ...

    async def call_tool(self, server: McpServer, name: str, arguments: str) -> str:
        """Call a tool with JSON text and return its output as text. Raises McpFailure."""
        ...


class TranslationOptions(msgspec.Struct, frozen=True):
    """What a translator is asked for: the target language, and whether the source's words are wanted too."""

    language: str
    wants_source: bool = False


class SourceText(msgspec.Struct, frozen=True):
    """More of what was said; never rewritten. `elapsed_ms` is the place in the input that it belongs to."""

    text: str
    elapsed_ms: int | None = None


class TranslatedText(msgspec.Struct, frozen=True):
    """More of the translation; never rewritten."""

    text: str
    elapsed_ms: int | None = None


class TranslatedSpeech(msgspec.Struct, frozen=True):
    """More of the spoken translation: pcm16le, mono, 24 kHz."""

    pcm: bytes
    elapsed_ms: int | None = None

    def __repr__(self) -> str:
        return f"TranslatedSpeech(pcm={len(self.pcm)} bytes)"


class TranslationEnded(msgspec.Struct, frozen=True):
    """All that was fed before `finish` has been delivered."""


Translation = SourceText | TranslatedText | TranslatedSpeech | TranslationEnded


class TranslatorStream(Protocol):
    """One continuous translation of pcm16le, mono, 24 kHz. After `finish` comes one TranslationEnded or error."""

    @property
    def pending_ms(self) -> float: ...

    def feed(self, pcm: bytes) -> None: ...

    def change(self, options: TranslationOptions) -> None:
        """Take other options for what is fed from here on."""
        ...

    def finish(self) -> None: ...

    def abort(self) -> None: ...


class Translator(Engine, Protocol):
    """Translates speech into speech while it is spoken."""

    def open(
        self, options: TranslationOptions, deliver: Callable[[Translation | EngineError], None]
    ) -> TranslatorStream: ...
