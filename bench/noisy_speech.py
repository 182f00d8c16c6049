"""Speech in noise for the noise reduction: known words, known noise, one known level of each."""

import asyncio
from functools import cache
from typing import Final, Literal

import msgspec
import numpy as np
import numpy.typing as npt

from bench.speech import HUMAN_SPEECH, RATE_HZ, SENTENCES, spoken_pcm
from tests.speech_samples import transcribed_clips
from vivavoce.audio.pcm import quantize
from vivavoce.audio.resample import resample_file
from vivavoce.config.load import load
from vivavoce.wiring import build_engines

Samples = npt.NDArray[np.float64]
Noise = Literal["white", "pink", "babble", "hum"]

NOISES: Final[tuple[Noise, ...]] = ("white", "pink", "babble", "hum")
SPEECH_RMS: Final = 2_000.0  # -24 dBFS while somebody speaks
LEAD_S: Final = 1.0  # of noise alone before the speech, in which a reduction learns it
TAIL_S: Final = 0.5
FRAME_SAMPLES: Final = RATE_HZ // 50
SILENCE_BELOW_SPEECH_DB: Final = 30.0
BABBLE_VOICES: Final = 8
HUM_HZ: Final = 50


class Spoken(msgspec.Struct, frozen=True):
    """Speech with silence around it; samples are float64, 24 kHz, in [-32768, 32767]."""

    text: str
    samples: Samples

    @property
    def is_speech(self) -> npt.NDArray[np.bool_]:
        """For each sample whether somebody speaks there, in steps of 20 ms."""
        frames = np.zeros(-(-self.samples.size // FRAME_SAMPLES) * FRAME_SAMPLES)
        frames[: self.samples.size] = self.samples
        power = np.mean(frames.reshape(-1, FRAME_SAMPLES) ** 2, axis=1)
        loud = power > SPEECH_RMS**2 * 10 ** (-SILENCE_BELOW_SPEECH_DB / 10)
        return np.repeat(loud, FRAME_SAMPLES)[: self.samples.size]


@cache
def spoken() -> tuple[Spoken, ...]:
    """Return 10 human sentences, where Debian's test data is installed, and 10 synthesized ones."""
    return (*_human(), *asyncio.run(_synthesized()))


def in_noise(speech: Spoken, noise: Noise, snr_db: float, seed: int) -> bytes:
    """Return speech in noise, pcm16le, mono, 24 kHz; the ratio is that of their levels while somebody speaks."""
    level = SPEECH_RMS * 10 ** (-snr_db / 20)
    return quantize((speech.samples + level * noise_of(noise, speech.samples.size, seed)).astype(np.float32))


def noise_of(noise: Noise, size: int, seed: int) -> Samples:
    """Return noise with an RMS of 1."""
    random = np.random.default_rng(seed)
    match noise:
        case "white":
            made = random.standard_normal(size)
        case "pink":
            made = _pink(random, size)
        case "babble":
            made = _babble(random, size)
        case "hum":
            made = _hum(random, size)
    normal: Samples = made / np.sqrt(np.mean(made**2))
    return normal


def _pink(random: np.random.Generator, size: int) -> Samples:
    spectrum = np.fft.rfft(random.standard_normal(size))
    lowest = 20 * size / RATE_HZ
    return np.fft.irfft(spectrum / np.sqrt(np.maximum(np.arange(spectrum.size), lowest)), size)


def _babble(random: np.random.Generator, size: int) -> Samples:
    """Voices that speak at once, each a synthesized sentence over and over."""
    voices = [speech.samples[speech.is_speech] for speech in spoken()[-len(SENTENCES) :]]
    made = np.zeros(size)
    for _ in range(BABBLE_VOICES):
        voice = voices[random.integers(len(voices))]
        made += np.resize(np.roll(voice, random.integers(voice.size)), size)
    return made


def _hum(random: np.random.Generator, size: int) -> Samples:
    """Mains hum with its harmonics, and a little hiss."""
    time_s = np.arange(size) / RATE_HZ
    made = 0.05 * random.standard_normal(size)
    for harmonic in range(1, 20):
        made += np.sin(2 * np.pi * (HUM_HZ * harmonic * time_s + random.uniform())) / harmonic
    return made


def _human() -> list[Spoken]:
    if not HUMAN_SPEECH.is_dir():
        return []
    clips = (*transcribed_clips("librivox", "transcription"), *transcribed_clips("cards", "cards.transcription"))
    return [_framed(clip.text, resample_file(clip.pcm, 16_000, RATE_HZ)) for clip in clips]


async def _synthesized() -> list[Spoken]:
    synthesizer = build_engines("embedded", load(environment={}).configuration).synthesizer
    await synthesizer.start()
    try:
        return [_framed(text, await spoken_pcm(synthesizer, voice, text)) for voice, text in SENTENCES]
    finally:
        await synthesizer.close()


def _framed(text: str, pcm: bytes) -> Spoken:
    samples = np.frombuffer(pcm, "<i2").astype(np.float64)
    frames = samples[: samples.size // FRAME_SAMPLES * FRAME_SAMPLES].reshape(-1, FRAME_SAMPLES)
    power = np.mean(frames**2, axis=1)
    speech_rms = np.sqrt(np.mean(power[power > power.max() * 1e-4]))
    lead, tail = np.zeros(int(LEAD_S * RATE_HZ)), np.zeros(int(TAIL_S * RATE_HZ))
    return Spoken(text, np.concatenate((lead, samples * (SPEECH_RMS / speech_rms), tail)))
