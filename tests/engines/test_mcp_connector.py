"""Tools of real MCP servers over streamable HTTP and SSE, and of scripted ones at the bounds."""

import asyncio
import subprocess
import sys
from typing import Any

import pytest
from mcp_types import HEADER_MISMATCH

from tests.engines.mcp_servers import (
    TOKEN,
    Json,
    Log,
    RawServer,
    at,
    before_2026,
    connecting,
    logged,
    redirecting,
    scripted,
    serving,
    toolbox,
)
from vivavoce.engines.base import McpFailure
from vivavoce.engines.mcp.connector import McpHttpConnector
from vivavoce.engines.mcp.tools import MAX_OUTPUT_LENGTH, MAX_TOOLS
from vivavoce.protocol.items import McpError, McpHttpError, McpListedTool, McpProtocolError, McpToolExecutionError


def applications() -> dict[str, tuple[Any, str]]:  # Any: ASGI applications
    """The ways of serving MCP, with their paths."""
    return {
        "2026": (toolbox().streamable_http_app(), "/mcp"),
        "2026 without streams": (toolbox().streamable_http_app(json_response=True), "/mcp"),
        "handshake with sessions": (before_2026(toolbox().streamable_http_app()), "/mcp"),
        "handshake without sessions": (before_2026(toolbox().streamable_http_app(stateless_http=True)), "/mcp"),
        "sse": (toolbox().sse_app(), "/sse"),
    }


async def failure_of(connector: McpHttpConnector, port: int, name: str = "add", arguments: str = "{}") -> McpError:
    """Return why a call fails."""
    with pytest.raises(McpFailure) as failed:
        await connector.call_tool(at(port), name, arguments)
    return failed.value.error


async def listing_with(tools: list[Json]) -> tuple[McpListedTool, ...] | McpError:
    """Return what becomes of a server's list of tools."""
    async with (
        RawServer(scripted(lambda message: {"result": {"tools": tools}})).listening() as server,
        connecting() as connector,
    ):
        try:
            return await connector.list_tools(at(server.port))
        except McpFailure as failure:
            return failure.error


async def result_of(result: Json) -> str | McpError:
    """Return what becomes of a tool's result."""
    async with (
        RawServer(scripted(lambda message: {"result": result})).listening() as server,
        connecting() as connector,
    ):
        try:
            return await connector.call_tool(at(server.port, authorization=TOKEN), "any", "{}")
        except McpFailure as failure:
            return failure.error


@pytest.mark.parametrize("kind", applications())
def test_tools_are_listed_and_called_over_every_transport(kind: str) -> None:
    async def conversation() -> tuple[tuple[McpListedTool, ...], str, str]:
        app, path = applications()[kind]
        async with serving(app) as port, connecting() as connector:
            tools = await connector.list_tools(at(port, path))
            first = await connector.call_tool(at(port, path), "add", '{"a": 1, "b": 2}')
            return tools, first, await connector.call_tool(at(port, path), "picture", "{}")

    tools, total, picture = asyncio.run(conversation())

    assert [tool.name for tool in tools] == ["add", "fail", "picture"]
    assert tools[0].description == "Add two numbers."
    assert tools[0].annotations == {"readOnlyHint": True}
    assert tools[0].input_schema["required"] == ["a", "b"]
    assert (total, picture) == ("3", "A cat:\n[an image, image/png, not shown]")


@pytest.mark.parametrize("kind", applications())
def test_a_tool_that_fails_is_told_apart_from_a_tool_that_is_unknown(kind: str) -> None:
    async def conversation() -> McpError:
        app, path = applications()[kind]
        async with serving(app) as port, connecting() as connector:
            with pytest.raises(McpFailure) as failed:
                await connector.call_tool(at(port, path), "fail", "{}")
            return failed.value.error

    assert asyncio.run(conversation()) == McpToolExecutionError(message="the printer is on fire")


