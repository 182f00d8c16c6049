"""The GA dialect passes events through unchanged."""

import pytest

from vivavoce.dialects import ga
from vivavoce.protocol.client_events import InputAudioBufferAppend, ResponseCreate
from vivavoce.protocol.codec import encode_server_event
from vivavoce.protocol.errors import ClientError
from vivavoce.protocol.server_events import InputAudioBufferCleared


def test_a_message_is_decoded_to_its_event() -> None:
    event = ga.decode('{"type":"input_audio_buffer.append","audio":"AAEC"}')

    assert event == InputAudioBufferAppend(audio=b"\x00\x01\x02")


def test_an_unreadable_message_is_a_client_error() -> None:
    with pytest.raises(ClientError):
        ga.decode(b"\xff")


def test_voices_of_the_engine_are_accepted() -> None:
    payload = '{"type":"response.create","response":{"audio":{"output":{"voice":"slt"}}}}'

    event = ga.decode(payload, voices=("slt",))

    assert isinstance(event, ResponseCreate)
    assert event.response is not None
    assert event.response.voice == "slt"


def test_a_server_event_is_encoded_in_its_canonical_shape() -> None:
    event = InputAudioBufferCleared(event_id="event_1")

    message = ga.encode(event)

    assert message == encode_server_event(event) == b'{"type":"input_audio_buffer.cleared","event_id":"event_1"}'
