"""A proxy on loopback between a client and a server: sees every WebSocket message, may change what the server says.

It passes what it is given: path, query, headers, subprotocols, refused upgrades with their bodies, pings, binary
messages, close codes, plain HTTP requests. Three things it changes: `Host` names the server, an `Origin` of the proxy
becomes the server's, and WebSocket extensions (compression) are not offered on. A fragmented message arrives whole.
"""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Sequence
from typing import Any, Final, Literal, Protocol, cast
from urllib.parse import urlsplit

import msgspec
from websockets.exceptions import ProtocolError
from websockets.frames import DATA_OPCODES, Frame, Opcode

MAX_HEAD_BYTES: Final = 65_536  # of a request or an answer, its headers included
PUMP_BYTES: Final = 65_536

Direction = Literal[">", "<"]  # from the client, from the server
Mutator = Callable[[str], Sequence[str]]  # a text message of the server -> what the client gets in its place


class Passed(msgspec.Struct, frozen=True):
    """A message that the proxy handed on, as its receiver gets it; connections count from 1."""

    connection: int
    target: str  # path and query of the upgrade request
    direction: Direction
    message: str | bytes


Tap = Callable[[Passed], None]


class Translator(Protocol):
    """Translates the text messages of one connection, between a client and a server that speak different dialects."""

    def client(self, message: bytes) -> tuple[Sequence[bytes], Sequence[bytes]]:
        """Return what the server gets for a message of the client, and what the client gets in answer at once."""
        ...

    def server(self, message: bytes) -> Sequence[bytes]:
        """Return what the client gets for a message of the server."""
        ...


class Translation(msgspec.Struct, frozen=True):
    """Makes the translator of each connection; `headers` are lines for the heads of requests."""

    make: Callable[[], Translator]
    headers: tuple[str, ...] = ()


class Proxy(msgspec.Struct, frozen=True):
    """Where the proxy listens. `address` is host and port."""

    address: str
    is_tls: bool

    @property
    def url(self) -> str:
        """The address as the base of HTTP requests."""
        return f"{'https' if self.is_tls else 'http'}://{self.address}"

    @property
    def websocket_url(self) -> str:
        """The address as the base of WebSocket connections."""
        return f"{'wss' if self.is_tls else 'ws'}://{self.address}"


class _Route(msgspec.Struct, frozen=True):
    """Where to dial, and what to do with messages."""

    host: str
    port: int
    upstream_tls: ssl.SSLContext | None
    tap: Tap | None
    mutate: Callable[[], Mutator] | None
    translate: Translation | None


