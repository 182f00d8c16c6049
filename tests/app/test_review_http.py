"""Hostile requests: bodies that nobody reads, odd targets, names of keys where none belong."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from typing import Any, cast

import pytest

from tests.app.serving import Answer, ask, ask_json, read_answer, serving, upgrade_head
from tests.app.test_http_protocol import HEAD, Bench, Wire, empty_answer
from tests.transports.echo_host import EchoHost
from tests.transports.peers import run
from vivavoce.app.access import preflight_headers
from vivavoce.app.bodies import MAX_BODY_BYTES
from vivavoce.app.errors import logged_path
from vivavoce.app.http_protocol import DROPPED_LIMIT_BYTES, HEAD_DEADLINE_S, HEAD_LIMIT_BYTES
from vivavoce.app.server import AppSettings

CREATE = "POST /v1/realtime/client_secrets HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
LONG_HEAD = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000000\r\n\r\n"


class Client:
    """A client that sends whole bodies before it reads, on one connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def ask(self, head: str, body: bytes = b"") -> Answer:
        self._writer.write(head.encode() + f"Content-Length: {len(body)}\r\n\r\n".encode() + body)
        await self._writer.drain()
        return await read_answer(self._reader)


@contextlib.asynccontextmanager
async def client(settings: AppSettings | None = None) -> AsyncIterator[Client]:
    async with serving(EchoHost(), settings) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        yield Client(reader, writer)
        writer.transport.abort()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


# Bodies that were answered unread ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("head", "size_bytes", "status"),
    [
        ("POST /v1/nowhere HTTP/1.1\r\nHost: localhost\r\n", 1_000_000, 404),
        ("POST /v1/realtime/client_secrets HTTP/1.1\r\nHost: localhost\r\nContent-Type: a/b\r\n", 1_000_000, 415),
        (CREATE, MAX_BODY_BYTES + 1_000_000, 413),
    ],
)
def test_a_request_whose_body_is_not_read_gets_one_answer_and_the_next_its_own(
    head: str, size_bytes: int, status: int
) -> None:
    async def scenario() -> list[int]:
        async with client() as peer:
            first = await peer.ask(head, b" " * size_bytes)
            second = await peer.ask("GET /healthz HTTP/1.1\r\nHost: localhost\r\n")
            return [first.status, second.status]

    assert run(scenario()) == [status, 200]


def test_a_body_without_a_key_is_not_read_and_the_answer_arrives() -> None:
    async def scenario() -> list[int]:
        async with client(AppSettings(api_keys=("sk-good",))) as peer:
            first = await peer.ask(CREATE, b" " * 1_000_000)
            second = await peer.ask("GET /healthz HTTP/1.1\r\nHost: localhost\r\n")
            return [first.status, second.status]

    assert run(scenario()) == [401, 200]


