"""Malformed and hostile messages, each in a valid WebSocket frame and each to be answered by exactly one error.

A kind is a function that draws one message. What a message must be answered with stands beside it: the codes that the
error may have, and whether its `event_id` can be read and therefore has to be repeated.
"""

import base64
import json
from collections.abc import Callable, Iterator
from random import Random
from typing import Any, Final

import msgspec

from bench.checked_client import Json

EXISTING_ITEM: Final = "item_that_exists"  # the session has an item of this id before the first message
LARGE_EVERY: Final = 250  # this many messages hold one of each kind that is large

Draw = Callable[[Random], Json | str | bytes]


class Kind(msgspec.Struct, frozen=True):
    """A kind of message. `draw` gives an event, or text or bytes whose `event_id` nobody can read."""

    name: str
    draw: Draw
    codes: tuple[str | None, ...]
    is_large: bool = False


class HostileMessage(msgspec.Struct, frozen=True):
    """One message and the answer it must get; `event_id` None: the error can name none."""

    kind: Kind
    payload: str | bytes
    event_id: str | None


KINDS: Final[list[Kind]] = []


def kind(*codes: str | None, is_large: bool = False) -> Callable[[Draw], Draw]:
    """Make a function a kind: named after it, answered by one of the codes."""

    def register(draw: Draw) -> Draw:
        KINDS.append(Kind(draw.__name__, draw, codes, is_large))
        return draw

    return register


def hostile_messages(count: int, seed: int) -> Iterator[HostileMessage]:
    """Yield `count` messages, the kinds in turn, large ones rarely; the same ones for the same seed."""
    random = Random(seed)
    small = [one for one in KINDS if not one.is_large]
    large = [one for one in KINDS if one.is_large]
    for number in range(count):
        place = number % LARGE_EVERY
        chosen = large[place] if place < len(large) else small[number % len(small)]
        yield _message(chosen, random, f"hostile_{number}")


def _message(chosen: Kind, random: Random, event_id: str) -> HostileMessage:
    drawn = chosen.draw(random)
    if not isinstance(drawn, dict):
        return HostileMessage(chosen, drawn, None)
    named = {"event_id": event_id, **drawn}
    readable = named["event_id"] if named["event_id"] == event_id else None
    return HostileMessage(chosen, json.dumps(named, ensure_ascii=random.random() < 0.5), readable)


# Not JSON, or not an object ----------------------------------------------------------------------------------

UNREADABLE: Final = "invalid_event"


@kind(UNREADABLE)
def empty_text(random: Random) -> str:
    return random.choice(("", " ", "\n\t  ", "\ufeff"))


@kind(UNREADABLE)
def prose(random: Random) -> str:
    return "".join(random.choices('abc {}[]":,\\üß語😀\x7f', k=random.randint(1, 80))) + "x"


@kind(UNREADABLE)
def cut_json(random: Random) -> str:
    whole = json.dumps(random.choice(VALID))
    return whole[: random.randint(1, len(whole) - 1)]


@kind(UNREADABLE)
def two_events_in_one(random: Random) -> str:
    return json.dumps(random.choice(VALID)) + random.choice(("", " ", "\n", ",")) + json.dumps(random.choice(VALID))


@kind(UNREADABLE)
def javascript_instead_of_json(random: Random) -> str:
    return random.choice(
        (
            "{'type': 'response.create'}",
            '{"type": "response.create",}',
            '{type: "response.create"}',
            '{"type": "response.create"} // go',
            '{"type": undefined}',
        )
    )


@kind(UNREADABLE)
def no_number(random: Random) -> str:
    value = random.choice(("NaN", "-Infinity", "Infinity", "0x10", "01", "+1", ".5", "1.", "--1"))
    return '{"type":"conversation.item.truncate","item_id":"a","content_index":0,"audio_end_ms":' + value + "}"


@kind(UNREADABLE)
def json_that_is_no_object(random: Random) -> str:
    return random.choice(("null", "true", "0", "-1.5e3", '"response.create"', "[]", '[{"type":"response.create"}]'))