class _Wire(msgspec.Struct, frozen=True):
    """One end of a proxied connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter


_Step = Callable[[_Wire, _Wire, Direction], Awaitable[bool]]  # passes something on; False: the source has ended


@contextlib.asynccontextmanager
async def recording_proxy(
    server_url: str,
    *,
    tap: Tap | None = None,
    mutate: Callable[[], Mutator] | None = None,
    translate: Translation | None = None,
    tls: ssl.SSLContext | None = None,
    upstream_tls: ssl.SSLContext | None = None,
) -> AsyncIterator[Proxy]:
    """Listen on a free port of 127.0.0.1 until the block ends; connections open then are cut.

    Args:
        server_url: `http://host:port`, or the same with `ws`, `https` or `wss`; a path in it is not used.
        tap: is told every text and binary message in the order of the wire, after `mutate`.
        mutate: makes, for each connection, the function that replaces the server's text messages.
        translate: what translates the text messages of both; takes the place of `mutate`.
        tls: the server-side context with the certificate shown to clients; None: no TLS.
        upstream_tls: the context for dialling a server with TLS; None: the machine's usual trust.
    """
    parts = urlsplit(server_url)
    is_tls = parts.scheme in ("https", "wss")
    route = _Route(
        host=parts.hostname or "127.0.0.1",
        port=parts.port or (443 if is_tls else 80),
        upstream_tls=(upstream_tls or ssl.create_default_context()) if is_tls else None,
        tap=tap,
        mutate=mutate,
        translate=translate,
    )
    try:
        async with asyncio.TaskGroup() as group, _listening(route, group, tls) as proxy:
            yield proxy
    except ExceptionGroup as raised:
        fault = _alone(raised)  # what is raised in the block is raised as it is, in no group
        raise fault from fault.__cause__


def _alone(fault: Exception) -> Exception:
    """The one exception within groups of one."""
    while isinstance(fault, ExceptionGroup) and len(fault.exceptions) == 1:
        fault = fault.exceptions[0]
    return fault


@contextlib.asynccontextmanager
async def _listening(route: _Route, group: asyncio.TaskGroup, tls: ssl.SSLContext | None) -> AsyncIterator[Proxy]:
    connections: list[asyncio.Task[None]] = []

    def connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        number = len(connections) + 1
        serving = _serve(_Wire(reader, writer), route, number)
        connections.append(group.create_task(serving, name=f"proxied connection {number}"))

    server = await asyncio.start_server(connect, "127.0.0.1", 0, ssl=tls, limit=MAX_HEAD_BYTES)
    try:
        yield Proxy(f"127.0.0.1:{server.sockets[0].getsockname()[1]}", tls is not None)
    finally:
        server.close()
        for connection in connections:
            connection.cancel()


async def _serve(client: _Wire, route: _Route, number: int) -> None:
    """Proxy one connection until the server has closed. A lost end closes the other; it is no failure of ours."""
    async with contextlib.AsyncExitStack() as stack:
        stack.enter_context(contextlib.suppress(OSError, EOFError, asyncio.LimitOverrunError))
        stack.push(lambda kind, *_: _end(client, kind))
        request = await client.reader.readuntil(b"\r\n\r\n")
        server = _Wire(*await asyncio.open_connection(route.host, route.port, ssl=route.upstream_tls))
        stack.push(lambda kind, *_: _end(server, kind))
        is_upgrade = "websocket" in _headers(request).get("upgrade", "").lower()
        server.writer.write(_for_server(request, route, client, is_upgrade))
        step = _pass_bytes
        if is_upgrade:
            answer = await server.reader.readuntil(b"\r\n\r\n")
            client.writer.write(answer)
            if answer.split(b" ", 2)[1] == b"101":
                step = _Messages(route, number, request.split(b" ", 2)[1].decode("latin-1")).pass_frame
        await _exchange(client, server, step)


def _end(wire: _Wire, kind: type[BaseException] | None) -> None:
    """Close one end: in order, or at once where the connection is cut."""
    if kind is None:
        wire.writer.close()
    else:
        wire.writer.transport.abort()


def _headers(head: bytes) -> dict[str, str]:
    lines = (line.partition(":") for line in head.decode("latin-1").split("\r\n")[1:])
    return {name.lower(): value.strip() for name, _, value in lines}


def _for_server(request: bytes, route: _Route, client: _Wire, is_upgrade: bool) -> bytes:
    """The request head as the server gets it; a plain request asks for its connection to be closed after it."""
    server = f"{route.host}:{route.port}"
    host, port = client.writer.get_extra_info("sockname")[:2]
    first, *lines = request.decode("latin-1").removesuffix("\r\n\r\n").split("\r\n")
    kept = [first, f"Host: {server}", *(route.translate.headers if route.translate is not None else ())]
    for line in lines:
        name = line.partition(":")[0].lower()
        if name == "origin":
            own = {f"{scheme}://{known}:{port}" for scheme in ("http", "https") for known in (host, "localhost")}
            is_own = line.partition(":")[2].strip() in own
            kept.append(f"Origin: {'http' if route.upstream_tls is None else 'https'}://{server}" if is_own else line)
        elif name != "host" and name != ("sec-websocket-extensions" if is_upgrade else "connection"):
            kept.append(line)
    if not is_upgrade:
        kept.append("Connection: close")
    return "\r\n".join([*kept, "", ""]).encode("latin-1")


async def _exchange(client: _Wire, server: _Wire, step: _Step) -> None:
    """Hand on in both directions until the server has closed."""
    async with asyncio.TaskGroup() as group:
        upward = group.create_task(_keep_passing(client, server, step, ">"))
        await _keep_passing(server, client, step, "<")
        upward.cancel()


async def _keep_passing(source: _Wire, target: _Wire, step: _Step, direction: Direction) -> None:
    """Pass until the source ends, then end the target: in order after an end of file, at once after a fault."""
    try:
        while await step(source, target, direction):
            await target.writer.drain()
    except EOFError:
        pass
    except (OSError, ProtocolError):
        target.writer.transport.abort()
        return
    if target.writer.can_write_eof() and not target.writer.is_closing():
        target.writer.write_eof()
    elif direction == ">":
        target.writer.close()  # TLS has no half-closed state


async def _pass_bytes(source: _Wire, target: _Wire, direction: Direction) -> bool:
    """Hand on what came, byte for byte: plain HTTP, and the body of a refused upgrade."""
    data = await source.reader.read(PUMP_BYTES)
    target.writer.write(data)
    return bool(data)


class _Messages:
    """Hands on WebSocket frames, data frames joined to messages."""

    def __init__(self, route: _Route, number: int, target: str) -> None:
        self._route = route
        self._number = number
        self._target = target
        self._mutate = route.mutate() if route.mutate is not None else None
        self._translator = route.translate.make() if route.translate is not None else None
        self._begun: dict[Direction, list[Frame]] = {">": [], "<": []}  # the frames of an unfinished message

    async def pass_frame(self, source: _Wire, target: _Wire, direction: Direction) -> bool:
        """Hand on one frame, or the messages that stand for it."""
        frame = await _read_frame(source.reader, is_masked=direction == ">")
        onward, back = self._replacements(frame, direction)
        for outgoing in onward:
            self._send(outgoing, target, direction)
        for answer in back:
            self._send(answer, source, "<")
        return True

    def _send(self, frame: Frame, wire: _Wire, direction: Direction) -> None:
        if frame.opcode in DATA_OPCODES and self._route.tap is not None:
            message = bytes(frame.data) if frame.opcode is Opcode.BINARY else _text(frame)
            self._route.tap(Passed(self._number, self._target, direction, message))
        wire.writer.write(frame.serialize(mask=direction == ">"))

    def _replacements(self, frame: Frame, direction: Direction) -> tuple[Sequence[Frame], Sequence[Frame]]:
        """The frames to send for one that came, onward and back: none within a message, any number after it."""
        if frame.opcode not in DATA_OPCODES:
            return [frame], []
        begun = self._begun[direction]
        begun.append(frame)
        if not frame.fin:
            return [], []
        whole = Frame(begun[0].opcode, b"".join(part.data for part in begun))
        begun.clear()
        if whole.opcode is Opcode.BINARY:
            return [whole], []
        if self._translator is not None:
            return self._translated(self._translator, bytes(whole.data), direction)
        if self._mutate is None or direction == ">":
            return [whole], []
        return [Frame(Opcode.TEXT, text.encode()) for text in self._mutate(_text(whole))], []

    def _translated(
        self, translator: Translator, message: bytes, direction: Direction
    ) -> tuple[Sequence[Frame], Sequence[Frame]]:
        onward, back = translator.client(message) if direction == ">" else (translator.server(message), ())
        return [Frame(Opcode.TEXT, one) for one in onward], [Frame(Opcode.TEXT, one) for one in back]


def _text(frame: Frame) -> str:
    return bytes(frame.data).decode("utf-8", "replace")


async def _read_frame(reader: asyncio.StreamReader, *, is_masked: bool) -> Frame:
    """Read one frame; raises `asyncio.IncompleteReadError` (an `EOFError`) at the end of the stream."""
    # The parser hands through whatever its reading generator yields and is sent; its annotations say None for both.
    parsing = cast(Generator[int, bytes, Frame], Frame.parse(cast(Any, _wanted), mask=is_masked))
    try:
        count = next(parsing)
        while True:
            count = parsing.send(await reader.readexactly(count))
    except StopIteration as parsed:
        return cast(Frame, parsed.value)  # what a generator returns has no type


def _wanted(count: int) -> Generator[int, bytes, bytes]:
    """The way in which the frame parser asks for bytes."""
    data = yield count
    return data
