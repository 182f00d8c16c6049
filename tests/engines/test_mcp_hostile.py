"""MCP servers that stall, flood, vanish, break the protocol or repeat secrets."""

import asyncio
import logging

import pytest

from tests.engines.mcp_servers import (
    TOKEN,
    Answer,
    Json,
    RawServer,
    Request,
    at,
    code_of,
    connecting,
    failure_of,
    greeting,
    scripted,
    write,
    write_json,
)
from vivavoce.engines.base import McpFailure
from vivavoce.protocol.items import McpError, McpHttpError, McpProtocolError

SHORT_S = 0.3  # of operations whose end is the deadline
SSE_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n"
PROMPT_S = 4.0  # for what must not wait for the package's own 5 s


async def flood(request: Request, writer: asyncio.StreamWriter) -> None:
    """Send a body without end."""
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n")
    while True:
        writer.write(b"10000\r\n" + b" " * 65536 + b"\r\n")
        await writer.drain()


async def flood_with_comments(request: Request, writer: asyncio.StreamWriter) -> None:
    """Send comments of an event stream without end."""
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n")
    while True:
        writer.write((b": nothing" * 100 + b"\n") * 100)
        await writer.drain()


@pytest.mark.parametrize("answer", [flood, flood_with_comments])
def test_an_answer_without_end_is_cut(answer: Answer) -> None:
    async def conversation() -> McpError:
        async with RawServer(greeting(answer)).listening() as server, connecting() as connector:
            error = await failure_of(connector, at(server.port))
            await server.ended.wait()
            return error

    error = asyncio.run(conversation())

    assert error == McpProtocolError(
        code=-32603, message="The MCP server's answer was not accepted: it is larger than 4194304 bytes."
    )


def test_an_answer_that_is_packed_is_not_unpacked() -> None:
    async def answer(request: Request, writer: asyncio.StreamWriter) -> None:
        await write(writer, "200 OK", b"\x1f\x8b", "content-encoding: gzip", "content-type: application/json")

    async def conversation() -> tuple[McpError, str]:
        async with RawServer(greeting(answer)).listening() as server, connecting() as connector:
            error = await failure_of(connector, at(server.port))
            return error, server.requests[-1].headers["accept-encoding"]

    error, wanted = asyncio.run(conversation())

    assert "compressed" in error.message
    assert wanted == "identity"


async def say_nothing(request: Request, writer: asyncio.StreamWriter) -> None:
    """Answer nothing at all."""


async def start_headers(request: Request, writer: asyncio.StreamWriter) -> None:
    """Send half of the headers."""
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-type:")


async def start_body(request: Request, writer: asyncio.StreamWriter) -> None:
    """Send half of a body."""
    writer.write(b'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{"')


async def drip(request: Request, writer: asyncio.StreamWriter) -> None:
    """Send an event stream of comments, one byte every 10 ms."""
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n")
    loop = asyncio.get_running_loop()

    def send_byte() -> None:
        if not writer.transport.is_closing():
            writer.write(b":")
            loop.call_later(0.01, send_byte)

    send_byte()


@pytest.mark.parametrize("answer", [say_nothing, start_headers, start_body, drip])
@pytest.mark.parametrize("is_greeted", [True, False])
def test_a_server_that_takes_for_ever_is_left_at_the_deadline(answer: Answer, is_greeted: bool) -> None:
    async def conversation() -> McpError:
        raw = RawServer(greeting(answer) if is_greeted else answer)
        async with raw.listening() as server, connecting(timeout_s=SHORT_S) as connector:
            async with asyncio.timeout(PROMPT_S):
                error = await failure_of(connector, at(server.port))
                await server.ended.wait()
            return error

    error = asyncio.run(conversation())

    assert error == McpHttpError(code=504, message="The MCP server did not answer within 0.3 s.")


@pytest.mark.parametrize("method", ["server/discover", "initialize", "notifications/initialized", "tools/call"])
def test_cancelling_ends_the_connection_at_once_wherever_the_server_stalls(method: str) -> None:
    async def conversation() -> bool:
        server = RawServer(scripted(lambda message: None), silent_on=[method])
        async with server.listening(), connecting() as connector, asyncio.TaskGroup() as tasks:
            call = tasks.create_task(connector.call_tool(at(server.port), "any", "{}"))
            await server.silenced.wait()
            call.cancel()
            async with asyncio.timeout(PROMPT_S):
                await asyncio.wait([call])
                await server.ended.wait()
            return call.cancelled()

    assert asyncio.run(conversation())


@pytest.mark.parametrize("answer", [say_nothing, start_headers, start_body])
def test_a_server_that_vanishes_during_a_call_is_unreachable(answer: Answer) -> None:
    async def answer_and_vanish(request: Request, writer: asyncio.StreamWriter) -> None:
        await answer(request, writer)
        await writer.drain()
        writer.close()

    async def conversation() -> McpError:
        async with RawServer(greeting(answer_and_vanish)).listening() as server, connecting() as connector:
            return await failure_of(connector, at(server.port))

    assert asyncio.run(conversation()) == McpHttpError(
        code=502, message="The MCP server could not be reached: the connection broke."
    )


@pytest.mark.parametrize("body", [b"{nope", b"[]", b'{"jsonrpc": "2.0"}', b"\xff", b"[" * 100_000, b""])
def test_what_is_no_json_rpc_is_refused(body: bytes) -> None:
    async def answer(request: Request, writer: asyncio.StreamWriter) -> None:
        await write(writer, "200 OK", body, "content-type: application/json")

    async def conversation() -> McpError:
        async with RawServer(greeting(answer)).listening() as server, connecting() as connector:
            return await failure_of(connector, at(server.port))

    assert asyncio.run(conversation()) == McpProtocolError(
        code=-32700, message="The MCP server's answer was not accepted: it is no JSON-RPC message."
    )


