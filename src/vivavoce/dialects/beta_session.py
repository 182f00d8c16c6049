"""The flat session object of the beta API and ours, translated both ways.

Rows follow the table of session fields in the beta reference. Values that are of no known shape pass unchanged, so
that the validation of the canonical shape refuses them; `beta_fault` then speaks of the field that the client sent.
"""

import re
from collections.abc import Mapping
from typing import Any, Final, Literal

import msgspec

from vivavoce.protocol.errors import ClientError, invalid_type, out_of_range, unknown_parameter
from vivavoce.protocol.rejections import type_name

Flat = dict[str, Any]  # JSON boundary: a beta session object
Canonical = dict[str, Any]  # JSON boundary: a session object of ours
Kind = Literal["realtime", "transcription"]

DEFAULT_TEMPERATURE: Final = 0.8
MIN_TEMPERATURE: Final = 0.6
MAX_TEMPERATURE: Final = 1.2

# Beta name -> path of the field in the canonical session.
PATHS: Final[dict[str, tuple[str, ...]]] = {
    "model": ("model",),
    "modalities": ("output_modalities",),
    "instructions": ("instructions",),
    "voice": ("audio", "output", "voice"),
    "input_audio_format": ("audio", "input", "format"),
    "output_audio_format": ("audio", "output", "format"),
    "input_audio_transcription": ("audio", "input", "transcription"),
    "turn_detection": ("audio", "input", "turn_detection"),
    "input_audio_noise_reduction": ("audio", "input", "noise_reduction"),
    "tools": ("tools",),
    "tool_choice": ("tool_choice",),
    "max_response_output_tokens": ("max_output_tokens",),
    "speed": ("audio", "output", "speed"),
    "tracing": ("tracing",),
    "prompt": ("prompt",),
    "include": ("include",),
    "truncation": ("truncation",),
    "parallel_tool_calls": ("parallel_tool_calls",),
    "reasoning": ("reasoning",),
    "vivavoce": ("vivavoce",),
}
TRANSCRIPTION_FIELDS: Final = (
    "modalities",
    "input_audio_format",
    "input_audio_transcription",
    "turn_detection",
    "input_audio_noise_reduction",
    "include",
    "vivavoce",
)
FORMATS: Final = {"pcm16": "audio/pcm", "g711_ulaw": "audio/pcmu", "g711_alaw": "audio/pcma"}
_FORMAT_NAMES: Final = {type_: name for name, type_ in FORMATS.items()}
_TOOL_CHOICES: Final = ("auto", "none", "required")
_QUOTED: Final = re.compile(r"'(session[.\w\[\]]*)'")


class FromBeta(msgspec.Struct, frozen=True):
    """A translated session object, and what the canonical one has no place for."""

    session: Canonical
    temperature: float | None = None


def flat_to_ga(flat: Mapping[str, Any], kind: Kind = "realtime") -> FromBeta:
    """Return the canonical session object for a flat one; what is absent stays absent.

    Raises:
        ClientError: a field that the beta does not have, or a temperature outside 0.6 to 1.2. Its parameter is the
            beta name without a prefix.
    """
    session: Canonical = {"type": kind}
    known = TRANSCRIPTION_FIELDS if kind == "transcription" else tuple(PATHS)
    for name, value in flat.items():
        if name == "temperature" and kind == "realtime":
            continue
        if name not in known:
            raise unknown_parameter(name)
        if not (name == "modalities" and kind == "transcription"):  # there is only text
            _put(session, PATHS[name], _canonical_value(name, value))
    return FromBeta(session, _temperature(flat.get("temperature")))


