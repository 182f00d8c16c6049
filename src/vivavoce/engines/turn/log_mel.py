"""Log-mel features of 8 s of speech, as Whisper models take them, in numpy.

Follows "Robust Speech Recognition via Large-Scale Weak Supervision" (Radford et al., 2022), section 2.2, with the
constants of that model: 80 mel bands, frames of 25 ms every 10 ms, the dynamic range limited to 80 dB. The mel scale
is Slaney's (Auditory Toolbox, 1998): linear below 1 kHz, logarithmic above, triangles of equal area.
"""

import functools
from typing import Final

import numpy as np
import numpy.typing as npt

RATE_HZ: Final = 16_000
SPAN_SAMPLES: Final = 8 * RATE_HZ
FRAME_SAMPLES: Final = 400
HOP_SAMPLES: Final = 160
FRAMES: Final = SPAN_SAMPLES // HOP_SAMPLES
BANDS: Final = 80
POWER_FLOOR: Final = 1e-10
RANGE_DECADES: Final = 8.0  # of power below the loudest value
VARIANCE_FLOOR: Final = 1e-7
MEL_HZ: Final = 200 / 3  # width of a mel in the linear part
LINEAR_TO_HZ: Final = 1_000.0
MELS_PER_E: Final = 27 / np.log(6.4)  # in the logarithmic part

FloatArray = npt.NDArray[np.float32]


def log_mel(pcm: bytes) -> FloatArray:
    """Return features of the last 8 s, float32, shape (80, 800); shorter audio is preceded by zeros.

    The waveform is brought to mean 0 and variance 1 over the 8 s first. `pcm` is pcm16le, mono, 16 kHz.
    """
    samples = np.frombuffer(pcm, "<i2")[-SPAN_SAMPLES:]
    span = np.zeros(SPAN_SAMPLES, np.float32)
    if len(samples):
        np.multiply(samples, np.float32(1 / 32768), out=span[-len(samples) :])
    span = (span - span.mean()) / np.sqrt(span.var() + np.float32(VARIANCE_FLOOR))
    bands = _mel_filters() @ _power(span).T
    logs = np.log10(np.maximum(bands, np.float32(POWER_FLOOR)))
    limited = np.maximum(logs, logs.max() - np.float32(RANGE_DECADES))
    features: FloatArray = ((limited + 4) / 4).astype(np.float32)
    return features


def _power(span: FloatArray) -> FloatArray:
    """Power spectra of frames that are centred on every tenth ms, float32, shape (800, 201)."""
    mirrored = np.pad(span, FRAME_SAMPLES // 2, mode="reflect")
    frames = np.lib.stride_tricks.sliding_window_view(mirrored, FRAME_SAMPLES)[::HOP_SAMPLES][:FRAMES]
    spectra = np.fft.rfft(frames * _window(), axis=1)
    power: FloatArray = (spectra.real**2 + spectra.imag**2).astype(np.float32)
    return power


@functools.cache
def _window() -> FloatArray:
    """A Hann window whose period is the frame."""
    turn = 2 * np.pi * np.arange(FRAME_SAMPLES) / FRAME_SAMPLES
    return (0.5 - 0.5 * np.cos(turn)).astype(np.float32)


@functools.cache
def _mel_filters() -> FloatArray:
    """Weights of the frequency bins in each band, float32, shape (80, 201)."""
    edges_hz = _hz(np.linspace(0.0, _mels(RATE_HZ / 2), BANDS + 2))
    bins_hz = np.linspace(0.0, RATE_HZ / 2, FRAME_SAMPLES // 2 + 1)
    low, peak, high = edges_hz[:-2, None], edges_hz[1:-1, None], edges_hz[2:, None]
    triangles = np.minimum((bins_hz - low) / (peak - low), (high - bins_hz) / (high - peak)).clip(min=0.0)
    return (triangles * (2 / (high - low))).astype(np.float32)


def _mels(frequency_hz: float) -> float:
    """The mel value of a frequency above 1 kHz."""
    return float(LINEAR_TO_HZ / MEL_HZ + np.log(frequency_hz / LINEAR_TO_HZ) * MELS_PER_E)


def _hz(mels: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    linear_mels = LINEAR_TO_HZ / MEL_HZ
    logarithmic = LINEAR_TO_HZ * np.exp((mels - linear_mels) / MELS_PER_E)
    return np.where(mels < linear_mels, mels * MEL_HZ, logarithmic)
