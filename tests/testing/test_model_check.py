"""The model check finds nothing in the session, finds each way of breaking it, and counts equal states once."""

import random
from typing import Any

import msgspec
import pytest

from tests.testing.broken_sessions import BROKEN, maker
from vivavoce.core.session import LocalSession
from vivavoce.core.vocabulary import FromClient, Input, Output
from vivavoce.protocol.client_events import ClientEvent
from vivavoce.protocol.ids import CountingIds, IdSource
from vivavoce.testing.conformance import LogEntry, check_order
from vivavoce.testing.driver import wire_event
from vivavoce.testing.model_check import (
    begin,
    explore,
    follow,
    is_at_rest,
    make_session,
    shortened,
)
from vivavoce.testing.model_families import FAMILIES, Family, family_named, updates_of
from vivavoce.testing.model_offers import offers
from vivavoce.testing.model_rules import RULES
from vivavoce.testing.model_states import copy_of
from vivavoce.testing.model_steps import Step, take
from vivavoce.testing.model_world import World

STATES = 400  # of each family; `python -m bench model_check` visits all
SEARCHED_STATES = 4000
WALKS = 8
WALK_STEPS = 60
NAMES = [family.name for family in FAMILIES]


@pytest.mark.parametrize("name", NAMES)
def test_no_rule_is_broken_in_the_first_states_of_a_family(name: str) -> None:
    found = explore(family_named(name), max_states=STATES)

    assert [f"{finding.rule}: {finding.sentence} {finding.steps}" for finding in found.findings] == []
    assert found.states >= STATES and found.transitions > found.states and found.ends > 0


def test_there_is_a_broken_session_for_every_rule() -> None:
    assert set(BROKEN) == set(RULES)


@pytest.mark.parametrize("rule", RULES)
def test_a_session_that_breaks_a_rule_is_found(rule: str) -> None:
    family, kind = BROKEN[rule]

    found = explore(
        family_named(family) if isinstance(family, str) else family, max_states=SEARCHED_STATES, make=maker(kind)
    )

    assert rule in {finding.rule for finding in found.findings}


def test_a_finding_is_shortened_to_the_steps_that_show_it() -> None:
    family, kind = family_named("truncation"), BROKEN["heard"][1]
    finding = explore(family, max_states=SEARCHED_STATES, make=maker(kind)).findings[0]

    short = shortened(finding, family, maker(kind))

    assert short.rule == "heard"
    assert [step[0] for step in short.steps] == ["create", "text", "truncate"]


def test_a_family_that_is_small_enough_is_visited_to_its_end() -> None:
    family = Family(name="one", about="one response", bounds={"create": 1, "text": 1, "chunk": 1})

    found = explore(family)

    assert found.is_complete and found.findings == ()
    assert found.depth == len(["create", "text", "chunk", "spoken", "finish", "hush"])


# States -------------------------------------------------------------------------------------------------------


def test_ways_that_lead_to_the_same_state_have_one_fingerprint() -> None:
    family = family_named("asides")

    one = follow(family, [("create",), ("aside",), ("finish", 0), ("aside",), ("finish", 0)])
    other = follow(family, [("aside",), ("create",), ("finish", 0), ("aside",), ("finish", 0)])
    third = follow(family, [("aside",), ("finish", 0), ("create",), ("aside",)])

    assert one.ids is not other.ids
    assert len({one.fingerprint(), other.fingerprint(), third.fingerprint()}) == 2


def test_a_moment_counts_from_now_and_not_at_all_once_it_has_passed() -> None:
    steps: list[Step] = [("create",), ("text", 0, 0), ("chunk", 0), ("spoken", 0), ("finish", 0)]
    world, later = follow(family_named("truncation"), steps), follow(family_named("truncation"), steps)

    before = world.fingerprint()
    later.now += 0.05
    during = later.fingerprint()
    world.wait(0.1)
    later.now += 5.0

    assert before != during
    assert world.fingerprint() == later.fingerprint()


@pytest.mark.parametrize("name", NAMES)
def test_a_copy_goes_its_own_way(name: str) -> None:
    family, choose = family_named(name), random.Random(1)
    updates = updates_of(family)
    world = begin(family)

    for _ in range(12):
        before = world.fingerprint()
        copied = copy_of(world)
        assert copied.fingerprint() == before
        step = _step(world, choose)
        if step is None:
            break
        take(copied, step, updates)
        assert world.fingerprint() == before
        take(world, step, updates)
        assert world.fingerprint() == copied.fingerprint()


# The wire -----------------------------------------------------------------------------------------------------


class RecordedSession(LocalSession):
    """A session that keeps what passes over the wire."""

    log: list[LogEntry]

    def handle(self, input: Input, now: float) -> list[Output]:
        if isinstance(input, FromClient):
            event = msgspec.structs.replace(input.event, event_id=f"client_{len(self.log)}")
            self.log.append((">", as_sent(event)))
            input = FromClient(event)
        return self._keep(super().handle(input, now))

    def handle_timer(self, now: float) -> list[Output]:
        return self._keep(super().handle_timer(now))

    def _keep(self, outputs: list[Output]) -> list[Output]:
        events = [event for event in map(wire_event, outputs) if event is not None]
        self.log += [("<", event) for event in events]
        return outputs


def as_sent(event: ClientEvent) -> dict[str, Any]:  # JSON boundary: the event on the wire
    sent: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(event))
    if sent.get("item", {}).get("id") == "":
        del sent["item"]["id"]
    return sent


def make_recorded(family: Family, ids: IdSource) -> LocalSession:
    session = make_session(family, CountingIds())
    session.__class__ = RecordedSession
    assert isinstance(session, RecordedSession)
    session.log = []
    return session


@pytest.mark.parametrize("name", NAMES)
def test_the_order_checker_finds_nothing_on_ways_through_the_model_either(name: str) -> None:
    family, choose = family_named(name), random.Random(2)
    for _ in range(WALKS):
        world = begin(family, make_recorded)

        for _ in range(WALK_STEPS):
            if (step := _step(world, choose)) is not None:
                take(world, step, updates_of(family))

        assert isinstance(world.session, RecordedSession)
        is_cut = world.is_over or not is_at_rest(world)
        assert [str(violation) for violation in check_order(world.session.log, is_cut=is_cut)] == []


def _step(world: World, choose: random.Random) -> Step | None:
    steps = [step for step in offers(world, 0) if step[0] != "late"]
    return choose.choice(steps) if steps else None
