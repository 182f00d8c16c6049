"""The stages of the benchmark, in the order in which they run, and what they leave in the rows of its table."""

import contextlib
import random
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import msgspec

from bench.figures import percentile
from bench.relay.certificates import make_certificate
from bench.relay.contestants import CONTESTANTS, KEY, Contestant, Relay, Upstream
from bench.relay.haproxy import haproxy, running_haproxy
from bench.relay.latencies import Latencies, drifting
from bench.relay.load import Load, running_load
from bench.relay.measuring import Memory, Sample, connect_times_ms, measure, memory
from bench.relay.native_programs import compile_program
from bench.relay.processes import HOST
from bench.relay.stuck import Stuck, measure_stuck

PLAIN: Final = "plain"
TLS: Final = "TLS"
TALKING: Final = 100  # sessions whose CPU is measured


class Effort(msgspec.Struct, frozen=True):
    """How long and how often is measured."""

    rounds: int = 3
    measured_s: float = 4.0
    other_sessions: tuple[int, ...] = (1, 60, 300)  # beside `TALKING`, for latencies alone
    latency_s: float = 3.0
    idle_sessions: int = 500
    connects: int = 40
    legs: tuple[str, ...] = (PLAIN, TLS)


QUICK: Final = Effort(rounds=1, measured_s=2.0, other_sessions=(), idle_sessions=100, connects=15, legs=(PLAIN,))


class Row:
    """What was measured of one relay in front of a plain or a TLS upstream."""

    def __init__(self, contestant: Contestant, leg: str, upstream: Upstream) -> None:
        self.contestant = contestant
        self.leg = leg
        self.upstream = upstream
        self.rounds: list[Sample] = []
        self.latencies: dict[int, Latencies] = {}
        self.connects_ms: list[float] = []
        self.idle: Memory | None = None
        self.talking: Memory | None = None
        self.stuck: Stuck | None = None

    @property
    def name(self) -> str:
        return f"{self.contestant.name}, {self.leg}"

    def cpu_us(self, share: float) -> float:
        """Return a percentile of the windows of all rounds, in µs per message."""
        return percentile([value for sample in self.rounds for value in sample.cpu_us], share)

    def latency_us(self, sessions: int, share: float) -> float:
        """Return a percentile of the one-way latency; NaN if it was not measured."""
        return self.latencies.get(sessions, Latencies()).percentile_us(share)

    def add(self, sessions: int, sample: Sample) -> None:
        """Take a sample for its latencies."""
        self.latencies.setdefault(sessions, Latencies()).add(sample.report)


def rows_of(load: Load, legs: Sequence[str], folder: Path, stack: ExitStack) -> list[Row]:
    """Return a row for every relay that this machine can run, and say which it cannot."""
    found: list[Row] = []
    upstreams = {PLAIN: Upstream(load.port)}
    if TLS not in legs:
        print("  left out: TLS upstreams", flush=True)
    elif haproxy() is None:
        print("  skipped: TLS upstreams; missing: HAProxy, which ends TLS before the scripted upstream", flush=True)
    else:
        certificate = make_certificate(folder)
        terminated = running_haproxy("tls-upstream", folder, f"ssl crt {certificate}", f"{HOST}:{load.port}")
        upstreams[TLS] = Upstream(stack.enter_context(terminated)[1], certificate)
    for contestant in CONTESTANTS:
        missing = contestant.missing()
        if missing is not None:
            print(f"  skipped: {contestant.name}; missing: {missing}", flush=True)
            continue
        reached = [leg for leg in upstreams if leg == PLAIN or contestant.speaks_tls]
        found += [Row(contestant, leg, upstreams[leg]) for leg in reached]
    return found


def measure_all(folder: Path, effort: Effort) -> list[Row]:
    """Run every stage; tells on the way what is going on."""
    with ExitStack() as stack:
        load = stack.enter_context(running_load(compile_program("load", folder), folder, KEY))
        rows = rows_of(load, effort.legs, folder, stack)
        for row in rows:
            with attempt(row, "idle sessions"), row.contestant.start(row.upstream, folder) as relay:
                row.idle = memory(load, relay, effort.idle_sessions, is_talking=False)
        relays = {row.name: stack.enter_context(row.contestant.start(row.upstream, folder)) for row in rows}
        for row in rows:
            with attempt(row, "memory and connects"):
                row.talking = memory(load, relays[row.name], TALKING, is_talking=True)
                row.connects_ms = connect_times_ms(load, relays[row.name], effort.connects)
        _interleave(load, rows, relays, effort)
        for row in rows:
            if row.leg == PLAIN:
                with attempt(row, "stuck reader"):
                    row.stuck = measure_stuck(load, relays[row.name])
    return rows


def _interleave(load: Load, rows: Sequence[Row], relays: dict[str, Relay], effort: Effort) -> None:
    """Measure CPU and latencies, every round in an order of its own."""
    for number in range(effort.rounds):
        print(f"  round {number + 1} of {effort.rounds}, {TALKING} sessions", flush=True)
        for row in shuffled(rows):
            with attempt(row, f"{TALKING} sessions"):
                row.rounds.append(measure(load, relays[row.name], TALKING, effort.measured_s))
    discard_drift(rows)
    for row in rows:
        for sample in row.rounds:
            row.add(TALKING, sample)
    for sessions in effort.other_sessions:
        print(f"  {sessions} sessions", flush=True)
        for row in shuffled(rows):
            with attempt(row, f"{sessions} sessions"):
                row.add(sessions, measure(load, relays[row.name], sessions, effort.latency_s))


def discard_drift(rows: Sequence[Row]) -> None:
    """Discard rounds in which the floor, the first row, was far from what it is otherwise."""
    for number in reversed(drifting(sample.cpu_p10_us for sample in rows[0].rounds)):
        print(f"  discarded: round {number + 1}, in which {rows[0].name} drifted by more than 25 %", flush=True)
        for row in rows:
            if number < len(row.rounds):
                del row.rounds[number]


def shuffled(rows: Sequence[Row]) -> list[Row]:
    """Return the rows in a random order."""
    return random.sample(list(rows), len(rows))


@contextlib.contextmanager
def attempt(row: Row, what: str) -> Iterator[None]:
    """Go on without a figure that one relay did not yield, and say so."""
    try:
        yield
    except (TimeoutError, ConnectionError, RuntimeError) as error:
        print(f"  failed: {row.name}, {what}: {error}", file=sys.stderr, flush=True)
