"""Coins, dice and random numbers: there is no chance in a deterministic responder, and it says so."""

import zlib

from vivavoce.engines.llm.spoken_numbers import numbers_in
from vivavoce.engines.llm.turn import Turn


def answer(turn: Turn) -> str | None:
    if turn.has("coin", "heads or tails"):
        side = ("heads", "tails")[_pick(turn, 2)]
        return f"I have no real chance in me, but let us say {side}."
    if turn.has("dice", "die") and turn.has("roll", "throw", "toss", "cast"):
        return f"I have no real chance in me, but let us say {1 + _pick(turn, 6)}."
    if turn.has("random number", "pick a number", "choose a number", "think of a number"):
        values = [int(found.value) for found in numbers_in(turn.words) if found.value.denominator == 1]
        low, high = (min(values), max(values)) if len(values) >= 2 else (1, values[0] if values else 10)
        if high < low:
            return None
        return f"I have no real chance in me, but let us say {low + _pick(turn, high - low + 1)}."
    return None


def _pick(turn: Turn, count: int) -> int:
    """A choice that depends on the conversation alone."""
    seed = f"{len(turn.memory.user_texts)} {turn.line}"
    return zlib.crc32(seed.encode(errors="replace")) % count
