"""Tools and the choice among them, as sessions and responses carry them."""

from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

MAX_TOOLS: Final = 128
TOOL_NAME_PATTERN: Final = r"^[a-zA-Z0-9_-]{1,64}\Z"


class FunctionTool(msgspec.Struct, frozen=True, kw_only=True, tag="function", forbid_unknown_fields=True):
    """A function that the client runs; `parameters` is a JSON Schema object."""

    name: Annotated[str, Meta(pattern=TOOL_NAME_PATTERN)]
    description: str | UnsetType = UNSET
    parameters: dict[str, Any] = {}  # JSON boundary: the client's own schema


class McpTool(msgspec.Struct, frozen=True, kw_only=True, tag="mcp"):
    """A remote MCP server whose tools the server calls itself."""

    server_label: str
    server_url: str | UnsetType = UNSET


Tool = FunctionTool | McpTool
Tools = Annotated[tuple[Tool, ...], Meta(max_length=MAX_TOOLS)]


class ToolChoiceFunction(msgspec.Struct, frozen=True, kw_only=True, tag="function", forbid_unknown_fields=True):
    """The response must call this function."""

    name: str


class ToolChoiceMcp(msgspec.Struct, frozen=True, kw_only=True, tag="mcp", forbid_unknown_fields=True):
    """The response must call a tool of this MCP server."""

    server_label: str
    name: str | None | UnsetType = UNSET


ToolChoice = Literal["auto", "none", "required"] | ToolChoiceFunction | ToolChoiceMcp
