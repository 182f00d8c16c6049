"""One MCP server with one set of credentials, through the official `mcp` package: greeted once, then reused.

An operation opens the package's client, which lives as long as the operation; connection, negotiated version and
session stay in the link. So a later operation takes one round trip instead of four or more, and no task outlives the
operation that started it. A link serves one operation at a time.
"""

import contextlib
import http
import itertools
import ssl
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Mapping
from typing import Any, Final, TypeVar

import anyio
import httpx2
import mcp_types
from mcp.client.session import ClientSession
from mcp.client.sse import sse_client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.dispatcher import CallOptions
from mcp.shared.exceptions import MCPError
from mcp.shared.jsonrpc_dispatcher import JSONRPCDispatcher
from mcp.shared.transport_context import TransportContext

from vivavoce.core.requests import McpServer
from vivavoce.engines.mcp.addresses import Resolve
from vivavoce.engines.mcp.exchange import MAX_RECEIVED_BYTES, Exchange
from vivavoce.engines.mcp.network import PinnedNetwork
from vivavoce.engines.mcp.transport import SESSION_ID, GuardedTransport
from vivavoce.protocol.items import McpHttpError

T = TypeVar("T")
Work = Callable[[ClientSession], Awaitable[T]]

CLIENT_INFO: Final = mcp_types.Implementation(name="vivavoce", version="1")
GOODBYE_S: Final = 1.0
# What a server of the older transport answers to a POST (MCP specification 2025-11-25, Transports, Backwards
# Compatibility).
OLD_TRANSPORT_STATUSES: Final = frozenset({400, 404, 405})
VERSION_HEADER: Final = "mcp-protocol-version"

Greeting = mcp_types.InitializeResult | mcp_types.DiscoverResult


class Dispatcher(JSONRPCDispatcher[TransportContext]):
    """Gives requests ids that never repeat within a session, though every operation has a dispatcher of its own."""

    ids: Iterator[int]

    async def send_raw_request(
        self,
        method: str,
        params: Mapping[str, Any] | None,  # JSON boundary: the package's own type
        opts: CallOptions | None = None,
        *,
        _related_request_id: int | str | None = None,
    ) -> dict[str, Any]:
        """Send a request under the next id of the link."""
        numbered: CallOptions = {**(opts or {}), "request_id": next(self.ids)}
        return await super().send_raw_request(method, params, numbered, _related_request_id=_related_request_id)


