"""The response object with its usage, and the overrides that `response.create` may carry."""

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from vivavoce.protocol.extensions import ResponseExtension, ResponseReport
from vivavoce.protocol.items import ClientItem, Item, ItemReference
from vivavoce.protocol.session import (
    AudioFormat,
    MaxOutputTokens,
    Modality,
    Prompt,
    Reasoning,
    VoiceId,
)
from vivavoce.protocol.tools import ToolChoice, Tools

ResponseStatus = Literal["in_progress", "completed", "cancelled", "incomplete", "failed"]
Metadata = Annotated[dict[str, str], Meta(max_length=16)]
StatusReason = Literal["turn_detected", "client_cancelled", "max_output_tokens", "content_filter"]


class CachedTokensDetails(msgspec.Struct, frozen=True, kw_only=True):
    """Cached input tokens by kind."""

    text_tokens: int = 0
    audio_tokens: int = 0
    image_tokens: int = 0


class InputTokenDetails(msgspec.Struct, frozen=True, kw_only=True):
    """Input tokens by kind; cached ones are included in the other counts."""

    text_tokens: int = 0
    audio_tokens: int = 0
    image_tokens: int = 0
    cached_tokens: int = 0
    cached_tokens_details: CachedTokensDetails = CachedTokensDetails()


class OutputTokenDetails(msgspec.Struct, frozen=True, kw_only=True):
    """Output tokens by kind."""

    text_tokens: int = 0
    audio_tokens: int = 0
    reasoning_tokens: int | UnsetType = UNSET


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """Tokens of a response; the total is input plus output."""

    total_tokens: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    input_token_details: InputTokenDetails = InputTokenDetails()
    output_token_details: OutputTokenDetails = OutputTokenDetails()


class StatusError(msgspec.Struct, frozen=True, kw_only=True):
    """Why a response failed; the only report of it."""

    type: str
    code: str | None = None
    message: str | UnsetType = UNSET


class StatusDetails(msgspec.Struct, frozen=True, kw_only=True):
    """How a response ended; `type` repeats its status."""

    type: Literal["cancelled", "incomplete", "failed"]
    reason: StatusReason | UnsetType = UNSET
    error: StatusError | UnsetType = UNSET


class ResponseAudioOutput(msgspec.Struct, frozen=True, kw_only=True):
    """The format and the voice that a response speaks in."""

    format: AudioFormat
    voice: str


class ResponseAudio(msgspec.Struct, frozen=True, kw_only=True):
    """The audio settings of a response; also sent with text-only responses."""

    output: ResponseAudioOutput


class Response(msgspec.Struct, frozen=True, kw_only=True):
    """A response as `response.created` and `response.done` carry it. Out of band, `conversation_id` is null."""

    object: Literal["realtime.response"] = "realtime.response"
    id: str
    status: ResponseStatus
    status_details: StatusDetails | None = None
    output: tuple[Item, ...] = ()
    conversation_id: str | None
    output_modalities: tuple[Modality, ...]
    max_output_tokens: MaxOutputTokens = "inf"
    audio: ResponseAudio
    usage: Usage | None = None
    metadata: dict[str, str] | None = None
    vivavoce: ResponseReport | UnsetType = UNSET  # only for clients that asked for it


class ResponseAudioOutputParams(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`response.audio.output` as a client sends it; None is the session's value."""

    format: AudioFormat | None = None
    voice: str | VoiceId | None = None


class ResponseAudioParams(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`response.audio` as a client sends it."""

    output: ResponseAudioOutputParams | None = None


class ResponseParams(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `response.create` overrides for one response; None (absent or null) is the session's value.

    `conversation="none"` is out of band. `input` replaces the conversation as context; an empty one is empty context.
    """

    output_modalities: tuple[Modality, ...] | None = None
    instructions: str | None = None
    tools: Tools | None = None
    tool_choice: ToolChoice | None = None
    parallel_tool_calls: bool | None = None
    reasoning: Reasoning | None = None
    max_output_tokens: MaxOutputTokens | None = None
    prompt: Prompt | None = None
    audio: ResponseAudioParams | None = None
    conversation: Literal["auto", "none"] | None = None
    input: tuple[ClientItem | ItemReference, ...] | None = None
    metadata: Metadata | None = None
    vivavoce: ResponseExtension | None = None

    @property
    def voice(self) -> str | None:
        """The voice asked for, or None for the session's."""
        output = self.audio.output if self.audio is not None else None
        return output.voice if output is not None and isinstance(output.voice, str) else None

    @property
    def format(self) -> AudioFormat | None:
        """The output format asked for, or None for the session's."""
        output = self.audio.output if self.audio is not None else None
        return output.format if output is not None else None
