"""Events that come in no plain conversation: cleared audio, idle users, limits."""

import asyncio

from tests.e2e.talking import scripted
from tests.e2e.test_interruption import speech_ms
from tests.e2e.test_rows_session import connected

TEXT = {"output_modalities": ["text"]}
SECOND = bytes(48 * 1000)  # of silence


def test_cleared_audio_is_not_committed(open_server: str) -> None:
    async def conversation() -> None:
        async with connected(open_server) as client:
            await client.configure(audio={"input": {"turn_detection": None}})
            await client.append(speech_ms(600))
            await client.send({"type": "input_audio_buffer.clear"})
            await client.wait_for("input_audio_buffer.cleared")
            await client.send({"type": "input_audio_buffer.commit"})
            error = (await client.wait_for("error"))["error"]

        assert error["code"] == "input_audio_buffer_commit_empty"

    asyncio.run(conversation())


def test_pre_roll_survives_a_clear(open_server: str) -> None:
    async def conversation() -> None:
        async with connected(open_server) as client:
            await client.configure(audio={"input": {"turn_detection": None}}, vivavoce={"pre_roll_ms": 300})
            await client.append(speech_ms(600))
            await client.send({"type": "input_audio_buffer.clear"})
            await client.send({"type": "input_audio_buffer.commit"})
            committed = await client.wait_for("input_audio_buffer.committed")
            await client.wait_for("conversation.item.done")

        assert client.of_type("error") == []
        assert committed["item_id"]

    asyncio.run(conversation())


def test_played_audio_cannot_be_cleared_where_the_client_plays_it(open_server: str) -> None:
    async def conversation() -> None:
        async with connected(open_server) as client:
            await client.send({"type": "output_audio_buffer.clear"})
            error = (await client.wait_for("error"))["error"]

        assert (error["code"], error["param"]) == ("invalid_value", "type")

    asyncio.run(conversation())


def test_a_deleted_item_is_gone(open_server: str) -> None:
    async def conversation() -> None:
        async with connected(open_server) as client:
            await client.write("Forget this.")
            item_id = (await client.wait_for("conversation.item.done"))["item"]["id"]
            await client.send({"type": "conversation.item.delete", "item_id": item_id})
            deleted = await client.wait_for("conversation.item.deleted")
            await client.send({"type": "conversation.item.retrieve", "item_id": item_id})
            error = (await client.wait_for("error"))["error"]

        assert deleted["item_id"] == item_id
        assert error["code"] == "item_retrieve_invalid_item_id"

    asyncio.run(conversation())


def test_a_user_who_says_nothing_is_asked_again(open_server: str) -> None:
    async def conversation() -> None:
        detection = {"type": "server_vad", "idle_timeout_ms": 5000}
        async with connected(open_server) as client:
            await client.configure(**TEXT, audio={"input": {"turn_detection": detection}})
            await client.ask("Hello.")
            since = client.here
            for _ in range(6):
                await client.append(SECOND)
            triggered = await client.wait_for("input_audio_buffer.timeout_triggered", since)
            answer = await client.answer(since)

        assert triggered["audio_end_ms"] - triggered["audio_start_ms"] >= 5000
        assert answer.status == "completed"

    asyncio.run(conversation())


def test_what_is_left_of_the_limits_is_told_after_a_response(open_server: str) -> None:
    async def conversation() -> None:
        async with connected(open_server) as client:
            await client.ask("Hello.", **TEXT)
            updated = await client.wait_for("rate_limits.updated")

        limits = {limit["name"]: limit for limit in updated["rate_limits"]}
        assert limits["requests"]["limit"] == 1000
        assert limits["requests"]["remaining"] < 1000
        assert limits["tokens"]["limit"] == 1_000_000

    asyncio.run(conversation())


def test_several_calls_in_one_response_overlap_and_keep_their_order(open_server: str) -> None:
    calls = [{"name": "look", "arguments": {"at": place}} for place in ("here", "there")]
    tool = {"type": "function", "name": "look", "parameters": {"type": "object"}}

    async def conversation() -> None:
        async with connected(open_server) as client:
            script = scripted(turns=[{"say": "One moment.", "calls": calls}])
            answer = await client.ask("Look.", **TEXT, instructions=script, tools=[tool])

        assert [item["type"] for item in answer.response["output"]] == ["message", "function_call", "function_call"]
        assert [call["arguments"] for call in answer.calls] == ['{"at":"here"}', '{"at":"there"}']

    asyncio.run(conversation())
