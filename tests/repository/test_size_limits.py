"""Files, functions and classes stay within the sizes of CONTRIBUTING.md; exceptions stand in size_allowances.toml."""

import ast
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[2]
ALLOWANCES = Path(__file__).with_name("size_allowances.toml")

FILE_LINES = 400
FUNCTION_LINES = 40
CLASS_LINES = 400
CLASS_ATTRIBUTES = 12
PARAMETERS = 6

PYTHON_FILES = sorted(p for folder in ("src", "scripts") for p in (ROOT / folder).rglob("*.py"))
WEB_FILES = sorted(p for suffix in ("ts", "js", "svelte", "css") for p in (ROOT / "web" / "src").rglob(f"*.{suffix}"))
FREE_OF_ATTRIBUTE_LIMIT = ROOT / "src" / "vivavoce" / "protocol"  # wire types have the fields of the reference

AnyFunction = ast.FunctionDef | ast.AsyncFunctionDef


class Excess(NamedTuple):
    """Something above its limit. `place` is `path` or `path::Class.function`, `kind` names the limit."""

    place: str
    kind: str
    size: int
    limit: int


def excesses(path: Path, name: str) -> Iterator[Excess]:
    """Everything in the Python file at `path` that is above its limit."""
    source = path.read_text("utf-8")
    yield from _above(name, "file lines", len(source.splitlines()), FILE_LINES)
    yield from _excesses_below(ast.parse(source), name, "::", _limits_attributes(path))


def _excesses_below(node: ast.AST, name: str, separator: str, limits_attributes: bool) -> Iterator[Excess]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, AnyFunction):
            place = f"{name}{separator}{child.name}"
            yield from _above(place, "function lines", _body_lines(child), FUNCTION_LINES)
            yield from _above(place, "parameters", _count_parameters(child), PARAMETERS)
            yield from _excesses_below(child, place, ".", limits_attributes)
        elif isinstance(child, ast.ClassDef):
            place = f"{name}{separator}{child.name}"
            yield from _above(place, "class lines", _lines(child, child), CLASS_LINES)
            attributes = len(_attributes(child)) if limits_attributes else 0
            yield from _above(place, "class attributes", attributes, CLASS_ATTRIBUTES)
            yield from _excesses_below(child, place, ".", limits_attributes)
        else:
            yield from _excesses_below(child, name, separator, limits_attributes)


def _above(place: str, kind: str, size: int, limit: int) -> Iterator[Excess]:
    if size > limit:
        yield Excess(place, kind, size, limit)


def _body_lines(function: AnyFunction) -> int:
    body = function.body[1:] if ast.get_docstring(function) is not None else function.body
    return _lines(body[0], body[-1]) if body else 0


def _lines(first: ast.stmt, last: ast.stmt) -> int:
    assert last.end_lineno is not None, "ast.parse sets the end of every statement"
    return last.end_lineno - first.lineno + 1


def _count_parameters(function: AnyFunction) -> int:
    every = function.args.posonlyargs + function.args.args + function.args.kwonlyargs
    return sum(argument.arg not in {"self", "cls"} for argument in every)


def _attributes(class_: ast.ClassDef) -> set[str]:
    """Fields of the class body, and what its methods assign to on self."""
    fields = {s.target.id for s in class_.body if isinstance(s, ast.AnnAssign) and isinstance(s.target, ast.Name)}
    assigned = {
        node.attr
        for node in ast.walk(class_)
        if isinstance(node, ast.Attribute)
        and isinstance(node.ctx, ast.Store)
        and isinstance(node.value, ast.Name)
        and node.value.id == "self"
    }
    return fields | assigned


def _limits_attributes(path: Path) -> bool:
    return not path.is_relative_to(FREE_OF_ATTRIBUTE_LIMIT)


def _allowances() -> dict[tuple[str, str], int]:
    rows = tomllib.loads(ALLOWANCES.read_text("utf-8")).get("allowance", [])
    return {(row["place"], row["kind"]): row["size"] for row in rows if row["reason"]}


def _is_generated(path: Path) -> bool:
    return "Do not edit: a test compares this file" in path.read_text("utf-8")[:400]


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("path", PYTHON_FILES, ids=_name)
def test_python_file_stays_within_the_size_limits(path: Path) -> None:
    allowed = _allowances()

    found = [e for e in excesses(path, _name(path)) if e.size > allowed.get((e.place, e.kind), e.limit)]

    assert not found, "\n".join(f"{e.place}: {e.size} {e.kind}, at most {e.limit}" for e in found)


@pytest.mark.parametrize("path", [p for p in WEB_FILES if not _is_generated(p)], ids=_name)
def test_web_file_stays_within_the_size_limit(path: Path) -> None:
    lines = len(path.read_text("utf-8").splitlines())

    assert lines <= FILE_LINES, f"{_name(path)} has {lines} lines, at most {FILE_LINES}"


def test_every_allowance_is_still_needed() -> None:
    needed = {(e.place, e.kind) for path in PYTHON_FILES for e in excesses(path, _name(path))}

    assert set(_allowances()) <= needed


def test_each_limit_is_noticed(tmp_path: Path) -> None:
    long_function = "def long():\n    '''Text.'''\n" + "    x = 1\n" * 41
    wide_function = "def wide(a, b, c, d, *, e, f, g): ...\n"
    wide_class = "class Wide:\n    def __init__(self):\n" + "".join(f"        self.a{i} = 0\n" for i in range(13))
    file = tmp_path / "sample.py"
    file.write_text(long_function + wide_function + wide_class + "\n" * 400)

    found = {(e.place, e.kind, e.size) for e in excesses(file, "sample.py")}

    assert ("sample.py::long", "function lines", 41) in found
    assert ("sample.py::wide", "parameters", 7) in found
    assert ("sample.py::Wide", "class attributes", 13) in found
    assert any(kind == "file lines" for _, kind, _ in found)


def test_what_is_at_its_limit_is_no_excess(tmp_path: Path) -> None:
    file = tmp_path / "sample.py"
    file.write_text("def f(a, b, c, d, e, f):\n    '''Text.'''\n" + "    x = 1\n" * 40)

    assert list(excesses(file, "sample.py")) == []
