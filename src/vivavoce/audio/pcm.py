"""PCM16 audio as bytes and as numpy arrays: conversion, duration, level.

Bytes are pcm16le, mono. Float arrays are float32, shape (samples,), range [-1, 1].
"""

import math
from typing import Final

import numpy as np
import numpy.typing as npt

FloatAudio = npt.NDArray[np.float32]
IntAudio = npt.NDArray[np.int16]

SAMPLE_BYTES: Final = 2
FULL_SCALE: Final = 32768.0  # -1.0 is exactly -32768; +1.0 saturates at 32767
SILENCE_DBFS: Final = -100.0  # below the quantisation step of 16 bits, -90.3 dBFS


def to_int16(pcm: bytes) -> IntAudio:
    """Return the samples as a read-only int16 view on the bytes; raises ValueError for an odd number of bytes."""
    if len(pcm) % SAMPLE_BYTES:
        raise ValueError(f"pcm16 audio needs an even number of bytes, got {len(pcm)}")
    return np.frombuffer(pcm, dtype="<i2")


def to_float(pcm: bytes) -> FloatAudio:
    """Return the samples as float32 in [-1, 1); raises ValueError for an odd number of bytes."""
    return to_int16(pcm).astype(np.float32) * np.float32(1.0 / FULL_SCALE)


def from_int16(samples: IntAudio) -> bytes:
    """Return int16 samples as pcm16le bytes."""
    return samples.astype("<i2", copy=False).tobytes()


def from_float(samples: FloatAudio) -> bytes:
    """Return float samples as pcm16le bytes, rounded to nearest, saturated at full scale."""
    return quantize(samples * np.float32(FULL_SCALE))


def quantize(samples: FloatAudio) -> bytes:
    """Return float samples in units of one quantisation step (range [-32768, 32767]) as pcm16le bytes."""
    return np.clip(np.rint(samples), -32768, 32767).astype("<i2").tobytes()


def duration_ms(byte_count: int, rate_hz: int) -> float:
    """Return how long so many bytes of pcm16 mono play."""
    return byte_count * 1000.0 / (SAMPLE_BYTES * rate_hz)


def bytes_for_ms(duration_ms: float, rate_hz: int) -> int:
    """Return the number of bytes of so much pcm16 mono, rounded down to whole samples."""
    return int(duration_ms * rate_hz / 1000.0) * SAMPLE_BYTES


def rms_dbfs(pcm: bytes) -> float:
    """Return the root mean square level: 0 is a full-scale square wave, -3 a full-scale sine, -100 digital silence."""
    samples = to_float(pcm)
    return _dbfs(math.sqrt(float(np.dot(samples, samples)) / samples.size)) if samples.size else SILENCE_DBFS


def peak_dbfs(pcm: bytes) -> float:
    """Return the level of the largest sample, 0 at full scale and -100 for digital silence."""
    samples = to_float(pcm)
    return _dbfs(float(np.max(np.abs(samples)))) if samples.size else SILENCE_DBFS


def _dbfs(level: float) -> float:
    return max(20.0 * math.log10(level), SILENCE_DBFS) if level > 0.0 else SILENCE_DBFS
