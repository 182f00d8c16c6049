"""A session whose engines stand for models elsewhere: what its client is told, and what a budget refuses."""

from typing import Any

import msgspec
import pytest
from msgspec import UNSET, UnsetType

from vivavoce.config.prices import ModelPrices, PriceList, Rates
from vivavoce.core.ledger import Budget
from vivavoce.core.policy import SessionPolicy
from vivavoce.core.prices import NANO
from vivavoce.core.rate_limits import RateLimits
from vivavoce.core.session import LocalSession
from vivavoce.core.spending import PaidModels, SpendingBook
from vivavoce.core.state import Profile
from vivavoce.core.vocabulary import (
    AbortTranscript,
    Disconnected,
    FinishTranscript,
    Generate,
    GenerationFinished,
    ListMcpTools,
    McpToolsListed,
    SpeechSynthesized,
    SynthesisFinished,
    TextGenerated,
    ToolCallGenerated,
    TranscriptFinalized,
)
from vivavoce.protocol.errors import ClientError, insufficient_quota
from vivavoce.protocol.extensions import SessionExtension
from vivavoce.protocol.ids import CountingIds
from vivavoce.protocol.items import McpListedTool
from vivavoce.testing.driver import SessionDriver, plain_session

Json = dict[str, Any]
BRAIN = ModelPrices(
    as_of="2026-12-01",
    source="test",
    rates=Rates(text_input=1_000_000, text_output=2_000_000),
    context_tokens=1_000,
    max_output_tokens=100,
)
EAR = ModelPrices(as_of="2026-12-01", source="test", rates=Rates(per_minute=60_000))  # a nano-dollar per ms
VOICE = ModelPrices(as_of="2026-12-01", source="test", rates=Rates(per_million_characters=1_000_000))
PRICES = PriceList("2026-12-01", {"brain": BRAIN, "ear": EAR, "voice": VOICE})
PAID = PaidModels(generator="brain", transcriber="ear", synthesizer="voice")
ASKS: Json = {"vivavoce": {"cost": True}}
SPEECH = [1.0] * 10  # 320 ms
SILENCE = [0.0] * 20


class Account(msgspec.Struct):
    """A session, and the ledgers that it is charged to."""

    driver: SessionDriver
    book: SpendingBook

    @property
    def spent(self) -> int:
        """Nano-dollars of the key."""
        return self.book.ledger("key", self.driver.now).totals(self.driver.now).nano


def opened(
    limit: int = 0,
    paid: PaidModels = PAID,
    book: SpendingBook | None = None,
    extension: SessionExtension | UnsetType = UNSET,
    **policy: Any,
) -> Account:
    book = book or SpendingBook(PRICES, Budget(limit))
    spending = book.session("key", 100.0, paid)
    profile = Profile("realtime", SessionPolicy(**policy), RateLimits(), "Be kind.", spending, paid)
    session = msgspec.structs.replace(plain_session(), vivavoce=extension)
    return Account(SessionDriver(LocalSession.with_profile(session, CountingIds(), profile)), book)


def update(driver: SessionDriver, **session: Any) -> list[Json]:
    return driver.client({"type": "session.update", "session": {"type": "realtime", **session}})


def answer(driver: SessionDriver, text: str = "Yes.", tokens: tuple[int, int] = (500, 20)) -> Json:
    """Ask for a response in text that costs so many tokens; return its `response.done`."""
    driver.client({"type": "response.create", "response": {"output_modalities": ["text"]}})
    response_id = driver.last_generation()
    driver.post(TextGenerated(response_id, text))
    driver.post(GenerationFinished(response_id, input_tokens=tokens[0], output_tokens=tokens[1]))
    return driver.events[-1]


# What is told ---------------------------------------------------------------------------------------------------


def test_who_does_not_ask_is_told_nothing() -> None:
    account = opened(limit=NANO)

    done = answer(account.driver)

    assert account.spent == 540
    assert done["type"] == "response.done"
    assert "vivavoce" not in done["response"]
    assert all("vivavoce" not in event.get("session", {}) for event in account.driver.events)


