"""Every field of `response.create` has its effect on that response, or is refused by name."""

import asyncio
import json

import pytest

from bench.checked_client import Json
from tests.e2e.talking import scripted
from tests.e2e.test_rows_session import FORMATS, FUNCTION, HONOURED_MCP, MCP, connected, listing_failed

TEXT = {"output_modalities": ["text"]}
ECHO = scripted(otherwise={"say": "You said: {heard}."})


@pytest.mark.parametrize("format", FORMATS, ids=lambda format: str(format["type"]))
def test_a_response_has_its_own_format_and_voice(open_server: str, format: Json) -> None:
    async def conversation() -> None:
        async with connected(open_server) as client:
            answer = await client.ask("Hello.", audio={"output": {"format": format, "voice": "cedar"}})

        assert answer.response["audio"]["output"] == {"format": format, "voice": "cedar"}
        assert answer.audio

    asyncio.run(conversation())


def test_instructions_of_a_response_are_those_it_follows(open_server: str) -> None:
    async def conversation() -> None:
        async with connected(open_server) as client:
            answer = await client.ask("Hello.", **TEXT, instructions=scripted(otherwise={"say": "As told."}))
            usual = await client.ask("Hello.", **TEXT)

        assert answer.text == "As told."
        assert usual.text != answer.text

    asyncio.run(conversation())


@pytest.mark.parametrize("choice", ["required", {"type": "function", "name": "look"}], ids=str)
def test_a_response_has_its_own_tools_and_choice(open_server: str, choice: object) -> None:
    async def conversation() -> None:
        async with connected(open_server) as client:
            called = await client.ask("Hello.", **TEXT, tools=[FUNCTION], tool_choice=choice)
            output = {"type": "function_call_output", "call_id": called.calls[0]["call_id"], "output": "{}"}
            await client.send({"type": "conversation.item.create", "item": output})
            usual = await client.ask("Please look.", **TEXT)

        assert [call["name"] for call in called.calls] == ["look"]
        assert usual.calls == []

    asyncio.run(conversation())


def test_no_tool_is_called_where_none_is_chosen(open_server: str) -> None:
    async def conversation() -> None:
        async with connected(open_server) as client:
            answer = await client.ask("Please look.", **TEXT, tools=[FUNCTION], tool_choice="none")

        assert answer.calls == []

    asyncio.run(conversation())


def test_a_response_has_its_own_limit_of_tokens(open_server: str) -> None:
    async def conversation() -> None:
        async with connected(open_server) as client:
            endless = scripted(otherwise={"say": "And so on. ", "is_endless": True})
            answer = await client.ask("Hello.", **TEXT, instructions=endless, max_output_tokens=20)

        assert answer.response["status"] == "incomplete"
        assert answer.response["status_details"]["reason"] == "max_output_tokens"
        assert answer.response["max_output_tokens"] == 20
        assert answer.response["usage"]["output_tokens"] <= 20

    asyncio.run(conversation())


def test_a_response_follows_a_stored_prompt_in_its_version(open_server: str) -> None:
    variables = {"name": "Wren", "place": {"type": "input_text", "text": "the hedge"}}

    async def conversation() -> None:
        async with connected(open_server) as client:
            answer = await client.ask("Hello.", **TEXT, prompt={"id": "pmpt_greeting", "variables": variables})
            second = {"id": "pmpt_greeting", "version": "2", "variables": {"name": "Wren"}}
            again = await client.ask("Hello.", **TEXT, prompt=second)

        assert answer.text == "Welcome, Wren, to the hedge."
        assert again.text == "Hello again, Wren."

    asyncio.run(conversation())


def test_hints_for_other_models_are_taken(open_server: str) -> None:
    async def conversation() -> None:
        async with connected(open_server) as client:
            answer = await client.ask("Hello.", **TEXT, parallel_tool_calls=False, reasoning={"effort": "high"})

        assert answer.status == "completed"

    asyncio.run(conversation())


