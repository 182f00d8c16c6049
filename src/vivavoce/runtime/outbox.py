"""A bounded outbox in front of one connection.

Theory of operation. A message takes one of two ways. On the fast way (nothing queued, the connection takes
data, no gate in the way) it is written at once. Otherwise it is queued, and the queue is flushed when the
connection takes data again or the gate opens. Nothing is ever dropped while the connection lives:

- Above `HIGH_MARK_BYTES` of unsent data the outbox is *full* until it falls to `LOW_MARK_BYTES`: `writable()`
  waits, and the owner is told so that it stops reading from the client as well.
- A client that takes nothing for `STALL_LIMIT_S` is closed with 1013 (try again later).
- A *final* message (one that tells the client that something is kept) waits for the persistence gate, and so
  does everything behind it. If persisting fails, what waits is discarded, the client gets an `error` event and
  close code 1011: nothing is acknowledged that is not durable.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Final, Protocol

from vivavoce.runtime.tasks import Tasks

HIGH_MARK_BYTES: Final = 256 * 1024
LOW_MARK_BYTES: Final = HIGH_MARK_BYTES // 2
STALL_LIMIT_S: Final = 10.0
STALL_CHECK_S: Final = 1.0

CLOSE_INTERNAL: Final = 1011
CLOSE_TRY_LATER: Final = 1013


class Cancellable(Protocol):
    """A pending call that can be called off."""

    def cancel(self) -> None: ...


class Timers(Protocol):
    """The part of an event loop that knows time; `time()` is monotonic seconds."""

    def time(self) -> float: ...

    def call_later(self, delay: float, callback: Callable[[], object], /) -> Cancellable: ...


class Writer(Protocol):
    """Where encoded messages go. `send` never blocks; what the network does not take is buffered."""

    def send(self, message: bytes) -> None: ...

    def buffered_bytes(self) -> int:
        """Bytes that were sent and that the network has not taken."""
        ...

    def close(self, code: int, reason: str) -> None:
        """Close after what was sent; the first call counts."""
        ...


class PersistenceGate(Protocol):
    """Tells when a session's records are durable. Opening `sequence` opens every smaller one."""

    def is_open(self, sequence: int) -> bool: ...

    async def persisted(self, sequence: int) -> None:
        """Return when everything up to `sequence` is durable.

        Raises:
            Exception: it will never be; the session must end.
        """
        ...


class OpenGate:
    """The gate of a server that keeps nothing: always open."""

    def is_open(self, sequence: int) -> bool:
        return True

    async def persisted(self, sequence: int) -> None:
        return None


class StallWatch:
    """Calls `give_up` when a counter of sent bytes stands still for `STALL_LIMIT_S` between `start` and `stop`."""

    def __init__(self, timers: Timers, sent_bytes: Callable[[], int], give_up: Callable[[], None]) -> None:
        self._timers = timers
        self._sent_bytes = sent_bytes
        self._give_up = give_up
        self._last_sent_bytes = 0
        self._deadline = 0.0
        self._pending: Cancellable | None = None

    def start(self) -> None:
        if self._pending is None:
            self._last_sent_bytes = self._sent_bytes()
            self._deadline = self._timers.time() + STALL_LIMIT_S
            self._arm()

    def stop(self) -> None:
        if self._pending is not None:
            self._pending.cancel()
            self._pending = None

    def _arm(self) -> None:
        self._pending = self._timers.call_later(STALL_CHECK_S, self._check)

    def _check(self) -> None:
        now, sent_bytes = self._timers.time(), self._sent_bytes()
        if sent_bytes > self._last_sent_bytes:
            self._last_sent_bytes, self._deadline = sent_bytes, now + STALL_LIMIT_S
        if now < self._deadline:
            self._arm()
            return
        self._pending = None
        self._give_up()


class GateWait:
    """The wait of one outbox at its persistence gate: at most one task, only while the gate is closed."""

    def __init__(self, gate: PersistenceGate, pass_on: Callable[[], None], fail: Callable[[Exception], None]) -> None:
        self._gate = gate
        self._pass_on = pass_on
        self._fail = fail
        self._persisted_sequence = 0
        self._is_waiting = False
        self._tasks = Tasks()

    def is_open(self, sequence: int) -> bool:
        return sequence <= self._persisted_sequence or self._gate.is_open(sequence)

    def wait(self, sequence: int) -> None:
        """Call `pass_on` once `sequence` is durable, or `fail` if it never will be."""
        if not self._is_waiting:
            self._is_waiting = True
            self._tasks.start(self._wait(sequence), name="outbox gate")

    def cancel(self) -> None:
        self._tasks.cancel()

    async def _wait(self, sequence: int) -> None:
        try:
            await self._gate.persisted(sequence)
        except Exception as fault:  # whatever the store raises, this session cannot go on
            self._fail(fault)
            return
        finally:
            self._is_waiting = False
        self._persisted_sequence = sequence
        self._pass_on()


