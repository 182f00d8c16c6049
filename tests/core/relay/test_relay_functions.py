"""Functions of the server, what responses cost, and the end of a session."""

import json

import pytest

from tests.core.relay.relayed import TIME, Json, Relayed, opened
from vivavoce.core.relay.tools import MAX_OPEN_CALLS
from vivavoce.core.vocabulary import Draining
from vivavoce.testing.upstream_hearing import silence, speech
from vivavoce.testing.upstream_replies import Call, Reply, Say, Script

CALL = Reply(outputs=(Call("get_time"),))
MIXED = Reply(outputs=(Call("get_time"), Say("A moment."), Call("look_up", '{"city":"Paris"}')))
HELD = Reply(outputs=(Say("One two three."),), hold_after=2)


def called(reply: Reply = CALL) -> Relayed:
    """Return a session in which the model has called a function of the server."""
    script = Script()
    script.replies.append(reply)
    relayed = opened(functions=(TIME,), script=script)
    relayed.ask("hi")
    assert [call.name for call in relayed.calls.values()] == ["get_time"]
    return relayed


def answers(relayed: Relayed) -> int:
    """Return how many responses upstreams were asked for by us."""
    asked = relayed.asked("response.create")
    return sum(not event["event_id"].startswith("client_") for event in asked)


def test_a_call_and_its_output_are_not_seen_and_one_response_goes_on() -> None:
    relayed = called()
    since = relayed.here

    assert "function_call" not in str(relayed.events)
    assert relayed.of_type("response.done")[0]["response"]["output"] == []
    relayed.return_tool()
    relayed.settle()

    assert answers(relayed) == 1
    assert relayed.types(since)[0] == "response.created"
    assert "get_time" not in str(relayed.events)
    added = relayed.of_type("conversation.item.added", since)[0]
    assert added["previous_item_id"] == relayed.of_type("conversation.item.added")[0]["item"]["id"]
    output = relayed.peer.session.items[2]
    assert (output["type"], output["output"]) == ("function_call_output", "noon")


def test_items_beside_a_hidden_call_are_counted_from_zero() -> None:
    relayed = called(MIXED)

    indices = {event["item"]["type"]: event["output_index"] for event in relayed.of_type("response.output_item.added")}
    assert indices == {"message": 0, "function_call": 1}
    assert {event["output_index"] for event in relayed.of_type("response.output_audio.delta")} == {0}
    assert relayed.violations() == []


def test_calls_of_the_client_in_the_same_response_are_answered_by_the_client() -> None:
    relayed = called(MIXED)

    relayed.return_tool()
    relayed.settle()

    assert answers(relayed) == 0


def test_a_request_of_the_client_waits_for_the_output() -> None:
    relayed = called()

    relayed.say({"type": "response.create"})
    relayed.settle()
    assert len(relayed.asked("response.create")) == 1
    relayed.return_tool()
    relayed.settle()

    assert [event["event_id"] for event in relayed.asked("response.create")] == ["client_2", "client_3"]
    assert answers(relayed) == 0
    assert relayed.violations() == []


def test_speech_takes_the_place_of_the_answer() -> None:
    relayed = called()
    relayed.append(speech(300))
    relayed.settle()

    relayed.return_tool()
    relayed.settle()
    assert answers(relayed) == 0
    relayed.append(silence(300))
    relayed.settle()

    assert answers(relayed) == 0
    assert len(relayed.of_type("response.created")) == 2


def test_two_calls_are_answered_together() -> None:
    relayed = opened(functions=(TIME,), script=Script())
    relayed.script.replies.append(Reply(outputs=(Call("get_time"), Call("get_time"))))
    relayed.ask("hi")

    first, second = relayed.calls
    relayed.return_tool(call_id=first)
    relayed.settle()
    assert answers(relayed) == 0
    relayed.return_tool(call_id=second)
    relayed.return_tool(call_id=second)
    relayed.settle()

    assert answers(relayed) == 1


def test_a_function_returns_after_a_loss() -> None:
    relayed = called()
    relayed.lose()
    relayed.return_tool()

    relayed.settle()

    kinds = [item["type"] for item in relayed.peer.session.items]
    assert kinds == ["message", "function_call", "function_call_output", "message"]
    assert answers(relayed) == 1


def test_an_answer_that_was_asked_for_and_not_begun_is_asked_for_again() -> None:
    relayed = called()
    relayed.return_tool()  # the output and the request are under way
    relayed.lose()

    relayed.settle()

    assert len(relayed.asked("response.create", 2)) == 1
    assert relayed.spending.expected == 0


def test_a_call_that_is_cut_by_a_loss_is_not_made_and_not_told_again() -> None:
    script = Script()
    script.replies.append(Reply(outputs=(Call("get_time", '{"zone":1}'),), hold_after=1))
    relayed = opened(functions=(TIME,), script=script)
    relayed.ask("hi")

    relayed.lose()
    relayed.settle()

    assert relayed.calls == {}
    assert [item["type"] for item in relayed.peer.session.items] == ["message"]
    assert relayed.of_type("response.done")[0]["response"]["output"] == []
    assert relayed.violations() == []


def test_calls_in_a_response_outside_the_conversation_are_not_made() -> None:
    script = Script()
    script.replies.append(CALL)
    relayed = opened(functions=(TIME,), script=script)

    relayed.say({"type": "response.create", "response": {"conversation": "none"}})
    relayed.settle()

    assert relayed.calls == {}


