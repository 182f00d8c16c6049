"""An open link to an upstream: bytes, rules, closing and back-pressure, over real sockets."""

import asyncio
import contextlib
import random
import select
import socket
import threading
import tracemalloc
from collections.abc import Awaitable, Callable

import pytest
from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed

from tests.transports.peers import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, close_payload, run
from tests.transports.upstream_peers import (
    GREETING,
    Heard,
    RawUpstream,
    echo,
    linked,
    plain,
    raw_upstream,
    settings,
    upstream,
)
from vivavoce.runtime.upstreams import UpstreamRequest
from vivavoce.transports.connection import MESSAGE_LIMIT_BYTES, accept_of
from vivavoce.transports.upstream_websocket import UpstreamWebSocket

KIB, MIB = 1024, 1024 * 1024
EDGE_SIZES = (1, 2, 125, 126, 127, 4095, 4096, 4097, 8191, 8192, 8193, 65535, 65536, 65537, 200_000, MIB, 4 * MIB)

HALF = b"x" * (MESSAGE_LIMIT_BYTES // 2 + 1)

Play = Callable[[RawUpstream], Awaitable[None]]


def connector(port: int) -> UpstreamWebSocket:
    return UpstreamWebSocket(settings(port))


def text_of(size_bytes: int, seed: int) -> bytes:
    """Return text in which no two stretches are alike, so that a byte out of place shows."""
    return random.Random(seed).randbytes(size_bytes // 2 + 1).hex().encode()[:size_bytes]


def heard_of(*frames: bytes, then: Play | None = None) -> Heard:
    """Return what a listener was told when an upstream accepts, sends frames, plays `then` and is gone."""

    async def play(peer: RawUpstream) -> None:
        await peer.accept()
        await peer.send(*frames)
        await (peer.reader.read() if then is None else then(peer))

    async def scenario() -> Heard:
        heard = Heard()
        async with raw_upstream(play) as port:
            await connector(port).connect(UpstreamRequest(None), heard)
            await heard.closed
            return heard

    return run(scenario())


# Bytes --------------------------------------------------------------------------------------------------------------


def test_messages_of_every_edge_size_go_and_come_back_byte_for_byte() -> None:
    messages = [text_of(size, size) for size in EDGE_SIZES]

    async def scenario() -> list[bytes]:
        heard = Heard()
        async with upstream(echo) as port, linked(connector(port), heard) as link:
            await heard.messages.get()
            echoes = []
            for message in messages:
                link.send(message)
                echoes.append(await heard.messages.get())
            return echoes

    assert run(scenario()) == messages


def test_large_frames_to_an_upstream_that_reads_late_arrive_whole() -> None:
    messages = [text_of(70_000, seed) for seed in range(200)]

    async def scenario() -> list[bytes]:
        received: asyncio.Future[list[bytes]] = asyncio.get_running_loop().create_future()
        may_read = asyncio.Event()

        async def read_late(connection: ServerConnection) -> None:
            await may_read.wait()
            received.set_result([(await connection.recv(decode=False)) for _ in messages])

        heard = Heard()
        async with upstream(read_late, max_queue=1) as port, linked(connector(port), heard) as link:
            for message in messages:
                link.send(message)
            may_read.set()
            return await received

    assert run(scenario()) == messages


def test_large_frames_to_a_listener_that_pauses_again_and_again_arrive_whole() -> None:
    messages = [text_of(70_000, seed) for seed in range(200)]

    async def send_all(connection: ServerConnection) -> None:
        for message in messages:
            await connection.send(message.decode())
        await connection.wait_closed()

    async def scenario() -> list[bytes]:
        heard = Heard()
        async with upstream(send_all) as port, linked(connector(port), heard) as link:
            heard.then = lambda message: link.pause_reading()
            received = []
            for _ in messages:
                received.append(await heard.messages.get())
                assert heard.messages.empty()
                link.resume_reading()
            return received

    assert run(scenario()) == messages


def test_fragments_are_joined_with_control_frames_between_them() -> None:
    heard = heard_of(
        plain(TEXT, b"one ", is_last=False),
        plain(PING, b"p"),
        plain(CONTINUATION, "zwö".encode()[:3], is_last=False),
        plain(CONTINUATION, "zwö".encode()[3:]),
        plain(TEXT, b"whole"),
        plain(CLOSE, close_payload(1000)),
    )

    assert [heard.messages.get_nowait() for _ in range(2)] == ["one zwö".encode(), b"whole"]


def test_a_large_message_leaves_no_large_buffer_behind() -> None:
    async def scenario() -> int:
        heard = Heard()
        async with upstream(echo) as port, linked(connector(port), heard) as link:
            await heard.messages.get()
            link.send(b"warm")
            await heard.messages.get()
            tracemalloc.start()
            heard.then = lambda message: link.pause_reading()  # nothing large comes back
            link.pause_reading()
            link.send(b"x" * 4 * MIB)
            while heard.flow.empty() or heard.flow.get_nowait() != "unblock":
                await asyncio.wait({heard.closed}, timeout=0.01)
            kept = tracemalloc.take_snapshot().filter_traces([tracemalloc.Filter(True, "*picows_connection*")])
            tracemalloc.stop()
            return sum(trace.size for trace in kept.traces)

    assert run(scenario()) < MIB


# Rules --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("frames", "code"),
    [
        pytest.param([plain(BINARY, b"\0")], 1003, id="binary"),
        pytest.param([plain(TEXT, b"\xff")], 1007, id="not UTF-8"),
        pytest.param([plain(CONTINUATION, b"x")], 1002, id="continuation without a start"),
        pytest.param([plain(TEXT, b"x", reserved=4)], 1002, id="reserved bit"),
        pytest.param([plain(3, b"x")], 1002, id="unknown opcode"),
        pytest.param([b"\x81\x81\0\0\0\0x"], 1002, id="masked"),
        pytest.param([plain(PING, b"x", is_last=False)], 1002, id="fragmented ping"),
        pytest.param([plain(CLOSE, close_payload(1005))], 1002, id="a close code that must not be sent"),
        pytest.param([plain(TEXT, b"x" * (MESSAGE_LIMIT_BYTES + 1))], 1009, id="too large"),
        pytest.param([plain(TEXT, HALF, is_last=False), plain(CONTINUATION, HALF)], 1009, id="large fragments"),
    ],
)
def test_a_broken_rule_fails_the_link_before_it_is_closed(frames: list[bytes], code: int) -> None:
    async def play(peer: RawUpstream) -> None:
        await peer.accept()
        await peer.send(plain(TEXT, b"before"), *frames)
        closes.append(int.from_bytes((await peer.read_frame())[1][:2], "big"))

    async def scenario() -> Heard:
        heard = Heard()
        async with raw_upstream(play) as port:
            await connector(port).connect(UpstreamRequest(None), heard)
            await heard.closed
            return heard

    closes: list[int] = []
    heard = run(scenario())

    assert closes == [code]
    assert heard.closed.result()[0] == code
    assert heard.faults.get_nowait().kind == "broken"
    assert heard.order == ["message", "failed", "closed"]


@pytest.mark.fuzz
def test_after_any_bytes_the_link_ends_and_the_listener_learns_it_once() -> None:
    async def play(peer: RawUpstream) -> None:
        await peer.accept()
        await peer.send(noises.pop())
        peer.writer.write_eof()
        await peer.reader.read()

    async def scenarios() -> list[list[str]]:
        orders = []
        async with raw_upstream(play) as port:
            while noises:
                heard = Heard()
                await connector(port).connect(UpstreamRequest(None), heard)
                await heard.closed
                orders.append([told for told in heard.order if told != "message"])
        return orders

    generator = random.Random(12)
    noises = [bytes([first, second]) + bytes(20) for first in range(0, 256, 5) for second in (0, 5, 0x7E, 0x80)]
    noises += [generator.randbytes(generator.randrange(300)) for _ in range(100)]

    orders = run(scenarios())

    assert all(order in (["closed"], ["failed", "closed"]) for order in orders)


def test_nothing_is_delivered_after_an_abort_from_within_a_message() -> None:
    async def play(peer: RawUpstream) -> None:
        await peer.accept()
        await peer.send(plain(TEXT, b"one"), plain(TEXT, b"two"))
        await peer.reader.read()

    async def scenario() -> list[str]:
        heard = Heard()
        async with raw_upstream(play) as port:
            link = await connector(port).connect(UpstreamRequest(None), heard)
            heard.then = lambda message: link.abort()
            await heard.closed
            return heard.order

    assert run(scenario()) == ["message", "closed"]


def test_a_listener_that_raises_ends_its_link_and_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    async def play(peer: RawUpstream) -> None:
        await peer.accept()
        await peer.send(plain(TEXT, b"one"))
        await peer.reader.read()

    def fail(message: bytes) -> None:
        raise RuntimeError("a bug, for the test")

    async def scenario() -> list[str]:
        heard = Heard()
        async with raw_upstream(play) as port:
            await connector(port).connect(UpstreamRequest(None), heard)
            heard.then = fail
            await heard.closed
            return heard.order

    assert run(scenario()) == ["message", "failed", "closed"]
    assert any(record.exc_info and "a bug" in str(record.exc_info[1]) for record in caplog.records)


def test_a_message_at_the_limit_is_taken() -> None:
    heard = heard_of(plain(TEXT, b"x" * MESSAGE_LIMIT_BYTES), plain(CLOSE, close_payload(1000)))

    assert len(heard.messages.get_nowait()) == MESSAGE_LIMIT_BYTES


# Closing ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "reason"), [(1000, ""), (1001, "going away"), (1008, "grüß"), (3000, "x"), (4999, "")]
)
def test_the_upstreams_close_code_and_reason_are_told(code: int, reason: str) -> None:
    heard = heard_of(plain(CLOSE, close_payload(code, reason)))

    assert heard.closed.result() == (code, reason)
    assert heard.order == ["closed"]


