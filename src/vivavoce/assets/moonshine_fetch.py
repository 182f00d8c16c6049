"""The process that fetches the models of moonshine-voice: `moonshine_fetch FOLDER STAGING SIZE`.

The package's own downloader gets the files into the staging folder, goes on with those that were broken off, and checks
the recogniser's against its checksums. Then recogniser and voices are loaded once, the record is written, and the
staging folder takes the place of FOLDER. On standard output come lines of JSON: {"step", "bytes_done"} about twice a
second, and {"failed": sentence} before an end with code 1. The process ends when its standard input closes.
"""

import fcntl
import json
import os
import shutil
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from vivavoce.assets import moonshine
from vivavoce.assets.errors import AssetDamaged
from vivavoce.assets.moonshine import InstalledFile, MoonshineModels

LANGUAGE: Final = "en"
TELL_EVERY_S: Final = 0.5
ARCHITECTURES: Final = {"tiny": "TINY_STREAMING", "small": "SMALL_STREAMING"}
VOICES_FOLDER: Final = "voices"
TEMPORARY_SUFFIXES: Final = (".lock", ".partial")

# Our voices as Kokoro's: the nearest of the same sex and temper.
VOICES: Final[dict[str, tuple[str, str]]] = {
    "alloy": ("en_us", "kokoro_af_alloy"),
    "ash": ("en_us", "kokoro_am_michael"),
    "ballad": ("en_gb", "kokoro_bm_george"),
    "coral": ("en_us", "kokoro_af_bella"),
    "echo": ("en_us", "kokoro_am_echo"),
    "sage": ("en_us", "kokoro_af_sarah"),
    "shimmer": ("en_us", "kokoro_af_sky"),
    "verse": ("en_us", "kokoro_am_puck"),
    "marin": ("en_us", "kokoro_af_heart"),
    "cedar": ("en_us", "kokoro_am_onyx"),
}


class FetchFailed(Exception):
    """The models cannot be installed; the message is a sentence for the user."""


class Teller:
    """Tells the parent what is being done and how much has come."""

    def __init__(self, staging: Path) -> None:
        self.step = "starting"
        self._staging = staging
        self._output = os.fdopen(os.dup(1), "w", encoding="utf-8")
        os.dup2(2, 1)  # what libraries print is not for the parent
        self._lock = threading.Lock()

    def tell(self, **news: object) -> None:
        """Send one line; the end of the parent is the end of this process."""
        with self._lock:
            try:
                print(json.dumps(news), file=self._output, flush=True)
            except OSError:
                os._exit(1)

    def tell_progress(self) -> None:
        """Send the step and the bytes that have come."""
        self.tell(step=self.step, bytes_done=moonshine.folder_bytes(self._staging))

    def begin(self, step: str) -> None:
        """Note and send another step."""
        self.step = step
        self.tell_progress()

    def on_progress(self, fraction: float, file: str) -> None:
        """See the package's ProgressCallback."""
        self.step = file.rsplit("/", 1)[-1]

    def tell_regularly(self, is_over: threading.Event) -> None:
        """Send progress until told that it is over."""
        while not is_over.wait(TELL_EVERY_S):
            self.tell_progress()


def main(arguments: list[str]) -> int:
    """Fetch, check and install; returns the exit code."""
    folder, staging, size = Path(arguments[0]), Path(arguments[1]), arguments[2]
    teller = Teller(staging)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        with _only_one(folder), _telling(teller):
            _install(folder, staging, size, teller)
    except FetchFailed as error:
        teller.tell(failed=str(error))
        return 1
    except Exception as error:  # whatever package, network and disk can do is told, then the process ends
        teller.tell(failed=_sentence(error))
        return 1
    return 0


def _install(folder: Path, staging: Path, size: str, teller: Teller) -> None:
    _take_over(folder, staging)
    staging.mkdir(parents=True, exist_ok=True)
    transcriber, architecture = _fetch_transcriber(staging, size, teller)
    _fetch_voices(staging / VOICES_FOLDER, teller)
    teller.begin("loading the recogniser")
    _check(lambda: _try_transcriber(transcriber, architecture), transcriber, "recogniser")
    teller.begin("loading the voices")
    _check(lambda: _try_voices(staging / VOICES_FOLDER), staging / VOICES_FOLDER, "voices")
    teller.begin("installing")
    models = MoonshineModels(
        package_version=moonshine.package_version(),
        model=size,
        architecture=architecture,
        transcriber=transcriber.relative_to(staging).as_posix(),
        voices_root=VOICES_FOLDER,
        voices=VOICES,
        files=_files(staging),
        language=LANGUAGE,
    )
    moonshine.write_record(staging, models)
    staging.rename(folder)  # last: the folder is there only when all of it is