@kind(UNREADABLE)
def raw_control_characters(random: Random) -> str:
    return '{"type":"response.cancel","response_id":"' + chr(random.randint(0, 31)) + '"}'


@kind(UNREADABLE)
def lone_surrogates(random: Random) -> str:
    escape = f"\\ud{random.choice('89abcdef')}{random.randint(0, 255):02x}"
    return '{"type":"conversation.item.retrieve","item_id":"' + escape + '"}'


@kind(UNREADABLE)
def deep_arrays(random: Random) -> str:
    depth = random.choice((1_200, 5_000, 60_000))
    return '{"type":"session.update","session":' + "[" * depth + "]" * depth + "}"


@kind(UNREADABLE)
def deep_objects_never_closed(random: Random) -> str:
    return '{"type":"response.create","response":' + '{"input":' * random.choice((1_200, 20_000))


@kind(UNREADABLE)
def binary_frame(random: Random) -> bytes:
    return random.choice((b"", b'{"type":"response.create"}', random.randbytes(random.randint(1, 2_000))))


@kind(UNREADABLE)
def other_protocols(random: Random) -> str:
    return random.choice(
        (
            "GET /v1/models HTTP/1.1\r\nHost: localhost\r\n\r\n",
            '42["message",{"type":"response.create"}]',
            "<?xml version='1.0'?><!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>",
            "event: message\ndata: {}\n\n",
        )
    )


# The envelope -------------------------------------------------------------------------------------------------


@kind("missing_required_parameter")
def no_type(random: Random) -> Json:
    return random.choice(({}, {"type": None}, {"Type": "response.create"}, {"jsonrpc": "2.0", "method": "x", "id": 1}))


@kind("invalid_type")
def type_of_another_type(random: Random) -> Json:
    return {"type": random.choice((0, 1.5, True, [], {}, ["response.create"], {"type": "response.create"}))}


@kind("invalid_value")
def unknown_type(random: Random) -> Json:
    name = random.choice(("response.creat", "RESPONSE.CREATE", "response.create ", "", "__proto__", "constructor"))
    return {"type": name + random.choice(("", "\u202e", "\u0000", "е", "%s%n{0}", "x" * 5_000)) + "."}


@kind("invalid_value")
def type_of_a_server_event(random: Random) -> Json:
    return {"type": random.choice(("session.created", "response.done", "error", "response.output_audio.delta"))}


@kind("invalid_value")
def type_of_the_beta_dialect(random: Random) -> Json:
    return {"type": "transcription_session.update", "session": {"input_audio_format": "pcm16"}}


@kind("invalid_type", "invalid_value", "string_above_max_length")
def unusable_event_id(random: Random) -> Json:
    return {"type": "input_audio_buffer.clear", "event_id": random.choice((1, 0.5, True, [], {}, "x" * 600))}


# session.update -----------------------------------------------------------------------------------------------


def _session(**fields: Any) -> Json:
    return {"type": "session.update", "session": {"type": "realtime", **fields}}


def _input(**fields: Any) -> Json:
    return _session(audio={"input": fields})


def _output(**fields: Any) -> Json:
    return _session(audio={"output": fields})


@kind("missing_required_parameter", "invalid_type")
def update_without_a_session(random: Random) -> Json:
    return {
        "type": "session.update",
        **random.choice(({}, {"session": None}, {"session": "realtime"}, {"session": []})),
    }


@kind("missing_required_parameter")
def session_without_a_type(random: Random) -> Json:
    return {"type": "session.update", "session": random.choice(({}, {"instructions": "Be kind."}, {"type": None}))}


@kind(None, "invalid_value")
def session_of_another_kind(random: Random) -> Json:
    return {"type": "session.update", "session": {"type": random.choice(("transcription", "translation", "", "x"))}}


