"""The goals of the relay and what was measured of each, from the rows of the benchmark."""

from collections.abc import Sequence
from statistics import median
from typing import Final

from bench.figures import Figure
from bench.relay.contestants import C_PUMP, HAPROXY, LITELLM, PLAIN, VIVAVOCE, Contestant
from bench.relay.exactness import Exactness
from bench.relay.passive import Passive
from bench.relay.stages import PLAIN as PLAIN_LEG
from bench.relay.stages import TALKING, TLS, Row

ADDED_US: Final = 12.0
SHARE_OF_LITELLM: Final = 25.0  # at least 4 times less
SHARE_OF_UVICORN: Final = 40.0  # at least 2.5 times less
P99_US: Final = 5000.0
CONNECT_MS: Final = 60.0
IDLE_KIB: Final = 40.0
STUCK_MIB: Final = 2.0
MIB: Final = 1024 * 1024


def find(rows: Sequence[Row], contestant: Contestant, leg: str) -> Row | None:
    """Return a contestant's row, None if it was not measured."""
    return next((row for row in rows if row.contestant is contestant and row.leg == leg and row.rounds), None)


def floor_of(rows: Sequence[Row], leg: str) -> Row | None:
    """Return the byte pump that a leg is held against: the C pump, with TLS HAProxy."""
    return find(rows, HAPROXY if leg == TLS else C_PUMP, leg)


def goals(rows: Sequence[Row]) -> list[Figure]:
    """Return the figures of our relay with their bounds."""
    figures: list[Figure] = []
    for leg in (PLAIN_LEG, TLS):
        ours, floor = find(rows, VIVAVOCE, leg), floor_of(rows, leg)
        if ours is None or floor is None:
            continue
        figures += _against_pump(ours, floor, is_bound=leg == PLAIN_LEG)
        for peer, share in ((LITELLM, SHARE_OF_LITELLM), (PLAIN, SHARE_OF_UVICORN)):
            theirs = find(rows, peer, leg)
            if theirs is not None:
                percent = ours.cpu_us(0.1) / theirs.cpu_us(0.1) * 100
                bound = share if leg == PLAIN_LEG else None
                figures.append(Figure(f"CPU, share of that of {theirs.name}", percent, "%", bound))
        figures += _of_sessions(ours, is_bound=leg == PLAIN_LEG)
    return figures


def _against_pump(ours: Row, floor: Row, *, is_bound: bool) -> list[Figure]:
    added_us = ours.cpu_us(0.1) - floor.cpu_us(0.1)
    figures = [Figure(f"CPU added per message, {ours.leg}", added_us, "µs", ADDED_US if is_bound else None)]
    for sessions in sorted(ours.latencies):
        for share in (0.5, 0.99):
            added_us = ours.latency_us(sessions, share) - floor.latency_us(sessions, share)
            bound = P99_US if is_bound and sessions == TALKING and share > 0.5 else None
            name = f"latency added, p{share * 100:g}, {sessions} sessions, {ours.leg}"
            figures.append(Figure(name, added_us, "µs", bound))
    return figures


def _of_sessions(ours: Row, *, is_bound: bool) -> list[Figure]:
    figures: list[Figure] = []
    if ours.connects_ms:
        connect_ms = median(ours.connects_ms)
        figures.append(Figure(f"connect to session.created, p50, {ours.leg}", connect_ms, "ms", CONNECT_MS))
    if ours.idle is not None:
        bound = IDLE_KIB if is_bound else None
        figures.append(Figure(f"memory of an idle session, {ours.leg}", ours.idle.session_kib, "KiB", bound))
    if ours.talking is not None:
        figures.append(Figure(f"memory of a talking session, {ours.leg}", ours.talking.session_kib, "KiB"))
    if ours.stuck is not None:
        figures.append(Figure("held for a stuck reader", ours.stuck.held_bytes / MIB, "MiB", STUCK_MIB))
        figures.append(Figure("  p99 of other sessions meanwhile", ours.stuck.stuck_p99_us, "µs", P99_US))
        figures.append(Figure("  p99 of other sessions before", ours.stuck.quiet_p99_us, "µs"))
    return figures


def goals_of_messages(exactness: Exactness, passive: dict[str, Passive]) -> list[Figure]:
    """Return what became of messages, through our relay and through others."""
    what = f"faulty of {exactness.messages} messages of {exactness.sent_bytes / MIB:.0f} MiB, slow readers"
    figures = [Figure(what, len(exactness.faults), "messages", 0)]
    for name, turns in passive.items():
        is_ours = name == VIVAVOCE.name
        figures.append(
            Figure(
                f"response.create injected in {turns.turns} turns, {name}", turns.injected, "", 0 if is_ours else None
            )
        )
        for direction, made in (("to upstream", turns.to_upstream), ("to client", turns.to_client)):
            counts = f"{made.passed} as is, {made.rewritten} rewritten, {made.dropped} dropped, {made.added} added"
            figures.append(Figure(f"  {direction}: {counts}; changed", made.changed, "messages"))
    return figures
