"""A stand-in for the package moonshine-voice, for processes of ours that use it: no models, no network, no sound.

It has the part of the interface that we use, tells apart what we must not confuse, and does as the variable
MOONSHINE_DOUBLE says (JSON): "stops_at": a file whose download breaks off half way; "waits_at": one whose download
never ends; "fails": the sentence with which a download fails; "crashes": loading ends the process with a signal.
`tests/engines/test_moonshine_voices.py` compares the interface with the real package's.
"""

import enum
import json
import math
import os
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

BEHAVIOUR: dict[str, str] = json.loads(os.environ.get("MOONSHINE_DOUBLE", "{}"))
FILE_BYTES = 1000
RECOGNISER_FILES = ("encoder.ort", "decoder_kv.ort", "tokenizer.bin")
SHARED_VOICE_FILES = ("en_us/dict.tsv", "kokoro/decoder.ort")
RATE_HZ = 24_000
SAMPLES_PER_CHARACTER = 1200  # 50 ms


class ModelArch(enum.Enum):
    TINY_STREAMING = 2
    SMALL_STREAMING = 4


class ConnectionError(OSError):  # as requests' own, by name
    pass


Progress = Callable[[float, str], None]


def get_model_for_language(
    language: str, architecture: ModelArch, *, cache_root: Path, on_progress: Progress, include_word_timestamps: bool
) -> tuple[str, ModelArch]:
    assert (language, include_word_timestamps) == ("en", True)
    folder = Path(cache_root) / "recogniser" / architecture.name
    for name in RECOGNISER_FILES:
        _download(folder / name, on_progress)
    return str(folder), architecture


def download_tts_assets(language: str, *, voice: str, cache_root: Path, on_progress: Progress) -> Path:
    assert language in ("en_us", "en_gb")
    for name in (*SHARED_VOICE_FILES, f"kokoro/voices/{voice}.bin"):
        _download(Path(cache_root) / name, on_progress)
    return Path(cache_root)


def list_tts_voices(language: str, *, root_path: Path) -> dict[str, list[str]]:
    present = sorted(path.stem for path in Path(root_path).glob("kokoro/voices/*.bin"))
    return {"present": present, "downloadable": []}


def _download(path: Path, on_progress: Progress) -> None:
    if path.exists():
        return
    on_progress(0.5, path.name)
    partial = path.with_name(path.name + ".partial")
    path.parent.mkdir(parents=True, exist_ok=True)
    partial.write_bytes(b"m" * (FILE_BYTES // 2))
    if path.name == BEHAVIOUR.get("stops_at"):
        raise ConnectionError("Read timed out")
    if path.name == BEHAVIOUR.get("waits_at"):
        threading.Event().wait()
    if "fails" in BEHAVIOUR:
        raise ValueError(BEHAVIOUR["fails"])
    partial.write_bytes(b"m" * FILE_BYTES)
    partial.rename(path)


def _load(path: Path) -> None:
    if BEHAVIOUR.get("crashes"):
        os.kill(os.getpid(), signal.SIGSEGV)
    if path.read_bytes() != b"m" * FILE_BYTES:
        raise RuntimeError(f"Failed to load {path.name}")


class Transcriber:
    MOONSHINE_FLAG_FORCE_UPDATE = 1

    def __init__(self, model_path: Path, model_arch: ModelArch, options: dict[str, str]) -> None:
        for name in RECOGNISER_FILES:
            _load(Path(model_path) / name)

    def transcribe_without_streaming(self, samples: list[float], rate_hz: int) -> "Transcript":
        return Transcript()

    def create_stream(self, update_interval: float, transcribe_flags: int) -> "Stream":
        return Stream()

    def close(self) -> None:
        pass


class Transcript:
    lines: tuple[object, ...] = ()


class Stream:
    """Hears nothing; the recogniser's own tests have the real library."""

    def start(self) -> None:
        pass

    def add_audio(self, samples: list[float], rate_hz: int) -> None:
        pass

    def update_transcription(self, flags: int) -> Transcript:
        return Transcript()

    def stop(self) -> Transcript:
        return Transcript()

    def close(self) -> None:
        pass


class Chunk:
    def __init__(self, samples: list[float]) -> None:
        self.samples, self.sample_rate = samples, RATE_HZ


class TextToSpeech:
    """Each character of the text is 50 ms of a tone, higher for each voice that was loaded before."""

    loaded = 0

    def __init__(self) -> None:
        self.is_streaming = False

    def language(self, code: str) -> "TextToSpeech":
        self._language = code
        return self

    def voice(self, voice: str) -> "TextToSpeech":
        self._voice = voice
        return self

    def models_from(self, folder: Path) -> "TextToSpeech":
        self._folder = Path(folder)
        return self

    def load(self) -> "TextToSpeech":
        for name in (*SHARED_VOICE_FILES, f"kokoro/voices/{self._voice}.bin"):
            _load(self._folder / name)
        TextToSpeech.loaded += 1
        self._hz = 200 * TextToSpeech.loaded
        return self

    def synthesize(self, text: str, *, speed: float = 1.0) -> tuple[list[float], int]:
        assert not self.is_streaming, "the real one refuses"
        return self._sound(text, speed), RATE_HZ

    def stream(self, text: str) -> Iterator[Chunk]:
        self.is_streaming = True
        for word in text.split(" "):
            if word == "crash":
                os.kill(os.getpid(), signal.SIGKILL)
            if word == "fail":
                raise RuntimeError("no such phoneme")
            yield Chunk(self._sound(word + " ", 1.0))
        self.is_streaming = False

    def cancel_stream(self) -> None:
        self.is_streaming = False

    def close(self) -> None:
        pass

    def _sound(self, text: str, speed: float) -> list[float]:
        size = round(len(text) * SAMPLES_PER_CHARACTER / speed)
        return [0.5 * math.sin(2 * math.pi * self._hz * place / RATE_HZ) for place in range(size)]
