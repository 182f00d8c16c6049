"""Remote MCP servers on loopback for tests: real ones of the `mcp` package, and raw ones that misbehave."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Sequence
from typing import Any

import msgspec
import pytest
import uvicorn
from mcp.server.mcpserver import MCPServer
from mcp_types import CallToolResult, ImageContent, TextContent, ToolAnnotations
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from vivavoce.core.requests import McpServer
from vivavoce.engines.base import McpFailure
from vivavoce.engines.mcp.connector import McpHttpConnector
from vivavoce.protocol.items import McpError, McpHttpError

TOKEN = "a-secret-token-0123456789"
TIMEOUT_S = 20.0  # of operations that are to succeed or to fail for a reason of their own

Json = dict[str, Any]  # JSON boundary: messages as servers write them


class _Server(uvicorn.Server):
    """A server that tells when it is up, and leaves signals alone."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.is_up = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.is_up.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Any:  # Any: the generator type of uvicorn's own
        yield


@contextlib.asynccontextmanager
async def serving(app: ASGIApp) -> AsyncGenerator[int]:
    """Serve an application on a free port of 127.0.0.1 and yield the port."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    server = _Server(uvicorn.Config(app, log_level="critical", timeout_graceful_shutdown=1, ws="none"))
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(server.serve([listener]))
        await server.is_up.wait()
        try:
            yield listener.getsockname()[1]
        finally:
            server.should_exit = True


def toolbox() -> MCPServer:
    """Return a real MCP server with a few tools."""
    server: MCPServer = MCPServer("toolbox")

    @server.tool(annotations=ToolAnnotations(read_only_hint=True), structured_output=False)
    def add(a: int, b: int) -> str:
        """Add two numbers."""
        return str(a + b)

    @server.tool(structured_output=False)
    def fail() -> CallToolResult:
        """Fail."""
        return CallToolResult(content=[TextContent(type="text", text="the printer is on fire")], is_error=True)

    @server.tool(structured_output=False)
    def picture() -> CallToolResult:
        """Show a picture with a caption."""
        image = ImageContent(type="image", data="aGk=", mime_type="image/png")
        return CallToolResult(content=[TextContent(type="text", text="A cat:"), image])

    return server


class Log:
    """What an application was asked, by HTTP method, and the sessions that were named to it."""

    def __init__(self) -> None:
        self.methods: list[str] = []
        self.sessions: set[str] = set()


def logged(app: ASGIApp, log: Log) -> ASGIApp:
    """Return the application with its requests written to the log."""

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            log.methods.append(scope["method"])
            log.sessions |= {v.decode() for k, v in scope["headers"] if k == b"mcp-session-id"}
        await app(scope, receive, send)

    return application


def before_2026(app: ASGIApp, is_over: Callable[[str], bool] = lambda session: False) -> ASGIApp:
    """Return the application as one that knows only the handshake; sessions that are over get 404."""

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        headers = dict(scope["headers"]) if scope["type"] == "http" else {}
        if headers.get(b"mcp-protocol-version", b"") >= b"2026":
            await _respond(send, 400)
        elif is_over(headers.get(b"mcp-session-id", b"").decode()):
            await _respond(send, 404)
        else:
            await app(scope, receive, send)

    return application


def redirecting(app: ASGIApp, path: str, location: str) -> ASGIApp:
    """Return the application with a redirect (307) from `path`."""

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] == path:
            await _respond(send, 307, [(b"location", location.encode())])
        else:
            await app(scope, receive, send)

    return application


async def _respond(send: Send, status: int, headers: Sequence[tuple[bytes, bytes]] = ()) -> None:
    start: Message = {"type": "http.response.start", "status": status, "headers": list(headers)}
    await send(start)
    await send({"type": "http.response.body", "body": b""})


class Request(msgspec.Struct, frozen=True):
    """A request as a raw server read it."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def message(self) -> Json:
        """The JSON-RPC message in the body; empty if there is none."""
        return msgspec.json.decode(self.body, type=Json) if self.body else {}


Answer = Callable[[Request, asyncio.StreamWriter], Awaitable[None]]