def test_a_second_call_takes_one_request_and_the_goodbye_ends_the_session() -> None:
    async def conversation() -> tuple[list[str], list[str], list[str], int]:
        log = Log()
        async with serving(logged(before_2026(toolbox().streamable_http_app()), log)) as port:
            async with connecting() as connector:
                await connector.call_tool(at(port), "add", '{"a": 1, "b": 2}')
                first, log.methods = log.methods, []
                await connector.call_tool(at(port), "add", '{"a": 1, "b": 2}')
                second, log.methods = log.methods, []
            return first, second, log.methods, len(log.sessions)

    first, second, goodbye, sessions = asyncio.run(conversation())

    assert first == ["POST"] * 4  # discover, initialize, initialized, call
    assert (second, goodbye, sessions) == (["POST"], ["DELETE"], 1)


def test_a_session_that_the_server_has_ended_is_opened_again() -> None:
    async def conversation() -> tuple[str, int]:
        log, over = Log(), set[str]()
        app = logged(before_2026(toolbox().streamable_http_app(), over.__contains__), log)
        async with serving(app) as port, connecting() as connector:
            await connector.list_tools(at(port))
            over |= log.sessions
            answer = await connector.call_tool(at(port), "add", '{"a": 1, "b": 2}')
            return answer, len(log.sessions)

    assert asyncio.run(conversation()) == ("3", 2)


def test_request_ids_do_not_repeat_within_a_session() -> None:
    async def conversation() -> list[object]:
        server = RawServer(scripted(lambda message: {"result": {"content": []}}))
        async with server.listening(), connecting() as connector:
            for _ in range(3):
                await connector.call_tool(at(server.port), "any", "{}")
        return [request.message["id"] for request in server.requests if "id" in request.message]

    ids = asyncio.run(conversation())

    assert len(ids) == len(set(ids)) == 5  # discover, initialize, three calls


def test_different_credentials_share_no_connection() -> None:
    async def conversation() -> list[int]:
        server = RawServer(scripted(lambda message: {"result": {"content": []}}))
        connections = []
        async with server.listening(), connecting() as connector:
            for credentials in ({"authorization": "one"}, {"authorization": "one"}, {"authorization": "two"}, {}):
                await connector.call_tool(at(server.port, **credentials), "any", "{}")
                connections.append(server.connections)
            await connector.call_tool(at(server.port, headers=(("X-Key", "three"),)), "any", "{}")
            return [*connections, server.connections]

    assert asyncio.run(conversation()) == [1, 1, 2, 3, 4]


def test_credentials_go_with_every_request() -> None:
    async def conversation() -> set[tuple[str | None, str | None]]:
        server = RawServer(scripted(lambda message: {"result": {"content": []}}))
        async with server.listening(), connecting() as connector:
            await connector.call_tool(
                at(server.port, authorization=TOKEN, headers=(("X-Tenant", "blue"),)), "any", "{}"
            )
        return {(r.headers.get("authorization"), r.headers.get("x-tenant")) for r in server.requests}

    assert asyncio.run(conversation()) == {(f"Bearer {TOKEN}", "blue")}


def test_operations_at_the_same_time_do_not_disturb_each_other() -> None:
    async def conversation() -> list[str]:
        async with serving(toolbox().streamable_http_app()) as port, connecting() as connector:
            calls = [connector.call_tool(at(port), "add", f'{{"a": {n}, "b": {n}}}') for n in range(8)]
            return list(await asyncio.gather(*calls))

    assert asyncio.run(conversation()) == [str(2 * n) for n in range(8)]


def test_a_redirect_within_the_server_is_followed() -> None:
    async def conversation() -> str:
        app = redirecting(toolbox().streamable_http_app(), "/old", "/mcp")
        async with serving(app) as port, connecting() as connector:
            return await connector.call_tool(at(port, "/old"), "add", '{"a": 1, "b": 2}')

    assert asyncio.run(conversation()) == "3"