@kind("unknown_parameter")
def unknown_session_field(random: Random) -> Json:
    name = random.choice(("modalities", "temperature", "turn_detection", "__class__", "constructor", "Instructions"))
    return _session(**{name: random.choice((1, None, {}, "x"))})


@kind("unknown_parameter")
def unknown_nested_field(random: Random) -> Json:
    wrong = {random.choice(("rates", "codec", "__dict__", "a.b[0]", "", "x" * 2_000)): 1}
    return random.choice(
        (_input(**wrong), _output(**wrong), _session(audio=wrong), _input(format={"type": "audio/pcmu", **wrong}))
    )


@kind("invalid_type", "invalid_value", "integer_below_min_value")
def wrong_type_in_session(random: Random) -> Json:
    field = random.choice(
        ("instructions", "tools", "output_modalities", "audio", "include", "tool_choice", "reasoning")
    )
    return _session(**{field: random.choice((17, True, -0.5, 10**12))})


_RANGES: Final = (
    "integer_below_min_value",
    "integer_above_max_value",
    "decimal_below_min_value",
    "decimal_above_max_value",
)


@kind(*_RANGES)
def number_out_of_range(random: Random) -> Json:
    return random.choice(
        (
            _output(speed=random.choice((0, 0.24, 1.51, -1, 10**6))),
            _input(turn_detection={"type": "server_vad", "threshold": random.choice((-0.1, 1.1, 2))}),
            _input(turn_detection={"type": "server_vad", "silence_duration_ms": random.choice((-1, 2**31, 10**15))}),
            _input(turn_detection={"type": "server_vad", "idle_timeout_ms": random.choice((0, 4_999, 30_001))}),
            _session(max_output_tokens=random.choice((0, -1, 4_097))),
        )
    )


@kind(UNREADABLE, *_RANGES, "invalid_type", "invalid_value")
def astronomic_number(random: Random) -> Json:
    return _output(speed=random.choice((10**30, 10**400, -(10**4_200))))


@kind("invalid_value")
def value_not_offered(random: Random) -> Json:
    return random.choice(
        (
            _output(voice=random.choice(("nobody", "", "../../etc/passwd", "alloy\n"))),
            _output(voice={"id": "voice_1"}),
            _input(format={"type": "audio/opus"}),
            _input(format={"type": "audio/pcm", "rate": 48_000}),
            _session(output_modalities=["text", "audio"]),
            _session(tool_choice="sometimes"),
        )
    )


@kind("invalid_value")
def what_comes_later(random: Random) -> Json:
    return random.choice(
        (
            _input(turn_detection={"type": "semantic_vad"}),
            _input(noise_reduction={"type": "near_field"}),
            _session(tools=[{"type": "mcp", "server_label": "x", "server_url": "file:///etc/passwd"}]),
            _session(prompt={"id": "pmpt_1"}),
        )
    )


@kind("invalid_value", "invalid_type", "missing_required_parameter", "unknown_parameter", "array_above_max_length")
def bad_tools(random: Random) -> Json:
    good = {"type": "function", "name": "weather"}
    return _session(
        tools=random.choice(
            (
                [good] * 129,
                [{**good, "name": random.choice(("", "a b", "ä", "x" * 65, "a\n"))}],
                [{**good, "parameters": random.choice(([], "{}", 1))}],
                [{"type": "function"}],
                [{"type": "function", "function": {"name": "weather"}}],
                [None],
            )
        )
    )


@kind("invalid_value")
def deep_tool_schema(random: Random) -> Json:
    schema: Json = {}
    for _ in range(random.randint(65, 400)):
        schema = {"a": schema}
    return _session(tools=[{"type": "function", "name": "deep", "parameters": schema}])


# Audio --------------------------------------------------------------------------------------------------------


def _append(audio: object) -> Json:
    return {"type": "input_audio_buffer.append", "audio": audio}


@kind("invalid_value")
def no_base64(random: Random) -> Json:
    return _append(
        random.choice(("!", "AAA", "AA=A", "A" * 5, "=", "AAAA\nAAAA", "-_-_", "data:audio/wav;base64,AAAA", "ÄÄÄÄ"))
    )


