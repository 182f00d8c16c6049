"""Kinds of messages that are no events: no JSON, no object, no type."""

import json
from random import Random
from typing import Final

from bench.checked_client import Json
from bench.hostile_kinds import UNREADABLE, kind

# What is cut, doubled and glued below.
VALID: Final[tuple[Json, ...]] = (
    {"type": "response.create", "response": {"conversation": "none", "metadata": {"a": "b"}}},
    {"type": "conversation.item.delete", "item_id": "item_1"},
    {"type": "session.update", "session": {"type": "realtime", "audio": {"output": {"voice": "alloy", "speed": 1.25}}}},
    {"type": "input_audio_buffer.append", "audio": "AAAA"},
    {"type": "input_audio_buffer.commit"},
)

# Not JSON, or not an object ----------------------------------------------------------------------------------


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
