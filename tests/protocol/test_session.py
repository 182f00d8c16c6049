"""Defaults of a session and how updates merge into it."""

import json
from typing import Any

import msgspec
import pytest
from msgspec import UNSET

from tests.protocol.samples import a_session
from vivavoce.protocol.codec import decode_client_event
from vivavoce.protocol.errors import ClientError
from vivavoce.protocol.extensions import SessionExtension
from vivavoce.protocol.session import (
    AudioInputPatch,
    AudioPatch,
    NoiseReduction,
    PcmaFormat,
    PcmFormat,
    PcmuFormat,
    RealtimeSession,
    ServerVad,
    SessionPatch,
    ToolChoiceFunction,
    Tracing,
    Transcription,
    merge,
)
from vivavoce.protocol.session_fields import check_kind


def patch(**fields: Any) -> SessionPatch:
    """Return the session object of an update as it comes from the wire."""
    event = decode_client_event(json.dumps({"type": "session.update", "session": {"type": "realtime", **fields}}))
    session = event.session  # type: ignore[union-attr]  # the tag says which event it is
    assert isinstance(session, SessionPatch)
    return session


def updated(*updates: dict[str, Any]) -> RealtimeSession:
    """Return a default session after the updates."""
    session = a_session()
    for update in updates:
        session = merge(session, patch(**update))
    return session


def audio_input(**fields: Any) -> dict[str, Any]:
    return {"audio": {"input": fields}}


def audio_output(**fields: Any) -> dict[str, Any]:
    return {"audio": {"output": fields}}


def test_the_default_session_has_the_recorded_keys_in_the_recorded_order() -> None:
    expected = {
        "type": "realtime",
        "object": "realtime.session",
        "id": "sess_1",
        "model": "vivavoce-local",
        "output_modalities": ["audio"],
        "instructions": "Be kind.",
        "tools": [],
        "tool_choice": "auto",
        "max_output_tokens": "inf",
        "tracing": None,
        "truncation": "auto",
        "prompt": None,
        "expires_at": 3600,
        "audio": {
            "input": {
                "format": {"type": "audio/pcm", "rate": 24000},
                "transcription": None,
                "noise_reduction": None,
                "turn_detection": {
                    "type": "server_vad",
                    "threshold": 0.5,
                    "prefix_padding_ms": 300,
                    "silence_duration_ms": 500,
                    "idle_timeout_ms": None,
                    "create_response": True,
                    "interrupt_response": True,
                },
            },
            "output": {"format": {"type": "audio/pcm", "rate": 24000}, "voice": "marin", "speed": 1.0},
        },
        "include": None,
    }

    assert msgspec.json.encode(a_session()).decode() == json.dumps(expected, separators=(",", ":"))


def test_an_empty_update_changes_nothing() -> None:
    assert updated({}) == a_session()


def test_absent_fields_keep_their_values() -> None:
    session = updated({"instructions": "A"}, {"output_modalities": ["text"]})

    assert (session.instructions, session.output_modalities) == ("A", ("text",))


def test_null_leaves_the_fields_that_cannot_be_cleared() -> None:
    before = updated(
        {
            "instructions": "A",
            "tools": [{"type": "function", "name": "f"}],
            "tool_choice": "none",
            "max_output_tokens": 100,
            **audio_output(speed=1.5, voice="ash"),
        }
    )
    nulls = dict.fromkeys(("model", "output_modalities", "instructions", "tools", "tool_choice", "max_output_tokens"))
    more = dict.fromkeys(("truncation", "prompt", "include", "parallel_tool_calls", "reasoning", "vivavoce"))

    after = merge(before, patch(**nulls, **more, **audio_output(speed=None, voice=None, format=None)))

    assert after == before


@pytest.mark.parametrize("update", [{"audio": None}, {"audio": {"input": None, "output": None}}, {"audio": {}}])
def test_null_audio_changes_nothing(update: dict[str, Any]) -> None:
    assert updated(update) == a_session()


def test_empty_values_clear_instructions_and_tools() -> None:
    session = updated(
        {"instructions": "A", "tools": [{"type": "function", "name": "f"}]}, {"instructions": "", "tools": []}
    )

    assert (session.instructions, session.tools) == ("", ())


def test_null_turns_detection_off() -> None:
    assert updated(audio_input(turn_detection=None)).audio.input.turn_detection is None


def test_null_turns_transcription_off() -> None:
    session = updated(audio_input(transcription={"model": "whisper-1"}), audio_input(transcription=None))

    assert session.audio.input.transcription is None


def test_turn_detection_is_replaced_as_a_whole() -> None:
    session = updated(
        audio_input(turn_detection={"type": "server_vad", "threshold": 0.9, "silence_duration_ms": 900}),
        audio_input(turn_detection={"type": "server_vad", "create_response": False}),
    )

    assert session.audio.input.turn_detection == ServerVad(create_response=False)


