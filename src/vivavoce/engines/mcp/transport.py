"""HTTP for one MCP server: every request is checked, credentials go to its own origin only, and failures are noted.

The `mcp` package follows redirects within the origin of the endpoint; each of them passes here as a request of its own.
A redirect to another origin is not followed, so that neither the message nor a credential can leave the server that the
client named.
"""

import ssl
from collections.abc import AsyncIterator, Callable
from typing import Final

import anyio
import httpcore2
import httpx2
import msgspec

from vivavoce.core.requests import McpServer
from vivavoce.engines.mcp.exchange import MAX_RECEIVED_BYTES
from vivavoce.engines.mcp.failures import answered, broken, refused, unreachable
from vivavoce.engines.mcp.network import PinnedNetwork
from vivavoce.protocol.errors import ClientError
from vivavoce.protocol.hosts import DEFAULT_PORTS, Endpoint, check_url, read_endpoint

SESSION_ID: Final = "mcp-session-id"
MAX_ERROR_BYTES: Final = 65_536  # of an error's body that are looked at
MAX_CONNECTIONS: Final = 4  # the package posts while it listens

_FRAMING: Final = frozenset({"content-length", "transfer-encoding"})
_LOST: Final = (
    httpcore2.NetworkError,
    httpcore2.TimeoutException,
    httpcore2.ProtocolError,
    httpcore2.UnsupportedProtocol,
    ssl.SSLError,
    OSError,
)


class _RpcFault(msgspec.Struct):
    code: int
    message: str


class _RpcError(msgspec.Struct):
    """A JSON-RPC error response; the package reports it itself, whatever the HTTP status."""

    jsonrpc: str
    error: _RpcFault


class GuardedTransport(httpx2.AsyncBaseTransport):
    """Sends the requests of the `mcp` package to one server. No proxy, no decompression, no other origin."""

    def __init__(
        self, server: McpServer, allowed_hosts: tuple[str, ...], network: PinnedNetwork, tls: ssl.SSLContext
    ) -> None:
        self._server = server
        self._allowed_hosts = allowed_hosts
        self._origin = read_endpoint(server.url)
        self._exchange = network.exchange
        self._pool = httpcore2.AsyncConnectionPool(
            ssl_context=tls, max_connections=MAX_CONNECTIONS, keepalive_expiry=None, network_backend=network
        )

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Return the server's response. Raises httpx2.TransportError; the reason stands in the exchange."""
        if self._asks_to_listen(request):
            return httpx2.Response(405, request=request)
        self._check(request)
        self._add_credentials(request)
        try:
            return await self._look_at(await self._send(request), request)
        except _LOST as error:
            raise self._lost() from error

    async def aclose(self) -> None:
        """Keep the connections: the package closes its client after every operation. `shut` closes them."""

    async def shut(self) -> None:
        """Close all connections; does not wait for the network."""
        with anyio.CancelScope(shield=True):
            await self._pool.aclose()

    def _asks_to_listen(self, request: httpx2.Request) -> bool:
        """Return whether the package would open a stream for what the server says unasked.

        A session is as short as its operation, and nothing said unasked would be used. With `Last-Event-ID` the
        request resumes an answer, and is sent.
        """
        return request.method == "GET" and not self._exchange.speaks_sse and "last-event-id" not in request.headers

    def _check(self, request: httpx2.Request) -> None:
        try:
            check_url(str(request.url), self._allowed_hosts)
            target = read_endpoint(str(request.url))
        except ClientError as error:
            self._exchange.give_up(refused(str(error).rstrip(".")))
            raise httpx2.UnsupportedProtocol("refused") from None
        if target != self._origin and not _is_upgrade(self._origin, target):
            self._exchange.give_up(refused(f"it leads to another origin at '{target.host}'"))
            raise httpx2.UnsupportedProtocol("refused")

    def _add_credentials(self, request: httpx2.Request) -> None:
        for name, value in self._server.headers:
            request.headers[name] = value
        if self._server.authorization is not None:
            request.headers["authorization"] = f"Bearer {self._server.authorization}"
        if self._exchange.session_id is not None:
            request.headers.setdefault(SESSION_ID, self._exchange.session_id)
        request.headers["accept-encoding"] = "identity"  # nothing is unpacked, so nothing can explode

    async def _send(self, request: httpx2.Request) -> httpx2.Response:
        assert isinstance(request.stream, httpx2.AsyncByteStream), "an asynchronous client sends such bodies only"
        url = httpcore2.URL(
            scheme=request.url.raw_scheme, host=request.url.raw_host, port=request.url.port, target=request.url.raw_path
        )
        response = await self._pool.handle_async_request(
            httpcore2.Request(
                method=request.method, url=url, headers=request.headers.raw, content=request.stream, extensions={}
            )
        )
        return httpx2.Response(response.status, headers=response.headers, stream=_Body(response, self._lost))

    async def _look_at(self, response: httpx2.Response, request: httpx2.Request) -> httpx2.Response:
        """Note what the package will not tell: the session's name, and an HTTP status that is an error."""
        self._exchange.status = response.status_code
        if response.headers.get("content-encoding", "identity").lower() != "identity":
            await response.aclose()
            self._exchange.give_up(broken("it is compressed, which was not asked for"))
            raise httpx2.DecodingError("compressed", request=request)
        if response.status_code < 300:
            self._exchange.note(None)
            self._exchange.session_id = response.headers.get(SESSION_ID, self._exchange.session_id)
            is_stream = response.headers.get("content-type", "").lower().startswith("text/event-stream")
            return response if is_stream else await _read_to_the_end(response)
        return await self._failed(response, request)

    async def _failed(self, response: httpx2.Response, request: httpx2.Request) -> httpx2.Response:
        """Return an error's response, with its body read as far as it matters."""
        body = await _read(response, MAX_ERROR_BYTES)
        is_told_as_json_rpc = response.status_code >= 400 and _is_json_rpc_error(body)
        self._exchange.note(None if is_told_as_json_rpc else answered(response.status_code))
        if self._exchange.speaks_sse and request.method == "POST" and self._exchange.failure is not None:
            self._exchange.give_up(self._exchange.failure)  # the package would wait for an answer on the stream
        return _with_body(response, body)

    def _lost(self) -> httpx2.TransportError:
        """Note that a connection broke; where the exchange was given up, that reason stays."""
        failure = unreachable("the connection broke")
        if self._exchange.speaks_sse:
            self._exchange.give_up(failure)  # the package would wait for an answer on the stream
        else:
            self._exchange.note(failure)  # it may resume the answer
        return httpx2.NetworkError("lost")


