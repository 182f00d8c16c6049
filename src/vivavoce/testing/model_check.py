"""Visits every state that a session can be in under a bounded set of steps, and checks the rules on every way there.

The session is the real one, driven through its public contract. A family bounds how often each kind of step is taken;
what engines and timers were asked to do they can always end, and where nothing goes on nothing may be open.
Depth first, with the states on the way kept as copies and the visited ones as fingerprints.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec

from vivavoce.core.session import LocalSession
from vivavoce.core.vocabulary import DeadlineReason, Opened
from vivavoce.protocol.ids import IdSource
from vivavoce.testing.model_families import Family, policy_of, session_of, updates_of
from vivavoce.testing.model_offers import offers
from vivavoce.testing.model_rules import Broken, expect
from vivavoce.testing.model_states import ModelIds, copy_of
from vivavoce.testing.model_steps import ClientEvents, Step, take
from vivavoce.testing.model_world import World

NO_LIMIT: Final = 1 << 62
MAX_FINDINGS: Final = 5  # of one family; then its exploration ends
MakeSession = Callable[[Family, IdSource], LocalSession]
Trail = tuple[()] | tuple[Step, Any]  # the steps to a state, last first: a step and the trail before it


class Finding(msgspec.Struct, frozen=True):
    """A rule that does not hold, and the steps that show it."""

    family: str
    rule: str
    sentence: str
    steps: tuple[Step, ...]


class Exploration(msgspec.Struct, frozen=True):
    """What visiting a family's states came to. `is_complete`: every state was visited."""

    family: str
    states: int
    transitions: int
    ends: int  # states where nothing goes on by itself
    depth: int  # steps to the farthest state
    is_complete: bool
    findings: tuple[Finding, ...]


def make_session(family: Family, ids: IdSource) -> LocalSession:
    """Return the session that a family is about."""
    return LocalSession(session_of(family), ids, policy_of(family))


def begin(family: Family, make: MakeSession = make_session) -> World:
    """Return the first state of a family: connected and configured."""
    ids = ModelIds()
    world = World(make(family, ids), ids, family.bounds)
    world.post(Opened(1_800_000_000))
    return world


def explore(family: Family, *, max_states: int = NO_LIMIT, make: MakeSession = make_session) -> Exploration:
    """Visit every state of a family, or the first `max_states`; those left then are only led to their end."""
    explorer = _Explorer(family, max_states)
    try:
        first = begin(family, make)
    except Broken as broken:
        finding = Finding(family.name, broken.rule, broken.sentence, ())
        return Exploration(family.name, 0, 0, 0, 0, False, (finding,))
    return explorer.run(first)


def follow(family: Family, steps: Sequence[Step], make: MakeSession = make_session) -> World:
    """Take steps one after the other; raises `Broken` where a rule does not hold."""
    world = begin(family, make)
    updates = updates_of(family)
    for step in steps:
        take(world, step, updates)
    return world


class _Explorer:
    """The search through one family."""

    def __init__(self, family: Family, max_states: int) -> None:
        self._family = family
        self._max_states = max_states
        self._updates: ClientEvents = updates_of(family)
        self._visited: set[bytes] = set()
        self._stack: list[tuple[World, bytes, Trail, int]] = []
        self._findings: list[Finding] = []
        self._transitions = 0
        self._ends = 0
        self._depth = 0

    def run(self, first: World) -> Exploration:
        """Return what was found."""
        fingerprint = first.fingerprint()
        self._visited.add(fingerprint)
        self._stack.append((first, fingerprint, (), 0))
        while self._stack and len(self._findings) < MAX_FINDINGS and len(self._visited) < self._max_states:
            self._expand(*self._stack.pop())
        is_complete = not self._stack
        self._lead_to_end()
        counts = (len(self._visited), self._transitions, self._ends, self._depth)
        return Exploration(self._family.name, *counts, is_complete, tuple(self._findings))

    def _expand(self, world: World, before: bytes, trail: Trail, depth: int) -> None:
        steps = list(offers(world, len(self._updates)))
        if is_at_rest(world):
            self._check_end(world, trail)
        if not steps:
            return
        self._transitions += len(steps)
        spare: World | None = None  # a copy that a step without effect has left as it was
        for step in steps:
            taker = spare or (world if step is steps[-1] else copy_of(world))
            is_same = self._visit(taker, before, (step, trail), depth + 1)
            spare = taker if is_same else None

    def _visit(self, world: World, before: bytes, trail: tuple[Step, Trail], depth: int) -> bool:
        """Take the first step of a trail; return whether that has changed nothing."""
        step = trail[0]
        try:
            take(world, step, self._updates)
            fingerprint = world.fingerprint()
            is_same = fingerprint == before
            expect(world.has_changed or is_same, "refusal", "what was refused, or came too late, changed the session")
        except Broken as broken:
            self._note(broken, trail)
            return False
        if fingerprint not in self._visited:
            self._visited.add(fingerprint)
            self._stack.append((world, fingerprint, trail, depth))
            self._depth = max(self._depth, depth)
        return is_same

    def _check_end(self, world: World, trail: Trail) -> None:
        self._ends += 1
        try:
            check_rest(world)
        except Broken as broken:
            self._note(broken, trail)

    def _lead_to_end(self) -> None:
        """From a state that was not expanded let engines and timers do what they can, first things first."""
        for world, _, trail, _ in self._stack:
            if len(self._findings) >= MAX_FINDINGS:
                return
            world.left = {}
            try:
                while step := next(offers(world, 0), None):
                    trail = (step, trail)
                    take(world, step, ())
                check_rest(world)
            except Broken as broken:
                self._note(broken, trail)

    def _note(self, broken: Broken, trail: Trail) -> None:
        self._findings.append(Finding(self._family.name, broken.rule, broken.sentence, steps_of(trail)))


def is_at_rest(world: World) -> bool:
    """Whether nothing goes on by itself: no engine is asked for anything and no timer but the session's end runs."""
    deadline = world.session.next_deadline()
    has_timer = deadline is not None and deadline.reason is not DeadlineReason.SESSION_EXPIRY
    return world.is_over or (world.peers.is_done() and not has_timer)


def check_rest(world: World) -> None:
    """Check a state where nothing goes on by itself; raises `Broken` if something is open."""
    expect(is_at_rest(world), "quiescence", "an engine or a timer is never done")
    expect(world.is_over or not world.responses.running, "quiescence", "a response never ends")
    expect(world.turns.due is None, "turn in one piece", "a turn was never written to its end")


def steps_of(trail: Trail) -> tuple[Step, ...]:
    """Return the steps of a trail, first to last."""
    steps: list[Step] = []
    while trail:
        step, trail = trail
        steps.append(step)
    return tuple(reversed(steps))


def shortened(finding: Finding, family: Family, make: MakeSession = make_session) -> Finding:
    """Return the finding with the steps left out that it does not need."""
    steps = list(finding.steps)
    index = len(steps) - 1
    while index >= 0:
        fewer = steps[:index] + steps[index + 1 :]
        if _breaks(family, fewer, finding.rule, make):
            steps = fewer
            index = min(index, len(steps))
        index -= 1
    return msgspec.structs.replace(finding, steps=tuple(steps))


def _breaks(family: Family, steps: Sequence[Step], rule: str, make: MakeSession) -> bool:
    try:
        world = follow(family, steps, make)
        if is_at_rest(world):
            check_rest(world)
    except Broken as broken:
        return broken.rule == rule
    except (IndexError, KeyError, AssertionError):
        return False  # a step that needs one that was left out
    return False
