"""Messages that pass a relayed session: what is left as it is, what is edited, and what is refused here."""

import base64
import json

import pytest

from tests.core.relay.relayed import TIME, Json, opened
from vivavoce.core.relay.messages import (
    appended_audio,
    appended_bytes,
    audio_delta,
    cut_append,
    encode,
    read_client,
    read_upstream,
)

AUDIO = base64.b64encode(bytes(range(200))).decode()


def test_messages_that_nobody_edits_pass_as_they_are() -> None:
    relayed = opened()
    up = b' {"type" : "weather.asked", "big": 123456789012345678901234567890, "f": 1.50, "u": "\\u00e9\\/"}\n'
    down = b'{ "x": 1e3, "type":"weather.changed" , "item_id": "unknown", "event_id": "e1"}'

    relayed.checks_types = False  # no type of the API
    relayed.send(up)
    sent = relayed.peer.to_upstream[0]
    relayed.hear_message(1, down)

    assert sent == up
    assert relayed.messages[-1] == down


def test_an_item_event_passes_as_it_is() -> None:
    relayed = opened()
    relayed.write("hi")
    relayed.deliver(1)
    message = relayed.peer.to_relay[0]

    relayed.settle()

    assert relayed.messages[1] is message


@pytest.mark.parametrize(
    ("message", "size"),
    [
        (b'{"type":"input_audio_buffer.append","audio":"%b"}', 200),
        (b'{"type": "input_audio_buffer.append", "audio": "%b"}', 200),
        (b' {"event_id": "a", "type":"input_audio_buffer.append" , "audio":"%b"}', 200),
        (b'{"type":"input_audio_buffer.append","event_id":"a","audio":"%b"}', 200),
        (b'{"type":"input_audio_buffer.append","audio":"%b","event_id":"a"}', None),
        (b'{"type":"input_audio_buffer.append","audio":"\\/%b"}', None),
        (b'{"type":"input_audio_buffer.append","audio":"%b"}}', None),
        (b'{"type":"input_audio_buffer.append","audio":"%b', None),
    ],
)
def test_appended_audio_is_counted_where_the_message_has_the_usual_form(message: bytes, size: int | None) -> None:
    assert appended_bytes(message % AUDIO.encode()) == size


@pytest.mark.parametrize("count", range(6))
def test_padding_is_no_audio(count: int) -> None:
    audio = base64.b64encode(bytes(count))

    assert appended_bytes(b'{"type":"input_audio_buffer.append","audio":"%b"}' % audio) == count
    delta = audio_delta(b'{"type":"response.output_audio.delta","item_id":"item_1","delta":"%b"}' % audio)
    assert delta == ("item_1", count)


@pytest.mark.parametrize(
    "message",
    [
        b'{"type":"response.output_audio.delta","event_id":"e","item_id":"item_1","delta":"%b"}',
        b'{"type": "response.output_audio.delta", "item_id": "item_1", "delta": "%b"}\n',
        b'{"type":"response.output_audio.delta","item_id":"item_1","delta":"%b","obfuscation":"x"}',
        b'{"type":"response.output_audio.delta","delta":"%b","item_id":"item_1"}',
    ],
)
def test_audio_of_the_assistant_is_counted(message: bytes) -> None:
    assert audio_delta(message % b"AAAA") == ("item_1", 3)


@pytest.mark.parametrize(
    "message",
    [
        b'{"type":"response.output_audio.done","item_id":"item_1"}',
        b'{"type":"response.output_audio.delta","item_id":"item_1","delta":"AAAA',
        b'{"type":"response.output_audio.delta","item_id":"item_1"}',
        b'{"type":"response.output_audio.delta","delta":"AAAA"}',
    ],
)
def test_what_is_no_whole_audio_must_be_read(message: bytes) -> None:
    assert audio_delta(message) is None


def test_audio_of_any_form_is_sent_on_and_sent_again() -> None:
    relayed = opened()
    relayed.configure({"type": "realtime", "audio": {"input": {"turn_detection": None}}})
    odd = b'{"audio":"%b", "type":"input_audio_buffer.append"}' % AUDIO.encode()

    relayed.send(odd, {"type": "input_audio_buffer.append"})
    assert relayed.peer.to_upstream[-1] == odd
    relayed.settle()
    relayed.lose()
    relayed.settle()

    assert relayed.peer.session.hearing.everything == bytes(range(200))


def test_audio_is_found_and_cut_in_a_message_of_any_form() -> None:
    usual = b'{"type":"input_audio_buffer.append","audio":"%b"}' % AUDIO.encode()
    odd = b'{"audio":"%b", "type":"input_audio_buffer.append"}' % AUDIO.replace("/", "\\/").encode()

    assert appended_audio(usual) == appended_audio(odd) == AUDIO
    rest = cut_append(usual, 150)
    assert rest is not None
    assert base64.b64decode(appended_audio(rest)) == bytes(range(150, 200))
    assert cut_append(b'{"type":"input_audio_buffer.append","audio":"~"}', 2) is None


@pytest.mark.parametrize(
    ("message", "part"),
    [
        (b'{"type":"response.create","type":"session.update"}', "'type' stands twice"),
        (b'{"type":"response.create","response":{"a":1,"a":1}}', "'a' stands twice"),
        (b"[]", "object"),
        (b"{", "JSON"),
        (b"\xff", "UTF-8"),
        (b'{"type":"x","a":NaN}', "NaN"),
        (b'{"type":"x","a":1e999}', "1e999"),
        (b'{"type":"x","a":%b}' % (b"[" * 100_000), "nested"),
        (b"{}", "type"),
        (b'{"type":7}', "type"),
    ],
)
def test_what_cannot_be_an_event_is_answered_here(message: bytes, part: str) -> None:
    relayed = opened()

    relayed.send(message)

    (error,) = relayed.of_type("error")
    assert part in error["error"]["message"]
    assert error["error"]["type"] == "invalid_request_error"
    assert not relayed.peer.to_upstream


