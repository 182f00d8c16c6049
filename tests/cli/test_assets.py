"""What `vivavoce assets` says of model files that nobody has to have."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from tests.doubles.moonshine import use_double
from vivavoce.assets.optional import OptionalProgress
from vivavoce.cli import app
from vivavoce.cli.assets import ProgressLine

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


def fetched(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Result:
    monkeypatch.setenv("VIVAVOCE_ASSETS_DIR", str(folder))
    return CliRunner().invoke(app, ["assets", "fetch", "moonshine"])


def test_models_that_a_package_fetches_are_listed_with_licence_and_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (line,) = [line for line in listed(tmp_path, monkeypatch).splitlines() if line.startswith("moonshine")]
    rows = {row["name"]: row for row in json.loads(listed(tmp_path, monkeypatch, "--json"))}

    assert line.split()[1] == "optional"
    assert "MIT" in line and "MB" in line
    assert (rows["moonshine"]["is_optional"], rows["moonshine"]["state"]) == (True, "missing")


def test_a_fetch_tells_size_licence_and_progress_and_where_the_models_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_double(monkeypatch)

    result = fetched(tmp_path, monkeypatch)

    assert result.exit_code == 0
    assert result.stdout.strip() == f"moonshine: {tmp_path / 'moonshine'}"
    assert "about" in result.stderr and "MB" in result.stderr and "Apache-2.0" in result.stderr
    assert "%" in result.stderr
    assert "installed" in listed(tmp_path, monkeypatch).splitlines()[-1]


def test_a_fetch_that_fails_is_a_sentence_and_leaves_what_came(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use_double(monkeypatch, stops_at="tokenizer.bin")

    result = fetched(tmp_path, monkeypatch)

    assert result.exit_code == 1
    assert "is there a network?" in result.stderr.splitlines()[-1]
    assert listed(tmp_path, monkeypatch).splitlines()[-1].split()[1] == "partial"


def test_progress_is_one_line_on_a_terminal_and_a_line_for_each_tenth_elsewhere(
    capsys: pytest.CaptureFixture[str],
) -> None:
    for is_terminal in (True, False):
        line = ProgressLine(is_terminal=is_terminal)
        for done_bytes in range(0, 101):
            line.tell(OptionalProgress("moonshine", "encoder.ort", done_bytes * 1_000_000, 100_000_000))
        line.end()

    terminal, _, rest = capsys.readouterr().err.partition("\n")

    assert terminal.count("\r") == 101
    assert len(rest.splitlines()) == 11
