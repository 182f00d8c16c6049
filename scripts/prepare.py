"""Prepares a checkout, each step only when what it depends on has changed: environment, web page, model files.

Called by `scripts/prepare` with a Python that `preflight.py` has passed. Packages come through pip or uv with
the user's own settings (index, proxy, certificates); nothing here names a host.
"""

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
STAMP = VENV / "vivavoce-prepared.json"
WEB = ROOT / "web"
WEB_GENERATED = {"node_modules", "dist", "coverage"}


class StepFailed(Exception):
    """A step did not succeed; the message is one sentence for the user."""


def main(arguments: Sequence[str]) -> int:
    """Run all steps; returns the exit code."""
    parser = argparse.ArgumentParser(description="Prepare this checkout.")
    parser.add_argument("--dev", action="store_true", help="also what tests and checks need")
    options = parser.parse_args(arguments)
    try:
        prepare_environment("dev" if options.dev else "runtime")
        prepare_web_page()
        fetch_assets()
    except StepFailed as failure:
        print(f"vivavoce: {failure}", file=sys.stderr)
        return 1
    return 0


def prepare_environment(lock_name: str) -> None:
    """Make `.venv` and install the lock and the project into it."""
    if Path(sys.prefix).resolve() != VENV:  # then scripts/prepare found no usable environment
        run([sys.executable, "-m", "venv", "--clear", VENV], f"making {VENV.name}", "Python could not make .venv")
    if not any(stamp(name) == locked(name) for name in (lock_name, "dev")):  # dev holds all of runtime
        install(lock_file(lock_name))
        set_stamp(lock_name, locked(lock_name))
    project = digest([ROOT / "pyproject.toml", ROOT])
    if stamp("project") != project:
        install_project()
        set_stamp("project", project)


def lock_file(name: str) -> Path:
    """Where the lock `name` is kept."""
    return ROOT / "requirements" / f"{name}.lock"


def locked(name: str) -> str:
    """What the environment's stamp says when it holds the lock `name`."""
    return digest([lock_file(name), PYTHON.resolve()])


def install(lock: Path) -> None:
    """Install exactly what `lock` lists, every archive checked against its hash."""
    arguments = ["--require-hashes", "-r", str(lock)]
    title = f"installing the packages of {lock.relative_to(ROOT)}"
    pip_install(arguments, title, "not all packages could be installed; is a package registry reachable for pip?")


def install_project() -> None:
    """Install the checkout itself, in place."""
    arguments = ["--no-deps", "--no-build-isolation", "-e", str(ROOT)]
    pip_install(arguments, "installing vivavoce", "vivavoce could not be installed into its environment")


def pip_install(arguments: list[str], title: str, failure: str) -> None:
    """Install with uv where the machine has it and it succeeds, else with pip."""
    uv = shutil.which("uv")
    if uv and attempt([uv, "pip", "install", "--quiet", "--python", PYTHON, *arguments], title):
        return
    if subprocess.run([PYTHON, "-m", "pip", "--version"], capture_output=True).returncode:
        run([PYTHON, "-m", "ensurepip"], "adding pip", "the environment has no pip and Python could not add it")
    quiet = ["--quiet", "--disable-pip-version-check"]
    run([PYTHON, "-m", "pip", "install", *quiet, *arguments], title, failure)


def prepare_web_page() -> None:
    """Build `web/dist` where sources or locked packages have changed."""
    packages = digest([WEB / "package-lock.json", WEB / ".npmrc"])
    sources = digest(web_sources())
    is_installed = stamp("web packages") == packages and (WEB / "node_modules").is_dir()
    if is_installed and stamp("web sources") == sources and (WEB / "dist" / "index.html").is_file():
        return
    if not node_is_present():
        install(lock_file("node"))
    npm: list[str | Path] = [PYTHON, ROOT / "scripts" / "node.py", "npm"]
    if not is_installed:
        reason = "the packages of the web page could not be installed; is a package registry reachable for npm?"
        run([*npm, "ci", "--no-audit", "--no-fund"], "installing the packages of the web page", reason, WEB)
        set_stamp("web packages", packages)
    run([*npm, "run", "build"], "building the web page", "the web page could not be built", WEB)
    set_stamp("web sources", sources)


def fetch_assets() -> None:
    """Put the model files into the user's cache; prints only what has to be fetched, or why it could not be."""
    command: list[str | Path] = [PYTHON, "-m", "vivavoce", "assets", "fetch"]
    code = subprocess.run(command, cwd=ROOT, stdout=subprocess.DEVNULL).returncode
    if code:
        raise SystemExit(code)


def node_is_present() -> bool:
    """Whether `scripts/node.py` finds a Node, of the machine or of the environment."""
    return subprocess.run([PYTHON, ROOT / "scripts" / "node.py", "--version"], capture_output=True).returncode == 0


def web_sources() -> list[Path]:
    """Every file that the web build reads."""
    tops = (path for path in sorted(WEB.iterdir()) if path.name not in WEB_GENERATED)
    return [file for top in tops for file in ([top] if top.is_file() else sorted(top.rglob("*"))) if file.is_file()]


def digest(paths: Iterable[Path]) -> str:
    """One hash over the names of `paths` and the contents of those that are files of this checkout."""
    total = hashlib.sha256()
    for path in paths:
        total.update(f"{path}\0".encode())
        if path.is_file() and path.is_relative_to(ROOT):
            total.update(path.read_bytes())
    return total.hexdigest()


def stamp(name: str) -> str | None:
    """What the step `name` last succeeded for."""
    return _stamps().get(name)


def set_stamp(name: str, value: str) -> None:
    """Remember what the step `name` succeeded for."""
    STAMP.write_text(json.dumps(_stamps() | {name: value}, indent=1) + "\n")


def _stamps() -> dict[str, str]:
    try:
        stamps: dict[str, str] = json.loads(STAMP.read_text())
    except (OSError, ValueError):
        return {}
    return stamps


def attempt(command: Sequence[str | Path], title: str) -> bool:
    """Run a command whose failure has a fallback, silently; says whether it succeeded."""
    started_s = announce(title)
    succeeded = subprocess.run(command, cwd=ROOT, capture_output=True).returncode == 0
    print(f" {time.monotonic() - started_s:.1f} s" if succeeded else " trying pip", flush=True)
    return succeeded


def run(command: Sequence[str | Path], title: str, failure: str, folder: Path = ROOT) -> None:
    """Run a command, its output shown only when it fails.

    Raises:
        StepFailed: with the sentence `failure`, after the command's own output.
    """
    started_s = announce(title)
    result = subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if result.returncode:
        print(f"\n{result.stdout}", file=sys.stderr, flush=True)
        raise StepFailed(failure + ("" if failure.endswith("?") else "."))
    print(f" {time.monotonic() - started_s:.1f} s", flush=True)


def announce(title: str) -> float:
    """Print what begins, without a line break; returns when it began."""
    print(f"{title} ...", end="", flush=True)
    return time.monotonic()


if __name__ == "__main__":
    os.chdir(ROOT)
    sys.exit(main(sys.argv[1:]))
