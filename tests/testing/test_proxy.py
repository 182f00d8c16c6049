"""The proxy hands on what it is given, shows it to the tap, and lets the mutator replace what the server says."""

import asyncio
import contextlib
import http
import json
import ssl
import subprocess
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from pathlib import Path

import pytest
from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed, ConnectionClosedError, InvalidStatus
from websockets.http11 import Request, Response
from websockets.typing import Subprotocol

from vivavoce.testing.proxy import Passed, Translation, recording_proxy

DEADLINE_S = 20.0
REALTIME = Subprotocol("realtime")


def run(work: Callable[[], Coroutine[object, object, None]]) -> None:
    async def limited() -> None:
        async with asyncio.timeout(DEADLINE_S):
            await work()

    asyncio.run(limited())


@contextlib.asynccontextmanager
async def echo_server() -> AsyncIterator[str]:
    """A server that tells what it was asked, echoes every message, and closes with 4001 when told to `leave`."""

    async def talk(connection: ServerConnection) -> None:
        request = connection.request
        assert request is not None
        asked = {"path": request.path, "headers": dict(request.headers.raw_items())}
        await connection.send(json.dumps(asked))
        with contextlib.suppress(ConnectionClosed):
            async for message in connection:
                if message == "leave":
                    await connection.close(4001, "as told")
                elif message == "vanish":
                    connection.transport.abort()
                else:
                    await connection.send(message)

    def refuse(connection: ServerConnection, request: Request) -> Response | None:
        if request.path == "/plain":
            return connection.respond(http.HTTPStatus.OK, "plain answer")
        if request.headers.get("Authorization") == "Bearer wrong":
            return connection.respond(http.HTTPStatus.UNAUTHORIZED, "wrong key")
        return None

    def choose(connection: ServerConnection, offered: Sequence[Subprotocol]) -> Subprotocol | None:
        return REALTIME if REALTIME in offered else None

    server = serve(talk, "127.0.0.1", 0, process_request=refuse, select_subprotocol=choose, compression="deflate")
    async with server as listening:
        yield f"http://127.0.0.1:{next(iter(listening.sockets)).getsockname()[1]}"


def test_path_query_headers_and_subprotocol_reach_the_server_and_its_choice_the_client() -> None:
    async def conversation() -> None:
        async with echo_server() as server, recording_proxy(server) as proxy:
            url = f"{proxy.websocket_url}/v1/realtime?model=x%20y"
            headers = {"Authorization": "Bearer right", "X-Own": "1"}
            async with connect(
                url, additional_headers=headers, subprotocols=[Subprotocol("other"), REALTIME], origin=None
            ) as client:
                asked = json.loads(await client.recv())

                assert client.subprotocol == "realtime"
            assert asked["path"] == "/v1/realtime?model=x%20y"
            assert {**asked["headers"], **headers} == asked["headers"]
            assert asked["headers"]["Host"] == server.removeprefix("http://")

    run(conversation)


def test_messages_of_every_kind_and_size_pass_and_the_tap_sees_them_in_order() -> None:
    messages: list[str | bytes] = ["", "short", "ü" * 70_000, b"", b"\x00\xff" * 40_000]
    seen: list[Passed] = []

    async def conversation() -> None:
        async with echo_server() as server, recording_proxy(server, tap=seen.append) as proxy:
            async with connect(f"{proxy.websocket_url}/talk") as client:
                await client.recv()
                for message in messages:
                    await client.send(message)
                    assert await client.recv() == message
                await client.send(["in ", "several ", "frames"])
                assert await client.recv() == "in several frames"

    run(conversation)

    passed = [*messages, "in several frames"]
    assert [entry.message for entry in seen[1:]] == [message for message in passed for _ in range(2)]
    assert [entry.direction for entry in seen] == ["<", *(">", "<") * len(passed)]
    assert {(entry.connection, entry.target) for entry in seen} == {(1, "/talk")}


def test_pings_go_through_to_the_other_end() -> None:
    async def conversation() -> None:
        async with echo_server() as server, recording_proxy(server) as proxy:
            async with connect(proxy.websocket_url, ping_interval=None) as client:
                waiter = await client.ping(b"are you there")
                assert await waiter >= 0

    run(conversation)


def test_the_code_and_reason_of_a_close_reach_the_client() -> None:
    async def conversation() -> None:
        async with echo_server() as server, recording_proxy(server) as proxy:
            async with connect(proxy.websocket_url) as client:
                await client.send("leave")
                await client.wait_closed()

                assert (client.close_code, client.close_reason) == (4001, "as told")

    run(conversation)


def test_a_lost_server_is_a_lost_connection_for_the_client() -> None:
    async def conversation() -> None:
        async with echo_server() as server, recording_proxy(server) as proxy:
            async with connect(proxy.websocket_url) as client:
                await client.recv()
                await client.send("vanish")
                with pytest.raises(ConnectionClosedError) as lost:
                    await client.recv()

                assert lost.value.rcvd is None

    run(conversation)


def test_a_lost_client_is_a_lost_connection_for_the_server_and_the_proxy_goes_on() -> None:
    async def conversation() -> None:
        async with echo_server() as server, recording_proxy(server) as proxy:
            async with connect(proxy.websocket_url) as client:
                await client.recv()
                client.transport.abort()
            async with connect(proxy.websocket_url) as client:
                assert "path" in json.loads(await client.recv())

    run(conversation)