@pytest.mark.parametrize(
    "status", ["401 Unauthorized", "403 Forbidden", "429 Too Many", "500 Oops", "503 Later", "599 ?"]
)
@pytest.mark.parametrize("is_greeted", [True, False])
def test_an_http_error_is_told_by_its_status(status: str, is_greeted: bool) -> None:
    async def answer(request: Request, writer: asyncio.StreamWriter) -> None:
        await write(writer, status, b"no")

    async def conversation() -> tuple[McpError, int]:
        raw = RawServer(greeting(answer) if is_greeted else answer)
        async with raw.listening() as server, connecting() as connector:
            error = await failure_of(connector, at(server.port))
            return error, sum(request.method == "GET" for request in server.requests)

    error, listened = asyncio.run(conversation())

    assert code_of(error) == int(status[:3])
    assert listened == 0


@pytest.mark.parametrize(("to_get", "expected"), [("404 Not Found", 405), ("401 Unauthorized", 401)])
def test_the_older_transport_is_tried_and_its_refusal_told(to_get: str, expected: int) -> None:
    async def answer(request: Request, writer: asyncio.StreamWriter) -> None:
        await write(writer, "405 Not Allowed" if request.method == "POST" else to_get)

    async def conversation() -> tuple[McpError, list[str]]:
        async with RawServer(answer).listening() as server, connecting(timeout_s=SHORT_S) as connector:
            return await failure_of(connector, at(server.port)), [request.method for request in server.requests]

    error, methods = asyncio.run(conversation())

    assert (code_of(error), methods) == (expected, ["POST", "POST", "GET"])


async def echo(request: Request, writer: asyncio.StreamWriter) -> None:
    """Repeat the credentials in headers and body of a refusal."""
    said = f"{request.headers['authorization']} {request.headers['x-api-key']}"
    await write(writer, "401 Unauthorized", said.encode(), f"www-authenticate: {said}", f"x-said: {said}")


async def echo_as_json_rpc(request: Request, writer: asyncio.StreamWriter) -> None:
    """Repeat the credentials in a JSON-RPC error."""
    said = f"{request.headers['authorization']} {request.headers['x-api-key']}"
    error: Json = {"code": -32001, "message": said, "data": said}
    await write_json(writer, {"jsonrpc": "2.0", "id": request.message.get("id"), "error": error}, "400 Bad")


async def echo_as_garbage(request: Request, writer: asyncio.StreamWriter) -> None:
    """Repeat the credentials where a message should be."""
    said = f'"{request.headers["authorization"]} {request.headers["x-api-key"]}"'
    await write(writer, "200 OK", said.encode(), "content-type: application/json")


@pytest.mark.parametrize("answer", [echo, echo_as_json_rpc, echo_as_garbage, flood, say_nothing])
@pytest.mark.parametrize("is_greeted", [True, False])
def test_credentials_stand_in_no_log_and_no_error(
    answer: Answer, is_greeted: bool, caplog: pytest.LogCaptureFixture
) -> None:
    key = "another-secret-0123456789"
    caplog.set_level(logging.DEBUG)

    async def conversation() -> str:
        raw = RawServer(greeting(answer) if is_greeted else answer)
        async with raw.listening() as server, connecting(timeout_s=SHORT_S) as connector:
            there = at(server.port, authorization=TOKEN, headers=(("X-Api-Key", key),))
            with pytest.raises(McpFailure) as failed:
                await connector.call_tool(there, "any", '{"note": "private-note"}')
            return f"{failed.value!r} {failed.value} {failed.value.error!r} {failed.value.__cause__} {there!r}"

    shown = asyncio.run(conversation())

    logged = " ".join(f"{record.getMessage()} {record.exc_info}" for record in caplog.records)
    for secret in (TOKEN, key, TOKEN[:12], key[:12], "private-note"):
        assert secret not in shown
        assert secret not in logged


@pytest.mark.parametrize("status", ["401 Unauthorized", "500 Oops"])
def test_an_error_on_the_older_transport_is_told_at_once(status: str) -> None:
    async def answer(request: Request, writer: asyncio.StreamWriter) -> None:
        if request.path == "/messages":
            await write(writer, status)
        elif request.method == "POST":
            await write(writer, "405 Not Allowed")
        else:
            writer.write(SSE_HEAD + b"event: endpoint\ndata: /messages\n\n")

    async def conversation() -> McpError:
        async with RawServer(answer).listening() as server, connecting() as connector:
            return await failure_of(connector, at(server.port))

    assert code_of(asyncio.run(conversation())) == int(status[:3])


def test_the_older_transport_cannot_send_messages_elsewhere() -> None:
    async def conversation() -> tuple[McpError, int]:
        async with RawServer(scripted(lambda message: None)).listening() as canary:

            async def answer(request: Request, writer: asyncio.StreamWriter) -> None:
                if request.method == "POST":
                    await write(writer, "405 Not Allowed")
                else:
                    elsewhere = f"http://127.0.0.1:{canary.port}/messages"
                    writer.write(SSE_HEAD + f"event: endpoint\ndata: {elsewhere}\n\n".encode())

            async with RawServer(answer).listening() as server, connecting(timeout_s=SHORT_S) as connector:
                return await failure_of(connector, at(server.port, authorization=TOKEN)), canary.connections

    error, connections = asyncio.run(conversation())

    assert (code_of(error), connections) == (504, 0)
