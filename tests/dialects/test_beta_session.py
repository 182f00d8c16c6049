"""Flat session objects and canonical ones, translated both ways."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vivavoce.dialects.beta_session import PATHS, beta_fault, beta_path, flat_to_ga, ga_to_flat
from vivavoce.protocol.errors import ClientError, out_of_range
from vivavoce.protocol.session import default_session
from vivavoce.protocol.session_body import decode_session
from vivavoce.protocol.session_fields import as_kind

SESSION = default_session(id="sess_1", model="m", voice="marin", expires_at=0, instructions="Be brief.")
FULL: dict[str, Any] = {
    "model": "m",
    "modalities": ["audio", "text"],
    "instructions": "x",
    "voice": "ash",
    "input_audio_format": "g711_ulaw",
    "output_audio_format": "pcm16",
    "input_audio_transcription": {"model": "whisper-1"},
    "turn_detection": {"type": "server_vad", "threshold": 0.4},
    "input_audio_noise_reduction": {"type": "near_field"},
    "tools": [{"type": "function", "name": "f"}],
    "tool_choice": "auto",
    "max_response_output_tokens": "inf",
    "speed": 1.0,
    "tracing": "auto",
    "include": None,
}


def test_every_field_finds_its_place() -> None:
    translated = flat_to_ga(FULL)

    assert translated.session == {
        "type": "realtime",
        "model": "m",
        "output_modalities": ["audio"],
        "instructions": "x",
        "audio": {
            "input": {
                "format": {"type": "audio/pcmu"},
                "transcription": {"model": "whisper-1"},
                "turn_detection": {"type": "server_vad", "threshold": 0.4},
                "noise_reduction": {"type": "near_field"},
            },
            "output": {"voice": "ash", "format": {"type": "audio/pcm", "rate": 24000}, "speed": 1.0},
        },
        "tools": [{"type": "function", "name": "f"}],
        "tool_choice": "auto",
        "max_output_tokens": "inf",
        "tracing": "auto",
        "include": None,
    }
    decode_session(translated.session)


def test_what_is_absent_stays_absent() -> None:
    assert flat_to_ga({}).session == {"type": "realtime"}
    assert flat_to_ga({}, "transcription").session == {"type": "transcription"}


@pytest.mark.parametrize(
    ("flat", "canonical"),
    [
        ({"modalities": ["text"]}, {"output_modalities": ["text"]}),
        ({"modalities": ["audio"]}, {"output_modalities": ["audio"]}),
        ({"modalities": ["text", "audio"]}, {"output_modalities": ["audio"]}),
        ({"modalities": ["video"]}, {"output_modalities": ["video"]}),
        ({"modalities": [["text"]]}, {"output_modalities": [["text"]]}),
        ({"tool_choice": "none"}, {"tool_choice": "none"}),
        ({"tool_choice": "lookup"}, {"tool_choice": {"type": "function", "name": "lookup"}}),
        ({"tool_choice": {"type": "function", "name": "f"}}, {"tool_choice": {"type": "function", "name": "f"}}),
        (
            {"tool_choice": {"type": "function", "function": {"name": "f"}}},
            {"tool_choice": {"type": "function", "name": "f"}},
        ),
        ({"turn_detection": None}, {"audio": {"input": {"turn_detection": None}}}),
        ({"turn_detection": {"type": "none"}}, {"audio": {"input": {"turn_detection": None}}}),
        ({"input_audio_transcription": None}, {"audio": {"input": {"transcription": None}}}),
    ],
)
def test_shapes_that_differ_are_translated(flat: dict[str, Any], canonical: dict[str, Any]) -> None:
    assert flat_to_ga(flat).session == {"type": "realtime", **canonical}


def test_a_transcription_session_has_only_its_own_fields() -> None:
    flat = {"input_audio_format": "pcm16", "modalities": ["text"], "include": []}

    assert flat_to_ga(flat, "transcription").session == {
        "type": "transcription",
        "audio": {"input": {"format": {"type": "audio/pcm", "rate": 24000}}},
        "include": [],
    }
    with pytest.raises(ClientError) as refused:
        flat_to_ga({"temperature": 0.8}, "transcription")
    assert refused.value.detail.param == "temperature"


def test_the_temperature_is_kept_beside_the_session() -> None:
    translated = flat_to_ga({"temperature": 1})

    assert translated.temperature == 1.0
    assert "temperature" not in translated.session
    assert ga_to_flat(msgspec.to_builtins(SESSION), 1.0)["temperature"] == 1.0
    assert ga_to_flat(msgspec.to_builtins(SESSION))["temperature"] == 0.8


@pytest.mark.parametrize(
    ("temperature", "code"),
    [(0.5, "decimal_below_min_value"), (1.3, "decimal_above_max_value"), (True, "invalid_type"), ("1", "invalid_type")],
)
def test_a_temperature_out_of_range_is_refused(temperature: object, code: str) -> None:
    with pytest.raises(ClientError) as refused:
        flat_to_ga({"temperature": temperature})

    assert (refused.value.detail.code, refused.value.detail.param) == (code, "temperature")


def test_the_flat_session_is_complete() -> None:
    flat = ga_to_flat(msgspec.to_builtins(SESSION))

    assert flat["modalities"] == ["audio", "text"]
    assert flat["voice"] == "marin"
    assert flat["max_response_output_tokens"] == "inf"
    assert flat["turn_detection"]["type"] == "server_vad"
    assert (flat["input_audio_format"], flat["output_audio_format"]) == ("pcm16", "pcm16")
    assert not {"type", "audio", "output_modalities"} & set(flat)


def test_a_custom_voice_and_an_mcp_choice_have_their_nearest_flat_value() -> None:
    session = msgspec.to_builtins(SESSION)
    session["audio"]["output"]["voice"] = {"id": "voice_1"}
    session["tool_choice"] = {"type": "mcp", "server_label": "s"}

    flat = ga_to_flat(session)

    assert (flat["voice"], flat["tool_choice"]) == ("voice_1", "auto")


def test_a_flat_session_means_the_session_that_it_came_from() -> None:
    flat = ga_to_flat(msgspec.to_builtins(SESSION))
    sent = {name: value for name, value in flat.items() if name not in ("id", "object", "expires_at")}

    patch = decode_session(flat_to_ga(sent).session)

    assert patch.audio is not None and patch.audio.input is not None and patch.audio.output is not None
    assert patch.audio.input.turn_detection == SESSION.audio.input.turn_detection
    assert patch.audio.output.voice == SESSION.audio.output.voice
    assert patch.instructions == SESSION.instructions


def test_a_transcription_session_is_flat_with_its_own_fields() -> None:
    flat = ga_to_flat(msgspec.to_builtins(as_kind(SESSION, "transcription")))

    assert flat["object"] == "realtime.transcription_session"
    assert flat["modalities"] == ["text"]
    assert not {"voice", "instructions", "temperature"} & set(flat)


@pytest.mark.parametrize(
    ("path", "flat"),
    [
        ("session.audio.input.turn_detection.threshold", "session.turn_detection.threshold"),
        ("session.audio.output.voice", "session.voice"),
        ("session.output_modalities[0]", "session.modalities[0]"),
        ("session.max_output_tokens", "session.max_response_output_tokens"),
        ("session.tools[3].name", "session.tools[3].name"),
        ("session.audio", "session.audio"),
        ("item.id", "item.id"),
    ],
)
def test_paths_are_renamed(path: str, flat: str) -> None:
    assert beta_path(path) == flat


def test_an_error_speaks_of_the_flat_field_in_text_and_parameter() -> None:
    fault = out_of_range("session.audio.output.speed", "decimal", "<= 1.5", 9).with_event_id("e1")

    in_event, in_body = beta_fault(fault).detail, beta_fault(fault, prefix="").detail

    assert (in_event.param, in_body.param) == ("session.speed", "speed")
    assert in_event.message.startswith("Invalid 'session.speed': ")
    assert in_body.message.startswith("Invalid 'speed': ")
    assert (in_body.code, in_body.event_id) == ("decimal_above_max_value", "e1")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from([*PATHS, "temperature", "type", "other"]), JSON, max_size=6))
def test_any_flat_object_is_translated_or_refused(flat: dict[str, Any]) -> None:
    for kind in ("realtime", "transcription"):
        try:
            decode_session(flat_to_ga(flat, "realtime" if kind == "realtime" else "transcription").session)
        except ClientError as fault:
            beta_fault(fault)


@pytest.mark.parametrize(
    ("modalities", "param"), [(True, "modalities"), ("text", "modalities"), (["text", "video"], "modalities[1]")]
)
def test_modalities_that_are_none_are_refused_also_where_they_have_no_effect(modalities: Any, param: str) -> None:
    with pytest.raises(ClientError) as raised:
        flat_to_ga({"modalities": modalities}, "transcription")

    assert raised.value.detail.param == param
