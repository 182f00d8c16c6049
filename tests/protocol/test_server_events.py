"""The encoded server events against the published client types and against the recorded shapes."""

import json
from typing import Any, get_args

import msgspec
import pytest

from tests.protocol.openai_types import check_server_event, extra_keys, server_event_types
from tests.protocol.samples import ITEMS, SERVER_EVENTS, USER_AUDIO, a_response
from vivavoce.protocol import server_events as s
from vivavoce.protocol.codec import encode_server_event
from vivavoce.protocol.errors import ErrorDetail

# Keys that we send as the hosted service does, and that the published types leave out.
KNOWN_EXTRAS = {
    "event_id",  # of input_audio_buffer.dtmf_event_received: every event of ours has one
    "session.object",
    "session.id",
    "session.expires_at",
}


def wire_name(event: s.ServerEvent) -> str:
    return str(event.__struct_config__.tag)


def encoded(event: s.ServerEvent) -> dict[str, Any]:
    payload: dict[str, Any] = json.loads(encode_server_event(event))
    return payload


def test_the_event_types_are_those_of_the_openai_package() -> None:
    ours = {str(member.__struct_config__.tag) for member in get_args(s.ServerEvent)}

    assert ours == server_event_types()
    assert len(get_args(s.ServerEvent)) == 46


def test_the_samples_show_every_event() -> None:
    assert {wire_name(event) for event in SERVER_EVENTS} == server_event_types()


@pytest.mark.parametrize("event", SERVER_EVENTS, ids=wire_name)
def test_a_strict_client_reads_the_event(event: s.ServerEvent) -> None:
    read = check_server_event(encode_server_event(event))

    assert getattr(read, "type", None) == wire_name(event)
    assert set(extra_keys(read)) <= KNOWN_EXTRAS


@pytest.mark.parametrize("event", SERVER_EVENTS, ids=wire_name)
def test_the_event_survives_a_round_trip(event: s.ServerEvent) -> None:
    decoder = msgspec.json.Decoder(s.ServerEvent)

    assert decoder.decode(encode_server_event(event)) == event


@pytest.mark.parametrize("event", SERVER_EVENTS, ids=wire_name)
def test_type_comes_first_and_event_id_second(event: s.ServerEvent) -> None:
    assert list(encoded(event))[:2] == ["type", "event_id"]


def test_an_error_always_has_its_five_keys() -> None:
    payload = encoded(s.ErrorEvent(event_id="e", error=ErrorDetail(message="m")))

    assert payload["error"] == {
        "type": "invalid_request_error",
        "code": None,
        "message": "m",
        "param": None,
        "event_id": None,
    }


def test_user_audio_has_a_null_transcript_and_no_audio() -> None:
    payload = encoded(s.ConversationItemAdded(event_id="e", previous_item_id=None, item=USER_AUDIO))

    assert payload["item"] == {
        "type": "message",
        "id": "item_1",
        "status": "completed",
        "role": "user",
        "content": [{"type": "input_audio", "transcript": None}],
    }
    assert payload["previous_item_id"] is None


def test_an_mcp_call_always_has_its_nullable_keys() -> None:
    payload = encoded(s.ConversationItemAdded(event_id="e", previous_item_id=None, item=ITEMS[9]))

    assert {key: payload["item"][key] for key in ("approval_request_id", "output", "error")} == {
        "approval_request_id": None,
        "output": None,
        "error": None,
    }


def test_a_failed_transcription_has_no_null_param() -> None:
    event = s.ConversationItemInputAudioTranscriptionFailed(
        event_id="e", item_id="i", content_index=0, error=s.TranscriptionError(message="no")
    )

    assert encoded(event)["error"] == {"type": "server_error", "code": None, "message": "no"}


def test_an_mcp_arguments_delta_always_has_an_obfuscation() -> None:
    event = s.ResponseMcpCallArgumentsDelta(event_id="e", response_id="r", item_id="i", output_index=0, delta="{")

    assert encoded(event)["obfuscation"] == ""


def test_a_response_has_the_recorded_keys_in_the_recorded_order() -> None:
    payload = encoded(s.ResponseDone(event_id="e", response=a_response()))["response"]

    assert list(payload) == [
        "object",
        "id",
        "status",
        "status_details",
        "output",
        "conversation_id",
        "output_modalities",
        "max_output_tokens",
        "audio",
        "usage",
        "metadata",
    ]
    assert payload["usage"] == {
        "total_tokens": 205,
        "input_tokens": 41,
        "output_tokens": 164,
        "input_token_details": {
            "text_tokens": 0,
            "audio_tokens": 0,
            "image_tokens": 0,
            "cached_tokens": 0,
            "cached_tokens_details": {"text_tokens": 0, "audio_tokens": 0, "image_tokens": 0},
        },
        "output_token_details": {"text_tokens": 0, "audio_tokens": 0},
    }


def test_audio_is_sent_as_base64() -> None:
    event = s.ResponseOutputAudioDelta(
        event_id="e", response_id="r", item_id="i", output_index=0, content_index=0, delta=b"\x00\x01\xff"
    )

    assert encoded(event)["delta"] == "AAH/"


def test_an_audio_delta_prints_its_length_and_not_its_bytes() -> None:
    event = s.ResponseOutputAudioDelta(
        event_id="e", response_id="r", item_id="i", output_index=0, content_index=0, delta=bytes(1920)
    )

    assert repr(event) == "ResponseOutputAudioDelta(i, delta=1920 bytes)"
