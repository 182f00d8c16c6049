"""What responses cost: a price list, what one session has spent, and the budget that the sessions of a key share.

Money is in US dollars. Prices come from `config/prices.toml` through `wiring`.
"""

from collections.abc import Callable, Mapping
from typing import Final, Protocol

import msgspec

from vivavoce.config.prices import PriceList
from vivavoce.core.ledger import LOCAL, Budget, DayClock, DayTotals, KeyLedger, Used
from vivavoce.core.prices import (
    NANO,
    largest_response_cost,
    largest_speech_cost,
    response_cost,
    speech_cost,
    transcription_cost,
)
from vivavoce.protocol.extensions import SessionCost
from vivavoce.protocol.responses import Usage
from vivavoce.protocol.server_events import DurationUsage, TokensUsage

MIN_SPAN_S: Final = 1.0  # over which the cost per minute is told at least
MAX_REMEMBERED_KEYS: Final = 10_000  # that have spent today
UNLIMITED: Final = Budget()
ANONYMOUS: Final = ""  # the key of who has presented none


class PaidModels(msgspec.Struct, frozen=True, kw_only=True):
    """The models that a session uses elsewhere, by what they do; None: it is done on this machine and costs nothing.

    `by_name` holds the transcribers for names that sessions may ask for.
    """

    generator: str | None = None
    synthesizer: str | None = None
    transcriber: str | None = None
    by_name: Mapping[str, str] = {}

    def transcriber_for(self, name: str) -> str | None:
        """Return the model that transcribes for a session that asks for this name."""
        return self.by_name.get(name, self.transcriber)


class Speech(msgspec.Struct, frozen=True):
    """What a response had spoken by a model of its own: the text that was given, and the audio that came."""

    model: str
    characters: int
    audio_ms: int


class Spending(Protocol):
    """What a session tells about its responses; one object for each session, over the budget of its key."""

    def admit(self, now: float) -> str | None:
        """Return why no further response may begin, in words, or None. Counts nothing."""
        ...

    def admit_transcription(self, now: float) -> str | None:
        """Return why nothing more is transcribed, in words, or None."""
        ...

    def use(self, models: PaidModels) -> None:
        """Go on with these models; they tell what a response may cost."""
        ...

    def expect(self) -> None:
        """A response was asked for elsewhere; it counts as one that runs until it begins or `unexpect` is called."""
        ...

    def unexpect(self) -> None:
        """What was asked for is not going to begin."""
        ...

    def begin(self, response_id: str, now: float, rounds: int = 1) -> None:
        """A response began; until `charge` it counts with what it may cost: so many generations at most."""
        ...

    def charge(
        self, response_id: str, model: str | None, usage: Usage | None, now: float, speech: Speech | None = None
    ) -> float:
        """A response ended with this usage; return its cost. Once for each response that began.

        Args:
            model: that generated it; None: one of this machine, which costs nothing.
            usage: None: nobody knows, as after a lost connection; it counts as the dearest response of the session,
                and the first as what was reserved for it. What is known to have cost nothing has `Usage()`.
            speech: of a pipeline whose voice has a price.
        """
        ...

    def charge_transcription(self, model: str | None, usage: TokensUsage | DurationUsage, now: float) -> float:
        """The words of an utterance came; return what they cost."""
        ...

    def report(self, now: float) -> SessionCost:
        """Return what the session has cost so far."""
        ...

    def close(self, now: float) -> None:
        """The session has ended; responses that still run are charged for with unknown usage. May be repeated."""
        ...


class NoSpending:
    """Of a session whose engines cost nothing."""

    def admit(self, now: float) -> str | None:
        return None

    def admit_transcription(self, now: float) -> str | None:
        return None

    def use(self, models: PaidModels) -> None: ...

    def expect(self) -> None: ...

    def unexpect(self) -> None: ...

    def begin(self, response_id: str, now: float, rounds: int = 1) -> None: ...

    def charge(
        self, response_id: str, model: str | None, usage: Usage | None, now: float, speech: Speech | None = None
    ) -> float:
        return 0.0

    def charge_transcription(self, model: str | None, usage: TokensUsage | DurationUsage, now: float) -> float:
        return 0.0

    def report(self, now: float) -> SessionCost:
        return SessionCost()

    def close(self, now: float) -> None: ...