def ga_to_flat(session: Mapping[str, Any], temperature: float | None = None) -> Flat:
    """Return the complete flat session object for a canonical one with all its fields, as JSON has them."""
    if session["type"] == "transcription":
        return {**_shared(session), "modalities": ["text"], **_input_fields(session), "include": session.get("include")}
    output = session["audio"]["output"]
    voice = output["voice"]
    flat = {
        **_shared(session),
        "model": session["model"],
        "modalities": ["audio", "text"] if "audio" in session["output_modalities"] else ["text"],
        "instructions": session["instructions"],
        "voice": voice["id"] if isinstance(voice, dict) else voice,
        "output_audio_format": _FORMAT_NAMES[output["format"]["type"]],
        **_input_fields(session),
        "tools": session["tools"],
        "tool_choice": _flat_choice(session["tool_choice"]),
        "temperature": DEFAULT_TEMPERATURE if temperature is None else temperature,
        "max_response_output_tokens": session["max_output_tokens"],
        "speed": output["speed"],
    }
    return flat | {name: session.get(name) for name in ("tracing", "truncation", "prompt", "include")}


def beta_path(path: str) -> str:
    """Return the beta's name for a dotted path of ours: `session.voice` for `session.audio.output.voice`."""
    for name, steps in PATHS.items():
        full = ".".join(("session", *steps))
        if path == full or path.startswith((f"{full}.", f"{full}[")):
            return f"session.{name}{path.removeprefix(full)}"
    return path


def beta_fault(error: ClientError, prefix: str = "session.") -> ClientError:
    """Return the error as a beta client understands it: paths are those of the flat object.

    Args:
        prefix: what a path begins with; empty where the body is the session object itself.
    """
    detail = error.detail
    message = _QUOTED.sub(lambda match: f"'{_renamed(match[1], prefix)}'", detail.message)
    param = None if detail.param is None else _renamed(detail.param, prefix)
    return ClientError(detail.code, message, param, detail.event_id, detail.type)


def _renamed(path: str, prefix: str) -> str:
    flat = beta_path(path)
    return prefix + flat.removeprefix("session.") if flat.startswith("session.") else path


def _put(session: Canonical, path: tuple[str, ...], value: Any) -> None:
    *parents, name = path
    for parent in parents:
        session = session.setdefault(parent, {})
    session[name] = value


def _canonical_value(name: str, value: Any) -> Any:
    match name:
        case "modalities" if isinstance(value, list) and {"text", "audio"}.issuperset(_strings(value)):
            return ["audio"] if "audio" in value else ["text"] if value else value
        case "tool_choice":
            return _canonical_choice(value)
        case "turn_detection" if isinstance(value, dict) and value.get("type") == "none":
            return None
        case "input_audio_format" | "output_audio_format" if not isinstance(value, str | None):
            raise invalid_type(name, "a string", type_name(value))
        case _:
            return value


def _strings(values: list[Any]) -> set[Any]:
    return {value if isinstance(value, str) else None for value in values}


def _canonical_choice(choice: Any) -> Any:
    if isinstance(choice, str):
        return choice if choice in _TOOL_CHOICES else {"type": "function", "name": choice}
    nested = choice.get("function") if isinstance(choice, dict) else None
    return {"type": choice.get("type"), **nested} if isinstance(nested, dict) else choice


def _flat_choice(choice: Any) -> Any:
    return "auto" if isinstance(choice, dict) and choice.get("type") == "mcp" else choice


def _temperature(value: Any) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise invalid_type("temperature", "a number", type_name(value))
    if value < MIN_TEMPERATURE:
        raise out_of_range("temperature", "decimal", f">= {MIN_TEMPERATURE}", value)
    if value > MAX_TEMPERATURE:
        raise out_of_range("temperature", "decimal", f"<= {MAX_TEMPERATURE}", value)
    return float(value)


def _shared(session: Mapping[str, Any]) -> Flat:
    shared = {name: session[name] for name in ("id", "object", "expires_at")}
    return {**shared, **({"vivavoce": session["vivavoce"]} if "vivavoce" in session else {})}


def _input_fields(session: Mapping[str, Any]) -> Flat:
    given = session["audio"]["input"]
    return {
        "input_audio_format": _FORMAT_NAMES[given["format"]["type"]],
        "input_audio_transcription": given["transcription"],
        "turn_detection": given["turn_detection"],
        "input_audio_noise_reduction": given["noise_reduction"],
    }
