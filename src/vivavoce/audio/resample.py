"""Sample rate conversion: a streaming polyphase filter for live audio, soxr for files.

The live filter is a Kaiser-windowed sinc of 32 periods of the lower rate. It withholds half its length, 1.0 ms at
16 kHz and 0.7 ms at 24 kHz, where soxr's streaming interface withholds up to 37 ms for 24 to 16 kHz. Output sample n
lies exactly at input time n * from_hz / to_hz, so positions on the two clocks convert by the ratio of the rates.
"""

import math
from functools import lru_cache
from typing import Final

import numpy as np

from vivavoce.audio import pcm as pcm_audio
from vivavoce.audio.pcm import FloatAudio

HALF_PERIODS: Final = 16  # filter length on each side, in periods of the lower rate
KAISER_BETA: Final = 8.0  # 80 dB stop band
CUTOFF: Final = 0.92  # of the lower Nyquist frequency, at -6 dB; flat to 0.1 dB up to 0.78
MIN_RATE_HZ: Final = 4_000
MAX_RATE_HZ: Final = 384_000
MAX_PHASES: Final = 1_000  # 44.1 kHz to and from any multiple of 1 kHz needs at most 441
STRIDED_PHASES: Final = 8  # up to here one product per phase is faster than gathering windows


class StreamResampler:
    """Converts a stream of pcm16le mono audio from one rate to another, chunk by chunk, without a seam.

    Raises ValueError for rates outside 4 to 384 kHz or with a ratio of more than 1000 phases.
    """

    def __init__(self, from_hz: int, to_hz: int) -> None:
        divisor = math.gcd(_checked(from_hz), _checked(to_hz))
        self._up, self._down = to_hz // divisor, from_hz // divisor
        if self._up > MAX_PHASES:
            raise ValueError(f"cannot resample live from {from_hz} to {to_hz} Hz: the ratio needs {self._up} phases")
        self._bank = _filter_bank(self._up, self._down)
        self._reset()

    def process(self, pcm: bytes) -> bytes:
        """Take any number of whole samples and return what can be computed so far, possibly nothing."""
        if self._up == self._down:
            return pcm
        return self._convert(pcm_audio.to_int16(pcm).astype(np.float32))

    def flush(self) -> bytes:
        """Return the withheld rest, as if silence followed; the next `process` begins another stream.

        A stream of n input samples gives ceil(n * to_hz / from_hz) output samples in all.
        """
        if self._up == self._down:
            return b""
        rest = self._convert(np.zeros(self._bank.shape[1] // 2, np.float32))
        self._reset()
        return rest

    def _reset(self) -> None:
        self._tail = np.zeros(self._bank.shape[1] // 2 - 1, np.float32)
        self._position = 0  # of the next output sample's window in the tail, in 1/up of an input sample

    def _convert(self, samples: FloatAudio) -> bytes:
        self._tail = np.concatenate((self._tail, samples))
        ready = (self._tail.size - self._bank.shape[1] + 1) * self._up
        count = max(0, -((self._position - ready) // self._down))
        output = self._filter(count)
        self._position += count * self._down
        used, self._position = divmod(self._position, self._up)
        self._tail = self._tail[used:]
        return pcm_audio.quantize(output)

    def _filter(self, count: int) -> FloatAudio:
        output = np.empty(count, np.float32)
        if not count:
            return output
        taps = self._bank.shape[1]  # sliding_window_view does the same at half the cost of all the rest
        windows = np.ndarray((self._tail.size - taps + 1, taps), np.float32, self._tail, strides=(4, 4))
        if self._up > STRIDED_PHASES:
            starts, phases = np.divmod(self._position + self._down * np.arange(count), self._up)
            return np.einsum("nt,nt->n", windows[starts], self._bank[phases], out=output)
        for first in range(min(self._up, count)):  # every up-th output has the same phase, `down` inputs apart
            start, phase = divmod(self._position + first * self._down, self._up)
            turns = output[first :: self._up]
            turns[:] = windows[start :: self._down][: turns.size] @ self._bank[phase]
        return output


def resample_file(pcm: bytes, from_hz: int, to_hz: int) -> bytes:
    """Convert a whole recording at the best quality (soxr HQ); pcm16le mono in and out.

    Raises ValueError for rates outside 4 to 384 kHz.
    """
    if _checked(from_hz) == _checked(to_hz):
        return pcm
    import soxr  # 90 ms to import and used only for files

    converted = soxr.resample(pcm_audio.to_int16(pcm), from_hz, to_hz, quality="HQ")
    return pcm_audio.from_int16(converted)


def _checked(rate_hz: int) -> int:
    if not MIN_RATE_HZ <= rate_hz <= MAX_RATE_HZ:
        raise ValueError(f"sample rate must be between {MIN_RATE_HZ} and {MAX_RATE_HZ} Hz, got {rate_hz}")
    return rate_hz


@lru_cache(maxsize=32)
def _filter_bank(up: int, down: int) -> FloatAudio:
    """Return the filter for each phase: float32, shape (up, taps), taps even, each row with a sum of one.

    Row p is the filter for an output sample p/up of an input sample after the window's middle.
    """
    stretch = max(1.0, down / up)  # periods of the lower rate in input samples
    half = math.ceil(HALF_PERIODS * stretch)
    offsets = np.arange(-half + 1, half + 1) - np.arange(up)[:, None] / up
    reach = np.clip(1.0 - (offsets / half) ** 2, 0.0, None)
    bank = np.sinc(CUTOFF * offsets / stretch) * np.i0(KAISER_BETA * np.sqrt(reach))
    bank /= bank.sum(axis=1, keepdims=True)
    return bank.astype(np.float32)
