"""The flat session object of the beta API and ours, translated both ways.

Rows follow the table of session fields in the beta reference. Values that are of no known shape pass unchanged, so
that the validation of the canonical shape refuses them; `beta_fault` then speaks of the field that the client sent.
"""

from collections.abc import Mapping
from typing import Any, Final, Literal

import msgspec

from vivavoce.dialects.beta_errors import beta_fault as beta_fault
from vivavoce.dialects.beta_errors import beta_path as beta_path
from vivavoce.dialects.beta_fields import FORMATS as FORMATS
from vivavoce.dialects.beta_fields import SESSION_PLACES, flattened, nested
from vivavoce.dialects.beta_items import DEFAULT_TEMPERATURE as DEFAULT_TEMPERATURE
from vivavoce.protocol.errors import (
    invalid_type,
    invalid_value,
    missing_parameter,
    out_of_range,
    unknown_parameter,
)
from vivavoce.protocol.misspellings import suggested
from vivavoce.protocol.rejections import type_name

Flat = dict[str, Any]  # JSON boundary: a beta session object
Canonical = dict[str, Any]  # JSON boundary: a session object of ours
Kind = Literal["realtime", "transcription"]

MIN_TEMPERATURE: Final = 0.6
MAX_TEMPERATURE: Final = 1.2

_NAMES: Final = (
    "model",
    "modalities",
    "instructions",
    "voice",
    "input_audio_format",
    "output_audio_format",
    "input_audio_transcription",
    "turn_detection",
    "input_audio_noise_reduction",
    "tools",
    "tool_choice",
    "max_response_output_tokens",
    "speed",
    "tracing",
    "prompt",
    "include",
    "truncation",
    "parallel_tool_calls",
    "reasoning",
    "vivavoce",
)
# Beta name -> path of the field in the canonical session.
PATHS: Final[dict[str, tuple[str, ...]]] = {
    name: SESSION_PLACES[name].path if name in SESSION_PLACES else (name,) for name in _NAMES
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
GA_NAMES: Final = ("type", "audio", "output_modalities", "max_output_tokens")  # of fields that the beta says otherwise
OMITTED: Final = ("parallel_tool_calls", "reasoning")  # fields that the beta does not have
_IGNORED: Final = ("client_secret",)  # of an update: secrets are made by their own routes
_BETA_NAMES: Final = tuple(name for name, place in SESSION_PLACES.items() if place.path != (name,))
_ECHO_DEFAULTS: Final[dict[Kind, Flat]] = {
    "realtime": {
        **dict.fromkeys(("input_audio_transcription", "input_audio_noise_reduction", "tracing", "prompt", "include")),
        "truncation": "auto",
        "speed": 1.0,
    },
    "transcription": dict.fromkeys(("input_audio_transcription", "input_audio_noise_reduction", "include")),
}
_FORMAT_FIELDS: Final = ("input_audio_format", "output_audio_format")


class FromBeta(msgspec.Struct, frozen=True):
    """A translated session object, and what the canonical one has no place for."""

    session: Canonical
    temperature: float | None = None


def flat_to_ga(flat: Mapping[str, Any], kind: Kind = "realtime", *, keeps_unknown: bool = False) -> FromBeta:
    """Return the canonical session object for a flat one; what is absent stays absent.

    Args:
        keeps_unknown: fields that neither dialect has stay in the object, for its reader to judge.

    Raises:
        ClientError: a field that the beta does not have, or a value outside its range. Its parameter is the
            beta name without a prefix.
    """
    known = TRANSCRIPTION_FIELDS if kind == "transcription" else (*PATHS, "temperature")
    kept: Flat = {}
    for name, value in flat.items():
        is_of_one = name in PATHS or name in GA_NAMES or name == "temperature"
        if name not in known and name not in _IGNORED and (is_of_one or not keeps_unknown):
            raise suggested(unknown_parameter(name), known)
        if name not in _IGNORED:
            kept[name] = value
    for name in _FORMAT_FIELDS:
        _check_format(name, kept.get(name))
    temperature = checked_temperature(kept.pop("temperature", None))
    if kind == "transcription":
        _check_modalities(kept.pop("modalities", None))  # there is only text
    return FromBeta({"type": kind, **nested(kept, SESSION_PLACES)}, temperature)


def _check_modalities(value: Any) -> None:  # JSON boundary
    """Refuse modalities that are none, where they have no effect; null is absent."""
    if value is None:
        return
    if not isinstance(value, list):
        raise invalid_type("modalities", "an array", type_name(value))
    for index, modality in enumerate(value):
        if modality not in ("text", "audio"):
            raise invalid_value(modality, ("text", "audio"), f"modalities[{index}]")


def ga_to_flat(session: Mapping[str, Any], temperature: float | None = None) -> Flat:
    """Return the complete flat session object for a canonical one with all its fields, as JSON has them."""
    flat = ga_to_flat_patch(session)
    flat["client_secret"] = None
    if session.get("type") == "transcription":
        return {**flat, "modalities": ["text"]}
    return {**flat, "temperature": DEFAULT_TEMPERATURE if temperature is None else temperature}


def ga_to_flat_patch(session: Mapping[str, Any]) -> Flat:
    """Return the flat session object for a canonical one that may be partial, without what the beta does not have."""
    kept = {name: value for name, value in session.items() if name != "type" and name not in OMITTED}
    return flattened(kept, SESSION_PLACES)


def flat_echo_to_ga(flat: Mapping[str, Any], kind: Kind) -> Canonical:
    """Return the canonical session object for the echo of a beta upstream; its temperature has no place in it.

    Fields that early versions do not echo get their defaults, because clients read them without asking.
    """
    left_out = ("temperature", "client_secret", *(("modalities",) if kind == "transcription" else ()))
    kept = {name: value for name, value in flat.items() if name not in left_out}
    detection = kept.get("turn_detection")
    if isinstance(detection, dict):
        kept["turn_detection"] = {"create_response": True, "interrupt_response": True, **detection}
    return {"type": kind, **nested({**_ECHO_DEFAULTS[kind], **kept}, SESSION_PLACES)}


def check_canonical(session: Mapping[str, Any]) -> None:
    """Check that an update for a beta upstream is in the canonical shape; an upstream would take beta names as well.

    Raises:
        ClientError: a beta name, or no type.
    """
    for name in _BETA_NAMES:
        if name in session:
            raise suggested(unknown_parameter(f"session.{name}"), ("audio", "output_modalities", "max_output_tokens"))
    if session.get("type") is None:
        raise missing_parameter("session.type")


def checked_temperature(value: Any) -> float | None:
    """Return a temperature, None if there is none; raises ClientError outside 0.6 to 1.2."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise invalid_type("temperature", "a number", type_name(value))
    if value < MIN_TEMPERATURE:
        raise out_of_range("temperature", "decimal", f">= {MIN_TEMPERATURE}", value)
    if value > MAX_TEMPERATURE:
        raise out_of_range("temperature", "decimal", f"<= {MAX_TEMPERATURE}", value)
    return float(value)


def _check_format(name: str, value: Any) -> None:
    if value is not None and not isinstance(value, str):
        raise invalid_type(name, "a string", type_name(value))
    if value is not None and value not in FORMATS:
        raise invalid_value(value, FORMATS, name)
