"""Stored prompts are read from a folder, and what is wrong in it is named."""

from pathlib import Path

import pytest

from vivavoce.config.load import ConfigurationError
from vivavoce.config.prompts import MAX_PROMPT_BYTES, load_prompts


def test_files_are_prompts_by_id_and_by_id_and_version(tmp_path: Path) -> None:
    (tmp_path / "greeter.md").write_text("Greet {{name}}.\n")
    (tmp_path / "greeter@2.md").write_text("Grüße {{name}}.", "utf-8")
    (tmp_path / "pmpt_1.5-x@v1.0.md").write_text("x")
    (tmp_path / ".git").mkdir()

    assert load_prompts(tmp_path) == {
        "greeter": "Greet {{name}}.",
        "greeter@2": "Grüße {{name}}.",
        "pmpt_1.5-x@v1.0": "x",
    }


def test_without_a_folder_there_are_no_prompts(tmp_path: Path) -> None:
    assert load_prompts(None) == {}
    assert load_prompts(tmp_path) == {}


@pytest.mark.parametrize("name", ["greeter.txt", "a b.md", "a@1@2.md", "@1.md", "a@.md", ".md~", "ä.md", "greeter.md~"])
def test_a_name_that_is_no_prompts_is_refused(tmp_path: Path, name: str) -> None:
    if name.startswith("."):
        name = f"x{name}"
    (tmp_path / name).write_text("text")

    with pytest.raises(ConfigurationError, match="prompts_dir: expected ID.md or ID@VERSION.md"):
        load_prompts(tmp_path)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"\xff", "expected UTF-8, byte 0"),
        (b" \n", "not empty"),
        (b"a\0b", "NUL"),
        (b"x" * (MAX_PROMPT_BYTES + 1), "at most"),
    ],
)
def test_a_text_that_cannot_be_a_prompt_is_refused(tmp_path: Path, content: bytes, complaint: str) -> None:
    (tmp_path / "a.md").write_bytes(content)

    with pytest.raises(ConfigurationError, match=complaint):
        load_prompts(tmp_path)


def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "folder.md").mkdir()

    with pytest.raises(ConfigurationError, match=r"folder\.md cannot be read"):
        load_prompts(tmp_path)
    with pytest.raises(ConfigurationError, match="nowhere cannot be read"):
        load_prompts(tmp_path / "nowhere")
