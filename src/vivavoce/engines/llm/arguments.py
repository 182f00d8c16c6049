"""Fills the arguments of a function from an utterance, by the function's JSON Schema.

What stands out is taken first (options, yes and no, dates, numbers), then strings from the words that remain.
"""

from datetime import datetime
from fractions import Fraction
from typing import Any, Final

import msgspec

from vivavoce.core.requests import FunctionSpec
from vivavoce.engines.llm.dates import SECONDS, date_in, span_in, time_in
from vivavoce.engines.llm.schemas import (
    Json,
    Property,
    is_json_object,
    is_within,
    kind_of,
    name_words,
    options_of,
    properties_of,
    resolved,
)
from vivavoce.engines.llm.spoken_numbers import Found, numbers_in
from vivavoce.engines.llm.string_values import is_free_text, list_value, string_value
from vivavoce.engines.llm.understand import has_phrase, line_of, stem
from vivavoce.engines.llm.utterance_pool import Pool

Value = Any  # JSON boundary: whatever the client's schema asks for
NOTHING: Final = object()  # no value was said
_FIRST: Final = ("choice", "boolean", "integer", "number", "object", "array", "string", "null")


class Filled(msgspec.Struct, frozen=True):
    """The arguments, and the required parameters for which nothing was said."""

    values: dict[str, Value]
    missing: tuple[Property, ...]


def parameters_of(tool: FunctionSpec) -> list[Property]:
    """The parameters of a function."""
    root = tool.parameters
    return list(properties_of(resolved(root, root), root)) if is_json_object(root) else []


def fill(tool: FunctionSpec, text: str, now: datetime, given: dict[str, str] | None = None) -> Filled:
    """The arguments that the utterance gives; `given` are utterances that answer for one parameter each."""
    pool = Pool(text, now, name_words(tool.name))
    values = {}
    for name, answer in (given or {}).items():
        parameter = next((known for known in parameters_of(tool) if known.name == name), None)
        value = answered(parameter, answer, now, tool.parameters) if parameter else NOTHING
        if value is not NOTHING:
            values[name] = value
    return _filled(parameters_of(tool), pool, tool.parameters, values)


def _filled(parameters: list[Property], pool: Pool, root: Json, values: dict[str, Value]) -> Filled:
    for parameter in sorted(parameters, key=_eagerness):
        if parameter.name in values:
            continue
        value = _value(parameter, pool, root, len(parameters))
        if value is NOTHING and "default" in parameter.schema:
            value = parameter.schema["default"]
        if value is not NOTHING:
            values[parameter.name] = value
    ordered = {parameter.name: values[parameter.name] for parameter in parameters if parameter.name in values}
    missing = tuple(known for known in parameters if known.is_required and known.name not in ordered)
    return Filled(ordered, missing)


def _eagerness(parameter: Property) -> tuple[int, bool]:
    """Options first and free text last; dates before other strings; what is required before what is not."""
    rank = _FIRST.index(parameter.kind)
    return (1 if parameter.kind == "string" and _is_temporal(parameter) else rank), not parameter.is_required


def _value(parameter: Property, pool: Pool, root: Json, count: int) -> Value:
    match parameter.kind:
        case "choice":
            return _choice(parameter, pool)
        case "boolean":
            return _boolean(parameter, pool)
        case "integer" | "number":
            return _number(parameter, pool)
        case "array":
            return _array(parameter, pool, root, count)
        case "object":
            return _object(parameter, pool, root)
        case "null":
            return None
    return _temporal(parameter, pool) if _is_temporal(parameter) else _string(parameter, pool)


def _string(parameter: Property, pool: Pool) -> Value:
    return string_value(parameter, pool) or NOTHING


# Options, yes and no -------------------------------------------------------------------------------------------

_ALIASES: Final = {"c": "celsius", "f": "fahrenheit", "celsius": "c", "fahrenheit": "f", "metric": "celsius",
                   "imperial": "fahrenheit", "en": "english", "de": "german", "fr": "french",
                   "es": "spanish"}  # fmt: skip


