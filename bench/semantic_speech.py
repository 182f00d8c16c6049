"""Spoken sentences as `semantic_vad` hears them: per detector window the silence, the words so far, the sound's score.

The sentences are spoken by the embedded voices and stopped at word boundaries, which the synthesizer tells exactly;
detector, recogniser and turn scorer are the real ones, fed in the steps of the server.
"""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec
import numpy as np
import numpy.typing as npt

from bench.hesitant_sentences import CLOSED_STOPS, IN_ONE_GO, OPEN_STOPS, PAUSES_MS
from vivavoce.assets.errors import AssetMissing
from vivavoce.audio.resample import resample_file
from vivavoce.config.load import load
from vivavoce.core.requests import SpeechRequest
from vivavoce.engines.base import DETECTOR_RATE_HZ, DETECTOR_WINDOW_SAMPLES, Detector, Synthesizer
from vivavoce.engines.stt.pocketsphinx_worker import Recogniser
from vivavoce.engines.turn.smart_turn import ASSET, OnnxModel
from vivavoce.wiring import asset_cache, build_engines

WINDOW_MS: Final = DETECTOR_WINDOW_SAMPLES * 1000 // DETECTOR_RATE_HZ
WINDOW_BYTES: Final = DETECTOR_WINDOW_SAMPLES * 2
VOICES: Final = ("alloy", "ash", "ballad", "coral", "cedar")  # five voices, six pauses: every pair occurs
SPEECH_HZ: Final = 24_000
LEAD_MS: Final = 300  # before speech: the prefix padding of a turn
TRAIL_MS: Final = 2_500  # after it; the words do not change later
FADE_SAMPLES: Final = SPEECH_HZ * 5 // 1000  # 5 ms at a stop, so that it does not click
ROOM_LEVEL: Final = 10.0  # of 32768: noise of a quiet room, -70 dBFS
SPEECH_ABOVE: Final = 0.35  # the off level of the turn detector
SOUND_AT_MS: Final = 160  # of silence: when the turn scorer is asked
SOUND_KNOWN_MS: Final = 256  # and when it has answered
LATENESS_WINDOWS: Final = 1  # a partial transcript arrives while the next window is recorded


class Moment(msgspec.Struct, frozen=True):
    """What is known when a window has been heard. `silence_ms` 0: the window is speech."""

    end_ms: int
    silence_ms: int
    text: str
    sound: float | None = None


class Take(msgspec.Struct, frozen=True):
    """One spoken sentence. `stop_ms` and `resume_ms` enclose the pause within it, if there is one."""

    text: str
    group: str  # "open", "closed" or "in one go"
    moments: tuple[Moment, ...]
    end_ms: int  # of the last sound
    stop_ms: int | None = None
    resume_ms: int | None = None


class Sentence(msgspec.Struct, frozen=True):
    """What to say; `pause_ms` 0: in one go."""

    text: str
    group: str
    voice: str
    pause_ms: int = 0


def sentences() -> list[Sentence]:
    """Return all sentences with their voices and pauses."""
    groups = (("open", OPEN_STOPS), ("closed", CLOSED_STOPS), ("in one go", IN_ONE_GO))
    rows = [(group, text) for group, texts in groups for text in texts]
    return [
        Sentence(text, group, VOICES[index % len(VOICES)], PAUSES_MS[index % len(PAUSES_MS)] if "|" in text else 0)
        for index, (group, text) in enumerate(rows)
    ]


def record_takes() -> list[Take]:
    """Speak and hear all sentences: two minutes on two cores."""
    return asyncio.run(_record(sentences()))


async def _record(wanted: list[Sentence]) -> list[Take]:
    configuration = load(environment={}).configuration
    engines = build_engines("embedded", configuration)
    recogniser = Recogniser()
    scorer = turn_model()
    await engines.synthesizer.start()
    await engines.detector.start()
    try:
        return [
            _hear(sentence, await _speak(engines.synthesizer, sentence), engines.detector, recogniser, scorer)
            for sentence in wanted
        ]
    finally:
        await engines.detector.close()
        await engines.synthesizer.close()


def turn_model() -> OnnxModel | None:
    """Return Smart Turn, None where it is not installed."""
    try:
        path: Path = asset_cache(load(environment={}).configuration).path(ASSET)
    except AssetMissing:
        return None
    return OnnxModel(path)


