"""Flite as a WebAssembly program (WASI), run by wasmtime: for machines without the system's library.

The program speaks a whole clause per run, so its first sound comes when the clause is done. It prints when each
phone ends (`-psdur`) but not which word a phone belongs to. A second, cheap run of the same text analysis, one word
at a time with the diphone voice (`-ps`), tells how many phones each word has; see `phone_spans`.
"""

import contextlib
import difflib
import importlib.metadata
import os
import tempfile
import threading
import wave
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from vivavoce.engines.base import EngineError
from vivavoce.engines.tts.flite_build import FLITE_RATE_HZ, Listener, Prosody, Timeline

if TYPE_CHECKING:
    import wasmtime

NAME: Final = "flite-wasm"
GUEST_FOLDER: Final = "/io"
SILENCE: Final = "pau"
DICTIONARY_WORDS: Final = 4096  # pronunciations kept
PIECE_BYTES: Final = 2 * FLITE_RATE_HZ // 10  # handed over at a time: 100 ms
FAST_SPEAKER: Final = "kal"  # the same lexicon as the others; 1 ms per clause

Phones = tuple[str, ...]
TimedPhone = tuple[str, float]  # the phone and when it ends, in s


class FliteWasm:
    """The program, compiled and ready. Each clause runs in an instance and a memory of its own."""

    name = NAME
    is_streaming = False

    def __init__(self, path: Path) -> None:
        """Compile the program at `path`, 0.3 s, or load what an earlier process compiled, 2 ms.

        The compiled form lies beside `path` where that folder can be written.

        Raises:
            EngineError: no wasmtime, no file, or not a WebAssembly program.
        """
        try:
            import wasmtime
        except ImportError as error:
            raise EngineError(NAME, "The Python package wasmtime is not installed.") from error
        try:
            self._engine = wasmtime.Engine()
            self._module = _load(self._engine, path)
            self._linker = wasmtime.Linker(self._engine)
            self._linker.define_wasi()
        except (OSError, wasmtime.WasmtimeError) as error:
            raise EngineError(NAME, f"Flite's WebAssembly program {str(path)!r} cannot be used: {error}") from error
        self._folder = tempfile.TemporaryDirectory(prefix="vivavoce-flite-")
        self._dictionary: OrderedDict[str, Phones] = OrderedDict()
        self._lock = threading.Lock()  # guards the dictionary

    def speak(self, words: Sequence[str], prosody: Prosody, listener: Listener) -> None:
        """Speak one clause, see FliteBuild; the listener is not asked before the clause is done."""
        options = [f"{name}={value:.4f}" for name, value in prosody.features.items()]
        arguments = ["-voice", prosody.speaker, *(part for option in options for part in ("--setf", option))]
        with tempfile.TemporaryDirectory(dir=self._folder.name) as folder:
            printed = self._run([*arguments, "-psdur", "-t", " ".join(words), "-o", f"{GUEST_FOLDER}/wav"], folder)
            pcm = _read_wave(Path(folder, "wav"))
        listener.begin(Timeline(phone_spans(self._pronounce(words), _timed_phones(printed))))
        for start in range(0, len(pcm), PIECE_BYTES):
            if not listener.hear(pcm[start : start + PIECE_BYTES]):
                return

    def close(self) -> None:
        """Remove the scratch folder; may be called twice."""
        self._folder.cleanup()

    def _run(self, arguments: list[str], folder: str) -> str:
        """Run the program with the host's `folder` as GUEST_FOLDER; return what it printed."""
        import wasmtime

        config = wasmtime.WasiConfig()
        config.argv = ["flite", *arguments]
        config.preopen_dir(folder, GUEST_FOLDER)
        config.stdout_file = os.path.join(folder, "printed")
        store = wasmtime.Store(self._engine)
        store.set_wasi(config)
        try:
            start = self._linker.instantiate(store, self._module).exports(store).get("_start")
            if not isinstance(start, wasmtime.Func):
                raise EngineError(NAME, "The program has no function '_start', which every WASI program has.")
            start(store)
        except wasmtime.ExitTrap as error:
            if error.code != 0:
                raise EngineError(NAME, f"Flite ended with status {error.code}.", code="server_error") from error
        except wasmtime.WasmtimeError as error:
            raise EngineError(NAME, f"Flite failed: {error}", code="server_error") from error
        return Path(folder, "printed").read_text("ascii", "replace")

    def _pronounce(self, words: Sequence[str]) -> list[Phones]:
        """Return the phones of each word, spoken alone."""
        with self._lock:
            unknown = [word for word in dict.fromkeys(words) if word not in self._dictionary]
        found = dict(zip(unknown, self._look_up(unknown), strict=True)) if unknown else {}
        with self._lock:
            self._dictionary.update(found)
            pronunciations = [self._dictionary[word] for word in words]
            while len(self._dictionary) > DICTIONARY_WORDS:
                self._dictionary.popitem(last=False)
        return pronunciations

    def _look_up(self, words: list[str]) -> list[Phones]:
        with tempfile.TemporaryDirectory(dir=self._folder.name) as folder:
            Path(folder, "words").write_text("".join(f"{word}\n\n" for word in words), "ascii")
            printed = self._run(["-voice", FAST_SPEAKER, "-ps", "-f", f"{GUEST_FOLDER}/words", "-o", "none"], folder)
        lines = [tuple(phone for phone in line.split() if phone != SILENCE) for line in printed.splitlines()]
        if len(lines) != len(words):  # a word that ends no utterance; its length stands in for its phones
            return [tuple("?" * max(1, len(word))) for word in words]
        return lines


