"""The checker bites: every broken rule on a real connection is noticed, and nothing where nothing is broken."""

import asyncio

from bench.mutation_scenarios import SCENARIOS
from bench.mutations import controls, outcomes
from vivavoce.testing.mutants import MUTANTS


def test_the_checker_finds_nothing_in_unbroken_conversations(server: str) -> None:
    found = asyncio.run(controls(f"http://{server}"))

    assert found == {name: [] for name in SCENARIOS}


def test_every_mutant_is_caught(server: str) -> None:
    tried = asyncio.run(outcomes(f"http://{server}"))

    missed = [str(outcome) for outcome in tried if not outcome.is_applied or not outcome.found]
    assert missed == []
    assert len(tried) == len(MUTANTS) >= 200
