"""Reads JSON Schemas that clients declare for their functions. Nothing in them is trusted to be well formed."""

import re
from collections.abc import Iterator
from typing import Any, Final, Literal, TypeGuard

import msgspec

MAX_DEPTH: Final = 6  # of references and nested objects; deeper ones count as free text
MAX_PROPERTIES: Final = 64  # of one object; the rest is left out
MAX_OPTIONS: Final = 200  # of one enum

Kind = Literal["choice", "boolean", "integer", "number", "string", "array", "object", "null"]
_KINDS: Final[tuple[Kind, ...]] = ("boolean", "integer", "number", "string", "array", "object", "null")
Json = dict[str, Any]  # JSON boundary: a schema of the client's


class Property(msgspec.Struct, frozen=True):
    """One parameter of a function: its name, its schema with references resolved, and whether it must be given."""

    name: str
    schema: Json
    is_required: bool
    depth: int

    @property
    def kind(self) -> Kind:
        return kind_of(self.schema)

    @property
    def words(self) -> tuple[str, ...]:
        """The name as words: "startDate" and "start_date" are ("start", "date")."""
        return name_words(self.name)

    @property
    def hint(self) -> str:
        """The description in lower case, at most 300 characters."""
        text = self.schema.get("description")
        return text[:300].lower() if isinstance(text, str) else ""


_CAMEL: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_WORD: Final = re.compile(r"[^\W_]+")


def name_words(name: str) -> tuple[str, ...]:
    """An identifier as lower-case words."""
    return tuple(word.lower() for word in _WORD.findall(_CAMEL.sub(" ", name[:200])))


def properties_of(schema: Json, root: Json, depth: int = 0) -> Iterator[Property]:
    """The parameters that an object schema declares, in order."""
    declared = schema.get("properties")
    if not isinstance(declared, dict) or depth > MAX_DEPTH:
        return
    required = schema.get("required")
    names = [name for name in required if isinstance(name, str)] if isinstance(required, list) else []
    for name, inner in list(declared.items())[:MAX_PROPERTIES]:
        if isinstance(name, str) and name:
            yield Property(name, resolved(inner, root), name in names, depth)


def resolved(schema: object, root: Json) -> Json:
    """The schema behind local references, with the first branch of anyOf, oneOf and allOf that is not null."""
    for _ in range(MAX_DEPTH):
        if not is_json_object(schema):
            return {}
        branch = _branch(schema, root)
        if branch is None:
            return schema
        schema = _with_notes(branch, schema) if is_json_object(branch) else branch
    return {}


def _with_notes(branch: Json, outer: Json) -> Json:
    """The branch with the description and the default that stand beside the reference."""
    notes: Json = {key: value for key, value in outer.items() if key in ("description", "default")}
    return {**branch, **notes}


def is_json_object(value: object) -> TypeGuard[Json]:
    """Whether the value is a JSON object."""
    return isinstance(value, dict)


def _branch(schema: Json, root: Json) -> object | None:
    reference = schema.get("$ref")
    if isinstance(reference, str):
        return _referenced(reference, root)
    for key in ("anyOf", "oneOf", "allOf"):
        branches = schema.get(key)
        if isinstance(branches, list) and branches and "type" not in schema and "enum" not in schema:
            alternatives: list[object] = branches
            return next((branch for branch in alternatives if not _is_null(branch)), alternatives[0])
    return None


def _is_null(schema: object) -> bool:
    return is_json_object(schema) and schema.get("type") == "null"


def _referenced(reference: str, root: Json) -> object:
    """What "#/$defs/City" points to, {} if it points nowhere."""
    found: object = root
    for part in reference.removeprefix("#").strip("/").split("/")[:10]:
        found = found.get(part, {}) if is_json_object(found) else {}
    return found


def kind_of(schema: Json) -> Kind:
    """What a value must be; a schema that does not say is a string, or an object if it has properties."""
    if isinstance(schema.get("enum"), list) and schema["enum"] or "const" in schema:
        return "choice"
    declared = schema.get("type")
    names = declared if isinstance(declared, list) else [declared]
    kind = next((known for name in names for known in _KINDS if name == known and known != "null"), None)
    if kind is not None:
        return kind
    if "null" in names:
        return "null"
    return "object" if "properties" in schema else "string"


def options_of(schema: Json) -> list[object]:
    """The values that a choice allows."""
    if "const" in schema:
        return [schema["const"]]
    options = schema.get("enum")
    return options[:MAX_OPTIONS] if isinstance(options, list) else []


def is_within(schema: Json, value: float) -> bool:
    """Whether a number keeps the schema's bounds."""
    bounds = (
        ("minimum", 1, True),
        ("maximum", -1, True),
        ("exclusiveMinimum", 1, False),
        ("exclusiveMaximum", -1, False),
    )
    for key, sign, is_inclusive in bounds:
        bound = schema.get(key)
        if isinstance(bound, int | float) and not isinstance(bound, bool):
            distance = (value - bound) * sign
            if distance < 0 or (distance == 0 and not is_inclusive):
                return False
    return True
