"""Whether words sound complete: orders that any listener would agree with, and how often the labelled set is met."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.labelled_utterances import HELD_OUT, READ_OUT, SEEN, Labelled
from vivavoce.core.completeness import AUXILIARIES, PERSONS, completeness

FULL = ("my name is peter", "i live in london", "turn the light on", "tell me a joke please", "i have two brothers")
DANGLING = ("and", "but", "because", "the", "a", "my", "to", "of", "with", "um", "if", "that is very", "i'm")


def area(utterances: Sequence[Labelled]) -> float:
    """The share of pairs in which the complete utterance scores above the incomplete one; ties count half."""
    complete = [completeness(one.text) for one in utterances if one.is_complete]
    incomplete = [completeness(one.text) for one in utterances if not one.is_complete]
    pairs = [(a, b) for a in complete for b in incomplete]
    return sum(1.0 if a > b else 0.5 if a == b else 0.0 for a, b in pairs) / len(pairs)


def accuracy(utterances: Sequence[Labelled]) -> float:
    """The share of utterances on their side of 0.5."""
    return sum((completeness(one.text) >= 0.5) == one.is_complete for one in utterances) / len(utterances)


@pytest.mark.parametrize(
    ("utterances", "least_area", "least_accuracy"), [(SEEN, 0.99, 0.98), (HELD_OUT, 0.97, 0.93)], ids=["seen", "held"]
)
def test_complete_utterances_score_above_incomplete_ones(
    utterances: Sequence[Labelled], least_area: float, least_accuracy: float
) -> None:
    print(f"{len(utterances)} utterances: area {area(utterances):.3f}, accuracy {accuracy(utterances):.3f}")

    assert area(utterances) >= least_area
    assert accuracy(utterances) >= least_accuracy


@pytest.mark.parametrize("full", FULL)
@pytest.mark.parametrize("dangling", DANGLING)
def test_a_word_that_asks_for_more_makes_a_sentence_less_complete(full: str, dangling: str) -> None:
    assert completeness(f"{full} {dangling}") < 0.2 < completeness(full)


@pytest.mark.parametrize("text", READ_OUT)
def test_numbers_and_letters_that_are_read_out_lie_between_open_and_complete(text: str) -> None:
    assert completeness("my number is") < completeness(text) < completeness("my number is on the card")


def test_a_long_row_of_digits_is_more_complete_than_a_short_one() -> None:
    assert completeness("five five") < completeness("five five five zero one nine nine")


@pytest.mark.parametrize("text", ["yes", "no", "no thanks", "stop", "okay", "thank you", "yes i do", "no i can't"])
def test_short_answers_are_complete(text: str) -> None:
    assert completeness(text) > 0.8


def test_the_same_words_are_complete_where_they_answer_or_ask_and_open_where_they_begin() -> None:
    assert completeness("where are you") > completeness("are you") > completeness("can you")
    assert completeness("where are you from") > completeness("i have a letter from")
    assert completeness("turn it on") > completeness("i am working on")
    assert completeness("yes i have") > completeness("i think we have")
    assert completeness("do you know what time it is") > completeness("i think it is")
    assert completeness("what do you want") > completeness("i think they want")


def test_a_subordinate_clause_waits_for_its_main_clause() -> None:
    assert completeness("if it rains tomorrow") < 0.3 < completeness("if it rains tomorrow we will stay at home")
    assert completeness("when you are ready") < 0.3 < completeness("when you are ready call me")
    assert completeness("when does the train leave") > 0.8


def test_openers_change_nothing_before_other_words() -> None:
    assert completeness("well um what time is it") == completeness("what time is it")


@pytest.mark.parametrize("text", ["", "   ", "...", "?!"])
def test_without_words_nothing_is_known(text: str) -> None:
    assert completeness(text) == 0.5


def test_punctuation_tells_in_every_language() -> None:
    assert completeness("ich möchte gern nach hause gehen") == 0.5
    assert completeness("ich möchte gern nach hause gehen.") > 0.7
    assert completeness("ich möchte gern,") < 0.2
    assert completeness("今何時ですか？") > 0.7
    assert completeness("¿qué hora es?") > 0.7
    assert completeness("I live in London.") > completeness("I live in London") > completeness("I live in London, ")
    assert completeness("I live in London...") < 0.2


def test_a_full_stop_does_not_outweigh_an_open_end() -> None:
    assert completeness("I would like to.") < completeness("I would like to go.")


def test_rules_of_english_are_not_put_to_other_languages() -> None:
    assert completeness("ich will die", "de") == 0.5
    assert completeness("je pense que on", "fr-FR") == 0.5
    assert completeness("i live in the", "en-GB") < 0.2


def test_only_the_end_of_a_long_utterance_counts() -> None:
    speech = "and then we went to the market " * 500

    assert completeness(speech + "i live in london") > 0.8
    assert completeness(speech + "because") < 0.1


def test_typographic_apostrophes_and_capitals_are_read_as_plain_ones() -> None:
    assert completeness("No, I don’t") == completeness("no i don't")


@given(st.text(max_size=300), st.sampled_from([None, "en", "de"]))
def test_every_text_has_a_score(text: str, language: str | None) -> None:
    assert 0 <= completeness(text, language) <= 1


@given(st.sampled_from(sorted(AUXILIARIES)), st.sampled_from(sorted(PERSONS)))
def test_a_question_that_has_only_begun_is_open(auxiliary: str, person: str) -> None:
    assert completeness(f"{auxiliary} {person}") <= completeness(f"{auxiliary} {person} ready to go home today")
