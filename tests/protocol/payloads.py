"""Client payloads for properties and fuzzing: valid ones, mutated ones and plain rubbish."""

import json
from typing import Any, Final

from hypothesis import strategies as st

FULL_SESSION: Final[dict[str, Any]] = {
    "type": "realtime",
    "model": "gpt-realtime",
    "output_modalities": ["audio"],
    "instructions": "Be brief.",
    "tools": [
        {"type": "function", "name": "weather", "description": "w", "parameters": {"type": "object", "default": None}}
    ],
    "tool_choice": {"type": "function", "name": "weather"},
    "max_output_tokens": 100,
    "tracing": {"workflow_name": "w", "group_id": "g", "metadata": {"a": 1.0}},
    "truncation": {"type": "retention_ratio", "retention_ratio": 0.5, "token_limits": {"post_instructions": 1000}},
    "prompt": None,
    "audio": {
        "input": {
            "format": {"type": "audio/pcm", "rate": 24000},
            "transcription": {"model": "whisper-1", "language": "en", "prompt": "names"},
            "noise_reduction": None,
            "turn_detection": {
                "type": "server_vad",
                "threshold": 0.5,
                "prefix_padding_ms": 300,
                "silence_duration_ms": 500,
                "idle_timeout_ms": 5000,
                "create_response": True,
                "interrupt_response": False,
            },
        },
        "output": {"format": {"type": "audio/pcmu"}, "voice": "cedar", "speed": 1.5},
    },
    "include": ["item.input_audio_transcription.logprobs"],
    "parallel_tool_calls": True,
    "reasoning": {"effort": "low"},
}
USER_ITEM: Final[dict[str, Any]] = {
    "type": "message",
    "role": "user",
    "id": "mine",
    "status": "completed",
    "content": [{"type": "input_text", "text": "hi"}, {"type": "input_audio", "audio": "AAAA", "transcript": None}],
}
FULL_RESPONSE: Final[dict[str, Any]] = {
    "output_modalities": ["text"],
    "instructions": "Say hello.",
    "tools": FULL_SESSION["tools"],
    "tool_choice": "required",
    "parallel_tool_calls": False,
    "reasoning": {"effort": "high"},
    "max_output_tokens": "inf",
    "audio": {"output": {"format": {"type": "audio/pcma"}, "voice": "ash"}},
    "conversation": "none",
    "input": [{"type": "item_reference", "id": "item_1"}, USER_ITEM],
    "metadata": {"client_event_id": "c"},
}
VALID_EVENTS: Final[tuple[dict[str, Any], ...]] = (
    {"type": "session.update", "event_id": "c", "session": FULL_SESSION},
    {"type": "input_audio_buffer.append", "event_id": "c", "audio": "AAEC"},
    {"type": "input_audio_buffer.commit", "event_id": "c"},
    {"type": "input_audio_buffer.clear", "event_id": "c"},
    {"type": "conversation.item.create", "event_id": "c", "previous_item_id": "root", "item": USER_ITEM},
    {
        "type": "conversation.item.create",
        "event_id": "c",
        "item": {"type": "message", "role": "system", "content": [{"type": "input_text", "text": "hi"}]},
    },
    {
        "type": "conversation.item.create",
        "event_id": "c",
        "item": {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "hi"}]},
    },
    {
        "type": "conversation.item.create",
        "event_id": "c",
        "item": {"type": "function_call", "name": "weather", "call_id": "call_1", "arguments": "{}"},
    },
    {
        "type": "conversation.item.create",
        "event_id": "c",
        "item": {"type": "function_call_output", "call_id": "call_1", "output": "{}"},
    },
    {"type": "conversation.item.retrieve", "event_id": "c", "item_id": "item_1"},
    {
        "type": "conversation.item.truncate",
        "event_id": "c",
        "item_id": "item_1",
        "content_index": 0,
        "audio_end_ms": 1500,
    },
    {"type": "conversation.item.delete", "event_id": "c", "item_id": "item_1"},
    {"type": "response.create", "event_id": "c", "response": FULL_RESPONSE},
    {"type": "response.cancel", "event_id": "c", "response_id": "resp_1"},
    {"type": "output_audio_buffer.clear", "event_id": "c"},
)

# What breaks naive readers, as JSON text.
AWKWARD_JSON: Final = (
    "null",
    "true",
    "0",
    "-1",
    "1.0",
    "1.5",
    "1e999",
    "-0.0",
    "NaN",
    "Infinity",
    "9" * 30,
    "9" * 5000,
    '""',
    '"inf"',
    '"\\u0000"',
    '"\\ud800"',
    '"\ud800"',
    '"AA="',
    '"mcp"',
    '"semantic_vad"',
    "[]",
    "{}",
    "[" * 2000 + "]" * 2000,
    '{"a":' * 100 + "1" + "}" * 100,
    "[null]",
    '[{"type":"input_image","image_url":"x"}]',
    '{"type":"mcp","server_label":"x"}',
    '{"id":"x"}',
    '"' + "x" * 600 + '"',
)
JSON_VALUES: Final = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=20,
)

_MARK: Final = "@mutation@"


def _places(value: Any, place: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [place, *(deeper for key, member in members for deeper in _places(member, (*place, key)))]


def _marked(value: Any, place: tuple[str | int, ...]) -> Any:
    if not place:
        return _MARK
    members = value.items() if isinstance(value, dict) else enumerate(value)
    changed = {key: _marked(member, place[1:]) if key == place[0] else member for key, member in members}
    return changed if isinstance(value, dict) else list(changed.values())


@st.composite
def mutated_events(draw: st.DrawFn) -> str:
    """Draw a valid event with one value, anywhere, replaced by an awkward or arbitrary one."""
    event = draw(st.sampled_from(VALID_EVENTS))
    place = draw(st.sampled_from(_places(event)))
    replacement = draw(st.sampled_from(AWKWARD_JSON) | JSON_VALUES.map(json.dumps))
    return json.dumps(_marked(event, place)).replace(f'"{_MARK}"', replacement)


@st.composite
def damaged_payloads(draw: st.DrawFn) -> bytes:
    """Draw the bytes of a mutated event with a stretch of them overwritten, cut or doubled."""
    payload = draw(mutated_events()).encode("utf-8", "surrogatepass")
    start = draw(st.integers(0, len(payload)))
    end = draw(st.integers(start, min(len(payload), start + 40)))
    return payload[:start] + draw(st.binary(max_size=8) | st.just(payload[start:end] * 2)) + payload[end:]


def any_payloads() -> st.SearchStrategy[bytes | str]:
    """Draw whatever a peer may put into a message."""
    return st.one_of(
        st.binary(max_size=200),
        st.text(st.characters(), max_size=200),
        JSON_VALUES.map(json.dumps),
        mutated_events(),
        damaged_payloads(),
    )