def test_who_asks_is_told_with_the_session_and_with_every_response() -> None:
    account = opened(limit=NANO)

    (updated,) = update(account.driver, **ASKS)
    done = answer(account.driver)
    account.driver.advance(60.0)
    (again,) = update(account.driver)

    zero = {"usd": 0.0, "usd_per_min": 0.0, "responses": 0, "cached_share": 0.0, "unpriced": []}
    budget = {"budget_usd": 1.0, "spent_usd": 0.0, "prices": "2026-12-01"}
    assert updated["session"]["vivavoce"]["cost"] == {**zero, **budget}
    cost = done["response"]["vivavoce"]["cost"]
    assert cost["usd"] == 540 / NANO
    assert (cost["session"]["usd"], cost["session"]["responses"]) == (540 / NANO, 1)
    assert again["session"]["vivavoce"]["cost"]["usd_per_min"] == round(540 / NANO, 6)


def test_who_asks_no_longer_is_told_no_longer() -> None:
    account = opened()
    update(account.driver, **ASKS)

    (updated,) = update(account.driver, vivavoce={"cost": False})
    done = answer(account.driver)

    assert "vivavoce" not in updated["session"]
    assert "vivavoce" not in done["response"]


def test_an_update_of_something_else_leaves_the_cost_shown() -> None:
    account = opened()
    update(account.driver, **ASKS)

    (updated,) = update(account.driver, vivavoce={"pre_roll_ms": 100})

    assert updated["session"]["vivavoce"]["cost"]["usd"] == 0.0


def test_a_session_on_this_machine_costs_nothing_and_says_so() -> None:
    account = opened(limit=1, paid=PaidModels())
    update(account.driver, **ASKS)

    done = answer(account.driver)

    cost = done["response"]["vivavoce"]["cost"]
    assert (cost["usd"], cost["session"]["responses"], cost["session"]["unpriced"]) == (0.0, 1, [])


def test_cost_can_be_locked() -> None:
    account = opened(extension=SessionExtension(locked=("vivavoce.cost",)))

    (error,) = update(account.driver, **ASKS)

    assert (error["error"]["code"], error["error"]["param"]) == ("parameter_locked", "session.vivavoce.cost")


# What is charged ------------------------------------------------------------------------------------------------


def test_speech_and_what_was_heard_are_charged_with_the_models_of_their_stages() -> None:
    account = opened()
    driver = account.driver
    update(driver, audio={"input": {"turn_detection": {"type": "server_vad", "silence_duration_ms": 320}}})

    driver.hear(*SPEECH, *SILENCE)
    driver.post(TranscriptFinalized(driver.last_finished_transcript(), "hello"))
    heard = account.spent
    response_id = driver.last_generation()
    driver.post(TextGenerated(response_id, "Good day."))
    driver.post(GenerationFinished(response_id, input_tokens=100, output_tokens=5))
    driver.post(SpeechSynthesized(response_id, 0, b"\0" * 4800, 2400, ()))
    driver.post(SynthesisFinished(response_id, 0))

    entry = [event["item"] for event in driver.events if event["type"] == "conversation.item.added"][0]
    assert entry["role"] == "user"
    assert 320 <= heard <= 1_000  # ms of the utterance, each a nano-dollar
    assert account.spent - heard == 100 + 2 * 5 + len("Good day.")


def test_a_cancelled_response_is_charged_for_what_it_has_used() -> None:
    account = opened()
    driver = account.driver
    driver.client({"type": "response.create", "response": {"output_modalities": ["text"]}})
    driver.post(TextGenerated(driver.last_generation(), "A word or two"))

    driver.client({"type": "response.cancel"})

    assert account.spent > 0


def test_a_client_that_leaves_pays_for_what_ran() -> None:
    account = opened()
    driver = account.driver
    driver.client({"type": "response.create", "response": {"output_modalities": ["text"]}})
    driver.post(TextGenerated(driver.last_generation(), "A word or two"))

    driver.post(Disconnected())

    assert account.spent > 0
    assert not account.book.ledger("key", driver.now).is_in_use


def test_a_response_that_was_never_generated_costs_nothing() -> None:
    account = opened(paid=PaidModels(generator="brain"))
    driver = account.driver

    driver.client({"type": "response.create", "response": {"vivavoce": {"say": "Welcome."}}})
    driver.client({"type": "response.cancel"})

    assert account.spent == 0


# What a budget refuses ------------------------------------------------------------------------------------------


