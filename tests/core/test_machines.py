"""The small machines of the core, one by one: buffer, turn, playout, segments, heard text, tools, lifecycle."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vivavoce.core.heard import SpokenSegment, heard_text
from vivavoce.core.input_buffer import Buffer, InputBuffer
from vivavoce.core.lifecycle import Lifecycle, advance
from vivavoce.core.limits import MAX_BUFFER_MS, WINDOW_SAMPLES
from vivavoce.core.playout import Playing, Playout
from vivavoce.core.requests import AudioEncoding, Word
from vivavoce.core.segments import Segmenter
from vivavoce.core.tools import ToolLedger, ToolState
from vivavoce.core.turn import TRANSITIONS, Turn, TurnDetector, TurnSettings, TurnStarted, TurnStopped
from vivavoce.protocol.errors import ClientError

SETTINGS = TurnSettings(threshold=0.5, silence_samples=3 * WINDOW_SAMPLES)


# Input buffer -------------------------------------------------------------------------------------------------


def test_an_odd_byte_waits_for_the_next_append() -> None:
    buffer = InputBuffer()

    first = buffer.append(b"\x01\x02\x03")
    second = buffer.append(b"\x04")

    assert (first, second) == (b"\x01\x02", b"\x03\x04")
    assert buffer.end_sample == 2


def test_clear_and_discard_never_move_the_clock_back() -> None:
    buffer = InputBuffer()
    buffer.append(bytes(100))

    buffer.discard_before(10)
    kept = buffer.end_sample
    buffer.clear()

    assert (kept, buffer.start_sample, buffer.end_sample) == (50, 50, 50)
    assert buffer.state is Buffer.EMPTY


def test_one_g711_byte_lasts_three_samples_of_the_session_clock() -> None:
    buffer = InputBuffer()
    buffer.use_encoding(AudioEncoding.PCMU)

    buffer.append(bytes(range(8)))

    assert buffer.end_sample == 24
    assert buffer.take(6, 12) == bytes([2, 3])


def test_audio_beyond_fifteen_minutes_is_refused_and_nothing_is_added() -> None:
    buffer = InputBuffer()
    buffer.append(bytes(MAX_BUFFER_MS * 48))

    with pytest.raises(ClientError) as caught:
        buffer.append(bytes(2))

    assert caught.value.detail.code == "input_audio_buffer_full"
    assert buffer.duration_ms == MAX_BUFFER_MS


@given(st.lists(st.binary(max_size=9), max_size=20), st.integers(0, 90))
def test_what_is_taken_is_what_was_appended(pieces: list[bytes], cut: int) -> None:
    buffer = InputBuffer()
    whole = b"".join(pieces)
    for piece in pieces:
        buffer.append(piece)

    buffer.discard_before(cut)

    even = whole[: len(whole) - len(whole) % 2]
    assert buffer.take(0, 1_000) == even[2 * min(cut, len(even) // 2) :]


# Turn ---------------------------------------------------------------------------------------------------------


def scores(detector: TurnDetector, *probabilities: float, onset_windows: int = 2) -> list[object]:
    changes: list[object] = []
    for probability in probabilities:
        end_sample = detector.scored_sample + WINDOW_SAMPLES
        changes.append(detector.score(end_sample, probability, SETTINGS, onset_windows))
    return changes


def test_speech_begins_after_consecutive_windows_only() -> None:
    detector = TurnDetector()

    changes = scores(detector, 0.9, 0.1, 0.9, 0.9)

    assert changes == [None, None, None, TurnStarted(2 * WINDOW_SAMPLES)]


def test_a_window_between_off_level_and_threshold_keeps_speech_alive() -> None:
    detector = TurnDetector()
    scores(detector, 0.9, 0.9)

    changes = scores(detector, 0.1, 0.1, 0.4, 0.1, 0.1, 0.1)

    assert changes == [None] * 5 + [TurnStopped(8 * WINDOW_SAMPLES)]


def test_silence_completes_within_a_window_once_all_full_windows_are_scored() -> None:
    detector = TurnDetector()
    settings = TurnSettings(threshold=0.5, silence_samples=WINDOW_SAMPLES + 100)
    for index in range(1, 4):
        detector.score(index * WINDOW_SAMPLES, 0.9 if index < 3 else 0.0, settings, 2)

    too_early = detector.advance(3 * WINDOW_SAMPLES + 99, settings)
    not_scored = detector.advance(4 * WINDOW_SAMPLES, settings)
    stopped = detector.advance(3 * WINDOW_SAMPLES + 100, settings)

    assert (too_early, not_scored) == (None, None)
    assert stopped == TurnStopped(3 * WINDOW_SAMPLES + 100)


@given(st.lists(st.sampled_from([0.0, 0.36, 0.5, 1.0]), max_size=60), st.integers(1, 4))
def test_turns_start_and_stop_in_alternation(probabilities: list[float], onset_windows: int) -> None:
    detector = TurnDetector()

    changes = [c for c in scores(detector, *probabilities, onset_windows=onset_windows) if c is not None]

    assert [isinstance(c, TurnStarted) for c in changes] == [index % 2 == 0 for index in range(len(changes))]


def test_the_transition_table_of_turns_is_complete() -> None:
    assert set(TRANSITIONS) == {(state, is_speech) for state in Turn for is_speech in (True, False)}


# Playout ------------------------------------------------------------------------------------------------------


def test_audio_plays_from_the_moment_it_is_handed_out() -> None:
    playout = Playout()

    playout.play("item_a", 24_000, now=10.0)

    assert playout.state(10.5) is Playing.PLAYING
    assert playout.unheard_by_item(10.25) == {"item_a": 18_000}
    assert playout.state(11.0) is Playing.IDLE


def test_a_gap_in_the_audio_stalls_playout() -> None:
    playout = Playout()
    playout.play("item_a", 2_400, now=0.0)

    playout.play("item_a", 2_400, now=5.0)

    assert playout.unheard_by_item(5.05) == {"item_a": 1_200}


def test_unheard_audio_is_counted_for_each_queued_item() -> None:
    playout = Playout()
    playout.play("item_a", 24_000, now=0.0)
    playout.play("item_b", 24_000, now=0.0)

    assert playout.unheard_by_item(0.5) == {"item_a": 12_000, "item_b": 24_000}
    assert playout.unheard_by_item(1.5) == {"item_b": 12_000}


def test_cleared_playout_is_silent() -> None:
    playout = Playout()
    playout.play("item_a", 24_000, now=0.0)

    playout.clear(0.1)

    assert playout.state(0.1) is Playing.IDLE
    assert playout.unheard_by_item(0.1) == {}


# Segments -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("Yes. I can do that. ", ["Yes. ", "I can do that. "]),
        ("It costs 3.5 euros", ["It costs 3.5 euros"]),
        (
            "When the rain has finally stopped, we will go out. Then we eat. ",
            ["When the rain has finally stopped, ", "we will go out. ", "Then we eat. "],
        ),
        ("No, not yet, wait", ["No, not yet, wait"]),
        ('She said "stop." Then she left.', ['She said "stop." ', "Then she left."]),
    ],
)
def test_text_is_cut_at_a_first_clause_and_at_sentences(text: str, pieces: list[str]) -> None:
    segmenter = Segmenter()

    assert segmenter.feed(text) + segmenter.finish() == pieces


def test_a_stretch_without_punctuation_is_cut_at_a_space() -> None:
    segmenter = Segmenter()

    pieces = segmenter.feed("word " * 200) + segmenter.finish()

    assert len(pieces) > 3
    assert all(piece.endswith("word ") for piece in pieces)


@given(st.lists(st.text(alphabet="ab .,!?\n\"'", max_size=80), max_size=12))
def test_the_pieces_of_a_text_joined_are_the_text(parts: list[str]) -> None:
    segmenter = Segmenter()

    pieces = [piece for part in parts for piece in segmenter.feed(part)] + segmenter.finish()

    assert "".join(pieces) == "".join(parts)
    assert all(pieces)


# Heard text ---------------------------------------------------------------------------------------------------


def spoken(*words: tuple[str, int, int]) -> list[SpokenSegment]:
    text = " ".join(word for word, _, _ in words)
    timed = [Word(word, start_ms, end_ms) for word, start_ms, end_ms in words]
    return [SpokenSegment(text=text, start_sample=0, end_sample=timed[-1].end_ms * 24, words=timed)]


@pytest.mark.parametrize(
    ("heard_ms", "text"), [(0, ""), (49, ""), (50, "one"), (160, "one two"), (300, "one two three")]
)
def test_a_word_counts_as_heard_from_its_middle_on(heard_ms: int, text: str) -> None:
    segments = spoken(("one", 0, 100), ("two", 100, 200), ("three", 200, 300))

    assert heard_text(segments, heard_ms * 24) == text


def test_without_word_times_words_are_spread_by_their_length() -> None:
    segment = SpokenSegment(text="a bbbbbbbbb", start_sample=0, end_sample=24_000, words=[])

    assert heard_text([segment], 4_000) == "a"
    assert heard_text([segment], 24_000) == "a bbbbbbbbb"


# Tools and lifecycle ------------------------------------------------------------------------------------------


def test_a_call_is_known_until_it_is_forgotten() -> None:
    ledger = ToolLedger()

    ledger.request("call_1")
    requested = ledger.state("call_1")
    ledger.give_back("call_1")
    returned = ledger.state("call_1")
    ledger.forget("call_1")

    assert (requested, returned, ledger.state("call_1")) == (ToolState.REQUESTED, ToolState.RETURNED, None)


@pytest.mark.parametrize("state", list(Lifecycle))
def test_nothing_follows_a_closed_session(state: Lifecycle) -> None:
    with pytest.raises(AssertionError, match="does not go from closed"):
        advance(Lifecycle.CLOSED, state)
