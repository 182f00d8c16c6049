"""What `vivavoce assets` says of model files that nobody has to have."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from vivavoce.cli import app

OPTIONAL = "smart-turn"


def listed(folder: Path, monkeypatch: pytest.MonkeyPatch, *options: str) -> str:
    """What `assets list` prints of an asset folder."""
    monkeypatch.setenv("VIVAVOCE_ASSETS_DIR", str(folder))
    result = CliRunner().invoke(app, ["assets", "list", *options])
    assert result.exit_code == 0
    return result.stdout


def test_an_absent_optional_asset_is_listed_as_optional_with_size_and_licence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = {line.split()[0]: line for line in listed(tmp_path, monkeypatch).splitlines()}

    assert lines[OPTIONAL].split()[1] == "optional"
    assert "BSD-2-Clause, 8.7 MB" in lines[OPTIONAL]
    assert lines["silero-vad"].split()[1] == "missing"


def test_the_listing_for_programs_tells_what_is_optional(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = {row["name"]: row for row in json.loads(listed(tmp_path, monkeypatch, "--json"))}

    assert rows[OPTIONAL]["is_optional"] is True
    assert rows["flite-wasm"]["is_optional"] is False
