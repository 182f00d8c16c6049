"""The silence that ends a turn: its bounds, and that it only ever moves the way its reasons point."""

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vivavoce.core.endpointing import (
    EARLIEST_COMMIT_MS,
    NO_PAUSES,
    SETTINGS,
    Eagerness,
    Pauses,
    combined,
    needed_silence_ms,
)

FORCED_MS: dict[Eagerness, int] = {"high": 2_000, "medium": 4_000, "auto": 4_000, "low": 8_000}
EAGER_FIRST: tuple[Eagerness, ...] = ("high", "medium", "low")

eagernesses = st.sampled_from(get_args(Eagerness))
scores = st.floats(0, 1)
sounds = st.none() | scores
pauses = st.builds(Pauses, count=st.integers(0, 50), longest_ms=st.integers(0, 10_000))


@given(eagernesses, scores, sounds, pauses)
def test_the_silence_stays_between_the_earliest_commit_and_the_forced_end(
    eagerness: Eagerness, words: float, sound: float | None, paused: Pauses
) -> None:
    needed_ms = needed_silence_ms(eagerness, words, sound, paused)

    assert EARLIEST_COMMIT_MS <= needed_ms <= FORCED_MS[eagerness]


@given(eagernesses, scores, scores, sounds, pauses)
def test_more_complete_words_never_need_more_silence(
    eagerness: Eagerness, one: float, other: float, sound: float | None, paused: Pauses
) -> None:
    less, more = sorted((one, other))

    assert needed_silence_ms(eagerness, more, sound, paused) <= needed_silence_ms(eagerness, less, sound, paused)


@given(eagernesses, scores, scores, scores, pauses)
def test_a_sound_that_is_more_complete_never_needs_more_silence(
    eagerness: Eagerness, words: float, one: float, other: float, paused: Pauses
) -> None:
    less, more = sorted((one, other))

    assert needed_silence_ms(eagerness, words, more, paused) <= needed_silence_ms(eagerness, words, less, paused)


@given(scores, sounds, pauses)
def test_a_more_eager_session_never_needs_more_silence(words: float, sound: float | None, paused: Pauses) -> None:
    high, medium, low = (needed_silence_ms(eagerness, words, sound, paused) for eagerness in EAGER_FIRST)

    assert high <= medium <= low


@given(scores, sounds, pauses)
def test_auto_is_medium(words: float, sound: float | None, paused: Pauses) -> None:
    assert needed_silence_ms("auto", words, sound, paused) == needed_silence_ms("medium", words, sound, paused)


@given(eagernesses, scores, sounds, pauses, st.integers(0, 10_000))
def test_a_speaker_who_pauses_is_never_given_less_time(
    eagerness: Eagerness, words: float, sound: float | None, paused: Pauses, pause_ms: int
) -> None:
    before_ms = needed_silence_ms(eagerness, words, sound, paused)

    assert needed_silence_ms(eagerness, words, sound, paused.with_pause(pause_ms)) >= before_ms


@pytest.mark.parametrize("eagerness", EAGER_FIRST)
def test_words_that_cannot_be_all_wait_until_the_forced_end(eagerness: Eagerness) -> None:
    assert needed_silence_ms(eagerness, 0.0) == FORCED_MS[eagerness]


def test_an_eager_session_takes_a_certain_end_at_the_earliest_commit() -> None:
    assert needed_silence_ms("high", 1.0) == EARLIEST_COMMIT_MS


@pytest.mark.parametrize("eagerness", EAGER_FIRST)
def test_words_decide_far_more_than_a_tenth_of_a_second(eagerness: Eagerness) -> None:
    assert needed_silence_ms(eagerness, 0.1) > 3 * needed_silence_ms(eagerness, 0.9)


@pytest.mark.parametrize("eagerness", EAGER_FIRST)
def test_a_long_pause_gives_more_time_where_the_end_is_in_doubt(eagerness: Eagerness) -> None:
    patient_ms = needed_silence_ms(eagerness, 0.5, None, NO_PAUSES.with_pause(1_200))

    assert patient_ms > 1.3 * needed_silence_ms(eagerness, 0.5)


@pytest.mark.parametrize("eagerness", EAGER_FIRST)
def test_pauses_do_not_hold_up_a_certain_end(eagerness: Eagerness) -> None:
    paused = NO_PAUSES.with_pause(1_500)

    assert needed_silence_ms(eagerness, 1.0, None, paused) == needed_silence_ms(eagerness, 1.0)


def test_pauses_are_counted_and_the_longest_is_kept() -> None:
    paused = NO_PAUSES.with_pause(300).with_pause(900).with_pause(400)

    assert paused == Pauses(count=3, longest_ms=900)


@given(scores)
def test_without_a_sound_the_words_stand_alone(words: float) -> None:
    assert combined(words, None) == words


@given(st.floats(0.02, 0.98))
def test_an_undecided_sound_changes_nothing(words: float) -> None:
    assert combined(words, 0.5) == pytest.approx(words)


def test_the_sound_tips_undecided_words_and_not_decided_ones() -> None:
    assert combined(0.5, 0.95) > 0.6
    assert combined(0.5, 0.05) < 0.4
    assert combined(0.05, 0.95) < 0.2
    assert combined(0.95, 0.05) > 0.8


def test_every_curve_falls() -> None:
    for settings in SETTINGS.values():
        assert settings.complete_ms <= settings.undecided_ms <= settings.open_ms <= settings.forced_ms