class Spoken(msgspec.Struct, frozen=True):
    """Audio, pcm16le, mono, 16 kHz, in a quiet room, with the times of its pause and its end in ms."""

    pcm: bytes
    end_ms: int
    stop_ms: int | None
    resume_ms: int | None


async def _speak(synthesizer: Synthesizer, sentence: Sentence) -> Spoken:
    request = SpeechRequest(sentence.text.replace("| ", ""), sentence.voice)
    chunks = [chunk async for chunk in synthesizer.synthesize(request)]
    samples = np.frombuffer(b"".join(chunk.pcm for chunk in chunks), "<i2").astype(np.float32)
    words = [word for chunk in chunks for word in chunk.words]
    end_ms = LEAD_MS + words[-1].end_ms + sentence.pause_ms
    if not sentence.pause_ms:
        return Spoken(_in_a_room([samples]), end_ms, None, None)
    stop_ms = words[len(sentence.text.split("|")[0].split()) - 1].end_ms
    cut = stop_ms * SPEECH_HZ // 1000
    pause = np.zeros(sentence.pause_ms * SPEECH_HZ // 1000, np.float32)
    pcm = _in_a_room([_faded(samples[:cut]), pause, _faded(samples[cut:][::-1])[::-1]])
    return Spoken(pcm, end_ms, LEAD_MS + stop_ms, LEAD_MS + stop_ms + sentence.pause_ms)


Samples = npt.NDArray[np.float32]


def _faded(samples: Samples) -> Samples:
    faded = samples.copy()
    faded[-FADE_SAMPLES:] *= np.linspace(1, 0, FADE_SAMPLES, dtype=np.float32)
    return faded


def _in_a_room(pieces: list[Samples]) -> bytes:
    lead = np.zeros(LEAD_MS * SPEECH_HZ // 1000, np.float32)
    trail = np.zeros(TRAIL_MS * SPEECH_HZ // 1000, np.float32)
    audio = np.concatenate([lead, *pieces, trail])
    audio += np.random.default_rng(1).normal(0, ROOM_LEVEL, len(audio)).astype(np.float32)
    return resample_file(np.clip(audio, -32768, 32767).astype("<i2").tobytes(), SPEECH_HZ, DETECTOR_RATE_HZ)


def _hear(
    sentence: Sentence, spoken: Spoken, detector: Detector, recogniser: Recogniser, scorer: OnnxModel | None
) -> Take:
    moments = tuple(_moments(spoken.pcm, _silences_ms(spoken.pcm, detector), recogniser, scorer))
    return Take(sentence.text, sentence.group, moments, spoken.end_ms, spoken.stop_ms, spoken.resume_ms)


def _silences_ms(pcm: bytes, detector: Detector) -> list[int]:
    """Per window the silence since the last one with speech; windows before speech count as speech."""
    probabilities: list[float] = []
    stream = detector.open(probabilities.extend)
    for start in range(0, len(pcm) - WINDOW_BYTES + 1, WINDOW_BYTES):
        stream.feed(pcm[start : start + WINDOW_BYTES])
    stream.close()
    silences: list[int] = []
    has_begun = False
    for probability in probabilities:
        has_begun = has_begun or probability > SPEECH_ABOVE
        is_speech = probability > SPEECH_ABOVE or not has_begun
        silences.append(0 if is_speech else (silences[-1] if silences else 0) + WINDOW_MS)
    return silences


def _moments(pcm: bytes, silences: list[int], recogniser: Recogniser, scorer: OnnxModel | None) -> Iterator[Moment]:
    texts = [""] * LATENESS_WINDOWS
    sound = 0.0
    recogniser.start()
    for index, silence_ms in enumerate(silences):
        end = (index + 1) * WINDOW_BYTES
        texts.append(recogniser.decode(pcm[end - WINDOW_BYTES : end])[1])
        if silence_ms == SOUND_AT_MS and scorer is not None:
            sound = scorer.score(pcm[:end])
        is_known = scorer is not None and silence_ms >= SOUND_KNOWN_MS
        yield Moment((index + 1) * WINDOW_MS, silence_ms, texts[index], sound if is_known else None)
    recogniser.drop()
