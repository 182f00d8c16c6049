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


class ServerCalls:
    """The calls of a session, and the answer that is owed for them."""

    def __init__(self, functions: Collection[FunctionSpec]) -> None:
        self.names = frozenset(function.name for function in functions)
        self.shown = [tool_of(function) for function in functions]  # as the upstream is given them
        self.running: dict[str, ServerCall] = {}
        self.owes_answer = False
        self.is_asked = False  # the response that answers was asked for
        self.held: list[bytes] = []  # the client's `response.create`, until the outputs are there

    def begin(self, call_id: str, response_id: str) -> None:
        self.running[call_id] = ServerCall(call_id, response_id)
        self.owes_answer = True

    def end(self, call_id: str) -> bool:
        """Take the end of a call; False if it is not open."""
        return self.running.pop(call_id, None) is not None

    def drop_debt(self) -> None:
        """Another answer comes, or the user speaks: none is owed."""
        self.owes_answer = False


def tool_of(function: FunctionSpec) -> Body:
    """Return a function as a session's `tools` hold it."""
    return {
        "type": "function",
        "name": function.name,
        "description": function.description,
        "parameters": function.parameters,
    }
