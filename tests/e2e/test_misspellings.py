"""Names that the API does not have: refused on the real wire, with the name of the field that is meant."""

import asyncio
from typing import Any

import httpx2
import pytest

from bench.checked_client import Json
from tests.e2e.beta_client import beta_client
from tests.e2e.talking import SCRIPTED, talking

PCM: Json = {"type": "audio/pcm", "rate": 24000}
SAID: Json = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hello."}]}


def vad(written: str, value: Any, meant: str) -> tuple[Json, str, str]:
    place = "audio.input.turn_detection"
    detection = {"type": "server_vad", written: value}
    return {"audio": {"input": {"turn_detection": detection}}}, f"{place}.{written}", f"{place}.{meant}"


def function(**fields: Any) -> Json:
    return {"tools": [{"type": "function", "name": "f", **fields}]}


# What is written, the field that is wrong, and the one that is meant.
SESSION: tuple[tuple[Json, str, str], ...] = (
    vad("prefix_padding", 300, "prefix_padding_ms"),
    vad("silence_duration", 500, "silence_duration_ms"),
    vad("silence_ms", 500, "silence_duration_ms"),
    vad("silenceDurationMs", 500, "silence_duration_ms"),
    vad("idle_timeout", 5, "idle_timeout_ms"),
    vad("treshold", 0.5, "threshold"),
    vad("create_respone", True, "create_response"),
    ({"output_modality": "text"}, "output_modality", "output_modalities"),
    ({"modalities": ["text"]}, "modalities", "output_modalities"),
    ({"max_tokens": 5}, "max_tokens", "max_output_tokens"),
    ({"max_response_output_tokens": 5}, "max_response_output_tokens", "max_output_tokens"),
    ({"instruction": "x"}, "instruction", "instructions"),
    ({"system_prompt": "x"}, "system_prompt", "instructions"),
    ({"toolChoice": "auto"}, "toolChoice", "tool_choice"),
    ({"functions": []}, "functions", "tools"),
    ({"voice": "ash"}, "voice", "audio.output.voice"),
    ({"speed": 1}, "speed", "audio.output.speed"),
    ({"turn_detection": None}, "turn_detection", "audio.input.turn_detection"),
    ({"input_audio_format": "pcm16"}, "input_audio_format", "audio.input.format"),
    ({"input_audio_transcription": None}, "input_audio_transcription", "audio.input.transcription"),
    ({"audio": {"voice": "ash"}}, "audio.voice", "audio.output.voice"),
    ({"audio": {"input": {"threshold": 0.5}}}, "audio.input.threshold", "audio.input.turn_detection.threshold"),
    ({"audio": {"input": {"noise_reducton": None}}}, "audio.input.noise_reducton", "audio.input.noise_reduction"),
    ({"audio": {"output": {"voices": "ash"}}}, "audio.output.voices", "audio.output.voice"),
    ({"audio": {"output": {"format": {**PCM, "sample_rate": 1}}}}, "audio.output.format.sample_rate",
     "audio.output.format.rate"),
    (function(input_schema={}), "tools[0].input_schema", "tools[0].parameters"),
    ({"tools": [{"type": "function", "function": {}}]}, "tools[0].function", "tools[0].name"),
)  # fmt: skip
RESPONSE: tuple[tuple[Json, str, str], ...] = (
    ({"modalities": ["text"]}, "modalities", "output_modalities"),
    ({"voice": "ash"}, "voice", "audio.output.voice"),
    ({"max_tokens": 5}, "max_tokens", "max_output_tokens"),
    ({"instruction": "x"}, "instruction", "instructions"),
    ({"input": [{**SAID, "contents": []}]}, "input[0].contents", "input[0].content"),
)
ITEM: tuple[tuple[Json, str, str], ...] = (
    ({"type": "function_call_output", "call_id": "c", "result": "x"}, "result", "output"),
    ({"type": "function_call_output", "tool_call_id": "c", "output": "x"}, "tool_call_id", "call_id"),
    ({**SAID, "contents": []}, "contents", "content"),
    ({**SAID, "content": [{"type": "input_text", "content": "x"}]}, "content[0].content", "content[0].text"),
)
# Of the beta: its own fields are meant.
BETA: tuple[tuple[Json, str, str], ...] = (
    ({"output_modalities": ["text"]}, "output_modalities", "modalities"),
    ({"max_output_tokens": 5}, "max_output_tokens", "max_response_output_tokens"),
    ({"max_tokens": 5}, "max_tokens", "max_response_output_tokens"),
    ({"voices": "ash"}, "voices", "voice"),
    ({"vad": None}, "vad", "turn_detection"),
    ({"input_format": "pcm16"}, "input_format", "input_audio_format"),
    ({"transcription": None}, "transcription", "input_audio_transcription"),
    ({"threshold": 0.5}, "threshold", "turn_detection.threshold"),
    (
        {"turn_detection": {"type": "server_vad", "prefix_padding": 300}},
        "turn_detection.prefix_padding",
        "turn_detection.prefix_padding_ms",
    ),
    (
        {"turn_detection": {"type": "server_vad", "silence_duration": 500}},
        "turn_detection.silence_duration",
        "turn_detection.silence_duration_ms",
    ),
)
BODIES: tuple[tuple[str, Json, str, str], ...] = (
    ("client_secrets", {"sesion": {}}, "sesion", "session"),
    ("client_secrets", {"expires_after": {"second": 30}}, "expires_after.second", "expires_after.seconds"),
    (
        "client_secrets",
        {"session": {"type": "realtime", "output_modality": "text"}},
        "session.output_modality",
        "session.output_modalities",
    ),
    ("sessions", {"output_modalities": ["text"]}, "output_modalities", "modalities"),
    ("sessions", {"turn_detection": {"type": "server_vad", "prefix_padding": 1}}, "turn_detection.prefix_padding",
     "turn_detection.prefix_padding_ms"),
    ("transcription_sessions", {"transcription": None}, "transcription", "input_audio_transcription"),
)  # fmt: skip


