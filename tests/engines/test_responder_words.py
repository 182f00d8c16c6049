"""Words, numbers, dates and calculations are read from speech and written for the voice."""

from datetime import date
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vivavoce.engines.llm.calculation import CannotCompute, calculation_in
from vivavoce.engines.llm.clauses import clauses, sentences
from vivavoce.engines.llm.dates import date_in, span_in, time_in
from vivavoce.engines.llm.speakable import speakable
from vivavoce.engines.llm.spoken_numbers import cardinal, in_digits, numbers_in, ordinal
from vivavoce.engines.llm.understand import swap_person, words_of

SATURDAY = date(2026, 11, 21)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("What's the time?", "what is the time"),
        ("whats the time", "what is the time"),
        ("I don\u2019t know", "i do not know"),
        ("twenty-one", "twenty one"),
        ("12×7=", "12 times 7"),
        ("-5 + 1,200", "minus 5 plus 1200"),
        ("15% of 3.5", "15 percent of 3.5"),
        ("at 7:30", "at 7:30"),
        ("José's café", "josé's café"),
        ("\x00\t!?", ""),
    ],
)
def test_typed_and_spoken_text_become_the_same_words(text: str, words: str) -> None:
    assert " ".join(words_of(text)) == words


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("seven", [7]),
        ("twenty one", [21]),
        ("one hundred and five", [105]),
        ("two thousand three hundred and forty two", [2342]),
        ("three million", [3_000_000]),
        ("a hundred", [100]),
        ("a dozen eggs", [12]),
        ("two dozen", [24]),
        ("three point one four", [Fraction("3.14")]),
        ("minus five", [-5]),
        ("half", [Fraction(1, 2)]),
        ("two and a half", [Fraction(5, 2)]),
        ("three quarters", [Fraction(3, 4)]),
        ("1,200.5", [Fraction("1200.5")]),
        ("3 million", [3_000_000]),
        ("one two three", [1, 2, 3]),
        ("twenty twenty six", [20, 26]),
        ("five and six", [5, 6]),
        ("one hundred and paris", [100]),
        ("nobody", []),
        ("9" * 100, []),
    ],
)
def test_numbers_are_read_from_words_and_digits(text: str, numbers: list[Fraction]) -> None:
    assert [found.value for found in numbers_in(words_of(text))] == numbers


@given(st.integers(min_value=0, max_value=10**15 - 1))
def test_a_number_in_words_is_read_back(value: int) -> None:
    assert [found.value for found in numbers_in(words_of(cardinal(value)))] == [value]


@given(st.text(max_size=200))
def test_numbers_lie_in_order_within_the_words(text: str) -> None:
    words = words_of(text)
    ends = [0]
    for found in numbers_in(words):
        assert ends[-1] <= found.start < found.end <= len(words)
        ends.append(found.end)


@pytest.mark.parametrize(
    ("value", "word"), [(1, "first"), (12, "twelfth"), (20, "twentieth"), (21, "twenty first"), (30, "thirtieth")]
)
def test_ordinals_are_written_in_words(value: int, word: str) -> None:
    assert ordinal(value) == word


@pytest.mark.parametrize(
    ("value", "digits"), [(Fraction(1, 3), "0.3333"), (Fraction(-5, 2), "-2.5"), (Fraction(100), "100")]
)
def test_values_have_at_most_four_decimals(value: Fraction, digits: str) -> None:
    assert in_digits(value) == digits


@pytest.mark.parametrize(
    ("text", "spoken"),
    [
        ("it is 84.", "It is eighty four."),
        ("3.14 & 5%", "Three point one four and five percent"),
        ("at 10:05", "At ten oh five"),
        ("-5 °C", "Minus five degrees C"),
        ("the 22nd", "The twenty second"),
        ("007", "Zero zero seven"),
        ("1,200,000", "One million two hundred thousand"),
        ("see https://example.com/x?y=1 now", "See a link now"),
        ("**bold** _text_ 😀", "Bold text"),
        ("Señor Müller", "Senor Muller"),
        ("日本", ""),
        ("a..b ,, c", "A.b, c"),
    ],
)
def test_text_is_made_speakable(text: str, spoken: str) -> None:
    assert speakable(text) == spoken


