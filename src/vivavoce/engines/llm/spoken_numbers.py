"""Numbers in words: reads them in an utterance, writes them for the voice. Values are exact fractions."""

from fractions import Fraction
from typing import Final

import msgspec

_UNITS: Final = {
    word: value
    for value, word in enumerate(
        "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
        "seventeen eighteen nineteen".split()
    )
}
_TENS: Final = {
    word: 10 * value
    for value, word in enumerate("twenty thirty forty fifty sixty seventy eighty ninety".split(), start=2)
}
_SCALES: Final = {"thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12}
_PARTS: Final = {"half": 2, "quarter": 4, "quarters": 4, "thirds": 3}
_MAX_DIGITS = 15  # longer strings of digits are read one by one


_BEGINNINGS: Final = frozenset({*_UNITS, *_TENS, *_PARTS, "a", "hundred", "minus", "negative"})


class Found(msgspec.Struct, frozen=True):
    """A number and the words it was read from, `words[start:end]`."""

    value: Fraction
    start: int
    end: int


def is_number_word(word: str) -> bool:
    """Whether the word is a number or part of one."""
    return word in _UNITS or word in _TENS or word in _SCALES or word == "hundred" or word[0].isdigit()


def numbers_in(words: tuple[str, ...]) -> list[Found]:
    """All numbers, in order, each as long as it can be read."""
    found: list[Found] = []
    place = 0
    while place < len(words):
        number = number_at(words, place)
        if number is not None:
            found.append(number)
        place = number.end if number else place + 1
    return found


def number_at(words: tuple[str, ...], start: int) -> Found | None:
    """The number that starts with the word at `start`, with its sign, decimals and fraction."""
    if words[start] not in _BEGINNINGS and not words[start][0].isdigit():
        return None
    if words[start] in ("minus", "negative") and start + 1 < len(words):
        inner = number_at(words, start + 1) if words[start + 1] not in ("minus", "negative") else None
        return Found(-inner.value, start, inner.end) if inner else None
    part = _part_at(words, start)
    if part is not None:
        return part
    whole = _whole_at(words, start)
    if whole is None:
        return None
    return _with_half(words, _with_decimals(words, whole))


def _part_at(words: tuple[str, ...], start: int) -> Found | None:
    """ "half", "a half", "three quarters"."""
    count, place = (1, start)
    if words[start] in ("a", "one") and start + 1 < len(words):
        place = start + 1
    elif words[start] in ("two", "three") and start + 1 < len(words):
        count, place = _UNITS[words[start]], start + 1
    if words[place] in _PARTS:
        return Found(Fraction(count, _PARTS[words[place]]), start, place + 1)
    return None


def _whole_at(words: tuple[str, ...], start: int) -> Found | None:
    """A number without a sign: digits or words, with scales: "3 million", "one hundred and five", "a dozen"."""
    total, group = Fraction(0), None
    place = start
    if words[start] == "a" and start + 1 < len(words) and words[start + 1] in ("hundred", "dozen", *_SCALES):
        group, place = Fraction(1), start + 1
    while place < len(words):
        word = words[place]
        step = _step(words, place, group)
        if step is not None:
            group = step
        elif word in _SCALES and (group is not None):
            total, group = total + group * _SCALES[word], Fraction(0)
        elif not (word == "and" and place > start and _continues(words, place)):
            break
        place += 1
    if group is None or place == start:
        return None
    return Found(total + group, start, place)


def _step(words: tuple[str, ...], place: int, group: Fraction | None) -> Fraction | None:
    """The group of three digits with one more word, None if the word cannot follow."""
    word = words[place]
    is_open = group is None or group % 100 == 0
    if word[0].isdigit() and is_open and ":" not in word and (group is None or group == 0):
        return _digits(word)
    if word in _UNITS and (is_open or (group is not None and group % 10 == 0 and 0 < _UNITS[word] < 10 < group % 100)):
        return _joined(group, _UNITS[word])
    if word in _TENS and is_open:
        return _joined(group, _TENS[word])
    if word == "hundred" and group is not None and 0 < group < 100:
        return group * 100
    if word == "dozen" and group is not None and group < 100:
        return group * 12
    return None


def _digits(word: str) -> Fraction | None:
    """Digits as a value; strings of digits beyond all use are no number."""
    return Fraction(word) if len(word) <= 40 and word.isascii() else None


def _joined(group: Fraction | None, value: int) -> Fraction | None:
    if group is None or group == 0:
        return Fraction(value)
    return group + value if value else None


def _continues(words: tuple[str, ...], place: int) -> bool:
    """Whether "and" at `place` goes on with the number: only after hundred or a scale, as in "one hundred and five"."""
    before, after = words[place - 1], words[place + 1] if place + 1 < len(words) else ""
    return (before == "hundred" or before in _SCALES) and (after in _UNITS or after in _TENS)


def _with_decimals(words: tuple[str, ...], whole: Found) -> Found:
    place = whole.end
    if place >= len(words) or words[place] != "point":
        return whole
    digits = ""
    place += 1
    while place < len(words) and len(digits) < 12 and (digit := _decimal_digits(words[place])):
        digits += digit
        place += 1
    if not digits:
        return whole
    return Found(whole.value + Fraction(int(digits), 10 ** len(digits)), whole.start, place)


def _decimal_digits(word: str) -> str:
    if word in ("oh", "o"):
        return "0"
    if word in _UNITS and _UNITS[word] < 10:
        return str(_UNITS[word])
    return word if word.isascii() and word.isdigit() and len(word) <= 12 else ""


def _with_half(words: tuple[str, ...], number: Found) -> Found:
    """ "two and a half"."""
    if words[number.end : number.end + 3] in (("and", "a", "half"), ("and", "a", "quarter")):
        part = Fraction(1, _PARTS[words[number.end + 2]])
        return Found(number.value + part, number.start, number.end + 3)
    return number


# Writing ------------------------------------------------------------------------------------------------------

_UNIT_WORDS: Final = tuple(_UNITS)
_TEN_WORDS: Final = ("", "", *_TENS)
_ORDINALS: Final = {
    "one": "first", "two": "second", "three": "third", "five": "fifth", "eight": "eighth", "nine": "ninth",
    "twelve": "twelfth",
}  # fmt: skip


def in_digits(value: Fraction) -> str:
    """The value in digits, with at most four decimals."""
    if value.denominator == 1:
        return str(value.numerator)
    rounded = round(value * 10_000)
    sign, rest = ("-" if rounded < 0 else ""), abs(rounded)
    return f"{sign}{rest // 10_000}.{rest % 10_000:04d}".rstrip("0").rstrip(".")


def is_rounded(value: Fraction) -> bool:
    """Whether `in_digits` loses something."""
    return (value * 10_000).denominator != 1


def in_words(digits: str) -> str:
    """Digits as words: "84" is "eighty four", "3.14" is "three point one four", "007" is "zero zero seven"."""
    whole, _, decimals = digits.partition(".")
    if len(whole) > _MAX_DIGITS or (len(whole) > 1 and whole.startswith("0")):
        spoken = " ".join(_UNIT_WORDS[int(digit)] for digit in whole)
    else:
        spoken = cardinal(int(whole or "0"))
    if not decimals:
        return spoken
    return f"{spoken} point {' '.join(_UNIT_WORDS[int(digit)] for digit in decimals)}"


def cardinal(value: int) -> str:
    """A number from 0 to 10**15 - 1 in words, without "and"."""
    if value < 20:
        return _UNIT_WORDS[value]
    if value < 100:
        return _joined_words(_TEN_WORDS[value // 10], value % 10)
    if value < 1_000:
        return _joined_words(f"{_UNIT_WORDS[value // 100]} hundred", value % 100)
    name, scale = next((name, scale) for name, scale in reversed(_SCALES.items()) if value >= scale)
    return _joined_words(f"{cardinal(value // scale)} {name}", value % scale)


def ordinal(value: int) -> str:
    """ "first", "twenty first", "thirtieth"."""
    head, _, last = f" {cardinal(value)}".rpartition(" ")
    ending = _ORDINALS.get(last) or (f"{last[:-1]}ieth" if last.endswith("y") else f"{last}th")
    return f"{head} {ending}".strip()


def _joined_words(head: str, rest: int) -> str:
    return f"{head} {cardinal(rest)}" if rest else head
