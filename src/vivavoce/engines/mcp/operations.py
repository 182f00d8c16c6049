"""Operations on MCP servers: a deadline around each, links kept for the next one, failures with their reason."""

import asyncio
import ssl
from collections.abc import Iterator, Mapping
from typing import Any, Final, Generic, TypeVar

import anyio
import httpx2
from mcp.shared.exceptions import MCPError
from pydantic import ValidationError

from vivavoce.core.requests import McpServer
from vivavoce.engines.base import McpFailure
from vivavoce.engines.mcp.addresses import Resolve
from vivavoce.engines.mcp.failures import PARSE_ERROR, broken, timed_out
from vivavoce.engines.mcp.link import Link, Work
from vivavoce.engines.mcp.tools import call, fetch_tools
from vivavoce.protocol.items import McpError, McpListedTool, McpProtocolError

T = TypeVar("T")

MAX_LINKS: Final = 64  # that are kept; the one used longest ago goes first
IDLE_S: Final = 60.0  # after which a link is not used again

# What the package raises for what a server does. RuntimeError: a version of the protocol that it does not know.
_REMOTE: Final = (
    McpFailure,
    MCPError,
    ValidationError,
    httpx2.HTTPError,
    httpx2.StreamError,
    anyio.ClosedResourceError,
    anyio.BrokenResourceError,
    RuntimeError,
)
_Key = tuple[str, str | None, tuple[tuple[str, str], ...]]


class _Outcome(Generic[T]):
    """How an operation ended: with a value, with what the remote side caused, or not yet."""

    def __init__(self) -> None:
        self.values: list[T] = []
        self.causes: list[BaseException] = []


class Operations:
    """Runs operations on servers; links wait by server and credentials."""

    def __init__(
        self, allowed_hosts: tuple[str, ...], timeout_s: float, resolve: Resolve, tls: ssl.SSLContext | None
    ) -> None:
        self._allowed_hosts = allowed_hosts
        self._timeout_s = timeout_s
        self._resolve = resolve
        self._tls = tls or httpx2.create_ssl_context()
        self._idle: list[tuple[_Key, Link]] = []  # the one used longest ago first

    async def list_tools(self, server: McpServer) -> tuple[McpListedTool, ...]:
        """Return the tools of a server. Raises McpFailure."""
        return await self._run(server, fetch_tools)

    async def call_tool(self, server: McpServer, name: str, arguments: Mapping[str, Any]) -> str:
        """Return a tool's output as text; `arguments` is JSON. Raises McpFailure."""
        return await self._run(server, lambda session: call(session, server, name, dict(arguments)))

    async def close(self) -> None:
        """Say goodbye on all links at once."""
        links, self._idle = [link for _, link in self._idle], []
        await _say_goodbye(links)

    async def _run(self, server: McpServer, work: Work[T]) -> T:
        """Run an operation within its time; once more where a kept session turned out to be over."""
        with anyio.move_on_after(self._timeout_s):
            link, outdated = self._take(server)
            async with anyio.create_task_group() as group:
                group.start_soon(_say_goodbye, outdated)
                outcome = await self._run_on(link, server, work)
                if not outcome.values and link.is_outdated:
                    link = self._new(server)
                    outcome = await self._run_on(link, server, work)
            if outcome.values:
                return outcome.values[0]
            raise McpFailure(_reason(link, outcome.causes))
        raise McpFailure(timed_out(self._timeout_s))

    async def _run_on(self, link: Link, server: McpServer, work: Work[T]) -> _Outcome[T]:
        """Run an operation on a link, and keep the link for the next one if it succeeded.

        The operation has a task of its own, so that one scope cancels it and all that the package has started at
        once. Cancelled alone, the package tries for 5 s to tell the server, shielded, and a slow server can hold it.
        """
        outcome: _Outcome[T] = _Outcome()
        is_over = anyio.Event()
        link.exchange.begin(is_over.set)
        try:
            async with anyio.create_task_group() as group:
                group.start_soon(_operate, link, work, outcome, is_over)
                try:
                    await is_over.wait()
                finally:
                    if not outcome.values:
                        group.cancel_scope.cancel()
        finally:
            if outcome.values:
                self._keep(link, server)
            else:
                await link.close()
        return outcome

    def _take(self, server: McpServer) -> tuple[Link, list[Link]]:
        """Return a link to the server, and those that have waited too long."""
        now_s = asyncio.get_running_loop().time()
        waiting = [link for _, link in self._idle]
        outdated = [link for link in waiting if now_s - link.idle_since_s > IDLE_S or link not in waiting[-MAX_LINKS:]]
        self._idle = [(key, link) for key, link in self._idle if link not in outdated]
        for index, (key, link) in enumerate(self._idle):
            if key == _key(server):
                del self._idle[index]
                return link, outdated
        return self._new(server), outdated

    def _keep(self, link: Link, server: McpServer) -> None:
        link.is_fresh = False
        link.idle_since_s = asyncio.get_running_loop().time()
        self._idle.append((_key(server), link))

    def _new(self, server: McpServer) -> Link:
        return Link(server, self._allowed_hosts, self._resolve, self._tls)


async def _operate(link: Link, work: Work[T], outcome: _Outcome[T], is_over: anyio.Event) -> None:
    """Put into the outcome what the work returns, or why the remote side made it fail."""
    try:
        outcome.values.append(await link.run(work))
    except _REMOTE as error:
        outcome.causes.append(error)
    except ExceptionGroup as group:
        ours = group.split(_REMOTE)[1]
        if ours is not None:
            raise
        outcome.causes.extend(_leaves(group))
    finally:
        is_over.set()


async def _say_goodbye(links: list[Link]) -> None:
    async with anyio.create_task_group() as group:
        for link in links:
            group.start_soon(link.say_goodbye)


def _reason(link: Link, causes: list[BaseException]) -> McpError:
    """Return why an operation failed: the network's reason if it is final, then the most telling of the causes."""
    seen = link.exchange.failure
    if seen is not None and link.exchange.is_over:
        return seen
    for cause in causes:
        if isinstance(cause, McpFailure):
            return cause.error
    if seen is not None:
        return seen
    for cause in causes:
        if isinstance(cause, MCPError):
            return _told(cause)
        if isinstance(cause, ValidationError):
            return broken(_place(cause))
    return broken("it breaks the protocol")


def _told(error: MCPError) -> McpError:
    """Return a JSON-RPC error as data. What could not be parsed is not repeated: it is cut, secrets with it."""
    if error.code == PARSE_ERROR:
        return broken("it is no JSON-RPC message", PARSE_ERROR)
    return McpProtocolError(code=error.code, message=error.message)


def _place(error: ValidationError) -> str:
    """Return where a result differs from the protocol, without the value that stands there."""
    first = error.errors(include_input=False, include_url=False, include_context=False)[0]
    place = ".".join(str(step) for step in first["loc"])
    return f"at '{place}': {first['msg']}"


def _leaves(group: BaseExceptionGroup[BaseException]) -> Iterator[BaseException]:
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _leaves(error)
        else:
            yield error


def _key(server: McpServer) -> _Key:
    return server.url, server.authorization, server.headers
