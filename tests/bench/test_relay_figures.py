"""How the relay's benchmark pools latencies, discards rounds and judges its goals, on samples made by hand."""

import math
import sys
from pathlib import Path

import pytest

from bench.relay.contestants import C_PUMP, LITELLM, PLAIN, VIVAVOCE, Contestant, Upstream
from bench.relay.goals import goals
from bench.relay.latencies import BUCKET_RATIO, Latencies, drifting
from bench.relay.load import Report
from bench.relay.measuring import Sample
from bench.relay.native_programs import compile_program, compiler
from bench.relay.processes import cpu_ns, first_line, pss_kib, started
from bench.relay.stages import PLAIN as PLAIN_LEG
from bench.relay.stages import TALKING, Row, discard_drift
from bench.relay.tables import records, table
from tests.require import require

SLOW_BUCKET = 300


def report(up: dict[int, int], down: dict[int, int] | None = None) -> Report:
    """A report of the load with these latencies."""
    return Report(BUCKET_RATIO, [], up, down or {})


def row(contestant: Contestant, cpu_us: list[float]) -> Row:
    """A row with one round whose windows cost so much."""
    made = Row(contestant, PLAIN_LEG, Upstream(1))
    made.rounds.append(Sample(cpu_us, report({100: 10}), 0))
    made.add(TALKING, made.rounds[0])
    return made


def test_latencies_of_both_directions_are_pooled() -> None:
    latencies = Latencies()

    latencies.add(report({100: 98}, {SLOW_BUCKET: 2}))

    assert latencies.messages == 100
    assert latencies.percentile_us(0.5) == pytest.approx(BUCKET_RATIO**100, rel=0.02)
    assert latencies.percentile_us(0.99) == pytest.approx(BUCKET_RATIO**SLOW_BUCKET, rel=0.02)


def test_latency_without_messages_is_no_number() -> None:
    assert math.isnan(Latencies().percentile_us(0.5))


def test_only_rounds_far_from_the_median_drift() -> None:
    assert drifting([5.0, 5.2, 9.0]) == [2]
    assert drifting([5.0, 5.5, 6.0]) == []


def test_a_round_with_a_drifting_floor_is_discarded_for_all() -> None:
    rows = [row(C_PUMP, [5.0]), row(VIVAVOCE, [15.0])]
    for one, values in zip(rows, ([5.1, 9.0], [16.0, 30.0]), strict=True):
        one.rounds += [Sample([value], report({}), 0) for value in values]

    discard_drift(rows)

    assert [[sample.cpu_us[0] for sample in one.rounds] for one in rows] == [[5.0, 5.1], [15.0, 16.0]]


def test_added_cpu_is_what_is_above_the_floor_and_shares_are_of_the_whole() -> None:
    rows = [row(C_PUMP, [5.0]), row(VIVAVOCE, [15.0]), row(PLAIN, [50.0]), row(LITELLM, [75.0])]

    figures = {figure.name: figure for figure in goals(rows)}

    assert figures["CPU added per message, plain"].value == 10.0
    assert figures["CPU, share of that of LiteLLM proxy, plain"].value == pytest.approx(20.0)
    assert figures["CPU, share of that of uvicorn + websockets, plain"].value == pytest.approx(30.0)


def test_goals_need_a_floor() -> None:
    assert goals([row(VIVAVOCE, [15.0])]) == []


def test_table_has_a_line_for_every_relay() -> None:
    rows = [row(C_PUMP, [5.0]), row(VIVAVOCE, [15.0])]

    lines = table(records(rows)).splitlines()

    assert len(lines) == 2 + len(rows)
    assert "vivavoce, plain" in lines[-1] and "10.0" in lines[-1]


def test_cpu_and_memory_of_a_program_are_read(tmp_path: Path) -> None:
    require(sys.platform == "linux", "the kernel's files about processes (Linux)")
    work = "sum(range(10**6)); print('done', flush=True); input()"

    with started([sys.executable, "-c", work], tmp_path / "log") as process:
        first_line(process)
        used_ns, memory_kib = cpu_ns(process.pid), pss_kib(process.pid)

    assert used_ns > 1e6
    assert memory_kib > 1000


@pytest.mark.skipif(compiler() is None or sys.platform != "linux", reason="only the benchmark needs a C compiler")
def test_native_programs_compile_without_a_warning(tmp_path: Path) -> None:
    programs = [compile_program(name, tmp_path) for name in ("load", "pump")]

    assert all(program.is_file() for program in programs)
