"""Clients of the beta on the real server: its selectors, its names, its objects, its errors."""

import asyncio
import json

import httpx2
import pytest

from bench.hostile_messages import hostile_messages
from tests.e2e.beta_client import HEADER, Json, beta_client
from tests.e2e.conftest import Say
from tests.e2e.talking import SILENCE, said, scripted

ECHO = scripted(otherwise={"say": "You said: {heard}"})
WEATHER = {"name": "get_weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}}
AZURE = "/openai/realtime?api-version=2025-04-01-preview&deployment=vivavoce-scripted"
HOSTILE = 300

SELECTORS: dict[str, tuple[str, dict[str, str], tuple[str, ...]]] = {
    "header": ("/v1/realtime?model=vivavoce-scripted", HEADER, ()),
    "header among others": ("/v1/realtime?model=vivavoce-scripted", {"OpenAI-Beta": "assistants=v2, realtime=v1"}, ()),
    "subprotocols of a browser": (
        "/v1/realtime?model=vivavoce-scripted",
        {},
        ("realtime", "openai-insecure-api-key.sk-any", "openai-beta.realtime-v1"),
    ),
    "address of an Azure preview": (AZURE, {"api-key": "any"}, ()),
}


@pytest.mark.parametrize("selector", SELECTORS)
def test_every_selector_opens_a_session_of_the_beta(own_server: str, selector: str) -> None:
    target, headers, protocols = SELECTORS[selector]

    async def conversation() -> None:
        async with beta_client(own_server, target, headers=headers, protocols=protocols) as client:
            created, conversation = await client.next(), await client.next()
            await client.update(modalities=["text"], instructions=ECHO)
            await client.write("Hello.")
            response = await client.respond()

        assert (created["type"], conversation["type"]) == ("session.created", "conversation.created")
        assert created["session"]["modalities"] == ["audio", "text"]
        assert created["session"]["model"] == "vivavoce-scripted"
        assert client.websocket.subprotocol == ("realtime" if protocols else None)
        assert client.said() == "You said: Hello."
        assert response["conversation_id"] == conversation["conversation"]["id"]

    asyncio.run(conversation())


def test_a_written_turn_has_the_events_of_the_beta_in_their_order(own_server: str) -> None:
    async def conversation() -> None:
        async with beta_client(own_server) as client:
            await client.update(instructions=ECHO)
            await client.write("Hello.")
            await client.respond()

        seen = list(dict.fromkeys(client.types()))
        assert seen == [
            "session.created",
            "conversation.created",
            "session.updated",
            "conversation.item.created",
            "response.created",
            "response.output_item.added",
            "response.content_part.added",
            "response.audio_transcript.delta",
            "response.audio.delta",
            "response.audio.done",
            "response.audio_transcript.done",
            "response.content_part.done",
            "response.output_item.done",
            "response.done",
        ]
        user, answer = client.of_type("conversation.item.created")
        assert (user["item"]["status"], user["item"]["object"]) == ("completed", "realtime.item")
        assert answer["previous_item_id"] == user["item"]["id"]
        [item] = client.events[-1]["response"]["output"]
        assert item["content"] == [{"type": "audio", "transcript": "You said: Hello."}]

    asyncio.run(conversation())


def test_a_spoken_question_is_heard_and_a_function_is_called(own_server: str, say: Say) -> None:
    question = say("What is twelve times seven?")

    async def conversation() -> None:
        async with beta_client(own_server, "/v1/realtime?model=vivavoce-local") as client:
            detection = {"type": "server_vad", "create_response": False}
            await client.update(
                input_audio_transcription={"model": "whisper-1"}, turn_detection=detection, tools=[WEATHER]
            )
            await client.speak(question + SILENCE)
            heard = await client.until("conversation.item.input_audio_transcription.completed")
            await client.write("What is the weather in Paris?")
            response = await client.respond()

        assert "twelve times seven" in said(heard["transcript"])
        [call] = [item for item in response["output"] if item["type"] == "function_call"]
        assert (call["name"], call["object"]) == ("get_weather", "realtime.item")

    asyncio.run(conversation())


def test_the_temperature_is_shown_as_it_was_asked_for(own_server: str) -> None:
    async def conversation() -> None:
        async with beta_client(own_server) as client:
            before = (await client.next())["session"]["temperature"]
            updated = await client.update(temperature=0.6, instructions=ECHO, modalities=["text"])
            refused = await client.update(temperature=0.5)
            response = await client.respond()

        assert (before, updated["temperature"], response["temperature"]) == (0.8, 0.6, 0.6)
        assert (refused["code"], refused["param"]) == ("decimal_below_min_value", "session.temperature")

    asyncio.run(conversation())


MISTAKES: dict[str, tuple[Json, str, str]] = {
    "a voice": ({"voice": "bob"}, "invalid_value", "session.voice"),
    "a format": ({"input_audio_format": "mp3"}, "invalid_value", "session.input_audio_format"),
    "a threshold": (
        {"turn_detection": {"type": "server_vad", "threshold": 7}},
        "decimal_above_max_value",
        "session.turn_detection.threshold",
    ),
    "a model that is no name": (
        {"input_audio_transcription": {"model": 7}},
        "invalid_type",
        "session.input_audio_transcription.model",
    ),
    "a name of today": ({"output_modalities": ["text"]}, "unknown_parameter", "session.output_modalities"),
    "tokens": ({"max_response_output_tokens": 0}, "integer_below_min_value", "session.max_response_output_tokens"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_told_in_the_names_of_the_beta(own_server: str, mistake: str) -> None:
    session, code, param = MISTAKES[mistake]

    async def conversation() -> None:
        async with beta_client(own_server) as client:
            error = await client.update(**session)

        assert (error["code"], error["param"]) == (code, param)
        assert "audio.input" not in error["message"] and "audio.output" not in error["message"]

    asyncio.run(conversation())


def test_a_transcription_session_is_the_betas(own_server: str, say: Say) -> None:
    question = say("What is twelve times seven?")

    async def conversation() -> None:
        async with beta_client(own_server, "/v1/realtime?intent=transcription") as client:
            created = await client.next()
            session = {"input_audio_transcription": {"model": "whisper-1"}, "turn_detection": {"type": "server_vad"}}
            await client.send("transcription_session.update", session=session)
            updated = await client.until("transcription_session.updated", "error")
            await client.speak(question + SILENCE)
            heard = await client.until("conversation.item.input_audio_transcription.completed")

        assert created["type"] == "transcription_session.created"
        assert updated["type"] == "transcription_session.updated"
        assert updated["session"]["input_audio_transcription"]["model"] == "whisper-1"
        assert "twelve times seven" in said(heard["transcript"])
        assert "conversation.created" not in client.types()

    asyncio.run(conversation())


@pytest.mark.parametrize("route", ["sessions", "client_secrets"])
@pytest.mark.parametrize("is_beta", [True, False])
def test_a_secret_of_either_kind_opens_sessions_in_both_dialects(own_server: str, route: str, is_beta: bool) -> None:
    flat = {"model": "vivavoce-scripted", "instructions": ECHO, "temperature": 0.9, "voice": "ash"}
    nested = {"type": "realtime", "model": "vivavoce-scripted", "audio": {"output": {"voice": "ash"}}}

    async def conversation() -> None:
        async with httpx2.AsyncClient() as http:
            body: Json = flat if route == "sessions" else {"session": {**nested, "instructions": ECHO}}
            made = (await http.post(f"http://{own_server}/v1/realtime/{route}", json=body)).json()
        secret = made["client_secret"]["value"] if route == "sessions" else made["value"]
        headers = {"Authorization": f"Bearer {secret}", **(HEADER if is_beta else {})}
        async with beta_client(own_server, "/v1/realtime", headers=headers) as client:
            session = (await client.next())["session"]

        assert session["model"] == "vivavoce-scripted"
        assert (session["voice"] if is_beta else session["audio"]["output"]["voice"]) == "ash"
        if is_beta:
            assert session["temperature"] == (0.9 if route == "sessions" else 0.8)

    asyncio.run(conversation())


def test_a_history_of_the_beta_is_taken_as_it_was_written(own_server: str) -> None:
    """Early clients call what the assistant said `text` or `input_text`, and refer to items from within a message."""

    async def conversation() -> None:
        async with beta_client(own_server) as client:
            await client.update(modalities=["text"], instructions=ECHO)
            for kind in ("text", "input_text"):
                content = [{"type": kind, "text": "I am the assistant."}]
                item = {"type": "message", "role": "assistant", "content": content}
                await client.send("conversation.item.create", item=item)
            created = [await client.until("conversation.item.created") for _ in range(2)]
            reference = [{"type": "item_reference", "id": created[0]["item"]["id"]}]
            items = [{"type": "message", "role": "user", "content": reference}]
            response = await client.respond(conversation="none", input=items, max_response_output_tokens=50)

        assert [one["item"]["content"][0]["type"] for one in created] == ["text", "text"]
        assert (response["status"], response["conversation_id"]) == ("completed", None)

    asyncio.run(conversation())


@pytest.mark.slow
def test_hostile_messages_end_no_session_of_the_beta(own_server: str) -> None:
    async def conversation() -> None:
        async with beta_client(own_server) as client:
            for message in hostile_messages(HOSTILE, seed=13):
                await client.websocket.send(message.payload)
            await client.update(instructions=ECHO)
            content = [{"type": "input_text", "text": "Are you there?"}]
            item = {"type": "message", "role": "user", "content": content}
            response = {"conversation": "none", "input": [item], "modalities": ["text"], "metadata": {"is": "last"}}
            await client.send("response.create", response=response)
            done = await client.until_that(is_last)

        assert "Are you there?" in json.dumps(done["response"]["output"])
        assert [error for error in client.of_type("error") if error["error"]["type"] == "server_error"] == []

    asyncio.run(conversation())


def is_last(event: Json) -> bool:
    return bool(event["type"] == "response.done" and event["response"]["metadata"] == {"is": "last"})
