"""`GET /api/cost` and `GET /api/prices`: what the caller's key has spent today, and what models cost."""

from datetime import UTC, datetime, timedelta
from typing import Final, Literal, Protocol, runtime_checkable

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from vivavoce.app.authentication import Caller, KeyRing
from vivavoce.config.prices import ModelPrices, PriceList
from vivavoce.core.ledger import KeyLedger, ModelTotals
from vivavoce.core.prices import MS_PER_MIN, NANO
from vivavoce.core.spending import SpendingBook
from vivavoce.runtime.clock import Clock

COST_PATH: Final = "/api/cost"
PRICES_PATH: Final = "/api/prices"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_NO_PRICES: Final = PriceList("1970-01-01")


class ModelCost(msgspec.Struct, frozen=True, kw_only=True):
    """What one model was used for today; "local" stands for those of this machine. Without a price it costs nothing."""

    model: str
    usd: float
    is_priced: bool
    responses: int
    input_tokens: int
    cached_tokens: int
    output_tokens: int
    audio_min: float  # that was transcribed or spoken


class BudgetCard(msgspec.Struct, frozen=True, kw_only=True):
    """What a key may spend on a day."""

    usd: float
    remaining_usd: float
    resets_at: int  # unix seconds


class CostCard(msgspec.Struct, frozen=True, kw_only=True):
    """What a key has spent on a day of UTC. `key` and `name` are null without a key, `name` also without a name."""

    object: Literal["cost"] = "cost"
    key: str | None
    name: str | None
    day: str
    usd: float
    usd_per_min: float  # over the time that sessions lasted today
    budget: BudgetCard | None  # null: unlimited
    responses: int
    session_min: float
    cached_share: float  # of the input tokens, in [0, 1]
    models: tuple[ModelCost, ...]
    prices: str  # date of the price list


class PriceCard(msgspec.Struct, frozen=True, kw_only=True):
    """What one model costs. `usd`: US dollars by the keys of `prices.toml`, tokens and characters by the million."""

    model: str
    as_of: str
    source: str
    usd: dict[str, float]
    context_tokens: int | None
    max_output_tokens: int | None


class PriceCards(msgspec.Struct, frozen=True, kw_only=True):
    """The price list; `as_of` is its date."""

    object: Literal["list"] = "list"
    currency: Literal["USD"] = "USD"
    as_of: str
    data: tuple[PriceCard, ...]


@runtime_checkable
class SpendingHost(Protocol):
    """A host of sessions that knows what they cost."""

    @property
    def spending(self) -> SpendingBook | None: ...


def spending_of(host: object) -> SpendingBook | None:
    """Return the ledgers of a host of sessions, None of one that knows nothing of costs."""
    return host.spending if isinstance(host, SpendingHost) else None


def cost_routes(given: SpendingBook | None, ring: KeyRing, clock: Clock) -> list[Route]:
    """Return the routes; without ledgers they tell that nothing was spent.

    Where no key is demanded, all clients share one ledger.
    """
    book = SpendingBook(_NO_PRICES) if given is None else given
    book.share_while(lambda: not ring.has_keys)

    async def show_cost(request: Request) -> Response:
        caller: Caller = request.state.caller
        now, key = clock.monotonic_s(), caller.credential_id if ring.has_keys else None
        book.clock.set(clock.unix_s(), now)
        return _response(_cost(book, key, None if key is None else ring.name_of(key), now))

    async def show_prices(request: Request) -> Response:
        data = tuple(_price(name, prices) for name, prices in book.prices.models.items())
        return _response(PriceCards(as_of=book.prices.as_of, data=data))

    return [Route(COST_PATH, show_cost, methods=["GET"]), Route(PRICES_PATH, show_prices, methods=["GET"])]


def _response(body: msgspec.Struct) -> Response:
    return Response(msgspec.json.encode(body), media_type="application/json", headers={"cache-control": "no-store"})


def _cost(book: SpendingBook, key: str | None, name: str | None, now: float) -> CostCard:
    ledger: KeyLedger = book.ledger(key, now)
    totals, limit = ledger.totals(now), ledger.budget.limit
    models = tuple(_model(model, used) for model, used in totals.models.items())
    read, cached = (sum(getattr(one, field) for one in models) for field in ("input_tokens", "cached_tokens"))
    session_ms = ledger.session_ms(now)
    begins_at = _EPOCH + timedelta(days=totals.day)
    budget = None
    if limit:
        resets_at = int((begins_at + timedelta(days=1)).timestamp())
        remaining = max(0, limit - totals.nano) / NANO
        budget = BudgetCard(usd=limit / NANO, remaining_usd=remaining, resets_at=resets_at)
    return CostCard(
        key=key,
        name=name,
        day=begins_at.date().isoformat(),
        usd=totals.nano / NANO,
        usd_per_min=round(totals.nano / NANO * MS_PER_MIN / session_ms, 6) if session_ms else 0.0,
        budget=budget,
        responses=sum(one.responses for one in models),
        session_min=round(session_ms / MS_PER_MIN, 3),
        cached_share=round(cached / read, 4) if read else 0.0,
        models=models,
        prices=book.prices.as_of,
    )


def _model(model: str, used: ModelTotals) -> ModelCost:
    return ModelCost(
        model=model,
        usd=used.nano / NANO,
        is_priced=used.is_priced,
        responses=used.responses,
        input_tokens=used.input_tokens,
        cached_tokens=used.cached_tokens,
        output_tokens=used.output_tokens,
        audio_min=round(used.audio_ms / MS_PER_MIN, 3),
    )


def _price(name: str, prices: ModelPrices) -> PriceCard:
    rates = {field: getattr(prices.rates, field) for field in prices.rates.__struct_fields__}
    return PriceCard(
        model=name,
        as_of=prices.as_of,
        source=prices.source,
        usd={field: nano / NANO for field, nano in rates.items() if nano is not None},
        context_tokens=prices.context_tokens,
        max_output_tokens=prices.max_output_tokens,
    )
