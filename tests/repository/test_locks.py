"""The lock files name versions and hashes, never a place to get them from, and agree with each other."""

import json
import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CLIENTS = ROOT / "tests" / "clients"
LOCKS = sorted([*(ROOT / "requirements").glob("*.lock"), *CLIENTS.glob("*/requirements.lock")])
NPM_LOCKS = sorted([ROOT / "web" / "package-lock.json", *CLIENTS.glob("*/package-lock.json")])

PIN = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)==(?P<version>[^ ;\\]+)(?: ; (?P<marker>[^\\]+?))? \\$", re.MULTILINE)


def pins(lock: Path) -> set[tuple[str, str, str]]:
    """Name, version and environment marker of every package that `lock` pins."""
    return {(m["name"], m["version"], m["marker"] or "") for m in PIN.finditer(lock.read_text("utf-8"))}


def complaints(text: str) -> list[str]:
    """The lines of a lock file that say where packages come from, or that pin without a hash."""
    lines = [line for line in text.splitlines() if line and not line.lstrip().startswith("#")]
    sources = [line for line in lines if "://" in line or "@" in line or re.match(r"-|file:|\.|/", line)]
    unhashed = [a for a, b in zip(lines, [*lines[1:], ""], strict=True) if "==" in a and "--hash=sha256:" not in b]
    return sources + unhashed


def _place(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("lock", LOCKS, ids=_place)
def test_lock_holds_hashes_and_no_address(lock: Path) -> None:
    assert complaints(lock.read_text("utf-8")) == []
    assert pins(lock)


@pytest.mark.parametrize(
    "line",
    [
        "--index-url https://example.invalid/simple",
        "-i example",
        "--find-links wheels",
        "soxr @ https://example.invalid/soxr.whl \\\n    --hash=sha256:00",
        "file:///somewhere/soxr.whl",
        "./soxr.whl",
        "soxr==1.1.0",
    ],
)
def test_a_source_or_a_missing_hash_in_a_lock_is_noticed(line: str) -> None:
    assert complaints(f"numpy==2.4.6 \\\n    --hash=sha256:00\n{line}\n") != []


def test_development_lock_holds_the_versions_of_the_runtime_lock() -> None:
    missing = pins(ROOT / "requirements" / "runtime.lock") - pins(ROOT / "requirements" / "dev.lock")

    assert missing == set()


def test_every_dependency_of_the_project_is_locked() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    wanted = {_name(r) for r in project["project"]["dependencies"]}
    tools = {_name(r) for r in project["dependency-groups"]["dev"]}

    assert wanted <= {name for name, _, _ in pins(ROOT / "requirements" / "runtime.lock")}
    assert wanted | tools <= {name for name, _, _ in pins(ROOT / "requirements" / "dev.lock")}


def test_websockets_stays_below_what_the_openai_client_refuses() -> None:
    versions = [version for name, version, _ in pins(ROOT / "requirements" / "dev.lock") if name == "websockets"]

    assert [int(version.split(".")[0]) < 16 for version in versions] == [True]


@pytest.mark.parametrize("lock", NPM_LOCKS, ids=_place)
def test_npm_lock_holds_hashes_and_no_address(lock: Path) -> None:
    text = lock.read_text("utf-8")
    packages = json.loads(text)["packages"]

    assert "://" not in text
    assert '"resolved"' not in text
    assert len(packages) > 1
    assert [name for name, entry in packages.items() if name and "integrity" not in entry] == []


@pytest.mark.parametrize("lock", NPM_LOCKS, ids=_place)
def test_npm_keeps_addresses_out_of_its_lock(lock: Path) -> None:
    assert "omit-lockfile-registry-resolved=true" in (lock.parent / ".npmrc").read_text("utf-8").split()


def _name(requirement: str) -> str:
    match = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert match, f"no name in {requirement!r}"
    return match[0].lower()
