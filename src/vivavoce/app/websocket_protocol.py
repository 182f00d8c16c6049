"""The class that uvicorn makes for a connection that asks to become a WebSocket.

uvicorn calls `connection_made` and `data_received` with the request head, and sets this object as the transport's
protocol once more afterwards; so the decision is made in a callback of its own, and the socket is handed to the
frame parser there. The handed-over connection stays in uvicorn's `server_state.connections`, where `shutdown`
reaches it, until it is gone.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Any, Final, assert_never, cast

import msgspec
from uvicorn.config import Config
from uvicorn.server import ServerState

from vivavoce.app.errors import HttpError, draining, internal_error, logged_path, make_request_id
from vivavoce.app.upgrade import (
    Accept,
    AcceptAndClose,
    Decision,
    UpgradePolicy,
    UpgradeRequest,
    decide,
    refuse_session,
)
from vivavoce.core.vocabulary import Disconnected
from vivavoce.dialects.beta import BetaDialect
from vivavoce.protocol.errors import ClientError
from vivavoce.protocol.translation import decode_translation_event
from vivavoce.runtime.sink import AtCapacity, LiveSession, SessionHost, Sink, TranslationHost
from vivavoce.transports.connection import CLOSE_RESTART, FrameLink
from vivavoce.transports.endpoint import Endpoint
from vivavoce.transports.parsing import Decode, MessageParser
from vivavoce.transports.websocket import WebSocketSession, encode_error

_LOG: Final = logging.getLogger("vivavoce.access")


class RealtimeEndpoint(msgspec.Struct, frozen=True):
    """What every WebSocket connection of a server shares."""

    policy: UpgradePolicy
    host: SessionHost
    parser: MessageParser
    make_link: Callable[[], FrameLink]
    is_draining: Callable[[], bool]
    drain_s: float
    translations: TranslationHost | None = None

    def parser_of(self, decision: Accept) -> MessageParser:
        """Return the parser of what the client of an accepted upgrade sends."""
        if not decision.is_translation:
            return self.parser
        # A parser wraps what it decodes in `FromClient` without looking into it; `TranslationHost` knows.
        return self.parser.with_decode(cast(Decode, decode_translation_event))

    def open(self, decision: Accept, sink: Sink) -> LiveSession:
        """Start the session of an accepted upgrade; raises as `SessionHost.open`."""
        if not decision.is_translation:
            return self.host.open(decision.session, sink)
        assert self.translations is not None, "translations are accepted only where an engine translates"
        return self.translations.open_translation(decision.session, sink)


class RealtimeWebSocketProtocol(asyncio.Protocol):
    """Decides about one upgrade and hands the socket over."""

    def __init__(
        self, endpoint: RealtimeEndpoint, config: Config, server_state: ServerState, app_state: dict[str, Any]
    ) -> None:
        self._endpoint = endpoint
        self._connections: set[Any] = server_state.connections  # uvicorn's closed list of types; it calls `shutdown`
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._request_id = make_request_id()
        self._head = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # aiofastnet's is one by shape, not by class
        self._transport.pause_reading()  # until there is somebody to read for

    def data_received(self, data: bytes) -> None:
        self._head = data
        self._connections.add(self)
        self._loop.call_soon(self._upgrade)

    def connection_lost(self, exc: Exception | None) -> None:
        self._connections.discard(self)

    def shutdown(self) -> None:
        """Nothing to do: the pending upgrade is refused."""

    def _upgrade(self) -> None:
        transport = self._transport
        assert transport is not None, "uvicorn calls connection_made first"
        self._connections.discard(self)
        if transport.is_closing():
            return
        request = parse_head(self._head, self._request_id, transport)
        try:
            self._perform(decide(request, self._endpoint.policy), request, transport)
        except Exception:  # our bug; it costs this connection and no other
            _LOG.exception("upgrade failed", extra={"request_id": self._request_id})
            self._refuse(internal_error(), request, transport)

    def _perform(self, decision: Decision, request: UpgradeRequest, transport: asyncio.Transport) -> None:
        match decision:
            case HttpError():
                self._refuse(decision, request, transport)
            case AcceptAndClose():
                _log_upgrade(request, 101, decision.error.code)
                RefusedClient(self._endpoint.make_link(), self._loop, decision, self._connections).start(transport)
            case Accept() if self._endpoint.is_draining():
                self._refuse(draining(), request, transport)
            case Accept():
                self._open(decision, request, transport)
            case _:
                assert_never(decision)

    def _open(self, decision: Accept, request: UpgradeRequest, transport: asyncio.Transport) -> None:
        client = RealtimeClient(self._endpoint, self._loop, decision, self._connections)
        try:
            session = self._endpoint.open(decision, client.websocket.sink)
        except AtCapacity as full:
            self._refuse(at_capacity(full), request, transport)
            return
        except ClientError as fault:  # the configuration of a client secret that the engines cannot have any more
            self._perform(refuse_session(request, fault), request, transport)
            return
        _log_upgrade(request, 101, None)
        try:
            client.start(session, decision, transport)
        except Exception:
            session.post(Disconnected())
            raise

    def _refuse(self, error: HttpError, request: UpgradeRequest, transport: asyncio.Transport) -> None:
        _log_upgrade(request, error.status, error.code)
        transport.write(error.answer(self._request_id))
        transport.close()


def dialect_of(decision: Accept) -> BetaDialect | None:
    """Return the dialect of a client of the beta, None for one of today's API."""
    if not decision.is_beta:
        return None
    return BetaDialect(temperature=decision.temperature, is_early=decision.is_early_beta)


