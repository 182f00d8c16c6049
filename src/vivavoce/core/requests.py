"""What the core asks of engines, as plain data: words, context, generation requests; and their failures."""

import enum
from typing import Any, Literal

import msgspec

GenerationEnd = Literal["stop", "max_output_tokens", "content_filter"]

SAMPLE_RATE_HZ = 24_000  # the session's sample clock, whatever the wire format


class Word(msgspec.Struct, frozen=True):
    """A spoken word with its place in the audio it came from.

    `start_ms` and `end_ms` count from the start of that audio (a synthesized segment or an utterance).
    """

    text: str
    start_ms: int
    end_ms: int
    confidence: float | None = None


class SpokenPart(msgspec.Struct, frozen=True):
    """What one speaker said in an utterance; times in ms from the start of its audio."""

    text: str
    speaker: str
    start_ms: int
    end_ms: int


class EngineFault(msgspec.Struct, frozen=True):
    """An engine's failure as data. `code` is an API error code such as `engine_unavailable` or `engine_timeout`."""

    engine: str
    code: str
    message: str
    is_retryable: bool = False


class AudioEncoding(enum.Enum):
    """A wire audio format by its API name; the value is the `type` of the API's format object."""

    PCM = "audio/pcm"  # pcm16le, mono, 24 kHz: 48 bytes per ms
    PCMU = "audio/pcmu"  # G.711 mu-law, mono, 8 kHz: 8 bytes per ms
    PCMA = "audio/pcma"  # G.711 A-law, mono, 8 kHz: 8 bytes per ms


class ContextImage(msgspec.Struct, frozen=True):
    """A picture that the user showed; `data_uri` is base64 PNG or JPEG."""

    data_uri: str
    detail: Literal["auto", "low", "high"] = "auto"

    def __repr__(self) -> str:
        return f"ContextImage({len(self.data_uri)} characters, detail={self.detail!r})"


class ContextMessage(msgspec.Struct, frozen=True, tag="message"):
    """One message of the conversation as the generator sees it.

    `is_cut` tells that the listener interrupted it: `text` holds only what was heard.
    """

    role: str  # "user", "assistant" or "system"
    text: str
    is_cut: bool = False
    images: tuple[ContextImage, ...] = ()


class ContextToolCall(msgspec.Struct, frozen=True, tag="function_call"):
    """A function call that the assistant made; `arguments` is JSON text."""

    call_id: str
    name: str
    arguments: str


class ContextToolOutput(msgspec.Struct, frozen=True, tag="function_call_output"):
    """The result of a function call; None while the call is still open."""

    call_id: str
    output: str | None


ContextItem = ContextMessage | ContextToolCall | ContextToolOutput


class FunctionSpec(msgspec.Struct, frozen=True):
    """A function tool that the generator may call; `parameters` is a JSON Schema object."""

    name: str
    description: str = ""
    parameters: dict[str, Any] = {}  # JSON boundary: a schema of the client's


class GenerationRequest(msgspec.Struct, frozen=True):
    """Everything a generator needs for one response.

    `tool_choice` is "auto", "none", "required" or the name of one function as "function:NAME".
    `elapsed_s` is the age of the session in seconds of the monotonic clock.
    """

    instructions: str
    items: tuple[ContextItem, ...]
    tools: tuple[FunctionSpec, ...] = ()
    tool_choice: str = "auto"
    is_spoken: bool = True
    elapsed_s: float = 0.0
    model: str = ""


class TranscriptOptions(msgspec.Struct, frozen=True):
    """What is known of the speech to transcribe; `number` counts the utterances of its session from 1."""

    number: int = 1
    language: str | None = None  # ISO-639-1
    prompt: str | None = None
    languages: tuple[str, ...] = ()  # candidates, ISO-639-1
    keywords: tuple[str, ...] = ()
    delay: str | None = None  # how long to wait for certainty: "minimal" to "xhigh"
    model: str | None = None  # the session's choice, where the transcriber offers it


class McpServer(msgspec.Struct, frozen=True):
    """A remote MCP server as the client named it; `authorization` and `headers` are secrets and never shown."""

    label: str
    url: str
    authorization: str | None = None  # sent as a bearer token
    headers: tuple[tuple[str, str], ...] = ()

    def __repr__(self) -> str:
        return f"McpServer({self.label!r})"


class SpeechRequest(msgspec.Struct, frozen=True):
    """One piece of text to speak. `speed` is 0.25 to 1.5, 1.0 is the voice's own pace."""

    text: str
    voice: str
    speed: float = 1.0