class RawServer:
    """A server on plain sockets. `requests` are those read so far, `ended` is set when a client hangs up.

    After a message with a method of `silent_on` it says no more, and waits for the client to hang up.
    """

    def __init__(self, answer: Answer, silent_on: Collection[str] = ()) -> None:
        self.requests: list[Request] = []
        self.connections = 0
        self.silenced = asyncio.Event()
        self.ended = asyncio.Event()
        self.port = 0
        self._answer = answer
        self._silent_on = silent_on
        self._open: set[asyncio.StreamWriter] = set()

    @contextlib.asynccontextmanager
    async def listening(
        self, port: int = 0, host: str = "127.0.0.1", tls: ssl.SSLContext | None = None
    ) -> AsyncGenerator["RawServer"]:
        """Serve until the end of the block."""
        server = await asyncio.start_server(self._serve, host, port, ssl=tls)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            for writer in self._open:
                writer.transport.abort()
            await server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._open.add(writer)
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while request := await _read_request(reader):
                self.requests.append(request)
                if request.message.get("method") in self._silent_on:
                    self.silenced.set()
                    await reader.read()
                else:
                    await self._answer(request, writer)
        self.ended.set()
        self._open.discard(writer)
        writer.close()


async def _read_request(reader: asyncio.StreamReader) -> Request | None:
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    except asyncio.IncompleteReadError:
        return None
    first, *lines = head.rstrip("\r\n").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    method, path, _ = first.split(" ")
    return Request(method=method, path=path, headers=headers, body=body)


async def write(writer: asyncio.StreamWriter, status: str, body: bytes = b"", *headers: str) -> None:
    """Write a whole response."""
    lines = [f"HTTP/1.1 {status}", f"content-length: {len(body)}", *headers, "", ""]
    writer.write("\r\n".join(lines).encode() + body)
    await writer.drain()


async def write_json(writer: asyncio.StreamWriter, message: Json, status: str = "200 OK") -> None:
    """Write a JSON-RPC message as a response."""
    await write(writer, status, msgspec.json.encode(message), "content-type: application/json")


def scripted(answers: Callable[[Json], Json | None]) -> Answer:
    """Return the answer of a server that knows the handshake, and for other requests what `answers` gives.

    `answers` gets the message and returns `{"result": ...}` or `{"error": ...}`; None: nothing is written.
    """

    async def answer(request: Request, writer: asyncio.StreamWriter) -> None:
        message = request.message
        if "id" not in message:
            await write(writer, "202 Accepted")
            return
        body = _handshake(message) or answers(message)
        if body is not None:
            await write_json(writer, {"jsonrpc": "2.0", "id": message["id"], **body})

    return answer


def _handshake(message: Json) -> Json | None:
    if message["method"] == "server/discover":
        return {"error": {"code": -32601, "message": "unknown method"}}
    if message["method"] != "initialize":
        return None
    server = {"name": "scripted", "version": "1"}
    return {"result": {"protocolVersion": "2025-06-18", "capabilities": {"tools": {}}, "serverInfo": server}}


@contextlib.asynccontextmanager
async def connecting(
    *allowed_hosts: str, timeout_s: float = TIMEOUT_S, **options: Any
) -> AsyncGenerator[McpHttpConnector]:
    """Yield a started connector; the options are those of its constructor."""
    connector = McpHttpConnector(allowed_hosts or ("127.0.0.1",), timeout_s, **options)
    await connector.start()
    try:
        yield connector
    finally:
        await connector.close()


def at(port: int, path: str = "/mcp", host: str = "127.0.0.1", **credentials: Any) -> McpServer:
    """Return the address of a server on loopback."""
    return McpServer(label="toolbox", url=f"http://{host}:{port}{path}", **credentials)


async def failure_of(connector: McpHttpConnector, server: McpServer) -> McpError:
    """Return why a call fails."""
    with pytest.raises(McpFailure) as failed:
        await connector.call_tool(server, "any", "{}")
    return failed.value.error


def code_of(error: McpError) -> int:
    """Return the HTTP status of an error."""
    assert isinstance(error, McpHttpError), error
    return error.code


class Names:
    """A resolver with a table; every question takes the next answer, the last one stays."""

    def __init__(self, **answers: Sequence[Sequence[str]]) -> None:
        self.asked: list[str] = []
        self._answers = {name: list(found) for name, found in answers.items()}

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        self.asked.append(host)
        answers = self._answers.get(host)
        if answers is None:
            raise OSError("not known")
        return answers.pop(0) if len(answers) > 1 else answers[0]


def greeting(answer: Answer) -> Answer:
    """Return the answer of a server that shakes hands and treats other messages by `answer`."""
    friendly = scripted(lambda message: None)

    async def decide(request: Request, writer: asyncio.StreamWriter) -> None:
        is_call = request.message.get("method") == "tools/call"
        await (answer if is_call else friendly)(request, writer)

    return decide
