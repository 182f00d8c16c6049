"""The connector to remote MCP servers: which may be reached, within what time, and what their failures mean.

Operations on the same server with the same credentials reuse one link after the other; different credentials never
share one. `operations` and what stands below it hold the wire.
"""

import asyncio
import importlib
import logging
import ssl
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final, TypeVar

import msgspec

from vivavoce.core.requests import McpServer
from vivavoce.engines.base import Capabilities, McpFailure
from vivavoce.engines.mcp.addresses import Resolve, resolve_with
from vivavoce.engines.mcp.failures import INVALID_PARAMS, presentable, refused
from vivavoce.protocol.errors import ClientError
from vivavoce.protocol.hosts import check_authorization, check_entries, check_headers, check_url
from vivavoce.protocol.items import McpListedTool, McpProtocolError

if TYPE_CHECKING:  # the package behind it is imported by `start`
    from vivavoce.engines.mcp import operations

T = TypeVar("T")

RESOLVER_THREADS: Final = 4

# They log messages, results and headers at several levels, and traces with what a server sent.
_TALKATIVE: Final = ("mcp", "client", "httpx2", "httpcore2")


class McpHttpConnector:
    """Lists and calls the tools of remote MCP servers over HTTP. Needs `start` before anything but refusals.

    Args:
        allowed_hosts: see `protocol.hosts.check_url`; empty refuses every server.
        timeout_s: for listing or calling as a whole, with connecting.
        resolve: how names become addresses; the system's way by default.
        tls: whom to trust; the system's authorities by default.

    Raises ValueError for an allowed host that could never match.
    """

    def __init__(
        self,
        allowed_hosts: tuple[str, ...],
        timeout_s: float,
        resolve: Resolve | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        check_entries(allowed_hosts)
        self._allowed_hosts = allowed_hosts
        self._timeout_s = timeout_s
        self._threads = ThreadPoolExecutor(RESOLVER_THREADS, thread_name_prefix="mcp-resolver")
        self._resolve = resolve or resolve_with(self._threads)
        self._tls = tls
        self._operations: operations.Operations | None = None

    @property
    def capabilities(self) -> Capabilities:
        """Return what it is called and what it does not do."""
        return Capabilities(name="mcp", note="Images and files in the results of remote tools are named, not shown.")

    async def start(self) -> None:
        """Import what the wire needs, in a thread; nothing if no host is allowed."""
        if not self._allowed_hosts or self._operations is not None:
            return
        for name in _TALKATIVE:
            logging.getLogger(name).setLevel(logging.CRITICAL + 1)
        self._operations = await asyncio.to_thread(self._load)

    async def close(self) -> None:
        """End the sessions that servers keep, and close all connections; takes about a second at most."""
        if self._operations is not None:
            await self._operations.close()
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def list_tools(self, server: McpServer) -> tuple[McpListedTool, ...]:
        """Return the tools of a server. Raises McpFailure; see `failures` for which."""
        return await self._reach(server, lambda wire: wire.list_tools(server))

    async def call_tool(self, server: McpServer, name: str, arguments: str) -> str:
        """Call a tool with JSON text and return its output as text. Raises McpFailure; see `failures` for which."""
        values = _object(arguments)
        return await self._reach(server, lambda wire: wire.call_tool(server, name, values))

    def _load(self) -> "operations.Operations":
        wire = importlib.import_module("vivavoce.engines.mcp.operations")
        made: operations.Operations = wire.Operations(self._allowed_hosts, self._timeout_s, self._resolve, self._tls)
        return made

    async def _reach(self, server: McpServer, work: Callable[["operations.Operations"], Awaitable[T]]) -> T:
        self._check(server)
        assert self._operations is not None, "start comes before the first operation"
        try:
            return await work(self._operations)
        except McpFailure as failure:
            raise McpFailure(presentable(failure.error, server)) from None

    def _check(self, server: McpServer) -> None:
        try:
            check_url(server.url, self._allowed_hosts)
            check_headers(dict(server.headers), server.authorization is not None)
            if server.authorization is not None:
                check_authorization(server.authorization)
        except ClientError as error:
            raise McpFailure(presentable(refused(str(error).rstrip(".")), server)) from None


def _object(arguments: str) -> Mapping[str, Any]:  # JSON boundary: what the generator wrote
    try:
        return msgspec.json.decode(arguments, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        message = "The arguments of the tool are not a JSON object."
        raise McpFailure(McpProtocolError(code=INVALID_PARAMS, message=message)) from None
