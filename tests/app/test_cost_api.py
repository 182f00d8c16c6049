"""`GET /api/cost` and `GET /api/prices`: what the caller's own key has spent, and what models cost."""

from pathlib import Path

import msgspec
import pytest

from tests.app.serving import Answer, ask, serving
from tests.transports.echo_host import EchoHost
from tests.transports.peers import run
from vivavoce.app.authentication import credential_id
from vivavoce.app.server import SYSTEM_CLOCK, AppSettings
from vivavoce.config.prices import load_prices
from vivavoce.core.ledger import Budget
from vivavoce.core.prices import NANO
from vivavoce.core.spending import PaidModels, SpendingBook
from vivavoce.protocol.responses import InputTokenDetails, Usage
from vivavoce.store.credentials import KeyFile

MODEL = "gpt-realtime"
USAGE = Usage(
    input_tokens=1_000, output_tokens=100, input_token_details=InputTokenDetails(text_tokens=1_000, cached_tokens=500)
)


class CountingHost(EchoHost):
    """A host of sessions that cost something."""

    def __init__(self, limit: int = 0) -> None:
        super().__init__()
        self.spending = SpendingBook(load_prices(), Budget(limit))

    def spend(self, key: str | None, *models: str) -> None:
        """Have a session with a response of each of these models, which has ended."""
        now = SYSTEM_CLOCK.monotonic_s()
        self.spending.clock.set(SYSTEM_CLOCK.unix_s(), now)
        session = self.spending.session(key, now - 30, PaidModels())
        for number, model in enumerate(models):
            session.charge(f"resp_{number}", model, USAGE, now)
        session.close(now)


def answered(host: EchoHost, *headers: str, path: str = "/api/cost", settings: AppSettings | None = None) -> Answer:
    async def scenario() -> Answer:
        async with serving(host, settings or AppSettings(api_keys=("sk-good", "sk-other"))) as port:
            return await ask(port, "\r\n".join([f"GET {path} HTTP/1.1", *headers]))

    return run(scenario())


def test_a_key_sees_what_it_has_spent() -> None:
    host = CountingHost(limit=NANO)
    key = credential_id(["sk-good"])
    host.spend(key, MODEL, "other-model")

    answer = answered(host, "Authorization: Bearer sk-good")

    assert answer.status == 200
    assert answer.headers["cache-control"] == "no-store"
    told = answer.json
    cost = (500 * 4 + 500 * 0.4 + 100 * 16) / 1e6
    assert (told["key"], told["name"], told["usd"], told["responses"]) == (key, None, cost, 2)
    assert told["budget"]["usd"] == 1.0
    assert told["budget"]["remaining_usd"] == pytest.approx(1.0 - cost)
    assert 0 < told["budget"]["resets_at"] - SYSTEM_CLOCK.unix_s() <= 86_400
    assert told["cached_share"] == 0.5
    assert told["session_min"] <= 0.5  # less where the day has just begun
    assert [(one["model"], one["usd"], one["is_priced"]) for one in told["models"]] == [
        (MODEL, cost, True),
        ("other-model", 0.0, False),
    ]
    assert told["prices"] == load_prices().as_of


def test_a_key_does_not_see_what_others_have_spent() -> None:
    host = CountingHost()
    host.spend(credential_id(["sk-other"]), MODEL)

    told = answered(host, "Authorization: Bearer sk-good").json

    assert (told["usd"], told["responses"], told["models"], told["budget"]) == (0.0, 0, [], None)


def test_a_key_of_the_key_file_has_its_name(tmp_path: Path) -> None:
    made = KeyFile(tmp_path / "keys.json").create("kitchen", 1_700_000_000)

    answer = answered(
        CountingHost(),
        f"Authorization: Bearer {made.text}",
        settings=AppSettings(key_file=tmp_path / "keys.json"),
    )

    assert answer.json["name"] == "kitchen"


def test_where_no_key_is_demanded_all_share_one_account() -> None:
    host = CountingHost()

    async def scenario() -> Answer:
        async with serving(host, AppSettings()) as port:
            host.spend("one", MODEL)
            host.spend(None, MODEL)
            return await ask(port, "GET /api/cost HTTP/1.1\r\nAuthorization: Bearer sk-any")

    told = run(scenario()).json

    assert (told["key"], told["responses"]) == (None, 2)


@pytest.mark.parametrize("path", ["/api/cost", "/api/prices"])
def test_who_has_no_key_is_refused(path: str) -> None:
    assert answered(CountingHost(), path=path).status == 401


def test_the_prices_are_those_of_the_list() -> None:
    answer = answered(CountingHost(), "Authorization: Bearer sk-good", path="/api/prices")

    told = answer.json
    prices = load_prices()
    assert (told["currency"], told["as_of"]) == ("USD", prices.as_of)
    listed = {one["model"]: one for one in told["data"]}
    assert set(listed) == set(prices.models)
    assert listed[MODEL]["usd"]["audio_input"] == 32.0
    assert "per_minute" not in listed[MODEL]["usd"]
    assert listed["gpt-realtime-whisper"]["usd"] == {"per_minute": 0.017}
    assert msgspec.convert(listed[MODEL]["context_tokens"], int) == 32_000


def test_a_server_that_knows_nothing_of_costs_tells_that_nothing_was_spent() -> None:
    told = answered(EchoHost(), "Authorization: Bearer sk-good").json

    assert (told["usd"], told["responses"]) == (0.0, 0)
