"""Joint work of the MCP ledger and the session: servers are checked and listed, their answers taken."""

from collections.abc import Sequence

import msgspec

from vivavoce.core.conversation import Entry
from vivavoce.core.mcp import Imported, Listing, server_of
from vivavoce.core.state import SessionState
from vivavoce.core.vocabulary import CancelMcp, ListMcpTools, McpListingFailed, McpToolsListed
from vivavoce.protocol.errors import invalid_content
from vivavoce.protocol.hosts import check_authorization, check_headers, check_url
from vivavoce.protocol.items import McpListTools
from vivavoce.protocol.server_events import (
    ConversationItemAdded,
    ConversationItemDone,
    McpListToolsCompleted,
    McpListToolsFailed,
    McpListToolsInProgress,
)
from vivavoce.protocol.tools import FunctionTool, McpTool, Tool


def check_servers(state: SessionState, tools: Sequence[Tool], param: str) -> None:
    """Refuse servers that this server does not talk to, and functions that would take the place of its own.

    Raises:
        ClientError: `invalid_value`, naming the tool's field.
    """
    own = {function.name for function in state.profile.functions}
    for index, tool in enumerate(tools):
        if isinstance(tool, FunctionTool) and tool.name in own:
            raise invalid_content(f"{param}[{index}].name", f"the server has a function '{tool.name}' of its own")
        if isinstance(tool, McpTool):
            path = f"{param}[{index}]"
            check_url(tool.server_url or "", state.profile.policy.mcp_hosts, f"{path}.server_url")
            known = state.tools.mcp.get(tool.server_label)
            server = server_of(tool, known.server if known is not None else None, path)
            if server.authorization is not None:
                check_authorization(server.authorization, f"{path}.authorization")
            check_headers(dict(server.headers), server.authorization is not None, f"{path}.headers")


def check_labels(state: SessionState, tools: Sequence[Tool], param: str) -> None:
    """Refuse tools of a response that put another server, or other secrets, under a label of the session.

    Raises:
        ClientError: `invalid_value`, naming the label.
    """
    labels = {tool.server_label for tool in state.session.tools if isinstance(tool, McpTool)}
    for index, tool in enumerate(tools):
        known = state.tools.mcp.get(tool.server_label) if isinstance(tool, McpTool) else None
        if not isinstance(tool, McpTool) or known is None or tool.server_label not in labels:
            continue
        path = f"{param}[{index}]"
        if server_of(tool, known.server, path) != known.server:
            explanation = "the session has another server, or other credentials, under this label"
            raise invalid_content(f"{path}.server_label", explanation)


def import_tools(state: SessionState, tools: Sequence[Tool], now: float) -> None:
    """List the tools of every server that was not listed yet; they were checked."""
    ledger = state.tools.mcp
    for tool in tools:
        if not isinstance(tool, McpTool):
            continue
        known = ledger.get(tool.server_label)
        server = server_of(tool, known.server if known is not None else None, "tools")
        if not ledger.wants(server):
            continue
        item = McpListTools(id=state.out.make_id("item"), server_label=server.label, tools=())
        replaced = ledger.begin(server, item.id, now)
        if replaced is not None:
            state.out.put(CancelMcp(replaced.item_id))
            _end_listing(state, replaced.item_id, None)
        _announce(state, item)
        state.out.put(ListMcpTools(item.id, server))


def take_listing(state: SessionState, result: McpToolsListed | McpListingFailed) -> None:
    """A server has told its tools, or failed to; a failed listing does not fail the session."""
    imported = state.tools.mcp.by_item(result.item_id)
    if imported is None:
        return
    if isinstance(result, McpToolsListed):
        imported.state, imported.tools = Listing.LISTED, result.tools
    else:
        imported.state = Listing.FAILED
    _end_listing(state, result.item_id, imported)


def _announce(state: SessionState, item: McpListTools) -> None:
    out = state.out
    previous_id = state.conversation.append(Entry(item=item, is_in_progress=True))
    out.send(ConversationItemAdded(event_id=out.event_id(), previous_item_id=previous_id, item=item))
    out.send(McpListToolsInProgress(event_id=out.event_id(), item_id=item.id))


def _end_listing(state: SessionState, item_id: str, imported: Imported | None) -> None:
    """Close the item of a listing; None: another listing of the same label took its place."""
    out = state.out
    is_listed = imported is not None and imported.state is Listing.LISTED
    kind = McpListToolsCompleted if is_listed else McpListToolsFailed
    out.send(kind(event_id=out.event_id(), item_id=item_id))
    entry = state.conversation.get(item_id)
    assert entry is not None and isinstance(entry.item, McpListTools), "a listing in progress is not deleted"
    entry.item = msgspec.structs.replace(entry.item, tools=imported.tools if imported is not None else ())
    entry.is_in_progress = False
    previous_id = state.conversation.previous_id(item_id)
    out.send(ConversationItemDone(event_id=out.event_id(), previous_item_id=previous_id, item=entry.item))
