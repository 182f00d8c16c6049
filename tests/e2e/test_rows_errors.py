"""Error codes that the conversations of the other tests do not raise, each by what raises it."""

import asyncio
import base64
from typing import Any

import pytest

from bench.checked_client import CheckedClient, Json
from tests.e2e.talking import SCRIPTED, scripted, talking
from tests.e2e.test_rows_session import connected

TEXT = {"output_modalities": ["text"]}
MINUTES = 8 * 60_000  # bytes of mu-law per minute


def message(text: str, **fields: Any) -> Json:
    content = [{"type": "input_text", "text": text}]
    return {"type": "message", "role": "user", "content": content, **fields}


async def refusal(client: CheckedClient, event: Json) -> Json:
    since = client.here
    await client.send(event)
    error: Json = (await client.wait_for("error", since))["error"]
    return error


MISTAKES: dict[str, tuple[Json, str, str | None]] = {
    "behind an item that is not there": (
        {"type": "conversation.item.create", "previous_item_id": "item_x", "item": message("hi")},
        "item_create_invalid_previous_item_id",
        "previous_item_id",
    ),
    "an id that is taken": (
        {"type": "conversation.item.create", "item": message("again", id="item_taken")},
        "item_create_duplicate_item_id",
        "item.id",
    ),
    "nothing to retrieve": (
        {"type": "conversation.item.retrieve", "item_id": "item_x"},
        "item_retrieve_invalid_item_id",
        "item_id",
    ),
    "nothing to truncate": (
        {"type": "conversation.item.truncate", "item_id": "item_x", "content_index": 0, "audio_end_ms": 0},
        "item_truncate_invalid_item_id",
        "item_id",
    ),
    "no assistant audio to truncate": (
        {"type": "conversation.item.truncate", "item_id": "item_taken", "content_index": 0, "audio_end_ms": 0},
        "item_truncate_invalid_item_id",
        "item_id",
    ),
    "a negative index": (
        {"type": "conversation.item.truncate", "item_id": "item_taken", "content_index": -1, "audio_end_ms": 0},
        "integer_below_min_value",
        "content_index",
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_gets_its_code(open_server: str, name: str) -> None:
    event, code, param = MISTAKES[name]

    async def conversation() -> None:
        async with connected(open_server) as client:
            await client.send({"type": "conversation.item.create", "item": message("first", id="item_taken")})
            await client.wait_for("conversation.item.done")
            error = await refusal(client, event)

        assert (error["code"], error["param"]) == (code, param)

    asyncio.run(conversation())


def test_what_is_no_json_is_no_event(open_server: str) -> None:
    async def conversation() -> None:
        async with connected(open_server) as client:
            await client.send_raw("{")
            error = (await client.wait_for("error"))["error"]

        assert error["code"] == "invalid_event"

    asyncio.run(conversation())


@pytest.mark.parametrize("code", ["engine_unavailable", "engine_timeout", "server_error"])
def test_an_engine_that_fails_fails_the_response_only(open_server: str, code: str) -> None:
    failing = scripted(turns=[{"say": "I ", "failure": {"message": "gone", "code": code}}], otherwise={"say": "Well."})

    async def conversation() -> None:
        async with connected(open_server) as client:
            await client.configure(**TEXT, instructions=failing)
            failed = await client.ask("Hello.")
            answer = await client.ask("Hello again.")

        assert failed.status == "failed"
        assert failed.response["status_details"]["error"]["code"] == code
        assert answer.status == "completed"

    asyncio.run(conversation())


@pytest.mark.slow
def test_fifteen_minutes_fill_the_buffer_and_what_is_in_it_stays(open_server: str) -> None:
    minutes = base64.b64encode(b"\xff" * (7 * MINUTES)).decode()

    async def conversation() -> None:
        async with connected(open_server) as client:
            await client.configure(audio={"input": {"turn_detection": None, "format": {"type": "audio/pcmu"}}})
            for _ in range(2):
                await client.send({"type": "input_audio_buffer.append", "audio": minutes})
            error = await refusal(client, {"type": "input_audio_buffer.append", "audio": minutes})
            await client.send({"type": "input_audio_buffer.commit"})
            await client.wait_for("conversation.item.done")

        assert (error["type"], error["code"]) == ("server_error", "input_audio_buffer_full")

    asyncio.run(conversation())


def test_a_session_ends_when_its_time_is_over(strict_server: str) -> None:
    async def conversation() -> None:
        async with talking(strict_server, SCRIPTED) as client:
            error = (await client.wait_for("error"))["error"]
            await client.wait_until(lambda: client.closed is not None)

        assert error["code"] == "session_expired"
        assert client.closed is not None and client.closed.rcvd is not None
        assert client.closed.rcvd.code == 1001

    asyncio.run(conversation())


def test_a_response_beyond_the_limit_fails_by_name(strict_server: str) -> None:
    async def conversation() -> None:
        async with talking(strict_server, SCRIPTED, is_cut=True) as client:
            answers = [await client.ask("Hello.", **TEXT) for _ in range(2)]

        assert [answer.status for answer in answers] == ["completed", "failed"]
        assert answers[1].response["status_details"]["error"]["code"] == "rate_limit_exceeded"

    asyncio.run(conversation())
