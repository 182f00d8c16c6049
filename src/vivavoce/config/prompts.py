"""Stored prompts: one Markdown file each, by its name."""

import re
from pathlib import Path
from typing import Final

from vivavoce.config.load import ConfigurationError

MAX_PROMPT_BYTES: Final = 1024 * 1024  # of UTF-8, as long as instructions may be
MAX_PROMPTS: Final = 10_000
_NAME: Final = re.compile(r"(?P<key>[A-Za-z0-9_.-]{1,128}(@[A-Za-z0-9_.-]{1,64})?)\.md")


def load_prompts(directory: Path | None) -> dict[str, str]:
    """Return the texts of a folder by their keys: `ID.md` gives `ID`, `ID@VERSION.md` gives `ID@VERSION`.

    White space around a text is dropped; names that begin with a dot are left out. None is a server without prompts.

    Raises:
        ConfigurationError: the folder or a file cannot be read, or a name or a text cannot be a prompt's.
    """
    if directory is None:
        return {}
    try:
        paths = sorted(path for path in directory.iterdir() if not path.name.startswith("."))
    except OSError as error:
        raise ConfigurationError(f"prompts_dir: {directory} cannot be read: {error.strerror}.") from error
    if len(paths) > MAX_PROMPTS:
        raise ConfigurationError(f"prompts_dir: expected at most {MAX_PROMPTS} files, got {len(paths)}.")
    return {_key(path): _text(path) for path in paths}


def _key(path: Path) -> str:
    named = _NAME.fullmatch(path.name)
    if named is None:
        expected = "expected ID.md or ID@VERSION.md of letters, digits, '_', '-' and '.'"
        raise ConfigurationError(f"prompts_dir: {expected}, got {path.name!r}.")
    return named["key"]


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_PROMPT_BYTES + 1)
        text = content.decode("utf-8").strip()
    except OSError as error:
        raise ConfigurationError(f"prompts_dir: {path.name} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"prompts_dir: {path.name}: expected UTF-8, byte {error.start} is none.") from error
    if len(content) > MAX_PROMPT_BYTES:
        raise ConfigurationError(f"prompts_dir: {path.name}: expected at most {MAX_PROMPT_BYTES} bytes.")
    if not text or "\0" in text:
        raise ConfigurationError(f"prompts_dir: {path.name}: expected a text without NUL characters, and not empty.")
    return text