class RealtimeClient:
    """A handed-over connection with a session, as uvicorn's shutdown sees it."""

    def __init__(
        self, endpoint: RealtimeEndpoint, loop: asyncio.AbstractEventLoop, decision: Accept, connections: set[Any]
    ) -> None:
        self._drain_s = endpoint.drain_s
        self._request_id = decision.session.request_id
        self._connections = connections
        self._session_id = ""
        self.websocket = WebSocketSession(
            endpoint.make_link(),
            loop,
            endpoint.parser_of(decision),
            dialect=dialect_of(decision),
            ended=self._end,
        )

    def start(self, session: LiveSession, decision: Accept, transport: asyncio.Transport) -> None:
        self._session_id = session.id
        self._connections.add(self)
        _LOG.info("session opened", extra=self._fields())
        self.websocket.start(session, transport, decision.handshake)

    def shutdown(self) -> None:
        """End the session politely; called by uvicorn when the server stops."""
        self.websocket.drain(self._drain_s)

    def abort(self) -> None:
        self.websocket.abort()

    def _end(self, code: int) -> None:
        self._connections.discard(self)
        _LOG.info("session closed", extra={**self._fields(), "close_code": code})

    def _fields(self) -> dict[str, str]:
        return {"request_id": self._request_id, "session_id": self._session_id}


class RefusedClient:
    """A connection that was accepted only to be told why not; the listener of its endpoint."""

    def __init__(
        self, link: FrameLink, loop: asyncio.AbstractEventLoop, decision: AcceptAndClose, connections: set[Any]
    ) -> None:
        self._decision = decision
        self._connections = connections
        self._endpoint = Endpoint(link, self, loop)

    def start(self, transport: asyncio.Transport) -> None:
        self._connections.add(self)
        self._endpoint.start(transport, self._decision.handshake)
        self._endpoint.send(encode_error(self._decision.error))
        self._endpoint.close(self._decision.close_code, self._decision.close_reason)

    def shutdown(self) -> None:
        self._endpoint.close(CLOSE_RESTART, "")

    def abort(self) -> None:
        self._endpoint.abort()

    def receive_text(self, message: bytes) -> None:
        """Drop it."""

    def receive_binary(self, message: bytes) -> None:
        """Drop it."""

    def block_writing(self) -> None:
        """Nothing more is written."""

    def unblock_writing(self) -> None:
        """Nothing more is written."""

    def connection_lost(self, code: int) -> None:
        self._connections.discard(self)


def parse_head(head: bytes, request_id: str, transport: asyncio.Transport) -> UpgradeRequest:
    """Return the request that uvicorn's parser found well-formed and put together again."""
    request_line, *lines = head.decode("latin-1").split("\r\n")
    method, target, _ = request_line.split(" ", 2)
    headers: dict[str, list[str]] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if colon:
            headers.setdefault(name.lower(), []).append(value.strip())
    sockname = transport.get_extra_info("sockname")
    local_address = sockname[0] if isinstance(sockname, tuple) else None
    return UpgradeRequest(method, target, headers, request_id, local_address)


def at_capacity(full: AtCapacity) -> HttpError:
    headers = {"retry-after": str(full.retry_after_s)}
    return HttpError(status=503, message=str(full), type="server_error", headers=headers)


def _log_upgrade(request: UpgradeRequest, status: int, code: str | None) -> None:
    fields = {"request_id": request.request_id, "path": logged_path(request.path), "status": status, "code": code}
    _LOG.info("upgrade answered", extra=fields)
