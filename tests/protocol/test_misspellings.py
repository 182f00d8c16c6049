"""Names that the API does not have, and the fields that are meant."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vivavoce.protocol.errors import missing_parameter, unknown_parameter
from vivavoce.protocol.misspellings import ALIASES, MAX_NAME_LENGTH, distance, nearest_field, suggested
from vivavoce.protocol.responses import ResponseAudioOutputParams, ResponseParams
from vivavoce.protocol.session import AudioInputPatch, AudioPatch, ServerVad, SessionPatch, Transcription

SESSION = SessionPatch.__struct_fields__
VAD = ServerVad.__struct_fields__
INPUT = AudioInputPatch.__struct_fields__
RESPONSE = ResponseParams.__struct_fields__


@pytest.mark.parametrize(
    ("path", "known", "meant"),
    [
        ("session.audio.input.turn_detection.prefix_padding", VAD, "prefix_padding_ms"),
        ("session.audio.input.turn_detection.silence_duration", VAD, "silence_duration_ms"),
        ("session.audio.input.turn_detection.silenceDurationMs", VAD, "silence_duration_ms"),
        ("session.audio.input.turn_detection.treshold", VAD, "threshold"),
        ("session.audio.input.turn_detection.create_respone", VAD, "create_response"),
        ("session.output_modality", SESSION, "output_modalities"),
        ("session.max_tokens", SESSION, "max_output_tokens"),
        ("session.max_output_token", SESSION, "max_output_tokens"),
        ("session.instruction", SESSION, "instructions"),
        ("session.instrcutions", SESSION, "instructions"),
        ("session.toolchoice", SESSION, "tool_choice"),
        ("session.audio.output.voices", ResponseAudioOutputParams.__struct_fields__, "voice"),
        ("session.audio.input.noise_reducton", INPUT, "noise_reduction"),
        ("session.audio.input.vad", INPUT, "turn_detection"),
        ("session.audio.input.transcription.lang", Transcription.__struct_fields__, "language"),
        ("response.modality", RESPONSE, "output_modalities"),
        ("response.instruction", RESPONSE, "instructions"),
    ],
)
def test_a_misspelling_is_told_by_its_field(path: str, known: tuple[str, ...], meant: str) -> None:
    assert nearest_field(path, known) == f"{path.rpartition('.')[0]}.{meant}"


@pytest.mark.parametrize(
    ("path", "known", "meant"),
    [
        ("session.voice", SESSION, "session.audio.output.voice"),
        ("session.voices", SESSION, "session.audio.output.voice"),
        ("session.turn_detection", SESSION, "session.audio.input.turn_detection"),
        ("session.silence_duration_ms", SESSION, "session.audio.input.turn_detection.silence_duration_ms"),
        ("session.audio.input.threshold", INPUT, "session.audio.input.turn_detection.threshold"),
        ("session.input_audio_format", SESSION, "session.audio.input.format"),
        ("session.modalities", SESSION, "session.output_modalities"),
        ("session.max_response_output_tokens", SESSION, "session.max_output_tokens"),
        ("session.audio.voice", AudioPatch.__struct_fields__, "session.audio.output.voice"),
        ("session.audio.input.input_audio_transcription", INPUT, "session.audio.input.transcription"),
        ("response.voice", RESPONSE, "response.audio.output.voice"),
        ("response.output_audio_format", RESPONSE, "response.audio.output.format"),
    ],
)
def test_a_field_that_stands_elsewhere_is_told_by_its_place(path: str, known: tuple[str, ...], meant: str) -> None:
    assert nearest_field(path, known) == meant


@pytest.mark.parametrize(
    ("path", "known"),
    [
        ("session.colour", SESSION),
        ("session.x", SESSION),
        ("session.", SESSION),
        ("", SESSION),
        ("session.voice", ()),
        ("response.turn_detection", RESPONSE),
        ("response.speed", RESPONSE),
        ("session.temperature", SESSION),
        ("session." + "v" * (MAX_NAME_LENGTH + 1), SESSION),
        ("session.voice", [f"name_{n}" for n in range(1000)]),
    ],
)
def test_what_may_be_anything_is_left_alone(path: str, known: tuple[str, ...]) -> None:
    assert nearest_field(path, known) is None


def test_the_error_keeps_its_text_and_names_the_field() -> None:
    error = suggested(unknown_parameter("session.voices"), SESSION).with_event_id("e1")

    assert error.detail.message == ("Unknown parameter: 'session.voices'. Did you mean 'session.audio.output.voice'?")
    assert (error.detail.code, error.detail.param, error.detail.event_id) == (
        "unknown_parameter",
        "session.voices",
        "e1",
    )


def test_an_error_without_a_misspelling_is_the_same() -> None:
    other, colour = missing_parameter("a").with_event_id("e"), unknown_parameter("session.colour")

    assert suggested(colour, SESSION) is colour
    assert suggested(other, ()) is other


@pytest.mark.parametrize(
    ("one", "other", "errors"),
    [("", "", 0), ("a", "", 1), ("voice", "voice", 0), ("vioce", "voice", 1), ("voce", "voice", 1), ("abc", "xyz", 3)],
)
def test_distances(one: str, other: str, errors: int) -> None:
    assert distance(one, other) == distance(other, one) == errors


@given(st.text(max_size=80) | st.sampled_from(sorted(ALIASES)), st.lists(st.sampled_from([*SESSION, *VAD, "", "é"])))
def test_whatever_is_written_is_told_by_a_known_field_or_not_at_all(name: str, known: list[str]) -> None:
    meant = nearest_field(f"session.{name}", known)

    assert meant is None or meant.removeprefix(f"session.{name}".rpartition(".")[0] + ".").partition(".")[0] in known
