"""Why a payload was rejected: turns a decoder's failure into the API's code, text and dotted parameter."""

import re
from typing import Any, Final

import msgspec
from msgspec import inspect

from vivavoce.protocol import errors, schema
from vivavoce.protocol.errors import ClientError
from vivavoce.protocol.items import ID_PATTERN
from vivavoce.protocol.misspellings import meaning, nearest_field
from vivavoce.protocol.tools import TOOL_NAME_PATTERN

_JSON_TYPES: Final = {
    "int": "an integer",
    "float": "a number",
    "str": "a string",
    "bytes": "a base64 string",
    "bool": "a boolean",
    "array": "an array",
    "object": "an object",
    "null": "null",
}
_PYTHON_TYPES: Final = {int: "int", float: "float", str: "str", bool: "bool", list: "array", dict: "object"}

# The reference answers these with `invalid_value` although their JSON type is wrong.
_VALUE_BY_TYPE: Final[frozenset[schema.Place]] = frozenset({("item", "output")})

_PATH: Final = " - at `$"
_MISSING: Final = re.compile(r"Object missing required field `(\w+)`")
_UNKNOWN: Final = re.compile(r"Object contains unknown field `(.*)`", re.DOTALL)
_TYPE: Final = re.compile(r"Expected `([\w |]+)`(?:, got `(\w+)`)?$")
_RANGE: Final = re.compile(r"Expected `(int|float)` ([<>]=) (.*)")
_LENGTH: Final = re.compile(r"Expected `(\w+)` of length ([<>]=) (\d+)")
_NOUNS: Final = {"str": "characters", "bytes": "decoded bytes", "array": "entries", "object": "entries"}


# Any: the payload is arbitrary JSON, None where it could not be read at all.
def explain(error: msgspec.ValidationError, payload: Any, root: inspect.Type) -> ClientError:
    """Return the client's mistake that a typed decode of the payload ran into."""
    text, _, path = str(error).rpartition(_PATH) if _PATH in str(error) else (str(error), "", "")
    place = schema.parse_place(f"${path.removesuffix('`')}")
    if match := _MISSING.match(text):
        return errors.missing_parameter(schema.dotted((*place, match[1])))
    if match := _UNKNOWN.match(text):
        return _explain_unknown(match[1], place, payload, root)
    return _explain_value(text, place, payload, root)


def _explain_unknown(name: str, place: schema.Place, payload: Any, root: inspect.Type) -> ClientError:
    """Return the error of a key that its object does not have, with the field that is probably meant."""
    parent, value = schema.dotted(place), schema.value_at(payload, place)
    error = errors.unknown_parameter(f"{parent}.{errors.quoted(name)}".removeprefix("."))
    struct = schema.struct_for(value, schema.schema_at(payload, place, root)) if isinstance(value, dict) else None
    if struct is None:
        return error
    meant = nearest_field(name, [field.encode_name for field in struct.fields])
    if meant is None or not schema.has_field(struct, meant):
        return error
    return meaning(error, f"{parent}.{meant}".removeprefix("."))


def _explain_value(text: str, place: schema.Place, payload: Any, root: inspect.Type) -> ClientError:
    param, value = schema.dotted(place), schema.value_at(payload, place)
    if text.startswith("Invalid enum value"):
        return errors.invalid_value(value, supported_values(schema.schema_at(payload, place, root)), param)
    if text.startswith("Invalid value"):
        return errors.invalid_value(value, supported_tags(schema.schema_at(payload, place[:-1], root)), param)
    if match := _RANGE.match(text):
        kind = "integer" if match[1] == "int" else "decimal"
        return errors.out_of_range(param, kind, f"{match[2]} {match[3]}", value)
    if match := _LENGTH.match(text):
        side = "at least" if match[2] == ">=" else "at most"
        return errors.invalid_content(param, f"expected {side} {match[3]} {_NOUNS.get(match[1], 'entries')}")
    if match := _TYPE.match(text):
        expected, got = expected_types(match[1]), type_name(value, match[2])
        if place in _VALUE_BY_TYPE:
            return errors.invalid_content(param, f"expected {expected}, but got {got} instead")
        return errors.invalid_type(param, expected, got)
    return errors.invalid_content(param, _sentence(text))


def supported_values(node: inspect.Type) -> list[str | int]:
    """Return what a client may choose from: literal values, and the tags of objects it may give instead."""
    return [*schema.literals(node), *supported_tags(node)]


def supported_tags(node: inspect.Type) -> list[str]:
    """Return the values that the `type` of an object may have."""
    return list(schema.tags(node))


def expected_types(names: str) -> str:
    """Return msgspec's `int | str | null` as `an integer or a string`; null merely means absent."""
    return " or ".join(_JSON_TYPES.get(name, name) for name in names.split(" | ") if name != "null")


def type_name(value: Any, reported: str | None = None) -> str:
    """Return the JSON type of a value with its article; `reported` is the decoder's name for it, if it gave one."""
    return _JSON_TYPES.get(reported or _PYTHON_TYPES.get(type(value), "null"), "another type")


def _sentence(text: str) -> str:
    if "base64" in text:
        return "expected base64 (standard alphabet, padded)"
    if repr(ID_PATTERN) in text:  # msgspec shows a pattern by its repr
        return "expected a string without control characters"
    if repr(TOOL_NAME_PATTERN) in text:
        return "expected 1 to 64 letters, digits, underscores or hyphens"
    return text[:1].lower() + text[1:]
