"""Pairs for the rows of the beta reference about fields: of sessions, of `response.create`, and about items.

Values are what stands under a name in a flat object, and what stands in the canonical one.
"""

from typing import Any, Literal, NamedTuple

Json = Any  # JSON boundary
Ways = Literal["both", "to_ga", "to_beta"]

PCM = {"type": "audio/pcm", "rate": 24000}
ULAW = {"type": "audio/pcmu"}
ALAW = {"type": "audio/pcma"}
FUNCTION = {"type": "function", "name": "f", "description": "d", "parameters": {"type": "object"}}
MCP = {"type": "mcp", "server_label": "s", "server_url": "https://example.invalid"}
PICTURE = "data:image/png;base64,iVBORw0KGgo="


class Fields(NamedTuple):
    """What is said in both objects, and which ways it is translated so."""

    row: str
    beta: Json
    ga: Json
    ways: Ways = "both"


def audio_input(**fields: Json) -> Json:
    return {"audio": {"input": fields}}


def audio_output(**fields: Json) -> Json:
    return {"audio": {"output": fields}}


SHARED: list[Fields] = [
    Fields("modalities: speech", {"modalities": ["audio", "text"]}, {"output_modalities": ["audio"]}),
    Fields("modalities: order", {"modalities": ["text", "audio"]}, {"output_modalities": ["audio"]}, "to_ga"),
    Fields("modalities: audio alone", {"modalities": ["audio"]}, {"output_modalities": ["audio"]}, "to_ga"),
    Fields("modalities: text", {"modalities": ["text"]}, {"output_modalities": ["text"]}),
    Fields("instructions", {"instructions": "Be brief."}, {"instructions": "Be brief."}),
    Fields("tools", {"tools": [FUNCTION]}, {"tools": [FUNCTION]}),
    Fields("tools: no type", {"tools": [{"name": "f"}]}, {"tools": [{"type": "function", "name": "f"}]}, "to_ga"),
    Fields("tools: MCP", {"tools": [MCP]}, {"tools": [MCP]}),
    Fields("tool_choice: word", {"tool_choice": "required"}, {"tool_choice": "required"}),
    Fields("tool_choice: bare", {"tool_choice": "f"}, {"tool_choice": {"type": "function", "name": "f"}}, "to_ga"),
    Fields(
        "tool_choice: function",
        {"tool_choice": {"type": "function", "name": "f"}},
        {"tool_choice": {"type": "function", "name": "f"}},
    ),
    Fields(
        "tool_choice: nested",
        {"tool_choice": {"type": "function", "function": {"name": "f"}}},
        {"tool_choice": {"type": "function", "name": "f"}},
        "to_ga",
    ),
    Fields(
        "tool_choice: name in function",
        {"tool_choice": {"type": "function", "function": "f"}},
        {"tool_choice": {"type": "function", "name": "f"}},
        "to_ga",
    ),
    Fields(
        "tool_choice: MCP", {"tool_choice": "auto"}, {"tool_choice": {"type": "mcp", "server_label": "s"}}, "to_beta"
    ),
    Fields("voice", {"voice": "ash"}, audio_output(voice="ash")),
    Fields("voice: custom", {"voice": "voice_1"}, audio_output(voice={"id": "voice_1"}), "to_beta"),
    Fields("output_audio_format: pcm16", {"output_audio_format": "pcm16"}, audio_output(format=PCM)),
    Fields("output_audio_format: g711_ulaw", {"output_audio_format": "g711_ulaw"}, audio_output(format=ULAW)),
    Fields("output_audio_format: g711_alaw", {"output_audio_format": "g711_alaw"}, audio_output(format=ALAW)),
    Fields(
        "output_audio_format: no rate",
        {"output_audio_format": "pcm16"},
        audio_output(format={"type": "audio/pcm"}),
        "to_beta",
    ),
    Fields("temperature", {"temperature": 0.9}, {}, "to_ga"),
    Fields("parallel_tool_calls", {}, {"parallel_tool_calls": True}, "to_beta"),
    Fields("reasoning", {}, {"reasoning": {"effort": "low"}}, "to_beta"),
    Fields("prompt", {"prompt": {"id": "pmpt_1"}}, {"prompt": {"id": "pmpt_1"}}),
]

INPUT: list[Fields] = [
    Fields("input_audio_format: pcm16", {"input_audio_format": "pcm16"}, audio_input(format=PCM)),
    Fields("input_audio_format: g711_ulaw", {"input_audio_format": "g711_ulaw"}, audio_input(format=ULAW)),
    Fields("input_audio_format: g711_alaw", {"input_audio_format": "g711_alaw"}, audio_input(format=ALAW)),
    Fields(
        "input_audio_transcription",
        {"input_audio_transcription": {"model": "whisper-1", "language": "en", "prompt": "x"}},
        audio_input(transcription={"model": "whisper-1", "language": "en", "prompt": "x"}),
    ),
    Fields("input_audio_transcription: off", {"input_audio_transcription": None}, audio_input(transcription=None)),
    Fields(
        "input_audio_transcription: later members",
        {"input_audio_transcription": {"model": "m", "languages": ["en"], "keywords": ["k"], "delay": "low"}},
        audio_input(transcription={"model": "m", "languages": ["en"], "keywords": ["k"], "delay": "low"}),
    ),
    Fields(
        "input_audio_noise_reduction",
        {"input_audio_noise_reduction": {"type": "near_field"}},
        audio_input(noise_reduction={"type": "near_field"}),
    ),
    Fields(
        "turn_detection",
        {"turn_detection": {"type": "server_vad", "threshold": 0.4}},
        audio_input(turn_detection={"type": "server_vad", "threshold": 0.4}),
    ),
    Fields(
        "turn_detection: semantic",
        {"turn_detection": {"type": "semantic_vad", "eagerness": "low"}},
        audio_input(turn_detection={"type": "semantic_vad", "eagerness": "low"}),
    ),
    Fields(
        "turn_detection: idle timeout",
        {"turn_detection": {"type": "server_vad", "idle_timeout_ms": 6000}},
        audio_input(turn_detection={"type": "server_vad", "idle_timeout_ms": 6000}),
    ),
    Fields(
        "turn_detection: no type",
        {"turn_detection": {"threshold": 0.4}},
        audio_input(turn_detection={"type": "server_vad", "threshold": 0.4}),
        "to_ga",
    ),
    Fields("turn_detection: null", {"turn_detection": None}, audio_input(turn_detection=None)),
    Fields("turn_detection: none", {"turn_detection": {"type": "none"}}, audio_input(turn_detection=None), "to_ga"),
    Fields(
        "include",
        {"include": ["item.input_audio_transcription.logprobs"]},
        {"include": ["item.input_audio_transcription.logprobs"]},
    ),
    Fields("client_secret", {"client_secret": {"expires_after": {"anchor": "created_at"}}}, {}, "to_ga"),
]

