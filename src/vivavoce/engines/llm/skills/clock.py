"""Time, date, and days to come, by the server's clock."""

from datetime import date, datetime
from typing import Final

from vivavoce.engines.llm.dates import MONTHS, WEEKDAYS, date_in
from vivavoce.engines.llm.spoken_numbers import numbers_in
from vivavoce.engines.llm.turn import Turn

_FEASTS: Final = {"christmas": (12, 25), "new year": (1, 1), "new years": (1, 1), "halloween": (10, 31)}
_ASKING: Final = ("what", "tell", "is it", "which", "know", "give", "whats", "current", "now", "got", "have")


def answer(turn: Turn) -> str | None:
    if turn.has("time and the date", "time and date", "date and the time", "date and time"):
        return f"It is {spoken_time(turn.now)}. Today is {spoken_date(turn.now.date())}."
    return _until(turn) or _year(turn) or _date(turn) or _time(turn)


def _time(turn: Turn) -> str | None:
    place = turn.after("time in", "time is it in")
    if place and turn.has(*_ASKING) and not place.startswith(("the", "my", "your", "a ")):
        return f"I know only the time of this server. It is {spoken_time(turn.now)}."
    if turn.has("what time is it", "the time is it", "time is it", "how late is it", "what is the time",
        "what the time",
                "what time it is", "have the time", "current time", "got the time", "tell me the time",
                "the time please",
                "the time now"):  # fmt: skip
        return f"It is {spoken_time(turn.now)}."
    if turn.is_only("time", "time please", "the time", "clock"):
        return f"It is {spoken_time(turn.now)}."
    is_short = len(turn.words) <= 5 and turn.has("time", "clock") and turn.has(*_ASKING)
    return (
        f"It is {spoken_time(turn.now)}."
        if is_short and not turn.has("last time", "first time", "a good time")
        else None
    )


def spoken_time(now: datetime) -> str:
    """The time of day: "3:20 in the afternoon"."""
    part = "at night" if now.hour < 5 or now.hour >= 22 else _part_of_day(now.hour)
    return f"{(now.hour - 1) % 12 + 1}:{now.minute:02d} {part}"


def _part_of_day(hour: int) -> str:
    if hour < 12:
        return "in the morning"
    return "in the afternoon" if hour < 18 else "in the evening"


def _date(turn: Turn) -> str | None:
    if not turn.has(*_ASKING) or not turn.has("date", "day", "today", "weekday", "day of the week", "days date"):
        return None
    if not turn.has("what day", "which day", "date", "day of the week", "weekday", "day is it", "day it is", "is today",
                    "the day today", "what is today"):  # fmt: skip
        return None
    found = date_in(turn.words, turn.now.date())
    day = found.day if found else turn.now.date()
    if day == turn.now.date():
        return f"Today is {spoken_date(day)}."
    distance = {1: "Tomorrow is", -1: "Yesterday was"}.get((day - turn.now.date()).days, "That is")
    return f"{distance} {spoken_date(day)}."


def spoken_date(day: date) -> str:
    """ "Saturday, November 21st, 2026"."""
    weekday, month = WEEKDAYS[day.weekday()].capitalize(), MONTHS[day.month - 1].capitalize()
    return f"{weekday}, {month} {ordinal_digits(day.day)}, {day.year}"


def ordinal_digits(value: int) -> str:
    """ "1st", "22nd", "13th"."""
    if value % 100 in (11, 12, 13):
        return f"{value}th"
    ending = {1: "st", 2: "nd", 3: "rd"}.get(value % 10, "th")
    return f"{value}{ending}"


def _year(turn: Turn) -> str | None:
    if turn.has("what year", "which year"):
        return f"It is the year {turn.now.year}."
    if turn.has("what month", "which month"):
        return f"It is {MONTHS[turn.now.month - 1].capitalize()}."
    return None


def _until(turn: Turn) -> str | None:
    if not turn.has("how many days", "how long") or not turn.has("until", "till", "to", "before"):
        return None
    feast = next((name for name in _FEASTS if turn.has(name)), None)
    today = turn.now.date()
    if feast:
        day = _next(today, *_FEASTS[feast])
    elif (found := date_in(turn.words, today)) and not numbers_in(turn.words[: found.start]):
        day = found.day
    else:
        return None
    days = (day - today).days
    return f"It is {days} day{'' if days == 1 else 's'} until {spoken_date(day)}."


def _next(today: date, month: int, day: int) -> date:
    this_year = date(today.year, month, day)
    return this_year if this_year >= today else date(today.year + 1, month, day)