NO_SPENDING: Final = NoSpending()


class SessionTotals(msgspec.Struct):
    """What a session has used."""

    nano: int = 0
    responses: int = 0
    input_tokens: int = 0
    cached_tokens: int = 0
    dearest: int = 0  # response


class SessionSpending:
    """The account of one session with the ledger of its key."""

    def __init__(self, ledger: KeyLedger, prices: PriceList, now: float, models: PaidModels) -> None:
        self._ledger = ledger
        self._prices = prices
        self._began_at = now
        self._is_open = True
        self._running: dict[str, tuple[str | None, int]] = {}  # response -> model, reserve
        self._expected: list[int] = []  # reserves of responses that were asked for
        self._totals = SessionTotals()
        self._unpriced: dict[str, None] = {}
        self._models = models
        self._most = (0, 0)  # that a generation, and the speech of a response, may cost
        self.use(models)
        ledger.enter(now)

    def use(self, models: PaidModels) -> None:
        prices, spoken = self._prices.find(models.generator or ""), self._prices.find(models.synthesizer or "")
        generation = 0 if prices is None else largest_response_cost(prices)
        self._models, self._most = models, (generation, 0 if spoken is None else largest_speech_cost(spoken.rates))

    def admit(self, now: float) -> str | None:
        """As `Spending.admit`; models of this machine and those without a price are never refused."""
        return self._ledger.refusal(now) if any(self._most) else None

    def admit_transcription(self, now: float) -> str | None:
        """As `Spending.admit_transcription`; what is transcribed before the limit is reached is not bounded by it."""
        heard = {self._models.transcriber, *self._models.by_name.values()}
        is_priced = any(model is not None and self._prices.find(model) is not None for model in heard)
        return self._ledger.spent_refusal(now) if is_priced else None

    def expect(self) -> None:
        if any(self._most):
            self._expected.append(self._ledger.begin(sum(self._most)))

    def unexpect(self) -> None:
        if self._expected:
            self._ledger.end(self._expected.pop())

    def begin(self, response_id: str, now: float, rounds: int = 1) -> None:
        self.unexpect()
        if response_id not in self._running and any(self._most):
            most = self._most[0] * max(1, rounds) + self._most[1]
            self._running[response_id] = self._models.generator, self._ledger.begin(most)

    def charge(
        self, response_id: str, model: str | None, usage: Usage | None, now: float, speech: Speech | None = None
    ) -> float:
        expected, reserve = self._running.pop(response_id, (None, None))
        if reserve is not None:
            self._ledger.end(reserve)
        if usage is None and model is None:
            model = expected
        nano = self._add_response(model, usage, reserve or 0, now)
        if speech is not None:
            nano += self._add_speech(speech, now)
        self._totals.responses += 1
        self._totals.dearest = max(self._totals.dearest, nano)
        return nano / NANO

    def charge_transcription(self, model: str | None, usage: TokensUsage | DurationUsage, now: float) -> float:
        if model is None:
            return 0.0
        prices = self._prices.find(model)
        nano = None if prices is None else transcription_cost(prices.rates, usage)
        if isinstance(usage, DurationUsage):
            used = Used(model, nano, audio_ms=max(0, round(usage.seconds * 1000)))
        else:
            counts = max(0, usage.input_tokens), max(0, usage.output_tokens)
            used = Used(model, nano, input_tokens=counts[0], output_tokens=counts[1])
        return self._add(used, now) / NANO

    def report(self, now: float) -> SessionCost:
        totals, limit = self._totals, self._ledger.budget.limit
        span_s = max(MIN_SPAN_S, now - self._began_at)
        return SessionCost(
            usd=totals.nano / NANO,
            usd_per_min=round(totals.nano / NANO / span_s * 60, 6),
            responses=totals.responses,
            cached_share=round(totals.cached_tokens / totals.input_tokens, 4) if totals.input_tokens else 0.0,
            budget_usd=limit / NANO if limit else None,
            spent_usd=self._ledger.totals(now).nano / NANO if limit else None,
            prices=self._prices.as_of,
            unpriced=tuple(self._unpriced),
        )

    def close(self, now: float) -> None:
        if not self._is_open:
            return
        self._is_open = False
        while self._expected:
            self.unexpect()
        for response_id, (model, _) in tuple(self._running.items()):
            self.charge(response_id, model, None, now)
        self._ledger.leave(self._began_at, now)

    def _add_response(self, model: str | None, usage: Usage | None, reserve: int, now: float) -> int:
        prices = self._prices.find(model) if model is not None else None
        if usage is None:
            unknown = self._totals.dearest or (reserve if self._ledger.budget.limit else 0)
            nano = 0 if model is None else None if prices is None else unknown
            return self._add(Used(model or LOCAL, nano, responses=1), now)
        nano = 0 if model is None else None if prices is None else response_cost(prices.rates, usage)
        cached = max(0, min(usage.input_token_details.cached_tokens, usage.input_tokens))
        counts = max(0, usage.input_tokens), cached, max(0, usage.output_tokens)
        self._totals.input_tokens += counts[0]
        self._totals.cached_tokens += counts[1]
        return self._add(Used(model or LOCAL, nano, 1, *counts), now)

    def _add_speech(self, speech: Speech, now: float) -> int:
        prices = self._prices.find(speech.model)
        nano = None if prices is None else speech_cost(prices.rates, speech.characters, speech.audio_ms)
        return self._add(Used(speech.model, nano, audio_ms=max(0, speech.audio_ms)), now)

    def _add(self, used: Used, now: float) -> int:
        if used.nano is None:
            self._unpriced[used.model] = None
        self._ledger.add(used, now)
        self._totals.nano += used.nano or 0
        return used.nano or 0


