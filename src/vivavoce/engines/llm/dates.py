"""Dates, times of day and lengths of time in an utterance."""

from datetime import date, timedelta
from fractions import Fraction
from typing import Final

import msgspec

from vivavoce.engines.llm.spoken_numbers import number_at, numbers_in, ordinal

WEEKDAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
MONTHS: Final = ("january", "february", "march", "april", "may", "june", "july", "august", "september", "october",
                 "november", "december")  # fmt: skip
_NEAR: Final = {"today": 0, "tonight": 0, "tomorrow": 1, "yesterday": -1}
_ORDINALS: Final = {ordinal(day): day for day in range(1, 32)}
_STEPS: Final = {"day": 1, "days": 1, "week": 7, "weeks": 7}
SECONDS: Final = {"second": 1, "seconds": 1, "minute": 60, "minutes": 60, "hour": 3600, "hours": 3600, "day": 86400,
                  "days": 86400, "week": 604800, "weeks": 604800}  # fmt: skip


class FoundDate(msgspec.Struct, frozen=True):
    """A day and the words it was read from, `words[start:end]`."""

    day: date
    start: int
    end: int


class FoundSpan(msgspec.Struct, frozen=True):
    """A time of day or a length of time in seconds, and the words it was read from."""

    seconds: Fraction
    start: int
    end: int


def date_in(words: tuple[str, ...], today: date) -> FoundDate | None:
    """The first date: "tomorrow", "next friday", "in three days", "november twenty first", "the 5th of may"."""
    for place in range(len(words)):
        found = _date_at(words, place, today)
        if found is not None:
            return found
    return None


def _date_at(words: tuple[str, ...], place: int, today: date) -> FoundDate | None:
    word = words[place]
    if words[place : place + 4] == ("the", "day", "after", "tomorrow"):
        return FoundDate(today + timedelta(days=2), place, place + 4)
    if word in _NEAR:
        return FoundDate(today + timedelta(days=_NEAR[word]), place, place + 1)
    if word in WEEKDAYS:
        ahead = (WEEKDAYS.index(word) - today.weekday()) % 7 or 7
        start = place - 1 if place and words[place - 1] in ("next", "this", "on") else place
        return FoundDate(today + timedelta(days=ahead), start, place + 1)
    if words[place : place + 2] == ("next", "week"):
        return FoundDate(today + timedelta(days=7), place, place + 2)
    if word == "in":
        return _in_days(words, place, today)
    return _month_and_day(words, place, today) if word in MONTHS else None


def _in_days(words: tuple[str, ...], place: int, today: date) -> FoundDate | None:
    number = number_at(words, place + 1) if place + 1 < len(words) else None
    if number is None or number.end >= len(words) or words[number.end] not in _STEPS:
        return None
    days = number.value * _STEPS[words[number.end]]
    if days.denominator != 1 or abs(days) > 36_500:
        return None
    return _safely(FoundDate(today, place, number.end + 1), int(days))


def _safely(found: FoundDate, days: int) -> FoundDate | None:
    try:
        return FoundDate(found.day + timedelta(days=days), found.start, found.end)
    except OverflowError:
        return None


def _month_and_day(words: tuple[str, ...], place: int, today: date) -> FoundDate | None:
    after = _day_number(words, place + 1)
    if after is not None:
        return _dated(today, words[place], after[0], place, after[1])
    start = place - 1 if place and words[place - 1] == "of" else place
    for length in (1, 2):
        if start - length >= 0 and (day := _day_number(words, start - length)) and day[1] == start:
            return _dated(today, words[place], day[0], start - length, place + 1)
    return None


def _day_number(words: tuple[str, ...], place: int) -> tuple[int, int] | None:
    """A day of the month at `place` and where it ends: "5", "fifth", "twenty first", "5 th"."""
    if place >= len(words):
        return None
    for length in (2, 1):
        if " ".join(words[place : place + length]) in _ORDINALS:
            return _ORDINALS[" ".join(words[place : place + length])], place + length
    number = number_at(words, place)
    if number is None or number.value.denominator != 1 or not 1 <= number.value <= 31:
        return None
    is_suffixed = number.end < len(words) and words[number.end] in ("st", "nd", "rd", "th")
    return int(number.value), number.end + is_suffixed


