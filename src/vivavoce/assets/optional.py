"""Models that a person may have besides: fetched only when asked, by the package that they belong to, into the cache.

A fetch runs in a process of its own (moonshine_fetch.py), which ends with this one and can be ended at any moment: what
has come stays in a folder beside the cache's and the next fetch goes on from there. What is complete, checked and
loaded once takes its place by a rename. Nothing here opens a connection or names a host; the package does.
"""

import asyncio
import json
import shutil
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, Literal, Protocol

import msgspec

from vivavoce.assets import moonshine
from vivavoce.assets.errors import AssetDamaged, AssetError
from vivavoce.assets.moonshine import ModelSize, MoonshineModels

OptionalState = Literal["absent", "fetching", "partial", "ready", "failed"]

FETCH_COMMAND: Final = (sys.executable, "-P", "-m", "vivavoce.assets.moonshine_fetch")
STAGING_SUFFIX: Final = ".partial"
MARGIN_BYTES: Final = 50_000_000  # left on the disk after a fetch


class OptionalAsset(msgspec.Struct, frozen=True, kw_only=True):
    """An optional asset and its state on this machine.

    `size_bytes` is what a fetch downloads in all, `bytes_done` what of it is here. `reason` is a sentence: why a fetch
    failed, why what is here cannot be used, or what is missing for a fetch.
    """

    name: str
    title: str
    size_bytes: int
    licence: str
    source: str  # the package that fetches it, with its version
    state: OptionalState
    reason: str = ""
    bytes_done: int = 0


class OptionalProgress(msgspec.Struct, frozen=True):
    """Told to the caller of a fetch about twice a second; `step` is a file's name or what is being done."""

    name: str
    step: str
    bytes_done: int
    size_bytes: int


Report = Callable[[OptionalProgress], None]


class OptionalFetcher(Protocol):
    """What a page or a command needs; `OptionalAssets` implements it."""

    def list(self) -> tuple[OptionalAsset, ...]: ...

    async def fetch(self, name: str, on_progress: Report | None = None) -> OptionalAsset: ...


