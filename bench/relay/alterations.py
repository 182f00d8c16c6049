"""What a relay did to messages on their way: passed as they were, written anew, changed, dropped, or added."""

import json
from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from typing import Any

import msgspec


class Alterations(msgspec.Struct, frozen=True):
    """Counts of messages of one direction; `passed` ones are the same byte for byte."""

    passed: int  # the same bytes
    rewritten: int  # the same JSON in other bytes
    changed: int
    dropped: int
    added: int
    kinds: dict[str, int]  # of what was changed, dropped or added: "changed session.created"


def alterations(sent: Sequence[str], received: Sequence[str]) -> Alterations:
    """Compare what one side sent with what the other received.

    Messages belong together when they are equal, as bytes or as JSON; of the others, when they have the same event
    id, or else the same type. Several of one key pair up in their order.
    """
    left, right = list(sent), list(received)
    passed = len(_take_pairs(left, right, lambda message: message))
    rewritten = len(_take_pairs(left, right, _canonical))
    changed = _take_pairs(left, right, _event_id)
    changed += _take_pairs(left, right, _type)
    kinds = Counter(f"changed {_type(message)}" for message in changed)
    kinds.update(f"dropped {_type(message)}" for message in left)
    kinds.update(f"added {_type(message)}" for message in right)
    return Alterations(passed, rewritten, len(changed), len(left), len(right), dict(kinds))


def _take_pairs(left: list[str], right: list[str], key: Callable[[str], Hashable]) -> list[str]:
    """Take the messages that have a counterpart out of both lists and return those of the first."""
    places: dict[Hashable, list[int]] = {}
    for place, message in enumerate(right):
        if key(message) is not None:
            places.setdefault(key(message), []).append(place)
    taken, found, rest = set(), [], []
    for message in left:
        candidates = places.get(key(message))
        if candidates:
            taken.add(candidates.pop(0))
            found.append(message)
        else:
            rest.append(message)
    left[:] = rest
    right[:] = [message for place, message in enumerate(right) if place not in taken]
    return found


def _canonical(message: str) -> str | None:
    try:
        return json.dumps(json.loads(message), sort_keys=True)
    except ValueError:
        return None


def _field(message: str, name: str) -> str | None:
    try:
        event: Any = json.loads(message)  # JSON boundary: a relay may have made anything of it
    except ValueError:
        return None
    value = event.get(name) if isinstance(event, dict) else None
    return value if isinstance(value, str) else None


def _event_id(message: str) -> str | None:
    return _field(message, "event_id")


def _type(message: str) -> str | None:
    return _field(message, "type")
