"""Schemas of the beta's flat session objects, put together from those of the fields that they stand for."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from vivavoce.dialects.beta_session import (
    FORMATS,
    MAX_TEMPERATURE,
    MIN_TEMPERATURE,
    PATHS,
    TRANSCRIPTION_FIELDS,
    Kind,
)

Json = Any  # JSON boundary: schemas
_ROOTS: Final = {"realtime": "RealtimeSession", "transcription": "TranscriptionSession"}

_NULL: Final[Json] = {"type": "null"}
_MODALITIES: Final[Json] = {"type": "array", "items": {"enum": ["text", "audio"]}}
_FORMAT: Final[Json] = {"enum": list(FORMATS)}
_SECRET: Final[Json] = {
    "type": "object",
    "properties": {"value": {"type": "string"}, "expires_at": {"type": "integer"}},
    "required": ["value", "expires_at"],
}
_SECRET_OPTIONS: Final[Json] = {
    "type": "object",
    "properties": {"expires_after": {"$ref": "#/components/schemas/ExpiresAfter"}},
    "additionalProperties": False,
}
_TOOL_CHOICE: Final[Json] = {
    "anyOf": [
        {"type": "string", "description": "`auto`, `none`, `required` or the name of a function"},
        {"$ref": "#/components/schemas/ToolChoiceFunction"},
        {
            "type": "object",
            "properties": {
                "type": {"enum": ["function"]},
                "function": {
                    "type": "object",
                    "properties": {"name": {"type": "string"}},
                    "required": ["name"],
                    "additionalProperties": False,
                },
            },
            "required": ["type", "function"],
            "additionalProperties": False,
        },
    ]
}
_OWN: Final[dict[str, Json]] = {
    "modalities": _MODALITIES,
    "input_audio_format": _FORMAT,
    "output_audio_format": _FORMAT,
    "tool_choice": _TOOL_CHOICE,
}


def flat_schemas(components: Mapping[str, Json]) -> dict[str, Json]:
    """Return the flat bodies and answers by their names; `components` has the canonical ones."""
    return {
        "BetaSessionBody": _body(PATHS, components) | {"description": "A flat session object of the beta API."},
        "BetaTranscriptionBody": _body(TRANSCRIPTION_FIELDS, components)
        | {"description": "A flat transcription session object of the beta API."},
        "BetaSession": _answer("realtime", components),
        "BetaTranscriptionSession": _answer("transcription", components),
    }


def _body(names: Iterable[str], components: Mapping[str, Json]) -> Json:
    properties = {name: _OWN.get(name) or _field("SessionPatch", PATHS[name], components) for name in names}
    if "instructions" in properties:
        properties["temperature"] = {"type": "number", "minimum": MIN_TEMPERATURE, "maximum": MAX_TEMPERATURE}
    properties["client_secret"] = _SECRET_OPTIONS
    return {"type": "object", "properties": properties, "additionalProperties": False}


def _answer(kind: Kind, components: Mapping[str, Json]) -> Json:
    root = _ROOTS[kind]
    names = TRANSCRIPTION_FIELDS if kind == "transcription" else tuple(PATHS)
    optional = ("vivavoce", "parallel_tool_calls", "reasoning")
    properties = {name: _field(root, (name,), components) for name in ("id", "object", "expires_at")}
    properties |= {
        name: _OWN.get(name) or _field(root, PATHS[name], components) for name in names if name not in optional
    }
    if kind == "realtime":
        properties["temperature"] = {"type": "number"}
    properties["client_secret"] = _SECRET
    required = [name for name in properties if name not in optional]
    extension = {"vivavoce": _field(root, ("vivavoce",), components)}
    return {"type": "object", "properties": properties | extension, "required": required}


def _field(root: str, path: tuple[str, ...], components: Mapping[str, Json]) -> Json:
    """Return the schema of a field, found by its path through the canonical types."""
    schema = {"$ref": f"#/components/schemas/{root}"}
    for name in path:
        schema = _resolved(schema, components)["properties"][name]
    return schema


def _resolved(schema: Json, components: Mapping[str, Json]) -> Json:
    parts = [part for part in schema.get("anyOf", [schema]) if "$ref" in part]
    (part,) = parts
    return components[part["$ref"].rpartition("/")[2]]
