"""The other side of a connection, for tests: raw frames, and a server of one listener."""

import asyncio
import base64
import contextlib
import socket
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import TypeVar, cast

import aiofastnet
import uvloop

from vivavoce.runtime.outbox import Timers
from vivavoce.transports.connection import FrameLink, Handshake
from vivavoce.transports.endpoint import Endpoint

T = TypeVar("T")

DEADLINE_S = 20.0
KEY = base64.b64encode(bytes(range(16))).decode()
HEAD = (
    "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {KEY}\r\n\r\n"
).encode()

TEXT, BINARY, CONTINUATION, CLOSE, PING, PONG = 1, 2, 0, 8, 9, 10


def run(work: Coroutine[object, object, T]) -> T:
    """Run a test on the loop that the server uses, within a deadline."""

    async def limited() -> T:
        async with asyncio.timeout(DEADLINE_S):
            return await work

    with asyncio.Runner(loop_factory=lambda: aiofastnet.patch_loop(uvloop.new_event_loop())) as runner:
        return runner.run(limited())


# Frames ------------------------------------------------------------------------------------------


def frame(
    opcode: int, payload: bytes = b"", *, is_last: bool = True, is_masked: bool = True, reserved: int = 0
) -> bytes:
    """Return a frame as a client sends it. The mask is zero, which is legal and leaves the payload readable."""
    size = len(payload)
    short = size if size < 126 else 126 if size < 65536 else 127
    extended = b"" if size < 126 else size.to_bytes(2 if size < 65536 else 8, "big")
    head = bytes([is_last << 7 | reserved << 4 | opcode, is_masked << 7 | short])
    return head + extended + (b"\0\0\0\0" if is_masked else b"") + payload


def close_payload(code: int, reason: str = "") -> bytes:
    return code.to_bytes(2, "big") + reason.encode()


class RawClient:
    """A client that sends any bytes and reads frames."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def upgrade(self, head: bytes = HEAD) -> bytes:
        """Ask for a WebSocket and return the head of the answer."""
        self.writer.write(head)
        return await self.reader.readuntil(b"\r\n\r\n")

    async def send(self, *frames: bytes) -> None:
        self.writer.write(b"".join(frames))
        await self.writer.drain()

    async def read_frame(self) -> tuple[int, bytes]:
        """Return opcode and payload of the next frame; servers do not mask."""
        first, second = await self.reader.readexactly(2)
        size = second & 0x7F
        if size >= 126:
            size = int.from_bytes(await self.reader.readexactly(2 if size == 126 else 8), "big")
        return first & 0x0F, await self.reader.readexactly(size)

    async def read_close(self) -> tuple[int, str]:
        """Skip to the close frame; return its code and reason."""
        while True:
            opcode, payload = await self.read_frame()
            if opcode == CLOSE:
                return int.from_bytes(payload[:2], "big"), payload[2:].decode()

    async def read_to_end(self) -> bytes:
        return await self.reader.read()

    def reset(self) -> None:
        """Drop the connection with a TCP reset."""
        sock = self.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.writer.transport.abort()


@contextlib.asynccontextmanager
async def raw_client(port: int, *, receive_buffer_bytes: int | None = None) -> AsyncIterator[RawClient]:
    """Connect; a small receive buffer makes a client that soon takes no more."""
    sock = socket.socket()
    if receive_buffer_bytes is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer_bytes)
    sock.connect(("127.0.0.1", port))
    limit = 2**16 if receive_buffer_bytes is None else 1024
    reader, writer = await asyncio.open_connection(sock=sock, limit=limit)
    try:
        yield RawClient(reader, writer)
    finally:
        writer.transport.abort()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


# A server of one listener -----------------------------------------------------------------------------------------


class Recorder:
    """A listener that keeps what it is told."""

    def __init__(self) -> None:
        self.endpoint: Endpoint | None = None
        self.messages: asyncio.Queue[tuple[str, bytes]] = asyncio.Queue()
        self.flow: asyncio.Queue[str] = asyncio.Queue()
        self.is_echoing = False
        self.pauses_on: bytes | None = None
        self.closes_on: bytes | None = None
        self.lost: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    def receive_text(self, message: bytes) -> None:
        self.messages.put_nowait(("text", message))
        assert self.endpoint is not None, "served by `listening`"
        if self.is_echoing:
            self.endpoint.send(message)
        if message == self.pauses_on:
            self.endpoint.pause_reading()
        if message == self.closes_on:
            self.endpoint.close(4000, "as asked")

    def receive_binary(self, message: bytes) -> None:
        self.messages.put_nowait(("binary", message))

    def block_writing(self) -> None:
        self.flow.put_nowait("block")

    def unblock_writing(self) -> None:
        self.flow.put_nowait("unblock")

    def connection_lost(self, code: int) -> None:
        self.lost.set_result(code)


class _Acceptor(asyncio.Protocol):
    """Reads a head, then hands the transport to an endpoint, as uvicorn's `ws` class does."""

    def __init__(self, begin: Callable[[asyncio.Transport], None]) -> None:
        self._begin = begin

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # aiofastnet's is one by shape, not by class

    def data_received(self, data: bytes) -> None:
        self._transport.pause_reading()
        asyncio.get_running_loop().call_soon(self._begin, self._transport)


@contextlib.asynccontextmanager
async def accepting(begin: Callable[[asyncio.Transport], None]) -> AsyncIterator[int]:
    """Accept connections and give each to `begin` once its head has come; gives the port."""
    server = await asyncio.get_running_loop().create_server(lambda: _Acceptor(begin), "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


@contextlib.asynccontextmanager
async def listening(
    make_link: Callable[[], FrameLink], listener: Recorder, timers: Timers | None = None
) -> AsyncIterator[int]:
    """Serve one endpoint for `listener`; gives the port."""
    endpoint = listener.endpoint = Endpoint(make_link(), listener, timers or asyncio.get_running_loop())
    async with accepting(lambda transport: endpoint.start(transport, Handshake(KEY))) as port:
        try:
            yield port
        finally:
            endpoint.abort()
            await listener.lost
