"""Kinds of messages that are events with something wrong inside."""

import base64
from random import Random
from typing import Any, Final

from bench.checked_client import Json
from bench.hostile_kinds import EXISTING_ITEM, OUT_OF_RANGE, UNREADABLE, kind

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


@kind(*OUT_OF_RANGE)
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


@kind(UNREADABLE, *OUT_OF_RANGE, "invalid_type", "invalid_value")
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


@kind("invalid_value", "prompt_not_found")
def what_is_not_to_be_had(random: Random) -> Json:
    return random.choice(
        (
            _input(turn_detection={"type": "semantic_vad", "eagerness": "huge"}),
            _input(noise_reduction={"type": "mid_field"}),
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


@kind("invalid_value", "missing_required_parameter")
def item_not_for_clients(random: Random) -> Json:
    name = random.choice(("mcp_call", "mcp_list_tools", "mcp_approval_request", "item_reference", "reasoning"))
    return _create(type=name, id="x", server_label="y")


@kind("invalid_value")
def answer_that_nobody_asked_for(random: Random) -> Json:
    return _create(type="mcp_approval_response", approval_request_id="item_unknown", approve=random.random() < 0.5)


@kind("invalid_value", "unknown_parameter")
def words_to_say_that_are_none(random: Random) -> Json:
    words: list[Json] = [{"say": ""}, {"say": "x" * 70_000}, {"sing": "la"}]
    return {"type": "response.create", "response": {"vivavoce": random.choice(words)}}


@kind("parameter_locked", "invalid_value")
def lock_of_ones_own(random: Random) -> Json:
    return _session(vivavoce={"locked": random.choice((["instructions"], ["everything"], []))})


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


@kind("invalid_type", "missing_required_parameter", *OUT_OF_RANGE)
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


@kind("invalid_value", "invalid_type", *OUT_OF_RANGE)
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
