"""Our client on a beta upstream: what it must not say, what the upstream is not told, and errors on the way back."""

from typing import Any

import msgspec
import pytest

from vivavoce.dialects.beta_upstream import BetaUpstream, unsayable
from vivavoce.protocol.codec import MAX_REREAD_VALUES
from vivavoce.protocol.errors import ClientError

Json = Any  # JSON boundary


def shown(event: Json) -> list[Json]:
    return [msgspec.json.decode(message) for message in BetaUpstream().server(msgspec.json.encode(event))]


@pytest.mark.parametrize(
    ("event", "code", "param", "hint"),
    [
        ({"session": {"type": "realtime", "voice": "ash"}}, "unknown_parameter", "session.voice", "audio.output.voice"),
        (
            {"session": {"type": "realtime", "modalities": ["text"]}},
            "unknown_parameter",
            "session.modalities",
            "session.output_modalities",
        ),
        (
            {"session": {"type": "realtime", "turn_detection": None}},
            "unknown_parameter",
            "session.turn_detection",
            "session.audio.input.turn_detection",
        ),
        ({"session": {"instructions": "x"}}, "missing_required_parameter", "session.type", ""),
    ],
)
def test_what_our_api_does_not_have_is_refused_although_the_upstream_has_it(
    event: Json, code: str, param: str, hint: str
) -> None:
    with pytest.raises(ClientError) as refused:
        BetaUpstream().client(msgspec.json.encode({"type": "session.update", "event_id": "e1", **event}))

    detail = refused.value.detail
    assert (detail.code, detail.param, detail.event_id) == (code, param, "e1")
    assert hint in detail.message


def test_a_response_of_the_beta_is_refused() -> None:
    with pytest.raises(ClientError) as refused:
        BetaUpstream().client(b'{"type":"response.create","response":{"voice":"ash"}}')

    assert refused.value.detail.param == "response.voice"
    assert "'response.audio.output.voice'" in refused.value.detail.message


def test_fields_that_the_upstream_is_not_told_are_listed() -> None:
    session = {"reasoning": {"effort": "low"}, "parallel_tool_calls": None, "tool_choice": {"type": "mcp"}}

    assert unsayable({"session": session}) == ("session.reasoning", "session.tool_choice")
    assert unsayable({"response": {"parallel_tool_calls": False}}) == ("response.parallel_tool_calls",)
    assert unsayable({"type": "response.cancel"}) == ()


def test_an_error_names_the_field_that_our_client_knows() -> None:
    error = {"code": "invalid_value", "param": "session.voice", "message": "Invalid 'session.voice': x."}

    [event] = shown({"type": "error", "error": error})

    assert event["error"]["param"] == "session.audio.output.voice"
    assert event["error"]["message"] == "Invalid 'session.audio.output.voice': x."


def test_a_session_echo_of_an_early_version_has_what_clients_read() -> None:
    session = {"object": "realtime.session", "id": "s", "turn_detection": {"type": "server_vad"}, "voice": "ash"}

    [event] = shown({"type": "session.created", "session": session})

    audio = event["session"]["audio"]
    assert audio["input"]["turn_detection"] == {
        "type": "server_vad",
        "create_response": True,
        "interrupt_response": True,
    }
    assert (audio["input"]["transcription"], audio["input"]["noise_reduction"]) == (None, None)
    assert audio["output"] == {"voice": "ash", "speed": 1.0}
    assert event["session"]["truncation"] == "auto"


def test_a_transcription_session_is_known_by_its_object() -> None:
    session = {"object": "realtime.transcription_session", "id": "s", "modalities": ["text"]}

    [event] = shown({"type": "session.updated", "session": session})

    assert event["session"]["type"] == "transcription"
    assert "output_modalities" not in event["session"]


def test_items_have_the_keys_that_clients_read() -> None:
    message = {"id": "i", "type": "message", "role": "user", "content": [{"type": "input_audio"}]}
    call = {"id": "c", "type": "mcp_tool_call", "name": "f", "server_label": "s", "arguments": "{}"}

    [retrieved] = shown({"type": "conversation.item.retrieved", "item": message})
    [opened] = shown({"type": "response.output_item.added", "item": call})

    assert retrieved["item"]["content"] == [{"type": "input_audio", "transcript": None}]
    assert retrieved["item"]["status"] == "completed"
    assert opened["item"] == {**call, "type": "mcp_call", "approval_request_id": None, "output": None, "error": None}


def test_parts_without_indices_get_those_of_their_item() -> None:
    upstream = BetaUpstream()
    upstream.events({"type": "response.output_item.added", "output_index": 3, "item": {"id": "i"}})

    [event] = upstream.server(b'{"type":"response.audio.delta","item_id":"i","delta":"AAAA"}')

    assert msgspec.json.decode(event) == {
        "type": "response.output_audio.delta",
        "item_id": "i",
        "output_index": 3,
        "content_index": 0,
        "delta": "AAAA",
    }


def test_audio_is_not_read() -> None:
    message = b'{"type":"response.audio.delta", "output_index":0,"content_index":0, "delta":"AAAA" }'

    assert BetaUpstream().server(message) == [message.replace(b"response.audio.", b"response.output_audio.")]


def test_a_message_with_too_many_values_is_refused_unread() -> None:
    message = b'{"type":"response.create","response":{"tools":[' + b"1,   " * (MAX_REREAD_VALUES + 1) + b"1]}}"

    with pytest.raises(ClientError) as refused:
        BetaUpstream().client(message)

    assert refused.value.detail.code == "invalid_event"