class Link:
    """The way to one server. `is_fresh` until an operation has succeeded."""

    def __init__(
        self, server: McpServer, allowed_hosts: tuple[str, ...], resolve: Resolve, tls: ssl.SSLContext
    ) -> None:
        self.exchange = Exchange()
        self.is_fresh = True
        self.idle_since_s = 0.0
        self._url = server.url
        network = PinnedNetwork(allowed_hosts, resolve, self.exchange)
        self._transport = GuardedTransport(server, allowed_hosts, network, tls)
        self._greeting: Greeting | None = None
        self._ids = itertools.count(1)

    @property
    def is_outdated(self) -> bool:
        """Return whether a kept session failed because the server has ended it; nothing was carried out then.

        404 says so where a session was named (MCP specification 2025-11-25, Transports, Session Management).
        """
        is_unknown = self.exchange.session_id is not None and self.exchange.status == http.HTTPStatus.NOT_FOUND
        return is_unknown and not self.is_fresh

    async def run(self, work: Work[T]) -> T:
        """Return what `work` does with a session of this server.

        Raises what the package raises; the better reason may stand in the exchange.
        """
        if not self.exchange.speaks_sse:
            try:
                return await self._run_over(self._streamable, work)
            except (MCPError, ExceptionGroup):
                if not self._is_unknown_transport():
                    raise
        return await self._run_over_sse(work)

    async def close(self) -> None:
        """Close the connections; does not wait for the network."""
        await self._transport.shut()

    async def say_goodbye(self) -> None:
        """End the session on the server, if it keeps one, and close. Takes `GOODBYE_S` at most, fails silently."""
        if self.exchange.session_id is not None and not self.exchange.speaks_sse:
            headers = {SESSION_ID: self.exchange.session_id}
            if isinstance(self._greeting, mcp_types.InitializeResult):
                headers[VERSION_HEADER] = str(self._greeting.protocol_version)
            with anyio.move_on_after(GOODBYE_S), contextlib.suppress(httpx2.HTTPError):
                self.exchange.begin()
                await self._client().delete(self._url, headers=headers)
        await self.close()

    def _is_unknown_transport(self) -> bool:
        """Return whether greeting failed as it does where the address does not know the transport that was tried."""
        failure = self.exchange.failure
        is_told = isinstance(failure, McpHttpError) and failure.code in OLD_TRANSPORT_STATUSES
        return self._greeting is None and is_told

    async def _run_over_sse(self, work: Work[T]) -> T:
        first_failure = self.exchange.failure
        self.exchange.note(None)
        self.exchange.speaks_sse = True
        try:
            return await self._run_over(self._sse, work)
        except (MCPError, ExceptionGroup, httpx2.HTTPError):
            if self._is_unknown_transport() and first_failure is not None:  # then it is of neither
                self.exchange.give_up(first_failure)
            raise

    async def _run_over(
        self, transport: Callable[[], contextlib.AbstractAsyncContextManager[Dispatcher]], work: Work[T]
    ) -> T:
        async with transport() as dispatcher, ClientSession(dispatcher=dispatcher, client_info=CLIENT_INFO) as session:
            await self._greet(session)
            return await work(session)

    async def _greet(self, session: ClientSession) -> None:
        """Agree on a version, or take up what was agreed before. A session over SSE is new with every operation."""
        if self._greeting is not None and not self.exchange.speaks_sse:
            session.adopt(self._greeting)
            return
        self._greeting = await (session.initialize() if self.exchange.speaks_sse else self._negotiate(session))
        self.exchange.note(None)

    async def _negotiate(self, session: ClientSession) -> Greeting:
        """Ask by the stateless way of 2026-07-28; greet by the handshake of earlier versions if that is unknown."""
        try:
            return await session.discover()
        except (MCPError, ValueError, RuntimeError):  # ValueError: pydantic found no answer of that version
            if self._is_final():
                raise
        self.exchange.session_id = None
        return await session.initialize()

    def _is_final(self) -> bool:
        """Return whether no other way of greeting can succeed: no access, or the server is out of order."""
        failure = self.exchange.failure
        return isinstance(failure, McpHttpError) and failure.code not in OLD_TRANSPORT_STATUSES

    @contextlib.asynccontextmanager
    async def _streamable(self) -> AsyncGenerator[Dispatcher]:
        opened = streamable_http_client(
            self._url,
            http_client=self._client(),
            terminate_on_close=False,
            max_sse_event_size=MAX_RECEIVED_BYTES,
        )
        async with opened as (read_stream, write_stream):
            yield self._numbered(Dispatcher(read_stream, write_stream))

    @contextlib.asynccontextmanager
    async def _sse(self) -> AsyncGenerator[Dispatcher]:
        async with sse_client(self._url, httpx_client_factory=self._client) as (read_stream, write_stream):
            yield self._numbered(Dispatcher(read_stream, write_stream))

    def _numbered(self, dispatcher: Dispatcher) -> Dispatcher:
        dispatcher.ids = self._ids
        return dispatcher

    def _client(
        self,
        headers: dict[str, str] | None = None,
        timeout: httpx2.Timeout | None = None,
        auth: httpx2.Auth | None = None,
    ) -> httpx2.AsyncClient:
        """Return an HTTP client over the guarded transport; the arguments are those of the package's factory.

        Time is bounded by the operation as a whole, so the client has no timeouts of its own.
        """
        return httpx2.AsyncClient(transport=self._transport, headers=headers, auth=auth, timeout=None, trust_env=False)
