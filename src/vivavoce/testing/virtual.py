"""An asyncio event loop with a clock of its own: time passes only when there is nothing else to do.

`loop.time()` stands still while callbacks run and jumps to the next timer when none is ready, so an hour of
timers runs in no time and every run is the same. There is no I/O: a coroutine that waits for something that neither
a timer nor another task can bring is a deadlock, reported at once. Threads and processes cannot be awaited.
"""

import asyncio
import selectors
from collections.abc import Coroutine, Mapping
from typing import Any, TypeVar

T = TypeVar("T")


class Deadlock(RuntimeError):
    """Every task waits and no timer is left to wake one."""


class _ClockSelector(selectors.BaseSelector):
    """Stands where the loop waits for files: advances the clock by the time the loop is ready to wait."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self._keys: dict[object, selectors.SelectorKey] = {}

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        key = selectors.SelectorKey(fileobj, fileobj if isinstance(fileobj, int) else fileobj.fileno(), events, data)
        self._keys[fileobj] = key
        return key

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return self._keys.pop(fileobj)

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise Deadlock("every task waits for something that no timer or task will bring")
        self.now_s += max(0.0, timeout)
        return []

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return self._keys


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose `time()` starts at 0 s and jumps to the next timer."""

    def __init__(self) -> None:
        self._clock = _ClockSelector()
        super().__init__(self._clock)

    def time(self) -> float:
        """Virtual seconds since the loop was made."""
        return self._clock.now_s

    def advance(self, seconds: float) -> None:
        """Move the clock from outside, for tests that drive the loop step by step."""
        self._clock.now_s += seconds


def run_virtual(main: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end in virtual time and return its result.

    Raises:
        Deadlock: every task waits and no timer is left; pending tasks are cancelled first.
    """
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main)
