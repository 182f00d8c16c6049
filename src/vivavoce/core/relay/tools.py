"""Calls of functions that run on the server: from the call to its output, and to the answer that it causes.

running --ToolReturned--> returned (its output is in the conversation) --response caused or begun--> gone
"""

from collections.abc import Collection
from typing import Final

import msgspec

from vivavoce.core.relay.vocabulary import Body
from vivavoce.core.requests import FunctionSpec

MAX_OPEN_CALLS: Final = 64


class ServerCall(msgspec.Struct):
    """One call that runs."""

    call_id: str
    response_id: str


class HeldRequest(msgspec.Struct):
    """A `response.create` of the client that waits for the outputs of functions."""

    message: bytes
    event_id: str | None
    key: str


class ServerCalls:
    """The calls of a session, and the answer that is owed for them."""

    __slots__ = ("functions", "held", "is_asked", "names", "owes_answer", "running", "unseen")

    def __init__(self, functions: Collection[FunctionSpec]) -> None:
        self.functions = functions
        self.names = frozenset(function.name for function in functions)
        self.running: dict[str, ServerCall] = {}
        self.unseen: set[str] = set()  # outputs that the upstream has not taken yet
        self.owes_answer = False
        self.is_asked = False  # the response that answers was asked for
        self.held: list[HeldRequest] = []

    def begin(self, call_id: str, response_id: str) -> None:
        self.running[call_id] = ServerCall(call_id, response_id)
        self.owes_answer = True

    def end(self, call_id: str) -> bool:
        """Take the end of a call; False if it is not open."""
        return self.running.pop(call_id, None) is not None

    def see(self) -> None:
        """A response has begun: where it sees all that the functions return, nothing more is owed for it."""
        if not self.running and not self.unseen:
            self.owes_answer = False

    def is_busy(self) -> bool:
        """Tell whether outputs or the answer to them are to come."""
        return bool(self.running or self.owes_answer or self.held)


def tool_of(function: FunctionSpec) -> Body:
    """Return a function as a session's `tools` hold it."""
    return {
        "type": "function",
        "name": function.name,
        "description": function.description,
        "parameters": function.parameters,
    }
