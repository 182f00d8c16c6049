"""What the network saw during one operation, and the way to end it at once.

The `mcp` package tells little of what went wrong below it, so the transport writes it down here.
"""

from collections.abc import Callable
from typing import Final

from vivavoce.engines.mcp.failures import broken
from vivavoce.protocol.items import McpError

MAX_RECEIVED_BYTES: Final = 4 * 1024 * 1024  # of one operation, with headers and framing


class Exchange:
    """One operation on the network: what failed, what came, and what it was told by the server."""

    def __init__(self) -> None:
        self.failure: McpError | None = None
        self.session_id: str | None = None  # the server's name for the session, if it keeps one
        self.speaks_sse = False  # the older transport: a response to GET carries all messages
        self.status = 0  # HTTP status of the last response
        self.is_over = False  # given up: the failure is final
        self._received_bytes = 0
        self._end: Callable[[], None] = lambda: None

    def begin(self, end: Callable[[], None] = lambda: None) -> None:
        """Forget the operation before; `end` makes the new one return."""
        self.failure = None
        self._received_bytes = 0
        self.is_over = False
        self._end = end

    def note(self, failure: McpError | None) -> None:
        """Keep what the last request met; the package may still recover from it."""
        if not self.is_over:
            self.failure = failure

    def give_up(self, failure: McpError) -> None:
        """End the operation: nothing after this can make it succeed. The first reason counts."""
        self.note(failure)
        self.is_over = True
        self._end()

    def count(self, received_bytes: int) -> bool:
        """Return whether the operation may go on after so many more bytes."""
        self._received_bytes += received_bytes
        if self._received_bytes > MAX_RECEIVED_BYTES:
            self.give_up(broken(f"it is larger than {MAX_RECEIVED_BYTES} bytes"))
            return False
        return not self.is_over
