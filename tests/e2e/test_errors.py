"""A client's mistake gets its error and costs nothing: the session goes on."""

import asyncio

import pytest

from bench.checked_client import Json
from tests.e2e.talking import SCRIPTED, scripted, talking

MISTAKES: dict[str, tuple[Json, str, str | None]] = {
    "an unknown event": ({"type": "response.creat"}, "invalid_value", "type"),
    "a field that is missing": ({"type": "conversation.item.retrieve"}, "missing_required_parameter", "item_id"),
    "an unknown field": (
        {"type": "session.update", "session": {"type": "realtime", "modalities": ["text"]}},
        "unknown_parameter",
        "session.modalities",
    ),
    "a wrong type": (
        {"type": "session.update", "session": {"type": "realtime", "instructions": 7}},
        "invalid_type",
        "session.instructions",
    ),
    "audio that is no base64": ({"type": "input_audio_buffer.append", "audio": "?"}, "invalid_value", "audio"),
    "a commit of nothing": ({"type": "input_audio_buffer.commit"}, "input_audio_buffer_commit_empty", None),
    "an item that is not there": (
        {"type": "conversation.item.delete", "item_id": "item_x"},
        "item_delete_invalid_item_id",
        "item_id",
    ),
    "the output of no call": (
        {
            "type": "conversation.item.create",
            "item": {"type": "function_call_output", "call_id": "call_x", "output": "{}"},
        },
        "invalid_value",
        "item.call_id",
    ),
    "a cancel of nothing": ({"type": "response.cancel"}, "response_cancel_not_active", None),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_named_and_the_session_goes_on(server: str, mistake: str) -> None:
    event, code, param = MISTAKES[mistake]

    async def conversation() -> None:
        async with talking(server, output_modalities=["text"]) as client:
            await client.send({**event, "event_id": "mistake"})
            error = (await client.wait_for("error"))["error"]
            answer = await client.ask("What is twelve times seven?")

        assert (error["type"], error["code"], error["param"]) == ("invalid_request_error", code, param)
        assert error["event_id"] == "mistake"
        assert answer.status == "completed"

    asyncio.run(conversation())


def test_a_second_response_is_refused_while_one_is_active(server: str) -> None:
    endless = scripted(otherwise={"say": "On and on. ", "is_endless": True})

    async def conversation() -> None:
        async with talking(server, SCRIPTED, instructions=endless) as client:
            since = client.here
            await client.send({"type": "response.create"})
            await client.wait_for("response.output_audio.delta", since)
            await client.send({"type": "response.create"})
            error = (await client.wait_for("error"))["error"]
            await client.send({"type": "response.cancel"})
            answer = await client.answer(since)

        assert error["code"] == "conversation_already_has_active_response"
        assert answer.status == "cancelled"

    asyncio.run(conversation())
