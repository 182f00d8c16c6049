"""Breaks one rule of the wire in what a server sends, to prove that the checker notices: the means, not the catalogue.

A breaker reads the server's events one by one and says what the client gets in the place of each. It acts once per
connection and then leaves the stream alone. The catalogue of mutants is `vivavoce.testing.mutants`.
"""

import copy
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import msgspec

Event = dict[str, Any]  # JSON boundary: a server event as decoded
Edit = Callable[[Event], None]  # changes an event in place


class Match(msgspec.Struct, frozen=True):
    """Which events are meant: by type, by values at dotted paths, and by how many such events came before."""

    kind: str
    where: Mapping[str, object] = {}
    nth: int = 0

    def fits(self, event: Event) -> bool:
        """Whether type and values are those meant."""
        return event["type"] == self.kind and all(value_at(event, path) == value for path, value in self.where.items())


class Breaker(Protocol):
    """Something that breaks the stream once. `is_applied` tells whether it has."""

    is_applied: bool

    def receive(self, event: Event) -> list[Event]:
        """Return what is sent in the place of the next event."""
        ...


class Mutant(msgspec.Struct, frozen=True):
    """One broken rule: its name, the conversation in which it can be broken, and what breaks it."""

    name: str
    scenario: str
    start: Callable[[], Breaker]


class _Counter:
    """Finds the event that is meant by a match."""

    def __init__(self, match: Match) -> None:
        self._match = match
        self._seen = 0

    def is_next(self, event: Event) -> bool:
        """Whether this is the event that is meant; call it once per event."""
        if not self._match.fits(event):
            return False
        self._seen += 1
        return self._seen == self._match.nth + 1


class Replacing:
    """Replaces the event that is meant by others; they are told the event before it."""

    def __init__(self, match: Match, replace: Callable[[Event, Event], list[Event]]) -> None:
        self.is_applied = False
        self._counter = _Counter(match)
        self._replace = replace
        self._before: Event = {}

    def receive(self, event: Event) -> list[Event]:
        """Return the event itself, or what replaces it."""
        before, self._before = self._before, event
        if not self._counter.is_next(event):
            return [event]
        self.is_applied = True
        return self._replace(copy.deepcopy(event), before)


class Holding:
    """Holds the event that is meant back until directly after the next event of another kind."""

    def __init__(self, match: Match, until: Match) -> None:
        self.is_applied = False
        self._counter = _Counter(match)
        self._until = until
        self._held: Event | None = None

    def receive(self, event: Event) -> list[Event]:
        """Return the event, nothing while it is held, or the event with the one that was held."""
        if self._held is None and not self.is_applied and self._counter.is_next(event):
            self._held = event
            return []
        if self._held is None or not self._until.fits(event):
            return [event]
        held, self._held = self._held, None
        self.is_applied = True
        return [event, held]


# What a mutant does ---------------------------------------------------------------------------------------------


def drop(match: Match) -> Callable[[], Breaker]:
    """The event is lost."""
    return lambda: Replacing(match, lambda event, before: [])


def repeat(match: Match) -> Callable[[], Breaker]:
    """The event is sent again under another event id."""
    return lambda: Replacing(match, lambda event, before: [event, {**event, "event_id": f"{event['event_id']}_again"}])


def hold(match: Match, until: Match) -> Callable[[], Breaker]:
    """The event comes after another that should follow it."""
    return lambda: Holding(match, until)


def edit(match: Match, *edits: Edit) -> Callable[[], Breaker]:
    """The event is changed."""

    def change(event: Event, before: Event) -> list[Event]:
        for apply in edits:
            apply(event)
        return [event]

    return lambda: Replacing(match, change)


def insert(match: Match, make: Callable[[Event], Event]) -> Callable[[], Breaker]:
    """Another event, made from the one that is meant, comes after it. It gets an event id of its own."""

    def add(event: Event, before: Event) -> list[Event]:
        return [event, {"event_id": f"{event['event_id']}_added", **make(event)}]

    return lambda: Replacing(match, add)


def reuse_id(match: Match) -> Callable[[], Breaker]:
    """The event has the event id of the one before it."""
    return lambda: Replacing(match, lambda event, before: [{**event, "event_id": before["event_id"]}])


# Edits ----------------------------------------------------------------------------------------------------------


def put(path: str, value: object) -> Edit:
    """Set the value at a dotted path, in which numbers are indices."""
    return lambda event: _parent(event, path).__setitem__(_last(path), value)


def change(path: str, function: Callable[[Any], object]) -> Edit:  # Any: the value at the path, whatever it is
    """Replace the value at a dotted path by what a function makes of it."""
    return lambda event: _parent(event, path).__setitem__(_last(path), function(_parent(event, path)[_last(path)]))


def remove(path: str) -> Edit:
    """Remove the key, or the member of a list, at a dotted path."""
    return lambda event: _parent(event, path).__delitem__(_last(path))


def value_at(event: Event, path: str) -> object:
    """The value at a dotted path, None where there is none."""
    value: Any = event  # JSON boundary
    for step in path.split("."):
        if isinstance(value, list):
            value = value[int(step)] if int(step) < len(value) else None
        else:
            value = value.get(step) if isinstance(value, dict) else None
    return value


def _parent(event: Event, path: str) -> Any:  # JSON boundary: a dict or a list
    value: Any = event
    for step in path.split(".")[:-1]:
        value = value[int(step) if isinstance(value, list) else step]
    return value


def _last(path: str) -> Any:  # a key, or an index
    step = path.rpartition(".")[2]
    return int(step) if step.isdigit() else step


# On the wire ----------------------------------------------------------------------------------------------------


class Mutation:
    """A breaker as the proxy takes it: text in, texts out. `truth` has the events as the server sent them."""

    def __init__(self, breaker: Breaker | None) -> None:
        self._breaker = breaker
        self.truth: list[Event] = []
        self.sent = 0

    @property
    def is_applied(self) -> bool:
        """Whether the rule was broken; without a breaker there is none to break."""
        return self._breaker is None or self._breaker.is_applied

    def __call__(self, message: str) -> Sequence[str]:
        """Return the messages that the client gets for one of the server's."""
        event: Event = json.loads(message)
        self.truth.append(event)
        events = [event] if self._breaker is None else self._breaker.receive(event)
        self.sent += len(events)
        return [json.dumps(sent) for sent in events]