@kind("invalid_type", "missing_required_parameter")
def audio_of_another_type(random: Random) -> Json:
    return random.choice(
        (_append(None), _append(0), _append([0, 1, 2]), _append({"0": 1}), {"type": "input_audio_buffer.append"})
    )


@kind("input_audio_buffer_commit_empty")
def commit_of_nothing(random: Random) -> Json:
    return {"type": "input_audio_buffer.commit"}


@kind("invalid_value", is_large=True)
def audio_above_the_limit(random: Random) -> Json:
    return _append(base64.b64encode(bytes(15 * 1024 * 1024 + 3)).decode())


@kind("invalid_value", is_large=True)
def instructions_above_the_limit(random: Random) -> Json:
    return _session(instructions="ä" * (600 * 1024))


@kind("invalid_value", "invalid_event", is_large=True)
def many_values(random: Random) -> Json:
    return _session(tools=[{"type": "function", "name": "wide", "parameters": {"enum": list(range(300_000))}}])


# Items --------------------------------------------------------------------------------------------------------


def _create(**item: Any) -> Json:
    return {"type": "conversation.item.create", "item": item}


def _message_item(role: str, *content: object) -> Json:
    return _create(type="message", role=role, content=list(content))


_TEXT: Final = {"type": "input_text", "text": "hi"}


@kind("missing_required_parameter", "invalid_type", "invalid_value")
def item_without_a_shape(random: Random) -> Json:
    item: object = random.choice(
        (None, [], "hi", {}, {"type": "message"}, {"type": "msg"}, {"type": 1}, {"role": "user"})
    )
    return {"type": "conversation.item.create", "item": item}


@kind("invalid_value")
def item_not_for_clients(random: Random) -> Json:
    name = random.choice(("mcp_call", "mcp_list_tools", "mcp_approval_request", "item_reference", "reasoning"))
    return _create(type=name, id="x", server_label="y")


@kind("invalid_value")
def part_not_for_its_role(random: Random) -> Json:
    return random.choice(
        (
            _message_item("user", {"type": "output_text", "text": "hi"}),
            _message_item("system", {"type": "input_audio", "audio": "AAAA"}),
            _message_item("assistant", _TEXT),
            _message_item("user", {"type": "input_image", "image_url": "file:///etc/passwd"}),
            _message_item("user", {"type": "video"}),
            _message_item("root", _TEXT),
        )
    )


@kind("missing_required_parameter", "invalid_type")
def part_without_its_content(random: Random) -> Json:
    part = random.choice(
        ({"type": "input_text"}, {"type": "input_audio"}, {"type": "input_text", "text": 7}, "hi", None)
    )
    return _message_item("user", _TEXT, part)


@kind("unknown_parameter")
def unknown_item_field(random: Random) -> Json:
    return random.choice(
        (
            _create(type="message", role="user", content=[_TEXT], name="x"),
            _message_item("user", {**_TEXT, "cache_control": {}}),
        )
    )


@kind("invalid_value")
def text_with_nul(random: Random) -> Json:
    return random.choice(
        (
            _message_item("user", {"type": "input_text", "text": "a\u0000b"}),
            _session(instructions="\u0000"),
            _create(type="function_call", name="f\u0000", arguments="{}"),
        )
    )


@kind("invalid_value", "invalid_type", "string_above_max_length")
def unusable_item_id(random: Random) -> Json:
    wrong = random.choice(("x" * 65, "a\nb", "\u0007", 7))
    return _create(type="message", role="user", content=[_TEXT], id=wrong)


@kind("item_create_duplicate_item_id")
def item_that_is_there_already(random: Random) -> Json:
    return _create(type="message", role="user", content=[_TEXT], id=EXISTING_ITEM)


@kind("item_create_invalid_previous_item_id")
def item_after_one_that_is_not_there(random: Random) -> Json:
    return {**_message_item("user", _TEXT), "previous_item_id": _foreign_id(random)}


