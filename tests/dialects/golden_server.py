"""Pairs for the rows of the beta reference about server events: one of ours, and what a beta client gets for it.

`ways` says whether a beta upstream's event gives ours back in the same way.
"""

from typing import NamedTuple

from tests.dialects.golden_fields import ALAW, FUNCTION, ITEMS, PCM, Json, Ways

MODEL = "gpt-4o-realtime-preview"
DETECTION = {
    "type": "server_vad",
    "threshold": 0.5,
    "prefix_padding_ms": 300,
    "silence_duration_ms": 500,
    "idle_timeout_ms": None,
    "create_response": True,
    "interrupt_response": True,
}
SESSION: Json = {
    "type": "realtime",
    "object": "realtime.session",
    "id": "sess_1",
    "model": MODEL,
    "output_modalities": ["audio"],
    "instructions": "Be brief.",
    "tools": [FUNCTION],
    "tool_choice": "auto",
    "max_output_tokens": "inf",
    "tracing": None,
    "truncation": "auto",
    "prompt": None,
    "expires_at": 7,
    "audio": {
        "input": {"format": PCM, "transcription": None, "noise_reduction": None, "turn_detection": DETECTION},
        "output": {"format": PCM, "voice": "alloy", "speed": 1.0},
    },
    "include": None,
}
FLAT: Json = {
    "object": "realtime.session",
    "id": "sess_1",
    "model": MODEL,
    "expires_at": 7,
    "modalities": ["audio", "text"],
    "instructions": "Be brief.",
    "voice": "alloy",
    "input_audio_format": "pcm16",
    "output_audio_format": "pcm16",
    "input_audio_transcription": None,
    "turn_detection": DETECTION,
    "input_audio_noise_reduction": None,
    "tools": [FUNCTION],
    "tool_choice": "auto",
    "temperature": 0.8,
    "max_response_output_tokens": "inf",
    "speed": 1.0,
    "tracing": None,
    "truncation": "auto",
    "prompt": None,
    "include": None,
    "client_secret": None,
}
TRANSCRIPTION: Json = {
    "type": "transcription",
    "object": "realtime.transcription_session",
    "id": "sess_1",
    "expires_at": 7,
    "audio": {
        "input": {
            "format": ALAW,
            "transcription": {"model": "whisper-1", "language": "en", "prompt": None},
            "noise_reduction": {"type": "far_field"},
            "turn_detection": DETECTION,
        }
    },
    "include": None,
}
FLAT_TRANSCRIPTION: Json = {
    "object": "realtime.transcription_session",
    "id": "sess_1",
    "expires_at": 7,
    "modalities": ["text"],
    "input_audio_format": "g711_alaw",
    "input_audio_transcription": {"model": "whisper-1", "language": "en", "prompt": None},
    "turn_detection": DETECTION,
    "input_audio_noise_reduction": {"type": "far_field"},
    "include": None,
    "client_secret": None,
}
USAGE = {
    "total_tokens": 3,
    "input_tokens": 1,
    "output_tokens": 2,
    "input_token_details": {"text_tokens": 1, "audio_tokens": 0, "cached_tokens": 0},
    "output_token_details": {"text_tokens": 2, "audio_tokens": 0},
}
SPOKEN = {"id": "item_2", "type": "message", "status": "completed", "role": "assistant"}
RESPONSE: Json = {
    "object": "realtime.response",
    "id": "resp_1",
    "status": "completed",
    "status_details": None,
    "output": [{**SPOKEN, "content": [{"type": "output_audio", "transcript": "a"}]}],
    "conversation_id": "conv_1",
    "output_modalities": ["audio"],
    "max_output_tokens": "inf",
    "audio": {"output": {"format": PCM, "voice": "alloy"}},
    "usage": USAGE,
    "metadata": {"k": "v"},
}
BETA_RESPONSE: Json = {
    "object": "realtime.response",
    "id": "resp_1",
    "status": "completed",
    "status_details": None,
    "output": [{**SPOKEN, "object": "realtime.item", "content": [{"type": "audio", "transcript": "a"}]}],
    "conversation_id": "conv_1",
    "modalities": ["audio", "text"],
    "max_output_tokens": "inf",
    "voice": "alloy",
    "output_audio_format": "pcm16",
    "temperature": 0.8,
    "usage": USAGE,
    "metadata": {"k": "v"},
}
OPEN: Json = {"status": "in_progress", "output": [], "usage": None, "metadata": None}
PART = {"response_id": "resp_1", "item_id": "item_2", "output_index": 0, "content_index": 0}
CALL = {"response_id": "resp_1", "item_id": "item_2", "output_index": 0, "call_id": "call_1"}
TRANSCRIPT = {"item_id": "item_1", "content_index": 0}
MCP_CALL = {
    "id": "item_9",
    "type": "mcp_call",
    "server_label": "s",
    "name": "f",
    "arguments": "{}",
    "approval_request_id": None,
    "output": None,
    "error": None,
}
MCP_LIST = {"id": "item_8", "type": "mcp_list_tools", "server_label": "s", "tools": []}