def _dated(today: date, month: str, day: int, start: int, end: int) -> FoundDate | None:
    """The next such day from today on."""
    for year in (today.year, today.year + 1):
        try:
            found = date(year, MONTHS.index(month) + 1, day)
        except ValueError:
            continue
        if found >= today:
            return FoundDate(found, start, end)
    return None


def span_in(words: tuple[str, ...]) -> FoundSpan | None:
    """A length of time: "five minutes", "an hour and a half", "one hour and ten minutes"."""
    total, start, end = Fraction(0), -1, -1
    for number in numbers_in(words):
        if number.end < len(words) and words[number.end] in SECONDS and (start < 0 or number.start - end <= 1):
            total += number.value * SECONDS[words[number.end]]
            start, end = (number.start if start < 0 else start), number.end + 1
    if start < 0:
        return _one_span(words)
    return FoundSpan(total, start, end)


def _one_span(words: tuple[str, ...]) -> FoundSpan | None:
    for place, word in enumerate(words[:-1]):
        if word in ("a", "an") and words[place + 1] in SECONDS:
            more = Fraction(1, 2) if words[place + 2 : place + 5] == ("and", "a", "half") else Fraction(0)
            return FoundSpan((1 + more) * SECONDS[words[place + 1]], place, place + (5 if more else 2))
    return None


def time_in(words: tuple[str, ...]) -> FoundSpan | None:
    """A time of day as seconds since midnight: "7:30", "half past three", "eight pm", "noon", "at nine"."""
    for place, word in enumerate(words):
        if word in ("noon", "midday", "midnight"):
            return FoundSpan(Fraction(0 if word == "midnight" else 43_200), place, place + 1)
        if ":" in word:
            hour, minute = (int(part) for part in word.split(":"))
            return _of_day(words, hour, minute, place, place + 1)
        found = _hour_at(words, place)
        if found is not None:
            return found
    return None


_HALVES: Final = (("am",), ("pm",), ("a",), ("p",))


def _hour_at(words: tuple[str, ...], place: int) -> FoundSpan | None:
    number = number_at(words, place)
    if number is None or number.value.denominator != 1 or not 0 <= number.value <= 23:
        return None
    before = words[max(0, place - 2) : place]
    if before == ("half", "past"):
        return _of_day(words, int(number.value), 30, place - 2, number.end)
    if before == ("quarter", "past"):
        return _of_day(words, int(number.value), 15, place - 2, number.end)
    rest = words[number.end : number.end + 2]
    minute = number_at(words, number.end) if rest else None
    if minute is not None and before[-1:] != ("at",) and words[minute.end : minute.end + 1] not in _HALVES:
        minute = None
    if minute is not None and minute.value.denominator == 1 and 0 < minute.value < 60:
        return _of_day(words, int(number.value), int(minute.value), place, minute.end)
    is_marked = (
        before[-1:] == ("at",) or bool(rest and rest[0] in ("am", "pm", "oclock")) or rest in (("a", "m"), ("p", "m"))
    )
    return _of_day(words, int(number.value), 0, place, number.end) if is_marked else None


def _of_day(words: tuple[str, ...], hour: int, minute: int, start: int, end: int) -> FoundSpan | None:
    after = words[end : end + 4]
    if after[:1] == ("oclock",):
        end, after = end + 1, words[end + 1 : end + 5]
    is_afternoon = (
        after[:1] == ("pm",)
        or after[:2] == ("p", "m")
        or after[:3] in (("in", "the", "afternoon"), ("in", "the", "evening"))
    )
    is_morning = after[:1] == ("am",) or after[:2] == ("a", "m") or after[:3] == ("in", "the", "morning")
    if is_afternoon and hour < 12:
        hour += 12
    if is_morning and hour == 12:
        hour = 0
    if hour > 23 or minute > 59:
        return None
    end += 3 if after[:2] == ("in", "the") and (is_afternoon or is_morning) else 0
    end += 1 if after[:1] in (("am",), ("pm",)) else 2 if after[:2] in (("a", "m"), ("p", "m")) else 0
    return FoundSpan(Fraction(hour * 3600 + minute * 60), start, end)