def test_an_empty_close_frame_is_told_as_1005() -> None:
    assert heard_of(plain(CLOSE)).closed.result() == (1005, "")


def test_an_upstream_that_is_gone_is_told_as_1006() -> None:
    async def leave(peer: RawUpstream) -> None:
        peer.writer.transport.abort()

    assert heard_of(plain(TEXT, b"x"), then=leave).closed.result() == (1006, "")


def test_our_close_follows_what_was_sent_and_nothing_is_delivered_any_more() -> None:
    frames: list[tuple[int, bytes]] = []

    async def play(peer: RawUpstream) -> None:
        await peer.accept()
        frames.append(await peer.read_frame())
        frames.append(await peer.read_frame())
        await peer.send(plain(TEXT, b"too late"), plain(CLOSE, close_payload(1000)))
        await peer.reader.read()

    async def scenario() -> Heard:
        heard = Heard()
        async with raw_upstream(play) as port:
            link = await connector(port).connect(UpstreamRequest(None), heard)
            link.send(b"last words")
            link.close()
            link.send(b"dropped")
            await heard.closed
            link.close()
            link.abort()
            return heard

    heard = run(scenario())

    assert frames == [(TEXT, b"last words"), (CLOSE, close_payload(1000))]
    assert heard.order == ["closed"]
    assert heard.closed.result()[0] == 1000