class ServerPair(NamedTuple):
    """One event of ours, and the beta's for it; without their `event_id`."""

    row: str
    ga: Json
    beta: list[Json]
    ways: Ways = "both"


def _same(event: Json) -> ServerPair:
    return ServerPair(event["type"], event, [event])


def _error(param: str | None, message: str, beta_param: str | None, beta_message: str, **more: Json) -> ServerPair:
    body = {"type": "invalid_request_error", "code": "invalid_value", "event_id": "e1", **more}
    return ServerPair(
        f"error: {param}",
        {"type": "error", "error": {**body, "message": message, "param": param}},
        [{"type": "error", "error": {**body, "message": beta_message, "param": beta_param}}],
    )


def _item(body: Json) -> Json:
    return {"id": "item_1", "status": "completed", **body}


SERVER: list[ServerPair] = [
    ServerPair(
        "session.created",
        {"type": "session.created", "session": SESSION},
        [
            {"type": "session.created", "session": FLAT},
            {"type": "conversation.created", "conversation": {"id": "conv_1", "object": "realtime.conversation"}},
        ],
    ),
    ServerPair(
        "session.updated",
        {"type": "session.updated", "session": SESSION},
        [{"type": "session.updated", "session": FLAT}],
    ),
    ServerPair(
        "transcription_session.created",
        {"type": "session.created", "session": TRANSCRIPTION},
        [{"type": "transcription_session.created", "session": FLAT_TRANSCRIPTION}],
    ),
    ServerPair(
        "transcription_session.updated",
        {"type": "session.updated", "session": TRANSCRIPTION},
        [{"type": "transcription_session.updated", "session": FLAT_TRANSCRIPTION}],
    ),
    *(
        ServerPair(
            f"conversation.item.added: {row}",
            {"type": "conversation.item.added", "previous_item_id": None, "item": _item(ga)},
            [
                {
                    "type": "conversation.item.created",
                    "previous_item_id": None,
                    "item": {"object": "realtime.item", **_item(beta)},
                }
            ],
            "to_beta",  # the other way `conversation.item.done` follows, see the conversations
        )
        for row, beta, ga, ways in ITEMS
        if ways == "both"
    ),
    ServerPair(
        "conversation.item.done",
        {"type": "conversation.item.done", "previous_item_id": None, "item": _item(ITEMS[0].ga)},
        [],
        "to_beta",
    ),
    ServerPair(
        "conversation.item.retrieved",
        {"type": "conversation.item.retrieved", "item": _item(ITEMS[2].ga)},
        [{"type": "conversation.item.retrieved", "item": {"object": "realtime.item", **_item(ITEMS[2].beta)}}],
    ),
    *map(
        _same,
        [
            {"type": "conversation.item.deleted", "item_id": "item_1"},
            {"type": "conversation.item.truncated", "item_id": "item_1", "content_index": 0, "audio_end_ms": 5},
            {
                "type": "conversation.item.input_audio_transcription.completed",
                **TRANSCRIPT,
                "transcript": "a",
                "usage": {"type": "duration", "seconds": 1.2},
            },
            {"type": "conversation.item.input_audio_transcription.delta", **TRANSCRIPT, "delta": "a"},
            {
                "type": "conversation.item.input_audio_transcription.failed",
                **TRANSCRIPT,
                "error": {"type": "server_error", "code": None, "message": "m"},
            },
            {
                "type": "conversation.item.input_audio_transcription.segment",
                **TRANSCRIPT,
                "id": "seg_1",
                "text": "a",
                "speaker": "A",
                "start": 0.0,
                "end": 1.0,
            },
            {"type": "input_audio_buffer.committed", "previous_item_id": None, "item_id": "item_1"},
            {"type": "input_audio_buffer.cleared"},
            {"type": "input_audio_buffer.speech_started", "audio_start_ms": 1, "item_id": "item_1"},
            {"type": "input_audio_buffer.speech_stopped", "audio_end_ms": 2, "item_id": "item_1"},
            {"type": "output_audio_buffer.started", "response_id": "resp_1"},
            {"type": "output_audio_buffer.stopped", "response_id": "resp_1"},
            {"type": "output_audio_buffer.cleared", "response_id": "resp_1"},
            {"type": "mcp_list_tools.in_progress", "item_id": "item_8"},
            {"type": "mcp_list_tools.completed", "item_id": "item_8"},
            {"type": "mcp_list_tools.failed", "item_id": "item_8"},
            {
                "type": "response.mcp_call_arguments.delta",
                "response_id": "resp_1",
                "item_id": "item_9",
                "output_index": 0,
                "delta": "{",
                "obfuscation": "",
            },
            {
                "type": "response.mcp_call_arguments.done",
                "response_id": "resp_1",
                "item_id": "item_9",
                "output_index": 0,
                "arguments": "{}",
            },
            {"type": "response.mcp_call.in_progress", "item_id": "item_9", "output_index": 0},
            {"type": "response.mcp_call.completed", "item_id": "item_9", "output_index": 0},
            {"type": "response.mcp_call.failed", "item_id": "item_9", "output_index": 0},
            {
                "type": "rate_limits.updated",
                "rate_limits": [{"name": "tokens", "limit": 9, "remaining": 8, "reset_seconds": 0.5}],
            },
            {"type": "response.content_part.added", **PART, "part": {"type": "audio", "transcript": ""}},
            {"type": "response.content_part.done", **PART, "part": {"type": "text", "text": "a"}},
            {"type": "response.function_call_arguments.delta", **CALL, "delta": "{"},
            {"type": "response.function_call_arguments.done", **CALL, "name": "f", "arguments": "{}"},
            {"type": "later.event", "session": {"output_modalities": ["audio"]}},
        ],
    ),
    ServerPair(
        "input_audio_buffer.timeout_triggered",
        {"type": "input_audio_buffer.timeout_triggered", "audio_start_ms": 0, "audio_end_ms": 1, "item_id": "item_1"},
        [],
        "to_beta",
    ),
    ServerPair(
        "input_audio_buffer.dtmf_event_received",
        {"type": "input_audio_buffer.dtmf_event_received", "event": "5", "received_at": 1},
        [],
        "to_beta",
    ),
    ServerPair(
        "response.created",
        {"type": "response.created", "response": {**RESPONSE, **OPEN}},
        [{"type": "response.created", "response": {**BETA_RESPONSE, **OPEN}}],
    ),
    ServerPair(
        "response.done",
        {"type": "response.done", "response": RESPONSE},
        [{"type": "response.done", "response": BETA_RESPONSE}],
    ),
    *(
        ServerPair(
            f"{type_}: {item['type']}",
            {"type": type_, "response_id": "resp_1", "output_index": 0, "item": item},
            [
                {
                    "type": type_,
                    "response_id": "resp_1",
                    "output_index": 0,
                    "item": {**item, "object": "realtime.item"},
                }
            ],
        )
        for type_ in ("response.output_item.added", "response.output_item.done")
        for item in (
            {**SPOKEN, "content": []},
            {
                "id": "item_2",
                "type": "function_call",
                "status": "in_progress",
                "name": "f",
                "call_id": "call_1",
                "arguments": "",
            },
            MCP_CALL,
            MCP_LIST,
        )
    ),
    *(
        ServerPair(ga, {"type": ga, **PART, **body}, [{"type": beta, **PART, **body}])
        for ga, beta, body in (
            ("response.output_text.delta", "response.text.delta", {"delta": "a"}),
            ("response.output_text.done", "response.text.done", {"text": "a"}),
            ("response.output_audio.delta", "response.audio.delta", {"delta": "AAAA"}),
            ("response.output_audio.done", "response.audio.done", {}),
            ("response.output_audio_transcript.delta", "response.audio_transcript.delta", {"delta": "a"}),
            ("response.output_audio_transcript.done", "response.audio_transcript.done", {"transcript": "a"}),
        )
    ),
    _error(None, "m", None, "m"),
    _error("session.tools[0].name", "m", "session.tools[0].name", "m"),
    _error(
        "session.audio.input.turn_detection",
        "Invalid 'session.audio.input.turn_detection': x.",
        "session.turn_detection",
        "Invalid 'session.turn_detection': x.",
    ),
    _error(
        "session.audio.input.turn_detection.prefix_padding",
        "Unknown parameter: 'session.audio.input.turn_detection.prefix_padding'.",
        "session.turn_detection.prefix_padding",
        "Unknown parameter: 'session.turn_detection.prefix_padding'.",
        code="unknown_parameter",
    ),
    _error("response.audio.output.voice", "m", "response.voice", "m"),
    _error("session.max_output_tokens", "m", "session.max_response_output_tokens", "m"),
    _error("response.max_output_tokens", "m", "response.max_output_tokens", "m"),
]
