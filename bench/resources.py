"""Memory of an idle server and CPU of sessions that listen, over the whole process tree."""

import asyncio
import time
from typing import Final

import psutil

from bench.client import speaking_client
from bench.figures import Figure
from bench.server import RunningServer, running_server

LISTENERS: Final = 5
LISTENING_S: Final = 15.0
SETTLING_S: Final = 3.0
ALLOWED_PSS_MB: Final = 350.0
ALLOWED_CPU_PERCENT: Final = 2.0


def processes(pid: int) -> list[psutil.Process]:
    """Return the process and all its descendants."""
    root = psutil.Process(pid)
    return [root, *root.children(recursive=True)]


def pss_mb(pid: int) -> float:
    """Return the proportional set size of a process tree in MB (10^6 bytes)."""
    return float(sum(process.memory_full_info().pss for process in processes(pid)) / 1e6)


def cpu_s(pid: int) -> float:
    """Return the CPU time that a process tree has used, in seconds."""
    times = [process.cpu_times() for process in processes(pid)]
    return float(sum(one.user + one.system for one in times))


async def _listen(server: RunningServer) -> float:
    """Return the share of a core that one listening session takes, in percent."""
    async with asyncio.TaskGroup() as group:
        stop = asyncio.Event()

        async def listener() -> None:
            async with speaking_client(server.url("vivavoce-local")):
                await stop.wait()

        for _ in range(LISTENERS):
            group.create_task(listener())
        await asyncio.sleep(SETTLING_S)
        cpu_before, before = cpu_s(server.pid), time.monotonic()
        await asyncio.sleep(LISTENING_S)
        used, elapsed = cpu_s(server.pid) - cpu_before, time.monotonic() - before
        stop.set()
    return used / elapsed / LISTENERS * 100


def run() -> list[Figure]:
    """Return memory at idle and CPU per listening session."""
    with running_server() as server:
        time.sleep(SETTLING_S)
        idle_mb = pss_mb(server.pid)
        share = asyncio.run(_listen(server))
        after_mb = pss_mb(server.pid)
        ready_s = server.ready_s
    return [
        Figure("start to ready", ready_s, "s"),
        Figure("PSS of the idle process tree, one recogniser", idle_mb, "MB", ALLOWED_PSS_MB),
        Figure(f"PSS after {LISTENERS} sessions", after_mb, "MB"),
        Figure(f"CPU per listening session (of {LISTENERS}, 20 ms chunks)", share, "% of a core", ALLOWED_CPU_PERCENT),
    ]