def test_after_our_close_no_fault_is_told() -> None:
    async def play(peer: RawUpstream) -> None:
        await peer.accept()
        await peer.read_frame()
        await peer.send(plain(BINARY, b"x"), plain(3, b"x"))
        await peer.reader.read()

    async def scenario() -> list[str]:
        heard = Heard()
        async with raw_upstream(play) as port:
            link = await connector(port).connect(UpstreamRequest(None), heard)
            link.close()
            await heard.closed
            return heard.order

    assert run(scenario()) == ["closed"]


def test_an_aborted_link_is_told_once_and_without_a_close_frame() -> None:
    rest: list[bytes] = []

    async def play(peer: RawUpstream) -> None:
        await peer.accept()
        rest.append(await peer.reader.read())
        gone.set()

    async def scenario() -> list[str]:
        heard = Heard()
        async with raw_upstream(play) as port:
            link = await connector(port).connect(UpstreamRequest(None), heard)
            link.abort()
            link.abort()
            await heard.closed
            await gone.wait()
            return heard.order

    gone = asyncio.Event()

    assert run(scenario()) == ["closed"]
    assert rest == [b""]


def test_a_ping_is_answered_while_reading_is_paused() -> None:
    async def play(peer: RawUpstream) -> None:
        await peer.accept(plain(TEXT, b"one"), plain(TEXT, b"two"), plain(PING, b"there?"))
        assert await peer.read_frame() == (PONG, b"there?")
        ponged.set()
        await peer.reader.read()

    async def scenario() -> int:
        heard = Heard()
        async with raw_upstream(play) as port, linked(connector(port), heard) as link:
            heard.then = lambda message: link.pause_reading()
            await ponged.wait()
            return heard.messages.qsize()

    ponged = asyncio.Event()

    assert run(scenario()) == 1


