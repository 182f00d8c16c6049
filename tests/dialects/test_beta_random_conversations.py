"""Random conversations of our session through the beta: what its clients rely on, and all of it back."""

import random
from typing import Any

import msgspec
import pytest

from tests.core.conversations import SPOKEN, end, opened, take_client_step, take_engine_step
from tests.dialects.sayable import sayable
from vivavoce.dialects.beta import BetaDialect
from vivavoce.dialects.beta_upstream import BetaUpstream

Json = Any  # JSON boundary
STEPS = 120
SEEDS = range(12)
NOT_SAYABLE = ("input_audio_buffer.timeout_triggered", "input_audio_buffer.dtmf_event_received")


def conversation(seed: int) -> list[Json]:
    """The server's events of the conversation of a seed."""
    choose = random.Random(seed)
    driver = opened(has_limits=False)
    for step in (choose.choice(SPOKEN) for _ in range(choose.randrange(20, STEPS))):
        if not take_client_step(driver, step):
            take_engine_step(driver, step)
    end(driver)
    return driver.events


def through(events: list[Json], translate: Any) -> list[Json]:
    return [msgspec.json.decode(shown) for event in events for shown in translate(msgspec.json.encode(event))]


def meant(events: list[Json]) -> list[Json]:
    """The events without ids, and without what the beta does not say.

    A list of tools is not retold when it is done, and an item that is done stands where it was added, also if the
    one before it was deleted since.
    """
    kept = [sayable(event) for event in events if event["type"] not in NOT_SAYABLE]
    places: dict[str, str | None] = {}
    for event in kept:
        if event["type"] == "conversation.item.added":
            places[event["item"]["id"]] = event["previous_item_id"]
        elif event["type"] == "conversation.item.done":
            event["previous_item_id"] = places[event["item"]["id"]]
            if event["item"]["type"] == "mcp_list_tools":
                event["item"]["tools"] = []
    return [{key: value for key, value in event.items() if key != "event_id"} for event in kept]


@pytest.mark.parametrize("seed", SEEDS)
def test_a_conversation_comes_back_from_the_beta_event_by_event(seed: int) -> None:
    events = conversation(seed)

    ids = [event["response"]["conversation_id"] for event in events if event["type"] == "response.created"]
    dialect = BetaDialect(conversation_id=next(filter(None, ids), None))

    back = through(through(events, dialect.server), BetaUpstream().server)

    assert meant(back) == meant(events)


@pytest.mark.parametrize("seed", SEEDS)
def test_beta_clients_find_every_item_before_it_is_used(seed: int) -> None:
    """openai-realtime-api-beta throws for parts of unknown items; rt-client pairs two events by the item's id."""
    created: set[str] = set()
    out_of_band: set[str] = set()
    opened_id = None

    for event in through(conversation(seed), BetaDialect().server):
        if opened_id is not None and event["type"] == "conversation.item.created":
            assert event["item"]["id"] == opened_id
        opened_id = event["item"]["id"] if event["type"] == "response.output_item.added" else None
        if event["type"] == "response.created" and event["response"]["conversation_id"] is None:
            out_of_band.add(event["response"]["id"])
        if event["type"] == "conversation.item.created":
            assert event["item"]["id"] not in created
            created.add(event["item"]["id"])
        if event["type"] == "conversation.item.deleted":
            created.discard(event["item_id"])
        if event["type"].startswith(("response.content_part", "response.audio", "response.text", "response.function")):
            assert event["item_id"] in created or event["response_id"] in out_of_band
