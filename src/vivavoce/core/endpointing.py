"""How much silence ends a turn under `semantic_vad`: from the words, the sound, the speaker's pauses, the eagerness.

Theory of operation. Words and sound give one probability that the speaker has finished. The silence that is needed
falls with it along a curve that the eagerness picks, from the forced end of the turn down to the earliest commit. A
speaker who has paused within this turn and went on is waited for longer, in proportion to the longest such pause.

The core asks again with every partial transcript, every sound score and every new pause, and compares the answer with
the silence so far: a late partial can lengthen or shorten the wait as long as the turn has not ended.
"""

import math
from typing import Final, Literal

import msgspec

Eagerness = Literal["low", "medium", "high", "auto"]

EARLIEST_COMMIT_MS: Final = 200  # no turn ends after less silence, whatever was said
FULL_PATIENCE_PAUSE_MS: Final = 1_500  # a pause this long, or longer, gives all the extra time there is
MOST_CERTAIN: Final = 0.99  # scores are taken as at most this sure when they are weighed against each other
SOUND_WEIGHT: Final = 0.4  # of the sound's logit against the words'; more costs delay on complete turns


class SemanticSettings(msgspec.Struct, frozen=True):
    """The curve of one eagerness: silence in ms by the probability that the turn is complete.

    Chosen by `python -m bench semantic`; the last is the most that any turn waits, as the reference tells it.
    """

    complete_ms: int  # at probability 1
    undecided_ms: int  # at 0.5
    open_ms: int  # at 0.1: of the turns whose words score below, every tenth is complete and was misheard
    forced_ms: int  # at 0


class Pauses(msgspec.Struct, frozen=True):
    """The silences within the turn so far after which its speaker went on."""

    count: int = 0
    longest_ms: int = 0

    def with_pause(self, pause_ms: int) -> "Pauses":
        """Return these and one more."""
        return Pauses(self.count + 1, max(self.longest_ms, pause_ms))


NO_PAUSES: Final = Pauses()

MEDIUM: Final = SemanticSettings(complete_ms=300, undecided_ms=900, open_ms=2_000, forced_ms=4_000)
SETTINGS: Final[dict[Eagerness, SemanticSettings]] = {
    "high": SemanticSettings(complete_ms=200, undecided_ms=500, open_ms=1_500, forced_ms=2_000),
    "medium": MEDIUM,
    "auto": MEDIUM,
    "low": SemanticSettings(complete_ms=600, undecided_ms=1_800, open_ms=4_000, forced_ms=8_000),
}
UNDECIDED: Final = 0.5  # probabilities at which the curve has its points
OPEN: Final = 0.1


def needed_silence_ms(
    eagerness: Eagerness, words: float, sound: float | None = None, pauses: Pauses = NO_PAUSES
) -> int:
    """Return the silence in ms that ends the turn: at least 200, at most 2000 (high), 4000 (medium, auto), 8000 (low).

    Never more for a higher score or a higher eagerness, never less for a longer pause.

    Args:
        words: how complete the words sound, in [0, 1]; see `completeness`. 0.5 where nothing is known of them.
        sound: the turn scorer's probability in [0, 1], None where there is no score of this silence.
    """
    settings = SETTINGS[eagerness]
    curve_ms = _curve_ms(settings, combined(words, sound))
    patient_ms = settings.complete_ms + (curve_ms - settings.complete_ms) * _patience(pauses)
    return round(min(max(patient_ms, EARLIEST_COMMIT_MS), settings.forced_ms))


def combined(words: float, sound: float | None) -> float:
    """Return the probability in [0, 1] that the turn is complete, of the scores by words and by sound."""
    if sound is None:
        return words
    return 1 / (1 + math.exp(-(_logit(words) + SOUND_WEIGHT * _logit(sound))))


def _curve_ms(settings: SemanticSettings, probability: float) -> float:
    """Exponential between its points: equal steps of probability are equal factors of time."""
    if probability >= UNDECIDED:
        share = (probability - UNDECIDED) / (1 - UNDECIDED)
        return _between(settings.undecided_ms, settings.complete_ms, share)
    if probability >= OPEN:
        return _between(settings.open_ms, settings.undecided_ms, (probability - OPEN) / (UNDECIDED - OPEN))
    return _between(settings.forced_ms, settings.open_ms, probability / OPEN)


def _between(start_ms: int, end_ms: int, share: float) -> float:
    return start_ms * math.exp(share * math.log(end_ms / start_ms))


def _patience(pauses: Pauses) -> float:
    """1 for a speaker who has not paused, up to 2."""
    return 1 + min(pauses.longest_ms, FULL_PATIENCE_PAUSE_MS) / FULL_PATIENCE_PAUSE_MS


def _logit(probability: float) -> float:
    limited = min(max(probability, 1 - MOST_CERTAIN), MOST_CERTAIN)
    return math.log(limited / (1 - limited))