class _Body(httpx2.AsyncByteStream):
    """A response's body as it comes; a broken connection is noted."""

    def __init__(self, response: httpcore2.Response, lost: Callable[[], httpx2.TransportError]) -> None:
        self._response = response
        self._lost = lost

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for part in self._response.aiter_stream():
                yield part
        except _LOST as error:
            raise self._lost() from error

    async def aclose(self) -> None:
        await self._response.aclose()


async def _read_to_the_end(response: httpx2.Response) -> httpx2.Response:
    """Return the response with its body: its connection is then free for the next request, not a second one opened."""
    return _with_body(response, await _read(response, MAX_RECEIVED_BYTES))


async def _read(response: httpx2.Response, most_bytes: int) -> bytes:
    """Return the start of a body and close the response."""
    body = bytearray()
    try:
        async for part in response.aiter_raw():
            body += part
            if len(body) > most_bytes:
                break
    finally:
        await response.aclose()
    return bytes(body[:most_bytes])


def _with_body(response: httpx2.Response, body: bytes) -> httpx2.Response:
    headers = [(name, value) for name, value in response.headers.multi_items() if name.lower() not in _FRAMING]
    return httpx2.Response(response.status_code, headers=headers, content=body)


def _is_json_rpc_error(body: bytes) -> bool:
    try:
        return msgspec.json.decode(body, type=_RpcError).jsonrpc == "2.0"
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return False


def _is_upgrade(origin: Endpoint, target: Endpoint) -> bool:
    """Return whether a redirect goes from http to https on the same host, both on their usual ports."""
    is_usual = origin.port == DEFAULT_PORTS["http"] and target.port == DEFAULT_PORTS["https"]
    return (origin.scheme, target.scheme) == ("http", "https") and origin.host == target.host and is_usual
