"""A synthesizer that makes one tone or burst of noise per word, always the same for the same word and voice."""

import zlib
from collections.abc import AsyncIterator, Iterator

import numpy as np
import numpy.typing as npt

from vivavoce.core.requests import SpeechRequest, Word
from vivavoce.engines.base import SPEECH_RATE_HZ, Capabilities, EngineError, SpeechChunk
from vivavoce.engines.script import Script, Voice, pause

_NAME = "scripted"
_SAMPLES_PER_MS = SPEECH_RATE_HZ // 1000
_BYTES_PER_MS = 2 * _SAMPLES_PER_MS
_LOWEST_HZ, _HIGHEST_HZ = 200, 1000


class ScriptedSynthesizer:
    """Speaks as the script's `voice` says. `speed` shortens words and gaps alike."""

    def __init__(self, script: Script) -> None:
        self._voice = script.voice
        self._is_closed = False

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(name=_NAME, has_word_times=True, is_streaming=True, note="Speaks in tones; made for tests.")

    async def start(self) -> None:
        """Nothing to load."""

    async def close(self) -> None:
        """Refuse requests from here on."""
        self._is_closed = True

    async def synthesize(self, request: SpeechRequest) -> AsyncIterator[SpeechChunk]:
        """Yield chunks of `chunk_ms`, each after the time its making takes at the scripted pace.

        Raises:
            EngineError: the script asks for a failure, or the engine is closed.
        """
        if self._is_closed:
            raise EngineError(_NAME, "the synthesizer is closed")
        voice = self._voice
        await pause(voice.delay_ms)
        words = request.text.split()
        spoken = words if voice.failure is None else words[: voice.fails_after_words]
        start_ms = 0
        for pcm in _chunks(spoken, request, voice):
            length_ms = len(pcm) // _BYTES_PER_MS
            await pause(length_ms / voice.pace if voice.pace else 0)
            yield SpeechChunk(pcm, _words_within(spoken, request.speed, voice, start_ms, start_ms + length_ms))
            start_ms += length_ms
        if voice.failure is not None:
            raise voice.failure.as_error(_NAME)


def _lengths_ms(speed: float, voice: Voice) -> tuple[int, int]:
    """The length of a word and of the gap after it."""
    return max(1, round(voice.word_ms / speed)), round(voice.gap_ms / speed)


def _chunks(words: list[str], request: SpeechRequest, voice: Voice) -> Iterator[bytes]:
    """The audio in pieces of `chunk_ms`, made no further ahead than the word that is needed."""
    word_ms, gap_ms = _lengths_ms(request.speed, voice)
    gap = bytes(gap_ms * _BYTES_PER_MS)
    size = voice.chunk_ms * _BYTES_PER_MS
    made = b""
    for word in words:
        made += _sound(word, request.voice, voice, word_ms) + gap
        while len(made) >= size:
            yield made[:size]
            made = made[size:]
    if made:
        yield made


def _words_within(words: list[str], speed: float, voice: Voice, start_ms: int, end_ms: int) -> tuple[Word, ...]:
    """The words that start in [start_ms, end_ms)."""
    word_ms, gap_ms = _lengths_ms(speed, voice)
    period_ms = word_ms + gap_ms
    first, last = -(-start_ms // period_ms), -(-end_ms // period_ms)
    return tuple(
        Word(words[n], start_ms=n * period_ms, end_ms=n * period_ms + word_ms)
        for n in range(first, min(last, len(words)))
    )


def _sound(word: str, voice_name: str, voice: Voice, word_ms: int) -> bytes:
    """One word: pcm16le, mono, 24 kHz, faded over 5 ms at both ends so that it does not click."""
    seed = zlib.crc32(f"{voice_name}:{word}".encode())
    samples = word_ms * _SAMPLES_PER_MS
    wave = _tone(seed, samples) if voice.sound == "tone" else _noise(seed, samples)
    ramp = np.minimum(1.0, np.arange(samples) / (5 * _SAMPLES_PER_MS))
    faded = wave * np.minimum(ramp, ramp[::-1]) * voice.amplitude * 32_767
    return faded.astype("<i2").tobytes()


def _tone(seed: int, samples: int) -> npt.NDArray[np.float64]:
    frequency_hz = _LOWEST_HZ + seed % (_HIGHEST_HZ - _LOWEST_HZ)
    return np.sin(2 * np.pi * frequency_hz * np.arange(samples) / SPEECH_RATE_HZ)


def _noise(seed: int, samples: int) -> npt.NDArray[np.float64]:
    raw = np.random.PCG64(seed).random_raw(samples)  # the bit stream of PCG64 is fixed, unlike Generator's methods
    return raw.astype(np.float64) / 2.0**63 - 1.0
