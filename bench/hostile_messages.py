"""Malformed and hostile messages, each in a valid WebSocket frame and each to be answered by exactly one error."""

import json
from collections.abc import Iterator
from random import Random
from typing import Final

import msgspec

from bench import hostile_events, hostile_text
from bench.hostile_kinds import KINDS, Kind

LARGE_EVERY: Final = 250  # this many messages hold one of each kind that is large

__all__ = ["KINDS", "HostileMessage", "hostile_events", "hostile_messages", "hostile_text"]


class HostileMessage(msgspec.Struct, frozen=True):
    """One message and the answer it must get; `event_id` None: the error can name none."""

    kind: Kind
    payload: str | bytes
    event_id: str | None


def hostile_messages(count: int, seed: int) -> Iterator[HostileMessage]:
    """Yield `count` messages, the kinds in turn, large ones rarely; the same ones for the same seed."""
    random = Random(seed)
    small = [one for one in KINDS if not one.is_large]
    large = [one for one in KINDS if one.is_large]
    for number in range(count):
        place = number % LARGE_EVERY
        chosen = large[place] if place < len(large) else small[number % len(small)]
        yield _message(chosen, random, f"hostile_{number}")


def _message(chosen: Kind, random: Random, event_id: str) -> HostileMessage:
    drawn = chosen.draw(random)
    if not isinstance(drawn, dict):
        return HostileMessage(chosen, drawn, None)
    named = {"event_id": event_id, **drawn}
    readable = named["event_id"] if named["event_id"] == event_id else None
    return HostileMessage(chosen, json.dumps(named, ensure_ascii=random.random() < 0.5), readable)
