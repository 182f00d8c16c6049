"""The clients that people use, unchanged: each holds the same conversation by its own public interface.

A program for each client (`NAME/`) writes, speaks, has a function called, interrupts, and makes a mistake; it prints
what its client told it. Here that is held against what passed on the wire.
"""

import asyncio
import json
import re
from pathlib import Path

import pytest
from pydantic import ValidationError

from tests.clients.conftest import Recordings, Running
from tests.clients.environments import InstallFailed
from tests.clients.programs import CLIENTS, Client, Json, Run, run_program
from tests.e2e.talking import said
from tests.require import require
from tests.web.browser import require_browser
from vivavoce.testing.conformance import OrderChecker, check_types

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "guides" / "clients.md"
SECOND_BYTES = 48_000  # of pcm16 at 24 kHz

pytestmark = pytest.mark.timeout(400)  # the first run installs the client


WAYS = ("", "relay_")  # to the server that answers, or to one that relays to it


@pytest.fixture(
    scope="module",
    params=[(way, client) for way in WAYS for client in CLIENTS],
    ids=lambda way_and_client: f"{way_and_client[0]}{way_and_client[1].label}",
)
def run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """What one client's program did, run once for all tests."""
    way, client = request.param
    assert isinstance(client, Client)
    if client.is_browser:
        require_browser()
    recordings: Recordings = request.getfixturevalue("recordings")
    page_url: str = request.getfixturevalue("page_url")
    server: Running = request.getfixturevalue(f"{way}tls_server" if client.is_tls else f"{way}server")
    try:
        done = asyncio.run(run_program(client, server, recordings, page_url, tmp_path_factory.mktemp("client")))
    except InstallFailed as failure:
        require(False, f"the packages of a stock client ({failure})")
        raise
    print(f"{way}{client.label} {done.found['version']}: {done.took_s:.1f} s")  # `pytest -s` shows it, for the guide
    return done


def test_a_written_message_is_answered_aloud(run: Run) -> None:
    text = run.found["text"]

    assert text["answer"] == "You said: Hello there."
    assert text["audio_bytes"] >= SECOND_BYTES
    assert text.get("status", "completed") == "completed"


def test_a_spoken_question_is_heard_and_answered_aloud(run: Run) -> None:
    spoken = run.found["spoken"]

    assert "twelve times seven" in said(spoken["heard"])
    assert "eighty four" in said(spoken["answer"])
    assert spoken["audio_bytes"] >= SECOND_BYTES


def test_a_function_is_called_and_its_output_is_told(run: Run) -> None:
    tool = run.found["tool"]

    assert tool["arguments"] == {"city": "Paris"}
    assert tool["answer"] == "The service says: sunny in Paris"
    assert tool.get("calls", ["Paris"]) == ["Paris"]


def test_speech_over_an_answer_cancels_it_and_the_client_stops(run: Run) -> None:
    [cancelled] = [
        event["response"] for event in run.events("<", "response.done") if event["response"]["status"] == "cancelled"
    ]

    assert cancelled["status_details"] == {"type": "cancelled", "reason": "turn_detected"}
    assert deltas_after_done(run, cancelled["id"]) == 0
    assert run.found["barge_in"]["heard_bytes"] > 0
    assert run.found["barge_in"].get("late_bytes", 0) == 0
    [item] = cancelled["output"]
    truncations = [event["item_id"] for event in run.events("<", "conversation.item.truncated")]
    assert truncations == [item["id"]]


def deltas_after_done(run: Run, response_id: str) -> int:
    """Return how many audio deltas of a response came after its end."""
    events = [json.loads(one.message) for one in run.passed if one.direction == "<"]
    ends = [index for index, event in enumerate(events) if event.get("response", {}).get("id") == response_id]
    return sum(
        event["type"] == "response.output_audio.delta" and event["response_id"] == response_id
        for event in events[ends[-1] :]
    )


def test_what_was_said_over_the_answer_is_the_next_turn(run: Run) -> None:
    assert run.found["barge_in"]["next_answer"] == "You said: scripted turn 1"


def test_a_mistake_is_reported_the_clients_way(run: Run) -> None:
    assert run.found["error"] == {
        "code": "item_delete_invalid_item_id",
        "message": "Error deleting item: the item with id 'item_absent' does not exist.",
        "event_id": "my_mistake",
    }


def test_no_other_error_came(run: Run) -> None:
    assert [event["error"]["code"] for event in run.events("<", "error")] == ["item_delete_invalid_item_id"]


def test_every_event_was_valid_and_in_order(run: Run) -> None:
    checkers: dict[int, OrderChecker] = {}
    invalid: list[str] = []
    for one in run.passed:
        event: Json = json.loads(one.message)
        checker = checkers.setdefault(one.connection, OrderChecker())
        if one.direction == ">":
            checker.client(event)
        else:
            checker.server(event)
            invalid += faults(event)

    assert invalid == []
    assert len(checkers) == run.client.connections
    assert [str(violation) for checker in checkers.values() for violation in checker.finish()] == []


def faults(event: Json) -> list[str]:
    try:
        check_types(event)
    except (KeyError, ValidationError) as error:
        return [f"{event.get('type')}: {error}"]
    return []


def test_the_guide_names_the_version_that_was_run(run: Run) -> None:
    rows = re.findall(r"^\| `([^`]+)`([^|]*)\| ([^ |]+) \|", GUIDE.read_text("utf-8"), re.MULTILINE)

    assert (run.client.label, run.found["version"]) in {(name + kind.rstrip(), version) for name, kind, version in rows}