def test_a_body_that_is_dropped_has_an_end() -> None:
    async def scenario() -> None:
        bench = Bench()
        bench.protocol.data_received(LONG_HEAD)
        await bench.answered()
        answered = bench.wire.written
        piece = b"x" * (1024 * 1024)

        for _ in range(DROPPED_LIMIT_BYTES // len(piece)):
            bench.protocol.data_received(piece)
        was_closed = bench.wire.is_closed
        bench.protocol.data_received(piece)

        assert (was_closed, bench.wire.is_closed) == (False, True)
        assert bench.wire.written == answered

    run(scenario())


def test_garbage_in_a_dropped_body_closes_without_a_second_answer() -> None:
    async def scenario() -> None:
        bench = Bench()
        bench.protocol.data_received(b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n")
        await bench.answered()
        answered = bench.wire.written

        bench.protocol.data_received(b"no size\r\n")

        assert bench.wire.is_closed
        assert bench.wire.written == answered

    run(scenario())


def test_a_head_after_a_dropped_body_has_the_bounds_of_any_head() -> None:
    async def scenario() -> None:
        bench = Bench()
        bench.protocol.data_received(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\n")
        await bench.answered()
        bench.protocol.data_received(b"xxxxx")

        bench.protocol.data_received(b"GET / HTTP/1.1\r\nX: " + b"x" * HEAD_LIMIT_BYTES)

        assert bench.wire.is_closed
        assert b" 431 " in bench.wire.written

    run(scenario())


def test_a_pipelined_request_is_not_cut_off_by_the_deadline_of_heads() -> None:
    async def scenario() -> None:
        bench, is_due = Bench(), asyncio.Event()
        answers = 0

        async def answer(scope: Any, receive: Any, send: Any) -> None:  # an ASGI application
            nonlocal answers
            answers += 1
            if answers == 2:
                await is_due.wait()
            await empty_answer(scope, receive, send)

        bench.protocol.app = answer
        bench.protocol.data_received(HEAD + HEAD)
        await asyncio.gather(*tuple(bench.state.tasks))
        bench.loop.advance(HEAD_DEADLINE_S + 0.1)
        was_closed = bench.wire.is_closed
        is_due.set()
        await bench.answered()

        assert not was_closed
        assert bench.wire.written.count(b"HTTP/1.1 204") == 2

    run(scenario())


def test_a_shutdown_does_not_wait_for_the_rest_of_a_body() -> None:
    async def scenario() -> None:
        bench = Bench()
        bench.protocol.data_received(LONG_HEAD)

        bench.protocol.shutdown()

        assert bench.wire.is_closed
        assert bench.wire.status == 503
        bench.protocol.connection_lost(None)
        await bench.answered()

    run(scenario())


def test_a_compressed_body_is_refused_as_such() -> None:
    async def scenario() -> Answer:
        async with client() as peer:
            return await peer.ask(f"{CREATE}Content-Encoding: gzip\r\n", b"{}")

    answer = run(scenario())

    assert answer.status == 415
    assert "'gzip'" in answer.error["message"]


# Sending -------------------------------------------------------------------------------------------------------------


class WireOfSocket(Wire):
    """A transport with a socket behind it."""

    def __init__(self, connection: socket.socket) -> None:
        super().__init__()
        self._connection = connection

    def get_extra_info(self, name: str) -> object:
        return self._connection if name == "socket" else super().get_extra_info(name)


def test_answers_do_not_wait_for_acknowledgements() -> None:
    async def scenario() -> int:
        with socket.socket() as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 0)
            bench = Bench()
            bench.protocol.connection_made(cast(asyncio.Transport, WireOfSocket(connection)))
            return connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)

    assert run(scenario()) != 0


# Targets -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("target", ["http://[/v1/realtime", "http://localhost", "://", "*", "http://[::1/x?y=1"])
def test_an_upgrade_with_an_odd_target_is_answered(target: str) -> None:
    async def scenario() -> Answer:
        async with serving(EchoHost()) as port:
            return await ask(port, upgrade_head(target))

    assert run(scenario()).status in (101, 400, 404)


def test_an_upgrade_may_name_the_whole_url() -> None:
    async def scenario() -> Answer:
        async with serving(EchoHost()) as port:
            return await ask(port, upgrade_head("http://localhost/v1/realtime?model=vivavoce-local"))

    assert run(scenario()).status == 101


@pytest.mark.parametrize("path", ["/v1/realtime/sessions/", "/v1/realtime/client_secrets/", "/api/client_secrets/"])
def test_nothing_is_redirected(path: str) -> None:
    async def scenario() -> Answer:
        async with serving(EchoHost()) as port:
            return await ask_json(port, f"POST {path}", {})

    assert run(scenario()).status == 404


# Logs and CORS -------------------------------------------------------------------------------------------------------


def test_a_key_in_a_path_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        async with serving(EchoHost()) as port:
            await ask_json(port, "DELETE /api/client_secrets/ek_0123456789abcdef")
            await ask_json(port, "GET /v1/models/sk-very-private")
            await ask(port, upgrade_head("/v1/realtime/vv_0123456789abcdef"))

    caplog.set_level("INFO", logger="vivavoce")
    run(scenario())

    paths = [getattr(record, "path", "") for record in caplog.records]
    assert "/api/client_secrets/ek_***" in paths
    assert "/v1/models/sk-***" in paths
    assert "/v1/realtime/vv_***" in paths


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("/v1/models", "/v1/models"),
        ("/\x1b[31m", "'/\\x1b[31m'"),
        ("/a\nb", "'/a\\nb'"),
        ("/" + "a" * 300, "/" + "a" * 199),
        ("/" + "a" * 190 + "/ek_0123456789", "/" + "a" * 190 + "/ek_***"),
    ],
)
def test_paths_are_logged_cut_and_printable(path: str, shown: str) -> None:
    assert logged_path(path) == shown


def test_a_preflight_allows_what_client_libraries_add() -> None:
    headers = preflight_headers("authorization, X-Stainless-OS, bad name, x\r\ny: z, openai-project")

    allowed = headers["access-control-allow-headers"]
    assert allowed.endswith("api-key, X-Stainless-OS, openai-project")
