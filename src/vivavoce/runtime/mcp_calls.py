"""Lists and calls the tools of remote MCP servers, and this server's functions, for a session: each on its own task."""

import asyncio
import logging
from collections.abc import Callable

import msgspec

from vivavoce.core.mcp import THIS_SERVER
from vivavoce.core.vocabulary import (
    CallMcpTool,
    CancelMcp,
    Input,
    ListMcpTools,
    McpCallFailed,
    McpCallReturned,
    McpListingFailed,
    McpOutput,
    McpToolsListed,
)
from vivavoce.engines.base import McpConnector, McpFailure
from vivavoce.protocol.items import McpError, McpToolExecutionError
from vivavoce.runtime.faults import is_cancelled
from vivavoce.runtime.tasks import Tasks
from vivavoce.runtime.texts import whole_text
from vivavoce.runtime.upstreams import ToolBox, ToolError

_log = logging.getLogger(__name__)

_UNAVAILABLE = McpToolExecutionError(message="This server has no connection to MCP servers.")


class McpCalls:
    """What is under way, by the item it is for."""

    def __init__(
        self, connector: McpConnector | None, post: Callable[[Input], None], tools: ToolBox | None = None
    ) -> None:
        self._connector = connector
        self._tools = tools
        self._post = post
        self._running: dict[str, Tasks] = {}

    def perform(self, output: McpOutput) -> None:
        if isinstance(output, CancelMcp):
            tasks = self._running.pop(output.item_id, None)
            if tasks is not None:
                tasks.cancel()
            return
        tasks = self._running[output.item_id] = Tasks()
        tasks.start(self._run(output), name=f"mcp {output.item_id}")

    def close(self) -> None:
        """Stop everything; may be called again."""
        while self._running:
            self._running.popitem()[1].cancel()

    async def _run(self, asked: ListMcpTools | CallMcpTool) -> None:
        try:
            result = await self._ask(asked)
        except McpFailure as failure:
            fields = {"server_label": asked.server.label, "reason": failure.error.message}
            _log.warning("mcp server failed", extra=fields)
            result = _failed(asked, failure.error)
        except asyncio.CancelledError as error:
            if is_cancelled():
                raise
            result = _failed(asked, _broken(error))  # the connection's own work was cancelled
        except Exception as error:  # the adapter broke its contract; the trace is kept, the session goes on
            self._running.pop(asked.item_id, None)
            self._post(_failed(asked, _broken(error)))
            raise
        self._running.pop(asked.item_id, None)
        self._post(result)

    async def _ask(self, asked: ListMcpTools | CallMcpTool) -> Input:
        if isinstance(asked, CallMcpTool) and asked.server == THIS_SERVER:
            return await self._call_own(asked)
        connector = self._connector
        if connector is None:
            return _failed(asked, _UNAVAILABLE)
        if isinstance(asked, ListMcpTools):
            tools = await connector.list_tools(asked.server)
            msgspec.json.encode(tools)  # what cannot be sent to the client is no list of tools
            return McpToolsListed(asked.item_id, tools)
        output = await connector.call_tool(asked.server, asked.name, asked.arguments)
        return McpCallReturned(asked.item_id, whole_text(output))

    async def _call_own(self, asked: CallMcpTool) -> McpCallReturned | McpCallFailed:
        assert self._tools is not None, "only functions of the box are offered"
        try:
            return McpCallReturned(asked.item_id, whole_text(await self._tools.call(asked.name, asked.arguments)))
        except ToolError as error:
            return McpCallFailed(asked.item_id, McpToolExecutionError(message=whole_text(str(error))))


def _failed(asked: ListMcpTools | CallMcpTool, error: McpError) -> McpListingFailed | McpCallFailed:
    kind = McpListingFailed if isinstance(asked, ListMcpTools) else McpCallFailed
    return kind(asked.item_id, msgspec.structs.replace(error, message=whole_text(error.message)))


def _broken(error: BaseException) -> McpToolExecutionError:
    return McpToolExecutionError(message=type(error).__name__)
