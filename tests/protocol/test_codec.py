"""Strictness of decoding: which code and parameter each mistake of a client gets, and what is tolerated."""

import base64
import json
from typing import Any

import pytest

from vivavoce.protocol import client_events as c
from vivavoce.protocol.admission import MAX_INSTRUCTIONS_BYTES
from vivavoce.protocol.codec import decode_client_event
from vivavoce.protocol.errors import ClientError, ErrorDetail, ProtocolError
from vivavoce.protocol.items import MAX_AUDIO_BYTES, FunctionCall, InputText, Message, OutputText
from vivavoce.protocol.session import SemanticVad, ServerVad, SessionPatch

APPEND = "input_audio_buffer.append"
TRUNCATE: dict[str, Any] = {"type": "conversation.item.truncate", "item_id": "i", "content_index": 0}
FUNCTION = {"type": "function", "name": "f"}
MCP = {"type": "mcp", "server_label": "docs", "server_url": "https://docs.example/mcp"}
NO_URL = {"type": "mcp", "server_label": "docs"}
HTTP_PICTURE = "https://example.invalid/a.png"
GIF = "data:image/gif;base64,R0lGODlh"
NO_PNG = "data:image/png;base64,AAAA"
NO_BASE64 = "data:image/jpeg;base64,/9j/!!"


def session(**fields: Any) -> dict[str, Any]:
    return {"type": "session.update", "event_id": "c1", "session": {"type": "realtime", **fields}}


def audio_input(**fields: Any) -> dict[str, Any]:
    return session(audio={"input": fields})


def vad(**fields: Any) -> dict[str, Any]:
    return audio_input(turn_detection={"type": "server_vad", **fields})


def audio_output(**fields: Any) -> dict[str, Any]:
    return session(audio={"output": fields})


def item(**fields: Any) -> dict[str, Any]:
    return {"type": "conversation.item.create", "event_id": "c1", "item": fields}


def message(role: str, *content: Any, **fields: Any) -> dict[str, Any]:
    return item(type="message", role=role, content=list(content), **fields)


def response(**fields: Any) -> dict[str, Any]:
    return {"type": "response.create", "event_id": "c1", "response": fields}


def nested(levels: int) -> dict[str, Any]:
    value: dict[str, Any] = {}
    for _ in range(levels - 1):
        value = {"a": value}
    return value


def rejection(payload: Any) -> ErrorDetail:
    """Return the error that the payload gets; anything but bytes and text is sent as JSON."""
    with pytest.raises(ClientError) as raised:
        decode_client_event(payload if isinstance(payload, bytes | str) else json.dumps(payload))
    return raised.value.detail


def accepted(payload: Any) -> Any:
    """Return the event; Any because each test knows which one it sent."""
    return decode_client_event(payload if isinstance(payload, bytes | str) else json.dumps(payload))


