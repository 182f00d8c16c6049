"""One measurement: sessions through one relay, its CPU per message in windows of 100 ms, latencies, memory."""

import time
from typing import Final

import msgspec

from bench.figures import percentile
from bench.relay.contestants import Relay
from bench.relay.load import Load, Report
from bench.relay.processes import cpu_ns, pss_kib

WINDOW_S: Final = 0.1
WARM_UP_S: Final = 1.0
SETTLING_S: Final = 0.5
STEADY_S: Final = 2.0
STEADY_KIB: Final = 256.0  # in which it may change all the same
STEADY_LIMIT_S: Final = 20.0
FIRST_SESSIONS: Final = 5  # opened and closed before memory is read, for what is made on first use


class Sample(msgspec.Struct, frozen=True):
    """What one relay did in one measurement; CPU in µs per relayed message, a value per window."""

    cpu_us: list[float]
    report: Report
    lost: int

    @property
    def cpu_p10_us(self) -> float:
        return percentile(self.cpu_us, 0.1)


def measure(load: Load, relay: Relay, sessions: int, measured_s: float) -> Sample:
    """Have `sessions` talk through a relay and watch it for `measured_s` seconds."""
    load.open(sessions, relay.port, relay.path, "talk")
    try:
        time.sleep(WARM_UP_S)
        load.forget_latencies()
        windows = _watch(load, relay, measured_s)
        return Sample(windows, load.report(), load.counters().lost)
    finally:
        load.close()


def _watch(load: Load, relay: Relay, measured_s: float) -> list[float]:
    windows: list[float] = []
    began = time.monotonic()
    cpu, messages = cpu_ns(relay.pid), load.counters().messages
    while (elapsed_s := time.monotonic() - began) < measured_s:
        time.sleep(WINDOW_S - elapsed_s % WINDOW_S)
        cpu_after, messages_after = cpu_ns(relay.pid), load.counters().messages
        if messages_after > messages:
            windows.append((cpu_after - cpu) / (messages_after - messages) / 1000)
        cpu, messages = cpu_after, messages_after
    return windows


def connect_times_ms(load: Load, relay: Relay, connects: int) -> list[float]:
    """Return how long single connects take, one after another: TCP connect to `session.created`."""
    load.open(connects, relay.port, relay.path, "idle", gap_us=0)
    try:
        return load.report().connects_ms
    finally:
        load.close()


class Memory(msgspec.Struct, frozen=True):
    """Proportional set size of a relay before the sessions, and what each of them added, in KiB."""

    base_kib: float
    session_kib: float


def _steady_kib(pid: int) -> float:
    """Return the memory of a relay once it has ended what it does after its start."""
    last_kib, deadline = pss_kib(pid), time.monotonic() + STEADY_LIMIT_S
    steady_since = time.monotonic()
    while time.monotonic() < min(deadline, steady_since + STEADY_S):
        time.sleep(SETTLING_S)
        now_kib = pss_kib(pid)
        if abs(now_kib - last_kib) > STEADY_KIB:
            last_kib, steady_since = now_kib, time.monotonic()
    return pss_kib(pid)


def memory(load: Load, relay: Relay, sessions: int, *, is_talking: bool) -> Memory:
    """Return what sessions take in a relay that has served next to none before."""
    load.open(FIRST_SESSIONS, relay.port, relay.path, "talk")
    load.close()
    base_kib = _steady_kib(relay.pid)
    load.open(sessions, relay.port, relay.path, "talk" if is_talking else "idle")
    try:
        time.sleep(WARM_UP_S + SETTLING_S)
        return Memory(base_kib, (pss_kib(relay.pid) - base_kib) / sessions)
    finally:
        load.close()
