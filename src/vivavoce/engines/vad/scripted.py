"""A detector that follows a script: by loudness on real audio, or with scripted probabilities."""

from bisect import bisect_right
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from vivavoce.engines.base import DETECTOR_WINDOW_SAMPLES, Capabilities
from vivavoce.engines.script import Detection, Script

_WINDOW_BYTES = 2 * DETECTOR_WINDOW_SAMPLES
_FULL_SCALE = 32_768.0


class ScriptedDetector:
    """Scores windows with 0.0 or 1.0 by their RMS, or as `detector.scores` says. Scores inside `feed`."""

    def __init__(self, script: Script) -> None:
        self._detection = script.detector

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(name="scripted", is_streaming=True, note="Follows a script; made for tests.")

    async def start(self) -> None:
        """Nothing to load."""

    async def close(self) -> None:
        """Nothing to release."""

    def open(self, deliver: Callable[[Sequence[float]], None]) -> "ScriptedDetectorStream":
        """Open a stream that delivers from inside `feed`."""
        return ScriptedDetectorStream(self._detection, deliver)


class ScriptedDetectorStream:
    """One stream; keeps the samples that do not fill a window yet (at most 511)."""

    def __init__(self, detection: Detection, deliver: Callable[[Sequence[float]], None]) -> None:
        self._detection = detection
        self._deliver = deliver
        self._rest = b""
        self._next_sample = 0
        self._is_closed = False

    @property
    def pending_ms(self) -> float:
        """Nothing waits: audio is scored as it comes."""
        return 0.0

    def feed(self, pcm: bytes) -> None:
        """Score all complete windows."""
        if self._is_closed:
            return
        audio = self._rest + pcm
        whole = len(audio) - len(audio) % _WINDOW_BYTES
        self._rest = audio[whole:]
        if whole:
            self._deliver(self._scores(np.frombuffer(audio[:whole], dtype="<i2")))

    def close(self) -> None:
        """Deliver nothing any more."""
        self._is_closed = True
        self._rest = b""

    def _scores(self, samples: npt.NDArray[np.int16]) -> list[float]:
        windows = samples.reshape(-1, DETECTOR_WINDOW_SAMPLES)
        first = self._next_sample
        self._next_sample += samples.size
        if self._detection.scores:
            return [self._scripted(first + n * DETECTOR_WINDOW_SAMPLES) for n in range(len(windows))]
        return self._by_loudness(windows)

    def _by_loudness(self, windows: npt.NDArray[np.int16]) -> list[float]:
        rms = np.sqrt(np.mean(np.square(windows.astype(np.float64) / _FULL_SCALE), axis=1))
        return [float(is_loud) for is_loud in rms >= self._detection.threshold_rms]

    def _scripted(self, sample: int) -> float:
        scores = self._detection.scores
        place = bisect_right(scores, sample, key=lambda score: score.from_sample)
        return scores[place - 1].probability if place else 0.0
