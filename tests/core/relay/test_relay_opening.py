"""How a relayed session is opened, and what becomes of what the client sends before."""

import json
from collections.abc import Callable

from tests.core.relay.relayed import TIME, Json, Relayed, opened
from vivavoce.core.relay.links import BACKOFF_S
from vivavoce.core.vocabulary import ClientRejected, DeadlineReason
from vivavoce.protocol.errors import ErrorDetail

SECRET = {"instructions": "Be kind.", "audio": {"output": {"voice": "cedar", "speed": 1.1}}}


def test_a_session_is_greeted_with_its_own_id_and_end() -> None:
    relayed = opened(lifetime_s=600.0)

    assert relayed.types() == ["session.created"]
    session = relayed.events[0]["session"]
    assert (session["id"], session["expires_at"]) == ("sess_1", 1_800_000_600)
    assert session["model"] == "gpt-realtime"
    assert session["vivavoce"]["engine"] == "upstream"


def test_without_a_configuration_an_upstream_is_told_nothing() -> None:
    assert opened().peer.received == []


def test_the_configuration_of_a_secret_is_told_before_the_greeting() -> None:
    relayed = opened(configuration=SECRET)

    assert [event["type"] for event in relayed.peer.received] == ["session.update"]
    assert relayed.types() == ["session.created"]
    session = relayed.events[0]["session"]
    assert session["instructions"] == "Be kind."
    assert session["audio"]["output"]["voice"] == "cedar"


def test_the_functions_of_the_server_are_told_and_not_shown() -> None:
    relayed = opened(functions=(TIME,))

    assert [tool["name"] for tool in relayed.peer.session.config["tools"]] == ["get_time"]
    assert relayed.events[0]["session"]["tools"] == []


def test_messages_wait_for_the_greeting_and_keep_their_order() -> None:
    relayed = Relayed()

    relayed.write("one")
    relayed.say({"type": "response.create"})
    assert relayed.events == []
    relayed.settle()

    assert relayed.types()[:4] == [
        "session.created",
        "conversation.item.added",
        "conversation.item.done",
        "response.created",
    ]
    assert relayed.violations() == []


def test_a_message_that_could_not_be_read_is_refused_after_the_greeting() -> None:
    relayed = Relayed()

    relayed.post(ClientRejected(ErrorDetail(type="invalid_request_error", code="invalid_event", message="No event.")))
    assert relayed.events == []
    relayed.settle()

    assert relayed.types() == ["session.created", "error"]


def test_what_an_upstream_says_by_itself_before_the_greeting_comes_after_it() -> None:
    relayed = Relayed(configuration=SECRET)
    relayed.connect()
    relayed.hear(1)

    tools = {"id": "mcpl_1", "type": "mcp_list_tools", "server_label": "docs", "tools": []}
    relayed.hear_event({"type": "conversation.item.added", "previous_item_id": None, "item": tools})
    relayed.hear_event({"type": "mcp_list_tools.in_progress", "item_id": "mcpl_1"})
    assert relayed.events == []
    relayed.settle()

    assert relayed.types() == ["session.created", "conversation.item.added", "mcp_list_tools.in_progress"]


def test_what_an_upstream_says_by_itself_is_not_said_again_by_the_next() -> None:
    relayed = opened(configuration=SECRET)
    relayed.lose()
    relayed.advance(0.0)
    relayed.connect()
    relayed.hear(2)
    since = relayed.here

    tools = {"id": "mcpl_2", "type": "mcp_list_tools", "server_label": "docs", "tools": []}
    relayed.hear_event({"type": "conversation.item.added", "previous_item_id": None, "item": tools})
    relayed.settle()
    relayed.hear_event({"type": "mcp_list_tools.completed", "item_id": "mcpl_2"})
    relayed.hear_event({"type": "conversation.item.done", "previous_item_id": None, "item": tools})
    relayed.write("hi")
    relayed.settle()

    assert relayed.types(since) == ["conversation.item.added", "conversation.item.done"]
    assert relayed.events[since]["previous_item_id"] is None


