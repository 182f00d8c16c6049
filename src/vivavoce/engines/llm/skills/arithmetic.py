"""Arithmetic: "what is twelve times seven", "15 % of 80", "the average of 3, 4 and 5"."""

from fractions import Fraction

from vivavoce.engines.llm.calculation import CannotCompute, calculation_in
from vivavoce.engines.llm.spoken_numbers import in_digits, is_rounded, numbers_in
from vivavoce.engines.llm.turn import Turn

_MAX_DIGITS = 60


def answer(turn: Turn) -> str | None:
    words = _without_fillers(turn)
    if turn.has("average of", "mean of"):
        return _average(turn)
    try:
        found = calculation_in(words)
    except CannotCompute as refusal:
        return str(refusal)
    if found is None:
        return _comparison(turn)
    digits = in_digits(found.value)
    if len(digits) > _MAX_DIGITS:
        return f"That is a number with {len(digits)} digits, too many to say."
    about = "" if found.is_exact and not is_rounded(found.value) else "about "
    return f"{found.spoken[:1].upper()}{found.spoken[1:]} is {about}{digits}."


def _without_fillers(turn: Turn) -> tuple[str, ...]:
    """The words, and after "and what about" or "plus" alone the previous result in front: "times two"."""
    if turn.starts("plus", "times", "divided by") or turn.starts(
        "and plus", "and times", "and divided by", "minus", "and minus"
    ):
        last = turn.memory.last_answer
        _, found, result = last.text.rpartition(" is ") if last else ("", "", "")
        numbers = numbers_in(tuple(result.lower().replace("about ", "").strip(" .").split())) if found else []
        if len(numbers) == 1:
            spoken = tuple(in_digits(numbers[0].value).replace("-", "minus ").split())
            return spoken + tuple(word for word in turn.words if word != "and")
    return turn.words


def _average(turn: Turn) -> str | None:
    values = [found.value for found in numbers_in(turn.words)]
    if len(values) < 2:
        return None
    mean = Fraction(sum(values), len(values))
    return f"The average is {'about ' if is_rounded(mean) else ''}{in_digits(mean)}."


def _comparison(turn: Turn) -> str | None:
    """ "which is bigger, nine or eleven"."""
    if not turn.has("bigger", "larger", "greater", "smaller", "less") or not turn.has("or", "than"):
        return None
    values = [found.value for found in numbers_in(turn.words)]
    if len(values) != 2:
        return None
    if values[0] == values[1]:
        return "They are the same."
    best = min(values) if turn.has("smaller", "less") else max(values)
    return f"{in_digits(best)} is {'smaller' if best == min(values) else 'bigger'}."
