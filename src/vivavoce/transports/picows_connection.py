"""Frames by picows, on transports of aiofastnet.

picows sends payloads above 8 KiB as a view of a buffer it uses again; only aiofastnet's transports copy what they
queue, so this backend refuses any other transport (tests/transports/test_connection.py keeps the proof). Its own
pings and its frame limit are off: the endpoint pings, and the limit is checked on bytes received, because picows
drops the connection so soon after an oversized header that the close frame is lost.

On uvloop a TCP reset that arrives behind unread data is not noticed by reading: libuv reports the error once and
stops polling, and aiofastnet takes a short read for the end of what there is. The next write notices it, at the
latest the next ping.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Final

import aiofastnet
import msgspec
import picows
from picows.picows import WSProtocol  # type: ignore[attr-defined]  # public in the module, missing in its stub

from vivavoce.transports.connection import (
    CLOSE_PROTOCOL,
    CLOSE_TOO_BIG,
    MESSAGE_LIMIT_BYTES,
    READ_BUFFER_BYTES,
    FrameReceiver,
    Handshake,
    accept_of,
)

_NO_FRAME_LIMIT: Final = 1 << 62
_FRAME_HEADER_LIMIT_BYTES: Final = 14
_LOG: Final = logging.getLogger(__name__)


class _FrameLog:
    """What picows may log: exceptions, which are our bugs.

    Its other entries are one or two per connection, request heads, and clients' mistakes, which it calls errors.
    """

    def isEnabledFor(self, level: int) -> bool:
        return False

    def ignore(self, *entry: object, **fields: object) -> None:
        """Log nothing."""

    log = debug = info = warning = error = ignore

    def exception(self, message: str, *values: object) -> None:
        _LOG.exception(message, *values)


_FRAME_LOG: Final = _FrameLog()


class UpgradeRequest(msgspec.Struct, frozen=True):
    """What a client asks for; `headers` are those besides the ones of RFC 6455."""

    authority: str
    target: str
    headers: tuple[tuple[str, str], ...] = ()


class _FrameProtocol(WSProtocol):  # type: ignore[misc]  # a Cython class, see the import
    """picows' parser, counting what arrives."""

    def __init__(
        self, make_listener: Callable[..., object], endpoint: FrameReceiver, request: UpgradeRequest | None = None
    ) -> None:
        """Make the parser of a server, or with a `request` that of a client."""
        headers = None if request is None else list(request.headers)
        super().__init__(
            None if request is None else request.authority,
            None if request is None else request.target,
            request is not None,  # is_client_side
            make_listener,
            _FRAME_LOG,
            True,  # disconnect_on_exception
            None,  # websocket_handshake_timeout
            False,  # enable_auto_ping
            0,
            0,
            picows.WSAutoPingStrategy.PING_WHEN_IDLE,
            False,  # enable_auto_pong
            _NO_FRAME_LIMIT,
            headers,
            READ_BUFFER_BYTES,
        )
        self._headers = headers
        self._endpoint = endpoint
        self.is_closing = False  # a close frame of ours was sent, not one of picows' own
        self.received_bytes = 0
        self.frames_end_bytes = 0  # where in the received bytes the last whole frame ended

    def feed(self, data: bytes) -> None:
        """Take bytes as if they had been received."""
        rest = memoryview(data)
        while rest:
            buffer = self.get_buffer(-1)
            taken = min(len(buffer), len(rest))
            buffer[:taken] = rest[:taken]
            super().buffer_updated(taken)
            rest = rest[taken:]

    def forget_headers(self) -> None:
        """Drop what the upgrade was asked with: a key stays in nobody's memory for longer than it is needed."""
        self.transport.request.headers.clear()
        if self._headers is not None:
            self._headers.clear()

    def buffer_updated(self, nbytes: int) -> None:
        self.received_bytes += nbytes
        super().buffer_updated(nbytes)
        if self.received_bytes - self.frames_end_bytes > MESSAGE_LIMIT_BYTES + _FRAME_HEADER_LIMIT_BYTES:
            self._endpoint.fail(CLOSE_TOO_BIG, f"Messages are limited to {MESSAGE_LIMIT_BYTES} bytes.")
        elif self.transport.is_close_frame_sent and not self.is_closing:
            self._endpoint.fail(CLOSE_PROTOCOL, "")  # picows found a broken rule and has sent its close frame

    def eof_received(self) -> bool:
        self._endpoint.receive_eof()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._endpoint.transport_lost()


class _Discard(asyncio.BufferedProtocol):
    """Drops what a peer sends that was told to stop."""

    _scratch: Final = bytearray(64 * 1024)  # written by all, read by none

    def __init__(self, endpoint: FrameReceiver) -> None:
        self._endpoint = endpoint

    def get_buffer(self, sizehint: int) -> bytearray:
        return self._scratch

    def buffer_updated(self, nbytes: int) -> None:
        return None

    def connection_lost(self, exc: Exception | None) -> None:
        self._endpoint.transport_lost()


