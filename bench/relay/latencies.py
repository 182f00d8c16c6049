"""Latencies as the load reports them: counts per bucket, pooled over repetitions."""

from collections import Counter
from collections.abc import Iterable
from typing import Final

from bench.relay.load import Report

BUCKET_RATIO: Final = 1.02


class Latencies:
    """One-way latencies of messages, to 2 %."""

    def __init__(self) -> None:
        self._counts: Counter[int] = Counter()

    def add(self, report: Report) -> None:
        """Add the messages of both directions."""
        self._counts.update(report.up)
        self._counts.update(report.down)

    @property
    def messages(self) -> int:
        return self._counts.total()

    def percentile_us(self, share: float) -> float:
        """Return the latency in µs that `share` (0 to 1) of the messages keep; NaN without messages."""
        wanted, seen = share * self.messages, 0
        for bucket in sorted(self._counts):
            seen += self._counts[bucket]
            if seen >= wanted:
                return float(BUCKET_RATIO ** (bucket + 0.5))
        return float("nan")


def drifting(floors: Iterable[float], allowed: float = 0.25) -> list[int]:
    """Return which repetitions are to be discarded: those whose floor is further than `allowed` from the median."""
    values = list(floors)
    middle = sorted(values)[len(values) // 2] if values else 0.0
    return [index for index, value in enumerate(values) if abs(value - middle) > allowed * middle]
