"""A connection to a scripted upstream: WebSocket over asyncio, written at once, broken in any way a test wants."""

import asyncio
import json
import socket
from collections.abc import Sequence
from typing import Any, Final, Protocol, cast

from websockets.datastructures import Headers
from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.protocol import OPEN, State
from websockets.server import ServerProtocol
from websockets.typing import Subprotocol

from vivavoce.testing.upstream_flavour import Encode
from vivavoce.testing.upstream_replies import Json
from vivavoce.testing.upstream_session import UpstreamSession

REALTIME: Final = Subprotocol("realtime")


class Owner(Protocol):
    """Whom connections belong to; its methods are called as things happen."""

    def connected(self, connection: "UpstreamConnection") -> None: ...

    def handshake(self, connection: "UpstreamConnection", request: Request) -> None: ...

    def message(self, connection: "UpstreamConnection", message: bytes) -> None: ...

    def closed(self, connection: "UpstreamConnection") -> None: ...


class UpstreamConnection(asyncio.Protocol):
    """One accepted TCP connection. `sent` holds the text messages sent, as bytes."""

    def __init__(self, owner: Owner, encode: Encode) -> None:
        self.number = 0  # of its handshake, from 1
        self.session: UpstreamSession | None = None
        self.sent: list[bytes] = []
        self.close_code: int | None = None  # of the client's close frame; None: none came
        self.lets_through: int | None = None  # further messages; the rest is lost; None: all
        self._owner = owner
        self._encode = encode
        self._events = 0
        self._protocol = ServerProtocol(max_size=None, select_subprotocol=lambda _, offered: _chosen(offered))
        self._fragments = bytearray()
        self._transport: asyncio.Transport | None = None

    @property
    def is_open(self) -> bool:
        """Whether messages can be exchanged."""
        return self._transport is not None and self._protocol.state is OPEN

    # asyncio ----------------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._owner.connected(self)

    def data_received(self, data: bytes) -> None:
        if self._protocol.state is not State.CLOSED:
            self._protocol.receive_data(data)
            self._take_events()

    def eof_received(self) -> bool:
        self._protocol.receive_eof()
        self._take_events()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._owner.closed(self)

    def _take_events(self) -> None:
        for event in self._protocol.events_received():
            if isinstance(event, Request):
                self._owner.handshake(self, event)
            elif isinstance(event, Frame):
                self._take_frame(event)
        self._flush()

    def _take_frame(self, frame: Frame) -> None:
        if frame.opcode is Opcode.CLOSE:
            self.close_code = int.from_bytes(frame.data[:2], "big") if frame.data else 1005
        if frame.opcode not in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT):
            return
        self._fragments += frame.data
        if frame.fin:
            message = bytes(self._fragments)
            self._fragments.clear()
            self._owner.message(self, message)

    def _flush(self) -> None:
        for data in self._protocol.data_to_send():
            if self._transport is None:
                return
            if data:
                self._transport.write(data)
            else:
                self._transport.close()

    # Handshakes -------------------------------------------------------------------------------------------------

    def accept(self, request: Request) -> None:
        """Answer the handshake with 101."""
        self._protocol.send_response(self._protocol.accept(request))
        self._flush()

    def refuse(self, status: int, headers: Sequence[tuple[str, str]] = (), body: bytes = b"") -> None:
        """Answer the handshake with another status, and close."""
        response = self._protocol.reject(status, body.decode())
        kept = [(name, value) for name, value in response.headers.raw_items() if name != "Content-Type"]
        response.headers = Headers([*kept, ("Content-Type", "application/json"), *headers])
        self._protocol.send_response(response)
        self._flush()

    # Messages ---------------------------------------------------------------------------------------------------

    def send_event(self, event: Json) -> None:
        """Send an event; it gets an `event_id`."""
        self._events += 1
        self.send_text(
            self._encode({"type": event["type"], "event_id": f"event_{self.number}_{self._events}", **event})
        )

    def send_text(self, message: bytes) -> None:
        """Send a text message; it need not be JSON, nor UTF-8."""
        if self.is_open and self.lets_through != 0:
            self.lets_through = None if self.lets_through is None else self.lets_through - 1
            self.sent.append(message)
            self._protocol.send_text(message)
            self._flush()

    def send_binary(self, message: bytes) -> None:
        if self.is_open:
            self._protocol.send_binary(message)
            self._flush()

    def send_raw(self, data: bytes) -> None:
        """Write bytes that need not be frames."""
        if self._transport is not None:
            self._transport.write(data)

    # Ends -------------------------------------------------------------------------------------------------------

    def close(self, code: int, reason: str = "") -> None:
        """Send a close frame; the client answers it and the connection ends."""
        if self.is_open:
            self._protocol.send_close(code, reason)
            self._flush()

    def end(self) -> None:
        """End the stream without a close frame."""
        if self._transport is not None:
            self._transport.close()

    def reset(self) -> None:
        """Drop the connection with a TCP reset."""
        if self._transport is not None:
            sock = self._transport.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            self._transport.abort()


def _chosen(offered: Sequence[Subprotocol]) -> Subprotocol | None:
    return REALTIME if REALTIME in offered else None


def read_event(message: bytes) -> Json | None:
    """Return a message as an object, None if it is none."""
    try:
        event: Any = json.loads(message)  # JSON boundary
    except ValueError:
        return None
    return event if isinstance(event, dict) else None
