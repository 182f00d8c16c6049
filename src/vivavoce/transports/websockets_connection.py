"""Frames by the `websockets` library's parser: the fallback where picows cannot be used, on any event loop."""

import asyncio
import socket
from collections.abc import Callable, Generator
from functools import partial

from websockets.exceptions import PayloadTooBig, ProtocolError
from websockets.frames import Frame
from websockets.frames import Opcode as FrameOpcode
from websockets.streams import StreamReader

from vivavoce.transports.connection import (
    CLOSE_PROTOCOL,
    CLOSE_TOO_BIG,
    MESSAGE_LIMIT_BYTES,
    FrameReceiver,
    Handshake,
    Opcode,
    TextSender,
    accept_of,
)


class WebsocketsLink(asyncio.Protocol):
    """A `FrameLink` by the `websockets` library; also the transport's protocol."""

    def __init__(self) -> None:
        self.deliver_text: Callable[[bytes], None] | None = None  # every frame goes to the endpoint here
        self._endpoint: FrameReceiver | None = None
        self._transport: asyncio.Transport | None = None
        self._reader = StreamReader()
        self._parser = self._parse()
        self._received_bytes = 0
        self._is_discarding = False

    # FrameLink ------------------------------------------------------------------------------------------------

    def start(self, transport: asyncio.Transport, handshake: Handshake, endpoint: FrameReceiver) -> None:
        self._endpoint = endpoint
        self._transport = transport
        next(self._parser)
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        transport.write(_answer_head(handshake))
        transport.set_protocol(self)
        transport.resume_reading()

    def text_sender(self) -> TextSender:
        return partial(self._send, Opcode.TEXT)

    def send_ping(self) -> None:
        self._send(Opcode.PING, b"")

    def send_pong(self, payload: bytes) -> None:
        self._send(Opcode.PONG, payload)

    def send_close(self, code: int, reason: str) -> None:
        self._send(Opcode.CLOSE, code.to_bytes(2, "big") + reason.encode())

    def pause_reading(self) -> None:
        if self._transport is not None:
            self._transport.pause_reading()

    def resume_reading(self) -> None:
        if self._transport is not None:
            self._transport.resume_reading()

    def buffered_bytes(self) -> int:
        return 0 if self._transport is None else self._transport.get_write_buffer_size()

    def progress(self) -> int:
        return self._received_bytes

    def discard_input(self) -> None:
        self._is_discarding = True
        self.resume_reading()

    def disconnect(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    # asyncio.Protocol -----------------------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        self._received_bytes += len(data)
        if self._is_discarding:
            return
        self._reader.feed_data(data)
        try:
            next(self._parser)
        except PayloadTooBig:
            self._fail(CLOSE_TOO_BIG, f"Messages are limited to {MESSAGE_LIMIT_BYTES} bytes.")
        except ProtocolError as fault:
            self._fail(CLOSE_PROTOCOL, str(fault))

    def eof_received(self) -> bool:
        assert self._endpoint is not None, "called back before the start"
        self._endpoint.receive_eof()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        assert self._endpoint is not None, "called back before the start"
        self._parser.close()
        self._endpoint.transport_lost()

    def pause_writing(self) -> None:
        assert self._endpoint is not None, "called back before the start"
        self._endpoint.block_writing()

    def resume_writing(self) -> None:
        assert self._endpoint is not None, "called back before the start"
        self._endpoint.unblock_writing()

    def _parse(self) -> Generator[None, None, None]:
        while not self._is_discarding:
            frame = yield from Frame.parse(self._reader.read_exact, mask=True, max_size=MESSAGE_LIMIT_BYTES)
            assert self._endpoint is not None, "frames come after the start"
            self._endpoint.receive_frame(int(frame.opcode), frame.fin, bytes(frame.data))
        while True:
            yield

    def _fail(self, code: int, reason: str) -> None:
        assert self._endpoint is not None, "called back before the start"
        self._endpoint.fail(code, reason)

    def _send(self, opcode: Opcode, payload: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(Frame(FrameOpcode(opcode), payload).serialize(mask=False))


def _answer_head(handshake: Handshake) -> bytes:
    """Return the 101 answer, RFC 6455 section 4.2.2."""
    lines = [
        "HTTP/1.1 101 Switching Protocols",
        "Connection: Upgrade",
        "Upgrade: websocket",
        f"Sec-WebSocket-Accept: {accept_of(handshake.key)}",
        *(f"{name}: {value}" for name, value in handshake.headers),
        "\r\n",
    ]
    return "\r\n".join(lines).encode()
