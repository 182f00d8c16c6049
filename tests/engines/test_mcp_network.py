"""Where requests to MCP servers go: redirects, names, addresses, proxies, TLS."""

import asyncio
import datetime
import ipaddress
import ssl
import sys
from pathlib import Path

import httpx2
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.engines.mcp_servers import (
    TOKEN,
    Names,
    RawServer,
    Request,
    at,
    code_of,
    connecting,
    failure_of,
    scripted,
    write,
)
from tests.require import require
from vivavoce.core.requests import McpServer
from vivavoce.engines.base import McpFailure
from vivavoce.engines.mcp.exchange import Exchange
from vivavoce.engines.mcp.network import PinnedNetwork
from vivavoce.engines.mcp.transport import GuardedTransport
from vivavoce.protocol.items import McpError, McpHttpError, McpProtocolError


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
    require(sys.platform == "linux", "a second loopback address")

    async def conversation() -> tuple[str, list[str], int]:
        good = RawServer(scripted(lambda message: {"result": {"content": []}}))
        canary = RawServer(scripted(lambda message: {"result": {"content": []}}))
        names = Names(**{"a.example": [["127.0.0.2"], ["127.0.0.1"]]})
        async with good.listening(host="127.0.0.2"), canary.listening(good.port):
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
    require(sys.platform == "linux", "a second loopback address")

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
