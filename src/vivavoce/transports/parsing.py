"""From a text message to a session input: in place when it is small, in a thread when it is large.

Most sessions take decoded events. Relayed ones take the message as it came; of a large one they get the JSON too,
so that the loop's thread need not read it.
"""

import asyncio
import copy
import functools
from collections import deque
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Final, cast

from vivavoce.core.relay.messages import appended_bytes, read_client
from vivavoce.core.relay.vocabulary import ClientMessage
from vivavoce.core.vocabulary import ClientRejected, FromClient, Input
from vivavoce.dialects.beta import BetaDialect
from vivavoce.dialects.beta_messages import check_size
from vivavoce.protocol.client_events import ClientEvent
from vivavoce.protocol.codec import decode_client_event
from vivavoce.protocol.errors import ClientError
from vivavoce.transports.connection import is_utf8

INLINE_LIMIT_BYTES: Final = 256 * 1024
PARSING_LIMIT_BYTES: Final = 64 * 1024 * 1024
PARSING_THREADS: Final = 2

Decode = Callable[[bytes], ClientEvent]  # raises nothing but ClientError
Translate = Callable[[bytes], bytes]  # into a message of the GA API; raises nothing but ClientError
Parse = Callable[[bytes], Input]  # raises nothing but BadText


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


def pass_message(message: bytes) -> ClientMessage:
    """Return the input of a session that takes messages as they came; raises as `parse_message`."""
    if not is_utf8(message):
        raise BadText
    return ClientMessage(message)


def pass_translated(message: bytes, translate: Translate) -> ClientMessage | ClientRejected:
    """As `pass_message`, for a client of another dialect."""
    if not is_utf8(message):
        raise BadText
    try:
        return ClientMessage(translate(message))
    except ClientError as fault:
        return ClientRejected(fault.detail)


def pass_large(
    message: bytes, passing: Callable[[bytes], ClientMessage | ClientRejected]
) -> ClientMessage | ClientRejected:
    """Return what `passing` does with a large message, with its JSON unless it is audio; raises as `passing`."""
    passed = passing(message)
    if isinstance(passed, ClientRejected) or appended_bytes(passed.message) is not None:
        return passed
    try:
        check_size(passed.message)
        return ClientMessage(passed.message, read_client(passed.message))
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
        self._translate: Translate | None = None
        self._parse_large: Parse = functools.partial(parse_message, decode=decode)
        self._budget = ByteBudget(limit_bytes)
        self._threads = ThreadPoolExecutor(PARSING_THREADS, thread_name_prefix="parse")
        self.parse: Parse = self._parse_large  # as `parse_message`

    def with_decode(self, decode: Decode) -> "MessageParser":
        """Return a parser of other events with the same threads and the same bound on bytes."""
        other = copy.copy(self)
        other._decode = decode
        other.parse = other._parse_large = functools.partial(parse_message, decode=decode)
        return other

    def in_dialect(self, dialect: BetaDialect) -> "MessageParser":
        """Return the parser of a client of another dialect."""
        other = self.with_decode(functools.partial(dialect.decode, read=self._decode))
        other._translate = dialect.client
        return other

    @property
    def is_translating(self) -> bool:
        """Whether clients speak another dialect than sessions."""
        return self._translate is not None

    def passing(self) -> "MessageParser":
        """Return the parser for a session that takes messages as they came, or as its client's dialect makes them."""
        other, translate = copy.copy(self), self._translate
        passing = pass_message if translate is None else functools.partial(pass_translated, translate=translate)
        # Sessions that take messages have one more input than others; nothing between here and them looks at it.
        other.parse = cast(Parse, passing)
        other._parse_large = cast(Parse, functools.partial(pass_large, passing=passing))
        return other

    async def parse_aside(self, message: bytes) -> Input:
        """As `parse`, in a thread; waits while the process is parsing as many bytes as it may."""
        async with self._budget.hold(len(message)):
            return await asyncio.get_running_loop().run_in_executor(self._threads, self._parse_large, message)

    def close(self) -> None:
        """Let the threads end; nothing may be parsed aside afterwards."""
        self._threads.shutdown(wait=False, cancel_futures=True)
