"""Session objects: what a client may send (`SessionPatch`) and the effective session that is echoed.

Field order follows the recorded `session.created` of the hosted service. In a patch `None` means absent;
fields that can be cleared with null are `UNSET` when absent.
"""

from typing import Annotated, Any, Final, Literal, TypeVar

import msgspec
from msgspec import UNSET, Meta, UnsetType

from vivavoce.protocol.errors import ClientError
from vivavoce.protocol.extensions import ExtensionPatch, SessionCost, SessionExtension
from vivavoce.protocol.tools import FunctionTool as FunctionTool
from vivavoce.protocol.tools import McpTool as McpTool
from vivavoce.protocol.tools import Tool, ToolChoice, Tools
from vivavoce.protocol.tools import ToolChoiceFunction as ToolChoiceFunction
from vivavoce.protocol.tools import ToolChoiceMcp as ToolChoiceMcp

_T = TypeVar("_T")

VOICES: Final = ("alloy", "ash", "ballad", "coral", "echo", "sage", "shimmer", "verse", "marin", "cedar")
MAX_INTEGER: Final = 2**31 - 1  # for integers whose range has no documented end

# Formats ------------------------------------------------------------------------------------------------------


class PcmFormat(msgspec.Struct, frozen=True, tag="audio/pcm", forbid_unknown_fields=True):
    """pcm16le, mono, 24 kHz: 48 bytes per ms."""

    rate: Literal[24000] = 24000


class PcmuFormat(msgspec.Struct, frozen=True, tag="audio/pcmu", forbid_unknown_fields=True):
    """G.711 mu-law, mono, 8 kHz: 8 bytes per ms."""


class PcmaFormat(msgspec.Struct, frozen=True, tag="audio/pcma", forbid_unknown_fields=True):
    """G.711 A-law, mono, 8 kHz: 8 bytes per ms."""


AudioFormat = PcmFormat | PcmuFormat | PcmaFormat
BetaFormatName = Literal["pcm16", "g711_ulaw", "g711_alaw"]
BETA_FORMATS: Final[dict[BetaFormatName, AudioFormat]] = {
    "pcm16": PcmFormat(),
    "g711_ulaw": PcmuFormat(),
    "g711_alaw": PcmaFormat(),
}

# Audio input and output ---------------------------------------------------------------------------------------


class ServerVad(msgspec.Struct, frozen=True, kw_only=True, tag="server_vad", forbid_unknown_fields=True):
    """Turn detection by silence."""

    threshold: Annotated[float, Meta(ge=0, le=1)] = 0.5
    prefix_padding_ms: Annotated[int, Meta(ge=0, le=MAX_INTEGER)] = 300
    silence_duration_ms: Annotated[int, Meta(ge=0, le=MAX_INTEGER)] = 500
    idle_timeout_ms: Annotated[int, Meta(ge=5000, le=30000)] | None = None
    create_response: bool = True
    interrupt_response: bool = True


class SemanticVad(msgspec.Struct, frozen=True, kw_only=True, tag="semantic_vad", forbid_unknown_fields=True):
    """Turn detection by meaning. Numbers of `server_vad` given along with it have no effect and are dropped."""

    eagerness: Literal["low", "medium", "high", "auto"] = "auto"
    create_response: bool = True
    interrupt_response: bool = True
    threshold: float | None | UnsetType = UNSET
    prefix_padding_ms: int | None | UnsetType = UNSET
    silence_duration_ms: int | None | UnsetType = UNSET
    idle_timeout_ms: int | None | UnsetType = UNSET

    def __post_init__(self) -> None:
        for name in ("threshold", "prefix_padding_ms", "silence_duration_ms", "idle_timeout_ms"):
            msgspec.structs.force_setattr(self, name, UNSET)


TurnDetection = ServerVad | SemanticVad


