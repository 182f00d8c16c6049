"""Mutation proxy: breaks one rule of the wire at a time between server and client; the checker must catch each."""

import asyncio
import sys
import time
from collections.abc import Sequence

import msgspec

from bench.figures import Figure
from bench.mutation_scenarios import SCENARIOS, converse
from bench.server import running_server
from vivavoce.testing.mutants import MUTANTS
from vivavoce.testing.mutations import Mutant, Mutation


class Outcome(msgspec.Struct, frozen=True):
    """What became of one mutant. `found` is what the checker said."""

    mutant: Mutant
    is_applied: bool
    found: list[str]

    def __str__(self) -> str:
        what = "was not caught" if self.is_applied else "was never applied"
        return f"{self.mutant.name} ({self.mutant.scenario}) {what}"


async def controls(server_url: str) -> dict[str, list[str]]:
    """Hold every conversation unbroken; return what the checker found wrong, by conversation."""
    return {name: await converse(server_url, scenario, Mutation(None)) for name, scenario in SCENARIOS.items()}


async def outcomes(server_url: str, mutants: Sequence[Mutant] = MUTANTS) -> list[Outcome]:
    """Try the mutants one after the other."""
    tried: list[Outcome] = []
    for mutant in mutants:
        mutation = Mutation(mutant.start())
        found = await converse(server_url, SCENARIOS[mutant.scenario], mutation)
        tried.append(Outcome(mutant, mutation.is_applied, found))
    return tried


def run() -> list[Figure]:
    """Try all mutants against a server of its own."""
    started = time.monotonic()
    with running_server() as server:
        url = f"http://{server.address}"
        broken = asyncio.run(controls(url))
        tried = asyncio.run(outcomes(url))
    missed = [outcome for outcome in tried if not outcome.is_applied or not outcome.found]
    for outcome in missed:
        print(f"  {outcome}", file=sys.stderr)
    return [
        Figure("violations in unbroken conversations", sum(map(len, broken.values())), "violations", bound=0),
        Figure("mutants", len(tried), "mutants"),
        Figure("mutants that were caught", len(tried) - len(missed), "mutants"),
        Figure("mutants that were not caught", len(missed), "mutants", bound=0),
        Figure("time", time.monotonic() - started, "s"),
    ]
