"""What holds for the codec whatever it is given."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from tests.protocol.payloads import any_payloads, mutated_events
from tests.protocol.samples import a_session
from vivavoce.protocol.client_events import ClientEvent, SessionUpdate
from vivavoce.protocol.codec import decode_client_event, encode_server_event
from vivavoce.protocol.errors import ClientError
from vivavoce.protocol.server_events import ErrorEvent, SessionUpdated
from vivavoce.protocol.session import merge


def decoded(payload: bytes | str) -> ClientEvent | ClientError:
    try:
        return decode_client_event(payload)
    except ClientError as error:
        return error


def without_empty_ids(payload: bytes) -> bytes:
    """An empty id stands for one that the session is to make; a client leaves it out."""
    return payload.replace(b'"id":"",', b"").replace(b'"call_id":"",', b"")


@given(any_payloads())
def test_any_payload_is_an_event_or_a_client_error(payload: bytes | str) -> None:
    result = decoded(payload)

    if isinstance(result, ClientError):
        assert result.detail.message.endswith((".", "?"))
        assert len(encode_server_event(ErrorEvent(event_id="e", error=result.detail))) < 10_000


@given(mutated_events())
def test_an_accepted_event_is_read_alike_after_it_was_written_again(payload: str) -> None:
    event = decoded(payload)

    if not isinstance(event, ClientError):
        assert decode_client_event(without_empty_ids(msgspec.json.encode(event))) == event


@given(mutated_events())
def test_an_accepted_session_update_can_be_echoed(payload: str) -> None:
    event = decoded(payload)

    if isinstance(event, SessionUpdate) and event.session.type == "realtime":
        session = merge(a_session(), event.session)
        echo = SessionUpdated(event_id="e", session=session)
        assert msgspec.json.decode(encode_server_event(echo), type=SessionUpdated) == echo
        assert merge(session, event.session) == session


@given(st.binary(max_size=4000))
def test_appended_audio_arrives_as_it_was_sent(audio: bytes) -> None:
    payload = msgspec.json.encode({"type": "input_audio_buffer.append", "audio": audio})

    event = decode_client_event(payload)

    assert event.audio == audio  # type: ignore[union-attr]  # the tag says which event it is
