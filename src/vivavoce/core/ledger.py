"""The ledger of one key: what its sessions have spent today, and the budget they share.

A budget is never exceeded by more than one response. A response that runs is reserved for with the most it may cost;
while one runs, another begins only if what is spent and what is reserved stay below the limit together. So near the
limit one response runs at a time, and only the last that begins can pass the limit.

Money is whole nano-dollars; days are those of UTC.
"""

from typing import Final

import msgspec

from vivavoce.core.prices import NANO

LOCAL: Final = "local"  # stands for the models of this machine, which cost nothing
DAY_S: Final = 86_400
MAX_CLOCK_ERROR_S: Final = 2.0  # of wall clocks that tell whole seconds


class Budget(msgspec.Struct, frozen=True):
    """What a key may spend on a day, in nano-dollars; 0 is unlimited. `reserve` 0: the dearest possible response."""

    limit: int = 0
    reserve: int = 0


class DayClock:
    """Which day of UTC it is at a time of the monotonic clock; set anew now and then, as wall clocks jump."""

    def __init__(self) -> None:
        self._epoch_s = 0.0

    def set(self, unix_s: float, now: float) -> None:
        """Take the wall clock's word, unless it differs so little that the day would only go back and forth."""
        epoch_s = unix_s - now
        if abs(epoch_s - self._epoch_s) > MAX_CLOCK_ERROR_S:
            self._epoch_s = epoch_s

    def day(self, now: float) -> int:
        """Return the days since 1970-01-01."""
        return int((self._epoch_s + now) // DAY_S)

    def seconds_of_day(self, now: float) -> float:
        """Return how long this day has lasted."""
        return (self._epoch_s + now) % DAY_S


class ModelTotals(msgspec.Struct):
    """What one model was used for on a day. `audio_ms` is audio that was transcribed or spoken."""

    nano: int = 0
    responses: int = 0
    input_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0
    audio_ms: int = 0
    is_priced: bool = True


class Used(msgspec.Struct, frozen=True):
    """One entry of the ledger. `nano` None: the price list does not have the model's price."""

    model: str
    nano: int | None
    responses: int = 0
    input_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0
    audio_ms: int = 0


class DayTotals(msgspec.Struct):
    """What a key has used on one day; kept over restarts. `session_ms` is of sessions that have ended."""

    day: int
    nano: int = 0
    session_ms: int = 0
    models: dict[str, ModelTotals] = {}

    def add(self, used: Used) -> None:
        totals = self.models.setdefault(used.model, ModelTotals())
        nano = used.nano or 0
        self.nano += nano
        totals.nano += nano
        totals.is_priced = totals.is_priced and used.nano is not None
        totals.responses += used.responses
        totals.input_tokens += used.input_tokens
        totals.cached_tokens += used.cached_tokens
        totals.output_tokens += used.output_tokens
        totals.audio_ms += used.audio_ms


class KeyLedger:
    """Shared by the sessions of one key, one after the other too."""

    def __init__(self, budget: Budget, clock: DayClock, totals: DayTotals | None = None) -> None:
        self.budget = budget
        self._clock = clock
        self._totals = DayTotals(0) if totals is None else totals
        self._reserved = 0
        self._running = 0
        self._live: list[float] = []  # when the sessions began that have not ended

    @property
    def is_in_use(self) -> bool:
        return bool(self._live or self._running)

    def totals(self, now: float) -> DayTotals:
        """Return what was used today so far."""
        day = self._clock.day(now)
        if self._totals.day != day:
            self._totals = DayTotals(day)
        return self._totals

    def session_ms(self, now: float) -> int:
        """Return how long sessions have lasted today, those that run included."""
        longest_s = self._clock.seconds_of_day(now)
        live_s = sum(min(max(0.0, now - began_at), longest_s) for began_at in self._live)
        return self.totals(now).session_ms + round(live_s * 1000)

    def refusal(self, now: float) -> str | None:
        """Return why no response may begin, None if one may."""
        limit, spent = self.budget.limit, self.totals(now).nano
        if not limit or spent >= limit or not self._running or spent + self._reserved < limit:
            return self.spent_refusal(now)
        return _exceeded(f"what other responses may cost takes the rest of {usd_text(limit)} USD")

    def spent_refusal(self, now: float) -> str | None:
        """Return why nothing that costs may go on, None if something is left."""
        limit, spent = self.budget.limit, self.totals(now).nano
        if not limit or spent < limit:
            return None
        return _exceeded(f"{usd_text(spent)} of {usd_text(limit)} USD are spent")

    def begin(self, most: int) -> int:
        """A response runs that costs at most this much; return what `end` takes back."""
        reserve = self.budget.reserve or most
        self._running += 1
        self._reserved += reserve
        return reserve

    def end(self, reserve: int) -> None:
        """A response has ended; its cost is added by itself."""
        self._running -= 1
        self._reserved -= reserve

    def add(self, used: Used, now: float) -> None:
        self.totals(now).add(used)

    def enter(self, now: float) -> None:
        """A session has begun."""
        self._live.append(now)

    def leave(self, began_at: float, now: float) -> None:
        """A session has ended."""
        lasted_s = min(max(0.0, now - began_at), self._clock.seconds_of_day(now))
        self._live.remove(began_at)
        self.totals(now).session_ms += round(lasted_s * 1000)


def _exceeded(reason: str) -> str:
    return f"You exceeded your current quota: {reason} on this day, which ends at 00:00 UTC."


def usd_text(nano: int) -> str:
    """Return an amount for people: cents, or six decimals below a cent."""
    usd = nano / NANO
    return f"{usd:.2f}" if nano == 0 or usd >= 0.01 else f"{usd:.6f}"
