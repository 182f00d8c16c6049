"""What sessions have spent, and the budget that the sessions of a key share."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vivavoce.config.prices import ModelPrices, PriceList, Rates
from vivavoce.core.ledger import Budget, DayTotals
from vivavoce.core.prices import NANO
from vivavoce.core.spending import PaidModels, SessionSpending, Speech, SpendingBook
from vivavoce.protocol.responses import InputTokenDetails, Usage
from vivavoce.protocol.server_events import DurationUsage

# A token in costs one nano-dollar, one out two; a response costs 1,000 + 2 x 100 at most.
TOY = ModelPrices(
    as_of="2026-12-01",
    source="test",
    rates=Rates(text_input=1_000_000, text_output=2_000_000),
    context_tokens=1_000,
    max_output_tokens=100,
)
MOST = 1_200
EAR = ModelPrices(as_of="2026-12-01", source="test", rates=Rates(per_minute=600))
VOICE = ModelPrices(as_of="2026-12-01", source="test", rates=Rates(per_million_characters=1_000_000))
PRICES = PriceList("2026-12-01", {"toy": TOY, "ear": EAR, "voice": VOICE})
PAID = PaidModels(generator="toy")
MIDDAY = 1_800_014_400  # unix seconds of a noon in UTC
NOW = 50.0


def book(limit: int = 0, reserve: int = 0) -> SpendingBook:
    made = SpendingBook(PRICES, Budget(limit, reserve))
    made.clock.set(MIDDAY, NOW)
    return made


def opened(shared: SpendingBook, key: str = "key", models: PaidModels = PAID) -> SessionSpending:
    return shared.session(key, NOW, models)


def usage(tokens_in: int = 0, tokens_out: int = 0, cached: int = 0) -> Usage:
    details = InputTokenDetails(text_tokens=tokens_in, cached_tokens=cached)
    return Usage(input_tokens=tokens_in, output_tokens=tokens_out, input_token_details=details)


def spend(session: SessionSpending, nano: int, now: float = NOW) -> None:
    """Have a response that costs this much."""
    session.begin("resp", now)
    session.charge("resp", "toy", usage(nano), now)


# A session ------------------------------------------------------------------------------------------------------


def test_a_session_tells_what_it_has_cost() -> None:
    session = opened(book(limit=NANO))
    session.begin("resp_1", NOW)

    cost_usd = session.charge("resp_1", "toy", usage(700, 50, cached=350), NOW + 30)

    assert cost_usd == 800 / NANO
    report = session.report(NOW + 60)
    assert (report.usd, report.responses, report.cached_share) == (800 / NANO, 1, 0.5)
    assert report.usd_per_min == round(800 / NANO, 6)
    assert (report.budget_usd, report.spent_usd) == (1.0, 800 / NANO)
    assert (report.prices, report.unpriced) == ("2026-12-01", ())


def test_without_a_budget_none_is_told() -> None:
    report = opened(book()).report(NOW)

    assert (report.budget_usd, report.spent_usd) == (None, None)


def test_a_model_without_a_price_is_named_and_costs_nothing() -> None:
    session = opened(book(limit=1), models=PaidModels(generator="other"))
    session.begin("resp_1", NOW)

    assert session.charge("resp_1", "other", usage(10**9), NOW) == 0.0

    assert session.report(NOW).unpriced == ("other",)
    assert session.admit(NOW) is None


def test_models_of_this_machine_cost_nothing_and_are_not_unpriced() -> None:
    shared = book(limit=1)
    session = opened(shared, models=PaidModels())
    session.begin("resp_1", NOW)

    assert session.charge("resp_1", None, usage(100, 10), NOW) == 0.0

    assert session.report(NOW).unpriced == ()
    assert list(shared.ledger("key", NOW).totals(NOW).models) == ["local"]


def test_speech_and_transcriptions_count() -> None:
    session = opened(book(), models=PaidModels(transcriber="ear", synthesizer="voice"))

    heard_usd = session.charge_transcription("ear", DurationUsage(seconds=6.0), NOW)
    spoken_usd = session.charge("resp_1", None, Usage(), NOW, Speech("voice", 40, 3_000))

    assert (heard_usd, spoken_usd) == (60 / NANO, 40 / NANO)
    assert session.report(NOW).usd == 100 / NANO


# Unknown usage --------------------------------------------------------------------------------------------------


def test_a_response_of_unknown_usage_counts_as_the_dearest_of_its_session() -> None:
    session = opened(book(limit=NANO))
    spend(session, 300)
    spend(session, 200)
    session.begin("resp_3", NOW)

    assert session.charge("resp_3", "toy", None, NOW) == 300 / NANO


def test_a_first_response_of_unknown_usage_counts_as_what_was_reserved() -> None:
    session = opened(book(limit=NANO))
    session.begin("resp_1", NOW)

    assert session.charge("resp_1", None, None, NOW) == MOST / NANO


def test_a_session_that_ends_leaves_nothing_reserved_and_nothing_unpaid() -> None:
    shared = book(limit=2 * MOST)
    leaving, staying = opened(shared), opened(shared)
    leaving.begin("resp_1", NOW)
    leaving.expect()

    leaving.close(NOW)
    leaving.close(NOW)

    assert shared.ledger("key", NOW).totals(NOW).nano == MOST
    staying.begin("resp_1", NOW)
    assert staying.admit(NOW) is not None  # MOST spent and MOST reserved make the limit
    staying.charge("resp_1", "toy", usage(1), NOW)
    assert staying.admit(NOW) is None


# The budget -----------------------------------------------------------------------------------------------------


def test_a_spent_budget_refuses_in_words_that_clients_know() -> None:
    session = opened(book(limit=1_000))
    spend(session, 1_000)

    refusal = session.admit(NOW)

    assert refusal is not None
    assert refusal.startswith("You exceeded your current quota: ")
    assert "0.000001 of 0.000001 USD are spent" in refusal
    assert "00:00 UTC" in refusal


def test_near_the_limit_one_response_runs_at_a_time() -> None:
    shared = book(limit=2 * MOST)
    one, other = opened(shared), opened(shared)
    one.begin("resp_1", NOW)
    assert other.admit(NOW) is None  # one reserve is below the limit
    other.begin("resp_1", NOW)

    assert one.admit(NOW) is not None

    other.charge("resp_1", "toy", usage(500), NOW)
    assert one.admit(NOW) is None
    one.charge("resp_1", "toy", usage(1_000), NOW)
    one.begin("resp_2", NOW)
    assert other.admit(NOW) is not None  # 1,500 spent, 1,200 reserved
    one.charge("resp_2", "toy", usage(1), NOW)
    assert other.admit(NOW) is None


def test_what_was_asked_for_elsewhere_counts_before_it_begins() -> None:
    shared = book(limit=MOST)
    one, other = opened(shared), opened(shared)

    one.expect()
    assert other.admit(NOW) is not None
    one.begin("resp_1", NOW)
    assert other.admit(NOW) is not None
    one.charge("resp_1", "toy", usage(1), NOW)
    assert other.admit(NOW) is None
    one.expect()
    one.unexpect()
    assert other.admit(NOW) is None


def test_a_configured_reserve_takes_the_place_of_the_largest_response() -> None:
    shared = book(limit=1_000, reserve=100)
    sessions = [opened(shared) for _ in range(9)]

    for session in sessions:
        assert session.admit(NOW) is None
        session.begin("resp_1", NOW, rounds=8)

    assert shared.ledger("key", NOW).refusal(NOW) is None
    sessions[0].begin("resp_2", NOW)
    assert shared.ledger("key", NOW).refusal(NOW) is not None


def test_a_response_of_several_rounds_is_reserved_for_in_full() -> None:
    shared = book(limit=3 * MOST)
    session = opened(shared)

    session.begin("resp_1", NOW, rounds=2)
    assert session.admit(NOW) is None
    session.begin("resp_2", NOW)

    assert session.admit(NOW) is not None


def test_other_keys_have_budgets_of_their_own() -> None:
    shared = book(limit=100)
    spend(opened(shared, "one"), 100)

    assert opened(shared, "one").admit(NOW) is not None
    assert opened(shared, "two").admit(NOW) is None


def test_transcriptions_end_with_the_budget() -> None:
    shared = book(limit=100)
    session = opened(shared, models=PaidModels(transcriber="ear"))

    assert session.admit_transcription(NOW) is None
    session.charge_transcription("ear", DurationUsage(seconds=10), NOW)

    assert session.admit_transcription(NOW) is not None
    assert session.admit(NOW) is None  # its answers cost nothing
    assert opened(shared, models=PaidModels()).admit_transcription(NOW) is None


def test_a_new_day_of_utc_has_a_new_budget() -> None:
    shared = book(limit=100)
    session = opened(shared)
    spend(session, 100)
    midnight = NOW + 12 * 3600

    assert session.admit(midnight - 1) is not None
    assert session.admit(midnight) is None
    assert session.report(midnight).usd == 100 / NANO


def test_a_wall_clock_that_tells_whole_seconds_does_not_move_the_day_to_and_fro() -> None:
    shared = book(limit=100)
    session = opened(shared)
    midnight = NOW + 12 * 3600
    spend(session, 100, midnight + 0.1)

    shared.clock.set(MIDDAY + 12 * 3600 - 1, midnight + 0.2)

    assert session.admit(midnight + 0.3) is not None


def test_a_wall_clock_that_was_set_is_followed() -> None:
    shared = book(limit=100)
    session = opened(shared)
    spend(session, 100)

    shared.clock.set(MIDDAY + 86_400, NOW)

    assert session.admit(NOW) is None


def test_minutes_are_those_of_this_day() -> None:
    shared = book()
    session = opened(shared)
    ledger, midnight = shared.ledger("key", NOW), NOW + 12 * 3600

    assert ledger.session_ms(NOW + 60) == 60_000
    assert ledger.session_ms(midnight + 30) == 30_000
    session.close(midnight + 90)
    assert ledger.session_ms(midnight + 3600) == 90_000


# All keys -------------------------------------------------------------------------------------------------------


def test_what_was_kept_goes_on_after_a_restart() -> None:
    before = book(limit=100)
    spend(opened(before), 100)
    after = book(limit=100)

    after.restore(before.snapshot(NOW))

    assert opened(after).admit(NOW) is not None
    assert after.snapshot(NOW)["key"].models == before.snapshot(NOW)["key"].models


def test_what_was_kept_of_another_day_is_over() -> None:
    after = book(limit=100)

    after.restore({"key": DayTotals(day=3, nano=100)})

    assert opened(after).admit(NOW) is None
    assert after.snapshot(NOW) == {}


def test_ledgers_do_not_share_their_models() -> None:
    shared = book()
    spend(opened(shared, "one"), 5)

    assert shared.ledger("two", NOW).totals(NOW).models == {}


# The promise: never exceeded by more than one response ----------------------------------------------------------

SESSIONS = 5
steps = st.one_of(
    st.tuples(st.just("ask"), st.integers(0, SESSIONS - 1), st.integers(1, 3)),
    st.tuples(st.just("end"), st.integers(0, SESSIONS - 1), st.integers(0, MOST)),
    st.tuples(st.just("lose"), st.integers(0, SESSIONS - 1), st.just(0)),
    st.tuples(st.just("leave"), st.integers(0, SESSIONS - 1), st.just(0)),
)


@given(st.integers(1, 10_000), st.lists(steps, max_size=200))
def test_a_budget_is_never_exceeded_by_more_than_one_response(limit: int, taken: list[Any]) -> None:
    """Sessions ask, end, lose their upstream and leave in any order; every response costs at most what it may."""
    shared = book(limit=limit)
    sessions = [opened(shared) for _ in range(SESSIONS)]
    running: list[dict[str, int]] = [{} for _ in range(SESSIONS)]  # response -> generations that it has
    largest = number = 0
    for what, index, value in taken:
        session = sessions[index]
        if what == "ask" and session.admit(NOW) is None:
            number += 1
            running[index][f"resp_{number}"] = value
            session.begin(f"resp_{number}", NOW, rounds=value)
        elif what in ("end", "lose") and running[index]:
            response_id, rounds = running[index].popitem()
            given_usage = None if what == "lose" else usage(value * rounds)
            largest = max(largest, round(session.charge(response_id, "toy", given_usage, NOW) * NANO))
        elif what == "leave":
            largest = max([largest, *(rounds * MOST for rounds in running[index].values())])
            session.close(NOW)
            sessions[index], running[index] = opened(shared), {}
        assert shared.ledger("key", NOW).totals(NOW).nano < limit + max(largest, 1)


@pytest.mark.parametrize("limit", [1, 500, MOST, 5 * MOST])
def test_a_budget_can_be_spent_to_the_end(limit: int) -> None:
    shared = book(limit=limit)
    sessions = [opened(shared) for _ in range(SESSIONS)]

    for index in range(10_000):
        session = sessions[index % SESSIONS]
        if session.admit(NOW) is not None:
            break
        spend(session, 7)

    assert limit <= shared.ledger("key", NOW).totals(NOW).nano < limit + 7
