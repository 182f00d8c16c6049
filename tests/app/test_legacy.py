"""The beta API's secrets over real sockets: flat objects in and out, sessions of today's API behind them."""

from typing import Any

import openai
import pytest
from websockets.asyncio.client import connect

from tests.app.serving import Answer, ask_json, serving
from tests.transports.echo_host import EchoHost
from tests.transports.peers import run
from vivavoce.app.server import AppSettings
from vivavoce.runtime.sink import SessionRequest

SESSIONS = "POST /v1/realtime/sessions"
TRANSCRIPTIONS = "POST /v1/realtime/transcription_sessions"
FLAT_KEYS = {
    "id", "object", "model", "expires_at", "modalities", "instructions", "voice", "input_audio_format",
    "output_audio_format", "input_audio_transcription", "turn_detection", "input_audio_noise_reduction", "tools",
    "tool_choice", "temperature", "max_response_output_tokens", "speed", "tracing", "client_secret",
}  # fmt: skip


def answer_to(request: str, body: object) -> Answer:
    async def scenario() -> Answer:
        async with serving(EchoHost()) as port:
            return await ask_json(port, request, body)

    return run(scenario())


@pytest.mark.parametrize("prefix", ["/v1", "/openai/v1"])
def test_the_answer_is_a_whole_flat_session_with_its_secret(prefix: str) -> None:
    answer = answer_to(f"POST {prefix}/realtime/sessions", {"model": "gpt-4o-realtime-preview"})

    assert answer.status == 200
    assert FLAT_KEYS <= set(answer.json)
    assert answer.json["object"] == "realtime.session"
    assert answer.json["expires_at"] == 0
    assert answer.json["modalities"] == ["audio", "text"]
    assert answer.json["input_audio_format"] == "pcm16"
    assert answer.json["client_secret"]["value"].startswith("ek_")
    assert answer.json["client_secret"]["expires_at"] > 0
    assert not {"type", "audio", "output_modalities", "max_output_tokens"} & set(answer.json)


def test_flat_fields_are_taken_and_shown() -> None:
    flat: dict[str, Any] = {
        "model": "m",
        "modalities": ["text"],
        "voice": "ash",
        "input_audio_format": "g711_ulaw",
        "output_audio_format": "g711_alaw",
        "turn_detection": None,
        "temperature": 0.7,
        "max_response_output_tokens": 100,
        "speed": 1.25,
        "tool_choice": "required",
        "input_audio_transcription": {"model": "whisper-1"},
    }

    answer = answer_to(SESSIONS, flat)

    shown = {name: answer.json[name] for name in flat}
    shown["input_audio_transcription"] = {"model": answer.json["input_audio_transcription"]["model"]}
    assert shown == flat


def test_a_transcription_session_is_flat_too() -> None:
    answer = answer_to(
        TRANSCRIPTIONS, {"input_audio_transcription": {"model": "whisper-1"}, "input_audio_format": "g711_ulaw"}
    )

    assert answer.status == 200
    assert answer.json["object"] == "realtime.transcription_session"
    assert answer.json["modalities"] == ["text"]
    assert answer.json["input_audio_format"] == "g711_ulaw"
    assert answer.json["client_secret"]["value"].startswith("ek_")


@pytest.mark.parametrize("request_line", [SESSIONS, TRANSCRIPTIONS])
def test_the_lifetime_may_be_asked_for(request_line: str) -> None:
    short = answer_to(request_line, {"client_secret": {"expires_after": {"anchor": "created_at", "seconds": 10}}})
    usual = answer_to(request_line, {"client_secret": None})

    assert usual.json["client_secret"]["expires_at"] - short.json["client_secret"]["expires_at"] >= 500


@pytest.mark.parametrize(
    ("request_line", "body", "code", "param"),
    [
        (SESSIONS, {"voice": "bob"}, "invalid_value", "voice"),
        (SESSIONS, {"output_modalities": ["text"]}, "unknown_parameter", "output_modalities"),
        (SESSIONS, {"audio": {}}, "unknown_parameter", "audio"),
        (SESSIONS, {"type": "realtime"}, "unknown_parameter", "type"),
        (SESSIONS, {"temperature": 1.3}, "decimal_above_max_value", "temperature"),
        (SESSIONS, {"temperature": "hot"}, "invalid_type", "temperature"),
        (SESSIONS, {"turn_detection": {"type": "server_vad", "threshold": 2}}, None, "turn_detection.threshold"),
        (SESSIONS, {"input_audio_format": "mp3"}, "invalid_value", "input_audio_format"),
        (SESSIONS, {"input_audio_format": {"type": "audio/pcm"}}, "invalid_type", "input_audio_format"),
        (SESSIONS, {"max_response_output_tokens": 0}, None, "max_response_output_tokens"),
        (SESSIONS, {"client_secret": {"expires_after": {"seconds": 1}}}, None, "client_secret.expires_after.seconds"),
        (SESSIONS, {"modalities": "text"}, "invalid_type", "modalities"),
        (TRANSCRIPTIONS, {"instructions": "x"}, "unknown_parameter", "instructions"),
        (TRANSCRIPTIONS, {"voice": "ash"}, "unknown_parameter", "voice"),
        (TRANSCRIPTIONS, {"input_audio_transcription": {}}, None, "input_audio_transcription.model"),
    ],
)
def test_errors_speak_of_the_flat_fields(request_line: str, body: object, code: str | None, param: str) -> None:
    answer = answer_to(request_line, body)

    assert answer.status == 400
    assert answer.error["param"] == param
    assert code is None or answer.error["code"] == code
    assert "session" not in answer.error["message"]


@pytest.mark.parametrize(("request_line", "kind"), [(SESSIONS, "realtime"), (TRANSCRIPTIONS, "transcription")])
def test_such_a_secret_opens_a_session_of_todays_api(request_line: str, kind: str) -> None:
    async def scenario() -> SessionRequest:
        host = EchoHost()
        async with serving(host, AppSettings(api_keys=("sk-good",))) as port:
            made = await ask_json(port, request_line, {}, "sk-good")
            headers = {"Authorization": f"Bearer {made.json['client_secret']['value']}"}
            async with connect(f"ws://127.0.0.1:{port}/v1/realtime", additional_headers=headers):
                return host.requests[0]

    assert run(scenario()).kind == kind


def test_the_stock_client_of_the_beta_gets_both_kinds() -> None:
    async def scenario() -> tuple[Any, Any]:
        async with serving(EchoHost()) as port:
            async with openai.AsyncOpenAI(api_key="any", base_url=f"http://127.0.0.1:{port}/v1") as client:
                sessions = client.beta.realtime
                return (
                    await sessions.sessions.create(model="gpt-4o-realtime-preview", voice="ash"),
                    await sessions.transcription_sessions.create(input_audio_transcription={"model": "whisper-1"}),
                )

    session, transcription = run(scenario())

    assert session.client_secret.value.startswith("ek_")
    assert session.voice == "ash"
    assert transcription.client_secret.value.startswith("ek_")
