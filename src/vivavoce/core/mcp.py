"""Remote MCP servers of a session: what they offer, what the client lets them do, which calls wait for its word.

    LISTING ──► LISTED | FAILED          one listing for each server; a changed or failed server is listed anew

Secrets of the client (authorization, header values) are kept here and nowhere else: the session shows them redacted.
"""

import enum
import re
from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from vivavoce.core.limits import MCP_LISTING_WAIT_S
from vivavoce.core.requests import FunctionSpec, McpServer
from vivavoce.protocol.errors import invalid_content
from vivavoce.protocol.items import McpListedTool
from vivavoce.protocol.tools import FunctionTool, McpApproval, McpTool, McpToolFilter, Tool

REDACTED: Final = "[redacted]"
THIS_SERVER: Final = McpServer("", "")  # stands for the server's own functions, whose calls nobody sees
_MAX_NAME: Final = 64
_NO_NAME: Final = re.compile(r"[^a-zA-Z0-9_-]")  # what function names do not hold, see `protocol.tools`


class Listing(enum.Enum):
    """Where the listing of a server's tools is."""

    LISTING = "listing"
    LISTED = "listed"
    FAILED = "failed"


class Imported(msgspec.Struct):
    """A server and its tools. `item_id` is that of its `mcp_list_tools` item."""

    server: McpServer
    item_id: str
    started_at: float  # monotonic
    state: Listing = Listing.LISTING
    tools: tuple[McpListedTool, ...] = ()
    is_waited_for: bool = True  # by responses that would offer its tools


class McpTarget(msgspec.Struct, frozen=True):
    """A tool as a generator may call it."""

    server: McpServer
    name: str
    needs_approval: bool


class AskedCall(msgspec.Struct, frozen=True):
    """A call that waits for the client's approval, or has it. `request_id` is that of the approval request."""

    request_id: str
    server: McpServer
    name: str
    arguments: str


class McpLedger:
    """The servers by label, and the calls that were asked for."""

    def __init__(self) -> None:
        self._servers: dict[str, Imported] = {}
        self._asked: dict[str, AskedCall] = {}
        self.approved: list[AskedCall] = []  # not made yet

    def get(self, label: str) -> Imported | None:
        return self._servers.get(label)

    def named_by(self, tool: McpTool) -> Imported | None:
        """Return the server that a tool names, unless another has taken its label since."""
        imported = self._servers.get(tool.server_label)
        return imported if imported is not None and imported.server.url == tool.server_url else None

    def by_item(self, item_id: str) -> Imported | None:
        """Return the listing under way that an item stands for."""
        found = [imported for imported in self._servers.values() if imported.item_id == item_id]
        return found[0] if found and found[0].state is Listing.LISTING else None

    def wants(self, server: McpServer) -> bool:
        """Tell whether a server has to be listed: it is unknown, another than before, or could not be listed."""
        known = self._servers.get(server.label)
        return known is None or known.server != server or known.state is Listing.FAILED

    def begin(self, server: McpServer, item_id: str, now: float) -> Imported | None:
        """Note that a server is being listed; return the listing that this one takes the place of."""
        before = self._servers.get(server.label)
        self._servers[server.label] = Imported(server, item_id, now)
        return before if before is not None and before.state is Listing.LISTING else None

    def listings(self) -> list[str]:
        """Return the items of the listings under way."""
        return [imported.item_id for imported in self._servers.values() if imported.state is Listing.LISTING]

    def is_awaited(self, tools: Iterable[Tool]) -> bool:
        """Tell whether tools that a response would offer may still come in time."""
        listings = [self.named_by(tool) for tool in tools if isinstance(tool, McpTool)]
        return any(found is not None and found.state is Listing.LISTING and found.is_waited_for for found in listings)

    def first_deadline(self) -> float | None:
        """Return when a response waits no longer for a listing."""
        waits = [i.started_at for i in self._servers.values() if i.state is Listing.LISTING and i.is_waited_for]
        return min(waits) + MCP_LISTING_WAIT_S if waits else None

    def give_up_waiting(self, now: float) -> None:
        """Let responses go on without what has not been listed in time."""
        for imported in self._servers.values():
            if now >= imported.started_at + MCP_LISTING_WAIT_S:
                imported.is_waited_for = False

    # Approval -------------------------------------------------------------------------------------------------

    def ask(self, call: AskedCall) -> None:
        self._asked[call.request_id] = call

    def is_asked(self, request_id: str) -> bool:
        """Tell whether a call waits for the client's word."""
        return request_id in self._asked

    def answer(self, request_id: str, *, approve: bool) -> None:
        """Take the client's word on a call that waits for it."""
        call = self._asked.pop(request_id)
        if approve:
            self.approved.append(call)

    def forget(self, request_id: str) -> None:
        """The request, or the client's word on it, was deleted: unless it has begun, the call is not made."""
        self._asked.pop(request_id, None)
        self.approved = [call for call in self.approved if call.request_id != request_id]

    def take_approved(self) -> list[AskedCall]:
        taken, self.approved = self.approved, []
        return taken


