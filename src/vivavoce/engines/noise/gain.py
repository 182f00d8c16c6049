"""Automatic gain for a microphone at some distance: brings speech to one level, slowly, and never clips."""

import math
from typing import Final

import numpy as np

from vivavoce.audio.pcm import FULL_SCALE, FloatAudio

TARGET_DBFS: Final = -23.0  # RMS of speech: peaks stay some 6 dB below full scale
MAX_GAIN_DB: Final = 24.0
MIN_GAIN_DB: Final = -12.0
RISE_DB: Final = 0.08  # per frame of 10 ms while there is a voice: 8 dB per second
FALL_DB: Final = 0.3
CEILING: Final = 0.89 * FULL_SCALE  # -1 dBFS
VOICE: Final = 0.8  # probability above which a frame counts as speech
SPEECH_SHARE: Final = 0.03  # of a new frame in the level: a mean over about 0.3 s of speech
AUDIBLE_POWER: Final = 10.0**2  # quieter frames are no speech, whatever they sound like: -70 dBFS
FLOOR_RISE: Final = 10 ** (0.03 / 10)  # per frame: the quietest recent frame counts 3 dB higher each second
STANDS_OUT: Final = 10.0  # speech has ten times the power of the floor; distant voices as steady as noise have less


class AutomaticGain:
    """The gain of one stream. It moves only while there is a voice, so that pauses do not grow loud."""

    def __init__(self, strength: float) -> None:
        """`strength` in [0, 1] scales how much of the way to the target level is gone."""
        self._strength = strength
        self._speech_power = 0.0  # 0: none heard yet
        self._floor_power = math.inf  # of the quietest frames
        self._gain_db = 0.0
        self._applied = 1.0  # at the end of the last frame

    def apply(self, frame: FloatAudio, probability: float, coming_peak: float) -> FloatAudio:
        """Return a frame of 10 ms at its new level.

        Args:
            frame: float32, shape (samples,), range [-32768, 32767].
            probability: that there is a voice.
            coming_peak: of the audio that follows, so that the gain has fallen when it arrives.
        """
        power = float(np.dot(frame, frame)) / frame.size
        self._floor_power = min(power, self._floor_power * FLOOR_RISE) + 1.0  # digital silence is no floor
        if probability >= VOICE and power > max(AUDIBLE_POWER, STANDS_OUT * self._floor_power):
            self._follow(power)
        gain = 10.0 ** (self._gain_db * self._strength / 20)
        peak = max(coming_peak, float(np.max(np.abs(frame))))
        if peak * gain > CEILING:
            gain = max(1.0, CEILING / peak) if gain > 1.0 else gain  # what was loud at the microphone stays as loud
        ramp = np.linspace(self._applied, gain, frame.size, dtype=np.float32)
        self._applied = gain
        return frame * ramp

    def _follow(self, power: float) -> None:
        known = self._speech_power or power
        self._speech_power = known + SPEECH_SHARE * (power - known)
        level_db = 10.0 * math.log10(self._speech_power / FULL_SCALE**2)
        wanted_db = min(max(TARGET_DBFS - level_db, MIN_GAIN_DB), MAX_GAIN_DB)
        self._gain_db += min(max(wanted_db - self._gain_db, -FALL_DB), RISE_DB)
