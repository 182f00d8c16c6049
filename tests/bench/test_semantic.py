"""How the semantic benchmark counts, on takes made by hand."""

from bench.semantic import ended_ms, judge, with_true_words
from bench.semantic_speech import WINDOW_MS, Moment, Take
from vivavoce.core.endpointing import Pauses


def take(text: str, silences: list[int], end_ms: int, pause: tuple[int, int] | None = None) -> Take:
    """A take whose windows have these silences in ms and whose words are never understood."""
    moments = tuple(Moment((index + 1) * WINDOW_MS, silence, "") for index, silence in enumerate(silences))
    stop_ms, resume_ms = pause or (None, None)
    return Take(text, "open" if pause else "in one go", moments, end_ms, stop_ms, resume_ms)


def after(silence_ms: int) -> list[int]:
    """The silences of windows up to one."""
    return list(range(WINDOW_MS, silence_ms + 1, WINDOW_MS))


PAUSED = take("i would | like tea", [0, 0, *after(320), 0, 0, *after(640)], 14 * WINDOW_MS, (64, 384))


def test_a_turn_ends_once_the_needed_silence_is_complete() -> None:
    in_one_go = take("yes", [0, 0, *after(640)], 64)

    end_ms = ended_ms(in_one_go, lambda words, sound, pauses: 300, hears=False)

    assert end_ms == 64 + 300


def test_a_pause_that_is_shorter_than_the_needed_silence_does_not_end_the_turn() -> None:
    assert ended_ms(PAUSED, lambda words, sound, pauses: 321, hears=False) == 14 * WINDOW_MS + 321
    assert ended_ms(PAUSED, lambda words, sound, pauses: 320, hears=False) == 64 + 320


def test_silence_beyond_the_recording_goes_on() -> None:
    assert ended_ms(PAUSED, lambda words, sound, pauses: 5_000, hears=False) == 14 * WINDOW_MS + 5_000


def test_a_policy_is_told_of_pauses_that_were_survived() -> None:
    seen: list[Pauses] = []

    def policy(words: float, sound: float | None, pauses: Pauses) -> int:
        seen.append(pauses)
        return 400

    ended_ms(PAUSED, policy, hears=False)

    assert seen[0] == Pauses()
    assert seen[-1] == Pauses(count=1, longest_ms=320)


def test_cut_turns_count_as_cut_and_not_as_fast() -> None:
    closed = Take("yes | please", "closed", PAUSED.moments, PAUSED.end_ms, PAUSED.stop_ms, PAUSED.resume_ms)
    whole = take("yes", [0, 0, *after(640)], 64)

    eager = judge("eager", [PAUSED, closed, whole], lambda words, sound, pauses: 250)
    patient = judge("patient", [PAUSED, closed, whole], lambda words, sound, pauses: 600)

    assert (eager.open_cuts, eager.closed_cuts, eager.delay_ms) == (100, 100, 250)
    assert (patient.open_cuts, patient.closed_cuts, patient.delay_ms) == (0, 0, 600)


def test_true_words_are_known_as_far_as_they_were_spoken() -> None:
    texts = [moment.text.strip() for moment in with_true_words(PAUSED).moments]

    assert texts[:12] == ["i would"] * 12
    assert set(texts[12:]) == {"i would like tea"}
