"""Bounds on request heads: their time (moved by hand) and their size."""

import asyncio
import json
from typing import Any, cast

import pytest
import uvicorn
from uvicorn.server import ServerState

from tests.runtime.manual_timers import ManualTimers
from tests.transports.peers import run
from vivavoce.app.http_protocol import HEAD_DEADLINE_S, HEAD_LIMIT_BYTES, BoundedHttpProtocol

HEAD = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"


class Wire:
    """A transport that keeps what is written."""

    def __init__(self) -> None:
        self.written = b""
        self.is_closed = False

    def get_extra_info(self, name: str) -> object:
        return ("127.0.0.1", 1) if name in ("sockname", "peername") else None

    def write(self, data: bytes) -> None:
        self.written += data

    def close(self) -> None:
        self.is_closed = True

    def is_closing(self) -> bool:
        return self.is_closed

    def pause_reading(self) -> None:
        """Nothing is read here."""

    def resume_reading(self) -> None:
        """Nothing is read here."""

    @property
    def status(self) -> int:
        return int(self.written.split()[1])

    @property
    def error(self) -> dict[str, Any]:  # JSON boundary
        error: dict[str, Any] = json.loads(self.written.partition(b"\r\n\r\n")[2])["error"]
        return error


class HandMovedLoop(ManualTimers):
    """The part of a loop that uvicorn's protocol uses; requests are answered on the real one."""

    def create_task(self, work: Any) -> "asyncio.Task[None]":  # as the loop's
        return asyncio.get_running_loop().create_task(work)


async def empty_answer(scope: Any, receive: Any, send: Any) -> None:  # an ASGI application
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body", "body": b""})


class Bench:
    """A connection that was just made."""

    def __init__(self) -> None:
        config = uvicorn.Config(empty_answer, log_config=None, lifespan="off")
        config.load()
        self.wire, self.loop, self.state = Wire(), HandMovedLoop(), ServerState()
        self.protocol = BoundedHttpProtocol(config, self.state, {}, cast(asyncio.AbstractEventLoop, self.loop))
        self.protocol.connection_made(cast(asyncio.Transport, self.wire))

    async def answered(self) -> None:
        await asyncio.gather(*self.state.tasks)


def test_a_silent_connection_is_closed_in_time() -> None:
    async def scenario() -> None:
        bench = Bench()
        bench.loop.advance(HEAD_DEADLINE_S - 0.1)
        was_closed = bench.wire.is_closed

        bench.loop.advance(0.2)

        assert (was_closed, bench.wire.is_closed) == (False, True)
        assert bench.wire.written == b""

    run(scenario())


def test_a_head_that_comes_drop_by_drop_is_answered_with_408() -> None:
    async def scenario() -> None:
        bench = Bench()
        for index in range(20):
            bench.protocol.data_received(HEAD[index : index + 1])
            bench.loop.advance(1.0)
            if bench.wire.is_closed:
                break

        assert bench.loop.now == 1000.0 + HEAD_DEADLINE_S
        assert bench.wire.status == 408
        assert bench.wire.error["type"] == "invalid_request_error"

    run(scenario())


def test_a_head_without_end_is_answered_with_431() -> None:
    async def scenario() -> None:
        bench = Bench()
        bench.protocol.data_received(b"GET / HTTP/1.1\r\n")
        line = b"X-Long: " + b"x" * 1000 + b"\r\n"
        for _ in range(HEAD_LIMIT_BYTES // len(line) + 1):
            bench.protocol.data_received(line)

        assert bench.wire.is_closed
        assert bench.wire.status == 431

    run(scenario())


def test_a_whole_head_stops_the_clock() -> None:
    async def scenario() -> None:
        bench = Bench()
        bench.protocol.data_received(HEAD)
        bench.loop.advance(10 * HEAD_DEADLINE_S)

        assert not bench.wire.is_closed
        await bench.answered()
        assert bench.wire.status == 204

    run(scenario())


def test_the_next_head_on_a_kept_connection_has_its_own_deadline() -> None:
    async def scenario() -> None:
        bench = Bench()
        bench.protocol.data_received(HEAD)
        await bench.answered()

        bench.protocol.data_received(HEAD[:10])
        bench.loop.advance(HEAD_DEADLINE_S + 0.1)

        assert bench.wire.is_closed

    run(scenario())


def test_a_slow_body_of_an_answered_request_is_cut_off() -> None:
    async def scenario() -> None:
        bench = Bench()
        bench.protocol.data_received(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n")
        await bench.answered()

        for _ in range(20):
            bench.protocol.data_received(b"x")
            bench.loop.advance(1.0)

        assert bench.wire.is_closed

    run(scenario())


def test_a_lost_connection_leaves_no_timer_behind() -> None:
    async def scenario() -> None:
        bench = Bench()

        bench.protocol.connection_lost(None)

        assert bench.loop.pending == 0

    run(scenario())


@pytest.mark.parametrize("data", [b"\x16\x03\x01\x02\x00\x01", b"GET /\xff HTTP/9.9\r\n\r\n", b"\r\n" * 3 + b"\0"])
def test_what_is_no_http_is_answered_in_the_apis_shape(data: bytes) -> None:
    async def scenario() -> None:
        bench = Bench()

        bench.protocol.data_received(data)

        assert bench.wire.is_closed
        assert bench.wire.status == 400
        assert bench.wire.error["type"] == "invalid_request_error"

    run(scenario())
