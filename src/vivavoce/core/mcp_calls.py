"""The MCP calls of one response: items that the server itself fills, round by round, between stretches of text."""

from collections.abc import Sequence
from typing import Final

import msgspec

from vivavoce.core.conversation import Beside, Entry
from vivavoce.core.emitter import Emitter
from vivavoce.core.mcp import AskedCall, McpTarget
from vivavoce.core.output_items import Place, Writing, close_item, open_item
from vivavoce.core.requests import ContextItem, ContextToolCall, ContextToolOutput, FunctionSpec
from vivavoce.core.vocabulary import CallMcpTool, CancelMcp
from vivavoce.protocol.items import Item, McpApprovalRequest, McpCall, McpError, McpToolExecutionError
from vivavoce.protocol.server_events import (
    ResponseMcpCallArgumentsDelta,
    ResponseMcpCallArgumentsDone,
    ResponseMcpCallCompleted,
    ResponseMcpCallFailed,
    ResponseMcpCallInProgress,
)

CANCELLED: Final = McpToolExecutionError(message="The response was cancelled before the tool returned.")


class McpCallOutput:
    """A call under way; its item is closed with the tool's output or its failure."""

    def __init__(
        self, out: Emitter, place: Place, target: McpTarget, arguments: str, approval_request_id: str | None = None
    ) -> None:
        self.place = place
        self.state = Writing.OPEN
        item = McpCall(
            id=place.item_id,
            server_label=target.server.label,
            name=target.name,
            arguments="",
            approval_request_id=approval_request_id,
        )
        self.entry = Entry(item=item, is_in_progress=True)
        self._call = msgspec.structs.replace(item, arguments=arguments)
        open_item(out, place, self.entry)
        self.entry.item = self._call
        self._send_arguments(out, arguments)
        out.send(
            ResponseMcpCallInProgress(event_id=out.event_id(), item_id=place.item_id, output_index=place.output_index)
        )
        out.put(CallMcpTool(place.item_id, target.server, target.name, arguments))

    @property
    def item(self) -> Item:
        return self.entry.item

    def close(self, out: Emitter, output: str | None, error: McpError | None) -> None:
        """Send everything that ends the item."""
        assert self.state is Writing.OPEN, "a call returns once"
        self.state = Writing.CLOSED
        kind = ResponseMcpCallCompleted if error is None else ResponseMcpCallFailed
        place = self.place
        out.send(kind(event_id=out.event_id(), item_id=place.item_id, output_index=place.output_index))
        close_item(out, self.place, self.entry, msgspec.structs.replace(self._call, output=output, error=error))

    def cancel(self, out: Emitter) -> None:
        """The response ends before the tool has returned."""
        out.put(CancelMcp(self.place.item_id))
        self.close(out, None, CANCELLED)

    def _send_arguments(self, out: Emitter, arguments: str) -> None:
        place = self.place
        out.send(
            ResponseMcpCallArgumentsDelta(
                event_id=out.event_id(),
                response_id=place.response_id,
                item_id=place.item_id,
                output_index=place.output_index,
                delta=arguments,
            )
        )
        out.send(
            ResponseMcpCallArgumentsDone(
                event_id=out.event_id(),
                response_id=place.response_id,
                item_id=place.item_id,
                output_index=place.output_index,
                arguments=arguments,
            )
        )


class HiddenCall:
    """A call of one of the server's own functions under way: no item, no event."""

    def __init__(self, out: Emitter, call_id: str, target: McpTarget, arguments: str) -> None:
        self.call_id = call_id
        self.call = ContextToolCall(call_id, target.name, arguments)
        self.returned: ContextToolOutput | None = None
        out.put(CallMcpTool(call_id, target.server, target.name, arguments))

    def close(self, out: Emitter, output: str | None, error: McpError | None) -> None:
        """Keep what it returned for the generator."""
        text = output if error is None else f"The tool failed: {error.message}"
        self.returned = ContextToolOutput(self.call_id, text)

    def cancel(self, out: Emitter) -> None:
        """The response ends before the function has returned; nobody learns of the call."""
        out.put(CancelMcp(self.call_id))

    @property
    def context(self) -> tuple[ContextItem, ...]:
        """What a generator reads of it: nothing before it has returned."""
        return () if self.returned is None else (self.call, self.returned)


class HiddenCalls:
    """The calls of the server's own functions in one response, each with the number of items before it."""

    def __init__(self) -> None:
        self._calls: list[tuple[int, HiddenCall]] = []

    def add(self, index: int, call: HiddenCall) -> None:
        self._calls.append((index, call))

    def context_at(self, index: int) -> tuple[ContextItem, ...]:
        """Return what the calls before the item of this number say."""
        return tuple(item for at, call in self._calls if at == index for item in call.context)

    def cancel(self, out: Emitter) -> None:
        """Stop those that have not returned."""
        for _, call in self._calls:
            if call.returned is None:
                call.cancel(out)

    def leave_to(self, entries: Sequence[Entry]) -> None:
        """Hand what was called and returned to the items beside it, for responses to come."""
        if not self._calls:
            return
        for index, entry in enumerate(entries, start=1):
            after = self.context_at(index) if index == len(entries) else ()
            entry.beside = Beside(before=self.context_at(index - 1), after=after)


class McpRounds:
    """Which tools a response may call by which name, and whether its calls let it go on by itself."""

    def __init__(self) -> None:
        self.specs: tuple[FunctionSpec, ...] = ()  # offered in every round as they were in the first
        self.targets: dict[str, McpTarget] = {}
        self.may_call = True  # in this round; whoever calls all the same is not heard
        self.open: dict[str, McpCallOutput | HiddenCall] = {}
        self.approved: list[AskedCall] = []  # by the client; they are made first, and end with the response
        self.count = 0  # generations that were asked for
        self.has_called = False  # in this round
        self.awaits_client = False  # a function call or an approval request of this round is the client's to answer

    def begin(self) -> None:
        """Another generation is asked for."""
        self.count += 1
        self.has_called = False
        self.awaits_client = False

    @property
    def is_complete(self) -> bool:
        """Whether all that was called has returned, and the client is not asked for anything."""
        return self.has_called and not self.open and not self.awaits_client


def write_approval_request(out: Emitter, place: Place, target: McpTarget, arguments: str) -> Entry:
    """Write a whole approval request. Returns its entry, completed."""
    item = McpApprovalRequest(id=place.item_id, server_label=target.server.label, name=target.name, arguments=arguments)
    entry = Entry(item=item, is_in_progress=True)
    open_item(out, place, entry)
    close_item(out, place, entry, item)
    return entry
