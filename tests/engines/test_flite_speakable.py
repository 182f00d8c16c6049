"""Text into speakable words: what is written in full, what is left out, where clauses are cut."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vivavoce.engines.tts.speakable import MAX_PIECE_CHARACTERS, clauses, ends_sentence, spoken_words


def spoken(text: str, max_characters: int = 200) -> list[str]:
    """Return the clauses of a text as they are spoken."""
    return [" ".join(w for piece in clause for w in piece.spoken) for clause in clauses(text, max_characters)]


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("**bold**", "bold"),
        ("`code()`", "code()"),
        ("[docs](https://example.com/a?b=1),", "docs,"),
        ("https://www.example.com/path.", "example dot com"),
        ("it’s", "it's"),
        ("café", "cafe"),
        ("Straße", "Strasse"),
        ("word—word", "word, word"),
        ("5–10", "5-10"),
        ("what?!", "what?"),
        ("wait...", "wait."),
        ("Q&A", "Q and A"),
        ("a@b.com", "a at b dot com"),
        ("C++", "C plus plus"),
        ("25°C", "25 degrees C"),
        ("£5.50", "5.50 pounds"),
        ("$1.5M", "1.5 million dollars"),
        ("$20", "$20"),
        ("50%", "50%"),
        ("%", "percent"),
        ("½", "one half"),
        ("1,000.50", "1,000.50"),
        ("1.2.3", "1 dot 2 dot 3"),
        ("2026-11-21", "2026 11 21"),
        ("and/or", "and/or"),
        ("snake_case", "snake case"),
        ("API,", "A P I,"),
        ("URLs", "U R L's"),
        ("U.S.", "U.S."),
        ("#1", "number 1"),
        ("-5", "-5"),
    ],
)
def test_what_is_written_short_is_spoken_in_full(written: str, words: str) -> None:
    assert " ".join(spoken_words(written)) == words


@pytest.mark.parametrize(
    "piece", ["😀", "日本語", "Привет", "—", "***", "---", "|", "...", "\x00", "\ud800", "'", "()"]
)
def test_what_has_no_english_sound_is_left_out(piece: str) -> None:
    assert spoken_words(piece) == ()


def test_text_around_characters_without_a_sound_is_kept() -> None:
    assert spoken_words("bad\x00\ud800word") == ("bad", "word")


def test_sentences_and_lines_are_clauses() -> None:
    assert spoken("One. Two!\nthree\n- four") == ["One.", "Two!", "three", "four"]


def test_abbreviations_and_initials_end_no_sentence() -> None:
    assert spoken("Dr. J. Smith, e.g. from the U.S. office. He left.") == [
        "Dr. J. Smith, e.g. from the U.S. office.",
        "He left.",
    ]


@pytest.mark.parametrize(
    ("word", "ends"), [("yes.", True), ('"Yes."', True), ("no", False), ("Mr.", False), ("a,", False)]
)
def test_a_stop_ends_a_sentence(word: str, ends: bool) -> None:
    assert ends_sentence(word) is ends


def test_a_dash_between_words_is_a_pause() -> None:
    assert spoken("yes — no") == ["yes, no"]


def test_a_long_sentence_is_cut_at_a_comma_of_its_second_half() -> None:
    text = "some words here, and many more words after the comma, then a very long rest without one"

    assert spoken(text, 60)[0] == "some words here, and many more words after the comma,"


def test_a_long_sentence_without_a_comma_is_cut_between_words() -> None:
    parts = spoken("word " * 100, 50)

    assert " ".join(parts).split() == ["word"] * 100
    assert max(len(part) for part in parts) <= 50


def test_digits_count_for_the_words_they_are_spoken_as() -> None:
    assert len(spoken("123456 " * 20, 100)) >= 6


def test_pieces_without_a_sound_are_no_clause_of_their_own() -> None:
    texts = [[piece.text for piece in clause] for clause in clauses("😀 One. 😀 Two. 😀", 200)]

    assert texts == [["😀", "One."], ["😀", "Two.", "😀"]]


@given(st.text(max_size=300), st.integers(20, 200))
def test_no_piece_of_a_text_is_lost(text: str, max_characters: int) -> None:
    found = [piece.text for clause in clauses(text, max_characters) for piece in clause]

    assert found in ([], text.split())


@given(st.text(max_size=300) | st.text("aA1.,-/$%#'\" (:\n—é", max_size=300), st.integers(20, 200))
def test_all_that_is_spoken_is_short_and_printable_ascii_with_a_letter_or_digit(text: str, max_characters: int) -> None:
    for clause in clauses(text, max_characters):
        words = [word for piece in clause for word in piece.spoken]
        assert words
        assert len(" ".join(words)) <= max_characters + MAX_PIECE_CHARACTERS
        for word in words:
            assert word.isascii() and word.isprintable() and " " not in word
            assert any(character.isalnum() for character in word)
