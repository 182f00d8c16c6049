"""Noise reduction near and far: what it takes from noise and from speech, what the recogniser and detector make of it.

Ratios to noise are those of the waveform, against the speech through RNNoise's own filter against rumble: that filter
moves the phases of a voice's lowest tones, which nobody hears and the measure would take for noise. Whatever else
happens to the speech counts as noise, the automatic gain too. WORDS has the conditions that are recognised: that is
most of the minutes this takes.
"""

import asyncio
import time
from collections.abc import Callable, Iterator
from typing import Final, Literal

import numpy as np

from bench.figures import Figure
from bench.noisy_speech import LEAD_S, NOISES, SPEECH_RMS, Noise, Samples, Spoken, in_noise, noise_of, spoken
from bench.speech import RATE_HZ
from vivavoce.assets.cache import AssetCache, default_directory
from vivavoce.audio.pcm import quantize, to_int16
from vivavoce.audio.resample import resample_file
from vivavoce.engines.base import DETECTOR_RATE_HZ, TRANSCRIBER_RATE_HZ
from vivavoce.engines.noise.frames import RNNOISE_RATE_HZ, delay_samples
from vivavoce.engines.noise.rnnoise import RATES_HZ, RnnoiseReducer
from vivavoce.engines.stt.pocketsphinx_worker import Recogniser
from vivavoce.engines.vad.silero import SileroDetector
from vivavoce.testing.wer import word_error_rate, words_of

Kind = Literal["near_field", "far_field"]
Process = Callable[[bytes], bytes]

MAX_LEVEL_LOSS_DB: Final = 1.0
KINDS: Final[tuple[Kind, ...]] = ("near_field", "far_field")
LEVELS: Final[tuple[tuple[Kind, int, float | None], ...]] = (
    ("near_field", 0, MAX_LEVEL_LOSS_DB),
    ("far_field", 0, None),
    ("far_field", 16, None),
)
SNRS_DB: Final = (0, 5, 10, 20)
WORDS: Final[tuple[tuple[Noise, int], ...]] = (("white", 20), ("pink", 10), ("babble", 20), ("hum", 5))
SPEECH_BEGINS_S: Final = LEAD_S - 0.3  # the recogniser gets the speech with the usual padding
LEARNED_S: Final = 0.5  # of the noise before the speech
CHUNK_BYTES: Final = RATE_HZ // 25 * 2  # 40 ms, as clients send
STEP_SAMPLES: Final = RATE_HZ // 50
ALONE_S: Final = 20
SPEECH_ABOVE: Final = 0.5  # the detector's usual threshold

MAX_COST_MS: Final = 60.0
MAX_DELAY_MS: Final = 20.0
MAX_WORD_ERRORS_ADDED: Final = 6.0


def run() -> list[Figure]:
    """Return all figures; about five minutes."""
    reducer = RnnoiseReducer(AssetCache(default_directory()).path("rnnoise-wasm"))
    asyncio.run(reducer.start())
    return [
        *_costs(reducer),
        *_levels(reducer),
        *_ratios(reducer),
        *_false_speech(reducer),
        *_word_errors(reducer),
    ]


def process_with(reducer: RnnoiseReducer, kind: Kind, rate_hz: int = RATE_HZ) -> Process:
    """Return what a fresh stream at full strength makes of audio that comes in 40 ms."""

    def process(pcm: bytes) -> bytes:
        stream = reducer.open(kind, 1.0, rate_hz)
        pieces = [stream.process(pcm[start : start + CHUNK_BYTES]) for start in range(0, len(pcm), CHUNK_BYTES)]
        return b"".join([*pieces, stream.flush()])

    return process