def test_an_exact_text_is_said_out_of_band(open_server: str) -> None:
    async def conversation() -> None:
        async with connected(open_server) as client:
            answer = await client.respond(conversation="none", vivavoce={"say": "The train leaves at nine."})

        assert answer.text == "The train leaves at nine."
        assert answer.audio
        assert answer.response["conversation_id"] is None

    asyncio.run(conversation())


INPUT: dict[str, list[Json]] = {
    "message": [{"type": "message", "role": "user", "content": [{"type": "input_text", "text": "from the input"}]}],
    "function_call": [
        {"type": "function_call", "call_id": "call_1", "name": "look", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "call_1", "output": "{}"},
    ],
    "mcp_list_tools": [
        {"type": "mcp_list_tools", "server_label": "docs", "tools": [{"name": "find", "input_schema": {}}]}
    ],
    "mcp_call": [{"type": "mcp_call", "server_label": "docs", "name": "find", "arguments": "{}", "output": "found"}],
    "mcp_approval": [
        {
            "type": "mcp_approval_request",
            "id": "request_1",
            "server_label": "docs",
            "name": "find",
            "arguments": "{}",
        },
        {"type": "mcp_approval_response", "approval_request_id": "request_1", "approve": False},
    ],
}


@pytest.mark.parametrize("name", INPUT)
def test_the_input_of_a_response_is_its_context(open_server: str, name: str) -> None:
    question = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "asked in the input"}]}

    async def conversation() -> None:
        async with connected(open_server) as client:
            await client.write("This is in the conversation.")
            answer = await client.respond(
                **TEXT, conversation="none", instructions=ECHO, input=[*INPUT[name], question], metadata={"name": name}
            )

        assert answer.text == "You said: asked in the input."
        assert answer.response["metadata"] == {"name": name}

    asyncio.run(conversation())


def test_the_input_of_a_response_may_refer_to_items_of_the_conversation(open_server: str) -> None:
    async def conversation() -> None:
        async with connected(open_server) as client:
            await client.write("The first of two.")
            first = (await client.wait_for("conversation.item.done"))["item"]["id"]
            await client.write("The second of two.")
            answer = await client.respond(
                **TEXT, conversation="none", instructions=ECHO, input=[{"type": "item_reference", "id": first}]
            )

        assert answer.text == "You said: The first of two.."

    asyncio.run(conversation())


@pytest.mark.parametrize("name", HONOURED_MCP)
def test_a_response_may_bring_a_remote_server(open_server: str, name: str) -> None:
    credentials = {"authorization": "a-token-of-ours", "headers": {"x-own": "a-header-of-ours"}}

    async def conversation() -> None:
        async with connected(open_server) as client:
            tool = {**MCP, **HONOURED_MCP[name], **credentials}
            answer = await client.ask("Hello.", **TEXT, instructions=ECHO, tools=[tool])
            await listing_failed(client)

        assert answer.status == "completed"
        assert "of-ours" not in json.dumps(client.events)

    asyncio.run(conversation())


# The fields, and the code and the parameter of their error.
REFUSED: dict[str, tuple[Json, str, str]] = {
    "a custom voice": (
        {"audio": {"output": {"voice": {"id": "voice_1"}}}},
        "invalid_value",
        "response.audio.output.voice",
    ),
    "a connector": (
        {"tools": [{"type": "mcp", "server_label": "docs", "connector_id": "connector_x"}]},
        "invalid_value",
        "response.tools[0].connector_id",
    ),
    "a tunnel": (
        {"tools": [{"type": "mcp", "server_label": "docs", "tunnel_id": "tunnel_x"}]},
        "invalid_value",
        "response.tools[0].tunnel_id",
    ),
    "a tool of a server that cannot be reached": (
        {"tools": [MCP], "tool_choice": {"type": "mcp", "server_label": "docs", "name": "find"}},
        "bad_response_create",
        "response.tool_choice.server_label",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_field_is_refused_by_name(open_server: str, name: str) -> None:
    response, code, param = REFUSED[name]

    async def conversation() -> None:
        async with connected(open_server) as client:
            await client.send({"type": "response.create", "response": response})
            error = (await client.wait_for("error"))["error"]

        assert (error["code"], error["param"]) == (code, param)

    asyncio.run(conversation())