@given(st.text(max_size=300))
def test_speakable_text_stays_as_it_is(text: str) -> None:
    once = speakable(text)

    assert speakable(once) == once


@given(st.text(max_size=200))
def test_clauses_join_to_the_text(text: str) -> None:
    assert "".join(clauses(text)) == text


def test_a_decimal_point_ends_no_sentence() -> None:
    assert sentences("It is 3.5. Really? Yes") == ["It is 3.5.", "Really?", "Yes"]


@pytest.mark.parametrize(
    ("said", "mirrored"),
    [
        ("i love my dog", "you love your dog"),
        ("you are nice", "I am nice"),
        ("i am sure that you are right", "you are sure that I am right"),
        ("she told you", "she told me"),
        ("are you sure", "am I sure"),
        ("i was there", "you were there"),
    ],
)
def test_words_are_mirrored(said: str, mirrored: str) -> None:
    assert swap_person(said) == mirrored


@pytest.mark.parametrize(
    ("text", "spoken", "value"),
    [
        ("2+3*4", "2 plus 3 times 4", 14),
        ("two to the power of three squared", "2 to the power of 3 squared", 64),
        ("square root of one hundred forty four plus one", "the square root of 144 plus 1", 13),
        ("ten modulo three", "10 modulo 3", 1),
        ("twenty percent off fifty", "20 percent off 50", 40),
        ("cube root of twenty seven", "the cube root of 27", 3),
        ("one and a half times two", "1.5 times 2", 3),
        ("i have two apples and three plus four pears", "3 plus 4", 7),
        ("divide ten by four", "10 divided by 4", Fraction(5, 2)),
        ("take three from eight", "8 minus 3", 5),
    ],
)
def test_calculations_are_found_in_speech(text: str, spoken: str, value: Fraction) -> None:
    found = calculation_in(words_of(text))

    assert found is not None
    assert (found.spoken, found.value) == (spoken, value)


@pytest.mark.parametrize(
    "text", ["", "five", "plus", "i have been there two times", "over and out", "five plus", "half an hour"]
)
def test_no_calculation_is_found_where_there_is_none(text: str) -> None:
    assert calculation_in(words_of(text)) is None


@pytest.mark.parametrize("text", ["1/0", "5 mod 0", "2^999999", "0^-1", "square root of -4", "2 to the power of 0.5"])
def test_impossible_calculations_are_refused(text: str) -> None:
    with pytest.raises(CannotCompute):
        calculation_in(words_of(text))


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("today", "2026-11-21"),
        ("tomorrow", "2026-11-22"),
        ("the day after tomorrow", "2026-11-23"),
        ("next friday", "2026-11-27"),
        ("on saturday", "2026-11-28"),
        ("in three days", "2026-11-24"),
        ("in two weeks", "2026-12-05"),
        ("december twenty fifth", "2026-12-25"),
        ("the 5th of may", "2027-05-05"),
        ("may 5", "2027-05-05"),
        ("february thirtieth", None),
        ("may be", None),
        ("in a million days", None),
    ],
)
def test_dates_are_read(text: str, day: str | None) -> None:
    found = date_in(words_of(text), SATURDAY)

    assert (found.day.isoformat() if found else None) == day


@pytest.mark.parametrize(
    ("text", "minutes"),
    [
        ("at 7:30", 450),
        ("at seven", 420),
        ("seven pm", 1140),
        ("seven thirty p m", 1170),
        ("half past three", 210),
        ("quarter past nine in the evening", 1275),
        ("noon", 720),
        ("at nine thirty", 570),
        ("twelve am", 0),
        ("seven people", None),
        ("99:99", None),
    ],
)
def test_times_of_day_are_read(text: str, minutes: int | None) -> None:
    found = time_in(words_of(text))

    assert (found.seconds / 60 if found else None) == minutes


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("five minutes", 300),
        ("an hour", 3600),
        ("an hour and a half", 5400),
        ("one hour and ten minutes", 4200),
        ("two and a half hours", 9000),
        ("five apples", None),
    ],
)
def test_lengths_of_time_are_read(text: str, seconds: int | None) -> None:
    found = span_in(words_of(text))

    assert (found.seconds if found else None) == seconds
