"""Processes under measurement: started, asked for CPU time and memory, ended by their id."""

import contextlib
import os
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import psutil

STOP_TIMEOUT_S: Final = 10.0
READY_TIMEOUT_S: Final = 90.0
POLL_S: Final = 0.02
HOST: Final = "127.0.0.1"


@contextlib.contextmanager
def started(
    command: Sequence[str | Path],
    log: Path,
    *,
    environment: Mapping[str, str] | None = None,
    descriptors: Sequence[int] = (),
    folder: Path | None = None,
) -> Iterator[subprocess.Popen[str]]:
    """Start a program with its standard error in `log`; end it and its children afterwards."""
    with (
        log.open("a") as errors,
        subprocess.Popen(
            [str(word) for word in command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            env={**os.environ, **(environment or {})},
            pass_fds=descriptors,
            cwd=folder,
        ) as process,
    ):
        try:
            yield process
        finally:
            _end(process)


def _end(process: subprocess.Popen[str]) -> None:
    family = _family(process.pid)
    process.terminate()
    try:
        process.wait(STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        for member in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                member.kill()
        process.wait(STOP_TIMEOUT_S)


def first_line(process: subprocess.Popen[str]) -> str:
    """Return the first line that a program prints.

    Raises:
        RuntimeError: it ended without one.
    """
    assert process.stdout is not None, "programs are started with a pipe"
    line = process.stdout.readline()
    if not line:
        raise RuntimeError(f"{process.args!r} said nothing; see its log")
    return line.strip()


def await_until(is_so: Callable[[], bool], what: str, limit_s: float = READY_TIMEOUT_S) -> None:
    """Return when `is_so`.

    Raises:
        TimeoutError: it was not so in time.
    """
    deadline = time.monotonic() + limit_s
    while not is_so():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not within {limit_s:g} s")
        time.sleep(POLL_S)


def listening_socket() -> socket.socket:
    """Return a listening socket on a free port, to be handed to a program."""
    return socket.create_server((HOST, 0), backlog=1024)


def free_port() -> int:
    """Return a port that is free at this moment, for programs that take no socket."""
    with listening_socket() as listener:
        return int(listener.getsockname()[1])


def accepts(port: int) -> bool:
    """Return whether somebody listens on a port."""
    try:
        socket.create_connection((HOST, port), timeout=1).close()
    except OSError:
        return False
    return True


def cpu_ns(pid: int) -> int:
    """Return the time on a CPU of all threads of a process tree, in ns."""
    return sum(_threads_ns(member) for member in _pids(pid))


def pss_kib(pid: int) -> float:
    """Return the proportional set size of a process tree in KiB."""
    return sum(_pss_kib(member) for member in _pids(pid))


def _threads_ns(pid: int) -> int:
    total_ns = 0
    for schedule in Path(f"/proc/{pid}/task").glob("*/schedstat"):
        with contextlib.suppress(OSError):  # the thread has ended
            total_ns += int(schedule.read_text().split()[0])
    return total_ns


def _pss_kib(pid: int) -> float:
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return next(float(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:"))


def _pids(pid: int) -> list[int]:
    """Return the ids of a process and its descendants; cheap, it is asked for ten times a second."""
    found = [pid]
    for member in found:
        for children in Path(f"/proc/{member}/task").glob("*/children"):
            with contextlib.suppress(OSError):
                found += [int(child) for child in children.read_text().split()]
    return found


def _family(pid: int) -> list[psutil.Process]:
    try:
        root = psutil.Process(pid)
        return [root, *root.children(recursive=True)]
    except psutil.NoSuchProcess:  # it has ended by itself
        return []
