"""Upstreams for tests of the connector: raw ones, and what a listener is told."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from websockets.asyncio.server import ServerConnection, serve

from tests.transports.peers import frame
from vivavoce.core.relay.vocabulary import UpstreamFault
from vivavoce.engines.upstream.settings import UpstreamSettings
from vivavoce.runtime.upstreams import UpstreamLink, UpstreamRequest, UpstreamUnavailable
from vivavoce.transports.connection import accept_of
from vivavoce.transports.upstream_websocket import UpstreamWebSocket

KEY = "sk-not-to-be-told"
GREETING = b'{"type":"session.created"}'


class Heard:
    """A listener that keeps what it is told, and does something at once with a message where it is asked to."""

    def __init__(self) -> None:
        self.messages: asyncio.Queue[bytes] = asyncio.Queue()
        self.faults: asyncio.Queue[UpstreamFault] = asyncio.Queue()
        self.flow: asyncio.Queue[str] = asyncio.Queue()
        self.order: list[str] = []
        self.closed: asyncio.Future[tuple[int, str]] = asyncio.get_running_loop().create_future()
        self.then: Callable[[bytes], object] = lambda message: None

    def receive(self, message: bytes) -> None:
        self.order.append("message")
        self.messages.put_nowait(message)
        self.then(message)

    def link_failed(self, fault: UpstreamFault) -> None:
        self.order.append("failed")
        self.faults.put_nowait(fault)

    def block_writing(self) -> None:
        self.flow.put_nowait("block")

    def unblock_writing(self) -> None:
        self.flow.put_nowait("unblock")

    def link_closed(self, code: int, reason: str) -> None:
        self.order.append("closed")
        self.closed.set_result((code, reason))


def settings(port: int, **changes: Any) -> UpstreamSettings:  # `changes` are the settings' own fields
    return UpstreamSettings(**{"url": f"http://127.0.0.1:{port}/v1", "api_key": KEY, **changes})


async def fault_of(connector: UpstreamWebSocket) -> UpstreamFault:
    """Return why a connection does not come about."""
    try:
        await connector.connect(UpstreamRequest("gpt-realtime"), Heard())
    except UpstreamUnavailable as unavailable:
        return unavailable.fault
    raise AssertionError("it was accepted")


@contextlib.asynccontextmanager
async def linked(connector: UpstreamWebSocket, heard: Heard) -> AsyncIterator[UpstreamLink]:
    """Connect; afterwards the link is dropped and gone."""
    link = await connector.connect(UpstreamRequest("gpt-realtime"), heard)
    try:
        yield link
    finally:
        link.abort()
        await heard.closed


# Upstreams by the `websockets` library ------------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def upstream(
    handle: Callable[[ServerConnection], Awaitable[None]], tls: ssl.SSLContext | None = None, **options: Any
) -> AsyncIterator[int]:
    """Serve WebSockets; gives the port. `options` are those of `serve`."""
    async with serve(handle, "127.0.0.1", 0, ssl=tls, compression=None, max_size=None, **options) as server:
        yield next(iter(server.sockets)).getsockname()[1]


async def echo(connection: ServerConnection) -> None:
    """Greet, then send every message back."""
    await connection.send(GREETING.decode())
    async for message in connection:
        await connection.send(message)


# Raw upstreams ------------------------------------------------------------------------------------------------------


class RawUpstream:
    """The upstream's side of one connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.head = b""

    async def read_head(self) -> bytes:
        self.head = await self.reader.readuntil(b"\r\n\r\n")
        return self.head

    async def accept(self, *frames: bytes, extra: str = "", accept: str | None = None) -> None:
        """Answer the upgrade, with frames in the same segment."""
        head = await self.read_head()
        lines = head.decode().split("\r\n")
        key = next(line.split(": ")[1] for line in lines if line.lower().startswith("sec-websocket-key"))
        answer = (
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: WebSocket\r\nConnection: keep-alive, Upgrade\r\n"
            f"Sec-WebSocket-Accept: {accept or accept_of(key)}\r\n{extra}\r\n"
        )
        self.writer.write(answer.encode() + b"".join(frames))

    async def send(self, *frames: bytes) -> None:
        self.writer.write(b"".join(frames))
        await self.writer.drain()

    async def read_frame(self) -> tuple[int, bytes]:
        """Return opcode and payload of the next frame; clients mask."""
        first, second = await self.reader.readexactly(2)
        assert second & 0x80, "a client's frame has a mask"
        size = second & 0x7F
        if size >= 126:
            size = int.from_bytes(await self.reader.readexactly(2 if size == 126 else 8), "big")
        mask = await self.reader.readexactly(4)
        payload = await self.reader.readexactly(size)
        return first & 0x0F, bytes(byte ^ mask[index % 4] for index, byte in enumerate(payload))


def plain(opcode: int, payload: bytes = b"", *, is_last: bool = True, reserved: int = 0) -> bytes:
    """Return a frame as a server sends it."""
    return frame(opcode, payload, is_last=is_last, is_masked=False, reserved=reserved)


@contextlib.asynccontextmanager
async def raw_upstream(
    play: Callable[[RawUpstream], Awaitable[None]], tls: ssl.SSLContext | None = None
) -> AsyncIterator[int]:
    """Serve connections by `play`; each is closed when it has ended. Gives the port."""
    open_writers = set[asyncio.StreamWriter]()

    async def serve_one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        open_writers.add(writer)
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            await play(RawUpstream(reader, writer))
        writer.close()

    server = await asyncio.start_server(serve_one, "127.0.0.1", 0, ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for writer in open_writers:
            writer.transport.abort()


def answers(head: str, body: bytes = b"") -> Callable[[RawUpstream], Awaitable[None]]:
    """Return a play that refuses the upgrade."""

    async def play(peer: RawUpstream) -> None:
        await peer.read_head()
        await peer.send(head.replace("\n", "\r\n").encode() + b"\r\n\r\n" + body)
        await peer.reader.read()

    return play
