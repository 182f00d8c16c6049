"""Speaks what functions returned: JSON as a sentence, errors plainly."""

import re
from datetime import date
from typing import Any, Final

import msgspec

from vivavoce.core.requests import ContextItem, ContextToolCall, ContextToolOutput
from vivavoce.engines.llm.schemas import name_words
from vivavoce.engines.llm.speakable import shortened

MAX_READ_CHARS: Final = 64 * 1024  # of an output; a longer one is not decoded
_MAX_TEXT_CHARS: Final = 400
_MAX_FIELDS, _MAX_ITEMS, _MAX_DEPTH = 8, 5, 3
_ERROR_KEYS: Final = ("error", "errors", "exception", "error_message")
_RESULT_KEYS: Final = ("result", "output", "data", "response", "answer", "value", "text", "content")
_SUCCESS_KEYS: Final = ("ok", "success", "succeeded", "done")
_UNIT_ENDINGS: Final = {
    "c": "degrees celsius", "celsius": "degrees celsius", "f": "degrees fahrenheit", "fahrenheit": "degrees fahrenheit",
    "km": "kilometers", "kmh": "kilometers per hour", "kph": "kilometers per hour", "mph": "miles per hour",
    "percent": "percent", "pct": "percent", "minutes": "minutes", "seconds": "seconds", "hours": "hours",
    "days": "days",
    "usd": "dollars", "eur": "euros", "ms": "milliseconds", "kg": "kilograms", "m": "meters", "mm": "millimeters",
}  # fmt: skip
_ISO_DATE: Final = re.compile(
    r"^(\d{4})-(\d{2})-(\d{2})(?:T(\d{2}:\d{2})(?::\d{2}(?:\.\d+)?)?(?:Z|[+-]\d{2}:?\d{2})?)?$"
)
Json = Any  # JSON boundary: whatever the client's function returned


def results_text(outputs: list[ContextToolOutput], items: tuple[ContextItem, ...]) -> str:
    """The outputs in sentences, in order; never empty."""
    names = {item.call_id: item.name for item in items if isinstance(item, ContextToolCall)}
    several = len(outputs) > 1
    spoken = [_result(output, " ".join(name_words(names.get(output.call_id, ""))), several) for output in outputs]
    return " ".join(spoken) or "There is no result yet."


def _result(output: ContextToolOutput, name: str, is_one_of_several: bool) -> str:
    if output.output is None:
        return f"I am still waiting for {name or 'the result'}."
    text = output.output.strip()
    if not text:
        return f"{(name or 'the function').capitalize()} returned nothing."
    value = _decoded(text)
    if (error := _error_in(value)) is not None:
        return f"{(name or 'that').capitalize()} did not work: {error.rstrip('.!')}."
    said = _sentence(value)
    return f"For {name}: {said[:1].lower()}{said[1:]}" if is_one_of_several and name else said


def _decoded(text: str) -> Json:
    """The JSON value, or the text itself where it is none."""
    if len(text) > MAX_READ_CHARS:
        return shortened(text[: 2 * _MAX_TEXT_CHARS], _MAX_TEXT_CHARS)
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        return text


def _error_in(value: Json) -> str | None:
    """What went wrong, None if nothing did."""
    if isinstance(value, str):
        lowered = value.lower()
        is_error = lowered.startswith(("error", "exception", "failed", "failure"))
        return (value.partition(":")[2].strip() or value) if is_error else None
    if not isinstance(value, dict):
        return None
    for key in _ERROR_KEYS:
        if value.get(key):
            return _error_text(value[key])
    if any(value.get(key) is False for key in _SUCCESS_KEYS) or value.get("status") in ("error", "failed", "failure"):
        return _error_text(next((value[key] for key in ("message", "reason", "detail") if value.get(key)), None))
    return None


def _error_text(value: Json) -> str:
    if isinstance(value, dict):
        value = next((value[key] for key in ("message", "detail", "reason", "code") if value.get(key)), None)
    if isinstance(value, list):
        value = value[0] if value else None
    return shortened(value, _MAX_TEXT_CHARS) if isinstance(value, str) else "it gave no reason"


def _sentence(value: Json) -> str:
    if (
        isinstance(value, dict)
        and value
        and all(key in _SUCCESS_KEYS or value[key] in ("ok", "success") for key in value)
    ):
        return "Done."
    if isinstance(value, dict):
        said = _fields(value, 0)
    elif isinstance(value, list):
        said = _list(value, 0)
    elif isinstance(value, str):
        said = _text(value)
    else:
        said = f"the result is {_scalar(value)}"
    said = said[:1].upper() + said[1:]
    return said if said[-1:] in (".", "!", "?") else f"{said}."


def _fields(value: dict[str, Json], depth: int) -> str:
    known = {key: inner for key, inner in value.items() if inner not in (None, "", [], {})}
    if not known:
        return "the result is empty"
    if len(known) == 1:
        key, inner = next(iter(known.items()))
        if key in _RESULT_KEYS and depth < _MAX_DEPTH:
            return _any(inner, depth + 1) if isinstance(inner, dict | list | str) else f"the result is {_scalar(inner)}"
    parts = [_field(key, inner, depth) for key, inner in list(known.items())[:_MAX_FIELDS] if not _is_flag(key, inner)]
    more = len(known) - _MAX_FIELDS
    return _joined(parts or ["done"]) + (f", and {more} more" if more > 0 else "")


def _is_flag(key: str, value: Json) -> bool:
    return value is True and key in _SUCCESS_KEYS


def _field(key: str, value: Json, depth: int) -> str:
    words = name_words(key)
    unit = (
        _UNIT_ENDINGS.get(words[-1], "") if len(words) > 1 and not isinstance(value, str | dict | list | bool) else ""
    )
    name = " ".join(words[:-1] if unit else words) or "value"
    if isinstance(value, dict | list):
        return f"{name}: {_any(value, depth + 1)}" if depth < _MAX_DEPTH else f"{name} has {len(value)} entries"
    return f"the {name} is {_scalar(value)}{' ' + unit if unit else ''}"


def _any(value: Json, depth: int) -> str:
    if depth > _MAX_DEPTH and isinstance(value, dict | list):
        return f"{len(value)} entries"
    if isinstance(value, dict):
        return _fields(value, depth)
    return _list(value, depth) if isinstance(value, list) else _scalar(value)


def _list(values: list[Json], depth: int) -> str:
    if not values:
        return "nothing was found"
    said = [_any(value, depth + 1).rstrip(".") for value in values[:_MAX_ITEMS]]
    more = len(values) - _MAX_ITEMS
    if all(isinstance(value, dict) for value in values):
        return f"{len(values)} result{'' if len(values) == 1 else 's'}: {'; '.join(said)}" + (
            f"; and {more} more" if more > 0 else ""
        )
    return _joined(said) + (f", and {more} more" if more > 0 else "")


def _joined(parts: list[str]) -> str:
    return f"{', '.join(parts[:-1])} and {parts[-1]}" if len(parts) > 1 else parts[0]


def _scalar(value: Json) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.2f}".rstrip("0").rstrip(".") if abs(value) < 1e15 else "a very large number"
    return _text(value) if isinstance(value, str) else str(value)[:60]


def _text(value: str) -> str:
    found = _ISO_DATE.match(value)
    if found:
        try:
            day = date(int(found[1]), int(found[2]), int(found[3]))
        except ValueError:
            return value
        clock = f" at {found[4]}" if found[4] else ""
        return f"{day.strftime('%B')} {day.day}, {day.year}{clock}"
    return shortened(" ".join(value.split()), _MAX_TEXT_CHARS) or "empty"