# Back-pressure ------------------------------------------------------------------------------------------------------


def test_an_upstream_that_does_not_read_blocks_writing_until_it_reads() -> None:
    async def scenario() -> list[str]:
        may_read = asyncio.Event()

        async def read_late(connection: ServerConnection) -> None:
            await may_read.wait()
            async for _ in connection:
                pass

        heard = Heard()
        async with upstream(read_late, max_queue=1) as port, linked(connector(port), heard) as link:
            while heard.flow.empty():
                link.send(b"x" * 10_000)
            may_read.set()
            return [await heard.flow.get(), await heard.flow.get()]

    assert run(scenario()) == ["block", "unblock"]


def test_a_flood_to_a_paused_listener_and_afterwards_costs_little_memory() -> None:
    """The flood comes from a thread that allocates nothing, so what is traced is the link's."""

    async def scenario(flood: "Flood") -> tuple[int, int]:
        heard = Heard()
        async with linked(connector(flood.port), heard) as link:
            link.pause_reading()
            tracemalloc.start()
            await asyncio.to_thread(flood.stalled.wait)
            before = heard.messages.qsize()
            heard.then = lambda message: heard.messages.get_nowait()
            link.resume_reading()
            await asyncio.to_thread(flood.resumed.wait)
            link.pause_reading()
            peak_bytes = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
            return before, peak_bytes

    with Flood() as flood:
        before, peak_bytes = run(scenario(flood))

    assert before == 0
    assert peak_bytes < 2 * MIB


class Flood:
    """An upstream that sends to one client, from a thread, as much as it takes."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._run)
        self.port: int = self._listener.getsockname()[1]
        self.stalled = threading.Event()  # the client took nothing for a while
        self.resumed = threading.Event()  # then it took 64 MiB

    def __enter__(self) -> "Flood":
        self._thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._listener.close()
        self._thread.join()

    def _run(self) -> None:
        connection, _ = self._listener.accept()
        with connection, contextlib.suppress(OSError):
            head = b""
            while b"\r\n\r\n" not in head:
                head += connection.recv(4096)
            key = next(line.split()[1] for line in head.decode().split("\r\n") if line.startswith("Sec-WebSocket-Key"))
            answer = "HTTP/1.1 101 X\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "
            connection.sendall((answer + accept_of(key) + "\r\n\r\n").encode())
            self._send_all(connection)

    def _send_all(self, connection: socket.socket) -> None:
        frames = memoryview(plain(TEXT, b"x" * 2600) * 1000)
        start, sent_bytes = 0, 0
        connection.setblocking(False)
        while True:
            if not select.select([], [connection], [], 0.1)[1]:
                self.stalled.set()
                sent_bytes = 0
                continue
            sent = connection.send(frames[start:])
            start, sent_bytes = (start + sent) % len(frames), sent_bytes + sent
            if self.stalled.is_set() and sent_bytes > 64 * MIB:
                self.resumed.set()


def test_a_server_of_the_library_sees_an_orderly_end() -> None:
    async def scenario() -> tuple[int, str]:
        ended: asyncio.Future[ConnectionClosed] = asyncio.get_running_loop().create_future()

        async def serve(connection: ServerConnection) -> None:
            try:
                await connection.send(GREETING.decode())
                await connection.recv()
            except ConnectionClosed as closed:
                ended.set_result(closed)

        heard = Heard()
        async with upstream(serve) as port:
            link = await connector(port).connect(UpstreamRequest(None), heard)
            await heard.messages.get()
            link.close()
            closed = await ended
            await heard.closed
        assert closed.rcvd is not None
        return closed.rcvd.code, closed.rcvd.reason

    assert run(scenario()) == (1000, "")