def test_a_refused_upgrade_reaches_the_client_with_its_body() -> None:
    async def conversation() -> None:
        async with echo_server() as server, recording_proxy(server) as proxy:
            with pytest.raises(InvalidStatus) as refused:
                await connect(proxy.websocket_url, additional_headers={"Authorization": "Bearer wrong"})

            assert refused.value.response.status_code == 401
            assert refused.value.response.body == b"wrong key"

    run(conversation)


def test_plain_requests_pass() -> None:
    async def conversation() -> None:
        async with echo_server() as server, recording_proxy(server) as proxy:
            host, port = proxy.address.split(":")
            reader, writer = await asyncio.open_connection(host, int(port))
            writer.write(f"GET /plain HTTP/1.1\r\nHost: {proxy.address}\r\n\r\n".encode())
            answer = await reader.read()
            writer.close()

            assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
            assert answer.endswith(b"plain answer")

    run(conversation)


def test_the_origin_of_the_proxy_becomes_the_servers_and_a_foreign_one_stays() -> None:
    async def conversation() -> None:
        async with echo_server() as server, recording_proxy(server) as proxy:
            for origin, expected in ((proxy.url, server), ("http://elsewhere.example", "http://elsewhere.example")):
                async with connect(proxy.websocket_url, additional_headers={"Origin": origin}) as client:
                    asked = json.loads(await client.recv())

                    assert asked["headers"]["Origin"] == expected

    run(conversation)


def test_the_mutator_drops_changes_and_adds_messages_of_each_connection_on_its_own() -> None:
    def mutator() -> Callable[[str], Sequence[str]]:
        count = 0

        def change(message: str) -> Sequence[str]:
            nonlocal count
            count += 1
            return [[], ["twice", "twice"], [f"{count}: {message}"]][count % 3]

        return change

    async def conversation() -> None:
        async with echo_server() as server, recording_proxy(server, mutate=mutator) as proxy:
            for _ in range(2):
                async with connect(proxy.websocket_url) as client:
                    assert await client.recv() == "twice"
                    assert await client.recv() == "twice"
                    await client.send("a")
                    assert await client.recv() == "2: a"
                    await client.send("b")
                    await client.send(b"binary")
                    assert await client.recv() == b"binary"

    run(conversation)


class Numbering:
    """A `Translator` that numbers what passes, twice towards the client, and answers `no` itself."""

    def __init__(self) -> None:
        self._passed = 0

    def client(self, message: bytes) -> tuple[Sequence[bytes], Sequence[bytes]]:
        if message == b"no":
            return [], [b"refused"]
        self._passed += 1
        return [b"%s %d" % (message, self._passed)], []

    def server(self, message: bytes) -> Sequence[bytes]:
        return [] if message.startswith(b"{") else [message, message.upper()]


def test_the_translator_changes_both_directions_and_answers_itself() -> None:
    asked: list[str] = []
    passed: list[Passed] = []

    def tap(message: Passed) -> None:
        passed.append(message)

    async def conversation() -> None:
        async with echo_server() as server:
            async with recording_proxy(server, tap=tap, translate=Translation(Numbering)) as proxy:
                async with connect(proxy.websocket_url) as client:  # what the server asks is left out
                    await client.send("no")
                    asked.append(str(await client.recv()))
                    for text in ("one", "two"):
                        await client.send(text)
                        asked.extend([str(await client.recv()), str(await client.recv())])

    run(conversation)

    assert asked == ["refused", "one 1", "ONE 1", "two 2", "TWO 2"]
    onward = [one.message for one in passed if one.direction == ">"]
    assert onward == ["one 1", "two 2"]


def test_added_headers_reach_the_server() -> None:
    async def conversation() -> None:
        class Passing(Numbering):
            def server(self, message: bytes) -> Sequence[bytes]:
                return [message]

        translation = Translation(Passing, headers=("X-Added: 1",))
        async with echo_server() as server, recording_proxy(server, translate=translation) as proxy:
            async with connect(proxy.websocket_url) as client:
                asked = json.loads(await client.recv())

        assert asked["headers"]["X-Added"] == "1"

    run(conversation)


def test_a_fault_of_the_tap_is_raised() -> None:
    def tap(entry: Passed) -> None:
        raise ZeroDivisionError(entry.message)

    async def conversation() -> None:
        async with echo_server() as server, recording_proxy(server, tap=tap) as proxy:
            async with connect(proxy.websocket_url) as client:
                await client.wait_closed()

    with pytest.raises(ZeroDivisionError):
        run(conversation)


def test_clients_that_only_dial_tls_can_be_served_with_a_certificate(tmp_path: Path) -> None:
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    files = ["-keyout", str(key), "-out", str(certificate)]
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", *subject, *files]
    subprocess.run(command, check=True, capture_output=True)
    shown = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    shown.load_cert_chain(certificate, key)
    trusted = ssl.create_default_context(cafile=str(certificate))

    async def conversation() -> None:
        async with echo_server() as server, recording_proxy(server, tls=shown) as proxy:
            assert proxy.url.startswith("https://")
            async with connect(proxy.websocket_url, ssl=trusted) as client:
                await client.recv()
                await client.send("through")
                assert await client.recv() == "through"
            async with (
                recording_proxy(proxy.url, upstream_tls=trusted) as second,
                connect(second.websocket_url) as client,
            ):
                assert "path" in json.loads(await client.recv())

    run(conversation)