def test_all_pages_of_a_list_are_fetched() -> None:
    def page(message: Json) -> Json:
        number = int(message.get("params", {}).get("cursor", "0"))
        tool = {"name": f"tool{number}", "inputSchema": {"type": "object"}}
        return {"result": {"tools": [tool], **({"nextCursor": str(number + 1)} if number < 2 else {})}}

    async def conversation() -> list[str]:
        async with RawServer(scripted(page)).listening() as server, connecting() as connector:
            return [tool.name for tool in await connector.list_tools(at(server.port))]

    assert asyncio.run(conversation()) == ["tool0", "tool1", "tool2"]


def test_a_list_that_never_ends_is_refused() -> None:
    def page(message: Json) -> Json:
        return {"result": {"tools": [], "nextCursor": "again"}}

    async def conversation() -> None:
        async with RawServer(scripted(page)).listening() as server, connecting() as connector:
            await connector.list_tools(at(server.port))

    with pytest.raises(McpFailure, match="more than 64 pages"):
        asyncio.run(conversation())


def nested(levels: int) -> Json:
    """A schema of so many levels."""
    schema: Json = {}
    for _ in range(levels - 1):
        schema = {"not": schema}
    return {"type": "object"} | schema


@pytest.mark.parametrize(
    ("tools", "says"),
    [
        ([{"name": "a", "inputSchema": "text"}], "at 'tools.0.inputSchema'"),
        ([{"name": "a"}], "at 'tools.0.inputSchema'"),
        ([{"name": "a", "inputSchema": nested(65)}], "inputSchema has more than 64 levels"),
        ([{"name": "a", "inputSchema": {"type": "object", "title": "x" * 70_000}}], "inputSchema is longer than 65536"),
        ([{"name": "a", "inputSchema": {"type": "object", "title": "\0"}}], "inputSchema holds the NUL"),
        ([{"name": "", "inputSchema": {"type": "object"}}], "tools[0].name is not"),
        ([{"name": "a\n", "inputSchema": {"type": "object"}}], "tools[0].name is not"),
        ([{"name": "a" * 129, "inputSchema": {"type": "object"}}], "tools[0].name is not"),
        ([{"name": "a", "description": "x" * 20_000, "inputSchema": {"type": "object"}}], "description is longer"),
        ([{"name": "a", "inputSchema": {"type": "object"}}] * 2, "lists the tool 'a' twice"),
        ([{"name": f"t{n}", "inputSchema": {"type": "object"}} for n in range(MAX_TOOLS + 1)], "more than 512 tools"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_list_with_a_tool_beyond_the_bounds_is_refused(tools: list[Json], says: str) -> None:
    error = asyncio.run(listing_with(tools))

    assert isinstance(error, McpProtocolError)
    assert error.code == -32603
    assert says in error.message


def test_a_list_at_the_bounds_is_taken() -> None:
    tools = [{"name": f"tool{n}", "inputSchema": nested(64)} for n in range(MAX_TOOLS)]

    taken = asyncio.run(listing_with(tools))

    assert isinstance(taken, tuple)
    assert len(taken) == MAX_TOOLS


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        ({"content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}, "a\nb"),
        ({"content": []}, ""),
        ({"content": [], "structuredContent": {"a": [1, "ä"]}}, '{"a": [1, "ä"]}'),
        ({"content": [{"type": "text", "text": "a"}], "structuredContent": {"b": 1}}, "a"),
        ({"content": [{"type": "audio", "data": "aGk=", "mimeType": "audio/wav"}]}, "[a sound, audio/wav, not played]"),
        (
            {"content": [{"type": "resource_link", "name": "log", "uri": "file:///log"}]},
            "[a link to 'log': file:///log]",
        ),
        ({"content": [{"type": "resource", "resource": {"uri": "a:b", "text": "inside"}}]}, "inside"),
        (
            {"content": [{"type": "resource", "resource": {"uri": "a:b", "blob": "aGk=", "mimeType": "x/y"}}]},
            "[a file, x/y, not shown: a:b]",
        ),
        ({"content": [{"type": "text", "text": "NUL \0"}]}, "NUL \ufffd"),
        ({"content": [{"type": "text", "text": f"you are {TOKEN}"}]}, "you are [redacted]"),
        ({"content": [], "isError": True}, McpToolExecutionError(message="The tool failed without saying why.")),
        (
            {"content": [{"type": "text", "text": f"not {TOKEN}\n"}], "isError": True},
            McpToolExecutionError(message="not [redacted] "),
        ),
    ],
    ids=repr,
)
def test_a_result_becomes_text(result: Json, expected: str | McpError) -> None:
    assert asyncio.run(result_of(result)) == expected


def test_a_result_that_is_too_long_is_refused() -> None:
    error = asyncio.run(result_of({"content": [{"type": "text", "text": "x" * (MAX_OUTPUT_LENGTH + 1)}]}))

    assert isinstance(error, McpProtocolError)
    assert "262145 characters" in error.message


def test_a_result_that_is_none_is_refused() -> None:
    error = asyncio.run(result_of({"contents": "text"}))

    assert isinstance(error, McpProtocolError)
    assert error.code == -32603


@pytest.mark.parametrize("arguments", ["", "[]", "null", "{", '{"a": NaN}', "[" * 5000])
def test_arguments_that_are_no_object_reach_no_server(arguments: str) -> None:
    async def conversation() -> tuple[McpError, int]:
        async with RawServer(scripted(lambda message: None)).listening() as server, connecting() as connector:
            return await failure_of(connector, server.port, "add", arguments), server.connections

    error, connections = asyncio.run(conversation())

    assert error == McpProtocolError(code=-32602, message="The arguments of the tool are not a JSON object.")
    assert connections == 0


def test_a_call_that_lacks_headers_is_sent_again_after_listing_the_tools() -> None:
    def answers(message: Json) -> Json:
        asked.append(message["method"])
        if message["method"] == "tools/list":
            return {"result": {"tools": []}}
        is_listed = "tools/list" in asked
        return {"result": {"content": []}} if is_listed else {"error": {"code": HEADER_MISMATCH, "message": "x"}}

    async def conversation() -> str:
        async with RawServer(scripted(answers)).listening() as server, connecting() as connector:
            return await connector.call_tool(at(server.port), "any", "{}")

    asked: list[str] = []

    assert asyncio.run(conversation()) == ""
    assert asked == ["tools/call", "tools/list", "tools/call"]


def test_an_error_of_the_protocol_keeps_its_code() -> None:
    async def conversation() -> McpError:
        server = RawServer(scripted(lambda message: {"error": {"code": -32042, "message": "no such\ntool"}}))
        async with server.listening(), connecting() as connector:
            return await failure_of(connector, server.port)

    assert asyncio.run(conversation()) == McpProtocolError(code=-32042, message="no such tool")


def test_without_allowed_hosts_every_server_is_refused() -> None:
    async def conversation() -> McpError:
        connector = McpHttpConnector((), 5.0)
        await connector.start()
        error = await failure_of(connector, 9)
        await connector.close()
        await connector.close()
        return error

    error = asyncio.run(conversation())

    assert isinstance(error, McpHttpError)
    assert error.code == 403


def test_a_server_without_mcp_does_not_import_the_package() -> None:
    program = (
        "import asyncio, sys; from vivavoce.engines.mcp.connector import McpHttpConnector as C; c = C((), 5.0); "
        "asyncio.run(c.start()); asyncio.run(c.close()); print({'mcp', 'httpx2', 'mcp_types'} & set(sys.modules))"
    )

    printed = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)

    assert printed.stdout.strip() == "set()"


def test_an_allowed_host_that_could_never_match_stops_the_start() -> None:
    with pytest.raises(ValueError, match="'localhost:80' is no host name"):
        McpHttpConnector(("localhost:80",), 5.0)
