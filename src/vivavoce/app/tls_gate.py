"""The first bytes of a connection to a TLS port: a handshake goes on, plain HTTP is told what this port speaks.

aiofastnet makes TLS transports itself when it listens with a context, but then plain HTTP gets an empty reply and
a silent peer a whole minute. Here the first byte decides (RFC 8446 section 5.1: a handshake record begins with
22), and the bytes that came are fed to aiofastnet's TLS protocol, the way `start_tls` would have read them.

    WAITING --first bytes--> HANDSHAKE --done--> the protocol of the application, on the TLS transport
                 \\--not TLS--> 400, closed    \\--failed--> logged, closed

Until the handshake is done the gate stands among the server's connections, so that a shutdown ends it.
"""

import asyncio
import logging
import ssl
from collections.abc import Callable
from typing import Any, Final, cast

from aiofastnet.ssl_transport import SSLTransport_Transport  # type: ignore[import-not-found]  # compiled, no stub

from vivavoce.app.errors import HttpError, make_request_id

HANDSHAKE_DEADLINE_S: Final = 10.0
SHUTDOWN_DEADLINE_S: Final = 5.0
RECORD_BUFFER_BYTES: Final = 4 * (16 * 1024 + 64)  # four TLS records; the library's own choice takes 512 KiB a peer
_HANDSHAKE_RECORD: Final = 22
_LOG: Final = logging.getLogger("vivavoce.access")


class TlsGate(asyncio.Protocol):
    """Begins one connection: TLS for `make_protocol`'s protocol, or a refusal."""

    def __init__(
        self, context: ssl.SSLContext, make_protocol: Callable[[], asyncio.Protocol], connections: set[Any]
    ) -> None:
        self._context = context
        self._make_protocol = make_protocol
        self._connections = connections  # uvicorn's closed list of types; it calls `shutdown`
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # aiofastnet's is one by shape, not by class
        self._connections.add(self)
        self._deadline = self._loop.call_later(HANDSHAKE_DEADLINE_S, self._transport.abort)

    def data_received(self, data: bytes) -> None:
        assert self._transport is not None, "data comes after the connection"
        self._stop_waiting()
        if data[0] == _HANDSHAKE_RECORD:
            self._begin_tls(self._transport, data)
        else:
            self._refuse(self._transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        self._connections.discard(self)

    def shutdown(self) -> None:
        """Drop what has not become a connection yet; called by uvicorn when the server stops."""
        if self._transport is not None:
            self._transport.abort()

    def _begin_tls(self, transport: asyncio.Transport, data: bytes) -> None:
        shaken: asyncio.Future[None] = self._loop.create_future()
        shaken.add_done_callback(self._end_handshake)
        tls: Any = SSLTransport_Transport(  # it has no stub
            self._loop,
            self._make_protocol(),
            self._context,
            True,  # server_side
            HANDSHAKE_DEADLINE_S,
            SHUTDOWN_DEADLINE_S,
            RECORD_BUFFER_BYTES,
            RECORD_BUFFER_BYTES,
            shaken,
        )
        protocol = tls.get_tls_protocol()
        transport.set_protocol(protocol)
        protocol.connection_made(transport)
        _feed(protocol, data)

    def _end_handshake(self, shaken: "asyncio.Future[None]") -> None:
        self._connections.discard(self)
        failure = None if shaken.cancelled() else shaken.exception()
        if failure is not None:
            _LOG.info("TLS handshake failed", extra={"reason": _reason(failure)})

    def _refuse(self, transport: asyncio.Transport) -> None:
        _LOG.info("plain HTTP on the TLS port refused")
        message = "This port speaks TLS: use https:// or wss:// with this address."
        transport.write(HttpError(status=400, message=message).answer(make_request_id()))
        transport.close()

    def _stop_waiting(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


def _feed(protocol: Any, data: bytes) -> None:
    """Give bytes to aiofastnet's TLS protocol (it has no stub), which is a buffered one where OpenSSL is shared."""
    if not isinstance(protocol, asyncio.BufferedProtocol):
        protocol.data_received(data)
        return
    rest = memoryview(data)
    while rest:
        buffer = memoryview(protocol.get_buffer(len(rest)))
        taken = min(len(buffer), len(rest))
        buffer[:taken] = rest[:taken]
        protocol.buffer_updated(taken)
        rest = rest[taken:]


def _reason(failure: BaseException) -> str:
    """Return OpenSSL's own word, such as TLSV1_ALERT_UNKNOWN_CA for a client that does not trust the certificate."""
    return getattr(failure, "reason", None) or str(failure) or type(failure).__name__
