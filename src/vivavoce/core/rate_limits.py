"""How much one key may use: buckets that fill steadily over a minute, shared by the sessions of the key."""

import math
from typing import Literal

from vivavoce.protocol.server_events import RateLimit

WINDOW_S = 60.0


class Bucket:
    """Holds at most `limit` units and gains as many per minute; spending may take it below zero."""

    def __init__(self, name: Literal["requests", "tokens"], limit: int) -> None:
        self.name = name
        self.limit = limit
        self._level = float(limit)
        self._filled_at: float | None = None

    def wait_s(self, now: float) -> float:
        """Return how long it takes until a unit may be spent, 0 if one may be."""
        self._fill(now)
        return max(0.0, 1 - self._level) * WINDOW_S / self.limit

    def spend(self, units: int, now: float) -> None:
        self._fill(now)
        self._level -= units

    def report(self, now: float) -> RateLimit:
        self._fill(now)
        reset_s = round((self.limit - self._level) / self.limit * WINDOW_S, 3)
        return RateLimit(name=self.name, limit=self.limit, remaining=max(0, int(self._level)), reset_seconds=reset_s)

    def _fill(self, now: float) -> None:
        if self._filled_at is not None:
            gained = max(0.0, now - self._filled_at) * self.limit / WINDOW_S
            self._level = min(float(self.limit), self._level + gained)
        self._filled_at = now


class RateLimits:
    """The limits of one key; 0 is unlimited."""

    def __init__(self, requests_per_min: int = 0, tokens_per_min: int = 0) -> None:
        self._requests = Bucket("requests", requests_per_min) if requests_per_min else None
        self._tokens = Bucket("tokens", tokens_per_min) if tokens_per_min else None

    @property
    def _buckets(self) -> list[Bucket]:
        return [bucket for bucket in (self._requests, self._tokens) if bucket is not None]

    def admit(self, now: float) -> str | None:
        """Count a response; return the limit that refuses it, in words, or None."""
        for bucket in self._buckets:
            if (wait_s := bucket.wait_s(now)) > 0:
                again = f"Try again in {math.ceil(wait_s)} s."
                return f"Rate limit reached: {bucket.limit} {bucket.name} per minute. {again}"
        if self._requests is not None:
            self._requests.spend(1, now)
        return None

    def charge(self, tokens: int, now: float) -> None:
        """Count what a response has used."""
        if self._tokens is not None:
            self._tokens.spend(tokens, now)

    def report(self, now: float) -> tuple[RateLimit, ...]:
        """Return what is left of each limit; empty without limits."""
        return tuple(bucket.report(now) for bucket in self._buckets)
