"""Tasks with an owner: started with a name, cancelled together when the owner ends."""

import asyncio
from collections.abc import Coroutine
from typing import Any


class Tasks:
    """The tasks of one owner. A task that fails reports to the loop's exception handler, once."""

    def __init__(self) -> None:
        self._running: set[asyncio.Task[Any]] = set()  # a task's result is nobody's business here

    def start(self, work: Coroutine[Any, Any, None], name: str) -> None:
        """Run `work` until it ends or `cancel` is called; must be called on the loop's thread."""
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._running.add(task)
        task.add_done_callback(self._forget)

    def cancel(self) -> None:
        """Ask all running tasks to stop; may be called again."""
        for task in tuple(self._running):
            task.cancel()

    def _forget(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        if not task.cancelled() and (fault := task.exception()) is not None:
            report = {"message": f"task {task.get_name()} failed", "exception": fault, "task": task}
            task.get_loop().call_exception_handler(report)
