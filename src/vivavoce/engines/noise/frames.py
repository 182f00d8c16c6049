"""RNNoise at the session's rates: each frame of 10 ms at 24 or 8 kHz gives one clean frame, a fixed time later.

RNNoise works at 48 kHz. The filters of both conversions are flat to 0.1 dB up to 0.78 of the lower Nyquist frequency
(9.4 kHz of 12, 3.1 kHz of 4), and lengthen the delay by 1.3 ms at 24 kHz and 4 ms at 8 kHz.
"""

from typing import Final

import numpy as np

from vivavoce.audio import pcm as pcm_audio
from vivavoce.audio.pcm import FloatAudio
from vivavoce.audio.resample import HALF_PERIODS, StreamResampler
from vivavoce.engines.noise.rnnoise_program import FRAME_SAMPLES, Denoiser
from vivavoce.engines.noise.tilt import Tilt

RNNOISE_RATE_HZ: Final = 48_000


def samples_per_frame(rate_hz: int) -> int:
    """Return the samples of 10 ms."""
    return rate_hz // 100


def delay_samples(rate_hz: int) -> int:
    """Return by how many samples the clean audio lags: 272 (11.3 ms) at 24 kHz, 112 (14 ms) at 8 kHz."""
    return samples_per_frame(rate_hz) + 2 * HALF_PERIODS


class FrameDenoiser:
    """A denoiser for frames of 10 ms at `rate_hz`."""

    def __init__(self, denoiser: Denoiser, rate_hz: int) -> None:
        self._denoiser = denoiser
        self._tilt = Tilt()
        self._up = StreamResampler(rate_hz, RNNOISE_RATE_HZ)
        self._down = StreamResampler(RNNOISE_RATE_HZ, rate_hz)
        # What each filter withholds is given as silence once, so that every frame in is a frame out.
        self._raised = np.zeros(HALF_PERIODS * RNNOISE_RATE_HZ // rate_hz, np.float32)
        self._lowered = np.zeros(HALF_PERIODS, np.float32)

    def process(self, frame: bytes) -> tuple[FloatAudio, float]:
        """Return a frame that lags by `delay_samples`, float32 in [-32768, 32767], and how likely there is a voice.

        Args:
            frame: pcm16le, mono, 10 ms.
        """
        raised = np.concatenate((self._raised, _samples(self._up.process(frame))))
        self._raised = raised[FRAME_SAMPLES:]
        tilted, probability = self._denoiser.process(self._tilt.lower(raised[:FRAME_SAMPLES]))
        clean = self._tilt.raise_again(tilted)
        lowered = np.concatenate((self._lowered, _samples(self._down.process(pcm_audio.quantize(clean)))))
        size = len(frame) // pcm_audio.SAMPLE_BYTES
        self._lowered = lowered[size:]
        return lowered[:size], probability


def _samples(pcm: bytes) -> FloatAudio:
    return pcm_audio.to_int16(pcm).astype(np.float32)