class SpendingBook:
    """The ledgers of all keys of a server."""

    def __init__(self, prices: PriceList, budget: Budget = UNLIMITED) -> None:
        self.prices = prices
        self.clock = DayClock()
        self._budget = budget
        self._ledgers: dict[str, KeyLedger] = {}
        self._is_open: Callable[[], bool] = bool

    def session(self, key: str | None, now: float, models: PaidModels) -> SessionSpending:
        """Open the account of a session; `key` is the id of the client's credential, None without one."""
        return SessionSpending(self.ledger(key, now), self.prices, now, models)

    def share_while(self, is_open: Callable[[], bool]) -> None:
        """Have all clients share one ledger while this tells that any key is accepted: another costs nothing then."""
        self._is_open = is_open

    def ledger(self, key: str | None, now: float) -> KeyLedger:
        """Return the ledger of a key. Should too many keys have spent today, further ones share a ledger."""
        name = ANONYMOUS if key is None or self._is_open() else key
        found = self._ledgers.get(name)
        if found is None and len(self._ledgers) >= MAX_REMEMBERED_KEYS:
            self._forget_idle(now)
            name = name if len(self._ledgers) < MAX_REMEMBERED_KEYS else ANONYMOUS
            found = self._ledgers.get(name)
        if found is None:
            found = self._ledgers[name] = KeyLedger(self._budget, self.clock)
        return found

    def snapshot(self, now: float) -> dict[str, DayTotals]:
        """Return what the keys have used today, for `restore` after a restart."""
        totals = {key: ledger.totals(now) for key, ledger in self._ledgers.items()}
        return {key: day for key, day in totals.items() if day.nano or day.models or day.session_ms}

    def restore(self, kept: dict[str, DayTotals]) -> None:
        """Go on from what a snapshot has; before the first session."""
        for key, totals in kept.items():
            self._ledgers[key] = KeyLedger(self._budget, self.clock, totals)

    def _forget_idle(self, now: float) -> None:
        spent = {key: ledger for key, ledger in self._ledgers.items() if ledger.is_in_use or ledger.totals(now).nano}
        self._ledgers = spent
