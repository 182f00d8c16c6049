"""The models of the package moonshine-voice: which are fetched, what they weigh, and where they lie when installed.

They are installed as one folder with a record, `installed.json`, that names every file with its size and sha256. The
folder appears by a rename when everything in it was downloaded, checked and loaded once; see moonshine_fetch.py.
"""

import hashlib
import importlib.metadata
import importlib.util
import json
import os
from pathlib import Path
from typing import Final, Literal

import msgspec

from vivavoce.assets.errors import AssetDamaged

NAME: Final = "moonshine"
PACKAGE: Final = "moonshine-voice"
MODULE: Final = "moonshine_voice"
RECORD: Final = "installed.json"
TITLE: Final = "Moonshine: a better recogniser and natural voices"
LICENCE: Final = "MIT (code, English recogniser), Apache-2.0 (Kokoro voices), BSD (pronouncing dictionary)"
VOICES_BYTES: Final = 123_000_000  # ten voices; the package's list has no sizes, these are of its documentation
MIN_CORES_FOR_SMALL: Final = 4

ModelSize = Literal["tiny", "small"]

# Sizes with what word times need, out of the package's own list; a test compares them.
MODEL_BYTES: Final[dict[ModelSize, int]] = {"tiny": 77_748_675, "small": 224_067_582}


class InstalledFile(msgspec.Struct, frozen=True):
    """A file below the folder; `path` has forward slashes."""

    path: str
    size_bytes: int
    sha256: str


class MoonshineModels(msgspec.Struct, frozen=True):
    """The record of an installation; `transcriber` and `voices_root` are folders below it.

    `architecture` is the package's number for the recogniser's kind, `voices` maps our voices to (language, its voice).
    """

    package_version: str
    model: str
    architecture: int
    transcriber: str
    voices_root: str
    voices: dict[str, tuple[str, str]]
    files: tuple[InstalledFile, ...]
    language: str = "en"


def model_size(cores: int | None = None) -> ModelSize:
    """Return which recogniser keeps up with speech on a machine; None asks for this one's cores.

    The package's authors measured 69 ms from the end of speech to the text for tiny and 165 ms for small on x86.
    """
    return "small" if (cores or os.cpu_count() or 1) >= MIN_CORES_FOR_SMALL else "tiny"


def is_package_installed() -> bool:
    """Return whether the package can be imported by this Python."""
    return importlib.util.find_spec(MODULE) is not None


def package_version() -> str:
    """Return the version of the package; empty where it is not installed."""
    try:
        return importlib.metadata.version(PACKAGE)
    except importlib.metadata.PackageNotFoundError:
        return ""


def read_record(folder: Path) -> MoonshineModels | None:
    """Return what is installed in a folder; None where nothing is.

    Raises:
        AssetDamaged: the record cannot be read.
    """
    path = folder / RECORD
    try:
        return msgspec.json.decode(path.read_bytes(), type=MoonshineModels)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.DecodeError) as error:
        raise AssetDamaged(f"The record {path} cannot be read: {error}.") from error


def damaged_files(folder: Path, files: tuple[InstalledFile, ...], *, is_thorough: bool) -> tuple[str, ...]:
    """Return the paths of the files that are missing or have another size, and if `is_thorough` another sha256."""
    return tuple(file.path for file in files if not _is_intact(folder / file.path, file, is_thorough))


def folder_bytes(folder: Path) -> int:
    """Return the size of all files below a folder, 0 where there is none; files may come and go meanwhile."""
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.stat().st_size if path.is_file() else 0
        except OSError:
            continue
    return total


def write_record(folder: Path, models: MoonshineModels) -> None:
    """Write the record of an installation into its folder."""
    (folder / RECORD).write_text(json.dumps(msgspec.to_builtins(models), indent=1) + "\n", "utf-8")


def described_file(path: Path, folder: Path) -> InstalledFile:
    """Return a file as the record describes it."""
    return InstalledFile(path.relative_to(folder).as_posix(), path.stat().st_size, _sha256(path))


def _is_intact(path: Path, file: InstalledFile, is_thorough: bool) -> bool:
    try:
        return path.stat().st_size == file.size_bytes and (not is_thorough or _sha256(path) == file.sha256)
    except OSError:
        return False


def _sha256(path: Path) -> str:
    with path.open("rb") as source:
        return hashlib.file_digest(source, "sha256").hexdigest()
