"""What was measured of all relays, as a table for people and as JSON."""

from collections.abc import Sequence
from statistics import median

from bench.relay.goals import floor_of
from bench.relay.stages import TALKING, Row

Cell = float | str | None
Record = dict[str, Cell]


def record(row: Row, floor: Row | None) -> Record:
    """Return all figures of a row; times in µs unless the name says otherwise."""
    values: Record = {"relay": row.contestant.name, "upstream": row.leg}
    if row.rounds:
        values |= {"cpu_p10_us": row.cpu_us(0.1), "cpu_p50_us": row.cpu_us(0.5)}
        values["lost_sessions"] = sum(sample.lost for sample in row.rounds)
        if floor is not None:
            values["cpu_added_us"] = row.cpu_us(0.1) - floor.cpu_us(0.1)
    for sessions in sorted(row.latencies):
        for share, name in ((0.5, "p50"), (0.99, "p99")):
            latency_us = row.latency_us(sessions, share)
            values[f"latency_{name}_us_{sessions}"] = latency_us
            if floor is not None:
                values[f"latency_added_{name}_us_{sessions}"] = latency_us - floor.latency_us(sessions, share)
    if row.connects_ms:
        values["connect_p50_ms"] = median(row.connects_ms)
    return values | _memory(row)


def _memory(row: Row) -> Record:
    values: Record = {}
    if row.idle is not None:
        values |= {"base_mib": row.idle.base_kib / 1024, "idle_session_kib": row.idle.session_kib}
    if row.talking is not None:
        values["talking_session_kib"] = row.talking.session_kib
    if row.stuck is not None:
        values |= {"stuck_held_kib": row.stuck.held_bytes / 1024, "stuck_others_p99_us": row.stuck.stuck_p99_us}
        values["stuck_before_p99_us"] = row.stuck.quiet_p99_us
    return values


def records(rows: Sequence[Row]) -> list[Record]:
    """Return the figures of all rows."""
    return [record(row, floor_of(rows, row.leg)) for row in rows]


COLUMNS = (
    ("CPU p10", "cpu_p10_us", "µs"),
    ("p50", "cpu_p50_us", "µs"),
    ("added", "cpu_added_us", "µs"),
    (f"lat p50 @{TALKING}", f"latency_p50_us_{TALKING}", "µs"),
    (f"p99 @{TALKING}", f"latency_p99_us_{TALKING}", "µs"),
    ("connect", "connect_p50_ms", "ms"),
    ("base", "base_mib", "MiB"),
    ("idle", "idle_session_kib", "KiB"),
    ("talking", "talking_session_kib", "KiB"),
    ("stuck", "stuck_held_kib", "KiB"),
)


def table(found: Sequence[Record]) -> str:
    """Return the main figures as lines of text."""
    head = f"  {'relay, upstream':<29}" + "".join(f"{title:>13}" for title, _, _ in COLUMNS)
    units = f"  {'':<29}" + "".join(f"{unit:>13}" for _, _, unit in COLUMNS)
    lines = [head, units]
    for values in found:
        name = f"{values['relay']}, {values['upstream']}"
        lines.append(f"  {name:<29}" + "".join(f"{_text(values.get(key)):>13}" for _, key, _ in COLUMNS))
    return "\n".join(lines)


def _text(value: Cell) -> str:
    return f"{value:.1f}" if isinstance(value, float) else "" if value is None else str(value)
