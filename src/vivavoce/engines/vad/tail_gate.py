"""Calls a window silent when it is far quieter than the speech just before it, whatever the model says.

A recurrent detector goes on reporting speech for 30 to 110 ms after the last word, and all silence windows are counted
from there. Where the level falls by 30 dB at once, as with a muted or noise-gated microphone or synthetic speech, the
end is certain earlier. In a noisy room the level does not fall so far and the model decides alone.
"""

from typing import Final

import numpy as np
import numpy.typing as npt

SPEECH_PROBABILITY: Final = 0.5
DROP_RATIO: Final = 10 ** (-30 / 10)  # at 25 dB unvoiced endings of words begin to be cut on human recordings
DECAY_PER_WINDOW: Final = 10 ** (-1 / 10)  # 31 dB per second: a slammed door is forgotten within a second


class TailGate:
    """Follows the level of one stream's speech."""

    def __init__(self) -> None:
        self._speech_power = 0.0

    def judge(self, probability: float, samples: npt.NDArray[np.float32]) -> float:
        """Return the probability for a window of float32 samples, or 0 if it is silent beside the recent speech."""
        power = float(np.dot(samples, samples)) / samples.size
        self._speech_power *= DECAY_PER_WINDOW
        if power < self._speech_power * DROP_RATIO:
            return 0.0
        if probability >= SPEECH_PROBABILITY:
            self._speech_power = max(self._speech_power, power)
        return probability
