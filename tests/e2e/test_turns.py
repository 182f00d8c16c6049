"""Whole turns: written and spoken, answered aloud, with tools, by hand and uninvited."""

import asyncio
import json

from bench.recognition import recognised
from tests.e2e.conftest import Say
from tests.e2e.talking import SILENCE, said, talking
from vivavoce.testing.wer import content_word_recall

TRANSCRIPTION = {"model": "whisper-1", "language": "en"}
WEATHER = {
    "type": "function",
    "name": "get_weather",
    "description": "Get the weather of a city",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}


def test_a_written_question_is_answered_aloud_in_words_that_can_be_understood(server: str) -> None:
    async def conversation() -> None:
        async with talking(server) as client:
            answer = await client.ask("What is twelve times seven?")

        assert answer.status == "completed"
        assert "eighty four" in said(answer.text)
        assert content_word_recall(answer.text, recognised(answer.audio)) >= 0.7

    asyncio.run(conversation())


def test_the_events_of_a_written_turn_come_in_the_documented_order(server: str) -> None:
    async def conversation() -> None:
        async with talking(server) as client:
            await client.ask("Hello.")
            types = client.types()

        assert list(dict.fromkeys(types)) == [
            "session.created",
            "conversation.item.added",
            "conversation.item.done",
            "response.created",
            "response.output_item.added",
            "response.content_part.added",
            "response.output_audio_transcript.delta",
            "response.output_audio.delta",
            "response.output_audio.done",
            "response.output_audio_transcript.done",
            "response.content_part.done",
            "response.output_item.done",
            "response.done",
        ]

    asyncio.run(conversation())


def test_a_spoken_question_is_transcribed_and_answered(server: str, say: Say) -> None:
    question = say("What is twelve times seven?")

    async def conversation() -> None:
        async with talking(server, audio={"input": {"transcription": TRANSCRIPTION}}) as client:
            since = client.here
            await client.append(question + SILENCE)
            heard = await client.wait_for("conversation.item.input_audio_transcription.completed", since)
            answer = await client.answer(since)
            [started] = client.of_type("input_audio_buffer.speech_started")
            [stopped] = client.of_type("input_audio_buffer.speech_stopped")

        assert "twelve times seven" in heard["transcript"]
        assert "eighty four" in said(answer.text)
        assert len(answer.audio) > 48 * 1000
        assert started["item_id"] == stopped["item_id"] == heard["item_id"]
        question_ms = len(question) // 48
        assert 0 <= started["audio_start_ms"] < 300
        assert question_ms - 400 < stopped["audio_end_ms"] < question_ms + 800

    asyncio.run(conversation())


def test_a_function_is_called_and_its_result_is_spoken(server: str) -> None:
    async def conversation() -> None:
        async with talking(server, tools=[WEATHER]) as client:
            asked = await client.ask("What is the weather in Paris?")
            [call] = asked.calls
            output = {"type": "function_call_output", "call_id": call["call_id"], "output": '{"temperature": 21}'}
            await client.send({"type": "conversation.item.create", "item": output})
            answer = await client.respond()

        assert call["name"] == "get_weather"
        assert json.loads(call["arguments"]) == {"city": "Paris"}
        assert "twenty one" in said(answer.text)
        assert len(answer.audio) > 48 * 500

    asyncio.run(conversation())


def test_a_spoken_request_calls_a_function(server: str, say: Say) -> None:
    # Two voices, for one may be misheard: recognition of synthesised speech has slack.
    requests = [say("What is the weather in Paris?", voice) for voice in ("coral", "sage")]

    async def conversation() -> None:
        called: list[str] = []
        async with talking(server, tools=[WEATHER]) as client:
            for request in requests:
                since = client.here
                await client.append(request + SILENCE)
                called += [call["name"] for call in (await client.answer(since)).calls]

        assert set(called) == {"get_weather"}

    asyncio.run(conversation())


def test_without_detection_the_client_commits_and_asks_for_the_answer(server: str, say: Say) -> None:
    question = say("What is twelve times seven?")

    async def conversation() -> None:
        async with talking(server, audio={"input": {"turn_detection": None}}) as client:
            await client.append(question)
            await client.send({"type": "input_audio_buffer.commit"})
            committed = await client.wait_for("input_audio_buffer.committed")
            answer = await client.respond()
            types = client.types()

        assert committed["previous_item_id"] is None
        assert "eighty four" in said(answer.text)
        assert not [kind for kind in types if kind.startswith("input_audio_buffer.speech_")]
        assert types.count("response.created") == 1

    asyncio.run(conversation())


def test_in_passive_mode_speech_is_transcribed_and_answered_only_when_asked(server: str, say: Say) -> None:
    question = say("What is twelve times seven?")
    detection = {"type": "server_vad", "create_response": False}
    audio = {"input": {"turn_detection": detection, "transcription": TRANSCRIPTION}}

    async def conversation() -> None:
        async with talking(server, audio=audio) as client:
            await client.append(question + SILENCE)
            heard = await client.wait_for("conversation.item.input_audio_transcription.completed")
            await client.send({"type": "conversation.item.retrieve", "item_id": heard["item_id"]})
            await client.wait_for("conversation.item.retrieved")
            uninvited = client.of_type("response.created")
            answer = await client.respond()

        assert uninvited == []
        assert "eighty four" in said(answer.text)

    asyncio.run(conversation())


def test_a_response_out_of_band_leaves_the_conversation_as_it_was(server: str) -> None:
    async def conversation() -> None:
        async with talking(server) as client:
            await client.ask("My name is Peter.")
            since = client.here
            aside = await client.respond(
                conversation="none", input=[], output_modalities=["text"], metadata={"topic": "aside"}
            )
            types = client.types(since)
            answer = await client.ask("What is my name?")

        assert aside.response["conversation_id"] is None
        assert aside.response["metadata"] == {"topic": "aside"}
        assert aside.text and not aside.audio
        assert not [kind for kind in types if kind.startswith("conversation.item")]
        assert "Peter" in answer.text

    asyncio.run(conversation())


def test_the_conversation_is_known_to_later_turns_whether_written_or_spoken(server: str, say: Say) -> None:
    introduction = say("Hello, my name is Peter.")

    async def conversation() -> None:
        async with talking(server) as client:
            since = client.here
            await client.append(introduction + SILENCE)
            await client.answer(since)
            answer = await client.ask("What is my name?")

        assert "peter" in said(answer.text)

    asyncio.run(conversation())