def told(wrong: str, meant: str) -> str:
    return f"Unknown parameter: '{wrong}'. Did you mean '{meant}'?"


def test_a_misspelling_is_refused_with_the_field_that_is_meant(own_server: str) -> None:
    events: list[tuple[Json, str, str, str]] = [
        *(
            ({"type": "session.update", "session": {"type": "realtime", **one}}, "session", w, m)
            for one, w, m in SESSION
        ),
        *(({"type": "response.create", "response": one}, "response", w, m) for one, w, m in RESPONSE),
        *(({"type": "conversation.item.create", "item": one}, "item", w, m) for one, w, m in ITEM),
    ]

    async def conversation() -> None:
        async with talking(own_server, SCRIPTED) as client:
            for event, root, wrong, meant in events:
                since = client.here
                await client.send(event)
                error = (await client.wait_for("error", since))["error"]

                assert (error["code"], error["param"]) == ("unknown_parameter", f"{root}.{wrong}")
                assert error["message"] == told(f"{root}.{wrong}", f"{root}.{meant}")

    assert len(events) >= 25
    asyncio.run(conversation())


def test_in_the_beta_its_own_field_is_meant(own_server: str) -> None:
    async def conversation() -> None:
        async with beta_client(own_server) as client:
            for session, wrong, meant in BETA:
                error = await client.update(**session)

                assert (error["code"], error["param"]) == ("unknown_parameter", f"session.{wrong}")
                assert error["message"] == told(f"session.{wrong}", f"session.{meant}")

    asyncio.run(conversation())


@pytest.mark.parametrize(("route", "body", "wrong", "meant"), BODIES, ids=lambda value: str(value)[:30])
def test_a_misspelling_in_a_body_is_refused_too(
    own_server: str, route: str, body: Json, wrong: str, meant: str
) -> None:
    answer = httpx2.post(f"http://{own_server}/v1/realtime/{route}", json=body)

    assert answer.status_code == 400
    assert answer.json()["error"]["message"] == told(wrong, meant)
