"""Where the order checks write down what they found."""

from collections.abc import Mapping
from typing import Any

import msgspec

Event = Mapping[str, Any]  # JSON boundary: an event as it was on the wire, decoded

SHAPE = 0  # a rule of the wire that is not one of the thirteen ordering invariants


class Violation(msgspec.Struct, frozen=True):
    """A broken rule: the invariant's number (0: shape), the index of the log entry, and what is wrong."""

    invariant: int
    index: int
    sentence: str

    def __str__(self) -> str:
        return f"[{self.index}] invariant {self.invariant}: {self.sentence}"


class Findings:
    """The violations of one log, in the order they were found; `index` is the entry being read."""

    def __init__(self) -> None:
        self.index = -1
        self.found: list[Violation] = []

    def add(self, invariant: int, sentence: str) -> None:
        """Write down a violation at the entry being read."""
        self.found.append(Violation(invariant, self.index, sentence))

    def expect(self, is_true: bool, invariant: int, sentence: str) -> None:
        """Write down a violation unless the rule holds."""
        if not is_true:
            self.add(invariant, sentence)


def item_id_of(event: Event) -> str | None:
    """The id of the item an event is about, or None."""
    item = event.get("item")
    value = item.get("id") if isinstance(item, Mapping) else event.get("item_id")
    return value if isinstance(value, str) else None


def response_id_of(event: Event) -> str | None:
    """The id of the response an event belongs to, or None."""
    response = event.get("response")
    value = response.get("id") if isinstance(response, Mapping) else event.get("response_id")
    return value if isinstance(value, str) else None
