"""A beta client on our session: what is refused and how, what is remembered, what passes as it came."""

from typing import Any

import msgspec
import pytest

from tests.dialects.golden_server import RESPONSE, SESSION
from vivavoce.dialects.beta import BetaDialect
from vivavoce.protocol.client_events import SessionUpdate
from vivavoce.protocol.codec import MAX_REREAD_VALUES, encode_server_event
from vivavoce.protocol.errors import ClientError
from vivavoce.protocol.response_events import ResponseOutputAudioDelta
from vivavoce.protocol.server_events import ErrorEvent

Json = Any  # JSON boundary


def update(**session: Json) -> bytes:
    return msgspec.json.encode({"type": "session.update", "event_id": "e1", "session": session})


def shown(dialect: BetaDialect, event: Json) -> list[Json]:
    return [msgspec.json.decode(message) for message in dialect.server(msgspec.json.encode(event))]


def error_shown(dialect: BetaDialect, message: bytes) -> Json:
    """The `error` that a beta client gets for a message that is refused."""
    with pytest.raises(ClientError) as refused:
        dialect.decode(message)
    event = ErrorEvent(event_id="event_1", error=refused.value.detail)
    [error] = [msgspec.json.decode(one)["error"] for one in dialect.server(encode_server_event(event))]
    return error


@pytest.mark.parametrize(
    ("session", "code", "param", "text"),
    [
        ({"output_modalities": ["text"]}, "unknown_parameter", "session.output_modalities", "'session.modalities'?"),
        ({"max_output_tokens": 5}, "unknown_parameter", "session.max_output_tokens", "'session.max_response_output"),
        ({"audio": {}}, "unknown_parameter", "session.audio", "'session.audio'."),
        ({"type": "realtime"}, "unknown_parameter", "session.type", "'session.type'."),
        ({"later": 1}, "unknown_parameter", "session.later", "Unknown parameter: 'session.later'"),
        ({"temperature": 2}, "decimal_above_max_value", "session.temperature", "Invalid 'session.temperature'"),
        ({"temperature": "1"}, "invalid_type", "session.temperature", "'session.temperature'"),
        ({"speed": 9}, "decimal_above_max_value", "session.speed", "Invalid 'session.speed'"),
        ({"voice": 5}, "invalid_type", "session.voice", "'session.voice'"),
        ({"input_audio_format": "mp3"}, "invalid_value", "session.input_audio_format", "'pcm16', 'g711_ulaw' and"),
        ({"input_audio_format": {}}, "invalid_type", "session.input_audio_format", "expected a string"),
        ({"modalities": []}, "invalid_value", "session.modalities", "['text'] and ['audio', 'text']"),
        ({"modalities": ["video"]}, "invalid_value", "session.modalities[0]", "'video'"),
        ({"turn_detection": {"type": "x"}}, "invalid_value", "session.turn_detection.type", "'server_vad'"),
        ({"turn_detection": {"padding": 1}}, "unknown_parameter", "session.turn_detection.padding", "session.turn_de"),
    ],
)
def test_an_error_names_the_field_that_the_client_sent(session: Json, code: str, param: str, text: str) -> None:
    error = error_shown(BetaDialect(), update(**session))

    assert (error["code"], error["param"], error["event_id"]) == (code, param, "e1")
    assert text in error["message"]


@pytest.mark.parametrize(
    ("response", "param", "text"),
    [
        ({"output_modalities": ["text"]}, "response.output_modalities", "Did you mean 'response.modalities'?"),
        ({"audio": {}}, "response.audio", "Unknown parameter: 'response.audio'."),
        ({"temperature": 0.1}, "response.temperature", "Expected a value >= 0.6"),
        ({"voice": 5}, "response.voice", "'response.voice'"),
        ({"max_output_tokens": 0}, "response.max_output_tokens", "'response.max_output_tokens'"),
        (
            {"input": [{"type": "message", "role": "assistant", "content": [{"type": "input_image"}]}]},
            "response.input[0].content[0].image_url",
            "image_url",
        ),
    ],
)
def test_an_error_names_the_field_of_the_response(response: Json, param: str, text: str) -> None:
    error = error_shown(BetaDialect(), msgspec.json.encode({"type": "response.create", "response": response}))

    assert error["param"] == param
    assert text in error["message"]


def test_an_error_lists_the_content_types_that_the_beta_has() -> None:
    part = {"type": "input_audio", "audio": "AAAA"}
    item = {"type": "message", "role": "assistant", "content": [part]}

    error = error_shown(BetaDialect(), msgspec.json.encode({"type": "conversation.item.create", "item": item}))

    assert error["message"] == "Invalid value: 'input_audio'. Supported values are: 'text'."


def test_the_temperature_is_remembered_and_shown() -> None:
    dialect = BetaDialect()

    dialect.decode(update(temperature=1))

    assert dialect.temperature == 1.0
    assert shown(dialect, {"type": "session.updated", "session": SESSION})[0]["session"]["temperature"] == 1.0
    assert shown(dialect, {"type": "response.done", "response": RESPONSE})[0]["response"]["temperature"] == 1.0


def test_responses_of_the_conversation_have_the_id_that_was_told() -> None:
    dialect = BetaDialect()
    _, told = shown(dialect, {"type": "session.created", "session": {**SESSION, "id": "sess_1"}})
    responses = [{**RESPONSE, "conversation_id": "conv_other"}, {**RESPONSE, "conversation_id": None}]

    answers = [shown(dialect, {"type": "response.done", "response": one})[0]["response"] for one in responses]

    assert told["conversation"] == {"id": "conv_1", "object": "realtime.conversation"}
    assert [answer["conversation_id"] for answer in answers] == ["conv_1", None]