SESSION: list[Fields] = [
    *SHARED,
    *INPUT,
    Fields("model", {"model": "m"}, {"model": "m"}),
    Fields("speed", {"speed": 1.5}, audio_output(speed=1.5)),
    Fields("max_response_output_tokens", {"max_response_output_tokens": 100}, {"max_output_tokens": 100}),
    Fields("max_response_output_tokens: inf", {"max_response_output_tokens": "inf"}, {"max_output_tokens": "inf"}),
    Fields("tracing", {"tracing": {"workflow_name": "w"}}, {"tracing": {"workflow_name": "w"}}),
    Fields("truncation", {"truncation": "disabled"}, {"truncation": "disabled"}),
    Fields("unknown", {"later_field": {"a": [1]}}, {"later_field": {"a": [1]}}),
    Fields("unknown in audio", {"audio": {"output": {"later": 1}}}, audio_output(later=1), "to_beta"),
]

RESPONSE: list[Fields] = [
    *SHARED,
    Fields("max_output_tokens", {"max_output_tokens": 100}, {"max_output_tokens": 100}),
    Fields("max_response_output_tokens", {"max_response_output_tokens": 100}, {"max_output_tokens": 100}, "to_ga"),
    Fields(
        "max_output_tokens wins",
        {"max_output_tokens": 1, "max_response_output_tokens": 2},
        {"max_output_tokens": 1},
        "to_ga",
    ),
    Fields("conversation", {"conversation": "none"}, {"conversation": "none"}),
    Fields("metadata", {"metadata": {"k": "v"}}, {"metadata": {"k": "v"}}),
    Fields(
        "input: item reference",
        {"input": [{"type": "item_reference", "id": "item_1"}]},
        {"input": [{"type": "item_reference", "id": "item_1"}]},
    ),
    Fields(
        "input: reference as a part",
        {"input": [{"type": "message", "role": "user", "content": [{"type": "item_reference", "id": "item_1"}]}]},
        {"input": [{"type": "item_reference", "id": "item_1"}]},
        "to_ga",
    ),
    Fields(
        "input: items",
        {"input": [{"type": "message", "role": "assistant", "content": [{"type": "text", "text": "a"}]}]},
        {"input": [{"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "a"}]}]},
    ),
]


def message(role: str, *content: Json, **more: Json) -> Json:
    return {"type": "message", "role": role, "content": list(content), **more}


ITEMS: list[Fields] = [
    Fields(
        "assistant text",
        message("assistant", {"type": "text", "text": "a"}),
        message("assistant", {"type": "output_text", "text": "a"}),
    ),
    Fields(
        "assistant input_text of early clients",
        message("assistant", {"type": "input_text", "text": "a"}),
        message("assistant", {"type": "output_text", "text": "a"}),
        "to_ga",
    ),
    Fields(
        "assistant audio",
        message("assistant", {"type": "audio", "transcript": "a"}),
        message("assistant", {"type": "output_audio", "transcript": "a"}),
    ),
    Fields(
        "user text",
        message("user", {"type": "input_text", "text": "a"}),
        message("user", {"type": "input_text", "text": "a"}),
    ),
    Fields(
        "user audio",
        message("user", {"type": "input_audio", "audio": "AAAA", "transcript": None}),
        message("user", {"type": "input_audio", "audio": "AAAA", "transcript": None}),
    ),
    Fields(
        "user image",
        message("user", {"type": "input_image", "image_url": PICTURE}),
        message("user", {"type": "input_image", "image_url": PICTURE}),
    ),
    Fields(
        "system text",
        message("system", {"type": "input_text", "text": "a"}),
        message("system", {"type": "input_text", "text": "a"}),
    ),
    Fields(
        "phase",
        message("assistant", {"type": "text", "text": "a"}, phase="commentary"),
        message("assistant", {"type": "output_text", "text": "a"}, phase="commentary"),
    ),
    Fields(
        "function call",
        {"type": "function_call", "name": "f", "call_id": "call_1", "arguments": "{}"},
        {"type": "function_call", "name": "f", "call_id": "call_1", "arguments": "{}"},
    ),
    Fields(
        "function output",
        {"type": "function_call_output", "call_id": "call_1", "output": "1"},
        {"type": "function_call_output", "call_id": "call_1", "output": "1"},
    ),
    Fields(
        "MCP approval",
        {"type": "mcp_approval_response", "id": "i", "approval_request_id": "r", "approve": True},
        {"type": "mcp_approval_response", "id": "i", "approval_request_id": "r", "approve": True},
    ),
]
