"""Translation events: what is read, what is refused and how, and that the published types read what we write."""

from typing import Any

import msgspec
import pytest
from openai.types.realtime import RealtimeTranslationClientEvent, RealtimeTranslationServerEvent
from pydantic import TypeAdapter

from vivavoce.protocol.errors import ClientError, ErrorDetail
from vivavoce.protocol.extensions import SessionExtension
from vivavoce.protocol.server_events import ErrorEvent
from vivavoce.protocol.session import NoiseReduction
from vivavoce.protocol.translation import (
    LANGUAGES,
    SourceTranscription,
    Translation,
    TranslationAudio,
    TranslationClose,
    TranslationClosed,
    TranslationCreated,
    TranslationInput,
    TranslationInputTranscriptDelta,
    TranslationOrder,
    TranslationOutput,
    TranslationOutputAudioDelta,
    TranslationOutputTranscriptDelta,
    TranslationServerEvent,
    TranslationUpdate,
    TranslationUpdated,
    decode_translation_event,
    merge_translation,
)

_CLIENT: TypeAdapter[Any] = TypeAdapter(RealtimeTranslationClientEvent)
_SERVER: TypeAdapter[Any] = TypeAdapter(RealtimeTranslationServerEvent)

PLAIN = Translation(id="sess_1", model="m")
FULL = Translation(
    id="sess_1",
    model="m",
    expires_at=1,
    audio=TranslationAudio(
        input=TranslationInput(
            transcription=SourceTranscription(model="t"), noise_reduction=NoiseReduction(type="far_field", strength=0.5)
        ),
        output=TranslationOutput(language="hi"),
    ),
    vivavoce=SessionExtension(engine="e"),
)


def update(**audio: Any) -> dict[str, Any]:
    return {"type": "session.update", "session": {"audio": audio}}


def decoded(event: object) -> object:
    return decode_translation_event(msgspec.json.encode(event))


@pytest.mark.parametrize(
    "event",
    [
        PLAIN,
        FULL,
    ],
)
def test_the_published_types_read_every_server_event(event: Translation) -> None:
    sent: list[TranslationServerEvent] = [
        TranslationCreated(event_id="e", session=event),
        TranslationUpdated(event_id="e", session=event),
        TranslationClosed(event_id="e"),
        TranslationInputTranscriptDelta(event_id="e", delta="d"),
        TranslationOutputTranscriptDelta(event_id="e", delta="d", elapsed_ms=200),
        TranslationOutputAudioDelta(event_id="e", delta=b"\0\0", elapsed_ms=0),
        ErrorEvent(event_id="e", error=ErrorDetail(message="no")),
    ]

    for one in sent:
        read = _SERVER.validate_json(msgspec.json.encode(one), strict=True)
        assert read.type == one.__struct_config__.tag


@pytest.mark.parametrize(
    "event",
    [
        update(),
        update(input={"transcription": None, "noise_reduction": None}, output=None),
        update(input={"transcription": {"model": "t"}, "noise_reduction": {"type": "near_field", "strength": 1}}),
        *(update(output={"language": language}) for language in LANGUAGES),
        {"type": "session.input_audio_buffer.append", "event_id": "e", "audio": "AAA="},
        {"type": "session.close", "event_id": None},
    ],
)
def test_every_documented_client_event_is_read(event: dict[str, Any]) -> None:
    _CLIENT.validate_python(event)

    read = decoded(event)

    assert isinstance(read, msgspec.Struct)
    assert read.__struct_config__.tag == event["type"]


@pytest.mark.parametrize(
    ("event", "code", "param"),
    [
        ({}, "missing_required_parameter", "type"),
        ({"type": "response.create"}, "invalid_value", "type"),
        ({"type": "session.update"}, "missing_required_parameter", "session"),
        ({"type": "session.update", "session": {"type": "translation"}}, "unknown_parameter", "session.type"),
        ({"type": "session.update", "session": {"model": "m"}}, "unknown_parameter", "session.model"),
        ({"type": "session.update", "session": {"instructions": ""}}, "unknown_parameter", "session.instructions"),
        (update(output={"language": "xx"}), "invalid_value", "session.audio.output.language"),
        (update(output={"language": 1}), "invalid_type", "session.audio.output.language"),
        (update(output={"voice": "alloy"}), "unknown_parameter", "session.audio.output.voice"),
        (update(input={"format": "pcm16"}), "unknown_parameter", "session.audio.input.format"),
        (update(input={"transcription": {}}), "missing_required_parameter", "session.audio.input.transcription.model"),
        (
            update(input={"transcription": {"model": "m", "language": "de"}}),
            "unknown_parameter",
            "session.audio.input.transcription.language",
        ),
        (update(input={"transcription": {"model": "\0"}}), "invalid_value", "session.audio.input.transcription.model"),
        (
            update(input={"noise_reduction": {"type": "near_field", "strength": 2}}),
            "decimal_above_max_value",
            "session.audio.input.noise_reduction.strength",
        ),
        ({"type": "session.input_audio_buffer.append"}, "missing_required_parameter", "audio"),
        ({"type": "session.input_audio_buffer.append", "audio": "?"}, "invalid_value", "audio"),
        ([], "invalid_event", None),
    ],
)
def test_a_mistake_gets_its_code_and_parameter(event: object, code: str, param: str | None) -> None:
    with pytest.raises(ClientError) as refused:
        decoded({**event, "event_id": "e1"} if isinstance(event, dict) else event)

    detail = refused.value.detail
    assert (detail.code, detail.param) == (code, param)
    assert detail.event_id == ("e1" if isinstance(event, dict) else None)


def test_an_update_merges_key_by_key() -> None:
    given = decoded(update(output={"language": "vi"}, input={"noise_reduction": {"type": "near_field"}}))

    assert isinstance(given, TranslationUpdate)
    merged = merge_translation(FULL, given.session).audio
    assert merged.output.language == "vi"
    assert merged.input.noise_reduction == NoiseReduction(type="near_field", strength=0.5)
    assert merged.input.transcription == SourceTranscription(model="t")


def test_null_clears_and_a_first_noise_reduction_is_full() -> None:
    cleared = decoded(update(input={"transcription": None, "noise_reduction": None}))
    first = decoded(update(input={"noise_reduction": {"type": "near_field"}}))

    assert isinstance(cleared, TranslationUpdate) and isinstance(first, TranslationUpdate)
    assert merge_translation(FULL, cleared.session).audio.input == TranslationInput()
    assert merge_translation(PLAIN, first.session).audio.input.noise_reduction == NoiseReduction(
        type="near_field", strength=1.0
    )


def test_a_secret_names_its_model_and_what_differs() -> None:
    order = msgspec.json.decode(b'{"model": "m", "audio": {"output": {"language": "id"}}}', type=TranslationOrder)

    assert merge_translation(PLAIN, order.patch).audio.output.language == "id"


def test_audio_is_shown_by_its_length() -> None:
    shown = repr(decoded({"type": "session.input_audio_buffer.append", "audio": "AAAA"}))

    assert "3 bytes" in shown
    assert "x00" not in shown
    assert "2 bytes" in repr(TranslationOutputAudioDelta(event_id="e", delta=b"\0\0"))


def test_close_has_no_other_fields_to_check() -> None:
    assert decoded({"type": "session.close"}) == TranslationClose()
