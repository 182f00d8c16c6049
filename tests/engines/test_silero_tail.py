"""The gate that ends speech where the level says so."""

import asyncio

import numpy as np
import numpy.typing as npt

from tests.engines.test_silero import scores_inline
from tests.speech_samples import clip
from vivavoce.engines.vad.tail_gate import TailGate

OFF_LEVEL = 0.35


def window(level_db: float) -> npt.NDArray[np.float32]:
    return np.full(512, 10 ** (level_db / 20), np.float32)


def judged(*windows: tuple[float, float]) -> list[float]:
    gate = TailGate()
    return [gate.judge(probability, window(level_db)) for level_db, probability in windows]


def test_probabilities_pass_unchanged_while_the_level_stays() -> None:
    assert judged((-20, 0.9), (-25, 0.6), (-40, 0.8), (-20, 0.1)) == [0.9, 0.6, 0.8, 0.1]


def test_a_window_far_below_the_speech_before_it_is_silent() -> None:
    assert judged((-20, 0.9), (-55, 0.9)) == [0.9, 0.0]


def test_quiet_speech_with_nothing_louder_before_it_is_speech() -> None:
    assert judged((-70, 0.9), (-70, 0.9)) == [0.9, 0.9]


def test_loud_noise_that_is_not_speech_silences_nothing() -> None:
    assert judged((-3, 0.2), (-50, 0.9)) == [0.2, 0.9]


def test_a_bang_taken_for_speech_is_forgotten_within_a_second() -> None:
    scores = judged((0, 0.9), *[(-40, 0.9)] * 31)

    assert scores[1] == 0.0
    assert scores[-20:] == [0.9] * 20


def test_the_tail_after_cut_off_human_speech_is_at_most_one_window() -> None:
    speech = clip("goforward", "go forward ten meters").pcm[: 32 * 1_200]

    scores = asyncio.run(scores_inline(speech + bytes(32_000)))

    last = max(index for index, score in enumerate(scores) if score >= OFF_LEVEL)
    assert 1_100 <= (last + 1) * 32 <= 1_200 + 32
