"""Virtual time passes only while nothing is ready, and in the same order every time."""

import asyncio

import pytest

from vivavoce.testing.virtual import Deadlock, VirtualLoop, run_virtual


async def wait_until(at_s: float) -> None:
    loop = asyncio.get_running_loop()
    done = loop.create_future()
    loop.call_at(at_s, done.set_result, None)
    await done


def test_an_hour_passes_in_no_time() -> None:
    async def wait_an_hour() -> float:
        await wait_until(3600.0)
        return asyncio.get_running_loop().time()

    ended_at_s = run_virtual(wait_an_hour())

    assert 3600.0 <= ended_at_s < 3600.001


def test_timers_fire_in_order_of_their_time_and_tasks_interleave_the_same_way_every_run() -> None:
    async def run() -> list[tuple[str, int]]:
        fired: list[tuple[str, int]] = []

        async def tick(name: str, period_s: float) -> None:
            for count in range(1, 4):
                await wait_until(count * period_s)
                fired.append((name, count))

        async with asyncio.TaskGroup() as group:
            group.create_task(tick("slow", 2.0))
            group.create_task(tick("fast", 1.5))
        return fired

    runs = [run_virtual(run()) for _ in range(3)]

    assert runs[0] == [("fast", 1), ("slow", 1), ("fast", 2), ("slow", 2), ("fast", 3), ("slow", 3)]
    assert runs[1] == runs[2] == runs[0]


def test_time_stands_still_while_callbacks_are_ready() -> None:
    async def run() -> float:
        ready = asyncio.Event()
        asyncio.get_running_loop().call_soon(ready.set)
        await ready.wait()
        return asyncio.get_running_loop().time()

    assert run_virtual(run()) == 0.0


def test_a_timeout_expires_in_virtual_time() -> None:
    async def run() -> float:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(10.0):
                await asyncio.Event().wait()
        return asyncio.get_running_loop().time()

    assert run_virtual(run()) == pytest.approx(10.0, abs=0.001)


def test_a_wait_that_nothing_ends_is_a_deadlock() -> None:
    async def run() -> None:
        await asyncio.Event().wait()

    with pytest.raises(Deadlock, match="every task waits"):
        run_virtual(run())


def test_the_clock_may_be_moved_from_outside() -> None:
    loop = VirtualLoop()

    loop.advance(2.5)

    assert loop.time() == 2.5
    loop.close()