@kind("invalid_value")
def output_of_no_call(random: Random) -> Json:
    return _create(type="function_call_output", call_id=f"call_{random.randint(0, 9)}", output="{}")


def _foreign_id(random: Random) -> str:
    return random.choice(
        ("item_x", "'; DROP TABLE items;--", "../../x", "<script>1</script>", "a\r\nb: c", "é" * 3_000, " ")
    )


@kind("item_retrieve_invalid_item_id")
def retrieve_of_nothing(random: Random) -> Json:
    return {"type": "conversation.item.retrieve", "item_id": _foreign_id(random)}


@kind("item_delete_invalid_item_id")
def delete_of_nothing(random: Random) -> Json:
    return {"type": "conversation.item.delete", "item_id": _foreign_id(random)}


@kind("item_truncate_invalid_item_id", "invalid_value")
def truncate_of_nothing(random: Random) -> Json:
    item_id = random.choice((EXISTING_ITEM, _foreign_id(random)))
    return {"type": "conversation.item.truncate", "item_id": item_id, "content_index": 0, "audio_end_ms": 10}


@kind("invalid_type", "missing_required_parameter", *_RANGES)
def truncate_with_bad_numbers(random: Random) -> Json:
    event: Json = {"type": "conversation.item.truncate", "item_id": "x", "content_index": 0, "audio_end_ms": 10}
    return event | random.choice(
        (
            {"audio_end_ms": -1},
            {"audio_end_ms": 1.5},
            {"content_index": True},
            {"item_id": None},
            {"audio_end_ms": "10"},
            {"audio_end_ms": 2**63},
        )
    )


# Responses ----------------------------------------------------------------------------------------------------


def _respond(**fields: Any) -> Json:
    return {"type": "response.create", "response": fields}


@kind("unknown_parameter")
def unknown_response_field(random: Random) -> Json:
    return _respond(**{random.choice(("modalities", "temperature", "model", "speed", "turn_detection")): 1})


@kind("invalid_value", "invalid_type", *_RANGES)
def bad_response_field(random: Random) -> Json:
    return random.choice(
        (
            _respond(conversation="main"),
            _respond(output_modalities=[]),
            _respond(output_modalities=["video"]),
            _respond(max_output_tokens=0),
            _respond(audio={"output": {"voice": "nobody"}}),
            _respond(instructions=["x"]),
            _respond(tools={}),
            {"type": "response.create", "response": "now"},
        )
    )


@kind("invalid_value", "invalid_type", "object_above_max_properties")
def bad_metadata(random: Random) -> Json:
    metadata = random.choice(({str(n): "x" for n in range(17)}, {"x" * 65: "y"}, {"x": "y" * 513}, {"x": 1}, ["x"]))
    return _respond(metadata=metadata)


@kind("invalid_value", "invalid_type", "missing_required_parameter")
def bad_response_input(random: Random) -> Json:
    item: object = random.choice(
        ({"type": "item_reference", "id": "nobody"}, {"type": "item_reference"}, {"type": "message"}, None, 1)
    )
    return _respond(conversation="none", input=[item])


@kind("response_cancel_not_active", "invalid_type")
def cancel_of_nothing(random: Random) -> Json:
    return {"type": "response.cancel", **random.choice(({}, {"response_id": "resp_x"}, {"response_id": 1}))}


@kind("invalid_value")
def playout_of_another_transport(random: Random) -> Json:
    return {"type": "output_audio_buffer.clear"}


# What is cut, doubled and glued in `cut_json` and `two_events_in_one`.
VALID: Final[tuple[Json, ...]] = (
    {"type": "response.create", "response": {"conversation": "none", "metadata": {"a": "b"}}},
    _message_item("user", _TEXT),
    _session(instructions="Be kind.", audio={"output": {"voice": "alloy", "speed": 1.25}}),
    _append("AAAA"),
    {"type": "input_audio_buffer.commit"},
)
