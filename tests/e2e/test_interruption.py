"""Being interrupted: what stops, what is kept, and what the conversation knows afterwards."""

import asyncio
import base64

from bench.checked_client import Answer, CheckedClient
from tests.e2e.conftest import Say
from tests.e2e.talking import SCRIPTED, SILENCE, said, scripted, talking

ENDLESS = scripted(otherwise={"say": "One more sentence is being said here. ", "is_endless": True})
LOUD = b"\x00\x20" * 6 + b"\x00\xe0" * 6  # half a millisecond of a 2 kHz square wave: speech to the scripted detector


def speech_ms(duration_ms: int) -> bytes:
    return LOUD * (duration_ms * 2)


def played_ms(client: CheckedClient, item_id: str) -> int:
    deltas = client.of_type("response.output_audio.delta")
    return sum(len(base64.b64decode(e["delta"])) for e in deltas if e["item_id"] == item_id) // 48


def test_speech_cancels_the_answer_and_no_more_of_it_is_sent(server: str) -> None:
    async def conversation() -> None:
        async with talking(server, SCRIPTED, instructions=ENDLESS) as client:
            since = client.here
            await client.write("Go on for ever.")
            await client.send({"type": "response.create"})
            await client.wait_for("response.output_audio.delta", since)
            await client.append(speech_ms(600))
            done = await client.wait_for("response.done", since)
            types = client.types(since)
            item = done["response"]["output"][0]
            heard_ms = played_ms(client, item["id"]) // 2
            cut = {"item_id": item["id"], "content_index": 0, "audio_end_ms": heard_ms}
            await client.send({"type": "conversation.item.truncate", **cut})
            truncated = await client.wait_for("conversation.item.truncated", since)
            after = client.of_type("response.output_audio.delta", client.events.index(done))

        assert done["response"]["status"] == "cancelled"
        assert done["response"]["status_details"] == {"type": "cancelled", "reason": "turn_detected"}
        assert item["status"] == "incomplete"
        assert types.index("input_audio_buffer.speech_started") < types.index("response.output_audio.done")
        assert {name: truncated[name] for name in cut} == cut
        assert after == []

    asyncio.run(conversation())


def test_speech_during_the_answer_becomes_the_next_turn(server: str) -> None:
    async def conversation() -> None:
        script = scripted(turns=[{"say": "And so on. ", "is_endless": True}], otherwise={"say": "You said {heard}."})
        async with talking(server, SCRIPTED, instructions=script) as client:
            since = client.here
            await client.write("Go on for ever.")
            await client.send({"type": "response.create"})
            await client.wait_for("response.output_audio.delta", since)
            await client.append(speech_ms(600) + SILENCE)
            cancelled = await client.wait_for("response.done", since)
            answer = await client.answer(client.events.index(cancelled))

        assert cancelled["response"]["status"] == "cancelled"
        assert answer.status == "completed"
        assert answer.text.startswith("You said scripted turn")

    asyncio.run(conversation())


def test_speech_leaves_the_answer_alone_where_it_may_not_interrupt(server: str) -> None:
    detection = {"type": "server_vad", "interrupt_response": False}
    long_answer = scripted(otherwise={"say": [{"text": f"Sentence {n}. ", "delay_ms": 20} for n in range(40)]})

    async def conversation() -> None:
        audio = {"input": {"turn_detection": detection}}
        async with talking(server, SCRIPTED, instructions=long_answer, audio=audio) as client:
            since = client.here
            await client.write("Go on.")
            await client.send({"type": "response.create"})
            await client.wait_for("response.output_audio.delta", since)
            await client.append(speech_ms(600))
            await client.wait_for("input_audio_buffer.speech_started", since)
            answer = await client.answer(since)

        assert answer.status == "completed"
        assert "Sentence 39." in answer.text

    asyncio.run(conversation())


def test_the_client_cancels_an_answer(server: str) -> None:
    async def conversation() -> None:
        async with talking(server, SCRIPTED, instructions=ENDLESS) as client:
            since = client.here
            await client.send({"type": "response.create"})
            await client.wait_for("response.output_audio.delta", since)
            await client.send({"type": "response.cancel"})
            answer = await client.answer(since)

        assert answer.response["status_details"] == {"type": "cancelled", "reason": "client_cancelled"}
        assert answer.audio

    asyncio.run(conversation())


def test_of_a_truncated_answer_the_conversation_knows_what_was_heard(server: str) -> None:
    async def conversation() -> None:
        async with talking(server) as client:
            story = await client.ask("Tell me a story.")
            await truncate(client, story, heard_share=0.4)
            recalled = await client.ask("What did you say?")

        words = said(story.text).split()
        heard = said(recalled.text).removeprefix("i said before you interrupted me ").split()
        assert 0.2 * len(words) < len(heard) < 0.6 * len(words)
        assert words[: len(heard)] == heard

    asyncio.run(conversation())


def test_a_speaker_who_interrupts_and_asks_again_is_told_what_was_not_heard(server: str, say: Say) -> None:
    request = say("Repeat that.")

    async def conversation() -> None:
        async with talking(server) as client:
            story = await client.ask("Tell me a story.")
            since = client.here
            await client.append(request)
            await client.wait_for("input_audio_buffer.speech_started", since)
            await truncate(client, story, heard_share=0.4)
            await client.append(SILENCE)
            rest = await client.answer(since)

        words, unheard = said(story.text).split(), said(rest.text).split()
        assert 0.3 * len(words) < len(unheard) < 0.8 * len(words)
        assert words[-len(unheard) :] == unheard

    asyncio.run(conversation())


async def truncate(client: CheckedClient, answer: Answer, heard_share: float) -> None:
    item_id = answer.response["output"][0]["id"]
    cut = {"item_id": item_id, "content_index": 0, "audio_end_ms": int(len(answer.audio) / 48 * heard_share)}
    await client.send({"type": "conversation.item.truncate", **cut})
    await client.wait_for("conversation.item.truncated")


def test_audio_beyond_the_end_cannot_be_kept(server: str) -> None:
    async def conversation() -> None:
        async with talking(server) as client:
            answer = await client.ask("Hello.")
            item_id = answer.response["output"][0]["id"]
            cut = {"item_id": item_id, "content_index": 0, "audio_end_ms": len(answer.audio) // 48 + 1_000}
            await client.send({"type": "conversation.item.truncate", **cut})
            error = (await client.wait_for("error"))["error"]

        assert error["code"] == "invalid_value"

    asyncio.run(conversation())
