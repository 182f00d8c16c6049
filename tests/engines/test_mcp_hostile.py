"""MCP servers that lead astray, stall, flood, vanish or repeat secrets."""

import asyncio
import datetime
import ipaddress
import logging
import ssl
from collections.abc import Sequence
from pathlib import Path

import httpx2
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.engines.mcp_servers import (
    TOKEN,
    Answer,
    Json,
    RawServer,
    Request,
    at,
    connecting,
    scripted,
    write,
    write_json,
)
from vivavoce.core.requests import McpServer
from vivavoce.engines.base import McpFailure
from vivavoce.engines.mcp.connector import McpHttpConnector
from vivavoce.engines.mcp.exchange import Exchange
from vivavoce.engines.mcp.network import PinnedNetwork
from vivavoce.engines.mcp.transport import GuardedTransport
from vivavoce.protocol.items import McpError, McpHttpError, McpProtocolError

SHORT_S = 0.3  # of operations whose end is the deadline
PROMPT_S = 4.0  # for what must not wait for the package's own 5 s


async def failure_of(connector: McpHttpConnector, server: McpServer) -> McpError:
    """Return why a call fails."""
    with pytest.raises(McpFailure) as failed:
        await connector.call_tool(server, "any", "{}")
    return failed.value.error


def code_of(error: McpError) -> int:
    """Return the HTTP status of an error."""
    assert isinstance(error, McpHttpError), error
    return error.code


class Names:
    """A resolver with a table; every question takes the next answer, the last one stays."""

    def __init__(self, **answers: Sequence[Sequence[str]]) -> None:
        self.asked: list[str] = []
        self._answers = {name: list(found) for name, found in answers.items()}

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        self.asked.append(host)
        answers = self._answers.get(host)
        if answers is None:
            raise OSError("not known")
        return answers.pop(0) if len(answers) > 1 else answers[0]


def greeting(answer: Answer) -> Answer:
    """Return the answer of a server that shakes hands and treats other messages by `answer`."""
    friendly = scripted(lambda message: None)

    async def decide(request: Request, writer: asyncio.StreamWriter) -> None:
        is_call = request.message.get("method") == "tools/call"
        await (answer if is_call else friendly)(request, writer)

    return decide


async def redirect_away(location: str, status: str = "307 Temporary Redirect") -> McpError:
    """Return what becomes of a call to a server that redirects everything."""

    async def answer(request: Request, writer: asyncio.StreamWriter) -> None:
        await write(writer, status, b"", f"location: {location}")

    async with RawServer(answer).listening() as server, connecting("127.0.0.1", "localhost") as connector:
        return await failure_of(connector, at(server.port, authorization=TOKEN))


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent"])
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_redirect_to_another_origin_is_not_followed_though_its_host_is_allowed(status: str, host: str) -> None:
    async def conversation() -> tuple[McpError, int]:
        async with RawServer(scripted(lambda message: None)).listening() as canary:
            error = await redirect_away(f"http://{host}:{canary.port}/mcp", status)
            return error, canary.connections

    error, connections = asyncio.run(conversation())

    assert (code_of(error), connections) == (int(status[:3]), 0)


@pytest.mark.parametrize(
    "location", ["http://169.254.169.254/latest/meta-data", "//evil.example/", "file:///etc/passwd", "http://u:p@[::1"]
)
def test_a_redirect_to_where_nobody_may_go_fails(location: str) -> None:
    error = asyncio.run(redirect_away(location))

    assert isinstance(error, McpHttpError | McpProtocolError)


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("http://evil.example/", "not among"),
        ("http://127.0.0.1:1/mcp", "another origin"),
        ("http://a.example:2/", "user"),
    ],
)
def test_a_request_that_leaves_the_origin_is_stopped_before_credentials_are_added(url: str, says: str) -> None:
    async def attempt() -> tuple[McpError | None, bool]:
        exchange = Exchange()
        network = PinnedNetwork(("127.0.0.1", "a.example"), Names(), exchange)
        server = at(80, authorization=TOKEN)
        transport = GuardedTransport(server, ("127.0.0.1", "a.example"), network, ssl.create_default_context())
        target = url.replace("a.example", "x@a.example") if says == "user" else url
        request = httpx2.Request("POST", target)
        with pytest.raises(httpx2.TransportError):
            await transport.handle_async_request(request)
        await transport.shut()
        return exchange.failure, "authorization" in request.headers

    failure, has_credentials = asyncio.run(attempt())

    assert isinstance(failure, McpHttpError)
    assert failure.code == 403
    assert says in failure.message
    assert not has_credentials


@pytest.mark.parametrize("found", [["127.0.0.1"], ["8.8.8.8", "127.0.0.1"], ["::ffff:127.0.0.1"], ["169.254.169.254"]])
def test_any_public_host_does_not_mean_a_name_that_leads_inside(found: list[str]) -> None:
    async def conversation() -> tuple[McpError, int]:
        async with RawServer(scripted(lambda message: None)).listening() as canary:
            names = Names(**{"a.example": [found]})
            async with connecting("*", resolve=names) as connector:
                server = McpServer(label="a", url=f"https://a.example:{canary.port}/mcp")
                return await failure_of(connector, server), canary.connections

    error, connections = asyncio.run(conversation())

    assert (code_of(error), connections) == (403, 0)


