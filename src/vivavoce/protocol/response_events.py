"""The server events about responses (`response.*`), one struct per wire name. Indices count from 0."""

import msgspec
from msgspec import UNSET, UnsetType

from vivavoce.protocol.items import Item, audio_size
from vivavoce.protocol.responses import Response


class ServerEventBase(msgspec.Struct, frozen=True, kw_only=True):
    """What all server events share."""

    event_id: str


class _PartEvent(ServerEventBase, frozen=True, kw_only=True):
    """About one content part of a response's item."""

    response_id: str
    item_id: str
    output_index: int
    content_index: int


class _ArgumentsEvent(ServerEventBase, frozen=True, kw_only=True):
    """About the arguments of a call that a response makes."""

    response_id: str
    item_id: str
    output_index: int


class AudioPart(msgspec.Struct, frozen=True, kw_only=True, tag="audio"):
    """A spoken content part; not `output_audio` as in items."""

    transcript: str


class TextPart(msgspec.Struct, frozen=True, kw_only=True, tag="text"):
    """A written content part; not `output_text` as in items."""

    text: str


class ResponseCreated(ServerEventBase, frozen=True, kw_only=True, tag="response.created"):
    """A response began."""

    response: Response


class ResponseDone(ServerEventBase, frozen=True, kw_only=True, tag="response.done"):
    """A response ended, whatever its status."""

    response: Response


class ResponseOutputItemAdded(ServerEventBase, frozen=True, kw_only=True, tag="response.output_item.added"):
    """A response opened an item."""

    response_id: str
    output_index: int
    item: Item


class ResponseOutputItemDone(ServerEventBase, frozen=True, kw_only=True, tag="response.output_item.done"):
    """A response closed an item."""

    response_id: str
    output_index: int
    item: Item


class ResponseContentPartAdded(_PartEvent, frozen=True, kw_only=True, tag="response.content_part.added"):
    """An item of a response opened a part."""

    part: AudioPart | TextPart


class ResponseContentPartDone(_PartEvent, frozen=True, kw_only=True, tag="response.content_part.done"):
    """An item of a response closed a part."""

    part: AudioPart | TextPart


class ResponseOutputTextDelta(_PartEvent, frozen=True, kw_only=True, tag="response.output_text.delta"):
    """More text."""

    delta: str
    obfuscation: str | UnsetType = UNSET


class ResponseOutputTextDone(_PartEvent, frozen=True, kw_only=True, tag="response.output_text.done"):
    """The full text of a part."""

    text: str


class ResponseOutputAudioDelta(_PartEvent, frozen=True, kw_only=True, tag="response.output_audio.delta"):
    """More audio, in the response's output format; whole samples."""

    delta: bytes

    def __repr__(self) -> str:
        return f"ResponseOutputAudioDelta({self.item_id}, delta={audio_size(self.delta)})"


class ResponseOutputAudioDone(_PartEvent, frozen=True, kw_only=True, tag="response.output_audio.done"):
    """All audio of a part was sent."""


class ResponseOutputAudioTranscriptDelta(
    _PartEvent, frozen=True, kw_only=True, tag="response.output_audio_transcript.delta"
):
    """More of what is spoken; runs ahead of the audio."""

    delta: str
    obfuscation: str | UnsetType = UNSET


class ResponseOutputAudioTranscriptDone(
    _PartEvent, frozen=True, kw_only=True, tag="response.output_audio_transcript.done"
):
    """The full transcript of a part."""

    transcript: str


class ResponseFunctionCallArgumentsDelta(
    _ArgumentsEvent, frozen=True, kw_only=True, tag="response.function_call_arguments.delta"
):
    """More of a function call's arguments."""

    call_id: str
    delta: str
    obfuscation: str | UnsetType = UNSET


class ResponseFunctionCallArgumentsDone(
    _ArgumentsEvent, frozen=True, kw_only=True, tag="response.function_call_arguments.done"
):
    """The full arguments of a function call."""

    call_id: str
    name: str
    arguments: str


class ResponseMcpCallArgumentsDelta(
    _ArgumentsEvent, frozen=True, kw_only=True, tag="response.mcp_call_arguments.delta"
):
    """More of an MCP call's arguments; a client drops it without `obfuscation`."""

    delta: str
    obfuscation: str = ""


class ResponseMcpCallArgumentsDone(_ArgumentsEvent, frozen=True, kw_only=True, tag="response.mcp_call_arguments.done"):
    """The full arguments of an MCP call."""

    arguments: str


class ResponseMcpCallInProgress(ServerEventBase, frozen=True, kw_only=True, tag="response.mcp_call.in_progress"):
    """An MCP call runs."""

    item_id: str
    output_index: int


class ResponseMcpCallCompleted(ServerEventBase, frozen=True, kw_only=True, tag="response.mcp_call.completed"):
    """An MCP call returned."""

    item_id: str
    output_index: int


class ResponseMcpCallFailed(ServerEventBase, frozen=True, kw_only=True, tag="response.mcp_call.failed"):
    """An MCP call failed."""

    item_id: str
    output_index: int


ResponseEvent = (
    ResponseCreated
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
    | ResponseMcpCallFailed
)
