"""Operations on MCP servers: a deadline around each, links that are kept for the next one, failures with their reason."""

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, TypeVar

import anyio
import httpx2
from mcp.client.session import ClientSession
from mcp.shared.exceptions import MCPError
from pydantic import ValidationError

from vivavoce.core.requests import McpServer
from vivavoce.engines.base import McpFailure
from vivavoce.engines.mcp.addresses import Resolve
from vivavoce.engines.mcp.failures import PARSE_ERROR, broken, timed_out
from vivavoce.engines.mcp.link import Link
from vivavoce.engines.mcp.tools import call, fetch_tools
from vivavoce.protocol.items import McpError, McpHttpError, McpListedTool, McpProtocolError

T = TypeVar("T")

MAX_LINKS: Final = 64  # that are kept; the one used longest ago goes first
IDLE_S: Final = 60.0  # after which a link is not used again

# What the package raises for what a server does. An ExceptionGroup holds several of them.
_REMOTE: Final = (MCPError, ValidationError, httpx2.HTTPError, httpx2.StreamError, httpx2.InvalidURL, RuntimeError)
_REMOTE_STREAMS: Final = (anyio.ClosedResourceError, anyio.BrokenResourceError, anyio.EndOfStream, ValueError)
_Key = tuple[str, str | None, tuple[tuple[str, str], ...]]


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
        async with anyio.create_task_group() as group:
            for link in links:
                group.start_soon(link.say_goodbye)

    async def _run(self, server: McpServer, work: Callable[[ClientSession], Awaitable[T]]) -> T:
        """Run an operation within its time; once more where a kept session turned out to be over."""
        with anyio.move_on_after(self._timeout_s):
            link = self._take(server)
            try:
                return await self._run_on(link, server, work)
            except McpFailure as failure:
                if link.is_fresh or not _says_session_is_over(failure.error):
                    raise
            return await self._run_on(self._new(server), server, work)
        raise McpFailure(timed_out(self._timeout_s))
