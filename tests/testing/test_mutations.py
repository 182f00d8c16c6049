"""Breakers change one event of the stream and leave the rest alone."""

import json
from collections.abc import Callable

import pytest

from vivavoce.testing.mutants import MUTANTS
from vivavoce.testing.mutations import (
    Breaker,
    Event,
    Match,
    Mutation,
    change,
    drop,
    edit,
    hold,
    insert,
    put,
    remove,
    repeat,
    reuse_id,
)

STREAM: list[Event] = [
    {"type": "one", "event_id": "event_1", "part": {"words": ["a", "b"], "count": 1}},
    {"type": "two", "event_id": "event_2", "part": {"words": [], "count": 2}},
    {"type": "one", "event_id": "event_3", "part": {"words": ["c"], "count": 3}},
    {"type": "two", "event_id": "event_4", "part": {"words": [], "count": 4}},
]
SECOND_ONE = Match("one", nth=1)

# What breaks the stream, and the event ids that come out.
BROKEN: dict[str, tuple[Callable[[], Breaker], list[str]]] = {
    "lost": (drop(Match("one")), ["event_2", "event_3", "event_4"]),
    "lost, the second": (drop(SECOND_ONE), ["event_1", "event_2", "event_4"]),
    "lost, by a value": (drop(Match("two", {"part.count": 4})), ["event_1", "event_2", "event_3"]),
    "repeated": (repeat(SECOND_ONE), ["event_1", "event_2", "event_3", "event_3_again", "event_4"]),
    "held back": (hold(Match("one"), Match("two")), ["event_2", "event_1", "event_3", "event_4"]),
    "held back behind its like": (hold(Match("one"), Match("one")), ["event_2", "event_3", "event_1", "event_4"]),
    "added to": (insert(Match("two"), lambda event: {"type": "three"}), ["event_1", "event_2", "event_2_added"]),
    "with the id before it": (reuse_id(SECOND_ONE), ["event_1", "event_2", "event_2", "event_4"]),
}


def sent(start: Callable[[], Breaker]) -> list[Event]:
    mutation = Mutation(start())
    events = [json.loads(text) for event in STREAM for text in mutation(json.dumps(event))]
    assert mutation.is_applied
    assert mutation.truth == STREAM
    assert mutation.sent == len(events)
    return events


@pytest.mark.parametrize("case", BROKEN)
def test_an_event_is(case: str) -> None:
    start, expected = BROKEN[case]

    ids = [event["event_id"] for event in sent(start)]

    assert ids[: len(expected)] == expected


def test_an_event_is_edited_at_a_path_and_the_original_is_kept() -> None:
    edits = (put("part.words.1", "z"), change("part.count", lambda count: count + 1), remove("event_id"))

    events = sent(edit(Match("one"), *edits))

    assert events[0] == {"type": "one", "part": {"words": ["a", "z"], "count": 2}}
    assert events[1:] == STREAM[1:]


def test_without_a_breaker_nothing_changes() -> None:
    mutation = Mutation(None)

    events = [json.loads(text) for event in STREAM for text in mutation(json.dumps(event))]

    assert events == STREAM


def test_a_breaker_that_finds_nothing_is_not_applied() -> None:
    for start in (drop(Match("three")), hold(Match("two", nth=1), Match("one"))):
        mutation = Mutation(start())

        for event in STREAM:
            mutation(json.dumps(event))

        assert not mutation.is_applied


def test_mutants_have_names_of_their_own() -> None:
    names = [(mutant.scenario, mutant.name) for mutant in MUTANTS]

    assert len(set(names)) == len(names)
