"""What the wire types say about one place in an event: used only to repair and to explain rejected payloads.

A schema is a node of `msgspec.inspect`; a place is the keys and indices that lead to it.
"""

import re
from collections.abc import Iterator
from typing import Any, Final

from msgspec import inspect

Place = tuple[str | int, ...]

_STEP: Final = re.compile(r"\.(\w+)|\[(\d+)\]")


def parse_place(path: str) -> Place:
    """Return the place that a msgspec path such as `$.item.content[0].text` names, up to the first free key."""
    steps: list[str | int] = []
    position = 1
    while match := _STEP.match(path, position):
        steps.append(match[1] if match[1] is not None else int(match[2]))
        position = match.end()
    return tuple(steps)


def dotted(place: Place) -> str:
    """Return the place as the API names it: `item.content[0].text`."""
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in place)
    return text.removeprefix(".")


# Any: payloads are arbitrary JSON here.
def value_at(payload: Any, place: Place) -> Any:
    """Return the JSON value at a place, None where there is none."""
    for step in place:
        if isinstance(step, str):
            payload = payload.get(step) if isinstance(payload, dict) else None
        else:
            payload = payload[step] if isinstance(payload, list) and step < len(payload) else None
    return payload


def normalised(value: Any, schema: inspect.Type) -> Any:
    """Return the JSON value without what the API tolerates: nulls for absent keys, `1.0` for `1`.

    A null is dropped where the key is optional or unknown to the chosen type but known to one of its alternatives,
    because clients that serialise one class for all alternatives send the keys of all of them.
    """
    if isinstance(value, dict):
        return _normalised_object(value, schema)
    if isinstance(value, list):
        items = next((part.item_type for part in _parts(schema) if isinstance(part, inspect.VarTupleType)), None)
        return value if items is None else [normalised(member, items) for member in value]
    if isinstance(value, float) and value.is_integer() and _wants_integer(schema):
        return int(value)
    return value


def _normalised_object(value: dict[str, Any], schema: inspect.Type) -> dict[str, Any]:
    struct = struct_for(value, schema)
    if struct is None:
        return value
    fields = {field.encode_name: field.type for field in struct.fields}
    droppable = _names_of_alternatives(schema) - {name for name, type_ in fields.items() if _allows_null(type_)}
    return {
        key: normalised(member, fields[key]) if key in fields else member
        for key, member in value.items()
        if member is not None or key not in droppable
    }


def struct_for(value: dict[str, Any], schema: inspect.Type) -> inspect.StructType | None:
    """Return the struct that the object is meant to be, None if its tag names none."""
    structs = [part for part in _parts(schema) if isinstance(part, inspect.StructType)]
    if len(structs) == 1:
        return structs[0]
    return next((struct for struct in structs if struct.tag == value.get(str(struct.tag_field))), None)


def schema_at(payload: Any, place: Place, schema: inspect.Type) -> inspect.Type:
    """Return the schema of a place; `AnyType` where the types do not know it.

    A tag key has no schema of its own; the place of its object has.
    """
    for step in place:
        following = _schema_below(payload, step, schema)
        if following is None:
            return inspect.AnyType()
        schema, payload = following, value_at(payload, (step,))
    return schema


def _schema_below(payload: Any, step: str | int, schema: inspect.Type) -> inspect.Type | None:
    if isinstance(step, int):
        return next((part.item_type for part in _parts(schema) if isinstance(part, inspect.VarTupleType)), None)
    struct = struct_for(payload, schema) if isinstance(payload, dict) else None
    return next((field.type for field in struct.fields if field.encode_name == step), None) if struct else None


def has_field(schema: inspect.Type, path: str) -> bool:
    """Return whether a dotted path of keys leads to a field, in any of the schema's alternatives."""
    name, _, rest = path.partition(".")
    found = [
        field.type
        for part in _parts(schema)
        if isinstance(part, inspect.StructType)
        for field in part.fields
        if field.encode_name == name
    ]
    return any(not rest or has_field(type_, rest) for type_ in found)


def literals(schema: inspect.Type) -> list[str | int]:
    """Return the literal values that the schema allows, sorted."""
    values = (value for part in _parts(schema) if isinstance(part, inspect.LiteralType) for value in part.values)
    return [value for value in values if isinstance(value, str | int)]


def tags(schema: inspect.Type) -> list[str]:
    """Return the tags of the structs that the schema allows, in the order of their declaration."""
    return [str(part.tag) for part in _parts(schema) if isinstance(part, inspect.StructType) and part.tag is not None]


def _parts(schema: inspect.Type) -> Iterator[inspect.Type]:
    if isinstance(schema, inspect.UnionType):
        for part in schema.types:
            yield from _parts(part)
    else:
        yield schema


def _names_of_alternatives(schema: inspect.Type) -> set[str]:
    structs = [part for part in _parts(schema) if isinstance(part, inspect.StructType)]
    names = {field.encode_name for struct in structs for field in struct.fields}
    return names | {struct.tag_field for struct in structs if struct.tag_field is not None}


def _allows_null(schema: inspect.Type) -> bool:
    return any(isinstance(part, inspect.NoneType | inspect.AnyType) for part in _parts(schema))


def _wants_integer(schema: inspect.Type) -> bool:
    parts = list(_parts(schema))
    is_integer = any(
        isinstance(part, inspect.IntType)
        or (isinstance(part, inspect.LiteralType) and any(isinstance(value, int) for value in part.values))
        for part in parts
    )
    return is_integer and not any(isinstance(part, inspect.FloatType | inspect.AnyType) for part in parts)