def test_transcription_is_replaced_as_a_whole() -> None:
    session = updated(
        audio_input(transcription={"model": "A", "language": "de", "prompt": "p"}),
        audio_input(transcription={"model": "B"}),
    )

    assert session.audio.input.transcription == Transcription(model="B", language=None, prompt=None)


def test_a_transcription_is_echoed_with_null_language_and_prompt() -> None:
    session = updated(audio_input(transcription={"model": "whisper-1"}))

    assert json.loads(msgspec.json.encode(session))["audio"]["input"]["transcription"] == {
        "model": "whisper-1",
        "language": None,
        "prompt": None,
    }


def test_audio_merges_key_by_key() -> None:
    session = updated(
        audio_input(transcription={"model": "A"}), audio_output(voice="ash"), audio_input(turn_detection=None)
    )

    assert session.audio.input.transcription == Transcription(model="A")
    assert session.audio.output.voice == "ash"
    assert session.audio.input.turn_detection is None


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"type": "audio/pcm"}, PcmFormat()),
        ({"type": "audio/pcm", "rate": 24000}, PcmFormat()),
        ({"type": "audio/pcmu"}, PcmuFormat()),
        ({"type": "audio/pcma"}, PcmaFormat()),
        ("pcm16", PcmFormat()),
        ("g711_ulaw", PcmuFormat()),
        ("g711_alaw", PcmaFormat()),
    ],
)
def test_formats_are_echoed_as_objects(given: Any, expected: object) -> None:
    session = updated(audio_input(format=given), audio_output(format=given))

    assert session.audio.input.format == session.audio.output.format == expected


def test_a_g711_format_has_no_rate() -> None:
    assert msgspec.json.encode(PcmuFormat()) == b'{"type":"audio/pcmu"}'


@pytest.mark.parametrize(
    ("current", "given", "expected"),
    [
        (None, NoiseReduction(type="near_field"), NoiseReduction(type="near_field", strength=1.0)),
        (
            NoiseReduction(type="near_field", strength=0.3),
            NoiseReduction(type="far_field"),
            NoiseReduction(type="far_field", strength=0.3),
        ),
        (
            NoiseReduction(type="near_field", strength=0.3),
            NoiseReduction(type="far_field", strength=0.5),
            NoiseReduction(type="far_field", strength=0.5),
        ),
        (NoiseReduction(type="near_field", strength=0.3), None, None),
        (NoiseReduction(type="near_field", strength=0.3), UNSET, NoiseReduction(type="near_field", strength=0.3)),
    ],
)
def test_an_omitted_noise_reduction_strength_keeps_its_value(current: Any, given: Any, expected: Any) -> None:
    session = a_session()
    audio_in = msgspec.structs.replace(session.audio.input, noise_reduction=current)
    session = msgspec.structs.replace(session, audio=msgspec.structs.replace(session.audio, input=audio_in))
    update = SessionPatch(type="realtime", audio=AudioPatch(input=AudioInputPatch(noise_reduction=given)))

    assert merge(session, update).audio.input.noise_reduction == expected


def test_the_model_of_a_running_session_stays() -> None:
    assert updated({"model": "gpt-realtime"}).model == "vivavoce-local"


def test_a_named_function_can_be_chosen() -> None:
    assert updated({"tool_choice": {"type": "function", "name": "f"}}).tool_choice == ToolChoiceFunction(name="f")


def test_an_update_for_another_kind_of_session_is_refused() -> None:
    with pytest.raises(ClientError) as raised:
        check_kind(SessionPatch(type="transcription"), "realtime")

    assert raised.value.detail.code is None
    assert raised.value.detail.message == (
        "Passing a transcription session update event to a realtime session is not allowed."
    )


def test_tracing_can_be_enabled_once_and_repeated() -> None:
    session = updated({"tracing": None}, {"tracing": "auto"}, {"tracing": "auto"}, {"tracing": None}, {})

    assert session.tracing == "auto"


def test_enabled_tracing_cannot_be_changed() -> None:
    session = updated({"tracing": "auto"})

    with pytest.raises(ClientError) as raised:
        merge(session, patch(tracing={"workflow_name": "w"}))

    assert (raised.value.detail.code, raised.value.detail.param) == ("invalid_value", "session.tracing")


def test_equal_tracing_labels_are_no_change() -> None:
    session = updated({"tracing": {"workflow_name": "w"}}, {"tracing": {"workflow_name": "w"}})

    assert session.tracing == Tracing(workflow_name="w")


def test_fields_of_reasoning_models_are_not_echoed_until_set() -> None:
    keys = json.loads(msgspec.json.encode(a_session())).keys()

    assert not keys & {"reasoning", "parallel_tool_calls", "vivavoce"}


def test_the_engine_in_the_echo_stays() -> None:
    session = msgspec.structs.replace(a_session(), vivavoce=SessionExtension(engine="scripted"))

    session = merge(session, patch(tracing="auto"))

    assert session.vivavoce == SessionExtension(engine="scripted")


def test_no_extension_event_is_opted_in_to_by_an_empty_list() -> None:
    assert updated({"vivavoce": {"events": []}}) == a_session()
