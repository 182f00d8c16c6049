"""Documents stay true where a machine can tell: links, commands, sections, generated parts."""

import re
import subprocess
from pathlib import Path

import pytest

from scripts import reference
from vivavoce.core.policy import IGNORED_FIELDS

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "src" / "vivavoce"
DOCUMENTS = sorted(
    [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *PACKAGE.rglob("*.md"), *(ROOT / "bench").rglob("*.md")]
)
CONTRACT = {ROOT / "docs" / "design" / name for name in ("design.md", "style.md")}  # also describes later versions
LAYERS = sorted(path.parent.name for path in PACKAGE.glob("*/__init__.py"))

LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
MAKE_COMMAND = re.compile(r"^make ([a-z-]+)|`make ([a-z-]+)", re.MULTILINE)
HEADING = re.compile(r"^#+ +(.+)$", re.MULTILINE)


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def anchors(document: Path) -> set[str]:
    """The anchors of a document's headings, as code hosts make them."""
    headings = HEADING.findall(document.read_text("utf-8"))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", DOCUMENTS, ids=_name)
def test_links_lead_somewhere(document: Path) -> None:
    links = [link for link in LINK.findall(_without_code(document)) if not re.match(r"[a-z]+:", link)]

    dead = [link for link in links if not _leads_somewhere(document, link)]

    assert dead == []


def _leads_somewhere(document: Path, link: str) -> bool:
    place, _, anchor = link.partition("#")
    target = (document.parent / place).resolve() if place else document
    return target.exists() and (not anchor or anchor in anchors(target))


def _without_code(document: Path) -> str:
    return re.sub(r"```.*?```", "", document.read_text("utf-8"), flags=re.DOTALL)


@pytest.mark.parametrize("document", [d for d in DOCUMENTS if d not in CONTRACT], ids=_name)
def test_make_commands_exist(document: Path) -> None:
    named = {a or b for a, b in MAKE_COMMAND.findall(document.read_text("utf-8"))}

    assert named <= targets()


def targets() -> set[str]:
    """The targets of the Makefile."""
    return set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))


def test_make_help_lists_every_target() -> None:
    printed = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout

    assert set(re.findall(r"^  make ([a-z-]+) +\S", printed, re.MULTILINE)) == targets()


@pytest.mark.parametrize("layer", LAYERS)
def test_layer_has_a_page(layer: str) -> None:
    page = (PACKAGE / layer / "README.md").read_text("utf-8")

    assert page.startswith(f"# {layer}\n")
    assert "ay import" in page, "says what the layer may import"
    assert re.search(r"\b(Invariants|Always true)\b", page), "says what holds in it"
    assert len(page.splitlines()) <= 50


def test_change_log_keeps_its_sections_in_order() -> None:
    unreleased = (ROOT / "CHANGELOG.md").read_text("utf-8").split("\n## ")[1]

    assert unreleased.startswith("Unreleased\n")
    assert re.findall(r"^### (.+)$", unreleased, re.MULTILINE) == ["Breaking", "Added", "Changed", "Fixed"]


def test_decisions_are_numbered_without_gaps_and_have_their_parts() -> None:
    records = sorted((ROOT / "docs" / "decisions").glob("[0-9]*.md"))
    index = (ROOT / "docs" / "decisions" / "README.md").read_text("utf-8")

    assert [int(record.name[:4]) for record in records] == list(range(1, len(records) + 1))
    for record in records:
        text = record.read_text("utf-8")
        parts = ("Context", "Decision", "Alternatives", "Consequences", "How we would notice that it was wrong")
        assert [part for part in parts if f"\n## {part}\n" not in text] == [], record.name
        assert f"]({record.name})" in index


def test_configuration_page_lists_every_setting_with_its_default() -> None:
    current = reference.PAGE.read_text("utf-8")

    assert reference.page(current) == current, "run `make docs`"
    assert "| `server.port` | `8040` |" in current


def test_page_on_tolerated_fields_names_every_field_that_the_session_may_list() -> None:
    page = (ROOT / "docs" / "reference" / "tolerated.md").read_text("utf-8")
    fields = {path.rpartition(".")[2] for path in (*IGNORED_FIELDS, "tracing")}

    assert [field for field in sorted(fields) if not re.search(rf"`[a-z_.]*\b{field}`", page)] == []
