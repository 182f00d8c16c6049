"""Every state of the model's families, on all cores: states, transitions, depth, time; no rule may be broken."""

import os
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Final

from bench.figures import Figure
from vivavoce.testing.model_check import Exploration, explore, shortened
from vivavoce.testing.model_families import FAMILIES, family_named
from vivavoce.testing.model_rules import RULES

WANTED_STATES: Final = 1_000_000
ALLOWED_S: Final = 300.0


def timed(name: str) -> tuple[Exploration, float]:
    """Return what exploring a family came to, and how many seconds of processor time it took."""
    started = time.process_time()
    return explore(family_named(name)), time.process_time() - started


def run() -> list[Figure]:
    """Explore all families and return the totals."""
    started = time.perf_counter()
    explorations: list[Exploration] = []
    workers = min(os.cpu_count() or 1, len(FAMILIES))
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        for exploration, cpu_s in pool.map(timed, [family.name for family in FAMILIES]):
            _tell(exploration, cpu_s)
            explorations.append(exploration)
    return _totals(explorations, time.perf_counter() - started)


def _totals(explorations: list[Exploration], seconds: float) -> list[Figure]:
    states = sum(exploration.states for exploration in explorations)
    incomplete = sum(not exploration.is_complete for exploration in explorations)
    return [
        Figure(f"distinct states of {len(explorations)} families", states, ""),
        Figure(f"states short of {WANTED_STATES}", max(0, WANTED_STATES - states), "", 0),
        Figure("transitions", sum(exploration.transitions for exploration in explorations), ""),
        Figure("longest way to a state", max(exploration.depth for exploration in explorations), "steps"),
        Figure(f"violations of {len(RULES)} rules", sum(len(e.findings) for e in explorations), "", 0),
        Figure("families not explored to their end", incomplete, "", 0),
        Figure("time", seconds, "s", ALLOWED_S),
    ]


def _tell(exploration: Exploration, cpu_s: float) -> None:
    print(
        f"    {exploration.family:<20} {exploration.states:>8} states {exploration.transitions:>8} transitions "
        f"{exploration.ends:>8} at rest, depth {exploration.depth}, {cpu_s:.1f} s of a core",
        flush=True,
    )
    for finding in exploration.findings:
        finding = shortened(finding, family_named(exploration.family))
        print(f"      {finding.rule}: {finding.sentence}; {finding.steps}", flush=True)