def test_a_refused_answer_is_not_asked_for_for_ever() -> None:
    relayed = called()
    relayed.return_tool()
    (request,) = [message for message in relayed.peer.to_upstream if b"response.create" in message]
    relayed.peer.to_upstream.remove(request)
    error = {"type": "invalid_request_error", "code": "bad_response_create", "message": "No.", "param": None}
    relayed.hear_event({"type": "error", "error": {**error, "event_id": json.loads(request)["event_id"]}})
    relayed.settle()

    assert answers(relayed) == 0
    assert relayed.of_type("error") == []
    assert relayed.spending.expected == 0


def test_too_many_calls_at_once_are_answered_without_being_made() -> None:
    script = Script()
    script.replies.append(Reply(outputs=(Call("get_time"),) * (MAX_OPEN_CALLS + 1)))
    relayed = opened(functions=(TIME,), script=script)

    relayed.ask("hi")

    assert len(relayed.calls) == MAX_OPEN_CALLS
    outputs = [item for item in relayed.peer.session.items if item["type"] == "function_call_output"]
    assert [item["output"] for item in outputs] == ["The function was not called: too many calls are running."]


def test_an_output_of_the_client_for_a_call_of_the_server_is_refused() -> None:
    relayed = called()
    (call_id,) = relayed.calls

    output = {"type": "function_call_output", "call_id": call_id, "output": "mine"}
    relayed.say({"type": "conversation.item.create", "item": output})
    relayed.lose()
    relayed.settle()
    relayed.say({"type": "conversation.item.create", "item": output})

    assert len(relayed.of_type("error")) == 2


# What responses cost ----------------------------------------------------------------------------------------------


def test_a_response_that_may_not_begin_is_refused() -> None:
    relayed = opened()
    relayed.spending.refusal = "The budget is spent."

    relayed.say({"type": "response.create"})
    relayed.settle()

    assert relayed.events[-1]["error"]["code"] == "insufficient_quota"
    assert relayed.asked("response.create") == []


def test_an_automatic_response_that_may_not_begin_is_cancelled() -> None:
    relayed = opened(script=Script(reply=HELD))
    relayed.spending.refusal = "The budget is spent."

    relayed.speak()
    relayed.settle()

    assert relayed.of_type("error")[0]["error"]["code"] == "insufficient_quota"
    assert relayed.of_type("response.done")[0]["response"]["status"] == "cancelled"
    assert relayed.asked("response.cancel")[0]["response_id"] == relayed.events[-2]["response"]["id"]
    assert relayed.spending.charged == relayed.spending.begun


def test_a_cancel_of_ours_that_comes_too_late_is_not_seen() -> None:
    relayed = opened()
    relayed.spending.refusal = "The budget is spent."

    relayed.speak()
    relayed.settle()

    assert [event["error"]["code"] for event in relayed.of_type("error")] == ["insufficient_quota"]


@pytest.mark.parametrize("end", ["done", "lost", "disconnected", "expired", "drained"])
def test_a_response_is_charged_once_whatever_its_end(end: str) -> None:
    relayed = opened(script=Script(reply=HELD), lifetime_s=100.0)
    relayed.say({"type": "response.create"})
    relayed.settle()

    match end:
        case "done":
            relayed.peer.session.release()
            relayed.settle()
        case "lost":
            relayed.lose()
        case "expired":
            relayed.advance(100.0)
        case "drained":
            relayed.post(Draining(is_final=True))
        case _:
            pass
    relayed.disconnect()
    relayed.disconnect()

    assert list(relayed.spending.charged.values()) == [1]
    assert relayed.spending.expected == 0


# The end ----------------------------------------------------------------------------------------------------------


def test_a_server_that_goes_down_lets_an_answer_end() -> None:
    relayed = opened(script=Script(reply=HELD))
    relayed.say({"type": "response.create"})
    relayed.post(Draining(is_final=False))
    relayed.settle()
    assert relayed.close_code() is None

    relayed.peer.session.release()
    relayed.settle()

    assert relayed.close_code() == 1012
    assert relayed.violations() == []


def test_a_server_that_waits_no_longer_ends_everything() -> None:
    relayed = called(CALL)
    relayed.script.reply = HELD
    relayed.say({"type": "response.create", "response": {"conversation": "none"}})
    relayed.settle()

    relayed.post(Draining(is_final=True))

    assert relayed.close_code() == 1012
    assert relayed.of_type("response.done")[-1]["response"]["status"] == "cancelled"
    assert relayed.cancelled == list(relayed.calls)
    assert relayed.peer.is_gone


def test_a_session_ends_at_its_time() -> None:
    relayed = opened(lifetime_s=120.0)

    relayed.advance(120.0)

    error: Json = relayed.events[-1]["error"]
    assert error["code"] == "session_expired"
    assert relayed.close_code() == 1001
    assert relayed.peer.is_gone
    relayed.write("late")
    assert relayed.session.next_deadline() is None


def test_a_client_that_leaves_ends_what_runs() -> None:
    relayed = called()

    relayed.disconnect()

    assert relayed.peer.is_gone
    assert relayed.cancelled == list(relayed.calls)