class Transcription(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How user audio is transcribed for the client."""

    model: Annotated[str, Meta(min_length=1)]
    language: str | None = None
    prompt: str | None = None
    languages: Annotated[tuple[str, ...], Meta(min_length=1)] | UnsetType = UNSET
    keywords: tuple[str, ...] | UnsetType = UNSET
    delay: Literal["minimal", "low", "medium", "high", "xhigh"] | UnsetType = UNSET


class NoiseReduction(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How noise is removed from user audio."""

    type: Literal["near_field", "far_field"]
    strength: Annotated[float, Meta(ge=0, le=1)] | UnsetType = UNSET


class AudioInput(msgspec.Struct, frozen=True, kw_only=True):
    """The effective `audio.input`."""

    format: AudioFormat = PcmFormat()
    transcription: Transcription | None = None
    noise_reduction: NoiseReduction | None = None
    turn_detection: TurnDetection | None = ServerVad()


class AudioOutput(msgspec.Struct, frozen=True, kw_only=True):
    """The effective `audio.output`; `speed` is 0.25 to 1.5."""

    format: AudioFormat = PcmFormat()
    voice: str
    speed: float = 1.0


class SessionAudio(msgspec.Struct, frozen=True, kw_only=True):
    """The effective `audio`."""

    input: AudioInput
    output: AudioOutput


# Other fields -------------------------------------------------------------------------------------------------


class TokenLimits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The token limits of a retention ratio; counted after instructions and tools."""

    post_instructions: Annotated[int, Meta(ge=0, le=MAX_INTEGER)] | UnsetType = UNSET


class RetentionRatio(msgspec.Struct, frozen=True, kw_only=True, tag="retention_ratio", forbid_unknown_fields=True):
    """When the context is too long, keep this fraction of the tokens that are allowed."""

    retention_ratio: Annotated[float, Meta(ge=0, le=1)]
    token_limits: TokenLimits | UnsetType = UNSET


class Reasoning(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How much a reasoning model thinks."""

    effort: Literal["minimal", "low", "medium", "high", "xhigh"] | UnsetType = UNSET


class Tracing(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Labels of the session's trace."""

    workflow_name: str | UnsetType = UNSET
    group_id: str | UnsetType = UNSET
    metadata: dict[str, Any] | UnsetType = UNSET  # JSON boundary: the client's own labels


class PromptText(msgspec.Struct, frozen=True, kw_only=True, tag="input_text", forbid_unknown_fields=True):
    """The value of a prompt's variable, spelled out."""

    text: str


class Prompt(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A stored prompt by its id; `variables` take the places that its text names."""

    id: Annotated[str, Meta(min_length=1)]
    version: str | None = None
    variables: dict[str, str | PromptText] | None = None


class VoiceId(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A custom voice by its id."""

    id: str


Modality = Literal["text", "audio"]
MaxOutputTokens = Annotated[int, Meta(ge=1, le=4096)] | Literal["inf"]
Truncation = Literal["auto", "disabled"] | RetentionRatio
Include = tuple[Literal["item.input_audio_transcription.logprobs"], ...]
TracingChoice = Literal["auto"] | Tracing

# Effective sessions -------------------------------------------------------------------------------------------


class RealtimeSession(msgspec.Struct, frozen=True, kw_only=True, tag="realtime"):
    """The effective conversation session, echoed in full by `session.created` and `session.updated`."""

    object: Literal["realtime.session"] = "realtime.session"
    id: str
    model: str
    output_modalities: tuple[Modality, ...] = ("audio",)
    instructions: str
    tools: tuple[Tool, ...] = ()
    tool_choice: ToolChoice = "auto"
    max_output_tokens: MaxOutputTokens = "inf"
    tracing: TracingChoice | None = None
    truncation: Truncation = "auto"
    prompt: Prompt | None = None
    expires_at: int  # unix seconds, 0 before the session starts
    audio: SessionAudio
    include: Include | None = None
    parallel_tool_calls: bool | UnsetType = UNSET
    reasoning: Reasoning | UnsetType = UNSET
    vivavoce: SessionExtension | UnsetType = UNSET


class TranscriptionAudio(msgspec.Struct, frozen=True, kw_only=True):
    """The effective `audio` of a transcription session."""

    input: AudioInput


class TranscriptionSession(msgspec.Struct, frozen=True, kw_only=True, tag="transcription"):
    """The effective transcription session."""

    object: Literal["realtime.transcription_session"] = "realtime.transcription_session"
    id: str
    expires_at: int  # unix seconds, 0 before the session starts
    audio: TranscriptionAudio
    include: Include | None = None
    vivavoce: SessionExtension | UnsetType = UNSET


def default_session(*, id: str, model: str, voice: str, expires_at: int, instructions: str) -> RealtimeSession:
    """Return the session that a client gets when it asks for nothing."""
    audio = SessionAudio(input=AudioInput(), output=AudioOutput(voice=voice))
    return RealtimeSession(id=id, model=model, instructions=instructions, expires_at=expires_at, audio=audio)


# Updates ------------------------------------------------------------------------------------------------------


class AudioInputPatch(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`session.audio.input` as a client sends it."""

    format: AudioFormat | BetaFormatName | None = None
    transcription: Transcription | None | UnsetType = UNSET
    noise_reduction: NoiseReduction | None | UnsetType = UNSET
    turn_detection: TurnDetection | None | UnsetType = UNSET


class AudioOutputPatch(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`session.audio.output` as a client sends it."""

    format: AudioFormat | BetaFormatName | None = None
    voice: str | VoiceId | None = None
    speed: Annotated[float, Meta(ge=0.25, le=1.5)] | None = None


class AudioPatch(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`session.audio` as a client sends it."""

    input: AudioInputPatch | None = None
    output: AudioOutputPatch | None = None


class SessionPatch(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The session object of `session.update`: only what is present changes."""

    type: Literal["realtime", "transcription"]
    model: str | None = None
    output_modalities: tuple[Modality, ...] | None = None
    instructions: str | None = None
    tools: Tools | None = None
    tool_choice: ToolChoice | None = None
    max_output_tokens: MaxOutputTokens | None = None
    tracing: TracingChoice | None | UnsetType = UNSET
    truncation: Truncation | None = None
    prompt: Prompt | None = None
    audio: AudioPatch | None = None
    include: Include | None = None
    parallel_tool_calls: bool | None = None
    reasoning: Reasoning | None = None
    vivavoce: ExtensionPatch | None = None


# Fields that an update replaces as a whole; None leaves them.
_REPLACED: Final = (
    "output_modalities",
    "instructions",
    "tools",
    "tool_choice",
    "max_output_tokens",
    "truncation",
    "prompt",
    "include",
    "parallel_tool_calls",
    "reasoning",
)


def merge(session: RealtimeSession, update: SessionPatch) -> RealtimeSession:
    """Return the session with the update applied; an update is all or nothing.

    `audio`, `audio.input` and `audio.output` merge key by key, every other field is replaced as a whole.
    A different `model` is not an error and has no effect. The caller guards the voice once audio was produced.

    Raises:
        ClientError: the update changes tracing that is enabled.

    Follows the Realtime API reference, session.update.
    """
    changes = {name: getattr(update, name) for name in _REPLACED if getattr(update, name) is not None}
    merged = msgspec.structs.replace(
        session,
        **changes,
        tracing=_merged_tracing(session.tracing, update.tracing),
        audio=session.audio if update.audio is None else _merged_audio(session.audio, update.audio),
    )
    return msgspec.structs.replace(merged, vivavoce=_merged_extension(merged, update.vivavoce))


def _merged_tracing(current: TracingChoice | None, given: TracingChoice | None | UnsetType) -> TracingChoice | None:
    # Null is what SDKs send for an unset field, so it leaves tracing that is enabled instead of failing.
    if isinstance(given, UnsetType) or given is None or given == current:
        return current
    if current is not None:
        text = "Tracing is enabled for this session and its configuration cannot be changed."
        raise ClientError("invalid_value", text, "session.tracing")
    return given


def _merged_audio(current: SessionAudio, given: AudioPatch) -> SessionAudio:
    input_ = current.input if given.input is None else _merged_input(current.input, given.input)
    output = current.output if given.output is None else _merged_output(current.output, given.output)
    return SessionAudio(input=input_, output=output)


def _merged_input(current: AudioInput, given: AudioInputPatch) -> AudioInput:
    return AudioInput(
        format=_merged_format(current.format, given.format),
        transcription=_or(given.transcription, current.transcription),
        noise_reduction=_merged_noise_reduction(current.noise_reduction, given.noise_reduction),
        turn_detection=_or(given.turn_detection, current.turn_detection),
    )


def _merged_output(current: AudioOutput, given: AudioOutputPatch) -> AudioOutput:
    return AudioOutput(
        format=_merged_format(current.format, given.format),
        voice=given.voice if isinstance(given.voice, str) else current.voice,
        speed=current.speed if given.speed is None else given.speed,
    )


def _or(given: _T | UnsetType, current: _T) -> _T:
    return current if isinstance(given, UnsetType) else given


def _merged_format(current: AudioFormat, given: AudioFormat | BetaFormatName | None) -> AudioFormat:
    if given is None:
        return current
    return BETA_FORMATS[given] if isinstance(given, str) else given


def _merged_noise_reduction(
    current: NoiseReduction | None, given: NoiseReduction | None | UnsetType
) -> NoiseReduction | None:
    """An omitted strength keeps its value, unlike the members of the other fields."""
    if isinstance(given, UnsetType):
        return current
    if given is None or given.strength is not UNSET:
        return given
    strength = 1.0 if current is None or isinstance(current.strength, UnsetType) else current.strength
    return NoiseReduction(type=given.type, strength=strength)


def _merged_extension(session: RealtimeSession, given: ExtensionPatch | None) -> SessionExtension | UnsetType:
    current = SessionExtension() if isinstance(session.vivavoce, UnsetType) else session.vivavoce
    if given is not None:
        current = msgspec.structs.replace(
            current,
            events=current.events if given.events is None else given.events,
            pre_roll_ms=current.pre_roll_ms if given.pre_roll_ms is None else given.pre_roll_ms,
            cost=current.cost if given.cost is None else SessionCost() if given.cost else UNSET,
        )
    return UNSET if current == SessionExtension() else current
