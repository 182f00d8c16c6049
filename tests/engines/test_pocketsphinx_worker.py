"""The recogniser process's parts that need no process: frames, word clean-up, stable prefixes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vivavoce.engines.stt.pocketsphinx_worker import (
    STABLE_AFTER,
    StablePrefix,
    WordRow,
    keep_prefix,
    pack,
    spoken,
    take_frames,
    texts,
)

FRAMES = st.tuples(st.integers(0, 255), st.integers(0, 2**32 - 1), st.binary(max_size=300))


@given(frames=st.lists(FRAMES, max_size=6), step=st.integers(1, 100))
def test_frames_survive_any_cutting_of_the_stream(frames: list[tuple[int, int, bytes]], step: int) -> None:
    stream = b"".join(pack(*frame) for frame in frames)
    buffer = bytearray()
    taken: list[tuple[int, int, bytes]] = []

    for start in range(0, len(stream), step):
        buffer += stream[start : start + step]
        taken.extend(take_frames(buffer))

    assert taken == frames
    assert not buffer


@pytest.mark.parametrize(
    ("entry", "text"), [("go", "go"), ("read(2)", "read"), ("a(10)", "a"), ("<s>", ""), ("<sil>", ""), ("[NOISE]", "")]
)
def test_dictionary_entries_become_words(entry: str, text: str) -> None:
    assert spoken(entry) == text


def rows(*words: str) -> list[WordRow]:
    return [WordRow(text=word, start_ms=100 * n, end_ms=100 * n + 100) for n, word in enumerate(words)]


def test_a_prefix_is_stable_once_it_stood_long_enough() -> None:
    prefix = StablePrefix()

    for _ in range(STABLE_AFTER - 1):
        assert prefix.revise(rows("go", "four")) == ("", "go four")

    assert prefix.revise(rows("go", "forward", "ten")) == ("go", "go forward ten")


def test_a_stable_prefix_never_shrinks() -> None:
    prefix = StablePrefix()
    for _ in range(STABLE_AFTER):
        prefix.revise(rows("go", "for"))

    assert prefix.revise([]) == ("go for", "go for")
    assert prefix.revise(rows("so", "far", "away")) == ("go for", "go for away")
    assert prefix.rows == rows("go", "for")


@given(hypotheses=st.lists(st.lists(st.sampled_from(["a", "b"]), max_size=4), max_size=60))
def test_the_text_always_begins_with_a_prefix_that_only_grows(hypotheses: list[list[str]]) -> None:
    prefix, before = StablePrefix(), ""

    for words in hypotheses:
        stable, text = prefix.revise(rows(*words))

        assert stable.startswith(before)
        assert text.startswith(stable)
        before = stable


@pytest.mark.parametrize(
    ("stable", "final", "kept"),
    [
        ("", "go forward ten", "go forward ten"),
        ("go", "go forward ten", "go forward ten"),
        ("go for", "go forward ten meters", "go for ten meters"),
        ("go for", "so", "go for"),
        ("go for", "", "go for"),
    ],
)
def test_a_final_transcript_keeps_the_words_that_were_told_as_stable(stable: str, final: str, kept: str) -> None:
    assert texts(keep_prefix(rows(*stable.split()), rows(*final.split()))) == kept.split()