def _take_over(folder: Path, staging: Path) -> None:
    """Make an installation that is not intact the start of the fetch, without its damaged files."""
    if not folder.exists():
        return
    try:
        models = moonshine.read_record(folder)
    except AssetDamaged:
        models = None
    shutil.rmtree(staging, ignore_errors=True)
    if models is None:
        shutil.rmtree(folder)
        return
    for path in moonshine.damaged_files(folder, models.files, is_thorough=True):
        (folder / path).unlink(missing_ok=True)
    (folder / moonshine.RECORD).unlink()
    folder.rename(staging)


def _fetch_transcriber(staging: Path, size: str, teller: Teller) -> tuple[Path, int]:
    from moonshine_voice import ModelArch, get_model_for_language

    path, architecture = get_model_for_language(
        LANGUAGE,
        ModelArch[ARCHITECTURES[size]],
        cache_root=staging,
        on_progress=teller.on_progress,
        include_word_timestamps=True,
    )
    return Path(path), int(architecture.value)


def _fetch_voices(root: Path, teller: Teller) -> None:
    from moonshine_voice import download_tts_assets

    for language, voice in VOICES.values():
        download_tts_assets(language, voice=voice, cache_root=root, on_progress=teller.on_progress)


def _check(load: Callable[[], None], folder: Path, what: str) -> None:
    try:
        load()
    except Exception as error:
        shutil.rmtree(folder, ignore_errors=True)  # no size or checksum tells which file it is
        raise FetchFailed(f"The {what} that came cannot be loaded ({_short(error)}); fetch again.") from error


def _try_transcriber(path: Path, architecture: int) -> None:
    """Transcribe a second of silence with word times."""
    from moonshine_voice import ModelArch, Transcriber

    transcriber: Any = Transcriber(path, ModelArch(architecture), options={"word_timestamps": "true"})  # untyped
    transcriber.transcribe_without_streaming([0.0] * 16_000, 16_000)
    transcriber.close()


def _try_voices(root: Path) -> None:
    """Speak a word with the first voice; the others share all but one file with it, which must be there."""
    from moonshine_voice import TextToSpeech, list_tts_voices

    language, voice = next(iter(VOICES.values()))
    speaker: Any = TextToSpeech().language(language).voice(voice).models_from(root)  # untyped library
    speaker.load()
    samples, rate_hz = speaker.synthesize("Ready.")
    speaker.close()
    if len(samples) < rate_hz // 10:
        raise FetchFailed("a word has no sound")
    for language, voice in VOICES.values():
        if voice not in list_tts_voices(language, root_path=root)["present"]:
            raise FetchFailed(f"the voice {voice!r} is not there")


def _files(staging: Path) -> tuple[InstalledFile, ...]:
    for path in sorted(staging.rglob("*")):
        if path.suffix in TEMPORARY_SUFFIXES:
            path.unlink()
    return tuple(
        moonshine.described_file(path, staging)
        for path in sorted(staging.rglob("*"))
        if path.is_file() and path.name != moonshine.RECORD
    )


@contextmanager
def _only_one(folder: Path) -> Iterator[None]:
    """Keep a second process from fetching into the same folder."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_name(f".{folder.name}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise FetchFailed("The models are being fetched by another process already.") from error
        yield


@contextmanager
def _telling(teller: Teller) -> Iterator[None]:
    is_over = threading.Event()
    thread = threading.Thread(target=teller.tell_regularly, args=(is_over,))
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()


def _end_with_parent() -> None:
    while os.read(0, 1):  # not through `sys.stdin`: its lock would abort an interpreter that ends meanwhile
        pass
    os._exit(1)


def _sentence(error: Exception) -> str:
    kinds = {kind.__name__ for kind in type(error).__mro__}
    if "ConnectionError" in kinds or "Timeout" in kinds:
        return f"The models were not downloaded, is there a network? {_short(_innermost(error))}."
    return f"The models were not installed: {_short(error)}."


def _innermost(error: BaseException) -> BaseException:
    """The operating system's own complaint, under what HTTP libraries wrapped around it."""
    while (inner := error.__cause__ or error.__context__) is not None:
        error = inner
    return error


def _short(error: BaseException) -> str:
    """The first line of what an error says, without its trailing point."""
    said = str(error).strip().splitlines()
    return (said[0][:200] if said else type(error).__name__).rstrip(".")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