def phone_spans(pronunciations: Sequence[Phones], timed: Sequence[TimedPhone]) -> tuple[tuple[float, float], ...]:
    """Return when each word starts and ends, given its phones alone and the phones of the clause with their ends.

    Words follow each other in the clause as given. Phones that differ in context (a reduced vowel, a changed "the")
    are matched by their neighbours: a longest-match alignment, and proportionally between matches.
    """
    starts = [0.0, *(end for _, end in timed)]
    spoken = [(phone, starts[n], end) for n, (phone, end) in enumerate(timed) if phone != SILENCE]
    expected = [phone for phones in pronunciations for phone in phones]
    places = _align(expected, [phone for phone, _, _ in spoken])
    spans: list[tuple[float, float]] = []
    first = 0
    for phones in pronunciations:
        begin, end = places[first], places[first + len(phones)]
        first += len(phones)
        last_s = spans[-1][1] if spans else (spoken[0][1] if spoken else 0.0)
        spans.append((max(last_s, spoken[begin][1]), spoken[end - 1][2]) if begin < end else (last_s, last_s))
    return tuple(spans)


def _align(expected: Sequence[str], spoken: Sequence[str]) -> list[int]:
    """Return for each gap between expected phones, both ends included, the place in `spoken` where it falls."""
    if len(expected) == len(spoken):
        return list(range(len(spoken) + 1))
    places = [0] * (len(expected) + 1)
    for _, a1, a2, b1, b2 in difflib.SequenceMatcher(None, expected, spoken, autojunk=False).get_opcodes():
        for place in range(a1, a2):
            places[place] = b1 + (place - a1) * (b2 - b1) // (a2 - a1)
    places[-1] = len(spoken)
    return places


def _timed_phones(printed: str) -> list[TimedPhone]:
    return [(phone, float(end_s)) for phone, _, end_s in (part.rpartition(":") for part in printed.split())]


def _read_wave(path: Path) -> bytes:
    with wave.open(str(path)) as file:
        pcm: bytes = file.readframes(file.getnframes())  # the standard library's stubs say Any
    return pcm


def _load(engine: "wasmtime.Engine", path: Path) -> "wasmtime.Module":
    import wasmtime

    status = path.stat()
    version = importlib.metadata.version("wasmtime")  # a compiled program fits this version alone
    compiled = path.with_name(f"{path.stem}-{status.st_size:x}-{status.st_mtime_ns:x}.wasmtime-{version}")
    try:
        return wasmtime.Module.deserialize_file(engine, str(compiled))
    except (OSError, wasmtime.WasmtimeError):  # absent, or of a machine with other instructions
        module = wasmtime.Module(engine, path.read_bytes())
    _keep(module, compiled)
    return module


def _keep(module: "wasmtime.Module", compiled: Path) -> None:
    """Store the compiled program; where that cannot be done, each process compiles for itself."""
    scratch = compiled.with_name(f"{compiled.name}.{os.getpid()}")
    try:
        scratch.write_bytes(module.serialize())
        scratch.replace(compiled)
    except OSError:
        with contextlib.suppress(OSError):
            scratch.unlink(missing_ok=True)
