"""The client events: their names, what they hold, and what a strict client package would have sent."""

import json
from typing import Any, get_args

import msgspec
import pytest

from tests.protocol.openai_types import check_client_event, client_event_types
from tests.protocol.payloads import VALID_EVENTS
from vivavoce.protocol import client_events as c
from vivavoce.protocol.codec import decode_client_event
from vivavoce.protocol.items import InputAudio, InputText, ItemReference, Message, OutputAudio
from vivavoce.protocol.responses import ResponseAudioOutputParams, ResponseAudioParams, ResponseParams
from vivavoce.protocol.session import PcmaFormat, PcmuFormat, VoiceId


def without_references(event: dict[str, Any]) -> dict[str, Any]:
    """Return the event without item references, which the package can only send as plain dictionaries."""
    if "input" not in event.get("response", {}):
        return event
    items = [item for item in event["response"]["input"] if item["type"] != "item_reference"]
    return {**event, "response": {**event["response"], "input": items}}


def test_the_event_types_are_those_of_the_openai_package() -> None:
    ours = {str(member.__struct_config__.tag) for member in get_args(c.ClientEvent)}

    assert ours == client_event_types()
    assert len(get_args(c.ClientEvent)) == 11


def test_the_samples_show_every_event() -> None:
    assert {event["type"] for event in VALID_EVENTS} == client_event_types()


@pytest.mark.parametrize("event", VALID_EVENTS, ids=lambda event: str(event["type"]))
def test_what_the_openai_package_sends_is_accepted(event: dict[str, Any]) -> None:
    """The package's models serialise unset fields as null when they are dumped in full."""
    event = without_references(event)
    sent = check_client_event(json.dumps(event).encode())

    for payload in (sent.model_dump_json(), sent.model_dump_json(exclude_unset=True)):
        assert decode_client_event(payload) == decode_client_event(json.dumps(event))


def test_an_append_holds_decoded_audio() -> None:
    event = decode_client_event(b'{"type":"input_audio_buffer.append","event_id":"c","audio":"AAEC/w=="}')

    assert event == c.InputAudioBufferAppend(event_id="c", audio=b"\x00\x01\x02\xff")


def test_an_append_prints_its_length_and_not_its_bytes() -> None:
    assert (
        repr(c.InputAudioBufferAppend(audio=bytes(1920))) == "InputAudioBufferAppend(event_id=None, audio=1920 bytes)"
    )


def test_item_audio_prints_its_length_and_not_its_bytes() -> None:
    assert repr(InputAudio(audio=bytes(9))) == "InputAudio(audio=9 bytes, transcript=None)"
    assert repr(InputAudio(transcript="hi")) == "InputAudio(audio=UNSET, transcript='hi')"
    assert repr(OutputAudio(audio=bytes(9))) == "OutputAudio(transcript=None, audio=9 bytes)"


def test_response_parameters_hold_what_was_given() -> None:
    payload = {
        "type": "response.create",
        "response": {
            "conversation": "none",
            "input": [
                {"type": "item_reference", "id": "item_1"},
                {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hi"}]},
            ],
            "metadata": {"k": "v"},
            "max_output_tokens": 7,
            "audio": {"output": {"voice": "ash", "format": {"type": "audio/pcmu"}}},
        },
    }

    event = decode_client_event(json.dumps(payload))

    assert event == c.ResponseCreate(
        response=ResponseParams(
            conversation="none",
            input=(ItemReference(id="item_1"), Message(role="user", content=(InputText("hi"),))),
            metadata={"k": "v"},
            max_output_tokens=7,
            audio=ResponseAudioParams(output=ResponseAudioOutputParams(voice="ash", format=PcmuFormat())),
        )
    )


def test_response_parameters_tell_voice_and_format() -> None:
    output = ResponseAudioOutputParams(voice="ash", format=PcmaFormat())
    params = ResponseParams(audio=ResponseAudioParams(output=output))

    assert (params.voice, params.format) == ("ash", PcmaFormat())


@pytest.mark.parametrize(
    "params",
    [
        ResponseParams(),
        ResponseParams(audio=ResponseAudioParams()),
        ResponseParams(audio=ResponseAudioParams(output=ResponseAudioOutputParams())),
        ResponseParams(audio=ResponseAudioParams(output=ResponseAudioOutputParams(voice=VoiceId(id="v")))),
    ],
)
def test_response_parameters_without_audio_have_neither(params: ResponseParams) -> None:
    assert (params.voice, params.format) == (None, None)


def test_an_empty_input_differs_from_none() -> None:
    event = decode_client_event('{"type":"response.create","response":{"input":[]}}')

    assert event == c.ResponseCreate(response=ResponseParams(input=()))
    assert event != c.ResponseCreate(response=ResponseParams())


def test_events_cannot_be_changed() -> None:
    event = c.InputAudioBufferCommit()

    with pytest.raises(AttributeError):
        event.event_id = "x"  # type: ignore[misc]  # the assignment that must fail
    assert isinstance(event, msgspec.Struct)
