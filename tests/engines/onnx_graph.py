"""Writes small ONNX models, as protobuf by hand: a test that needs one needs no package for it.

Field numbers are those of onnx.proto, IR version 8, operator set 17.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt
import onnxruntime

Array = npt.NDArray[np.float32] | npt.NDArray[np.int64]
FLOAT, INT64 = 1, 7  # TensorProto.DataType
INT_ATTRIBUTE = 2  # AttributeProto.AttributeType


class Value(msgspec.Struct, frozen=True):
    """An input or output: its name, element type and shape, in which a text stands for any size."""

    name: str
    type: int
    shape: tuple[int | str, ...]


class Node(msgspec.Struct, frozen=True):
    """An operator with the names of what it takes and gives."""

    operator: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: dict[str, int] = {}


class Graph(msgspec.Struct, frozen=True):
    """A model; `constants` by name."""

    inputs: tuple[Value, ...]
    outputs: tuple[Value, ...]
    nodes: tuple[Node, ...]
    constants: dict[str, Array] = {}


def write_ort(graph: Graph, path: Path) -> None:
    """Write a model in ONNX Runtime's own format."""
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(path)
    options.add_session_config_entry("session.save_model_format", "ORT")
    options.log_severity_level = 3
    onnxruntime.InferenceSession(model_bytes(graph), options, providers=["CPUExecutionProvider"])


def model_bytes(graph: Graph) -> bytes:
    """Return a model in the ONNX format."""
    return _number(1, 8) + _bytes(7, _graph(graph)) + _bytes(8, _number(2, 17))


def _graph(graph: Graph) -> bytes:
    return _join(
        (
            *(_bytes(1, _node(node)) for node in graph.nodes),
            _text(2, "graph"),
            *(_bytes(5, _tensor(name, array)) for name, array in graph.constants.items()),
            *(_bytes(11, _value(value)) for value in graph.inputs),
            *(_bytes(12, _value(value)) for value in graph.outputs),
        )
    )


def _node(node: Node) -> bytes:
    attributes = (
        _bytes(5, _text(1, name) + _number(3, value) + _number(20, INT_ATTRIBUTE))
        for name, value in node.attributes.items()
    )
    names = (*(_text(1, name) for name in node.inputs), *(_text(2, name) for name in node.outputs))
    return _join((*names, _text(4, node.operator), *attributes))


def _tensor(name: str, array: Array) -> bytes:
    type_number = FLOAT if array.dtype == np.float32 else INT64
    dims = _join(_number(1, size) for size in array.shape)
    return dims + _number(2, type_number) + _text(8, name) + _bytes(9, array.tobytes())


def _value(value: Value) -> bytes:
    dims = (_text(2, size) if isinstance(size, str) else _number(1, size) for size in value.shape)
    shape = _join(_bytes(1, dim) for dim in dims)
    return _text(1, value.name) + _bytes(2, _bytes(1, _number(1, value.type) + _bytes(2, shape)))


def _join(parts: Iterable[bytes]) -> bytes:
    return b"".join(parts)


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _bytes(field: int, content: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(content)) + content


def _text(field: int, text: str) -> bytes:
    return _bytes(field, text.encode())


def _varint(value: int) -> bytes:
    groups: list[int] = []
    while value > 0x7F:
        groups.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes((*groups, value))


def chain(*nodes: Sequence[object]) -> tuple[Node, ...]:
    """Return nodes written as (operator, inputs separated by spaces, output, attributes)."""
    return tuple(_written(*node) for node in nodes)


def _written(*node: object) -> Node:
    operator, inputs, output, *rest = node
    attributes = rest[0] if rest else {}
    assert isinstance(attributes, dict), "attributes come last"
    return Node(str(operator), tuple(str(inputs).split()), (str(output),), attributes)