class PicowsLink(picows.WSListener):
    """A `FrameLink` by picows; also the listener that picows calls."""

    def __init__(self) -> None:
        self._endpoint: FrameReceiver | None = None
        self._protocol: _FrameProtocol | None = None
        self._frames: picows.WSTransport | None = None
        self._transport: asyncio.Transport | None = None

    # FrameLink ------------------------------------------------------------------------------------------------

    def start(self, transport: asyncio.Transport, handshake: Handshake, endpoint: FrameReceiver) -> None:
        if not isinstance(transport, aiofastnet.Transport):
            raise TypeError(f"expected a transport of aiofastnet, got {type(transport).__name__}")
        self._endpoint = endpoint
        self._transport = transport
        response = picows.WSUpgradeResponse.create_101_response(handshake.headers)
        answer = picows.WSUpgradeResponseWithListener(response, self)
        self._protocol = _FrameProtocol(lambda request: answer, endpoint)
        transport.set_protocol(self._protocol)
        self._protocol.connection_made(transport)
        self._protocol.feed(_request_head(handshake.key))
        transport.resume_reading()

    # As a client ----------------------------------------------------------------------------------------------

    def ask(self, transport: asyncio.Transport, request: UpgradeRequest, endpoint: FrameReceiver) -> str:
        """Send the request of a client on a transport that somebody else reads; returns its `Sec-WebSocket-Key`."""
        if not isinstance(transport, aiofastnet.Transport):
            raise TypeError(f"expected a transport of aiofastnet, got {type(transport).__name__}")
        self._endpoint = endpoint
        self._transport = transport
        self._protocol = _FrameProtocol(lambda request, response: self, endpoint, request)
        self._protocol.connection_made(transport)
        return str(self._protocol.transport.request.headers["Sec-WebSocket-Key"])

    def begin(self, key: str) -> None:
        """Become the transport's protocol, once the answer to the request with this key was found right."""
        assert self._transport is not None and self._protocol is not None, "begun before it was asked"
        self._transport.set_protocol(self._protocol)
        self._protocol.feed(_answer_head(key))
        self._protocol.forget_headers()

    def feed(self, data: bytes) -> None:
        """Take bytes that were read before `begin`."""
        assert self._protocol is not None, "fed before it was begun"
        self._protocol.received_bytes += len(data)
        self._protocol.feed(data)

    # Both sides -----------------------------------------------------------------------------------------------

    def send_text(self, payload: bytes) -> None:
        assert self._frames is not None, "sent before the start"
        self._frames.send(picows.WSMsgType.TEXT, payload)

    def send_ping(self) -> None:
        assert self._frames is not None, "sent before the start"
        self._frames.send_ping()

    def send_pong(self, payload: bytes) -> None:
        assert self._frames is not None, "sent before the start"
        self._frames.send_pong(payload)

    def send_close(self, code: int, reason: str) -> None:
        assert self._frames is not None and self._protocol is not None, "sent before the start"
        self._protocol.is_closing = not self._frames.is_close_frame_sent
        self._frames.send_close(code, reason)  # type: ignore[arg-type]  # its stub lacks the codes from 3000 on

    def pause_reading(self) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.pause_reading()

    def resume_reading(self) -> None:
        if self._transport is not None and not self._transport.is_closing():  # a TLS one that is gone raises
            self._transport.resume_reading()

    def buffered_bytes(self) -> int:
        return 0 if self._transport is None else self._transport.get_write_buffer_size()

    def received_bytes(self) -> int:
        return 0 if self._protocol is None else self._protocol.received_bytes

    def discard_input(self) -> None:
        if self._transport is not None and self._endpoint is not None:
            self._transport.set_protocol(_Discard(self._endpoint))
            self.resume_reading()

    def disconnect(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    # WSListener -----------------------------------------------------------------------------------------------

    def on_ws_connected(self, transport: picows.WSTransport) -> None:
        self._frames = transport

    def on_ws_frame(self, transport: picows.WSTransport, frame: picows.WSFrame) -> None:
        protocol, endpoint = self._protocol, self._endpoint
        assert protocol is not None and endpoint is not None, "frames come after the start"
        protocol.frames_end_bytes = protocol.received_bytes - frame.tail_size
        if frame.rsv1 or frame.rsv2 or frame.rsv3:
            endpoint.fail(CLOSE_PROTOCOL, "Reserved bits are set, and no extension was agreed.")
            return
        endpoint.receive_frame(int(frame.msg_type), bool(frame.fin), frame.get_payload_as_bytes())  # type: ignore[call-overload]  # an IntEnum, against its stub

    def pause_writing(self) -> None:
        assert self._endpoint is not None, "called back before the start"
        self._endpoint.block_writing()

    def resume_writing(self) -> None:
        assert self._endpoint is not None, "called back before the start"
        self._endpoint.unblock_writing()


def _request_head(key: str) -> bytes:
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


def _answer_head(key: str) -> bytes:
    """Return the answer to a client's request for picows to read; the real one was checked before."""
    lines = (
        "HTTP/1.1 101 Switching Protocols",
        "Connection: Upgrade",
        "Upgrade: websocket",
        f"Sec-WebSocket-Accept: {accept_of(key)}",
        "\r\n",
    )
    return "\r\n".join(lines).encode()