def test_a_client_that_has_spent_its_budget_gets_the_error_of_the_api() -> None:
    account = opened(limit=500)
    answer(account.driver)

    events = account.driver.client({"type": "response.create"})

    (error,) = events
    assert error["type"] == "error"
    assert error["error"]["type"] == error["error"]["code"] == "insufficient_quota"
    assert error["error"]["event_id"].startswith("client_")
    assert error["error"]["message"].startswith("You exceeded your current quota")
    assert len(account.driver.asked(Generate)) == 1


def test_no_answer_begins_by_itself_and_one_error_tells() -> None:
    account = opened(limit=10_000, paid=PaidModels(generator="brain"))
    driver = account.driver
    update(driver, audio={"input": {"turn_detection": {"type": "server_vad", "silence_duration_ms": 320}}})
    answer(driver, tokens=(9_000, 1_000))
    before = len(driver.events)

    driver.hear(*SPEECH, *SILENCE)
    driver.post(TranscriptFinalized(driver.last_finished_transcript(), "hello"))
    driver.advance(5.0)

    after = driver.types(driver.events[before:])
    assert after.count("error") == 1
    assert "response.created" not in after
    assert driver.events[-1]["error"]["code"] == "insufficient_quota"
    assert driver.events[-1]["error"]["event_id"] is None


def test_nothing_more_is_transcribed_elsewhere_than_the_budget_allows() -> None:
    account = opened(limit=100, paid=PaidModels(transcriber="ear"))
    driver = account.driver
    update(
        driver,
        audio={
            "input": {
                "transcription": {"model": "whisper-1"},
                "turn_detection": {"type": "server_vad", "silence_duration_ms": 320, "create_response": False},
            }
        },
    )
    driver.hear(*SPEECH, *SILENCE)
    driver.post(TranscriptFinalized(driver.last_finished_transcript(), "hello"))
    assert account.spent >= 320

    driver.hear(*SPEECH, *SILENCE)

    assert len(driver.asked(FinishTranscript)) == 1
    assert len(driver.asked(AbortTranscript)) == 1
    failed = driver.events[-1]
    assert failed["type"] == "conversation.item.input_audio_transcription.failed"
    assert failed["error"]["code"] == "insufficient_quota"


def test_an_approved_call_waits_for_another_approval_when_the_budget_is_spent() -> None:
    account = opened(limit=600, paid=PaidModels(generator="brain"), mcp_hosts=("docs.example",))
    driver = account.driver
    update(driver, tools=[{"type": "mcp", "server_label": "docs", "server_url": "https://docs.example/mcp"}])
    tool = McpListedTool(name="search", input_schema={"type": "object"})
    driver.post(McpToolsListed(driver.asked(ListMcpTools)[-1].item_id, (tool,)))
    driver.client({"type": "response.create", "response": {"output_modalities": ["text"]}})
    response_id = driver.last_generation()
    driver.post(ToolCallGenerated(response_id, "search", "{}"))
    driver.post(GenerationFinished(response_id, input_tokens=600, output_tokens=0))
    request_id = driver.events[-1]["response"]["output"][0]["id"]

    approval = {"type": "mcp_approval_response", "approval_request_id": request_id, "approve": True}
    events = driver.client({"type": "conversation.item.create", "item": approval})
    later = driver.advance(10.0)

    assert driver.types(events).count("error") == 1
    assert "response.created" not in driver.types(events)
    assert later == []


def test_a_session_on_this_machine_goes_on_when_the_budget_of_its_key_is_spent() -> None:
    book = SpendingBook(PRICES, Budget(100))
    answer(opened(book=book).driver)
    local = opened(paid=PaidModels(), book=book)

    done = answer(local.driver)

    assert done["response"]["status"] == "completed"


def test_sessions_of_a_key_share_its_budget() -> None:
    book = SpendingBook(PRICES, Budget(3_000))
    one, other = opened(book=book), opened(book=book)
    one.driver.client({"type": "response.create", "response": {"output_modalities": ["text"]}})

    (error,) = other.driver.client({"type": "response.create"})

    assert error["error"]["code"] == "insufficient_quota"
    assert "what other responses may cost" in error["error"]["message"]


def test_a_refusal_is_an_error_of_its_own_type() -> None:
    with pytest.raises(ClientError) as refused:
        raise insufficient_quota("No more.")

    assert refused.value.with_event_id("e1").detail.type == "insufficient_quota"
