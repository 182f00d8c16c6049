"""The lock files name versions and hashes, never a place to get them from, and agree with each other."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LOCKS = sorted((ROOT / "requirements").glob("*.lock"))
WEB_LOCK = ROOT / "web" / "package-lock.json"

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


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.name)
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


def test_web_lock_holds_hashes_and_no_address() -> None:
    text = WEB_LOCK.read_text("utf-8")

    assert "://" not in text
    assert '"resolved"' not in text
    assert text.count('"integrity"') > 10


def test_npm_keeps_addresses_out_of_its_lock() -> None:
    assert "omit-lockfile-registry-resolved=true" in (ROOT / "web" / ".npmrc").read_text("utf-8").split()


def _name(requirement: str) -> str:
    match = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert match, f"no name in {requirement!r}"
    return match[0].lower()
