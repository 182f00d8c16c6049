"""How much of the audio that was handed out has been heard.

Where the client owns playback (WebSocket) nothing reports back, so this is an estimate: audio is taken to play
without a gap from the moment it was handed out, and to stall when the queue runs dry.
"""

import enum
from collections import deque

from vivavoce.core.requests import SAMPLE_RATE_HZ


class Playing(enum.Enum):
    """Whether a listener is hearing something."""

    IDLE = "idle"
    PLAYING = "playing"


class Playout:
    """The listener's queue, in samples (24 kHz) and monotonic seconds."""

    def __init__(self) -> None:
        self._ends_at = 0.0  # when all audio handed out will have been played
        self._queue: deque[tuple[str, int]] = deque()  # (item id, samples), oldest first

    def state(self, now: float) -> Playing:
        return Playing.PLAYING if now < self._ends_at else Playing.IDLE

    @property
    def ends_at(self) -> float:
        return self._ends_at

    def play(self, item_id: str, samples: int, now: float) -> None:
        """Queue audio of an item."""
        if now >= self._ends_at:
            self._ends_at = now
        self._forget_played(now)
        self._queue.append((item_id, samples))
        self._ends_at += samples / SAMPLE_RATE_HZ

    def audible_item(self, now: float) -> str | None:
        """Return the item that is being heard."""
        unheard = self._unheard_samples(now)
        for item_id, samples in reversed(self._queue):
            unheard -= samples
            if unheard <= 0:
                return item_id if self.state(now) is Playing.PLAYING else None
        return None

    def unheard_by_item(self, now: float) -> dict[str, int]:
        """Return the samples of each queued item that have not been heard, oldest item first."""
        remaining = self._unheard_samples(now)
        unheard: dict[str, int] = {}
        for item_id, samples in reversed(self._queue):
            if remaining <= 0:
                break
            unheard[item_id] = unheard.get(item_id, 0) + min(samples, remaining)
            remaining -= samples
        return dict(reversed(unheard.items()))

    def clear(self, now: float) -> None:
        """Stop: what was not heard will not be."""
        self._ends_at = min(self._ends_at, now)
        self._queue.clear()

    def _unheard_samples(self, now: float) -> int:
        return max(0, round((self._ends_at - now) * SAMPLE_RATE_HZ))

    def _forget_played(self, now: float) -> None:
        queued = sum(samples for _, samples in self._queue)
        heard = queued - self._unheard_samples(now)
        while self._queue and heard >= self._queue[0][1]:
            heard -= self._queue.popleft()[1]
