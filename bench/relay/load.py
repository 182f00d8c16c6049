"""The load program as Python drives it: opens sessions, counts messages, reads one-way latencies."""

import contextlib
import mmap
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Literal

import msgspec

from bench.relay.processes import await_until, first_line, started

GAP_US: Final = 8000  # between connects: the slowest peer takes 6 to 8 ms of CPU for one
OPEN_LIMIT_S: Final = 60.0
COUNTERS: Final = struct.Struct("=7Q")

Mode = Literal["idle", "talk"]


class Counters(msgspec.Struct, frozen=True):
    """Messages relayed since the load began, sessions open, and of the last `open`: sessions lost, messages late.

    Of the last flood: bytes that the network took, and the port of the relay's connection that they went to.
    """

    up: int
    down: int
    sessions: int
    lost: int
    late: int
    flooded_bytes: int
    flooded_port: int

    @property
    def messages(self) -> int:
        """Messages of both directions."""
        return self.up + self.down


class Report(msgspec.Struct, frozen=True):
    """Connect times, and one-way latencies as counts per bucket: bucket b begins at `bucket_ratio` ** b µs."""

    bucket_ratio: float
    connects_ms: list[float]
    up: dict[int, int]
    down: dict[int, int]


class Load:
    """The running load program; `port` is its upstream's."""

    def __init__(self, process: subprocess.Popen[str], port: int, counters: mmap.mmap) -> None:
        self._process = process
        self._counters = counters
        self.port = port

    def counters(self) -> Counters:
        return Counters(*COUNTERS.unpack(self._counters[: COUNTERS.size]))

    def open(self, sessions: int, port: int, path: str, mode: Mode, gap_us: int = GAP_US) -> None:
        """Connect clients and return when all have a session.

        Raises:
            TimeoutError: some have none.
        """
        before = self.counters()
        self._ask(f"open {sessions} {port} {path} {mode} {gap_us}")
        heard = 1 if mode == "idle" else 3  # session.created, and for talking ones session.updated and more
        await_until(
            lambda: self._is_open(sessions, before.down + heard * sessions),
            f"{sessions} sessions at port {port}",
            OPEN_LIMIT_S,
        )

    def _is_open(self, sessions: int, messages: int) -> bool:
        counters = self.counters()
        return counters.sessions + counters.lost >= sessions and counters.down >= messages

    def forget_latencies(self) -> None:
        self._ask("reset")

    def report(self) -> Report:
        return msgspec.json.decode(self._ask("report"), type=Report, strict=False)

    def close(self) -> None:
        """Drop all clients and return when the relay has dropped its upstream connections."""
        self._ask("close")

    def _ask(self, command: str) -> str:
        assert self._process.stdin is not None and self._process.stdout is not None, "both are pipes"
        self._process.stdin.write(command + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline().strip()
        if not answer or answer == "unknown command":
            raise RuntimeError(f"the load program answered {answer!r} to {command!r}")
        return answer


@contextlib.contextmanager
def running_load(program: Path, folder: Path, key: str) -> Iterator[Load]:
    """Start the load program, whose clients present `key`; its counters live in a file of `folder`."""
    path = folder / "counters"
    with started([program, path, key], folder / "load.log") as process:
        port = int(first_line(process))
        with path.open("r+b") as file, mmap.mmap(file.fileno(), COUNTERS.size, access=mmap.ACCESS_READ) as counters:
            yield Load(process, port, counters)
