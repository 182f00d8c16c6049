"""Every field of the session is honoured, and shown by `session.updated`, or refused by name."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from bench.checked_client import CheckedClient, Json, checked_client
from tests.e2e.talking import SCRIPTED
from vivavoce.testing.session_objects import at

FUNCTION: Json = {
    "type": "function",
    "name": "look",
    "description": "Looks at a place",
    "parameters": {"type": "object", "properties": {"at": {"type": "string"}}},
}
TRANSCRIPTION: Json = {"model": "whisper-1"}
FORMATS = ({"type": "audio/pcm", "rate": 24000}, {"type": "audio/pcmu"}, {"type": "audio/pcma"})

# What both kinds of session take in `audio.input`.
INPUT_HONOURED: dict[str, Json] = {
    **{f"format {format['type']}": {"format": format} for format in FORMATS},
    "transcription": {"transcription": {**TRANSCRIPTION, "language": "en", "prompt": "names of birds"}},
    "transcription for several languages": {
        "transcription": {**TRANSCRIPTION, "languages": ["en", "de"], "keywords": ["wren"], "delay": "low"}
    },
    "noise reduction near the microphone": {"noise_reduction": {"type": "near_field", "strength": 0.5}},
    "noise reduction far from it": {"noise_reduction": {"type": "far_field"}},
    "detection by silence": {
        "turn_detection": {
            "type": "server_vad",
            "threshold": 0.7,
            "prefix_padding_ms": 200,
            "silence_duration_ms": 700,
            "idle_timeout_ms": 6000,
            "create_response": False,
            "interrupt_response": False,
        }
    },
    "detection by meaning": {
        "turn_detection": {
            "type": "semantic_vad",
            "eagerness": "high",
            "create_response": False,
            "interrupt_response": False,
        }
    },
    "no detection": {"turn_detection": None},
    "no transcription": {"transcription": None},
    "no noise reduction": {"noise_reduction": None},
}
HONOURED: dict[str, Json] = {
    **{name: {"audio": {"input": input_}} for name, input_ in INPUT_HONOURED.items()},
    **{f"spoken {format['type']}": {"audio": {"output": {"format": format}}} for format in FORMATS},
    "voice and speed": {"audio": {"output": {"voice": "cedar", "speed": 1.25}}},
    "text": {"output_modalities": ["text"]},
    "instructions": {"instructions": "Be brief."},
    "a function that must be called": {"tools": [FUNCTION], "tool_choice": {"type": "function", "name": "look"}},
    "no choice of tools": {"tools": [FUNCTION], "tool_choice": "none"},
    "a limit of tokens": {"max_output_tokens": 100},
    "tracing": {"tracing": {"workflow_name": "birds", "group_id": "wrens", "metadata": {"season": "spring"}}},
    "truncation": {
        "truncation": {
            "type": "retention_ratio",
            "retention_ratio": 0.6,
            "token_limits": {"post_instructions": 4000},
        }
    },
    "probabilities of tokens": {"include": ["item.input_audio_transcription.logprobs"]},
    "calls one by one": {"parallel_tool_calls": False},
    "reasoning": {"reasoning": {"effort": "low"}},
    "pre-roll": {"vivavoce": {"pre_roll_ms": 300, "events": []}},
    "a stored prompt": {
        "prompt": {
            "id": "pmpt_greeting",
            "variables": {"name": "Wren", "place": {"type": "input_text", "text": "the hedge"}},
        }
    },
    "a version of a prompt": {"prompt": {"id": "pmpt_greeting", "version": "2", "variables": {"name": "Wren"}}},
}
MCP: Json = {"type": "mcp", "server_label": "docs", "server_url": "https://mcp.invalid/mcp"}
HONOURED_MCP: dict[str, Json] = {
    "by names": {"allowed_tools": ["find"], "require_approval": "never", "server_description": "Documents"},
    "by filters": {
        "allowed_tools": {"tool_names": ["find"], "read_only": True},
        "require_approval": {"always": {"tool_names": ["find"], "read_only": False}},
    },
    "without approval of some": {"require_approval": {"never": {"tool_names": ["find"], "read_only": True}}},
    "with hints for other models": {"defer_loading": True, "allowed_callers": ["direct"]},
}
# The update, and the code and the parameter of its error.
REFUSED: dict[str, tuple[Json, str, str]] = {
    "a custom voice": (
        {"audio": {"output": {"voice": {"id": "voice_1"}}}},
        "invalid_value",
        "session.audio.output.voice",
    ),
    "slower than slow": (
        {"audio": {"output": {"speed": 0.1}}},
        "decimal_below_min_value",
        "session.audio.output.speed",
    ),
    "faster than fast": ({"audio": {"output": {"speed": 2}}}, "decimal_above_max_value", "session.audio.output.speed"),
    "no tokens": ({"max_output_tokens": 0}, "integer_below_min_value", "session.max_output_tokens"),
    "too many tokens": ({"max_output_tokens": 4097}, "integer_above_max_value", "session.max_output_tokens"),
    "a prompt that is not stored": ({"prompt": {"id": "pmpt_x"}}, "prompt_not_found", "session.prompt.id"),
    "an unknown extension event": ({"vivavoce": {"events": ["x"]}}, "invalid_value", "session.vivavoce.events[0]"),
    "locking oneself out": ({"vivavoce": {"locked": ["tools"]}}, "parameter_locked", "session.vivavoce.locked"),
    "a server that is not configured": (
        {"tools": [{**MCP, "server_url": "https://elsewhere.invalid/"}]},
        "invalid_value",
        "session.tools[0].server_url",
    ),
    "a connector": (
        {"tools": [{"type": "mcp", "server_label": "docs", "connector_id": "connector_x"}]},
        "invalid_value",
        "session.tools[0].connector_id",
    ),
    "a tunnel": (
        {"tools": [{"type": "mcp", "server_label": "docs", "tunnel_id": "tunnel_x"}]},
        "invalid_value",
        "session.tools[0].tunnel_id",
    ),
}


@asynccontextmanager
async def connected(address: str, **query: str) -> AsyncIterator[CheckedClient]:
    async with checked_client(address, SCRIPTED, **query) as client:
        yield client
    assert client.invalid == []
    assert [str(violation) for violation in client.violations()] == []


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, object]]:  # JSON boundary
    if isinstance(value, dict):
        for key, member in value.items():
            yield from leaves(member, f"{path}.{key}".removeprefix("."))
    else:
        yield path, value


@pytest.mark.parametrize("name", HONOURED)
def test_a_field_is_honoured(open_server: str, name: str) -> None:
    async def conversation() -> None:
        async with connected(open_server) as client:
            session = await client.configure(**HONOURED[name])

            assert {path: at(session, path) for path, _ in leaves(HONOURED[name])} == dict(leaves(HONOURED[name]))

    asyncio.run(conversation())


@pytest.mark.parametrize("name", INPUT_HONOURED)
def test_a_field_of_a_transcription_session_is_honoured(open_server: str, name: str) -> None:
    patch = {"audio": {"input": INPUT_HONOURED[name]}}

    async def conversation() -> None:
        async with connected(open_server, intent="transcription") as client:
            session = await client.configure(type="transcription", **patch)

            assert {path: at(session, path) for path, _ in leaves(patch)} == dict(leaves(patch))

    asyncio.run(conversation())


def test_a_transcription_session_takes_probabilities_and_extensions(open_server: str) -> None:
    async def conversation() -> None:
        include = ["item.input_audio_transcription.logprobs"]
        async with connected(open_server, intent="transcription") as client:
            session = await client.configure(
                type="transcription", include=include, vivavoce={"pre_roll_ms": 200, "events": [], "cost": True}
            )
            with pytest.raises(ValueError, match="locked"):
                await client.configure(type="transcription", vivavoce={"locked": ["audio"]})
            with pytest.raises(ValueError, match="Passing a realtime session update"):
                await client.configure(instructions="Be brief.")

        assert session["include"] == include
        assert session["vivavoce"]["pre_roll_ms"] == 200
        assert session["vivavoce"]["cost"]["usd"] == 0

    asyncio.run(conversation())


@pytest.mark.parametrize("name", HONOURED_MCP)
def test_a_remote_server_is_shown_as_it_was_described(open_server: str, name: str) -> None:
    sent = {**MCP, **HONOURED_MCP[name]}

    async def conversation() -> None:
        async with connected(open_server) as client:
            session = await client.configure(tools=[sent])
            await listing_failed(client)

        assert {path: at(session["tools"][0], path) for path, _ in leaves(sent)} == dict(leaves(sent))

    asyncio.run(conversation())


def test_a_remote_server_is_shown_without_its_credentials(open_server: str) -> None:
    credentials = {"authorization": "a-token-of-ours", "headers": {"x-own": "a-header-of-ours"}}

    async def conversation() -> None:
        async with connected(open_server) as client:
            await client.configure(tools=[{**MCP, **credentials}])
            await listing_failed(client)

        assert "of-ours" not in str(client.events)

    asyncio.run(conversation())


async def listing_failed(client: CheckedClient) -> None:
    """The host of the server has no address, so its tools cannot be listed."""
    failed = await client.wait_for("mcp_list_tools.failed")
    await client.wait(lambda e: e["type"] == "conversation.item.done" and e["item"]["id"] == failed["item_id"])


def test_a_tool_of_a_remote_server_may_be_demanded(open_server: str) -> None:
    async def conversation() -> None:
        choice = {"type": "mcp", "server_label": "docs", "name": "find"}
        async with connected(open_server) as client:
            session = await client.configure(tools=[MCP], tool_choice=choice)
            await listing_failed(client)

        assert session["tool_choice"] == choice

    asyncio.run(conversation())


@pytest.mark.parametrize("name", REFUSED)
def test_a_field_is_refused_by_name(open_server: str, name: str) -> None:
    patch, code, param = REFUSED[name]

    async def conversation() -> None:
        async with connected(open_server) as client:
            await client.send({"type": "session.update", "session": {"type": "realtime", **patch}})
            error = (await client.wait_for("error"))["error"]

        assert (error["code"], error["param"]) == (code, param)

    asyncio.run(conversation())


def test_another_model_has_no_effect(open_server: str) -> None:
    async def conversation() -> None:
        async with connected(open_server) as client:
            session = await client.configure(model="another")

        assert session["model"] == SCRIPTED

    asyncio.run(conversation())