def test_early_clients_are_not_told_what_they_do_not_know() -> None:
    early, late = BetaDialect(is_early=True), BetaDialect()
    events = [
        {"type": "session.created", "session": SESSION},
        {"type": "conversation.item.input_audio_transcription.delta", "delta": "a"},
        {"type": "conversation.item.input_audio_transcription.completed", "transcript": "a"},
        {"type": "response.done", "response": {**RESPONSE, "conversation_id": "conv_1"}},
    ]

    told, all_told = ([one for event in events for one in shown(dialect, event)] for dialect in (early, late))

    kept = ["session.created", "conversation.item.input_audio_transcription.completed", "response.done"]
    assert [one["type"] for one in told] == kept
    assert len(all_told) == 5
    assert told[-1]["response"]["conversation_id"] == "conv_1"


def test_an_update_that_is_refused_changes_no_temperature() -> None:
    dialect = BetaDialect(temperature=0.7)

    with pytest.raises(ClientError):
        dialect.decode(update(temperature=1, voice=5))

    assert dialect.temperature == 0.7


def test_an_update_without_temperature_leaves_it() -> None:
    dialect = BetaDialect(temperature=0.7)

    dialect.decode(update(instructions="x", temperature=None))

    assert dialect.temperature == 0.7


def test_an_empty_update_is_answered_with_every_flat_field() -> None:
    dialect = BetaDialect()

    event = dialect.decode(update())
    [answer] = shown(dialect, {"type": "session.updated", "session": SESSION})

    assert isinstance(event, SessionUpdate)
    assert event.session.type == "realtime"
    assert set(answer["session"]) >= {
        *("id", "object", "model", "expires_at", "modalities", "instructions", "voice", "input_audio_format"),
        *("output_audio_format", "input_audio_transcription", "turn_detection", "input_audio_noise_reduction"),
        *("tools", "tool_choice", "temperature", "max_response_output_tokens", "speed", "tracing", "client_secret"),
    }


@pytest.mark.parametrize(
    ("item", "is_whole"),
    [
        ({"type": "message", "status": "completed"}, True),
        ({"type": "message", "status": "in_progress"}, False),
        ({"type": "function_call_output", "status": "completed"}, True),
        ({"type": "mcp_approval_response"}, True),
        ({"type": "mcp_list_tools"}, False),
        ("none", False),
    ],
)
def test_an_item_that_is_complete_when_it_is_added_is_told_once(item: Json, is_whole: bool) -> None:
    added, done = ({"type": f"conversation.item.{type_}", "item": item} for type_ in ("added", "done"))

    assert BetaDialect().is_whole_item(msgspec.json.encode(added)) is is_whole
    assert not BetaDialect().is_whole_item(msgspec.json.encode(done))


@pytest.mark.parametrize(
    "message",
    [
        b'{"event_id":"evt_1","type":"input_audio_buffer.append","audio":"AAAA"}',
        b' { "audio": "AAAA", "type": "input_audio_buffer.append" }',
        b'{"type":"conversation.item.create","item":{"type":"message","role":"user","content":[]}}',
        b'{"type":"response.cancel"}',
        b'{"type":["session.update"]}',
        b'{"type":"session.update","session":[]}'[:-1],
        b"[]",
        b"",
    ],
)
def test_a_message_that_is_the_same_in_both_passes_as_it_came(message: bytes) -> None:
    assert BetaDialect().client(message) is message


@pytest.mark.parametrize(
    ("message", "renamed"),
    [
        (
            b'{"type":"response.output_audio.delta","event_id":"e","delta":"AAAA"}',
            b'{"type":"response.audio.delta","event_id":"e","delta":"AAAA"}',
        ),
        (
            b'{ "event_id" : "e", "type" : "response.output_text.done", "later": 1.0 }',
            b'{ "event_id" : "e", "type" : "response.text.done", "later": 1.0 }',
        ),
        (
            b'{"delta":"a","type":"response.output_audio_transcript.delta"}',
            b'{"delta":"a","type":"response.audio_transcript.delta"}',
        ),
    ],
)
def test_an_event_that_is_only_named_otherwise_is_the_same_in_all_else(message: bytes, renamed: bytes) -> None:
    assert BetaDialect().server(message) == [renamed]


def test_audio_that_our_session_sends_is_not_read() -> None:
    delta = ResponseOutputAudioDelta(
        event_id="e", response_id="r", item_id="i", output_index=0, content_index=0, delta=b"\x00\x01\x02"
    )

    [message] = BetaDialect().server(encode_server_event(delta))

    assert message == encode_server_event(delta).replace(b"response.output_audio.delta", b"response.audio.delta")


def test_a_message_with_too_many_values_is_refused_unread() -> None:
    session = b'{"type":"session.update","session":{"tools":[' + b"1,   " * (MAX_REREAD_VALUES + 1) + b"1]}}"

    with pytest.raises(ClientError) as refused:
        BetaDialect().client(session)

    assert refused.value.detail.code == "invalid_event"


def test_an_update_for_transcription_is_one_of_a_transcription_session() -> None:
    message = b'{"type":"transcription_session.update","session":{"voice":"ash"}}'

    error = error_shown(BetaDialect(), message)

    assert (error["code"], error["param"]) == ("unknown_parameter", "session.voice")
