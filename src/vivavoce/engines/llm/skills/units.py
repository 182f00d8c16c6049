"""Unit conversions: length, mass, temperature, volume, time, speed."""

from fractions import Fraction
from typing import Final

import msgspec

from vivavoce.engines.llm.spoken_numbers import Found, in_digits, is_rounded, numbers_in
from vivavoce.engines.llm.turn import Turn


class Unit(msgspec.Struct, frozen=True):
    """A unit: what it measures, its size in the base unit, how it is said, and its zero (temperatures)."""

    kind: str
    size: Fraction
    singular: str
    plural: str
    zero: Fraction = Fraction(0)


def _units() -> dict[str, Unit]:
    """All ways to say a unit. Sizes are exact by definition (inch 25.4 mm, pound 453.59237 g, US gallon 231 in3)."""
    named: dict[str, Unit] = {}
    for kind, size, forms in _TABLE:
        spellings = forms.split("|")
        unit = Unit(kind, Fraction(size), spellings[0], spellings[1])
        named.update(dict.fromkeys(spellings, unit))
    return named | _TEMPERATURES


_TABLE: Final = (
    ("length", "0.001", "millimeter|millimeters|mm"), ("length", "0.01", "centimeter|centimeters|cm"),
    ("length", "1", "meter|meters|m"), ("length", "1000", "kilometer|kilometers|km|kilometre|kilometres"),
    ("length", "0.0254", "inch|inches"), ("length", "0.3048", "foot|feet|ft"), ("length", "0.9144", "yard|yards"),
    ("length", "1609.344", "mile|miles|mi"), ("length", "1852", "nautical mile|nautical miles"),
    ("mass", "0.001", "milligram|milligrams|mg"), ("mass", "1", "gram|grams|g"), ("mass", "1000",
    "kilogram|kilograms|kg|kilo|kilos"),
    ("mass", "1000000", "ton|tons|tonne|tonnes"), ("mass", "28.349523125", "ounce|ounces|oz"),
    ("mass", "453.59237", "pound|pounds|lb|lbs"), ("mass", "6350.29318", "stone|stones"),
    ("volume", "0.001", "milliliter|milliliters|ml"), ("volume", "1", "liter|liters|l"), ("volume", "3.785411784",
    "gallon|gallons"),
    ("volume", "0.473176473", "pint|pints"), ("volume", "0.946352946", "quart|quarts"), ("volume", "0.2365882365",
    "cup|cups"),
    ("volume", "0.01478676478125", "tablespoon|tablespoons"), ("volume", "0.00492892159375", "teaspoon|teaspoons"),
    ("time", "0.001", "millisecond|milliseconds|ms"), ("time", "1", "second|seconds"), ("time", "60", "minute|minutes"),
    ("time", "3600", "hour|hours"), ("time", "86400", "day|days"), ("time", "604800", "week|weeks"),
    ("time", "31557600", "year|years"),
    ("speed", "1", "meter per second|meters per second"), ("speed", "5/18",
    "kilometer per hour|kilometers per hour|kilometers an hour|kmh"),
    ("speed", "0.44704", "mile per hour|miles per hour|miles an hour|mph"), ("speed", "463/900", "knot|knots"),
)  # fmt: skip
_TEMPERATURES: Final = {
    form: Unit("temperature", Fraction(size), spoken, spoken, Fraction(zero))
    for size, zero, spoken, forms in (
        ("1", "0", "degrees celsius", ("celsius", "degrees celsius", "degree celsius", "centigrade", "degrees c", "c")),
        ("5/9", "-160/9", "degrees fahrenheit", ("fahrenheit", "degrees fahrenheit", "degrees f", "f")),
        ("1", "-273.15", "kelvin", ("kelvin", "kelvins", "degrees kelvin")),
    )
    for form in forms
}
UNITS: Final = _units()
_LONGEST = max(len(name.split()) for name in UNITS)


class _Place(msgspec.Struct, frozen=True):
    unit: Unit
    start: int


def answer(turn: Turn) -> str | None:
    places = _units_in(turn.words)
    if len(places) != 2 or not turn.has(
        "in", "to", "into", "convert", "how many", "how much", "as", "is", "are", "equals"
    ):
        return None
    numbers = numbers_in(turn.words)
    source, amount = _source(turn, places, numbers)
    if source is None:
        return None
    target = places[1] if source is places[0] else places[0]
    return _converted(amount, source.unit, target.unit)


def _units_in(words: tuple[str, ...]) -> list[_Place]:
    places: list[_Place] = []
    start = 0
    while start < len(words):
        length = next((n for n in range(_LONGEST, 0, -1) if " ".join(words[start : start + n]) in UNITS), 0)
        if length:
            places.append(_Place(UNITS[" ".join(words[start : start + length])], start))
        start += length or 1
    return places


def _source(turn: Turn, places: list[_Place], numbers: list[Found]) -> tuple[_Place | None, Fraction]:
    """The unit with the number before it; "a mile" counts as one, and so does "how many feet in a mile"."""
    for place in places:
        for number in numbers:
            if number.end == place.start or (
                number.end + 1 == place.start and turn.words[number.end] in ("degrees", "degree")
            ):
                return place, number.value
    for place in places:
        if turn.words[place.start - 1 : place.start] in (("a",), ("an",), ("one",)):
            return place, Fraction(1)
    return (places[1], Fraction(1)) if turn.has("how many") and not numbers else (None, Fraction(0))


def _converted(amount: Fraction, source: Unit, target: Unit) -> str:
    if source.kind != target.kind:
        return (
            f"I cannot turn {source.plural} into {target.plural}. One measures {source.kind}, the other {target.kind}."
        )
    result = (amount * source.size + source.zero - target.zero) / target.size
    rounded = Fraction(round(result * 100), 100) if abs(result) >= 1 else Fraction(round(result * 10_000), 10_000)
    about = "about " if rounded != result or is_rounded(result) else ""
    return f"{_said(amount, source)} {_verb(amount, source)} {about}{_said(rounded, target)}."


def _said(amount: Fraction, unit: Unit) -> str:
    return f"{in_digits(amount)} {unit.singular if amount == 1 else unit.plural}"


def _verb(amount: Fraction, unit: Unit) -> str:
    return "is" if amount == 1 or unit.kind == "temperature" else "are"
