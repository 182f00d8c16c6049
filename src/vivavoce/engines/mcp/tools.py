"""Tools and results of MCP servers as the session takes them, within bounds."""

import json
from typing import Any, Final

import mcp_types
from mcp.client.session import ClientSession
from mcp.shared.exceptions import MCPError
from mcp_types import HEADER_MISMATCH
from pydantic import TypeAdapter

from vivavoce.core.requests import McpServer
from vivavoce.engines.base import McpFailure
from vivavoce.engines.mcp.failures import broken, without_secrets
from vivavoce.protocol.items import McpListedTool, McpToolExecutionError

MAX_TOOLS: Final = 512  # of one server
MAX_PAGES: Final = 64  # of one listing
MAX_NAME_LENGTH: Final = 128  # MCP specification 2025-11-25, Tools, Tool Names
MAX_DESCRIPTION_LENGTH: Final = 16_384
MAX_SCHEMA_LENGTH: Final = 65_536  # of a schema as JSON text
MAX_SCHEMA_DEPTH: Final = 64  # as for the JSON of clients
MAX_OUTPUT_LENGTH: Final = 262_144  # characters of a result

_RESULT: Final[TypeAdapter[mcp_types.CallToolResult | mcp_types.InputRequiredResult]] = TypeAdapter(
    mcp_types.CallToolResult | mcp_types.InputRequiredResult
)


async def fetch_tools(session: ClientSession) -> tuple[McpListedTool, ...]:
    """Return all tools of a server, page by page. Raises McpFailure where one of them is beyond the bounds."""
    tools: dict[str, McpListedTool] = {}
    cursor: str | None = None
    for _ in range(MAX_PAGES):
        page = await session.list_tools(params=mcp_types.PaginatedRequestParams(cursor=cursor))
        for tool in page.tools:
            if tool.name in tools:
                raise McpFailure(broken(f"it lists the tool '{tool.name[:MAX_NAME_LENGTH]}' twice"))
            tools[tool.name] = _listed(tool, len(tools))
        cursor = page.next_cursor
        if cursor is None:
            return tuple(tools.values())
    raise McpFailure(broken(f"its list of tools has more than {MAX_PAGES} pages"))


async def call(session: ClientSession, server: McpServer, name: str, arguments: dict[str, Any]) -> str:
    """Return the output of a tool as text; `arguments` is JSON of the caller's. Raises McpFailure if the tool failed.

    The package's own `call_tool` is not used: it checks results against the server's schema, whose regular expressions
    may run for ever on the event loop.
    """
    result = await _send(session, name, arguments)
    if not isinstance(result, mcp_types.CallToolResult):
        raise McpFailure(broken("the tool asks the person for more, which is not supported"))
    text = _text(result)
    if len(text) > MAX_OUTPUT_LENGTH:
        raise McpFailure(broken(f"the output has {len(text)} characters, at most {MAX_OUTPUT_LENGTH} are taken"))
    if result.is_error:
        raise McpFailure(McpToolExecutionError(message=text or "The tool failed without saying why."))
    return without_secrets(text, server)


async def _send(
    session: ClientSession, name: str, arguments: dict[str, Any]
) -> mcp_types.CallToolResult | mcp_types.InputRequiredResult:
    request = mcp_types.CallToolRequest(params=mcp_types.CallToolRequestParams(name=name, arguments=arguments))
    try:
        return await session.send_request(request, _RESULT)
    except MCPError as error:
        if error.code != HEADER_MISMATCH:
            raise
    await fetch_tools(session)  # the session learns which arguments the server wants as headers (2026-07-28)
    return await session.send_request(request, _RESULT)


def _listed(tool: mcp_types.Tool, index: int) -> McpListedTool:
    """Return a tool as an item holds it. Raises McpFailure, naming it by its place."""
    if index >= MAX_TOOLS:
        raise McpFailure(broken(f"it lists more than {MAX_TOOLS} tools"))
    if not 0 < len(tool.name) <= MAX_NAME_LENGTH or not tool.name.isprintable():
        raise McpFailure(broken(f"tools[{index}].name is not 1 to {MAX_NAME_LENGTH} printable characters"))
    if len(tool.description or "") > MAX_DESCRIPTION_LENGTH:
        raise McpFailure(broken(f"tools[{index}].description is longer than {MAX_DESCRIPTION_LENGTH} characters"))
    _check_schema(tool.input_schema, index)
    listed = McpListedTool(name=tool.name, input_schema=tool.input_schema)
    extra: dict[str, Any] = {}  # JSON boundary
    if tool.description is not None:
        extra["description"] = tool.description.replace("\0", "\ufffd")
    if tool.annotations is not None:
        extra["annotations"] = tool.annotations.model_dump(by_alias=True, exclude_none=True)
    return McpListedTool(name=listed.name, input_schema=listed.input_schema, **extra)


def _check_schema(schema: dict[str, Any], index: int) -> None:
    if not _is_at_most_deep(schema):
        raise McpFailure(broken(f"tools[{index}].inputSchema has more than {MAX_SCHEMA_DEPTH} levels"))
    text = json.dumps(schema, ensure_ascii=False)
    if len(text) > MAX_SCHEMA_LENGTH:
        raise McpFailure(broken(f"tools[{index}].inputSchema is longer than {MAX_SCHEMA_LENGTH} characters"))
    if "\\u0000" in text:
        raise McpFailure(broken(f"tools[{index}].inputSchema holds the NUL character"))


def _is_at_most_deep(schema: dict[str, Any]) -> bool:
    level: list[Any] = [schema]  # JSON boundary
    for _ in range(MAX_SCHEMA_DEPTH):
        level = [member for value in level for member in _members(value)]
        if not level:
            return True
    return False


# Any: JSON of the server's.
def _members(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []


def _text(result: mcp_types.CallToolResult) -> str:
    """Return what a result says: its texts, a name for what is no text, or its structure as JSON."""
    parts = [_words(block) for block in result.content]
    has_text = any(isinstance(block, mcp_types.TextContent) for block in result.content)
    if not has_text and result.structured_content is not None:
        parts.insert(0, json.dumps(result.structured_content, ensure_ascii=False))
    return "\n".join(parts).replace("\0", "\ufffd")


def _words(block: mcp_types.ContentBlock) -> str:
    match block:
        case mcp_types.TextContent():
            return block.text
        case mcp_types.ImageContent():
            return f"[an image, {block.mime_type}, not shown]"
        case mcp_types.AudioContent():
            return f"[a sound, {block.mime_type}, not played]"
        case mcp_types.ResourceLink():
            return f"[a link to '{block.name}': {block.uri}]"
        case mcp_types.EmbeddedResource(resource=mcp_types.TextResourceContents() as resource):
            return resource.text
        case mcp_types.EmbeddedResource():
            return f"[a file, {block.resource.mime_type or 'of unknown type'}, not shown: {block.resource.uri}]"
