"""Compatible servers on loopback for tests: plain sockets, so that they can misbehave at every byte."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from typing import Any, TypeVar

import msgspec

from vivavoce.engines.base import Engine
from vivavoce.engines.compatible.settings import CompatibleServer, Timeouts

KEY = "sk-test-0123456789abcdef"
DEADLINE_S = 20.0  # for what must happen, on a machine that does other things as well

E = TypeVar("E", bound=Engine)
Json = dict[str, Any]  # JSON boundary: messages as servers write them


class Request(msgspec.Struct, frozen=True):
    """A request as the server read it; header names are lower case."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Json:
        return msgspec.json.decode(self.body, type=Json)


class Out:
    """The way back to one client. `gone` is set when it has closed the connection."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self.gone = asyncio.Event()
        self._transport = transport

    def write(self, data: bytes) -> None:
        self._transport.write(data)

    def head(self, content_type: str, status: str = "200 OK", *headers: str, is_chunked: bool = True) -> None:
        """Begin an answer; without chunks it lasts until the connection is closed."""
        framing = "transfer-encoding: chunked" if is_chunked else "connection: close"
        lines = [f"HTTP/1.1 {status}", f"content-type: {content_type}", framing, *headers, "", ""]
        self.write("\r\n".join(lines).encode())

    def chunk(self, data: bytes) -> None:
        """Write a piece of the answer; an empty one ends it."""
        self.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")

    def whole(self, body: bytes, content_type: str = "application/json", status: str = "200 OK", *headers: str) -> None:
        """Write a whole answer."""
        lines = [f"HTTP/1.1 {status}", f"content-type: {content_type}", f"content-length: {len(body)}", *headers]
        self.write("\r\n".join([*lines, "", ""]).encode() + body)

    def drop(self) -> None:
        """Cut the connection once what was written is gone."""
        self._transport.close()


Answer = Callable[[Request, Out], Awaitable[None]]


class Server:
    """A server whose answers are used one after the other; the last one stays.

    `asked` is set with the first request, `hung_up` when a client has closed a connection.
    """

    def __init__(self, *answers: Answer) -> None:
        self.requests: list[Request] = []
        self.connections: list[_Connection] = []
        self.asked = asyncio.Event()
        self.hung_up = asyncio.Event()
        self.port = 0
        self._answers = list(answers)

    @contextlib.asynccontextmanager
    async def listening(self, tls: ssl.SSLContext | None = None) -> AsyncGenerator["Server"]:
        """Serve until the end of the block."""
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: _Connection(self), "127.0.0.1", 0, ssl=tls)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            await asyncio.gather(*(connection.end() for connection in self.connections), return_exceptions=True)
            await server.wait_closed()

    def become(self, *answers: Answer) -> None:
        """Begin anew with other answers; what was asked before is forgotten."""
        self._answers = list(answers)
        self.requests.clear()
        self.asked, self.hung_up = asyncio.Event(), asyncio.Event()

    def settings(self, timeouts: Timeouts | None = None, **options: Any) -> CompatibleServer:
        """Return the settings that lead here; the options are further ones of `CompatibleServer`."""
        return CompatibleServer(f"http://127.0.0.1:{self.port}/v1", KEY, timeouts=timeouts or Timeouts(), **options)

    def next_answer(self) -> Answer:
        return self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]


class _Connection(asyncio.Protocol):
    def __init__(self, server: Server) -> None:
        self._server = server
        self._received = b""
        self._answering: asyncio.Task[None] | None = None
        self._transport: asyncio.Transport | None = None
        self._out: Out | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport), "a stream of bytes"
        self._transport, self._out = transport, Out(transport)
        self._server.connections.append(self)

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, blank, body = self._received.partition(b"\r\n\r\n")
        request = _read(head.decode("latin-1")) if blank else None
        if request is None or len(body) < (length := int(request.headers.get("content-length", "0"))):
            return
        self._received = body[length:]
        assert self._out is not None, "the connection is made"
        request = msgspec.structs.replace(request, body=body[:length])
        self._server.requests.append(request)
        self._server.asked.set()
        answer = self._server.next_answer()
        self._answering = asyncio.get_running_loop().create_task(_answer(answer, request, self._out))

    def connection_lost(self, exc: Exception | None) -> None:
        self._server.hung_up.set()
        if self._out is not None:
            self._out.gone.set()
        if self._answering is not None:
            self._answering.cancel()

    async def end(self) -> None:
        if self._transport is not None:
            self._transport.abort()
        if self._answering is not None:
            self._answering.cancel()
            await self._answering


async def _answer(answer: Answer, request: Request, out: Out) -> None:
    await answer(request, out)


def _read(head: str) -> Request:
    first, *lines = head.split("\r\n")
    method, path, _ = first.split(" ")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    return Request(method, path, headers, b"")


# Answers ------------------------------------------------------------------------------------------------------


def sse(*events: Json | str, ending: str = "\n") -> bytes:
    """Return events as a stream; texts stand as they are."""
    texts = (event if isinstance(event, str) else msgspec.json.encode(event).decode() for event in events)
    return "".join(f"data: {text}{ending}{ending}" for text in texts).encode()


def streams(body: bytes, content_type: str = "text/event-stream", piece_bytes: int = 0) -> Answer:
    """Return an answer in chunks of so many bytes, in one by default."""

    async def answer(request: Request, out: Out) -> None:
        out.head(content_type)
        for piece in cut(body, piece_bytes or len(body)):
            out.chunk(piece)
        out.chunk(b"")

    return answer


def gives(body: Json | bytes, status: str = "200 OK", *headers: str, content_type: str = "application/json") -> Answer:
    """Return a whole answer."""
    encoded = body if isinstance(body, bytes) else msgspec.json.encode(body)

    async def answer(request: Request, out: Out) -> None:
        out.whole(encoded, content_type, status, *headers)

    return answer


def breaks(body: bytes, content_type: str = "text/event-stream") -> Answer:
    """Return an answer whose connection is cut after `body`."""

    async def answer(request: Request, out: Out) -> None:
        out.head(content_type)
        out.chunk(body)
        out.drop()

    return answer


def stalls(body: bytes = b"", content_type: str = "text/event-stream") -> Answer:
    """Return an answer that begins with `body` and never goes on; without a body it never begins."""

    async def answer(request: Request, out: Out) -> None:
        if body:
            out.head(content_type)
            out.chunk(body)
        await out.gone.wait()

    return answer


def pauses(*parts: bytes, pause_s: float, content_type: str = "text/event-stream") -> Answer:
    """Return an answer in chunks with a pause between them, as long as the client stays."""

    async def answer(request: Request, out: Out) -> None:
        out.head(content_type)
        for part in parts:
            out.chunk(part)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(out.gone.wait(), pause_s)
        out.chunk(b"")

    return answer


async def vanishes(request: Request, out: Out) -> None:
    """Cut the connection without an answer."""
    out.drop()


def cut(data: bytes, size: int) -> Iterable[bytes]:
    """Return the data in pieces."""
    return (data[start : start + size] for start in range(0, len(data), max(1, size)))


@contextlib.asynccontextmanager
async def started(engine: E) -> AsyncGenerator[E]:
    """Start an engine, and close it at the end."""
    await engine.start()
    try:
        yield engine
    finally:
        await engine.close()
