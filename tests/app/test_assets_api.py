"""Fetching optional assets over REST: started once, followed, cancelled, and ended with the server."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import pytest

from tests.app.serving import MODELS, Answer, ask_json
from tests.transports.echo_host import EchoHost
from tests.transports.peers import run
from vivavoce.app.assets_api import FetchDesk
from vivavoce.app.engines_api import Backstage, PipelineCard, StageCard
from vivavoce.app.server import AppSettings, Server, build_app
from vivavoce.assets.errors import AssetError
from vivavoce.assets.optional import OptionalAsset, OptionalProgress, Report

SIZE_BYTES = 1_000


def asset(name: str, **changes: Any) -> OptionalAsset:  # Any: values of the fields that differ
    fields = {"title": "Better speech", "size_bytes": SIZE_BYTES, "licence": "MIT", "source": "models 1.0"}
    return OptionalAsset(name=name, **{**fields, "state": "absent", **changes})


class HandFed:
    """Assets whose fetches stand still until the test moves them."""

    def __init__(self) -> None:
        ready = asset("ready", state="ready", bytes_done=SIZE_BYTES)
        self.assets = {one.name: one for one in (asset("speech"), asset("turns"), ready)}
        self.calls: list[str] = []
        self.is_ended = False
        self._report: Report = lambda progress: None
        self._outcome: asyncio.Future[None] | None = None

    def list(self) -> tuple[OptionalAsset, ...]:
        return tuple(self.assets.values())

    async def fetch(self, name: str, on_progress: Report | None = None) -> OptionalAsset:
        assert on_progress is not None
        self.calls.append(name)
        self._report, self._outcome = on_progress, asyncio.get_running_loop().create_future()
        try:
            await self._outcome
        except AssetError as error:
            self.assets[name] = asset(name, state="failed", reason=str(error))
            raise
        finally:
            self.is_ended = True
        self.assets[name] = asset(name, state="ready", bytes_done=SIZE_BYTES)
        return self.assets[name]

    def progress(self, bytes_done: int) -> None:
        self._report(OptionalProgress(self.calls[-1], "model.bin", bytes_done, SIZE_BYTES))

    def finish(self) -> None:
        assert self._outcome is not None
        self._outcome.set_result(None)

    def fail(self, error: Exception) -> None:
        assert self._outcome is not None
        self._outcome.set_exception(error)


Ask = Callable[[str], Coroutine[Any, Any, Answer]]  # Any: what a coroutine is sent


@contextlib.asynccontextmanager
async def offering(assets: HandFed, key: str | None = None, server_key: str | None = None) -> AsyncIterator[Ask]:
    """Serve the assets; gives what asks with `key`, by the request line without its version."""
    settings = AppSettings(port=0, api_keys=() if server_key is None else (server_key,))
    backstage = Backstage(pipelines=lambda: (PIPELINE,), desk=FetchDesk(assets))
    server = Server(settings, build_app(settings, EchoHost(), MODELS, dict, backstage=backstage))
    bound: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(server.run_until_stopped(lambda address, port: bound.set_result(port)))
        port = await bound
        try:
            yield lambda line: ask_json(port, line, key=key)
        finally:
            server.request_stop()


PIPELINE = PipelineCard(
    name="embedded",
    models=("vivavoce-local",),
    is_default=True,
    stages=(StageCard(job="stt", name="pocketsphinx", note="Mishears."),),
)


async def state_of(ask: Ask, name: str) -> tuple[str, int, str]:
    listed = (await ask("GET /api/assets")).json["data"]
    card = next(card for card in listed if card["name"] == name)
    return card["state"], card["bytes_done"], card["reason"]


def test_the_list_tells_name_size_licence_and_state() -> None:
    async def scenario() -> Answer:
        async with offering(HandFed()) as ask:
            return await ask("GET /api/assets")

    answer = run(scenario())

    assert answer.status == 200
    assert answer.headers["cache-control"] == "no-store"
    assert answer.json["data"][0] == {
        "object": "asset",
        "name": "speech",
        "title": "Better speech",
        "licence": "MIT",
        "source": "models 1.0",
        "size_bytes": SIZE_BYTES,
        "bytes_done": 0,
        "state": "absent",
        "reason": "",
    }


def test_a_fetch_asked_for_twice_runs_once_and_shows_its_progress() -> None:
    assets = HandFed()

    async def scenario() -> list[Any]:
        async with offering(assets) as ask:
            answers = [await ask("POST /api/assets/speech/fetch") for _ in range(2)]
            assets.progress(400)
            running = await state_of(ask, "speech")
            assets.finish()
            done = await ask("POST /api/assets/speech/fetch")
            return [*(answer.status for answer in answers), answers[0].json["state"], running, done.json["state"]]

    assert run(scenario()) == [202, 202, "fetching", ("fetching", 400, ""), "ready"]
    assert assets.calls == ["speech"]


def test_only_one_asset_is_fetched_at_a_time() -> None:
    assets = HandFed()

    async def scenario() -> tuple[Answer, Answer]:
        async with offering(assets) as ask:
            await ask("POST /api/assets/speech/fetch")
            refused = await ask("POST /api/assets/turns/fetch")
            await ask("DELETE /api/assets/speech/fetch")
            return refused, await ask("POST /api/assets/turns/fetch")

    refused, later = run(scenario())

    assert (refused.status, refused.error["code"]) == (409, "fetch_in_progress")
    assert "speech" in refused.error["message"]
    assert later.json["state"] == "fetching"


def test_a_failed_fetch_tells_its_reason_until_the_next_one() -> None:
    assets = HandFed()

    async def scenario() -> list[Any]:
        async with offering(assets) as ask:
            await ask("POST /api/assets/speech/fetch")
            assets.fail(AssetError("No package index answers."))
            failed = await state_of(ask, "speech")
            await ask("POST /api/assets/speech/fetch")
            return [failed, await state_of(ask, "speech")]

    assert run(scenario()) == [("failed", 0, "No package index answers."), ("fetching", 0, "")]
    assert assets.calls == ["speech", "speech"]


def test_a_cancelled_fetch_has_ended_when_the_answer_comes() -> None:
    assets = HandFed()

    async def scenario() -> list[Any]:
        async with offering(assets) as ask:
            await ask("POST /api/assets/speech/fetch")
            cancelled = await ask("DELETE /api/assets/speech/fetch")
            again = await ask("DELETE /api/assets/speech/fetch")
            return [cancelled.status, cancelled.json["state"], assets.is_ended, again.status]

    assert run(scenario()) == [200, "absent", True, 200]


def test_a_fetch_ends_with_the_server() -> None:
    assets = HandFed()

    async def scenario() -> None:
        async with offering(assets) as ask:
            await ask("POST /api/assets/speech/fetch")

    run(scenario())

    assert assets.is_ended


def test_a_fetch_outlives_the_connection_that_asked_for_it() -> None:
    assets = HandFed()

    async def scenario() -> tuple[str, int, str]:
        async with offering(assets) as ask:
            await ask("POST /api/assets/speech/fetch")  # each question has a connection of its own, which it drops
            return await state_of(ask, "speech")

    assert run(scenario()) == ("fetching", 0, "")


@pytest.mark.parametrize("method", ["POST", "DELETE"])
def test_an_asset_nobody_knows_is_not_found(method: str) -> None:
    async def scenario() -> Answer:
        async with offering(HandFed()) as ask:
            return await ask(f"{method} /api/assets/other/fetch")

    answer = run(scenario())

    assert (answer.status, answer.error["code"], answer.error["param"]) == (404, "asset_not_found", "name")


@pytest.mark.parametrize("line", ["GET /api/assets", "POST /api/assets/speech/fetch", "GET /api/engines"])
def test_engines_and_assets_need_the_key_of_the_server(line: str) -> None:
    assets = HandFed()

    async def scenario() -> tuple[int, int]:
        async with offering(assets, server_key="sk-good") as stranger, offering(assets, "sk-good", "sk-good") as owner:
            return (await stranger(line)).status, (await owner(line)).status

    refused, admitted = run(scenario())

    assert refused == 401
    assert admitted in (200, 202)


def test_the_engines_are_listed_with_their_notes() -> None:
    async def scenario() -> Any:
        async with offering(HandFed()) as ask:
            return (await ask("GET /api/engines")).json

    assert run(scenario())["data"] == [
        {
            "object": "engine",
            "name": "embedded",
            "models": ["vivavoce-local"],
            "is_default": True,
            "stages": [{"job": "stt", "name": "pocketsphinx", "note": "Mishears."}],
        }
    ]