def _choice(parameter: Property, pool: Pool) -> Value:
    options = options_of(parameter.schema)
    if "const" in parameter.schema:
        return options[0]
    found = sorted(_options_said(options, pool), key=lambda hit: -hit[1])
    if not found:
        return NOTHING
    start, length, option = found[0]
    pool.take(start, start + length)
    return option


def _options_said(options: list[object], pool: Pool) -> list[tuple[int, int, object]]:
    """The options that stand among the free words: where, how many words, and the value."""
    found: list[tuple[int, int, object]] = []
    values = {number.value: number.start for number in numbers_in(pool.words)}
    for option in options:
        if isinstance(option, bool) or option is None:
            continue
        if isinstance(option, int) and Fraction(option) in values:
            found.append((values[Fraction(option)], 1, option))
        words = name_words(str(option))
        for phrase in (words, name_words(_ALIASES.get(" ".join(words), ""))):
            start = pool.find(phrase) if phrase else -1
            if start >= 0:
                found.append((start, len(phrase), option))
                break
    return found


def _boolean(parameter: Property, pool: Pool) -> Value:
    start = pool.find(parameter.words)
    if start >= 0:
        before = pool.words[max(0, start - 3) : start]
        return not any(word in ("no", "not", "without", "never", "disable", "off") for word in before)
    line = line_of(pool.words)
    about = f"{' '.join(parameter.words)} {parameter.hint}"
    if any(word in about for word in ("on", "enable", "state", "power", "active")):
        if has_phrase(line, "off", "disable", "deactivate", "stop"):
            return False
        if has_phrase(line, "on", "enable", "activate", "start"):
            return True
    return NOTHING


# Numbers ------------------------------------------------------------------------------------------------------


def _number(parameter: Property, pool: Pool) -> Value:
    span = _span(parameter, pool)
    if span is not NOTHING:
        return span
    free = [
        found for found in numbers_in(pool.words) if pool.is_free(found.start, found.end) and _fits(parameter, found)
    ]
    if not free:
        return NOTHING
    best = min(free, key=lambda found: (_distance(parameter, pool, found), found.start))
    pool.take(best.start, best.end + _counts_a_noun(pool, best.end))
    return as_number(parameter.schema, best.value)


def _counts_a_noun(pool: Pool, place: int) -> bool:
    """Whether the word after a number says what was counted: "four people", "three days"."""
    word = pool.words[place] if place < len(pool.words) else ""
    return word in ("people", "percent", "person", "degrees") or (len(word) > 3 and word.endswith("s"))


def _fits(parameter: Property, found: Found) -> bool:
    is_whole = found.value.denominator == 1 or parameter.kind == "number"
    return is_whole and abs(found.value) < 10**18 and is_within(parameter.schema, float(found.value))


def as_number(schema: Json, value: Fraction) -> int | float:
    """A whole number where the value is one."""
    return int(value) if value.denominator == 1 else float(value)


def _distance(parameter: Property, pool: Pool, found: Found) -> int:
    """0 if a word of the parameter's name stands right beside the number."""
    beside = pool.words[max(0, found.start - 2) : found.start] + pool.words[found.end : found.end + 1]
    stems = {stem(word) for word in parameter.words}
    return 0 if any(stem(word) in stems for word in beside) else 1


def _span(parameter: Property, pool: Pool) -> Value:
    """A length of time in the unit that the parameter's name or description tells, seconds without one."""
    names = set(parameter.words)
    unit = next((word for word in SECONDS if word in names), None)
    if unit is None and not names & {
        "duration",
        "length",
        "timer",
        "delay",
        "timeout",
        "interval",
        "ms",
        "milliseconds",
    }:
        return NOTHING
    span = span_in(pool.words)
    if span is None or not pool.is_free(span.start, span.end):
        return NOTHING
    unit = unit or next((word for word in SECONDS if word in parameter.hint), "seconds")
    factor = Fraction(1, 1000) if names & {"ms", "milliseconds"} else Fraction(SECONDS[unit])
    value = span.seconds / factor
    if (parameter.kind == "integer" and value.denominator != 1) or not is_within(parameter.schema, float(value)):
        return NOTHING
    pool.take(span.start, span.end)
    return as_number(parameter.schema, value)


# Dates and times ----------------------------------------------------------------------------------------------