def test_fields_that_an_upstream_refuses_are_told_once_and_the_others_hold() -> None:
    relayed = Relayed(configuration={**SECRET, "output_modalities": ["audio"]})
    relayed.connect()
    relayed.hear(1)

    refuse(relayed, lambda session: True)
    refuse(relayed, lambda session: "voice" in session.get("audio", {}).get("output", {}))
    relayed.settle()

    assert relayed.types() == ["session.created", "error"]
    error = relayed.events[1]["error"]
    assert (error["type"], error["code"]) == ("server_error", "upstream_refused_configuration")
    assert error["message"] == "The upstream does not take session.audio.output.voice."
    assert relayed.peer.session.config["instructions"] == "Be kind."
    assert relayed.peer.session.config["audio"]["output"]["speed"] == 1.1


def test_an_upstream_that_does_not_take_what_is_locked_is_not_used() -> None:
    relayed = Relayed(configuration={"instructions": "Be kind."}, locked=("instructions",))
    relayed.connect()
    relayed.hear(1)

    refuse(relayed, lambda session: True)
    refuse(relayed, lambda session: True)

    assert relayed.types() == ["error"]
    assert relayed.close_code() == 1011


def refuse(relayed: Relayed, is_refused: Callable[[Json], bool]) -> None:
    """Have the newest upstream refuse the updates that are under way to it, of these sessions."""
    waiting, relayed.peer.to_upstream = list(relayed.peer.to_upstream), type(relayed.peer.to_upstream)()
    for message in waiting:
        event = json.loads(message)
        if is_refused(event["session"]):
            error = {"type": "invalid_request_error", "code": "invalid_value", "message": "No.", "param": None}
            relayed.hear_event({"type": "error", "error": {**error, "event_id": event["event_id"]}})
        else:
            relayed.peer.session.receive(event)


def test_an_upstream_that_cannot_be_reached_is_tried_again_after_longer_and_longer_times() -> None:
    relayed = Relayed(retry_s=12.0)
    relayed.fail_next("refused", 99)

    times = []
    while relayed.close_code() is None:
        relayed.connect()
        deadline = relayed.session.next_deadline()
        if relayed.close_code() is None and deadline is not None:
            assert deadline.reason is DeadlineReason.UPSTREAM_RETRY
            times.append(round(deadline.at - relayed.now, 2))
            relayed.advance(times[-1])

    assert times == [*BACKOFF_S, 4.0]
    assert relayed.types() == ["error"]
    assert relayed.events[0]["error"]["code"] == "upstream_unavailable"
    assert relayed.close_code() == 1013


def test_a_limit_of_requests_is_waited_for_if_it_fits() -> None:
    relayed = Relayed()
    relayed.fail_next("rate_limited", retry_after_s=20.0)

    relayed.connect()
    relayed.advance(19.9)
    assert len(relayed.peers) == 1
    relayed.advance(0.1)
    relayed.settle()

    assert relayed.types() == ["session.created"]


def test_a_limit_of_requests_that_lasts_too_long_ends_the_session() -> None:
    relayed = Relayed()
    relayed.fail_next("rate_limited", retry_after_s=31.0)

    relayed.connect()

    assert relayed.events[0]["error"]["code"] == "rate_limit_exceeded"
    assert relayed.close_code() == 1013


def test_a_key_that_is_not_accepted_is_not_tried_again_but_the_next_target_is() -> None:
    relayed = Relayed(targets=("first", "second"))
    relayed.fail_next("unauthorized")

    relayed.settle()

    assert [peer.target for peer in relayed.peers.values()] == [0, 1]
    assert relayed.events[0]["session"]["vivavoce"]["engine"] == "second"


def test_an_upstream_that_says_nothing_is_left_after_a_time() -> None:
    relayed = Relayed(connect_s=3.0, retry_s=2.0)

    relayed.advance(30.0)

    assert relayed.is_left(1)
    assert relayed.events[0]["error"]["code"] == "upstream_timeout"


def test_an_error_in_place_of_a_greeting_says_why_there_is_none() -> None:
    relayed = Relayed()
    relayed.connect()

    error = {"type": "invalid_request_error", "code": "model_not_found", "message": "x", "param": None}
    relayed.hear_event({"type": "error", "error": {**error, "event_id": None}})

    assert relayed.events[0]["error"]["code"] == "model_not_found"
    assert relayed.close_code() == 1011