def test_what_json_can_say_is_written_again_whatever_it_is() -> None:
    body = read_client(b'{"type":"x","big":123456789012345678901234567890,"half":"\\ud800","e":"\xc3\xa9"}')

    assert json.loads(encode(body)) == body


@pytest.mark.parametrize("message", [b"{", b"[]", b'{"a":1}', b'{"type":1}', b"\xff", b"", b"[" * 100_000])
def test_what_is_no_event_of_an_upstream_loses_the_link(message: bytes) -> None:
    relayed = opened()

    assert read_upstream(message) is None
    relayed.hear_message(1, message)
    relayed.settle()

    assert sorted(relayed.peers) == [1, 2]
    assert relayed.is_left(1)
    assert relayed.types() == ["session.created"]


# Policy -----------------------------------------------------------------------------------------------------------


def code_of(event: Json, **changes: object) -> tuple[str | None, str | None]:
    """Return the code and parameter of the error that an event is refused with here."""
    relayed = opened(**changes)
    before = len(relayed.peer.received) + len(relayed.peer.to_upstream)
    relayed.say(event)
    assert len(relayed.peer.received) + len(relayed.peer.to_upstream) == before
    (error,) = relayed.of_type("error")
    assert error["error"]["event_id"] == "client_1"
    return error["error"]["code"], error["error"]["param"]


LOCKED = {"configuration": {"instructions": "Be kind."}, "locked": ("instructions", "audio.output.voice")}


def test_what_is_locked_cannot_be_changed() -> None:
    update = {"type": "session.update", "session": {"type": "realtime", "instructions": "Be rude."}}
    voice = {"type": "session.update", "session": {"type": "realtime", "audio": {"output": {"voice": "ash"}}}}
    response = {"type": "response.create", "response": {"instructions": "Be rude."}}
    system = {"type": "message", "role": "system", "content": [{"type": "input_text", "text": "Be rude."}]}
    item = {"type": "conversation.item.create", "item": system}

    assert code_of(update, **LOCKED) == ("parameter_locked", "session.instructions")
    assert code_of(voice, **LOCKED) == ("parameter_locked", "session.audio.output.voice")
    assert code_of(response, **LOCKED) == ("parameter_locked", "response.instructions")
    assert code_of(item, **LOCKED) == ("parameter_locked", "item.role")


def test_repeating_what_is_locked_changes_nothing_and_passes() -> None:
    relayed = opened(**LOCKED)

    relayed.configure({"type": "realtime", "instructions": "Be kind.", "tool_choice": "none"})

    assert relayed.types() == ["session.created", "session.updated"]


def test_a_model_is_kept() -> None:
    relayed = opened()

    relayed.say({"type": "session.update", "session": {"type": "realtime", "model": "other", "tool_choice": "none"}})

    assert "model" not in json.loads(relayed.peer.to_upstream[0])["session"]


def test_unknown_fields_of_the_extension_are_refused_and_cost_is_answered_here() -> None:
    assert code_of({"type": "session.update", "session": {"type": "realtime", "vivavoce": {"sorrow": 1}}}) == (
        "unknown_parameter",
        "session.vivavoce.sorrow",
    )
    relayed = opened()

    relayed.say({"type": "session.update", "session": {"type": "realtime", "vivavoce": {"cost": True}}})
    shown = relayed.events[-1]
    relayed.ask("hi")

    assert shown["type"] == "session.updated"
    assert shown["session"]["vivavoce"]["cost"] is not None
    assert relayed.asked("session.update") == []
    assert relayed.of_type("response.done")[0]["response"]["vivavoce"]["cost"]["usd"] == 0.25
    assert relayed.violations() == []


def test_an_update_of_cost_behind_another_update_is_answered_in_its_order() -> None:
    relayed = opened()

    relayed.say({"type": "session.update", "session": {"type": "realtime", "instructions": "Be brief."}})
    relayed.say({"type": "session.update", "session": {"type": "realtime", "vivavoce": {"cost": True}}})
    relayed.settle()

    assert relayed.types() == ["session.created", "session.updated", "session.updated"]
    assert relayed.violations() == []


@pytest.mark.parametrize("name", [[], {}, 1, None])
def test_names_of_any_kind_raise_nothing(name: object) -> None:
    relayed = opened(functions=(TIME,))

    relayed.say({"type": "session.update", "session": {"type": "realtime", "tools": [{"name": name}, name]}})
    relayed.say({"type": "response.create", "response": {"tools": [{"name": name}], "metadata": name, "input": [name]}})
    output = {"type": "function_call_output", "call_id": name, "output": "1", "id": name, "role": name}
    relayed.say({"type": "conversation.item.create", "item": output, "previous_item_id": name, "event_id": name})
    relayed.say({"type": "conversation.item.delete", "item_id": name})

    assert relayed.of_type("error") == []


def test_a_function_of_the_client_cannot_take_the_place_of_the_servers() -> None:
    tools = [{"type": "function", "name": "get_time"}]
    update = {"type": "session.update", "session": {"type": "realtime", "tools": tools}}

    assert code_of(update, functions=(TIME,)) == ("invalid_value", "session.tools[0].name")
