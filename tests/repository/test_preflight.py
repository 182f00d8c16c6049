"""What a machine lacks is said in one sentence before anything is installed."""

import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from scripts import preflight

ROOT = Path(__file__).resolve().parents[2]
GOOD: dict[str, Any] = {  # Any: values of several types, by field of preflight.Machine
    "python": "/usr/bin/python3",
    "version": (3, 11),
    "system": "Linux",
    "architecture": "x86_64",
    "has_glibc": True,
    "has_venv": True,
    "has_compiler": False,
    "has_headers": False,
}


def sentence(**differences: object) -> str | None:
    """What preflight says of a good machine with these differences."""
    return preflight.problem(preflight.Machine(**(GOOD | differences)))


@pytest.mark.parametrize("version", [(3, 11), (3, 13)])
@pytest.mark.parametrize("place", [("Linux", "x86_64"), ("Linux", "aarch64"), ("Darwin", "arm64")])
def test_machine_with_ready_builds_of_everything_needs_no_compiler(
    version: tuple[int, int], place: tuple[str, str]
) -> None:
    assert sentence(version=version, system=place[0], architecture=place[1]) is None


@pytest.mark.parametrize("version", [(3, 12), (3, 14)])
def test_compiler_and_headers_replace_a_missing_build(version: tuple[int, int]) -> None:
    assert sentence(version=version, has_compiler=True, has_headers=True) is None


@pytest.mark.parametrize(
    ("differences", "part"),
    [
        ({"system": "Windows", "architecture": "AMD64"}, "WSL 2"),
        ({"system": "Darwin", "architecture": "x86_64"}, "onnxruntime has no build for Darwin x86_64"),
        ({"architecture": "riscv64"}, "onnxruntime has no build for Linux riscv64"),
        ({"has_glibc": False}, "musl"),
        ({"version": (3, 10)}, "is Python 3.10"),
        ({"version": (2, 7)}, "is Python 2.7"),
        ({"version": (3, 15)}, "is Python 3.15"),
        ({"has_venv": False}, "python3.11-venv"),
        ({"version": (3, 12)}, "a C compiler"),
        ({"version": (3, 14), "has_compiler": True}, "python3.14-dev"),
    ],
)
def test_what_is_missing_is_said_in_one_sentence(differences: dict[str, object], part: str) -> None:
    said = sentence(**differences)

    assert said is not None
    assert part in said
    assert said.endswith(".")
    assert "\n" not in said


def test_this_machine_passes() -> None:
    assert preflight.problem(preflight.this_machine()) is None


def test_preflight_is_written_for_old_interpreters() -> None:
    tree = ast.parse((ROOT / "scripts" / "preflight.py").read_text("utf-8"))
    later = (ast.JoinedStr, ast.AnnAssign, ast.NamedExpr, ast.AsyncFunctionDef, ast.Match, ast.Starred)

    nodes = list(ast.walk(tree))
    annotated = [n for n in nodes if isinstance(n, ast.arg | ast.FunctionDef) and (_annotation(n) is not None)]

    assert [node for node in nodes if isinstance(node, later)] == []
    assert annotated == []
    assert [node for node in nodes if isinstance(node, ast.arguments) and (node.kwonlyargs or node.posonlyargs)] == []


def _annotation(node: ast.arg | ast.FunctionDef) -> ast.expr | None:
    return node.annotation if isinstance(node, ast.arg) else node.returns


def test_old_python_says_the_sentence_instead_of_a_syntax_error() -> None:
    old = _old_python()
    if old is None:
        pytest.skip("no Python older than 3.11 here; the test above reads the syntax instead")

    result = subprocess.run([str(old), "-B", "scripts/preflight.py"], cwd=ROOT, capture_output=True, text=True)

    assert result.returncode == 1
    assert result.stdout == ""
    assert result.stderr.startswith("vivavoce: vivavoce needs Python 3.11 to 3.14, and ")
    assert result.stderr.count("\n") == 1


def test_failing_preflight_stops_the_preparation_with_only_its_sentence(tmp_path: Path) -> None:
    checkout = tmp_path / "checkout"
    shutil.copytree(ROOT / "scripts", checkout / "scripts")
    python = tmp_path / "python3"
    python.write_text(
        f'#!/bin/sh\n[ "$1" = -c ] || exec {sys.executable} -c "import sys; sys.exit(\'one sentence\')"\n'
    )
    python.chmod(0o755)

    environment = os.environ | {"PYTHON": str(python)}
    command = ["sh", str(checkout / "scripts" / "prepare")]
    result = subprocess.run(command, env=environment, capture_output=True, text=True)

    assert result.returncode == 1
    assert (result.stdout, result.stderr) == ("", "one sentence\n")
    assert not (checkout / ".venv").exists()


def _old_python() -> Path | None:
    """Some interpreter from 2.7 to 3.10 that runs."""
    for name in ("python3.10", "python3.9", "python3.8", "python3.7", "python3.6", "python2.7"):
        for path in (
            shutil.which(name),
            *Path.home().glob(f".pyenv/versions/{name.removeprefix('python')}*/bin/python"),
        ):
            if path and subprocess.run([path, "-c", ""], capture_output=True).returncode == 0:
                return Path(path)
    return None
