"""The tool ledger: which function calls were made and which have been answered."""

import enum

from vivavoce.core.mcp import McpLedger


class ToolState(enum.Enum):
    """Where a function call is."""

    REQUESTED = "requested"  # the call is in the conversation, its output is not
    RETURNED = "returned"


class ToolLedger:
    """Function calls of the conversation by `call_id`. Outputs may come late and in any order.

    `mcp` holds the tools that the server itself calls.
    """

    def __init__(self) -> None:
        self.mcp = McpLedger()
        self._calls: dict[str, ToolState] = {}

    def request(self, call_id: str) -> None:
        self._calls.setdefault(call_id, ToolState.REQUESTED)

    def give_back(self, call_id: str) -> None:
        assert call_id in self._calls, "an output answers a call of the conversation"
        self._calls[call_id] = ToolState.RETURNED

    def forget(self, call_id: str) -> None:
        self._calls.pop(call_id, None)

    def state(self, call_id: str) -> ToolState | None:
        """Return the state of a call, None if the conversation has no such call."""
        return self._calls.get(call_id)
