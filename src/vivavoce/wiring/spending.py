"""Builds the ledgers of the keys from prices, budgets and what was kept; and writes down what is spent."""

import asyncio
import ipaddress
import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Final
from urllib.parse import urlsplit

from vivavoce.config.hybrid import LOCAL, HybridStages
from vivavoce.config.load import ConfigurationError
from vivavoce.config.model import Configuration
from vivavoce.config.prices import load_prices
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


def paid_models(configuration: Configuration, stages: HybridStages | None = None) -> PaidModels:
    """Return the models elsewhere that are used by these stages; None: those of the hybrid pipeline itself.

    A server on this machine counts as this machine, unless the price list has its model.

    Raises:
        ConfigurationError: the price list cannot be used.
    """
    hybrid, prices = stages or configuration.hybrid, load_prices(configuration.budgets.prices_file)
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


@contextmanager
def kept_spending(
    book: SpendingBook, file: SpendingFile, clock: Clock, every_s: float = SAVE_EVERY_S
) -> Iterator[None]:
    """Write down what is spent while this runs, every few seconds in which something was, and at the end."""
    saver = _Saver(book, file, clock, every_s)
    saver.wait()
    try:
        yield
    finally:
        saver.end()


class _Saver:
    """Compares on the loop, writes in a thread, one write at a time."""

    def __init__(self, book: SpendingBook, file: SpendingFile, clock: Clock, every_s: float) -> None:
        self._every_s = every_s
        self._book = book
        self._file = file
        self._clock = clock
        self._newest = self._content()
        self._writing = threading.Lock()
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._has_ended = False

    def wait(self) -> None:
        if not self._has_ended:
            self._timer = self._loop.call_later(self._every_s, self._save)

    def end(self) -> None:
        """Write what is not written yet, after a write that is under way."""
        self._has_ended = True
        if self._timer is not None:
            self._timer.cancel()
        content, before = self._content(), self._newest
        self._newest = content
        if content != before:
            self._write(content)

    def _save(self) -> None:
        content, before = self._content(), self._newest
        self._newest = content
        if content == before:
            self.wait()
        else:
            self._loop.run_in_executor(None, self._write, content).add_done_callback(lambda _: self.wait())

    def _content(self) -> bytes:
        now = self._clock.monotonic_s()
        self._book.clock.set(self._clock.unix_s(), now)
        return encoded(self._book.snapshot(now))

    def _write(self, content: bytes) -> None:
        with self._writing:
            if content is not self._newest:
                return  # newer content is on its way
            try:
                self._file.write(content)
            except OSError as error:
                self._newest = b""  # tried again with the next
                _log.error("spending cannot be written", extra={"reason": error.strerror})


def _nano(usd: float) -> int:
    """Return US dollars as nano-dollars: the number that was written, not its binary neighbour."""
    return int(Decimal(str(usd)) * NANO)


def _is_here(base_url: str) -> bool:
    host = urlsplit(base_url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
