"""Time for tests that stands still until it is moved."""

from collections.abc import Callable


class _Call:
    def __init__(self, at: float, callback: Callable[[], object]) -> None:
        self.at = at
        self.callback = callback
        self.is_cancelled = False

    def cancel(self) -> None:
        self.is_cancelled = True


class ManualTimers:
    """Time that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 1000.0
        self._calls: list[_Call] = []

    def time(self) -> float:
        return self.now

    def call_later(self, delay: float, callback: Callable[[], object], /) -> _Call:
        call = _Call(self.now + delay, callback)
        self._calls.append(call)
        return call

    def advance(self, seconds: float) -> None:
        """Move the time and make the calls that fall due, in order."""
        end = self.now + seconds
        while due := [call for call in self._calls if call.at <= end and not call.is_cancelled]:
            call = min(due, key=lambda pending: pending.at)
            self._calls.remove(call)
            self.now = max(self.now, call.at)
            call.callback()
        self.now = end

    @property
    def pending(self) -> int:
        """How many calls are still to come."""
        return sum(not call.is_cancelled for call in self._calls)
