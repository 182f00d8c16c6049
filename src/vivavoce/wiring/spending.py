"""Builds the ledgers of the keys from prices, budgets and what was kept; and writes down what is spent."""

import asyncio
import ipaddress
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Final
from urllib.parse import urlsplit

from vivavoce.config.hybrid import LOCAL
from vivavoce.config.load import ConfigurationError
from vivavoce.config.model import Configuration
from vivavoce.config.prices import PriceList, load_prices
from vivavoce.core.ledger import Budget
from vivavoce.core.prices import NANO
from vivavoce.core.spending import PaidModels, SpendingBook
from vivavoce.runtime.clock import Clock
from vivavoce.store.spending import SpendingFile, SpendingUnreadable, encoded

SAVE_EVERY_S: Final = 2.0

_log = logging.getLogger(__name__)


def build_book(configuration: Configuration, kept: SpendingFile, clock: Clock) -> SpendingBook:
    """Return the ledgers of the keys, as they were when the server ended today.

    Raises:
        ConfigurationError: the price list cannot be used, or what was kept cannot be read.
    """
    budgets = configuration.budgets
    budget = Budget(_nano(budgets.usd_per_day), _nano(budgets.reserve_usd))
    book = SpendingBook(load_prices(budgets.prices_file), budget)
    book.clock.set(clock.unix_s(), clock.monotonic_s())
    try:
        book.restore(kept.load())
    except SpendingUnreadable as error:
        raise ConfigurationError(str(error)) from error
    return book


def paid_models(configuration: Configuration, prices: PriceList) -> PaidModels:
    """Return the models elsewhere that the hybrid pipeline uses.

    A server on this machine counts as this machine, unless the price list has its model.
    """
    hybrid = configuration.hybrid
    models = {name: stage.model for name, stage in hybrid.stages.items() if stage.engine != LOCAL}
    if "transcriber" in models and not models["transcriber"]:
        models["transcriber"] = configuration.hosted.transcription_model
    paid = {
        name: model
        for name, model in models.items()
        if prices.find(model) is not None or not _is_here(hybrid.stages[name].base_url)
    }
    by_name = hybrid.transcriber.models if "transcriber" in paid else {}
    return PaidModels(**paid, by_name=dict(by_name))


@asynccontextmanager
async def kept_spending(book: SpendingBook, file: SpendingFile, clock: Clock) -> AsyncIterator[None]:
    """Write down what is spent while this runs, every few seconds in which something was, and at the end."""
    ended = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(_keep(book, file, clock, ended), name="keep spending")
        try:
            yield
        finally:
            ended.set()


async def _keep(book: SpendingBook, file: SpendingFile, clock: Clock, ended: asyncio.Event) -> None:
    written = encoded(book.snapshot(clock.monotonic_s()))
    while True:
        is_last = await _passed(ended, SAVE_EVERY_S)
        now = clock.monotonic_s()
        book.clock.set(clock.unix_s(), now)
        content = encoded(book.snapshot(now))
        if content != written:
            try:
                await asyncio.to_thread(file.write, content)
                written = content
            except OSError as error:
                _log.error("spending cannot be written", extra={"reason": error.strerror})
        if is_last:
            return


async def _passed(event: asyncio.Event, timeout_s: float) -> bool:
    """Wait for an event, for so long at most; return whether it came."""
    try:
        async with asyncio.timeout(timeout_s):
            await event.wait()
    except TimeoutError:
        return False
    return True


def _nano(usd: float) -> int:
    """Return US dollars as nano-dollars: the number that was written, not its binary neighbour."""
    return int(Decimal(str(usd)) * NANO)


def _is_here(base_url: str) -> bool:
    host = urlsplit(base_url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
