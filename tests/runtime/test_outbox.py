"""The outbox against a scripted network, a scripted store and a clock that is moved by hand."""

import asyncio
from collections.abc import Callable, Coroutine

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.runtime.manual_timers import ManualTimers
from tests.runtime.slow_store import SlowStore
from vivavoce.runtime.outbox import HIGH_MARK_BYTES, LOW_MARK_BYTES, STALL_LIMIT_S, Outbox

KIB = 1024


class Network:
    """A `Writer` whose network takes bytes only when told."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []
        self.closed: list[tuple[int, str]] = []
        self.pending_bytes = 0
        self.is_taking = True
        self._used = asyncio.Event()

    async def until(self, condition: Callable[[], bool]) -> None:
        """Return when a condition about what was sent and closed holds."""
        while not condition():
            self._used.clear()
            await self._used.wait()

    def send(self, message: bytes) -> None:
        self.sent.append(message)
        self._used.set()
        if not self.is_taking:
            self.pending_bytes += len(message)

    def buffered_bytes(self) -> int:
        return self.pending_bytes

    def close(self, code: int, reason: str) -> None:
        self.closed.append((code, reason))
        self._used.set()


class Bench:
    """An outbox with its surroundings."""

    def __init__(self, gate: SlowStore | None = None, *, is_up: bool = True) -> None:
        self.network = Network()
        self.timers = ManualTimers()
        self.fullness: list[bool] = []
        self.outbox = Outbox(
            self.network,
            self.timers,
            gate=gate,
            describe_failure=lambda fault: f"error: {fault}".encode(),
            set_full=self.fullness.append,
        )
        if is_up:
            self.outbox.unblock()

    def block(self) -> None:
        self.network.is_taking = False
        self.outbox.block()

    def take(self, size_bytes: int) -> None:
        """Let the network take some of what it has been sent."""
        self.network.pending_bytes -= size_bytes

    def unblock(self) -> None:
        self.network.pending_bytes = 0
        self.network.is_taking = True
        self.outbox.unblock()


def run(scenario: Coroutine[object, object, None]) -> None:
    async def limited() -> None:
        async with asyncio.timeout(10):
            await scenario

    asyncio.run(limited())


# The fast way ------------------------------------------------------------------------------------------


def test_a_message_goes_out_at_once() -> None:
    bench = Bench()

    bench.outbox.put(1, b"one")

    assert bench.network.sent == [b"one"]


def test_messages_wait_in_order_until_the_connection_is_up() -> None:
    bench = Bench(is_up=False)

    bench.outbox.put(1, b"one")
    bench.outbox.put(2, b"two", is_final=True)
    before = list(bench.network.sent)
    bench.outbox.unblock()

    assert before == []
    assert bench.network.sent == [b"one", b"two"]


def test_the_open_gate_needs_no_event_loop_and_sets_no_timer() -> None:
    bench = Bench()

    for sequence in range(1, 100):
        bench.outbox.put(sequence, b"final", is_final=True)

    assert len(bench.network.sent) == 99
    assert bench.timers.pending == 0


@given(st.lists(st.sampled_from(["put", "block", "unblock"]), max_size=60))
def test_whatever_the_network_does_messages_keep_their_order_and_none_is_lost(steps: list[str]) -> None:
    bench = Bench()
    put: list[bytes] = []

    for step in steps:
        if step == "put":
            put.append(f"message {len(put)}".encode())
            bench.outbox.put(len(put), put[-1])
        elif step == "block":
            bench.block()
        else:
            bench.unblock()
    bench.unblock()

    assert bench.network.sent == put


# Full ------------------------------------------------------------------------------------------


def test_above_the_high_mark_producers_wait_until_the_low_mark() -> None:
    async def scenario() -> None:
        bench = Bench()
        bench.block()
        for sequence in range(5):
            bench.outbox.put(sequence, b"x" * 64 * KIB)
        async with asyncio.TaskGroup() as tasks:
            waiting = tasks.create_task(bench.outbox.writable())
            await asyncio.wait({waiting}, timeout=0)
            assert not waiting.done()

            bench.unblock()

    run(scenario())


def test_at_the_high_mark_producers_do_not_wait() -> None:
    async def scenario() -> None:
        bench = Bench()
        bench.block()
        bench.outbox.put(1, b"x" * HIGH_MARK_BYTES)

        await bench.outbox.writable()

    run(scenario())


def test_the_owner_is_told_when_the_outbox_is_full_and_when_half_is_gone() -> None:
    bench = Bench()
    bench.block()

    bench.outbox.put(1, b"x" * (HIGH_MARK_BYTES + 1))
    bench.outbox.put(2, b"x")
    told_when_full = list(bench.fullness)
    bench.unblock()

    assert told_when_full == [True]
    assert bench.fullness == [True, False]


def test_between_the_marks_the_outbox_stays_full() -> None:
    bench = Bench()
    bench.network.is_taking = False
    bench.outbox.put(1, b"x" * (HIGH_MARK_BYTES + 1))
    bench.outbox.block()

    bench.take(HIGH_MARK_BYTES - LOW_MARK_BYTES - KIB)
    bench.outbox.unblock()

    assert bench.fullness == [True]


def test_nothing_is_dropped_far_above_the_high_mark() -> None:
    bench = Bench()
    bench.block()
    messages = [bytes([number]) * 64 * KIB for number in range(40)]

    for sequence, message in enumerate(messages):
        bench.outbox.put(sequence, message)
    depth_bytes = bench.outbox.depth_bytes
    bench.unblock()

    assert depth_bytes == 40 * 64 * KIB
    assert bench.network.sent == messages


def test_producers_do_not_wait_for_a_connection_that_is_gone() -> None:
    async def scenario() -> None:
        bench = Bench()
        bench.block()
        bench.outbox.put(1, b"x" * 2 * HIGH_MARK_BYTES)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(bench.outbox.writable())

            bench.outbox.connection_lost()

        assert bench.timers.pending == 0

    run(scenario())


# Stalls ------------------------------------------------------------------------------------------


def test_a_client_that_takes_nothing_for_ten_seconds_is_closed_with_1013() -> None:
    bench = Bench()
    bench.network.is_taking = False
    bench.outbox.put(1, b"x" * 100)
    bench.outbox.block()
    bench.outbox.put(2, b"never sent")

    bench.timers.advance(STALL_LIMIT_S - 0.1)
    before = list(bench.network.closed)
    bench.timers.advance(1.0)

    assert before == []
    assert [code for code, _ in bench.network.closed] == [1013]
    assert bench.network.sent == [b"x" * 100]


def test_a_client_that_takes_a_little_is_kept() -> None:
    bench = Bench()
    bench.network.is_taking = False
    bench.outbox.put(1, b"x" * 100)
    bench.outbox.block()

    for _ in range(10):
        bench.timers.advance(STALL_LIMIT_S - 1)
        bench.take(1)

    assert bench.network.closed == []


def test_a_client_that_took_everything_is_not_watched() -> None:
    bench = Bench()
    bench.block()
    bench.unblock()

    bench.timers.advance(10 * STALL_LIMIT_S)

    assert bench.network.closed == []


# Ending ------------------------------------------------------------------------------------------


def test_the_end_comes_after_everything_before_it() -> None:
    bench = Bench()
    bench.block()
    bench.outbox.put(1, b"last words")

    bench.outbox.end(1000, "done")
    closed_early = list(bench.network.closed)
    bench.unblock()

    assert closed_early == []
    assert bench.network.sent == [b"last words"]
    assert bench.network.closed == [(1000, "done")]


def test_nothing_follows_the_end() -> None:
    bench = Bench()

    bench.outbox.end(1000, "done")
    bench.outbox.put(1, b"too late")

    assert bench.network.sent == []


def test_the_first_end_counts() -> None:
    bench = Bench(is_up=False)

    bench.outbox.end(1001, "first")
    bench.outbox.end(1000, "second")
    bench.outbox.unblock()

    assert bench.network.closed == [(1001, "first")]


def test_a_cut_forgets_what_is_queued() -> None:
    bench = Bench()
    bench.block()
    bench.outbox.put(1, b"queued")

    bench.outbox.cut(1012, "restart")

    assert bench.network.closed == [(1012, "restart")]
    assert bench.network.sent == []
    assert bench.outbox.depth_bytes == 0


# The gate ------------------------------------------------------------------------------------------


def test_a_final_message_and_all_behind_it_wait_until_it_is_durable() -> None:
    async def scenario() -> None:
        store = SlowStore()
        bench = Bench(store)
        bench.outbox.put(1, b"delta")
        bench.outbox.put(2, b"done", is_final=True)
        bench.outbox.put(3, b"next delta")
        await store.asked.wait()
        assert bench.network.sent == [b"delta"]

        await store.persist(2)

        await bench.network.until(lambda: bench.network.sent == [b"delta", b"done", b"next delta"])

    run(scenario())


def test_each_final_message_waits_for_its_own_sequence() -> None:
    async def scenario() -> None:
        store = SlowStore()
        bench = Bench(store)
        bench.outbox.put(1, b"first", is_final=True)
        bench.outbox.put(2, b"second", is_final=True)
        await store.asked.wait()

        await store.persist(1)
        await bench.network.until(lambda: bench.network.sent == [b"first"])
        await store.persist(2)

        await bench.network.until(lambda: bench.network.sent == [b"first", b"second"])

    run(scenario())


def test_a_durable_final_message_does_not_wait() -> None:
    async def scenario() -> None:
        store = SlowStore()
        await store.persist(7)
        bench = Bench(store)

        bench.outbox.put(7, b"done", is_final=True)

        assert bench.network.sent == [b"done"]
        assert not store.asked.is_set()

    run(scenario())


def test_messages_that_wait_for_the_gate_make_the_outbox_full() -> None:
    async def scenario() -> None:
        store = SlowStore()
        bench = Bench(store)
        bench.outbox.put(1, b"done", is_final=True)

        bench.outbox.put(2, b"x" * 2 * HIGH_MARK_BYTES)
        await store.asked.wait()
        assert bench.fullness == [True]
        await store.persist(1)

        await bench.outbox.writable()
        assert bench.fullness == [True, False]

    run(scenario())


def test_a_slow_gate_is_not_a_stalled_client() -> None:
    async def scenario() -> None:
        store = SlowStore()
        bench = Bench(store)
        bench.outbox.put(1, b"done", is_final=True)
        await store.asked.wait()

        bench.timers.advance(10 * STALL_LIMIT_S)

        assert bench.network.closed == []
        bench.outbox.connection_lost()

    run(scenario())


def test_what_cannot_be_persisted_is_never_acknowledged() -> None:
    async def scenario() -> None:
        store = SlowStore()
        bench = Bench(store)
        bench.outbox.put(1, b"delta")
        bench.outbox.put(2, b"done", is_final=True)
        bench.outbox.put(3, b"behind it")
        await store.asked.wait()

        await store.fail(OSError("disk full"))

        await bench.network.until(lambda: bool(bench.network.closed))
        assert bench.network.sent == [b"delta", b"error: disk full"]
        assert [code for code, _ in bench.network.closed] == [1011]
        bench.outbox.put(4, b"too late")
        assert bench.network.sent[-1] == b"error: disk full"

    run(scenario())


def test_the_end_waits_for_the_gate_too() -> None:
    async def scenario() -> None:
        store = SlowStore()
        bench = Bench(store)
        bench.outbox.put(1, b"done", is_final=True)
        bench.outbox.end(1000, "bye")
        await store.asked.wait()
        assert bench.network.closed == []

        await store.persist(1)

        await bench.network.until(lambda: bench.network.closed == [(1000, "bye")])
        assert bench.network.sent == [b"done"]

    run(scenario())


def test_a_lost_connection_stops_waiting_for_the_gate() -> None:
    async def scenario() -> None:
        store = SlowStore()
        bench = Bench(store)
        bench.outbox.put(1, b"done", is_final=True)
        await store.asked.wait()

        bench.outbox.connection_lost()

        await store.abandoned.wait()

    run(scenario())


@pytest.mark.parametrize("size_bytes", [0, 1, LOW_MARK_BYTES, HIGH_MARK_BYTES])
def test_the_depth_counts_what_the_connection_buffers(size_bytes: int) -> None:
    bench = Bench()
    bench.network.is_taking = False

    bench.outbox.put(1, b"x" * size_bytes)

    assert bench.outbox.depth_bytes == size_bytes
