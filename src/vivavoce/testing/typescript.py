"""The wire types as TypeScript, for the web client: `python -m vivavoce.testing.typescript > web/src/lib/protocol.ts`.

One interface per struct, under the struct's name. A key is optional where the server may leave it out or the client
need not send it. Bytes are base64 text; limits on length and range are not part of a TypeScript type.
"""

import json
import sys
from collections.abc import Iterator
from typing import Final

from msgspec import NODEFAULT, inspect

from vivavoce.protocol.client_events import ClientEvent
from vivavoce.protocol.server_events import ServerEvent

HEADER: Final = (
    "/**\n"
    " * The events of the Realtime wire, made from the structs of `vivavoce.protocol` by"
    " `vivavoce.testing.typescript`.\n"
    " * Do not edit: a test compares this file with the structs.\n"
    " */\n"
)
LINE_LENGTH: Final = 120

_SCALARS: Final[dict[type[inspect.Type], str]] = {
    inspect.AnyType: "unknown",
    inspect.NoneType: "null",
    inspect.BoolType: "boolean",
    inspect.IntType: "number",
    inspect.FloatType: "number",
    inspect.StrType: "string",
    inspect.BytesType: "string",
}


def typescript() -> str:
    """Return the text of `web/src/lib/protocol.ts`."""
    server, client = inspect.multi_type_info([ServerEvent, ClientEvent])
    sent = {struct.cls for struct in _structs(client)}
    named = {struct.cls.__name__: struct for root in (server, client) for struct in _structs(root)}
    interfaces = [_interface(named[name], is_sent=named[name].cls in sent) for name in sorted(named)]
    unions = [_alias("ServerEvent", server), _alias("ClientEvent", client), _alias("Item", _items(named))]
    return "\n".join([HEADER, *interfaces, *unions])


def _items(named: dict[str, inspect.StructType]) -> inspect.Type:
    return next(field.type for field in named["ConversationItemAdded"].fields if field.name == "item")


def _structs(kind: inspect.Type) -> Iterator[inspect.StructType]:
    if isinstance(kind, inspect.StructType):
        yield kind
        for field in kind.fields:
            yield from _structs(field.type)
    elif isinstance(kind, inspect.UnionType):
        for alternative in kind.types:
            yield from _structs(alternative)
    elif isinstance(kind, inspect.VarTupleType | inspect.ListType):
        yield from _structs(kind.item_type)
    elif isinstance(kind, inspect.DictType):
        yield from _structs(kind.value_type)


def _interface(struct: inspect.StructType, *, is_sent: bool) -> str:
    lines = [f"/** {_summary(struct.cls)} */", f"export interface {struct.cls.__name__} {{"]
    if struct.tag is not None:
        lines.append(f"  readonly {struct.tag_field}: {_literal(struct.tag)};")
    lines += [f"  readonly {_member(field, is_sent=is_sent)};" for field in struct.fields]
    return "\n".join([*lines, "}", ""])


def _member(field: inspect.Field, *, is_sent: bool) -> str:
    # A default that is no value means "leave the key out"; any other default is written by the server.
    is_left_out = not field.required and field.default is NODEFAULT and field.default_factory is NODEFAULT
    mark = "?" if is_left_out or (is_sent and not field.required) else ""
    return f"{field.encode_name}{mark}: {_type(field.type)}"


def _type(kind: inspect.Type) -> str:
    match kind:
        case inspect.StructType():
            return kind.cls.__name__
        case inspect.LiteralType():
            return " | ".join(_literal(value) for value in kind.values)
        case inspect.UnionType():
            return " | ".join(dict.fromkeys(_type(alternative) for alternative in kind.types))
        case inspect.VarTupleType() | inspect.ListType():
            item = _type(kind.item_type)
            return f"readonly ({item})[]" if " " in item else f"readonly {item}[]"
        case inspect.DictType():
            return f"Readonly<Record<string, {_type(kind.value_type)}>>"
    return _SCALARS[type(kind)]


def _alias(name: str, kind: inspect.Type) -> str:
    assert isinstance(kind, inspect.UnionType), f"{name} is a union of structs"
    members = "".join(f"\n  | {_type(alternative)}" for alternative in kind.types)
    return f"export type {name} ={members};\n"


def _literal(value: str | int | bool | None) -> str:
    return f"'{value}'" if isinstance(value, str) else json.dumps(value)


def _summary(cls: type) -> str:
    """Return the first line of a docstring, shortened to a sentence where the line is too long."""
    line = (cls.__doc__ or cls.__name__).strip().splitlines()[0]
    return line if len(line) <= LINE_LENGTH - 8 else line.split(". ")[0] + "."


if __name__ == "__main__":
    sys.stdout.write(typescript())
