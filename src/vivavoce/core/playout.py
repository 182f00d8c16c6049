"""How much of the audio that was handed out has been heard.

Where the client owns playback (WebSocket) nothing reports back, so this is an estimate: audio is taken to play
without a gap from the moment it was handed out, and to stall when the queue runs dry.
"""

import enum
from collections import deque

import msgspec

from vivavoce.core.requests import SAMPLE_RATE_HZ


class Playing(enum.Enum):
    """Whether a listener is hearing something."""

    IDLE = "idle"
    PLAYING = "playing"


class _Queued(msgspec.Struct):
    """Audio of one item that was handed out, heard or not."""

    item_id: str
    response_id: str
    samples: int


class Playout:
    """The listener's queue, in samples (24 kHz) and monotonic seconds."""

    def __init__(self) -> None:
        self._ends_at = 0.0  # when all audio handed out will have been played
        self._queue: deque[_Queued] = deque()  # oldest first, one entry for each run of an item's audio

    def state(self, now: float) -> Playing:
        return Playing.PLAYING if now < self._ends_at else Playing.IDLE

    @property
    def ends_at(self) -> float:
        return self._ends_at

    def play(self, item_id: str, samples: int, now: float, response_id: str = "") -> None:
        """Queue audio of an item; `response_id` is empty for audio that an interruption leaves alone."""
        if now >= self._ends_at:
            self._ends_at = now
        self._forget_played(now)
        if self._queue and self._queue[-1].item_id == item_id:
            self._queue[-1].samples += samples
        else:
            self._queue.append(_Queued(item_id, response_id, samples))
        self._ends_at += samples / SAMPLE_RATE_HZ

    def unheard_by_item(self, now: float) -> dict[str, int]:
        """Return the samples of each queued item that have not been heard, oldest item first."""
        remaining = self._unheard_samples(now)
        unheard: dict[str, int] = {}
        for queued in reversed(self._queue):
            if remaining <= 0:
                break
            unheard[queued.item_id] = unheard.get(queued.item_id, 0) + min(queued.samples, remaining)
            remaining -= queued.samples
        return dict(reversed(unheard.items()))

    def audible_responses(self, now: float) -> tuple[str, ...]:
        """Return the responses whose audio has not been heard to its end, oldest first."""
        unheard = self.unheard_by_item(now)
        ids = [queued.response_id for queued in self._queue if queued.item_id in unheard and queued.response_id]
        return tuple(dict.fromkeys(ids))

    def clear(self, now: float) -> None:
        """Stop: what was not heard will not be."""
        self._ends_at = min(self._ends_at, now)
        self._queue.clear()

    def _unheard_samples(self, now: float) -> int:
        return max(0, round((self._ends_at - now) * SAMPLE_RATE_HZ))

    def _forget_played(self, now: float) -> None:
        heard = sum(queued.samples for queued in self._queue) - self._unheard_samples(now)
        while self._queue and heard >= self._queue[0].samples:
            heard -= self._queue.popleft().samples
