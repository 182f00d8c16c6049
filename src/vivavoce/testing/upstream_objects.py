"""Session and response objects of a scripted upstream, in the key order of recorded ones."""

import copy
from collections.abc import Iterable
from typing import Any, Final

from vivavoce.testing.upstream_replies import Json

EXPIRES_AT: Final = 4_000_000_000  # plus the connection's number: no client of a relay may see it

SERVER_VAD: Final[Json] = {
    "type": "server_vad",
    "threshold": 0.5,
    "prefix_padding_ms": 300,
    "silence_duration_ms": 200,
    "idle_timeout_ms": None,
    "create_response": True,
    "interrupt_response": True,
}
SEMANTIC_VAD: Final[Json] = {
    "type": "semantic_vad",
    "eagerness": "auto",
    "create_response": True,
    "interrupt_response": True,
}
PCM: Final[Json] = {"type": "audio/pcm", "rate": 24000}
OUTPUT_ONLY: Final = ("id", "object", "expires_at", "model")


def new_session(number: int, model: str, kind: str) -> Json:
    """Return the session that connection `number` starts with; `kind` is its type."""
    listening = {"format": dict(PCM), "transcription": None, "noise_reduction": None}
    head = {"type": kind, "id": f"sess_up{number}", "expires_at": EXPIRES_AT + number, "include": None}
    if kind == "transcription":
        audio: Json = {"input": {**listening, "turn_detection": dict(SERVER_VAD)}}
        return {**head, "object": "realtime.transcription_session", "audio": audio}
    return {
        **head,
        "object": "realtime.session",
        "model": model,
        "output_modalities": ["audio"],
        "instructions": "The upstream's own instructions.",
        "tools": [],
        "tool_choice": "auto",
        "max_output_tokens": "inf",
        "tracing": None,
        "truncation": "auto",
        "prompt": None,
        "audio": {
            "input": {**listening, "turn_detection": dict(SERVER_VAD)},
            "output": {"format": dict(PCM), "voice": "alloy", "speed": 1.0},
        },
    }


def merged(session: Json, update: Json) -> Json:
    """Return a session with an update applied: audio merges key by key, other fields are replaced."""
    result = copy.deepcopy(session)
    for key, value in update.items():
        if key == "audio":
            for side, fields in (value or {}).items():
                _merge_side(result["audio"].setdefault(side, {}), fields or {})
        elif key not in OUTPUT_ONLY:
            result[key] = copy.deepcopy(value)
    return result


def _merge_side(side: Json, fields: Json) -> None:
    for key, value in fields.items():
        side[key] = _with_defaults(key, copy.deepcopy(value))


def _with_defaults(key: str, value: Any) -> Any:  # JSON boundary
    if key == "turn_detection" and value is not None:
        defaults = SEMANTIC_VAD if value.get("type") == "semantic_vad" else SERVER_VAD
        return {**defaults, **value}
    if key == "transcription" and value is not None:
        return {"language": None, "prompt": None, **value}
    return value


def new_response(response_id: str, session: Json, request: Json, conversation_id: str) -> Json:
    """Return the object of a response that begins."""
    is_outside = request.get("conversation") == "none"
    output = {**session["audio"]["output"], **((request.get("audio") or {}).get("output") or {})}
    return {
        "object": "realtime.response",
        "id": response_id,
        "status": "in_progress",
        "status_details": None,
        "output": [],
        "conversation_id": None if is_outside else conversation_id,
        "output_modalities": request.get("output_modalities") or session["output_modalities"],
        "max_output_tokens": request.get("max_output_tokens") or session["max_output_tokens"],
        "audio": {"output": {"format": output["format"], "voice": output["voice"]}},
        "usage": None,
        "metadata": request.get("metadata"),
    }


def usage_of(context_items: int, cached_items: int, words: int, is_spoken: bool) -> Json:
    """Return the usage of a response: ten tokens for each item of its context, one for a word, two for its sound."""
    given, cached, sound = 10 * context_items, 10 * cached_items, 2 * words if is_spoken else 0
    return {
        "total_tokens": given + words + sound,
        "input_tokens": given,
        "output_tokens": words + sound,
        "input_token_details": {
            "text_tokens": given,
            "audio_tokens": 0,
            "image_tokens": 0,
            "cached_tokens": cached,
            "cached_tokens_details": {"text_tokens": cached, "audio_tokens": 0, "image_tokens": 0},
        },
        "output_token_details": {"text_tokens": words, "audio_tokens": sound},
    }


def error_event(code: str | None, message: str, param: str | None = None, event_id: str | None = None) -> Json:
    """Return an `error` event about a client's mistake."""
    error = {"type": "invalid_request_error", "code": code, "message": message, "param": param, "event_id": event_id}
    return {"type": "error", "error": error}


def rate_limits(names: Iterable[str] = ("requests", "tokens")) -> Json:
    """Return the event that tells of rate limits."""
    limits = [{"name": name, "limit": 1000, "remaining": 900, "reset_seconds": 1.5} for name in names]
    return {"type": "rate_limits.updated", "rate_limits": limits}
