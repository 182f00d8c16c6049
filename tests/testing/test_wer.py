"""Word error rate and recall of content words."""

import pytest

from vivavoce.testing.wer import content_word_recall, content_words, word_error_rate, words_of


def test_words_are_compared_without_case_and_punctuation() -> None:
    assert words_of("Don\u2019t stop, NOW!") == ["don't", "stop", "now"]


@pytest.mark.parametrize(
    ("reference", "hypothesis", "expected"),
    [
        ("go forward ten meters", "Go forward ten meters.", 0.0),
        ("go forward ten meters", "go forward two meters", 0.25),
        ("go forward ten meters", "go ten meters", 0.25),
        ("go forward ten meters", "go forward by ten meters", 0.25),
        ("go forward ten meters", "", 1.0),
        ("go", "one two three", 3.0),
    ],
)
def test_the_error_rate_counts_substituted_missing_and_added_words(
    reference: str, hypothesis: str, expected: float
) -> None:
    assert word_error_rate(reference, hypothesis) == expected


def test_recall_counts_content_words_as_often_as_they_were_said() -> None:
    recall = content_word_recall("The tea and the tea pot", "tea pot")

    assert content_words("The tea and the tea pot") == ["tea", "tea", "pot"]
    assert recall == pytest.approx(2 / 3)


def test_a_text_of_stop_words_alone_is_compared_whole() -> None:
    assert content_word_recall("what is it", "what is that") == pytest.approx(2 / 3)


def test_an_empty_reference_is_an_error() -> None:
    with pytest.raises(ValueError, match="no words"):
        word_error_rate("...", "hello")
    with pytest.raises(ValueError, match="no words"):
        content_word_recall("", "hello")
