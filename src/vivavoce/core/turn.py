"""Turn detection by voice activity: where the speaker is within a turn, from scored 32 ms windows.

Positions are absolute samples of the input clock (24 kHz). Onset needs several consecutive windows at or above the
threshold; within speech a window counts as speech above the off level, which lies lower, so that soft endings
do not flicker. Silence counts samples from the end of the last such window, never wall time.
"""

import enum
from typing import Final

import msgspec

from vivavoce.core.endpointing import EARLIEST_COMMIT_MS, NO_PAUSES
from vivavoce.core.limits import OFF_LEVEL_BELOW_THRESHOLD, SAMPLES_PER_MS, WINDOW_SAMPLES


class Turn(enum.Enum):
    """Where the speaker is within a turn."""

    IDLE = "idle"  # nobody speaks
    SPEECH = "speech"  # speech is being heard
    TRAILING = "trailing"  # silence after speech; the turn may go on


# (state, is_speech) -> state. IDLE leaves only after enough consecutive windows, TRAILING ends on the silence count.
TRANSITIONS: Final[dict[tuple[Turn, bool], Turn]] = {
    (Turn.IDLE, True): Turn.SPEECH,
    (Turn.IDLE, False): Turn.IDLE,
    (Turn.SPEECH, True): Turn.SPEECH,
    (Turn.SPEECH, False): Turn.TRAILING,
    (Turn.TRAILING, True): Turn.SPEECH,
    (Turn.TRAILING, False): Turn.TRAILING,
}


class TurnStarted(msgspec.Struct, frozen=True):
    """Speech began at `onset_sample`, before any prefix padding."""

    onset_sample: int


class TurnStopped(msgspec.Struct, frozen=True):
    """The turn ended; `end_sample` includes the silence that led to the decision."""

    end_sample: int


class TurnSettings(msgspec.Struct, frozen=True):
    """The part of `server_vad` that decides on turns. `threshold` in [0, 1]."""

    threshold: float
    silence_samples: int


class TurnDetector:
    """Follows the scores of one detector stream."""

    def __init__(self) -> None:
        self.state = Turn.IDLE
        self.scored_sample = 0  # end of the last scored window
        self.last_speech_sample = 0  # end of the last window that counted as speech
        self.pauses = NO_PAUSES  # silences within this turn after which the speaker went on
        self._onset_windows = 0

    @property
    def silence_samples(self) -> int:
        """The silence since the speaker's last word, 0 while somebody speaks or nobody has."""
        return self.scored_sample - self.last_speech_sample if self.state is Turn.TRAILING else 0

    def score(
        self, end_sample: int, probability: float, settings: TurnSettings, onset_windows: int
    ) -> TurnStarted | TurnStopped | None:
        """Take the score of the window that ends at `end_sample`; return the change of the turn, if any."""
        self.scored_sample = end_sample
        if self.state is Turn.IDLE:
            return self._score_idle(end_sample, probability >= settings.threshold, onset_windows)
        is_speech = probability > max(settings.threshold - OFF_LEVEL_BELOW_THRESHOLD, 0.0)
        if is_speech and self.state is Turn.TRAILING:
            self._note_pause(end_sample - WINDOW_SAMPLES - self.last_speech_sample)
        self.state = TRANSITIONS[self.state, is_speech]
        if is_speech:
            self.last_speech_sample = end_sample
        return self._stop_at(end_sample, settings)

    def advance(self, appended_sample: int, settings: TurnSettings) -> TurnStopped | None:
        """Tell how far audio has been appended: silence may complete within a window that is not full yet.

        All full windows must have been scored, so at most one window (32 ms) of the silence is taken on trust.
        """
        if appended_sample - self.scored_sample >= WINDOW_SAMPLES:
            return None
        return self._stop_at(appended_sample, settings)

    def reset(self, sample: int) -> None:
        """Begin afresh at a position, in silence."""
        self.state = Turn.IDLE
        self.scored_sample = sample
        self._onset_windows = 0

    def _score_idle(self, end_sample: int, is_speech: bool, onset_windows: int) -> TurnStarted | None:
        self._onset_windows = self._onset_windows + 1 if is_speech else 0
        if self._onset_windows < onset_windows:
            return None
        onset_sample = end_sample - self._onset_windows * WINDOW_SAMPLES
        self._onset_windows = 0
        self.pauses = NO_PAUSES
        self.last_speech_sample = end_sample
        self.state = TRANSITIONS[self.state, True]
        return TurnStarted(max(0, onset_sample))

    def _note_pause(self, samples: int) -> None:
        """Shorter silences are the gaps of fluent speech."""
        if samples >= EARLIEST_COMMIT_MS * SAMPLES_PER_MS:
            self.pauses = self.pauses.with_pause(samples // SAMPLES_PER_MS)

    def _stop_at(self, sample: int, settings: TurnSettings) -> TurnStopped | None:
        end_sample = self.last_speech_sample + settings.silence_samples
        if self.state is not Turn.TRAILING or sample < end_sample:
            return None
        self.state = Turn.IDLE
        return TurnStopped(max(end_sample, 0))
