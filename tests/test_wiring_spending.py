"""Ledgers as the configuration says: budgets, prices, which stages cost, and what is kept over restarts."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from vivavoce.config.load import ConfigurationError, load
from vivavoce.config.model import Configuration
from vivavoce.core.spending import PaidModels, SpendingBook
from vivavoce.protocol.responses import Usage
from vivavoce.runtime.clock import LoopClock
from vivavoce.store.spending import SpendingFile
from vivavoce.testing.virtual import run_virtual
from vivavoce.wiring.spending import build_book, kept_spending, paid_models

USAGE = Usage(input_tokens=1_000)


def configured(**flags: Any) -> Configuration:
    return load(flags={key.replace("__", "."): value for key, value in flags.items()}, environment={}).configuration


def spend(book: SpendingBook, now: float) -> None:
    book.session("key", now, PaidModels()).charge("resp_1", "gpt-realtime", USAGE, now)


def test_budgets_are_the_dollars_that_were_written(tmp_path: Path) -> None:
    async def scenario() -> SpendingBook:
        configuration = configured(budgets__usd_per_day=0.1, budgets__reserve_usd=0.3)
        return build_book(configuration, SpendingFile(tmp_path / "spending.json"), LoopClock())

    budget = run_virtual(scenario()).ledger("key", 0.0).budget

    assert (budget.limit, budget.reserve) == (100_000_000, 300_000_000)


def test_what_is_spent_is_kept_over_a_restart_of_the_same_day(tmp_path: Path) -> None:
    file = SpendingFile(tmp_path / "spending.json")

    async def scenario() -> float:
        clock = LoopClock()
        book = build_book(configured(), file, clock)
        with kept_spending(book, file, clock):
            spend(book, clock.monotonic_s())
        again = build_book(configured(), file, clock)
        return again.ledger("key", clock.monotonic_s()).totals(clock.monotonic_s()).nano / 1e9

    assert run_virtual(scenario()) == 0.004


def test_what_is_spent_is_written_while_the_server_runs(tmp_path: Path) -> None:
    file = SpendingFile(tmp_path / "spending.json")

    async def scenario() -> None:
        clock = LoopClock()
        book = build_book(configured(), file, clock)
        with kept_spending(book, file, clock, every_s=0.001):
            spend(book, clock.monotonic_s())
            async with asyncio.timeout(30):
                while not file.path.exists():
                    await asyncio.to_thread(Path.exists, file.path)

    asyncio.run(scenario())

    assert file.load()["key"].nano == 4_000_000


def test_nothing_is_written_where_nothing_is_spent(tmp_path: Path) -> None:
    file = SpendingFile(tmp_path / "spending.json")

    async def scenario() -> None:
        clock = LoopClock()
        with kept_spending(build_book(configured(), file, clock), file, clock):
            pass

    run_virtual(scenario())

    assert not file.path.exists()


def test_a_server_does_not_start_with_a_file_that_it_cannot_read(tmp_path: Path) -> None:
    file = SpendingFile(tmp_path / "spending.json")
    file.path.write_text("{")

    async def scenario() -> None:
        build_book(configured(), file, LoopClock())

    with pytest.raises(ConfigurationError, match="is damaged"):
        run_virtual(scenario())


def test_local_stages_cost_nothing() -> None:
    assert paid_models(configured()) == PaidModels()


def test_stages_elsewhere_are_charged_by_their_models() -> None:
    flags = {
        "hybrid__transcriber__engine": "transcriptions",
        "hybrid__transcriber__base_url": "https://api.openai.com/v1",
        "hybrid__transcriber__models": {"gpt-4o-transcribe": "gpt-4o-transcribe"},
        "hosted__transcription_model": "whisper-1",
        "hybrid__generator__engine": "chat-completions",
        "hybrid__generator__base_url": "https://models.example/v1",
        "hybrid__generator__model": "some-model",
    }

    paid = paid_models(configured(**flags))

    assert (paid.generator, paid.synthesizer, paid.transcriber) == ("some-model", None, "whisper-1")
    assert paid.transcriber_for("gpt-4o-transcribe") == "gpt-4o-transcribe"
    assert paid.transcriber_for("anything") == "whisper-1"


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "127.0.0.5"])
def test_a_server_on_this_machine_costs_nothing(host: str) -> None:
    flags = {
        "hybrid__generator__engine": "chat-completions",
        "hybrid__generator__base_url": f"http://{host}:11434/v1",
        "hybrid__generator__model": "llama",
    }

    assert paid_models(configured(**flags)).generator is None


def test_a_model_with_a_price_costs_it_wherever_its_server_is() -> None:
    flags = {
        "hybrid__generator__engine": "chat-completions",
        "hybrid__generator__base_url": "http://127.0.0.1:4000/v1",
        "hybrid__generator__model": "gpt-4o-mini",
    }

    assert paid_models(configured(**flags)).generator == "gpt-4o-mini"