def _is_temporal(parameter: Property) -> bool:
    if parameter.schema.get("format") in ("date", "date-time", "time"):
        return True
    return bool({"date", "day", "time", "when", "datetime", "deadline"} & set(parameter.words))


def _temporal(parameter: Property, pool: Pool) -> Value:
    """ISO 8601: a date, a time of day, or both, as the schema's format or the parameter's name asks."""
    day, time = date_in(pool.words, pool.now.date()), time_in(pool.words)
    wanted = parameter.schema.get("format") or ("time" if "time" in parameter.words else "")
    for found in (day if wanted != "time" else None, time if wanted != "date" else None):
        if found is not None:
            pool.take(found.start, found.end)
    clock = f"{int(time.seconds) // 3600:02d}:{int(time.seconds) // 60 % 60:02d}" if time else ""
    date_text = day.day.isoformat() if day else ""
    if wanted == "date-time" and (date_text or clock):
        return f"{date_text or pool.now.date().isoformat()}T{clock or '00:00'}:00"
    if wanted == "time":
        return f"{clock}:00" if clock and parameter.schema.get("format") else clock or NOTHING
    return date_text or (clock if wanted != "date" and clock else NOTHING)


# Arrays and objects -------------------------------------------------------------------------------------------


def _array(parameter: Property, pool: Pool, root: Json, count: int) -> Value:
    items = resolved(parameter.schema.get("items"), root)
    kind = kind_of(items)
    if kind == "choice":
        return _all_options(items, pool) or NOTHING
    if kind in ("integer", "number"):
        inner = Property(parameter.name, items, False, parameter.depth)
        free = [hit for hit in numbers_in(pool.words) if pool.is_free(hit.start, hit.end) and _fits(inner, hit)]
        for hit in free:
            pool.take(hit.start, hit.end)
        return [as_number(items, hit.value) for hit in free] or NOTHING
    if kind == "object":
        inner_value = _object(Property(parameter.name, items, False, parameter.depth), pool, root)
        return NOTHING if inner_value is NOTHING else [inner_value]
    return (list_value(parameter, pool) or NOTHING) if kind == "string" else NOTHING


def _all_options(items: Json, pool: Pool) -> list[object]:
    found = sorted(_options_said(options_of(items), pool))
    for start, length, _ in found:
        pool.take(start, start + length)
    return [option for _, _, option in found]


def _object(parameter: Property, pool: Pool, root: Json) -> Value:
    """The nested arguments, if all that is required among them was said and at least one was."""
    inner = list(properties_of(parameter.schema, root, parameter.depth + 1))
    filled = _filled(inner, pool, root, {})
    if filled.missing or not filled.values:
        return NOTHING
    return filled.values


# Answers to our own questions, and forced calls ---------------------------------------------------------------


def answered(parameter: Property, text: str, now: datetime, root: Json) -> Value:
    """The value that an utterance gives as the answer to "I need the city"; `NOTHING` if it gives none."""
    pool = Pool(text, now)
    if parameter.kind == "boolean":
        if has_phrase(line_of(pool.words), "no", "not", "off", "false", "nope"):
            return False
        return True if has_phrase(line_of(pool.words), "yes", "on", "true", "yeah", "sure", "okay") else NOTHING
    if parameter.kind == "string" and is_free_text(parameter):
        return text.strip() or NOTHING
    value = _value(parameter, pool, root, 1)
    if value is NOTHING and parameter.kind == "string" and not _is_temporal(parameter):
        return text.strip() or NOTHING
    return value


def invented(parameter: Property, text: str, root: Json) -> Value:
    """A plain value of the right type, for calls that the client demands."""
    options = options_of(parameter.schema)
    if options:
        return options[0]
    inner = properties_of(parameter.schema, root, parameter.depth + 1) if parameter.kind == "object" else ()
    low = parameter.schema.get("minimum")
    least = low if isinstance(low, int) and not isinstance(low, bool) else 0
    plain: dict[str, Value] = {"boolean": False, "integer": least, "number": least, "array": [], "null": None}
    if parameter.kind == "object":
        return {known.name: invented(known, text, root) for known in inner if known.is_required}
    return plain.get(parameter.kind, text)
