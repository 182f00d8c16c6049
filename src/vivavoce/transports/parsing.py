"""From a text message to a session input: in place when it is small, in a thread when it is large."""

import asyncio
import copy
from collections import deque
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Final

from vivavoce.core.vocabulary import ClientRejected, FromClient
from vivavoce.protocol.client_events import ClientEvent
from vivavoce.protocol.codec import decode_client_event
from vivavoce.protocol.errors import ClientError
from vivavoce.transports.connection import is_utf8

INLINE_LIMIT_BYTES: Final = 256 * 1024
PARSING_LIMIT_BYTES: Final = 64 * 1024 * 1024
PARSING_THREADS: Final = 2

Decode = Callable[[bytes], ClientEvent]  # raises nothing but ClientError


class BadText(Exception):
    """A text message that is not UTF-8."""


def parse_message(message: bytes, decode: Decode = decode_client_event) -> FromClient | ClientRejected:
    """Return the input that a text message stands for.

    Raises:
        BadText: the message is not UTF-8 (RFC 6455 section 8.1: the connection must fail).
    """
    if not is_utf8(message):
        raise BadText
    try:
        return FromClient(decode(message))
    except ClientError as fault:
        return ClientRejected(fault.detail)


class ByteBudget:
    """At most so many bytes in use at a time; who asks first gets first."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._used_bytes = 0
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    @property
    def used_bytes(self) -> int:
        return self._used_bytes

    @asynccontextmanager
    async def hold(self, size_bytes: int) -> AsyncIterator[None]:
        """Use `size_bytes` of the budget for the length of the block.

        Raises:
            ValueError: more than the whole budget.
        """
        if size_bytes > self._limit_bytes:
            raise ValueError(f"expected at most {self._limit_bytes} bytes, got {size_bytes}")
        await self._take(size_bytes)
        try:
            yield
        finally:
            self._used_bytes -= size_bytes
            self._grant()

    async def _take(self, size_bytes: int) -> None:
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((size_bytes, turn))
        self._grant()
        try:
            await turn
        except asyncio.CancelledError:
            self._give_back(size_bytes, turn)
            raise

    def _give_back(self, size_bytes: int, turn: "asyncio.Future[None]") -> None:
        if turn.cancelled():
            self._waiting = deque(entry for entry in self._waiting if entry[1] is not turn)
        else:
            self._used_bytes -= size_bytes  # granted in the moment it was cancelled
        self._grant()

    def _grant(self) -> None:
        while self._waiting and self._used_bytes + self._waiting[0][0] <= self._limit_bytes:
            size_bytes, turn = self._waiting.popleft()
            if not turn.done():
                self._used_bytes += size_bytes
                turn.set_result(None)


class MessageParser:
    """Parses messages for all connections of a process; large ones aside, with a bound on bytes and threads."""

    def __init__(self, decode: Decode = decode_client_event, limit_bytes: int = PARSING_LIMIT_BYTES) -> None:
        self._decode = decode
        self._budget = ByteBudget(limit_bytes)
        self._threads = ThreadPoolExecutor(PARSING_THREADS, thread_name_prefix="parse")

    def with_decode(self, decode: Decode) -> "MessageParser":
        """Return a parser of other events with the same threads and the same bound on bytes."""
        other = copy.copy(self)
        other._decode = decode
        return other

    def parse(self, message: bytes) -> FromClient | ClientRejected:
        """As `parse_message`."""
        return parse_message(message, self._decode)

    async def parse_aside(self, message: bytes) -> FromClient | ClientRejected:
        """As `parse_message`, in a thread; waits while the process is parsing as many bytes as it may."""
        async with self._budget.hold(len(message)):
            return await asyncio.get_running_loop().run_in_executor(self._threads, self.parse, message)

    def close(self) -> None:
        """Let the threads end; nothing may be parsed aside afterwards."""
        self._threads.shutdown(wait=False, cancel_futures=True)