def server_of(tool: McpTool, known: McpServer | None, param: str) -> McpServer:
    """Return the server that a tool names; redacted secrets are those that are known.

    Raises:
        ClientError: `invalid_value` for a redacted secret that is not known.
    """
    headers = tool.headers or {}
    is_redacted = tool.authorization == REDACTED or REDACTED in headers.values()
    if is_redacted and (known is None or known.url != tool.server_url):
        raise invalid_content(f"{param}.authorization", "a redacted secret stands for that of a server already given")
    before = dict(known.headers) if known is not None else {}
    authorization = known.authorization if known and tool.authorization == REDACTED else tool.authorization
    kept = {name: before.get(name, value) if value == REDACTED else value for name, value in headers.items()}
    return McpServer(tool.server_label, tool.server_url or "", authorization or None, tuple(sorted(kept.items())))


def redacted(tool: Tool) -> Tool:
    """Return a tool as the session shows it."""
    if not isinstance(tool, McpTool):
        return tool
    authorization = REDACTED if tool.authorization else tool.authorization
    headers = {name: REDACTED for name in tool.headers} if tool.headers else tool.headers
    return msgspec.structs.replace(tool, authorization=authorization, headers=headers)


def offered(
    ledger: McpLedger, tools: Sequence[Tool], own: Sequence[FunctionSpec] = (), *, can_ask: bool
) -> tuple[tuple[FunctionSpec, ...], dict[str, McpTarget]]:
    """Return what a generator may call, and behind which of the names an MCP server or this server stands.

    Args:
        own: the functions of this server.
        can_ask: whether the client can be asked for its approval; without, tools that need it are left out.
    """
    specs = [*own, *(_spec(tool) for tool in tools if isinstance(tool, FunctionTool))]
    targets = {spec.name: McpTarget(THIS_SERVER, spec.name, needs_approval=False) for spec in own}
    taken = {spec.name for spec in specs}
    for tool in tools:
        imported = ledger.named_by(tool) if isinstance(tool, McpTool) else None
        if imported is None or not isinstance(tool, McpTool):
            continue
        for listed in allowed(tool, imported.tools):
            target = McpTarget(imported.server, listed.name, _needs_approval(tool, listed))
            if target.needs_approval and not can_ask:
                continue
            name = _free_name(taken, tool.server_label, listed.name)
            targets[name] = target
            specs.append(FunctionSpec(name, listed.description or "", listed.input_schema))
    return tuple(specs), targets


def allowed(tool: McpTool, listed: Iterable[McpListedTool]) -> tuple[McpListedTool, ...]:
    """Return the listed tools that the client lets the assistant use."""
    choice = tool.allowed_tools
    if isinstance(choice, McpToolFilter):
        return tuple(entry for entry in listed if _matches(choice, entry))
    return tuple(entry for entry in listed if not isinstance(choice, tuple) or entry.name in choice)


def _free_name(taken: set[str], label: str, name: str) -> str:
    """A tool keeps its name unless another has it, as far as it is one that generators take."""
    plain = _NO_NAME.sub("_", name)
    free = plain[:_MAX_NAME] if plain and plain[:_MAX_NAME] not in taken else f"{label}__{plain}"[:_MAX_NAME]
    for number in range(2, len(taken) + 3):
        if free not in taken:
            break
        free = f"{free[: _MAX_NAME - 5]}_{number}"
    taken.add(free)
    return free


def _spec(tool: FunctionTool) -> FunctionSpec:
    return FunctionSpec(tool.name, tool.description or "", tool.parameters)


def _needs_approval(tool: McpTool, listed: McpListedTool) -> bool:
    """Approval is needed unless the client says that it is not."""
    rule = tool.require_approval
    if isinstance(rule, McpApproval):
        is_always = rule.always is not None and _matches(rule.always, listed)
        return is_always or rule.never is None or not _matches(rule.never, listed)
    return rule != "never"


def _matches(choice: McpToolFilter, listed: McpListedTool) -> bool:
    if choice.tool_names is not None and listed.name not in choice.tool_names:
        return False
    if choice.read_only is None:
        return choice.tool_names is not None
    return bool((listed.annotations or {}).get("readOnlyHint", False)) == choice.read_only
