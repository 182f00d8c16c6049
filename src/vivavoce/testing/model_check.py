"""Visits every state that a session can be in under a bounded set of steps, and checks the rules on every way there.

The session is the real one, driven through its public contract. A family bounds how often each kind of step is taken;
engines and timers are not bounded, so every way ends where nothing is left to do, and there nothing may be open.
Depth first, with the states on the way kept as copies and the visited ones as fingerprints.
"""

from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from vivavoce.core.session import LocalSession
from vivavoce.core.vocabulary import Opened
from vivavoce.protocol.ids import IdSource
from vivavoce.testing.model_families import Family, policy_of, session_of, updates_of
from vivavoce.testing.model_rules import Broken, expect
from vivavoce.testing.model_states import ModelIds, copy_of
from vivavoce.testing.model_steps import ClientEvents, Step, offers, take
from vivavoce.testing.model_world import World

NO_LIMIT: Final = 1 << 62
MAX_FINDINGS: Final = 5  # of one family; then its exploration ends
MakeSession = Callable[[Family, IdSource], LocalSession]
Trail = tuple[object, ...]  # the steps to a state, last first, as nested pairs


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
    ends: int  # states where nothing is left to do
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
    return _Explorer(family, max_states).run(begin(family, make))


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
        return Exploration(
            family=self._family.name,
            states=len(self._visited),
            transitions=self._transitions,
            ends=self._ends,
            depth=self._depth,
            is_complete=is_complete,
            findings=tuple(self._findings),
        )

    def _expand(self, world: World, before: bytes, trail: Trail, depth: int) -> None:
        steps = list(offers(world, len(self._updates)))
        if not steps:
            self._check_end(world, trail)
            return
        self._transitions += len(steps)
        last = steps.pop()
        for step in steps:
            self._visit(copy_of(world), before, (step, trail), depth + 1)
        self._visit(world, before, (last, trail), depth + 1)  # the last step needs no copy

    def _visit(self, world: World, before: bytes, trail: Trail, depth: int) -> None:
        try:
            take(world, trail[0], self._updates)
            fingerprint = world.fingerprint()
            is_same = world.has_changed or fingerprint == before
            expect(is_same, "refusal", "what was refused, or came too late, changed the session")
        except Broken as broken:
            self._note(broken, trail)
            return
        if fingerprint not in self._visited:
            self._visited.add(fingerprint)
            self._stack.append((world, fingerprint, trail, depth))
            self._depth = max(self._depth, depth)

    def _check_end(self, world: World, trail: Trail) -> None:
        self._ends += 1
        try:
            check_end(world)
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
                check_end(world)
            except Broken as broken:
                self._note(broken, trail)

    def _note(self, broken: Broken, trail: Trail) -> None:
        self._findings.append(Finding(self._family.name, broken.rule, broken.sentence, steps_of(trail)))


def check_end(world: World) -> None:
    """Check a state where nothing is left to do; raises `Broken` if something is open."""
    expect(world.is_over or not world.responses.running, "quiescence", "a response never ends")
    expect(world.peers.is_done(), "quiescence", "an engine is never done")
    expect(world.turns.due is None, "turn in one piece", "a turn was never written to its end")


def steps_of(trail: Trail) -> tuple[Step, ...]:
    """Return the steps of a trail, first to last."""
    steps: list[Step] = []
    while trail:
        step, trail = trail  # type: ignore[misc, assignment]  # nested pairs
        steps.append(step)  # type: ignore[arg-type]  # the first of each pair is a step
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
        if not list(offers(world, len(updates_of(family)))):
            check_end(world)
    except Broken as broken:
        return broken.rule == rule
    except (IndexError, KeyError, AssertionError):
        return False  # a step that needs one that was left out
    return False
