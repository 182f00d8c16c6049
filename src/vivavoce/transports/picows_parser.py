"""picows' parser, set up as a connection needs it, and what is learned from what it would log."""

import logging
from collections.abc import Callable
from typing import Final

import msgspec
import picows
from picows.picows import WSProtocol  # type: ignore[attr-defined]  # public in the module, missing in its stub

from vivavoce.transports.connection import (
    CLOSE_INTERNAL,
    CLOSE_PROTOCOL,
    MESSAGE_LIMIT_BYTES,
    READ_BUFFER_BYTES,
    FrameReceiver,
    accept_of,
)

_LOG: Final = logging.getLogger(__name__)


class FrameLog:
    """What picows would log. It tells nowhere else that it ends a connection: then `end` learns the close code.

    Logged are exceptions out of our listener, which are our bugs. The other entries are one or two per connection,
    request heads, and what the peer did wrong.
    """

    __slots__ = ("_end",)

    def __init__(self, end: Callable[[int], None]) -> None:
        self._end = end

    def isEnabledFor(self, level: int) -> bool:
        return False

    def ignore(self, *entry: object, **fields: object) -> None:
        """Log nothing."""

    log = debug = info = ignore

    def error(self, message: str, *values: object) -> None:
        """The parser found a rule broken: it tells the close code and a reason."""
        match values:
            case ((int() as code, str()),):
                self._end(int(code))
            case _:
                self._end(CLOSE_PROTOCOL)

    def exception(self, message: str, *values: object) -> None:
        """The parser or our listener raised what it should not."""
        _LOG.exception(message, *values)
        self._end(CLOSE_INTERNAL)

    warning = exception  # so a client's parser calls an exception out of our listener


class UpgradeRequest(msgspec.Struct, frozen=True):
    """What a client asks for; `headers` are those besides the ones of RFC 6455."""

    authority: str
    target: str
    headers: tuple[tuple[str, str], ...] = ()


class FrameProtocol(WSProtocol):  # type: ignore[misc]  # a Cython class, see the import
    """picows' parser; what it lacks besides is the endpoint's business."""

    __slots__ = ("_endpoint", "_headers")

    def __init__(
        self,
        make_listener: Callable[..., object],
        endpoint: FrameReceiver,
        log: FrameLog,
        request: UpgradeRequest | None = None,
    ) -> None:
        """Make the parser of a server, or with a `request` that of a client."""
        headers = None if request is None else list(request.headers)
        super().__init__(
            None if request is None else request.authority,
            None if request is None else request.target,
            request is not None,  # is_client_side
            make_listener,
            log,
            True,  # disconnect_on_exception
            None,  # websocket_handshake_timeout
            False,  # enable_auto_ping
            0,
            0,
            picows.WSAutoPingStrategy.PING_WHEN_IDLE,
            False,  # enable_auto_pong
            MESSAGE_LIMIT_BYTES,
            headers,
            READ_BUFFER_BYTES,
        )
        self._headers = headers
        self._endpoint = endpoint

    def feed(self, data: bytes) -> None:
        """Take bytes as if they had been received."""
        rest = memoryview(data)
        while rest:
            buffer = self.get_buffer(-1)
            taken = min(len(buffer), len(rest))
            buffer[:taken] = rest[:taken]
            self.buffer_updated(taken)
            rest = rest[taken:]

    def forget_upgrade(self) -> None:
        """Drop what was asked and answered: a key stays in memory no longer than it is needed."""
        self.transport.request.headers.clear()
        self.transport.response.headers.clear()
        if self._headers is not None:
            self._headers.clear()

    def eof_received(self) -> bool:
        self._endpoint.receive_eof()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._endpoint.transport_lost()


def request_head(key: str) -> bytes:
    """Return an upgrade request for picows to answer.

    The client's own head was checked before; this one holds nothing of it but the key, so that no credential
    stays in picows' memory.
    """
    lines = (
        "GET / HTTP/1.1",
        "Host: localhost",
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        f"Sec-WebSocket-Key: {key}",
        "\r\n",
    )
    return "\r\n".join(lines).encode()


def answer_head(key: str) -> bytes:
    """Return the answer to a client's request for picows to read; the real one was checked before."""
    lines = (
        "HTTP/1.1 101 Switching Protocols",
        "Connection: Upgrade",
        "Upgrade: websocket",
        f"Sec-WebSocket-Accept: {accept_of(key)}",
        "\r\n",
    )
    return "\r\n".join(lines).encode()
