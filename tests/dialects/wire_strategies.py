"""JSON as the wire types allow it, drawn by hypothesis from what msgspec says about them."""

import base64
from typing import Any

import msgspec
from hypothesis import strategies as st
from msgspec import inspect

Json = Any  # JSON boundary
NAMES = st.text("abcdefgh_", min_size=1, max_size=8)
TEXTS = st.text(max_size=12)
FREE = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=6,
)


def events_of(union: Any) -> st.SearchStrategy[Json]:
    """JSON objects of the members of a union of structs, each equally often."""
    root = inspect.type_info(union)
    assert isinstance(root, inspect.UnionType)
    return st.sampled_from(root.types).flatmap(json_of)


def json_of(node: inspect.Type) -> st.SearchStrategy[Json]:
    """JSON values that a type allows; optional members are there or not."""
    match node:
        case inspect.StructType():
            return _object(node)
        case inspect.UnionType():
            return st.one_of(*map(json_of, node.types))
        case inspect.LiteralType():
            return st.sampled_from(node.values)
        case inspect.VarTupleType() | inspect.ListType():
            return st.lists(json_of(node.item_type), min_size=node.min_length or 0, max_size=(node.min_length or 0) + 2)
        case inspect.DictType():
            return st.dictionaries(NAMES, json_of(node.value_type), max_size=2)
        case inspect.NoneType():
            return st.none()
        case _:
            return _scalar(node)


def _scalar(node: inspect.Type) -> st.SearchStrategy[Json]:
    match node:
        case inspect.BoolType():
            return st.booleans()
        case inspect.IntType():
            return st.integers(node.ge if node.ge is not None else -9, node.le if node.le is not None else 2**31)
        case inspect.FloatType():
            low, high = node.ge if node.ge is not None else 0, node.le if node.le is not None else 9
            return st.floats(low, high, allow_nan=False)
        case inspect.BytesType():
            return st.binary(max_size=6).map(lambda data: base64.b64encode(data).decode())
        case inspect.StrType():
            return NAMES if node.pattern is not None or node.min_length else TEXTS
        case inspect.AnyType():
            return FREE
        case _:
            raise AssertionError(f"no strategy for {node}")


def _object(node: inspect.StructType) -> st.SearchStrategy[Json]:
    required = {field.encode_name: json_of(field.type) for field in node.fields if field.required}
    optional = {field.encode_name: json_of(field.type) for field in node.fields if not field.required}
    tag = {} if node.tag is None else {str(node.tag_field): node.tag}
    return st.fixed_dictionaries(required, optional=optional).map(lambda members: {**tag, **members})


def wire_json(value: Json) -> Json:
    """The value as it comes out of its message."""
    return msgspec.json.decode(msgspec.json.encode(value))