UNREADABLE = {
    "nothing": (b"", "could not be parsed as JSON"),
    "half an object": ('{"type":', "could not be parsed as JSON"),
    "two values": ('{"type":"input_audio_buffer.commit"} {}', "could not be parsed as JSON"),
    "an array": ("[]", "expected a JSON object, but got an array instead"),
    "a number": ("3", "expected a JSON object, but got an integer instead"),
    "null": ("null", "expected a JSON object, but got null instead"),
    "a hundred thousand brackets": ("[" * 100_000, "expected a JSON object"),
    "deep nesting in an ignored field": (
        '{"type":"input_audio_buffer.commit","x":' + "[" * 100_000 + "]" * 100_000 + "}",
        "nested too deeply",
    ),
    "deep nesting in a stored field": (
        json.dumps(session(tools=[{**FUNCTION, "parameters": "@"}])).replace(
            '"@"', '{"a":' * 100_000 + "1" + "}" * 100_000
        ),
        "nested too deeply",
    ),
    "NaN": ('{"type":"input_audio_buffer.commit","x":NaN}', "could not be parsed as JSON"),
    "infinity": (json.dumps(vad(threshold=float("inf"))), "could not be parsed as JSON"),
    "a byte that is no UTF-8": (b"\xff", "could not be parsed as JSON"),
    "text that is no UTF-8": (b'{"type":"session.update","session":{"type":"\xff"}}', "not valid UTF-8"),
    "a lone surrogate": ('{"type":"\ud800"}', "not valid UTF-8"),
    "an escaped lone surrogate": ('{"type":"\\ud800x"}', "could not be parsed as JSON"),
    "a raw control character": ('{"type":"\x00"}', "could not be parsed as JSON"),
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_an_unreadable_payload_is_an_invalid_event(name: str) -> None:
    payload, text = UNREADABLE[name]

    detail = rejection(payload)

    assert (detail.type, detail.code, detail.param) == ("invalid_request_error", "invalid_event", None)
    assert detail.message.startswith("Invalid event: ")
    assert text in detail.message


def test_an_unreadable_payload_is_a_protocol_error() -> None:
    with pytest.raises(ProtocolError):
        decode_client_event(b"\xff")


REJECTED: list[tuple[Any, str, str]] = [
    # the event itself
    ({}, "missing_required_parameter", "type"),
    ({"type": None}, "missing_required_parameter", "type"),
    ({"type": 3}, "invalid_type", "type"),
    ({"type": "no.such.event"}, "invalid_value", "type"),
    ({"type": "transcription_session.update", "session": {}}, "invalid_value", "type"),
    ({"type": "input_audio_buffer.commit", "event_id": 3}, "invalid_type", "event_id"),
    ({"type": "input_audio_buffer.commit", "event_id": "x" * 513}, "invalid_value", "event_id"),
    ({"type": "input_audio_buffer.commit", "event_id": "x\0"}, "invalid_value", "event_id"),
    # audio
    ({"type": APPEND}, "missing_required_parameter", "audio"),
    ({"type": APPEND, "audio": None}, "missing_required_parameter", "audio"),
    ({"type": APPEND, "audio": 3}, "invalid_type", "audio"),
    ({"type": APPEND, "audio": "A"}, "invalid_value", "audio"),
    ({"type": APPEND, "audio": "AAA"}, "invalid_value", "audio"),
    ({"type": APPEND, "audio": "AA A"}, "invalid_value", "audio"),
    ({"type": APPEND, "audio": "__8="}, "invalid_value", "audio"),
    # items by their id
    ({"type": "conversation.item.retrieve"}, "missing_required_parameter", "item_id"),
    ({"type": "conversation.item.delete", "item_id": 3}, "invalid_type", "item_id"),
    (TRUNCATE, "missing_required_parameter", "audio_end_ms"),
    ({**TRUNCATE, "audio_end_ms": -1}, "integer_below_min_value", "audio_end_ms"),
    ({**TRUNCATE, "audio_end_ms": 2**31}, "integer_above_max_value", "audio_end_ms"),
    ({**TRUNCATE, "audio_end_ms": 10**30}, "integer_above_max_value", "audio_end_ms"),
    ({**TRUNCATE, "audio_end_ms": 1.5}, "invalid_type", "audio_end_ms"),
    ({**TRUNCATE, "audio_end_ms": True}, "invalid_type", "audio_end_ms"),
    ({**TRUNCATE, "audio_end_ms": "1"}, "invalid_type", "audio_end_ms"),
    (json.dumps({**TRUNCATE, "audio_end_ms": 0})[:-2] + "1e999}", "invalid_value", "audio_end_ms"),
    # session
    ({"type": "session.update"}, "missing_required_parameter", "session"),
    ({"type": "session.update", "session": None}, "missing_required_parameter", "session"),
    ({"type": "session.update", "session": []}, "invalid_type", "session"),
    ({"type": "session.update", "session": {}}, "missing_required_parameter", "session.type"),
    ({"type": "session.update", "session": {"type": "translation"}}, "invalid_value", "session.type"),
    ({"type": "session.update", "session": {"modalities": ["text"]}}, "unknown_parameter", "session.modalities"),
    (session(modalities=None), "unknown_parameter", "session.modalities"),
    (session(temperature=0.8), "unknown_parameter", "session.temperature"),
    (session(voice="alloy"), "unknown_parameter", "session.voice"),
    (session(turn_detection=None), "unknown_parameter", "session.turn_detection"),
    (session(id="sess_1"), "unknown_parameter", "session.id"),
    (session(output_modalities=["text", "audio"]), "invalid_value", "session.output_modalities"),
    (session(output_modalities=[]), "invalid_value", "session.output_modalities"),
    (session(output_modalities=["video"]), "invalid_value", "session.output_modalities[0]"),
    (session(output_modalities="audio"), "invalid_type", "session.output_modalities"),
    (session(instructions=3), "invalid_type", "session.instructions"),
    (session(instructions="é" * (MAX_INSTRUCTIONS_BYTES // 2 + 1)), "invalid_value", "session.instructions"),
    (session(instructions="a\0b"), "invalid_value", "session.instructions"),
    (session(max_output_tokens=0), "integer_below_min_value", "session.max_output_tokens"),
    (session(max_output_tokens=4097), "integer_above_max_value", "session.max_output_tokens"),
    (session(max_output_tokens=1.5), "invalid_type", "session.max_output_tokens"),
    (session(max_output_tokens="many"), "invalid_value", "session.max_output_tokens"),
    (session(truncation="never"), "invalid_value", "session.truncation"),
    (
        session(truncation={"type": "retention_ratio", "retention_ratio": 1.1}),
        "decimal_above_max_value",
        "session.truncation.retention_ratio",
    ),
    (
        session(truncation={"type": "retention_ratio"}),
        "missing_required_parameter",
        "session.truncation.retention_ratio",
    ),
    (
        session(
            truncation={"type": "retention_ratio", "retention_ratio": 1, "token_limits": {"post_instructions": -1}}
        ),
        "integer_below_min_value",
        "session.truncation.token_limits.post_instructions",
    ),
    (session(tracing="always"), "invalid_value", "session.tracing"),
    (session(tracing={"x": 1}), "unknown_parameter", "session.tracing.x"),
    (session(tracing={"metadata": nested(65)}), "invalid_value", "session.tracing.metadata"),
    (session(prompt={"version": "2"}), "missing_required_parameter", "session.prompt.id"),
    (session(prompt={"id": "p", "variables": {"a": 3}}), "invalid_type", "session.prompt.variables"),
    (session(include=["everything"]), "invalid_value", "session.include[0]"),
    (session(reasoning={"effort": "huge"}), "invalid_value", "session.reasoning.effort"),
    (session(parallel_tool_calls="yes"), "invalid_type", "session.parallel_tool_calls"),
    (session(vivavoce={"x": 1}), "unknown_parameter", "session.vivavoce.x"),
    (session(vivavoce={"events": ["vivavoce.none"]}), "invalid_value", "session.vivavoce.events[0]"),
    # tools
    (session(tools=[{"name": "f"}]), "missing_required_parameter", "session.tools[0].type"),
    (session(tools=[FUNCTION, {"type": "function"}]), "missing_required_parameter", "session.tools[1].name"),
    (session(tools=[{"type": "function", "name": "a b"}]), "invalid_value", "session.tools[0].name"),
    (session(tools=[{"type": "function", "name": "a\n"}]), "invalid_value", "session.tools[0].name"),
    (session(tools=[{"type": "function", "name": "x" * 65}]), "invalid_value", "session.tools[0].name"),
    (session(tools=[{"type": "function", "function": {}}]), "unknown_parameter", "session.tools[0].function"),
    (session(tools=[{**FUNCTION, "parameters": []}]), "invalid_type", "session.tools[0].parameters"),
    (session(tools=[{**FUNCTION, "parameters": nested(65)}]), "invalid_value", "session.tools[0].parameters"),
    (
        session(tools=[{**FUNCTION, "parameters": {"enum": [0] * 50_000}}]),
        "invalid_value",
        "session.tools[0].parameters",
    ),
    (session(tools=[{**FUNCTION, "parameters": {"a\0": 1}}]), "invalid_value", "session.tools[0].parameters"),
    (
        session(tools=[{"type": "mcp", "server_label": "d"}]),
        "missing_required_parameter",
        "session.tools[0].server_url",
    ),
    (session(tools=[MCP | {"connector_id": "x"}]), "invalid_value", "session.tools[0].connector_id"),
    (session(tools=[MCP | {"tunnel_id": "x"}]), "invalid_value", "session.tools[0].tunnel_id"),
    (session(tools=[MCP, MCP]), "invalid_value", "session.tools"),
    (session(tools=[MCP | {"require_approval": "x"}]), "invalid_value", "session.tools[0].require_approval"),
    (session(tools=[MCP | {"allowed_tools": {"x": 1}}]), "unknown_parameter", "session.tools[0].allowed_tools.x"),
    (session(tools=[{"type": "web_search"}]), "invalid_value", "session.tools[0].type"),
    (session(tools=[FUNCTION] * 129), "invalid_value", "session.tools"),
    (session(tool_choice="f"), "invalid_value", "session.tool_choice"),
    (session(tool_choice={"type": "function"}), "missing_required_parameter", "session.tool_choice.name"),
    (session(tool_choice={"type": "mcp"}), "missing_required_parameter", "session.tool_choice.server_label"),
    # audio of the session
    (session(audio={"x": 1}), "unknown_parameter", "session.audio.x"),
    (audio_input(x=1), "unknown_parameter", "session.audio.input.x"),
    (audio_output(x=1), "unknown_parameter", "session.audio.output.x"),
    (audio_input(format={"type": "audio/pcm", "rate": 16000}), "invalid_value", "session.audio.input.format.rate"),
    (audio_input(format={"type": "audio/pcmu", "rate": 8000}), "unknown_parameter", "session.audio.input.format.rate"),
    (audio_input(format={"type": "audio/opus"}), "invalid_value", "session.audio.input.format.type"),
    (audio_input(format="opus"), "invalid_value", "session.audio.input.format"),
    (audio_output(format={}), "missing_required_parameter", "session.audio.output.format.type"),
    (audio_input(turn_detection={}), "missing_required_parameter", "session.audio.input.turn_detection.type"),
    (audio_input(turn_detection={"type": "none"}), "invalid_value", "session.audio.input.turn_detection.type"),
    (
        audio_input(turn_detection={"type": "semantic_vad", "eagerness": "x"}),
        "invalid_value",
        "session.audio.input.turn_detection.eagerness",
    ),
    (vad(threshold=1.1), "decimal_above_max_value", "session.audio.input.turn_detection.threshold"),
    (vad(threshold=-1), "decimal_below_min_value", "session.audio.input.turn_detection.threshold"),
    (vad(threshold="loud"), "invalid_type", "session.audio.input.turn_detection.threshold"),
    (vad(prefix_padding_ms=-1), "integer_below_min_value", "session.audio.input.turn_detection.prefix_padding_ms"),
    (vad(silence_duration_ms=0.5), "invalid_type", "session.audio.input.turn_detection.silence_duration_ms"),
    (vad(idle_timeout_ms=4999), "integer_below_min_value", "session.audio.input.turn_detection.idle_timeout_ms"),
    (vad(idle_timeout_ms=30001), "integer_above_max_value", "session.audio.input.turn_detection.idle_timeout_ms"),
    (vad(create_response=1), "invalid_type", "session.audio.input.turn_detection.create_response"),
    (vad(eagerness="low"), "unknown_parameter", "session.audio.input.turn_detection.eagerness"),
    (audio_input(noise_reduction={"type": "x"}), "invalid_value", "session.audio.input.noise_reduction.type"),
    (audio_input(transcription={}), "missing_required_parameter", "session.audio.input.transcription.model"),
    (audio_input(transcription={"model": ""}), "invalid_value", "session.audio.input.transcription.model"),
    (
        audio_input(transcription={"model": "m", "languages": []}),
        "invalid_value",
        "session.audio.input.transcription.languages",
    ),
    (
        audio_input(transcription={"model": "m", "delay": "long"}),
        "invalid_value",
        "session.audio.input.transcription.delay",
    ),
    (audio_output(voice="nobody"), "invalid_value", "session.audio.output.voice"),
    (audio_output(voice={"id": "voice_1"}), "invalid_value", "session.audio.output.voice"),
    (audio_output(speed=0.2), "decimal_below_min_value", "session.audio.output.speed"),
    (audio_output(speed=2), "decimal_above_max_value", "session.audio.output.speed"),
    # items
    ({"type": "conversation.item.create"}, "missing_required_parameter", "item"),
    (item(), "missing_required_parameter", "item.type"),
    (item(type="item_reference", id="item_1"), "invalid_value", "item.type"),
    (item(type="mcp_call", server_label="d", name="n"), "missing_required_parameter", "item.arguments"),
    (item(type="mcp_approval_response", approve=True), "missing_required_parameter", "item.approval_request_id"),
    (message("user", x=1), "unknown_parameter", "item.x"),
    (message("robot"), "invalid_value", "item.role"),
    (message("user", id=""), "invalid_value", "item.id"),
    (message("user", id="x" * 65), "invalid_value", "item.id"),
    (message("user", id="a\0b"), "invalid_value", "item.id"),
    (message("user", id="a\nb"), "invalid_value", "item.id"),
    (message("user", id="a\n"), "invalid_value", "item.id"),
    (message("user", status="failed"), "invalid_value", "item.status"),
    (item(type="message", role="user"), "missing_required_parameter", "item.content"),
    (item(type="message", role="user", content="hi"), "invalid_type", "item.content"),
    (message("user", None), "invalid_type", "item.content[0]"),
    (message("user", {"type": "input_text"}), "missing_required_parameter", "item.content[0].text"),
    (message("user", {"type": "input_text", "text": None}), "missing_required_parameter", "item.content[0].text"),
    (message("user", {"type": "input_text", "text": "a\0"}), "invalid_value", "item.content[0].text"),
    (message("user", {"type": "input_text", "text": "a", "x": 1}), "unknown_parameter", "item.content[0].x"),
    (message("user", {"type": "text", "text": "a"}), "invalid_value", "item.content[0].type"),
    (message("user", {"type": "output_text", "text": "a"}), "invalid_value", "item.content[0].type"),
    (message("system", {"type": "input_image", "image_url": "data:"}), "invalid_value", "item.content[0].type"),
    (message("user", {"type": "input_image", "image_url": "data:"}), "invalid_value", "item.content[0].image_url"),
    (message("user", {"type": "input_image", "image_url": HTTP_PICTURE}), "invalid_value", "item.content[0].image_url"),
    (message("user", {"type": "input_image", "image_url": GIF}), "invalid_value", "item.content[0].image_url"),
    (message("user", {"type": "input_image", "image_url": NO_PNG}), "invalid_value", "item.content[0].image_url"),
    (message("user", {"type": "input_image", "image_url": NO_BASE64}), "invalid_value", "item.content[0].image_url"),
    (message("user", {"type": "input_audio"}), "missing_required_parameter", "item.content[0].audio"),
    (message("user", {"type": "input_audio", "audio": "!"}), "invalid_value", "item.content[0].audio"),
    (message("system", {"type": "input_audio", "audio": "AAAA"}), "invalid_value", "item.content[0].type"),
    (message("assistant", {"type": "input_text", "text": "a"}), "invalid_value", "item.content[0].type"),
    (
        message("assistant", {"type": "output_audio", "audio": "AAAA"}),
        "missing_required_parameter",
        "item.content[0].transcript",
    ),
    (item(type="function_call", name="", arguments="{}"), "invalid_value", "item.name"),
    (item(type="function_call", name="f"), "missing_required_parameter", "item.arguments"),
    (item(type="function_call_output", output="x"), "missing_required_parameter", "item.call_id"),
    (item(type="function_call_output", call_id="c", output={"a": 1}), "invalid_value", "item.output"),
    # responses
    ({"type": "response.create", "response": []}, "invalid_type", "response"),
    (response(modalities=["text"]), "unknown_parameter", "response.modalities"),
    (response(temperature=1), "unknown_parameter", "response.temperature"),
    (response(output_modalities=["audio", "text"]), "invalid_value", "response.output_modalities"),
    (response(conversation="conv_1"), "invalid_value", "response.conversation"),
    (response(audio={"input": {}}), "unknown_parameter", "response.audio.input"),
    (response(audio={"output": {"speed": 1}}), "unknown_parameter", "response.audio.output.speed"),
    (response(audio={"output": {"voice": "nobody"}}), "invalid_value", "response.audio.output.voice"),
    (response(audio={"output": {"format": "pcm16"}}), "invalid_type", "response.audio.output.format"),
    (
        response(tools=[{"type": "mcp", "server_label": "d"}]),
        "missing_required_parameter",
        "response.tools[0].server_url",
    ),
    (response(vivavoce={"say": "a"}, instructions="b"), "invalid_value", "response.instructions"),
    (response(vivavoce={"say": "a"}, tools=[]), "invalid_value", "response.tools"),
    (response(vivavoce={"say": ""}), "invalid_value", "response.vivavoce.say"),
    (response(vivavoce={"sing": "a"}), "unknown_parameter", "response.vivavoce.sing"),
    (response(prompt={"id": ""}), "invalid_value", "response.prompt.id"),
    (response(input=[{"type": "item_reference"}]), "missing_required_parameter", "response.input[0].id"),
    (response(input=[{"type": "item_reference", "id": ""}]), "invalid_value", "response.input[0].id"),
    (response(input=[{"type": "mcp_call"}]), "missing_required_parameter", "response.input[0].server_label"),
    (
        response(input=[{"type": "message", "role": "user", "content": [{"type": "input_text"}]}]),
        "missing_required_parameter",
        "response.input[0].content[0].text",
    ),
    (
        response(input=[{"type": "message", "role": "system", "content": [{"type": "output_text", "text": "a"}]}]),
        "invalid_value",
        "response.input[0].content[0].type",
    ),
    (response(metadata={"k": 1}), "invalid_type", "response.metadata"),
    (response(metadata={"k": None}), "invalid_type", "response.metadata"),
    (response(metadata={str(n): "" for n in range(17)}), "invalid_value", "response.metadata"),
    (response(metadata={"k" * 65: ""}), "invalid_value", "response.metadata"),
    (response(metadata={"k": "v" * 513}), "invalid_value", "response.metadata.k"),
    ({"type": "response.cancel", "response_id": 3}, "invalid_type", "response_id"),
]


@pytest.mark.parametrize(("payload", "code", "param"), REJECTED, ids=[f"{code}-{at}" for _, code, at in REJECTED])
def test_a_mistake_gets_its_code_and_parameter(payload: Any, code: str, param: str) -> None:
    detail = rejection(payload)

    assert (detail.type, detail.code, detail.param) == ("invalid_request_error", code, param)
    assert len(detail.message) < 1000


TEXTS: list[tuple[Any, str]] = [
    (session(x=1), "Unknown parameter: 'session.x'."),
    ({"type": "session.update", "session": {}}, "Missing required parameter: 'session.type'."),
    (
        {"type": "nothing"},
        "Invalid value: 'nothing'. Supported values are: 'session.update', 'input_audio_buffer.append', "
        "'input_audio_buffer.commit', 'input_audio_buffer.clear', 'conversation.item.create', "
        "'conversation.item.retrieve', 'conversation.item.truncate', 'conversation.item.delete', 'response.create', "
        "'response.cancel' and 'output_audio_buffer.clear'.",
    ),
    (
        audio_output(voice="nobody"),
        "Invalid value: 'nobody'. Supported values are: 'alloy', 'ash', 'ballad', 'coral', 'echo', 'sage', 'shimmer', "
        "'verse', 'marin' and 'cedar'.",
    ),
    (
        audio_input(turn_detection={"type": "x"}),
        "Invalid value: 'x'. Supported values are: 'server_vad' and 'semantic_vad'.",
    ),
    (
        session(output_modalities=["text", "audio"]),
        "Invalid modalities: ['text', 'audio']. Supported combinations are: ['text'] and ['audio'].",
    ),
    (
        session(instructions=3),
        "Invalid type for 'session.instructions': expected a string, but got an integer instead.",
    ),
    (
        audio_input(format=3),
        "Invalid type for 'session.audio.input.format': expected a string or an object, but got an integer instead.",
    ),
    (
        session(max_output_tokens=5000),
        "Invalid 'session.max_output_tokens': integer above maximum value. "
        "Expected a value <= 4096, but got 5000 instead.",
    ),
    (
        session(tools=[{"type": "function", "name": "a b"}]),
        "Invalid 'session.tools[0].name': expected 1 to 64 letters, digits, underscores or hyphens.",
    ),
    (session(tools=[FUNCTION] * 129), "Invalid 'session.tools': expected at most 128 entries."),
    (message("user", id="x" * 65), "Invalid 'item.id': expected at most 64 characters."),
    (message("user", id="a\nb"), "Invalid 'item.id': expected a string without control characters."),
    ({"type": APPEND, "audio": "A"}, "Invalid 'audio': expected base64 (standard alphabet, padded)."),
    (
        item(type="function_call_output", call_id="c", output=3),
        "Invalid 'item.output': expected a string, but got an integer instead.",
    ),
    (
        session(tool_choice="f"),
        "Invalid value: 'f'. Supported values are: 'auto', 'none', 'required', 'function' and 'mcp'.",
    ),
]


@pytest.mark.parametrize(("payload", "text"), TEXTS)
def test_the_text_tells_what_was_expected_and_what_came(payload: Any, text: str) -> None:
    assert rejection(payload).message == text


@pytest.mark.parametrize(
    "payload",
    [
        {"type": "nothing", "event_id": "c1"},
        {"type": 3, "event_id": "c1"},
        {"event_id": "c1"},
        {"type": APPEND, "event_id": "c1"},
        session(x=1),
        audio_output(voice="nobody"),
        message("user", {"type": "input_text", "text": "\0"}),
        '{"type":"session.update","event_id":"c1","session":{"type":"realtime","tools":[1e999]}}',
    ],
)
def test_the_error_names_the_event_of_the_client(payload: Any) -> None:
    assert rejection(payload).event_id == "c1"


@pytest.mark.parametrize("event_id", [3, None, "x" * 513, ["c"]])
def test_an_event_id_that_is_none_is_not_repeated(event_id: Any) -> None:
    assert rejection({"type": "nothing", "event_id": event_id}).event_id is None


def test_a_long_value_is_not_repeated_in_full() -> None:
    assert len(rejection({"type": "x" * 1_000_000}).message) < 1000
    assert len(rejection(session(**{"x" * 1_000_000: 1})).param or "") < 300


def test_a_payload_with_a_mistake_and_very_many_values_is_not_read_twice() -> None:
    detail = rejection({"type": "session.update", "event_id": "c1", "session": {"tools": [{}] * 200_000}})

    assert (detail.code, detail.event_id) == ("invalid_event", "c1")
    assert "more than 250000 values" in detail.message


def test_a_number_that_no_decoder_holds_in_an_ignored_field_does_no_harm() -> None:
    assert accepted('{"type":"input_audio_buffer.commit","x":1e999}') == c.InputAudioBufferCommit()


def test_a_number_that_no_decoder_holds_beside_a_mistake_is_an_invalid_event() -> None:
    detail = rejection('{"type":"input_audio_buffer.commit","event_id":3,"x":1e999}')

    assert (detail.code, detail.message) == ("invalid_event", "Invalid event: a number is out of range.")


def test_unknown_fields_of_an_event_are_tolerated() -> None:
    assert accepted({"type": "input_audio_buffer.commit", "x": {"y": [1]}}) == c.InputAudioBufferCommit()


def test_the_keys_of_an_event_may_come_in_any_order() -> None:
    assert accepted('{"audio":"AAAA","event_id":"c","type":"input_audio_buffer.append"}') == c.InputAudioBufferAppend(
        event_id="c", audio=b"\0\0\0"
    )


def test_text_and_bytes_are_read_alike() -> None:
    payload = json.dumps(message("user", {"type": "input_text", "text": "é"}), ensure_ascii=False)

    assert decode_client_event(payload) == decode_client_event(payload.encode())


def test_nulls_mean_absent() -> None:
    event = accepted({"type": "response.create", "event_id": None, "response": {"instructions": None, "input": None}})

    assert event == accepted({"type": "response.create", "response": {}})


def test_nulls_in_a_replaced_object_give_its_defaults() -> None:
    event = accepted(vad(threshold=None, silence_duration_ms=None, create_response=None, eagerness=None))

    assert event.session.audio.input.turn_detection == ServerVad()


def test_nulls_for_keys_of_other_content_parts_are_dropped() -> None:
    part = {"type": "input_text", "text": "hi", "audio": None, "transcript": None, "image_url": None, "detail": None}

    assert accepted(message("user", part)).item.content == (InputText("hi"),)


def test_nulls_inside_a_tool_schema_are_kept() -> None:
    parameters = {"type": "object", "default": None, "minimum": 1.0}

    event = accepted(session(tool_choice=None, tools=[{**FUNCTION, "description": None, "parameters": parameters}]))

    assert json.dumps(event.session.tools[0].parameters) == json.dumps(parameters)


def test_a_whole_float_is_an_integer() -> None:
    event = accepted({**TRUNCATE, "content_index": 0.0, "audio_end_ms": 1500.0})

    assert (event.content_index, event.audio_end_ms) == (0, 1500)
    assert isinstance(event.audio_end_ms, int)


def test_a_whole_float_is_an_integer_in_a_union_too() -> None:
    event = accepted(session(max_output_tokens=100.0, audio={"input": {"format": {"type": "audio/pcm", "rate": 24e3}}}))

    assert event.session.max_output_tokens == 100
    assert isinstance(event.session.max_output_tokens, int)
    assert event.session.audio.input.format.rate == 24000


def test_a_whole_number_is_a_decimal() -> None:
    assert accepted(vad(threshold=1)).session.audio.input.turn_detection.threshold == 1.0


def test_numbers_of_server_vad_are_ignored_with_semantic_vad() -> None:
    update = accepted(audio_input(turn_detection={"type": "semantic_vad", "threshold": 0.5}))

    assert update.session.audio.input.turn_detection == SemanticVad()


def test_empty_audio_is_accepted() -> None:
    assert accepted({"type": APPEND, "audio": ""}) == c.InputAudioBufferAppend(audio=b"")


def test_fifteen_mebibytes_of_audio_are_accepted_and_one_byte_more_is_not() -> None:
    encoded = base64.b64encode(bytes(MAX_AUDIO_BYTES)).decode()

    event = accepted({"type": APPEND, "audio": encoded})
    detail = rejection({"type": APPEND, "audio": encoded + "AA=="})

    assert len(event.audio) == MAX_AUDIO_BYTES == 15 * 1024 * 1024
    assert detail.code == "invalid_value"
    assert detail.message == "Invalid 'audio': expected at most 15728640 decoded bytes."


def test_long_text_beside_something_tolerated_is_accepted() -> None:
    text = "x" * 10_000_000

    assert accepted(message("user", {"type": "input_text", "text": text, "audio": None})).item.content[0].text == text


def test_the_limits_themselves_are_accepted() -> None:
    instructions = "é" * (MAX_INSTRUCTIONS_BYTES // 2)
    metadata = {f"{n:064d}": "v" * 512 for n in range(16)}

    assert accepted(session(instructions=instructions)).session.instructions == instructions
    assert len(accepted(session(tools=[FUNCTION] * 128)).session.tools) == 128
    assert accepted(response(metadata=metadata)).response.metadata == metadata
    assert accepted(message("user", id="x" * 64)).item.id == "x" * 64
    assert accepted(session(tools=[{**FUNCTION, "parameters": nested(64)}])).session.tools[0].parameters == nested(64)
    assert accepted({"type": "input_audio_buffer.clear", "event_id": "x" * 512}).event_id == "x" * 512


def test_an_escaped_backslash_before_u0000_is_no_nul() -> None:
    assert accepted(session(instructions="\\u0000")).session.instructions == "\\u0000"


def test_a_nul_in_an_ignored_field_does_no_harm() -> None:
    assert accepted({"type": "input_audio_buffer.clear", "x": "\0"}) == c.InputAudioBufferClear()


def test_an_update_of_a_transcription_session_is_readable() -> None:
    event = accepted({"type": "session.update", "session": {"type": "transcription"}})

    assert event.session == SessionPatch(type="transcription")


def test_assistant_audio_is_stored_as_its_transcript() -> None:
    part = {"type": "output_audio", "transcript": "hello", "audio": "AAAA"}

    assert accepted(message("assistant", part)).item.content == (OutputText("hello"),)


def test_client_items_are_completed() -> None:
    event = accepted(message("user", status="in_progress"))

    assert event.item == Message(role="user", content=(), status="completed")


def test_what_a_client_leaves_out_of_an_item_is_empty() -> None:
    event = accepted(item(type="function_call", name="f", arguments="{}", id=None, call_id=None, status=None))

    assert event.item == FunctionCall(id="", call_id="", name="f", arguments="{}", status="completed")


def test_voices_of_the_engine_replace_the_known_ones() -> None:
    payload = json.dumps(audio_output(voice="slt"))

    event = decode_client_event(payload, voices=("slt", "rms"))

    assert isinstance(event, c.SessionUpdate)
    with pytest.raises(ClientError, match="'slt' and 'rms'"):
        decode_client_event(json.dumps(audio_output(voice="alloy")), voices=("slt", "rms"))
