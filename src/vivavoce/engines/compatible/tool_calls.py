"""Puts function calls together from the pieces in which servers stream them.

The API gives a piece an index, and the first piece of a call an id and the whole name. Servers differ: some leave out
the index or the id, repeat the name in every piece, or give all parallel calls the same index.
"""

from typing import Any

import msgspec

from vivavoce.engines.base import ToolCall


class FunctionPiece(msgspec.Struct, frozen=True):
    """Some servers give the arguments as an object instead of JSON text."""

    name: str | None = None
    arguments: str | dict[str, Any] | None = None  # JSON boundary: arguments are the function's


class CallPiece(msgspec.Struct, frozen=True):
    """One entry of `delta.tool_calls`, or of `message.tool_calls` in an answer that is not streamed."""

    index: int | None = None
    id: str | None = None
    function: FunctionPiece | None = None


class _Call:
    def __init__(self, index: int | None, call_id: str) -> None:
        self.index = index
        self.call_id = call_id
        self.name = ""
        self.arguments = ""

    @property
    def is_whole(self) -> bool:
        return bool(self.name) and is_json(self.arguments)


class CallAssembly:
    """The calls of one answer, in the order in which they began."""

    def __init__(self) -> None:
        self._calls: list[_Call] = []

    def add(self, piece: CallPiece) -> None:
        """Take the next piece."""
        function = piece.function or FunctionPiece()
        name, arguments = function.name or "", _text(function.arguments)
        call = self._continued(piece, name, arguments)
        if call is None:
            call = _Call(piece.index, piece.id or "")
            self._calls.append(call)
        call.call_id = call.call_id or piece.id or ""
        call.name = call.name or name
        call.arguments += arguments

    def finish(self, is_cut: bool = False) -> list[ToolCall]:
        """Return the calls; where the answer was cut off, those without whole arguments are left out."""
        calls, self._calls = [call for call in self._calls if call.name], []
        return [ToolCall(call.name, call.arguments.strip() or "{}") for call in calls if call.is_whole or not is_cut]

    def _continued(self, piece: CallPiece, name: str, arguments: str) -> _Call | None:
        """Return the call that the piece goes on with; None if it begins another."""
        call = self._latest(piece.index)
        if call is None:
            return None
        if piece.id and call.call_id and piece.id != call.call_id:
            return None
        if name and call.name and name != call.name:
            return None
        is_repeated = bool(name) and not piece.id and call.is_whole and arguments.lstrip().startswith("{")
        return None if is_repeated else call

    def _latest(self, index: int | None) -> _Call | None:
        return next((call for call in reversed(self._calls) if index is None or call.index == index), None)


def is_json(text: str) -> bool:
    """Return whether a text is one whole JSON value."""
    try:
        msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return False
    return True


def _text(arguments: str | dict[str, Any] | None) -> str:  # JSON boundary
    return msgspec.json.encode(arguments).decode() if isinstance(arguments, dict) else arguments or ""
