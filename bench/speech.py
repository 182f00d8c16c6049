"""What is said to the server: embedded voices, and human speech where Debian's test data is installed."""

import asyncio
from pathlib import Path
from typing import Final

import msgspec
import numpy as np

from vivavoce.audio.pcm import to_float
from vivavoce.audio.resample import resample_file
from vivavoce.audio.wav import read_wav
from vivavoce.config.load import load
from vivavoce.core.requests import SpeechRequest
from vivavoce.engines.base import Synthesizer
from vivavoce.wiring import build_engines

RATE_HZ: Final = 24_000
FRAME_SAMPLES: Final = 120  # 5 ms, the grain in which the end of speech is found
SILENCE_BELOW_PEAK_DB: Final = 40.0
SOUND_ABOVE_FLOOR_DB: Final = 12.0  # above the room that a recording was made in
HUMAN_SPEECH: Final = Path("/usr/share/pocketsphinx/test/data")

SENTENCES: Final = (
    ("alloy", "What time is it?"),
    ("ash", "Hello, my name is Peter."),
    ("coral", "What is twelve times seven?"),
    ("cedar", "Tell me a joke please."),
    ("marin", "What day is it today?"),
    ("ash", "How long have we talked?"),
    ("alloy", "What is my name?"),
    ("sage", "I live in London and I like music."),
    ("coral", "What did I say first?"),
    ("cedar", "Thank you very much."),
)


class Utterance(msgspec.Struct, frozen=True):
    """Speech as pcm16le, mono, 24 kHz; `end_s` is where the last sound ends."""

    name: str
    pcm: bytes
    end_s: float

    def __repr__(self) -> str:
        return f"Utterance({self.name}, {self.end_s:.2f} s)"


def utterances(count: int) -> list[Utterance]:
    """Return `count` utterances: human clips, where there are any, and synthesized sentences in turn."""
    spoken = asyncio.run(_synthesized())
    pool = [*_mixed(human_clips(), spoken)] or spoken
    return [pool[index % len(pool)] for index in range(count)]


def human_clips() -> list[Utterance]:
    """Return the short clips of Debian's pocketsphinx-testdata, none where it is not installed."""
    paths = sorted([*HUMAN_SPEECH.glob("librivox/*.wav"), *HUMAN_SPEECH.glob("cards/*.wav")])
    return [_utterance(path.stem, _as_24_khz(path)) for path in paths]


def _mixed(human: list[Utterance], spoken: list[Utterance]) -> list[Utterance]:
    mixed: list[Utterance] = []
    for index in range(max(len(human), len(spoken))):
        mixed += human[index : index + 1] + spoken[index : index + 1]
    return mixed


def _as_24_khz(path: Path) -> bytes:
    audio = read_wav(path)
    return resample_file(audio.pcm, audio.rate_hz, RATE_HZ)


async def _synthesized() -> list[Utterance]:
    engines = build_engines("embedded", load(environment={}).configuration)
    await engines.synthesizer.start()
    try:
        return [_utterance(text, await spoken_pcm(engines.synthesizer, voice, text)) for voice, text in SENTENCES]
    finally:
        await engines.synthesizer.close()


async def spoken_pcm(synthesizer: Synthesizer, voice: str, text: str) -> bytes:
    """Return a sentence as pcm16le, mono, 24 kHz."""
    return b"".join([chunk.pcm async for chunk in synthesizer.synthesize(SpeechRequest(text, voice))])


def _utterance(name: str, pcm: bytes) -> Utterance:
    return Utterance(name, pcm, _end_of_sound_s(pcm))


def onset_s(pcm: bytes) -> float:
    """Return where the first 5 ms frame with sound begins."""
    return float(_loud_frames(pcm)[0] * FRAME_SAMPLES / RATE_HZ)


def _end_of_sound_s(pcm: bytes) -> float:
    """Return where the last such frame ends."""
    return float((_loud_frames(pcm)[-1] + 1) * FRAME_SAMPLES / RATE_HZ)


def _loud_frames(pcm: bytes) -> "np.ndarray[tuple[int], np.dtype[np.intp]]":
    """Return the frames within 40 dB of the loudest that stand 12 dB above the quietest tenth of the recording."""
    samples = to_float(pcm)
    frames = samples[: len(samples) // FRAME_SAMPLES * FRAME_SAMPLES].reshape(-1, FRAME_SAMPLES)
    levels_db = 10 * np.log10(np.mean(frames**2, axis=1) + 1e-12)
    floor_db = float(np.percentile(levels_db, 10))
    sound_db = max(float(levels_db.max()) - SILENCE_BELOW_PEAK_DB, floor_db + SOUND_ABOVE_FLOOR_DB)
    return np.flatnonzero(levels_db > min(sound_db, float(levels_db.max()) - SOUND_ABOVE_FLOOR_DB))
