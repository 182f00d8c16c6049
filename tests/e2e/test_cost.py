"""Budgets over real sockets: a server process that answers with a priced model, until its key has spent its dollars."""

import asyncio
import contextlib
import json
import sys
import urllib.request
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest

from bench.checked_client import CheckedClient, checked_client
from tests.e2e.talking import SCRIPTED, talking
from tests.engines.compatible_servers import DEADLINE_S, KEY, Json, Server, sse, streams
from tests.repository.serving import served

T = TypeVar("T")

MODEL = "vivavoce-hybrid"
USED = {"prompt_tokens": 800, "completion_tokens": 100, "total_tokens": 900}
ANSWERED = streams(
    sse(
        {"choices": [{"index": 0, "delta": {"content": "Yes."}, "finish_reason": "stop"}]},
        {"choices": [], "usage": USED},
        "[DONE]",
    )
)
PRICES = """
version = 1
as_of = 2026-12-01

[models.brain]
source = "made for this test"
text_input = 1.00
text_output = 2.00
context_tokens = 1_000
max_output_tokens = 100
"""
COST_USD = 0.001  # 800 tokens in at 1 USD, 100 out at 2 USD a million


@contextlib.contextmanager
def spending_server(folder: Path, port: int) -> Iterator[str]:
    """Run a server process that may spend 2.5 responses; gives its host and port."""
    (folder / "prices.toml").write_text(PRICES)
    settings = (
        "ENGINES__DEFAULT=hybrid",
        "DATA_DIR=data",
        "BUDGETS__USD_PER_DAY=0.0025",
        "BUDGETS__PRICES_FILE=prices.toml",
        "HYBRID__GENERATOR__ENGINE=chat-completions",
        f"HYBRID__GENERATOR__BASE_URL=http://127.0.0.1:{port}/v1",
        f"HYBRID__GENERATOR__API_KEY={KEY}",
        "HYBRID__GENERATOR__MODEL=brain",
    )
    (folder / ".env").write_text("".join(f"VIVAVOCE_{setting}\n" for setting in settings))
    with served([sys.executable, "-m", "vivavoce"], folder) as url:
        yield url.removeprefix("http://")


def told(address: str, path: str) -> Json:
    request = urllib.request.Request(f"http://{address}{path}", headers={"Authorization": "Bearer sk-any"})
    with urllib.request.urlopen(request, timeout=DEADLINE_S) as response:
        answer: Json = json.load(response)
    return answer


async def refused(client: CheckedClient) -> Json:
    """Ask for a response that the budget does not allow; return the error."""
    since = client.here
    await client.send({"type": "response.create"})
    error: Json = (await client.wait_for("error", since))["error"]
    return error


def talk(runner: asyncio.Runner, scenario: Coroutine[Any, Any, T]) -> T:
    async def limited() -> T:
        async with asyncio.timeout(DEADLINE_S):
            return await scenario

    return runner.run(limited())


def test_a_client_that_asks_is_told_what_its_session_costs(server: str) -> None:
    asks: Json = {"vivavoce": {"cost": True}, "output_modalities": ["text"]}

    async def scenario() -> tuple[Json, Json]:
        async with talking(server, SCRIPTED, **asks) as client:
            session = client.of_type("session.updated")[-1]["session"]
            await client.ask("Hello.")
            return session["vivavoce"]["cost"], client.of_type("response.done")[0]["response"]["vivavoce"]["cost"]

    before, after = asyncio.run(scenario())

    assert (before["usd"], before["responses"], before["budget_usd"]) == (0.0, 0, None)
    assert (after["usd"], after["session"]["responses"]) == (0.0, 1)


def test_so_is_one_of_a_transcription_session(server: str) -> None:
    async def scenario() -> Json:
        async with checked_client(server, SCRIPTED, intent="transcription") as client:
            session: Json = await client.configure(type="transcription", vivavoce={"cost": True})
            assert client.invalid == []
            return session

    assert asyncio.run(scenario())["vivavoce"]["cost"]["usd"] == 0.0


@pytest.mark.slow
def test_a_key_spends_its_budget_and_no_more_than_one_response_beyond_it_even_after_a_restart(tmp_path: Path) -> None:
    asks: Json = {"vivavoce": {"cost": True}, "output_modalities": ["text"]}

    async def spending(address: str) -> tuple[Json, list[Json], Json]:
        async with talking(address, MODEL, **asks) as client:
            for _ in range(3):
                await client.ask("Is it?")
            error = await refused(client)
            session = client.of_type("session.updated")[0]["session"]["vivavoce"]["cost"]
            return session, [done["response"] for done in client.of_type("response.done")], error

    async def trying(address: str) -> Json:
        async with talking(address, MODEL, output_modalities=["text"]) as client:
            return await refused(client)

    with asyncio.Runner() as runner:
        generator = Server(ANSWERED)
        listening = contextlib.AsyncExitStack()
        runner.run(listening.enter_async_context(generator.listening()))
        with spending_server(tmp_path, generator.port) as address:
            session, responses, error = talk(runner, spending(address))
            cost, prices = told(address, "/api/cost"), told(address, "/api/prices")
        with spending_server(tmp_path, generator.port) as address:
            later = talk(runner, trying(address))
        runner.run(listening.aclose())

    assert (session["usd"], session["budget_usd"], session["prices"]) == (0.0, 0.0025, "2026-12-01")
    assert [response["vivavoce"]["cost"]["usd"] for response in responses] == [COST_USD] * 3
    assert responses[-1]["vivavoce"]["cost"]["session"]["usd"] == 3 * COST_USD
    assert error["code"] == error["type"] == later["code"] == "insufficient_quota"
    assert (cost["usd"], cost["responses"]) == (3 * COST_USD, 3)
    assert cost["budget"]["remaining_usd"] == 0.0
    assert [one["model"] for one in cost["models"]] == ["brain"]
    assert "brain" in [one["model"] for one in prices["data"]]
    assert len(generator.requests) == 3
