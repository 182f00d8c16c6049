"""Says what it is told to say: counting, spelling, the alphabet, and any words."""

import re
from typing import Final

from vivavoce.engines.llm.spoken_numbers import number_at, numbers_in
from vivavoce.engines.llm.turn import Turn

MAX_COUNT: Final = 30
MAX_SPELLED: Final = 20
_SAY: Final = re.compile(
    r"^\W*(?:please\s+|now\s+|(?:can|could|would|will)\s+you\s+(?:please\s+)?)?"
    r"(?:(?:repeat|say)\s+after\s+me|say\s+(?:exactly|the\s+words?|this|the\s+following|the\s+sentence)|repeat\s+the\s+"
    r"(?:words?|sentence|following)|say|repeat)\b[\s:,\"'“]+(?P<words>.+)$",
    re.IGNORECASE | re.DOTALL,
)
# "say that again" and "say something" want something else.
_NOT_TO_SAY: Final = frozenset("that it again something anything more my your what yourself please hello hi".split())


def answer(turn: Turn) -> str | None:
    return _count(turn) or _alphabet(turn) or _spell(turn) or _say(turn)


def _count(turn: Turn) -> str | None:
    after = turn.after("count down from", "count from", "count to", "count up to", "count till", "count until", "count")
    if after is None or turn.has("count on", "count me"):
        return None
    values = [int(found.value) for found in numbers_in(tuple(after.split())) if found.value.denominator == 1][:2]
    if not values:
        return "How far should I count?" if turn.starts("count", "please count", "can you count") else None
    is_down = turn.has("count down", "backwards", "backward")
    first, last = _span(values, is_down)
    if abs(last - first) >= MAX_COUNT:
        return f"That would take a while. I count up to {MAX_COUNT} numbers at a time."
    step = 1 if last >= first else -1
    return ", ".join(str(number) for number in range(first, last + step, step)) + "."


def _span(values: list[int], is_down: bool) -> tuple[int, int]:
    if len(values) == 2:
        return values[0], values[1]
    return (values[0], 1 if values[0] > 0 else 0) if is_down else (1 if values[0] > 0 else 0, values[0])


def _alphabet(turn: Turn) -> str | None:
    if not turn.has("the alphabet") or not turn.has("say", "recite", "tell me", "know", "spell", "what is"):
        return None
    return ", ".join("ABCDEFGHIJKLMNOPQRSTUVWXYZ") + "."


def _spell(turn: Turn) -> str | None:
    after = turn.after("do you spell", "you spell", "spell the word", "spell the name", "spell out", "spell", "spelled")
    if after is None:
        return None
    if after.startswith("my name") and turn.memory.name:
        after = turn.memory.name.lower()
    words = [word for word in after.split() if word not in ("for", "me", "please", "the", "word", "is")]
    if not words:
        return "Which word should I spell?"
    word = words[0][:MAX_SPELLED]
    if number_at((word,), 0) and word[0].isdigit():
        return ", ".join(word) + "."
    return f"{word} is spelled {', '.join(word.upper())}."


def _say(turn: Turn) -> str | None:
    found = _SAY.match(turn.text)
    if not found:
        return None
    words = found["words"].strip().strip("\"'“”").strip()
    first = words.lower().split()[0].strip(".,!?") if words.split() else ""
    is_exact = turn.has("exactly", "after me", "the words", "the word", "following", "this", "the sentence")
    if not first or (first in _NOT_TO_SAY and not (is_exact or len(words.split()) > 1 and first in ("hello", "hi"))):
        return None
    return words if words[-1] in ".!?" else f"{words[:1].upper()}{words[1:]}."
