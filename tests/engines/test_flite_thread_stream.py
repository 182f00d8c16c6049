"""What a thread makes, as an asynchronous iterator."""

import asyncio
import threading
from collections.abc import AsyncGenerator
from concurrent.futures import ThreadPoolExecutor

import pytest

from vivavoce.engines.tts.thread_stream import Deliver, stream_from_thread


def count_to_three(deliver: Deliver[int]) -> None:
    for number in (1, 2, 3):
        deliver(number)


def test_all_that_is_delivered_comes_in_order() -> None:
    async def main() -> None:
        with ThreadPoolExecutor(1) as executor:
            assert [item async for item in stream_from_thread(executor, count_to_three)] == [1, 2, 3]

    asyncio.run(main())


def test_what_the_thread_raises_comes_after_what_it_delivered() -> None:
    def fail(deliver: Deliver[int]) -> None:
        deliver(1)
        raise ValueError("spoiled")

    async def main() -> None:
        received = []
        with ThreadPoolExecutor(1) as executor, pytest.raises(ValueError, match="spoiled"):
            async for item in stream_from_thread(executor, fail):
                received.append(item)
        assert received == [1]

    asyncio.run(main())


def test_closing_the_iterator_ends_the_thread() -> None:
    has_ended = threading.Event()

    def count(deliver: Deliver[int]) -> None:
        while deliver(1):
            pass
        has_ended.set()

    async def main() -> None:
        with ThreadPoolExecutor(1) as executor:
            stream = stream_from_thread(executor, count)
            await anext(stream)
            await stream.aclose()
        assert has_ended.is_set()

    asyncio.run(main())


def test_cancelling_the_consumer_ends_the_thread() -> None:
    has_ended, has_begun = threading.Event(), asyncio.Event()

    def wait(deliver: Deliver[int]) -> None:
        while deliver(1):
            pass
        has_ended.set()

    async def consume(executor: ThreadPoolExecutor) -> None:
        async for _ in stream_from_thread(executor, wait):
            has_begun.set()

    async def main() -> None:
        with ThreadPoolExecutor(1) as executor:
            async with asyncio.TaskGroup() as group:
                task = group.create_task(consume(executor))
                await has_begun.wait()
                task.cancel()
        assert has_ended.is_set()

    asyncio.run(main())


def test_what_waits_for_a_thread_never_starts_once_it_is_cancelled() -> None:
    may_end = threading.Event()
    started: list[str] = []

    def occupy(deliver: Deliver[int]) -> None:
        deliver(1)
        may_end.wait()

    def start(deliver: Deliver[int]) -> None:
        started.append("second")

    async def main() -> None:
        with ThreadPoolExecutor(1) as executor:
            first, second = stream_from_thread(executor, occupy), stream_from_thread(executor, start)
            await anext(first)
            async with asyncio.TaskGroup() as group:
                waiting = group.create_task(_all(second))
                await asyncio.wait([waiting], timeout=0)
                waiting.cancel()
            may_end.set()
            await first.aclose()
        assert started == []

    asyncio.run(main())


def test_a_stream_whose_executor_is_shut_down_before_its_turn_is_empty() -> None:
    may_end = threading.Event()

    def occupy(deliver: Deliver[int]) -> None:
        deliver(1)
        may_end.wait()

    async def main() -> None:
        executor = ThreadPoolExecutor(1)
        first, second = stream_from_thread(executor, occupy), stream_from_thread(executor, count_to_three)
        await anext(first)
        async with asyncio.TaskGroup() as group:
            waiting = group.create_task(_all(second))
            await asyncio.wait([waiting], timeout=0)
            executor.shutdown(wait=False, cancel_futures=True)
        assert waiting.result() == []
        may_end.set()
        await first.aclose()
        executor.shutdown()

    asyncio.run(main())


async def _all(stream: AsyncGenerator[int, None]) -> list[int]:
    return [item async for item in stream]