class OptionalAssets:
    """The optional assets in a cache directory. Used on one event loop; `list` and `find` need none."""

    def __init__(
        self, directory: Path, *, model: ModelSize | None = None, command: tuple[str, ...] = FETCH_COMMAND
    ) -> None:
        """Prepare; nothing is created before the first fetch.

        Args:
            model: which recogniser a fetch gets; None chooses by the number of cores.
            command: starts the process that fetches.
        """
        self.folder = directory.absolute() / moonshine.NAME
        self._staging = self.folder.with_name(moonshine.NAME + STAGING_SUFFIX)
        self._model: ModelSize = model or moonshine.model_size()
        self._command = command
        self._is_fetching = False
        self._failure = ""  # of the last fetch, or of an engine that could not use the models

    def list(self) -> tuple[OptionalAsset, ...]:
        """Return every optional asset with its state, judged by the sizes of its files."""
        return (self._moonshine(is_thorough=False),)

    def verify(self) -> tuple[OptionalAsset, ...]:
        """Return every optional asset with its state, judged by sha256. Blocks for a second."""
        return (self._moonshine(is_thorough=True),)

    def find(self, name: str) -> OptionalAsset:
        """Return one of them; raises AssetError that names those there are."""
        _check_name(name)
        return self._moonshine(is_thorough=False)

    def moonshine_models(self) -> MoonshineModels | None:
        """Return the record of the installed models; None unless they are complete."""
        with suppress(AssetDamaged):
            models = moonshine.read_record(self.folder)
            if models is not None and not moonshine.damaged_files(self.folder, models.files, is_thorough=False):
                return models
        return None

    def note_unusable(self, reason: str) -> None:
        """Keep why the installed models cannot be used, a sentence, until the next fetch."""
        self._failure = reason

    async def fetch(self, name: str, on_progress: Report | None = None) -> OptionalAsset:
        """Install an asset unless it is there and intact; returns it, ready.

        Cancelling ends the download at once; what has come is kept, and the next fetch goes on from there.

        Raises:
            AssetError: no such asset, its package is missing, a fetch is under way, no network, no space, or what came
                cannot be used. The sentence is also the asset's `reason` from then on.
        """
        _check_name(name)
        if self._is_fetching:
            raise AssetError(f"The asset {name!r} is being fetched already.")
        self._is_fetching, self._failure = True, ""
        try:
            await self._fetch(on_progress or _ignore)
        except AssetError as error:
            self._failure = str(error)
            raise
        finally:
            self._is_fetching = False
        return self.find(name)

    async def _fetch(self, report: Report) -> None:
        if not moonshine.is_package_installed():
            raise AssetError(_package_missing())
        if await asyncio.to_thread(self._has_intact_files):
            return
        self._check_space()
        exit_code, failure = await self._run(report)
        if exit_code < 0 and not failure:  # the native library crashed, so something that came is not what it should be
            shutil.rmtree(self._staging, ignore_errors=True)
            failure = f"The models that came cannot be loaded (signal {-exit_code}); they were removed."
        if failure or exit_code or self.moonshine_models() is None:
            raise AssetError(failure or f"The models were not installed: the fetch ended with code {exit_code}.")

    def _has_intact_files(self) -> bool:
        models = self.moonshine_models()
        return models is not None and not moonshine.damaged_files(self.folder, models.files, is_thorough=True)

    def _check_space(self) -> None:
        try:
            self.folder.parent.mkdir(parents=True, exist_ok=True)
            free_bytes = shutil.disk_usage(self.folder.parent).free
        except OSError as error:
            raise AssetError(f"The models cannot be stored in {self.folder.parent}: {error.strerror}.") from error
        needed_bytes = self._size_bytes - self._done_bytes() + MARGIN_BYTES
        if free_bytes < needed_bytes:
            raise AssetError(
                f"The models were not fetched: they need {needed_bytes / 1e6:.0f} MB in {self.folder.parent}, "
                f"{free_bytes / 1e6:.0f} MB are free."
            )

    async def _run(self, report: Report) -> tuple[int, str]:
        """Run the fetching process; returns its exit code and the sentence of its failure, empty without one."""
        process = await asyncio.create_subprocess_exec(
            *self._command,
            str(self.folder),
            str(self._staging),
            self._model,
            stdin=asyncio.subprocess.PIPE,  # closed with this process: the fetch ends then
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        assert process.stdout is not None, "asked for a pipe"
        failure = ""
        try:
            async for line in process.stdout:
                news = _news(line)
                failure = str(news.get("failed", failure))
                if "step" in news:
                    done_bytes = min(int(news["bytes_done"]), self._size_bytes)
                    report(OptionalProgress(moonshine.NAME, str(news["step"]), done_bytes, self._size_bytes))
            return await process.wait(), failure
        finally:
            await _end(process)

    @property
    def _size_bytes(self) -> int:
        return moonshine.MODEL_BYTES[self._model] + moonshine.VOICES_BYTES

    def _done_bytes(self) -> int:
        return min(moonshine.folder_bytes(self._staging), self._size_bytes)

    def _moonshine(self, *, is_thorough: bool) -> OptionalAsset:
        state, reason = self._state(is_thorough)
        done_bytes = self._size_bytes if state == "ready" else self._done_bytes()
        return OptionalAsset(
            name=moonshine.NAME,
            title=moonshine.TITLE,
            size_bytes=self._size_bytes,
            licence=moonshine.LICENCE,
            source=f"{moonshine.PACKAGE} {moonshine.package_version()}".rstrip(),
            state=state,
            reason=reason,
            bytes_done=done_bytes,
        )

    def _state(self, is_thorough: bool) -> tuple[OptionalState, str]:
        if self._is_fetching:
            return "fetching", ""
        if self._failure:
            return "failed", self._failure
        if not moonshine.is_package_installed():
            return "absent", _package_missing()
        try:
            models = moonshine.read_record(self.folder)
        except AssetDamaged as error:
            return "failed", str(error)
        if models is None:
            return ("partial", "") if self._done_bytes() else ("absent", "")
        damaged = moonshine.damaged_files(self.folder, models.files, is_thorough=is_thorough)
        return ("failed", _damage(damaged)) if damaged else ("ready", "")


async def _end(process: asyncio.subprocess.Process) -> None:
    """Kill a process unless it has ended, and release its pipes."""
    if process.returncode is None:
        process.kill()
    if process.stdin is not None:
        process.stdin.close()
    await process.communicate()


def _check_name(name: str) -> None:
    if name != moonshine.NAME:
        raise AssetError(f"There is no optional asset {name!r}; known is {moonshine.NAME!r}.")


def _package_missing() -> str:
    return f"The Python package {moonshine.PACKAGE} is not installed."


def _damage(paths: tuple[str, ...]) -> str:
    more = f" and {len(paths) - 1} more" if len(paths) > 1 else ""
    return f"The model file {paths[0]!r}{more} is missing or damaged; fetch {moonshine.NAME} again."


def _news(line: bytes) -> Mapping[str, Any]:  # JSON boundary: a line of the fetching process
    try:
        news = json.loads(line)
    except ValueError:
        return {}
    return news if isinstance(news, dict) else {}


def _ignore(progress: OptionalProgress) -> None:
    pass
