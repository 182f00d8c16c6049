"""Who goes first: what works in the background waits while the main response has work of the same kind."""

import asyncio
from collections import Counter


class Precedence:
    """Counts the main work that is under way; background work awaits its end before each of its steps.

    One piece of background work is under way at a time, so that main work that arrives finds little in its way.
    """

    def __init__(self) -> None:
        self._main: Counter[str] = Counter()
        self._is_idle = asyncio.Event()
        self._is_idle.set()
        self.background = asyncio.Lock()  # held by the background work that is under way

    def enter(self, response_id: str) -> None:
        """Main work begins."""
        self._main[response_id] += 1
        self._is_idle.clear()

    def leave(self, response_id: str) -> None:
        """One piece of a response's work is done; background work is not counted."""
        if self._main[response_id] <= 1:
            self.leave_all(response_id)
        else:
            self._main[response_id] -= 1

    def leave_all(self, response_id: str) -> None:
        """A response needs nothing more; may be called again."""
        self._main.pop(response_id, None)
        if not self._main:
            self._is_idle.set()

    async def wait(self) -> None:
        """Return when no main work is under way."""
        while not self._is_idle.is_set():  # work that has begun since the wake-up goes first as well
            await self._is_idle.wait()
