"""Audio on its way to an engine, a piece at a time, so that a large append or commit never holds the loop."""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Final

SLICE_BYTES: Final = 48_000  # one second of pcm16 at 24 kHz: about 1.5 ms of decoding and resampling


class Slices:
    """Hands audio on in order. What fits into one slice goes at once while nothing waits; more takes its turns."""

    def __init__(self, take: Callable[[bytes], None], slice_bytes: int = SLICE_BYTES) -> None:
        self._take = take
        self._slice_bytes = slice_bytes
        self._waiting: deque[bytes | Callable[[], None]] = deque()
        self._turn: asyncio.Handle | None = None
        self.waiting_bytes = 0

    def put(self, audio: bytes) -> None:
        """Hand audio on after all that was put before."""
        if not self._waiting and len(audio) <= self._slice_bytes:
            self._take(audio)
            return
        size = self._slice_bytes
        self._waiting.extend(audio[start : start + size] for start in range(0, len(audio), size))
        self.waiting_bytes += len(audio)
        self._schedule()

    def then(self, work: Callable[[], None]) -> None:
        """Do something after all that was put before."""
        if not self._waiting:
            work()
            return
        self._waiting.append(work)

    def clear(self) -> None:
        """Drop what waits."""
        self._waiting.clear()
        self.waiting_bytes = 0
        if self._turn is not None:
            self._turn.cancel()
            self._turn = None

    def _schedule(self) -> None:
        if self._waiting and self._turn is None:
            self._turn = asyncio.get_running_loop().call_soon(self._hand_on)

    def _hand_on(self) -> None:
        self._turn = None
        waiting = self._waiting.popleft()
        if isinstance(waiting, bytes):
            self.waiting_bytes -= len(waiting)
            self._take(waiting)
        else:
            waiting()
        self._schedule()
