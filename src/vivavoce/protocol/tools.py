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


class McpToolFilter(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A choice among the tools of an MCP server: by name, or by the server's own word that they only read."""

    tool_names: tuple[str, ...] | None = None
    read_only: bool | None = None


class McpApproval(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which tools of an MCP server need the client's approval; those that no filter names need it."""

    always: McpToolFilter | None = None
    never: McpToolFilter | None = None


class McpTool(msgspec.Struct, frozen=True, kw_only=True, tag="mcp", forbid_unknown_fields=True):
    """A remote MCP server whose tools the server calls itself. `authorization` is a bearer token."""

    server_label: Annotated[str, Meta(pattern=TOOL_NAME_PATTERN)]
    server_url: str | None | UnsetType = UNSET
    connector_id: str | None | UnsetType = UNSET
    tunnel_id: str | None | UnsetType = UNSET
    server_description: str | None | UnsetType = UNSET
    authorization: str | None | UnsetType = UNSET
    headers: dict[str, str] | None | UnsetType = UNSET
    allowed_tools: tuple[str, ...] | McpToolFilter | None | UnsetType = UNSET
    require_approval: Literal["always", "never"] | McpApproval | None | UnsetType = UNSET
    defer_loading: bool | None | UnsetType = UNSET
    allowed_callers: tuple[str, ...] | None | UnsetType = UNSET

    def __repr__(self) -> str:
        return f"McpTool({self.server_label!r})"


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
