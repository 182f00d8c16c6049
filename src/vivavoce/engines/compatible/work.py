"""The tasks of an engine whose interface is callbacks: a transcriber gets audio and delivers, and nobody awaits it.

`runtime` starts the tasks of sessions; these belong to the engine, which ends them when it is closed.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any


class Work:
    """Tasks with one owner. One that fails is reported to the loop's exception handler, once."""

    def __init__(self) -> None:
        self._running: set[asyncio.Task[None]] = set()

    def start(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        """Run `work` on the running loop. Any: what a coroutine yields is asyncio's own business."""
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._running.add(task)
        task.add_done_callback(self._forget)
        return task

    async def close(self) -> None:
        """Cancel all tasks and wait until they have ended; may be called again."""
        running = tuple(self._running)
        for task in running:
            task.cancel()
        if running:
            await asyncio.wait(running)

    def _forget(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        if not task.cancelled() and (fault := task.exception()) is not None:
            report = {"message": f"task {task.get_name()} failed", "exception": fault, "task": task}
            task.get_loop().call_exception_handler(report)
