"""Properties: whatever clients and engines do in whatever order, no rule of the wire is broken and nothing raises.

Long random conversations, each repeatable by its seed: over the wire, with the order checker and the types of the
openai package as judges, and through the model's steps without bounds, with the model's rules.
`VIVAVOCE_FUZZ_SECONDS` gives each target about half that long instead of a fixed number of conversations.
"""

import itertools
import os
import random
import time
from collections.abc import Iterator
from typing import Final

import pytest

from tests.core.conversations import SETTINGS, SPOKEN, VADS, Step, end, opened, take_client_step, take_engine_step
from vivavoce.testing.driver import SessionDriver
from vivavoce.testing.model_check import begin, check_rest, is_at_rest
from vivavoce.testing.model_families import FAMILIES, Family, updates_of
from vivavoce.testing.model_offers import offers
from vivavoce.testing.model_rules import Broken
from vivavoce.testing.model_steps import take

SECONDS: Final = float(os.environ.get("VIVAVOCE_FUZZ_SECONDS", "0"))
CONVERSATIONS: Final = 12
WALKS: Final = 60
STEPS: Final = 250  # of a conversation
ENDLESS: Final = 1 << 40
ENDINGS: Final = ("drain", "kill", "disconnect", "expire")


def seeds(count: int) -> Iterator[int]:
    """Yield seeds: `count` of them, or for half of `VIVAVOCE_FUZZ_SECONDS` ones that were not used before."""
    if not SECONDS:
        yield from range(count)
        return
    until = time.monotonic() + SECONDS / 2
    for seed in itertools.count(time.time_ns()):
        if time.monotonic() >= until:
            return
        yield seed


def any_step(choose: random.Random) -> Step:
    """Return a step: mostly of a conversation that goes well, at times of any kind."""
    match choose.randrange(20):
        case 0:
            return ("append", choose.randrange(20_001))
        case 1:
            return ("hear", choose.randrange(1, 8), choose.choice([0.0, 0.4, 1.0]))
        case 2:
            return ("speak", choose.randrange(4), choose.randrange(1, 4800))
        case 3:
            return choose.choice([("vad", choose.choice(VADS)), ("set", choose.choice(SETTINGS))])
        case 4:
            return ("format", choose.choice(["audio/pcm", "audio/pcmu", "audio/pcma"]))
        case _:
            return choose.choice(SPOKEN)


def converse(seed: int) -> SessionDriver:
    """Hold the conversation of a seed and return it, ended."""
    choose = random.Random(seed)
    driver = opened(has_limits=choose.random() < 0.2)
    for step in (any_step(choose) for _ in range(choose.randrange(1, STEPS))):
        if not take_client_step(driver, step):
            take_engine_step(driver, step)
    end(driver)
    return driver


@pytest.mark.fuzz
@pytest.mark.timeout(3600)
def test_random_conversations_keep_the_invariants_of_the_wire() -> None:
    conversations = inputs = events = 0
    for seed in seeds(CONVERSATIONS):
        driver = converse(seed)

        violations = [str(violation) for violation in driver.checker.finish()]

        assert violations == [], f"seed {seed}"
        conversations += 1
        inputs += len(driver.inputs)
        events += len(driver.events)
    print(f"\nsessions: {conversations} conversations, {inputs} inputs, {events} events, 0 violations")


def walk(seed: int, family: Family) -> int:
    """Take random steps of a family without bounds, then let the engines finish; return how many were taken."""
    choose = random.Random(seed)
    updates = updates_of(family)
    world = begin(family)
    world.left = {name: ENDLESS for name in (*family.bounds, "fault", "draft", "pause") if name not in ENDINGS}
    taken = 0
    for _ in range(choose.randrange(1, STEPS)):
        take(world, choose.choice(list(offers(world, len(updates)))), updates)
        taken += 1
    world.left = {}
    while steps := list(offers(world, 0)):
        take(world, steps[0], updates)
        taken += 1
    assert is_at_rest(world)
    check_rest(world)
    return taken


@pytest.mark.fuzz
@pytest.mark.timeout(3600)
def test_random_ways_through_the_model_break_no_rule() -> None:
    walks = steps = 0
    for seed in seeds(WALKS):
        family = FAMILIES[seed % len(FAMILIES)]
        try:
            steps += walk(seed, family)
        except Broken as broken:
            raise AssertionError(f"seed {seed}, family {family.name}: {broken}") from broken
        walks += 1
    print(f"\nmodel: {walks} walks, {steps} steps, 0 rules broken")
