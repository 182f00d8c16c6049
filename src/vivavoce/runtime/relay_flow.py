"""When the two ends of a relayed session are read: backpressure, and turns, so that no session has the loop for itself.

A socket's queue of 256 KiB holds ten thousand tiny events, which take a tenth of a second and more. So both ends rest
until the next turn of the loop after every `TURN_MESSAGES`.
"""

import asyncio
from typing import Final

from vivavoce.core.relay.lanes import Lane, Turn

HELD_LIMIT_BYTES: Final = 64 * 1024  # of messages for an upstream that is not there; then the client is not read
HELD_OVERHEAD_BYTES: Final = 256  # that a held message takes besides its own
TURN_MESSAGES: Final = 128
QUIET_MESSAGES: Final = 4  # sessions that have sent no more need no lanes, which take memory


class ClientFlow:
    """Whether the client is read.

    A little is held while there is no upstream, so that a client that leaves meanwhile is noticed: nobody learns of the
    end of a connection that is not read.
    """

    __slots__ = ("_held_bytes", "_is_blocked", "_is_resting", "_room", "lane", "taken", "turn")

    def __init__(self) -> None:
        self._held_bytes = 0
        self._is_blocked = False
        self._is_resting = False
        self.turn = Turn(TURN_MESSAGES)
        self.taken = 0  # messages that did not take a lane
        self.lane: Lane | None = None  # the client's audio, where nothing is in its way
        self._room = asyncio.Event()
        self._room.set()

    def take(self, message: bytes, *, is_held: bool) -> None:
        """A message came; `is_held`: there is no upstream for it."""
        if is_held:
            self._held_bytes += len(message) + HELD_OVERHEAD_BYTES
        self.taken += 1
        self.turn.left -= 1
        if self.turn.left <= 0:
            self.turn.left = TURN_MESSAGES
            self._is_resting = True
            self._settle()
            asyncio.get_running_loop().call_soon(self._go_on)

    def measure(self, *, has_upstream: bool, is_blocked: bool) -> None:
        """Note whether messages go on, and whether an upstream does not take them."""
        if has_upstream:
            self._held_bytes = 0
        self._is_blocked = is_blocked
        self._settle()

    def has_room(self) -> bool:
        return self._room.is_set()

    async def room(self) -> None:
        """Return when messages are taken."""
        await self._room.wait()

    def _go_on(self) -> None:
        self._is_resting = False
        self._settle()

    def _settle(self) -> None:
        if self._is_blocked or self._is_resting or self._held_bytes > HELD_LIMIT_BYTES:
            self._room.clear()
        else:
            self._room.set()