def test_a_name_is_resolved_once_per_connection_and_dialled_as_it_was_checked() -> None:
    async def conversation() -> tuple[str, list[str], int]:
        good = RawServer(scripted(lambda message: {"result": {"content": []}}))
        canary = RawServer(scripted(lambda message: {"result": {"content": []}}))
        names = Names(**{"a.example": [["127.0.0.1"], ["127.0.0.2"]]})
        async with good.listening(), canary.listening(good.port, "127.0.0.2"):
            async with connecting("a.example", resolve=names) as connector:
                text = await connector.call_tool(at(good.port, host="a.example"), "any", "{}")
            return text, names.asked, canary.connections

    assert asyncio.run(conversation()) == ("", ["a.example"], 0)


def test_a_name_that_is_rebound_is_checked_again_for_the_next_connection() -> None:
    async def hang_up(request: Request, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async def conversation() -> list[int]:
        names = Names(**{"a.example": [["127.0.0.1"], ["169.254.169.254"]]})
        async with RawServer(hang_up).listening() as server, connecting("a.example", resolve=names) as connector:
            return [code_of(await failure_of(connector, at(server.port, host="a.example"))) for _ in range(2)]

    assert asyncio.run(conversation()) == [502, 403]


def test_the_next_address_is_tried_where_one_does_not_answer() -> None:
    async def conversation() -> str:
        names = Names(**{"a.example": [["127.0.0.3", "127.0.0.1"]]})
        server = RawServer(scripted(lambda message: {"result": {"content": [{"type": "text", "text": "here"}]}}))
        async with server.listening(), connecting("a.example", resolve=names) as connector:
            return await connector.call_tool(at(server.port, host="a.example"), "any", "{}")

    assert asyncio.run(conversation()) == "here"


def test_a_proxy_of_the_environment_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    async def conversation() -> tuple[str, int]:
        server = RawServer(scripted(lambda message: {"result": {"content": []}}))
        proxy = RawServer(scripted(lambda message: None))
        async with server.listening(), proxy.listening():
            for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
                monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
            async with connecting() as connector:
                return await connector.call_tool(at(server.port), "any", "{}"), proxy.connections

    assert asyncio.run(conversation()) == ("", 0)


@pytest.mark.parametrize(
    ("host", "says"), [("127.0.0.1", "does not accept connections"), ("gone.example", "'gone.example' has no address")]
)
def test_a_server_that_is_not_there_is_unreachable(host: str, says: str) -> None:
    async def conversation() -> McpError:
        async with RawServer(scripted(lambda message: None)).listening() as server:
            port = server.port
        async with connecting(host, resolve=Names()) as connector:
            return await failure_of(connector, at(port, host=host))

    assert asyncio.run(conversation()) == McpHttpError(
        code=502,
        message=f"The MCP server could not be reached: {'it ' if 'does' in says else 'the host '}{says}.",
    )


def certificate(name: str, folder: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Return the server's and the client's side of TLS with a certificate for `name`, signed by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    today = datetime.datetime.now(datetime.UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(today - datetime.timedelta(days=1))
        .not_valid_after(today + datetime.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.DNSName(name), x509.IPAddress(ipaddress.ip_address("127.0.0.9"))]), False
        )
        .sign(key, hashes.SHA256())
    )
    pem = folder / "server.pem"
    private = serialization.PrivateFormat.PKCS8
    pem.write_bytes(
        signed.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(serialization.Encoding.PEM, private, serialization.NoEncryption())
    )
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(pem)
    return server, ssl.create_default_context(cafile=str(pem))


@pytest.mark.parametrize(("name", "expected"), [("a.example", "here"), ("b.example", 502)])
def test_tls_is_checked_for_the_name_though_the_address_is_dialled(
    name: str, expected: str | int, tmp_path: Path
) -> None:
    asked: list[str | None] = []

    async def conversation() -> str | int:
        theirs, ours = certificate(name, tmp_path)
        theirs.sni_callback = lambda connection, asked_for, context: asked.append(asked_for)
        server = RawServer(scripted(lambda message: {"result": {"content": [{"type": "text", "text": "here"}]}}))
        names = Names(**{"a.example": [["127.0.0.1"]]})
        async with server.listening(tls=theirs), connecting("a.example", resolve=names, tls=ours) as connector:
            there = McpServer(label="a", url=f"https://a.example:{server.port}/mcp")
            try:
                return await connector.call_tool(there, "any", "{}")
            except McpFailure as failure:
                assert "certificate" in failure.error.message
                return code_of(failure.error)

    assert asyncio.run(conversation()) == expected
    assert set(asked) == {"a.example"}


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


def test_neither_transport_found_tells_the_first_status() -> None:
    async def answer(request: Request, writer: asyncio.StreamWriter) -> None:
        await write(writer, "405 Not Allowed" if request.method == "POST" else "500 Oops")

    async def conversation() -> tuple[McpError, list[str]]:
        async with RawServer(answer).listening() as server, connecting() as connector:
            return await failure_of(connector, at(server.port)), [request.method for request in server.requests]

    error, methods = asyncio.run(conversation())

    assert (code_of(error), methods) == (405, ["POST", "POST", "GET"])


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