def _costs(reducer: RnnoiseReducer) -> Iterator[Figure]:
    for rate_hz in RATES_HZ:
        pcm = quantize((1000 * noise_of("pink", 10 * rate_hz, 1)).astype(np.float32))
        process = process_with(reducer, "far_field", rate_hz)
        process(pcm[: rate_hz // 10 * 2])
        started = time.process_time()
        process(pcm)
        cost_ms = (time.process_time() - started) * 100
        yield Figure(f"{rate_hz} Hz, processor time per second of audio", cost_ms, "ms", MAX_COST_MS)
        delay_ms = delay_samples(rate_hz) * 1000 / rate_hz
        yield Figure(f"{rate_hz} Hz, audio withheld", delay_ms, "ms", MAX_DELAY_MS)


def _levels(reducer: RnnoiseReducer) -> Iterator[Figure]:
    """What happens to speech without any noise; far field from a level 16 dB lower too, as from across a room."""
    for kind, quieter_db, bound in LEVELS:
        process = process_with(reducer, kind)
        changes = []
        for speech in spoken():
            given = speech.samples * 10 ** (-quieter_db / 20)
            clean = _samples(process(quantize(given.astype(np.float32))))
            changes.append(_level_db(clean[speech.is_speech]) - _level_db(given[speech.is_speech]))
        name = f"{kind}, level of clean speech {quieter_db} dB down, loss"
        yield Figure(name, -float(np.mean(changes)), "dB", bound)


def _ratios(reducer: RnnoiseReducer) -> Iterator[Figure]:
    for kind in KINDS:
        process = process_with(reducer, kind)
        for noise in NOISES:
            for snr_db in SNRS_DB:
                gains = [_gains(speech, process, noise, snr_db, n) for n, speech in enumerate(spoken())]
                pauses, segments, whole = np.mean(gains, axis=0)
                name = f"{kind}, {noise} {snr_db} dB"
                yield Figure(f"{name}, noise in pauses, lower", float(pauses), "dB")
                yield Figure(f"{name}, segmental SNR, gain", float(segments), "dB")
                yield Figure(f"{name}, SNR, gain", float(whole), "dB")


def _gains(speech: Spoken, process: Process, noise: Noise, snr_db: int, seed: int) -> tuple[float, float, float]:
    """Return the gains in dB of three ratios: speech to noise in the pause before it, per segment, and as a whole."""
    noisy_pcm = in_noise(speech, noise, snr_db, seed)
    noisy, clean = _samples(noisy_pcm), _samples(process(noisy_pcm))
    spoken_, pause = speech.is_speech, slice(int(LEARNED_S * RATE_HZ), int(SPEECH_BEGINS_S * RATE_HZ))
    contrasts = [_level_db(heard[spoken_]) - _level_db(heard[pause]) for heard in (noisy, clean)]
    before, after = speech.samples[spoken_], _without_rumble(speech.samples)[spoken_]
    segments = _segmental_snr_db(after, clean[spoken_]) - _segmental_snr_db(before, noisy[spoken_])
    wholes = _snr_db(after, clean[spoken_]) - _snr_db(before, noisy[spoken_])
    return contrasts[1] - contrasts[0], segments, wholes


def _without_rumble(speech: Samples) -> Samples:
    """Return the speech through the first stage of RNNoise, which stops what lies below 30 Hz or so."""
    size = 2 * speech.size  # room for what rings on
    delay = np.exp(-2j * np.pi * np.fft.rfftfreq(size, 1 / RATE_HZ) / RNNOISE_RATE_HZ)
    response = (1 - delay) ** 2 / (1 - 1.99599 * delay + 0.99600 * delay**2)
    return np.fft.irfft(np.fft.rfft(speech, size) * response, size)[: speech.size]


def _scaled(speech: Samples, heard: Samples) -> Samples:
    """Return the speech at the level that it has in what is heard."""
    part: Samples = speech * (np.dot(speech, heard) / np.dot(speech, speech))
    return part


def _snr_db(speech: Samples, heard: Samples) -> float:
    part = _scaled(speech, heard)
    return _level_db(part) - _level_db(heard - part)


def _segmental_snr_db(speech: Samples, heard: Samples) -> float:
    part = _scaled(speech, heard)
    size = speech.size // STEP_SAMPLES * STEP_SAMPLES
    ratios = [
        _level_db(part[at : at + STEP_SAMPLES]) - _level_db((heard - part)[at : at + STEP_SAMPLES])
        for at in range(0, size, STEP_SAMPLES)
    ]
    return float(np.mean(np.clip(ratios, -10, 35)))  # the usual limits of the measure


def _word_errors(reducer: RnnoiseReducer) -> Iterator[Figure]:
    recogniser = Recogniser()
    conditions: list[tuple[str, Callable[[Spoken, int], bytes], float | None]] = [
        ("clean", lambda speech, _: quantize(speech.samples.astype(np.float32)), MAX_WORD_ERRORS_ADDED),
        *((f"{noise} {snr_db} dB", _mixing(noise, snr_db), None) for noise, snr_db in WORDS),
    ]
    for name, mix, bound in conditions:
        before = _word_error_percent(recogniser, mix, lambda pcm: pcm)
        yield Figure(f"{name}, word errors without reduction", before, "%")
        for kind in KINDS:
            after = _word_error_percent(recogniser, mix, process_with(reducer, kind))
            yield Figure(f"{name}, word errors with {kind}", after, "%", None if bound is None else before + bound)


def _mixing(noise: Noise, snr_db: int) -> Callable[[Spoken, int], bytes]:
    return lambda speech, seed: in_noise(speech, noise, snr_db, seed)


def _word_error_percent(recogniser: Recogniser, mix: Callable[[Spoken, int], bytes], process: Process) -> float:
    errors = words = 0.0
    for seed, speech in enumerate(spoken()):
        pcm = process(mix(speech, seed))[int(SPEECH_BEGINS_S * RATE_HZ) * 2 :]
        count = len(words_of(speech.text))
        errors += word_error_rate(speech.text, _recognised(recogniser, pcm)) * count
        words += count
    return 100 * errors / words


def _recognised(recogniser: Recogniser, pcm: bytes) -> str:
    heard = resample_file(pcm, RATE_HZ, TRANSCRIBER_RATE_HZ)
    recogniser.start()
    for start in range(0, len(heard), 3200):
        recogniser.decode(heard[start : start + 3200])
    return recogniser.finish()["text"]


def _false_speech(reducer: RnnoiseReducer) -> Iterator[Figure]:
    """How much of noise alone the detector takes for speech."""
    for noise in NOISES:
        pcm = quantize((SPEECH_RMS / 3 * noise_of(noise, ALONE_S * RATE_HZ, 5)).astype(np.float32))
        yield Figure(f"{noise} alone, taken for speech without reduction", _speech_percent(pcm), "%")
        for kind in KINDS:
            percent = _speech_percent(process_with(reducer, kind)(pcm))
            yield Figure(f"{noise} alone, taken for speech with {kind}", percent, "%")


def _speech_percent(pcm: bytes) -> float:
    scores = asyncio.run(_scores(resample_file(pcm, RATE_HZ, DETECTOR_RATE_HZ)))
    return 100 * sum(score > SPEECH_ABOVE for score in scores) / len(scores)


async def _scores(pcm: bytes) -> list[float]:
    detector = SileroDetector(AssetCache(default_directory()).path("silero-vad"))
    await detector.start()
    scores: list[float] = []
    stream = detector.open(scores.extend)
    for start in range(0, len(pcm), 2 * 512):  # one window at a time is scored at once
        stream.feed(pcm[start : start + 2 * 512])
    await detector.close()
    return scores


def _samples(pcm: bytes) -> Samples:
    return to_int16(pcm).astype(np.float64)


def _level_db(samples: Samples) -> float:
    return float(10 * np.log10(np.mean(samples**2) + 1e-3))
