"""Real MCP servers called from real sessions: listing, calls, approval, failures; no secret on the wire."""

import asyncio
from typing import Any

from bench.checked_client import CheckedClient, Json
from tests.e2e.talking import SCRIPTED, scripted, talking
from tests.engines.mcp_servers import TOKEN, serving, toolbox

TEXT = {"output_modalities": ["text"]}


def tool(port: int, **changes: Any) -> Json:
    url = f"http://127.0.0.1:{port}/mcp"
    return {"type": "mcp", "server_label": "box", "server_url": url, "require_approval": "never", **changes}


def calling(name: str, arguments: Json) -> str:
    """Return instructions: call a tool, then say what it returned."""
    call = {"name": name, "arguments": arguments}
    return scripted(turns=[{"calls": [call], "then": [{"say": "It says: {output}"}]}])


async def listed(client: CheckedClient, tools: list[Json], **session: Any) -> Json:
    """Give the session tools and return their listing."""
    await client.configure(tools=tools, **TEXT, **session)
    done = await client.wait(lambda e: e["type"] == "conversation.item.done" and e["item"]["type"] == "mcp_list_tools")
    item: Json = done["item"]
    return item


def test_a_tool_is_listed_called_and_its_result_said_in_one_response(open_server: str) -> None:
    async def conversation() -> None:
        async with serving(toolbox().streamable_http_app()) as port, talking(open_server, SCRIPTED) as client:
            listing = await listed(client, [tool(port)], instructions=calling("add", {"a": 2, "b": 40}))
            answer = await client.ask("What is the sum?")

        assert [entry["name"] for entry in listing["tools"]] == ["add", "fail", "picture"]
        assert answer.text == "It says: 42"
        call, message = answer.response["output"]
        assert (call["type"], call["name"], call["output"], call["error"]) == ("mcp_call", "add", "42", None)
        assert message["type"] == "message"
        assert len(client.of_type("response.created")) == 1

    asyncio.run(conversation())


def test_the_embedded_responder_calls_a_remote_tool_and_speaks_its_result(open_server: str) -> None:
    async def conversation() -> None:
        async with serving(toolbox().streamable_http_app()) as port, talking(open_server) as client:
            await listed(client, [tool(port)], tool_choice={"type": "mcp", "server_label": "box", "name": "add"})
            answer = await client.ask("Add 2 and 40.")

        assert [item["type"] for item in answer.response["output"]] == ["mcp_call", "message"]
        assert "42" in answer.text or "forty" in answer.text

    asyncio.run(conversation())


def test_a_tool_that_fails_is_told_and_the_session_goes_on(open_server: str) -> None:
    async def conversation() -> None:
        async with serving(toolbox().streamable_http_app()) as port, talking(open_server, SCRIPTED) as client:
            await listed(client, [tool(port)], instructions=calling("fail", {}))
            answer = await client.ask("Please.")

        error = answer.response["output"][0]["error"]
        assert error == {"type": "tool_execution_error", "message": "the printer is on fire"}
        assert answer.text == "It says: The tool failed: the printer is on fire"
        assert client.of_type("response.mcp_call.failed")

    asyncio.run(conversation())


async def _asked(client: CheckedClient, port: int) -> str:
    """Have a call that needs approval asked for; return the request."""
    await listed(client, [tool(port, require_approval="always")], instructions=calling("add", {"a": 1, "b": 1}))
    answer = await client.ask("What is the sum?")
    request_id: str = answer.response["output"][0]["id"]
    return request_id


async def _answer(client: CheckedClient, request_id: str, approve: bool) -> None:
    item = {"type": "mcp_approval_response", "approval_request_id": request_id, "approve": approve}
    await client.send({"type": "conversation.item.create", "item": item})


def test_an_approved_call_is_made_without_another_word_of_the_client(open_server: str) -> None:
    async def conversation() -> None:
        async with serving(toolbox().streamable_http_app()) as port, talking(open_server, SCRIPTED) as client:
            request_id = await _asked(client, port)
            since = client.here
            await _answer(client, request_id, approve=True)
            answer = await client.answer(since)

        assert answer.response["output"][0]["approval_request_id"] == request_id
        assert answer.text == "It says: 2"

    asyncio.run(conversation())


def test_a_refused_call_is_not_made(open_server: str) -> None:
    async def conversation() -> None:
        async with serving(toolbox().streamable_http_app()) as port, talking(open_server, SCRIPTED) as client:
            request_id = await _asked(client, port)
            await _answer(client, request_id, approve=False)
            answer = await client.respond()

        assert answer.text == "It says: The user did not approve this call."
        assert client.of_type("response.mcp_call.in_progress") == []

    asyncio.run(conversation())


def test_a_server_that_refuses_us_leaves_the_session_without_its_tools(open_server: str) -> None:
    async def conversation() -> None:
        async with talking(open_server, SCRIPTED) as client:
            listing = await listed(client, [tool(9)], instructions=scripted(otherwise={"say": "Still here."}))
            answer = await client.ask("Are you there?")

        assert listing["tools"] == []
        assert client.of_type("mcp_list_tools.failed")
        assert answer.text == "Still here."

    asyncio.run(conversation())


def test_no_credential_comes_back(open_server: str) -> None:
    async def conversation() -> None:
        async with serving(toolbox().streamable_http_app()) as port, talking(open_server, SCRIPTED) as client:
            tools = [tool(port, authorization=TOKEN, headers={"x-key": TOKEN})]
            await listed(client, tools, instructions=calling("add", {"a": 1, "b": 1}))
            await client.ask("What is the sum?")

        assert TOKEN not in str(client.events)

    asyncio.run(conversation())
