"""Conversation items and their content parts, in the canonical GA shape.

One struct serves both directions. What a client may leave out has a default: an empty `id` or `call_id` means
"make one". Items carry no `object` key unless the client sent one.
"""

from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

MAX_AUDIO_BYTES: Final = 15 * 1024 * 1024  # decoded audio in one event, as the hosted API allows
MAX_ID_LENGTH: Final = 64
ID_PATTERN: Final = "^[^\\x00-\\x1f\\x7f]*\\Z"

ItemStatus = Literal["in_progress", "completed", "incomplete"]
Role = Literal["user", "assistant", "system"]
Id = Annotated[str, Meta(min_length=1, max_length=MAX_ID_LENGTH, pattern=ID_PATTERN)]
Audio = Annotated[bytes, Meta(max_length=MAX_AUDIO_BYTES)]


def audio_size(audio: bytes | UnsetType) -> str:
    """Return how audio is shown in a repr: its length, never its bytes."""
    return "UNSET" if isinstance(audio, UnsetType) else f"{len(audio)} bytes"


class InputText(msgspec.Struct, frozen=True, tag="input_text", forbid_unknown_fields=True):
    """Text of the user or the system."""

    text: str


class InputAudio(msgspec.Struct, frozen=True, kw_only=True, tag="input_audio", forbid_unknown_fields=True):
    """Speech of the user, in the session's input format. `transcript` is always sent, null until it is known.

    `audio` is sent in `conversation.item.retrieved` only.
    """

    audio: Audio | UnsetType = UNSET
    transcript: str | None = None

    def __repr__(self) -> str:
        return f"InputAudio(audio={audio_size(self.audio)}, transcript={self.transcript!r})"


class InputImage(msgspec.Struct, frozen=True, kw_only=True, tag="input_image", forbid_unknown_fields=True):
    """A picture as a data URI."""

    image_url: str
    detail: Literal["auto", "low", "high"] = "auto"


class OutputText(msgspec.Struct, frozen=True, tag="output_text", forbid_unknown_fields=True):
    """Text of the assistant."""

    text: str


class OutputAudio(msgspec.Struct, frozen=True, kw_only=True, tag="output_audio", forbid_unknown_fields=True):
    """Speech of the assistant, in the session's output format; `audio` in `conversation.item.retrieved` only."""

    transcript: str | None = None
    audio: Audio | UnsetType = UNSET

    def __repr__(self) -> str:
        return f"OutputAudio(transcript={self.transcript!r}, audio={audio_size(self.audio)})"


ContentPart = InputText | InputAudio | InputImage | OutputText | OutputAudio
ItemObject = Literal["realtime.item"] | UnsetType


class Message(msgspec.Struct, frozen=True, kw_only=True, tag="message", forbid_unknown_fields=True):
    """A message; the parts allowed depend on its role."""

    id: Id = ""
    object: ItemObject = UNSET
    status: ItemStatus = "completed"
    role: Role
    content: tuple[ContentPart, ...]
    phase: Literal["commentary", "final_answer"] | UnsetType = UNSET


class FunctionCall(msgspec.Struct, frozen=True, kw_only=True, tag="function_call", forbid_unknown_fields=True):
    """A function call by the assistant; `arguments` is JSON text exactly as generated, "" at first."""

    id: Id = ""
    object: ItemObject = UNSET
    status: ItemStatus = "completed"
    name: Annotated[str, Meta(min_length=1)]
    call_id: Id = ""
    arguments: str


class FunctionCallOutput(
    msgspec.Struct, frozen=True, kw_only=True, tag="function_call_output", forbid_unknown_fields=True
):
    """The result of a function call, as the client sent it."""

    id: Id = ""
    object: ItemObject = UNSET
    status: ItemStatus = "completed"
    call_id: Id
    output: str


class McpListedTool(msgspec.Struct, frozen=True, kw_only=True):
    """One tool of an MCP server."""

    name: str
    input_schema: dict[str, Any]  # JSON boundary: the server's own schema
    description: str | None | UnsetType = UNSET
    annotations: dict[str, Any] | None | UnsetType = UNSET  # JSON boundary


class McpListTools(msgspec.Struct, frozen=True, kw_only=True, tag="mcp_list_tools", forbid_unknown_fields=True):
    """The tools that an MCP server offers."""

    id: Id = ""
    server_label: str
    tools: tuple[McpListedTool, ...]


class McpProtocolError(msgspec.Struct, frozen=True, kw_only=True, tag="protocol_error"):
    """The MCP server broke its protocol."""

    code: int
    message: str


class McpToolExecutionError(msgspec.Struct, frozen=True, kw_only=True, tag="tool_execution_error"):
    """The tool reported a failure."""

    message: str


class McpHttpError(msgspec.Struct, frozen=True, kw_only=True, tag="http_error"):
    """The MCP server answered with an HTTP error."""

    code: int
    message: str


McpError = McpProtocolError | McpToolExecutionError | McpHttpError


class McpCall(msgspec.Struct, frozen=True, kw_only=True, tag="mcp_call", forbid_unknown_fields=True):
    """A tool call that the server itself makes; the three nullable keys are always sent."""

    id: Id = ""
    server_label: str
    name: str
    arguments: str
    approval_request_id: str | None = None
    output: str | None = None
    error: McpError | None = None


class McpApprovalRequest(
    msgspec.Struct, frozen=True, kw_only=True, tag="mcp_approval_request", forbid_unknown_fields=True
):
    """The assistant asks whether it may call an MCP tool."""

    id: Id = ""
    server_label: str
    name: str
    arguments: str


class McpApprovalResponse(
    msgspec.Struct, frozen=True, kw_only=True, tag="mcp_approval_response", forbid_unknown_fields=True
):
    """The client's answer to an approval request."""

    id: Id = ""
    approval_request_id: str
    approve: bool
    reason: str | None = None


class ItemReference(msgspec.Struct, frozen=True, kw_only=True, tag="item_reference", forbid_unknown_fields=True):
    """An item of the conversation by its id; only inside `response.input`."""

    id: Id


Item = Message | FunctionCall | FunctionCallOutput | McpListTools | McpCall | McpApprovalRequest | McpApprovalResponse
ClientItem = Item  # what a client may add to a conversation
