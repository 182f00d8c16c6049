"""What a thread makes, as an asynchronous iterator."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from concurrent.futures import Executor
from typing import TypeVar

T = TypeVar("T")
Deliver = Callable[[T], bool]


async def stream_from_thread(executor: Executor, produce: Callable[[Deliver[T]], None]) -> AsyncGenerator[T, None]:
    """Run `produce` in the executor and yield what it delivers, in order, then raise what it raised.

    `produce` is told by the result of `deliver`, False, when nobody wants more; it then should return soon. Closing
    the iterator does not wait for that. What waits for a slow consumer has no limit here: `produce` must have an end.
    Where the executor is shut down before `produce` had a thread, nothing is yielded.
    """
    loop = asyncio.get_running_loop()
    waiting: asyncio.Queue[T | None] = asyncio.Queue()
    is_wanted = True

    def deliver(item: T) -> bool:
        if is_wanted and not loop.is_closed():
            loop.call_soon_threadsafe(waiting.put_nowait, item)
        return is_wanted and not loop.is_closed()

    job = loop.run_in_executor(executor, produce, deliver)
    job.add_done_callback(lambda _: waiting.put_nowait(None))  # runs after all deliveries: the loop keeps their order
    try:
        while (item := await waiting.get()) is not None:
            yield item
        if not job.cancelled():
            job.result()
    finally:
        is_wanted = False
        job.cancel()  # if it waits for a thread, it never starts
