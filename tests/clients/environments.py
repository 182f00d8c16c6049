"""The environments of the stock clients: made on first use from their locks, and again when a lock changes.

`python -m tests.clients.environments`           makes all of them
`python -m tests.clients.environments --lock`    computes the locks anew (needs uv), in the versions of the inputs

Python clients get `.venv/clients/NAME`, Node clients their own `node_modules`. Packages come through
pip, uv and npm with the user's own settings; nothing here names a host.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from scripts.node import command as node_command

CLIENTS = Path(__file__).resolve().parent
VENVS = CLIENTS.parents[1] / ".venv" / "clients"  # goes with the environment that it was made beside
LIMIT_S = 240.0


class InstallFailed(Exception):
    """An environment could not be made; the message names it and ends with what the installer said."""


def python_of(name: str) -> Path:
    """Return the interpreter of a Python client's environment, which is made if need be.

    Raises:
        InstallFailed: not all packages could be installed.
    """
    lock = CLIENTS / name / "requirements.lock"
    folder = VENVS / name
    python = folder / "bin" / "python"
    if _stamp(folder) != _digest(lock):
        shutil.rmtree(folder, ignore_errors=True)
        uv = shutil.which("uv")
        bare = ["--without-pip"] if uv else []
        _run([sys.executable, "-m", "venv", *bare, str(folder)], name)
        pip = [uv, "pip", "install", "--python", str(python)] if uv else [str(python), "-m", "pip", "install"]
        _run([*pip, "--quiet", "--require-hashes", "-r", str(lock)], name)
        _set_stamp(folder, _digest(lock))
    return python


def node_folder_of(name: str) -> Path:
    """Return the folder of a Node client with its packages in place, installed if need be; raises as `python_of`."""
    folder = CLIENTS / name
    lock = folder / "package-lock.json"
    if _stamp(folder / "node_modules") != _digest(lock):
        run_node("npm", ["ci", "--no-audit", "--no-fund"], folder)
        _set_stamp(folder / "node_modules", _digest(lock))
    return folder


def run_node(tool: str, arguments: Sequence[str], folder: Path) -> None:
    """Run npm or node in a client's folder; raises InstallFailed."""
    try:
        argv, environment = node_command(tool, arguments)
    except FileNotFoundError as missing:
        raise InstallFailed(f"{folder.name}: {missing}") from missing
    _run(argv, folder.name, folder, environment)


def lock_all() -> None:
    """Compute all locks. npm's own tells where to donate; those addresses are left out."""
    for requirements in sorted(CLIENTS.glob("*/requirements.in")):
        universal = ["--universal", "--python-version", "3.11", "--generate-hashes", "--no-header", "--quiet"]
        output = [requirements.name, "-o", "requirements.lock", "--upgrade"]
        _run(["uv", "pip", "compile", *universal, *output], requirements.parent.name, requirements.parent)
    for package in sorted(CLIENTS.glob("*/package.json")):
        lock = package.parent / "package-lock.json"
        lock.unlink(missing_ok=True)
        run_node("npm", ["install", "--package-lock-only", "--no-audit", "--no-fund"], package.parent)
        content = json.loads(lock.read_text())
        for entry in content["packages"].values():
            entry.pop("funding", None)
        lock.write_text(json.dumps(content, indent=2) + "\n")


def make_all() -> None:
    """Make every environment that is not there."""
    for lock in sorted(CLIENTS.glob("*/requirements.lock")):
        python_of(lock.parent.name)
    for lock in sorted(CLIENTS.glob("*/package-lock.json")):
        node_folder_of(lock.parent.name)


def _digest(lock: Path) -> str:
    return hashlib.sha256(lock.read_bytes() + sys.version.encode()).hexdigest()


def _stamp(folder: Path) -> str:
    try:
        return (folder / "vivavoce-installed").read_text()
    except OSError:
        return ""


def _set_stamp(folder: Path, digest: str) -> None:
    (folder / "vivavoce-installed").write_text(digest)


def _run(
    command: Sequence[str], name: str, folder: Path | None = None, environment: dict[str, str] | None = None
) -> None:
    done = subprocess.run(
        command,
        cwd=folder,
        env=environment or dict(os.environ),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=LIMIT_S,
    )
    if done.returncode:
        raise InstallFailed(f"{name}: {command[0]} ended with {done.returncode}: {done.stdout[-500:]}")


if __name__ == "__main__":
    lock_all() if "--lock" in sys.argv else make_all()
