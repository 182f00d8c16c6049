"""The catalogue: which file of which published package an engine needs, pinned by sha256."""

import tomllib
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Final, Literal

import msgspec

from vivavoce.assets.errors import AssetError

CATALOGUE_PATH: Final = Path(__file__).with_name("catalogue.toml")


class Asset(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One file inside a published package. Hashes are lower-case hexadecimal sha256."""

    name: str
    index: Literal["pip", "npm"]
    package: str
    version: str
    archive_sha256: str
    archive_bytes: int
    member: str  # path inside the archive, with forward slashes
    sha256: str  # of the member
    size_bytes: int  # of the member
    licence: str  # SPDX identifier as the package declares it
    licence_member: str
    description: str = ""
    is_optional: bool = False  # fetched only by name; nothing needs it unless it is configured

    @property
    def relative_path(self) -> Path:
        """Where the file lies below the asset directory."""
        return Path(f"{self.name}-{self.version}", PurePosixPath(self.member).name)

    @property
    def relative_licence_path(self) -> Path:
        """Where the licence text lies below the asset directory."""
        return self.relative_path.with_name(PurePosixPath(self.licence_member).name)


def load_catalogue(path: Path = CATALOGUE_PATH) -> dict[str, Asset]:
    """Read a catalogue; returns its rows by name, in order.

    Raises:
        AssetError: a row is not valid, or two rows share a name.
    """
    try:
        rows = msgspec.convert(tomllib.loads(path.read_text("utf-8"))["asset"], list[Asset])
    except (tomllib.TOMLDecodeError, msgspec.ValidationError, KeyError) as error:
        raise AssetError(f"The asset catalogue {path.name} is not valid: {error}.") from error
    catalogue = {row.name: row for row in rows}
    if len(catalogue) < len(rows):
        raise AssetError(f"The asset catalogue {path.name} names an asset twice.")
    return catalogue


def needed_names(catalogue: Mapping[str, Asset]) -> tuple[str, ...]:
    """Return the names of the rows that are not optional."""
    return tuple(name for name, asset in catalogue.items() if not asset.is_optional)


def find_asset(catalogue: Mapping[str, Asset], name: str) -> Asset:
    """Return the row called `name`; raises AssetError that lists the known names."""
    if name not in catalogue:
        raise AssetError(f"There is no asset {name!r}; known are {', '.join(catalogue)}.")
    return catalogue[name]