class Outbox:
    """Messages on their way to one client, in order. See the module's theory of operation.

    It starts blocked: the owner calls `unblock` once the connection is up, `block` when it takes no more data,
    and `connection_lost` once when it is gone.
    """

    def __init__(
        self,
        writer: Writer,
        timers: Timers,
        *,
        describe_failure: Callable[[Exception], bytes],
        gate: PersistenceGate | None = None,
        set_full: Callable[[bool], None] = lambda is_full: None,
    ) -> None:
        """Make an outbox.

        Args:
            describe_failure: the encoded `error` event for a client whose records could not be persisted.
            set_full: told when the outbox gets full, and when it is not full any more.
        """
        self._writer = writer
        self._describe_failure = describe_failure
        self._set_full = set_full
        self._queue: deque[tuple[int, bytes, bool]] = deque()  # sequence, message, whether it is final
        self._queued_bytes = 0
        self._written_bytes = 0
        self._is_blocked = True
        self._end: tuple[int, str] | None = None
        self._room = asyncio.Event()
        self._room.set()
        self._stall = StallWatch(timers, self._sent_bytes, self._give_up)
        self._gate = GateWait(gate or OpenGate(), self._flush, self._fail)

    @property
    def depth_bytes(self) -> int:
        """Bytes the client has not been sent: queued here or buffered by the connection."""
        return self._queued_bytes + self._writer.buffered_bytes()

    def put(self, sequence: int, message: bytes, *, is_final: bool = False) -> None:
        """Send `message` after everything before it. Ignored after `end`."""
        if self._end is not None:
            return
        if not self._queue and not self._is_blocked and (not is_final or self._gate.is_open(sequence)):
            self._written_bytes += len(message)
            self._writer.send(message)
            return
        self._queue.append((sequence, message, is_final))
        self._queued_bytes += len(message)
        self._flush()

    def end(self, code: int, reason: str) -> None:
        """Close the connection once everything before was written; the first call counts."""
        if self._end is None:
            self._end = (code, reason)
            self._flush()

    def cut(self, code: int, reason: str) -> None:
        """Forget what is queued and close the connection at once."""
        self._end = (code, reason)
        self._discard()
        self._stall.stop()
        self._writer.close(code, reason)

    async def writable(self) -> None:
        """Return when the outbox is not full, or when the connection is gone."""
        await self._room.wait()

    def block(self) -> None:
        """The connection takes no more data."""
        self._is_blocked = True
        self._stall.start()
        self._measure()

    def unblock(self) -> None:
        """The connection takes data again."""
        self._is_blocked = False
        self._stall.stop()
        self._flush()

    def connection_lost(self) -> None:
        """Release everything; nobody waits any longer."""
        self._end = self._end or (CLOSE_INTERNAL, "")
        self._discard()
        self._stall.stop()
        self._gate.cancel()
        self._room.set()

    def _flush(self) -> None:
        while self._queue and not self._is_blocked:
            sequence, message, is_final = self._queue[0]
            if is_final and not self._gate.is_open(sequence):
                self._gate.wait(sequence)
                break
            self._queue.popleft()
            self._queued_bytes -= len(message)
            self._write(message)
        if not self._queue and not self._is_blocked and self._end is not None:
            self._writer.close(*self._end)
        self._measure()

    def _write(self, message: bytes) -> None:
        self._written_bytes += len(message)
        self._writer.send(message)

    def _fail(self, fault: Exception) -> None:
        self._discard()
        self._write(self._describe_failure(fault))
        self.cut(CLOSE_INTERNAL, "The conversation could not be stored.")

    def _sent_bytes(self) -> int:
        return self._written_bytes - self._writer.buffered_bytes()

    def _give_up(self) -> None:
        self.cut(CLOSE_TRY_LATER, f"No data was taken for {STALL_LIMIT_S:g} seconds.")

    def _discard(self) -> None:
        self._queue.clear()
        self._queued_bytes = 0

    def _measure(self) -> None:
        depth_bytes, is_full = self.depth_bytes, not self._room.is_set()
        if depth_bytes > HIGH_MARK_BYTES and not is_full:
            self._room.clear()
            self._set_full(True)
        elif depth_bytes <= LOW_MARK_BYTES and is_full:
            self._room.set()
            self._set_full(False)
