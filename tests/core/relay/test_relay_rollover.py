"""Links that are replaced before their time is over, and items from before a link."""

import pytest

from tests.core.relay.relayed import MANUAL, Json, Relayed, history, opened
from vivavoce.core.relay.connecting import PATIENCE_S
from vivavoce.core.relay.mirror import Mirror, MirrorItem
from vivavoce.core.relay.replay import MAX_SEED_ITEMS, seed_items
from vivavoce.testing.upstream_hearing import silence, speech
from vivavoce.testing.upstream_replies import Reply, Say

ROLLOVER_S = 600.0
HELD = Reply(outputs=(Say("One two three."),), hold_after=2)
REPLY = ("assistant", "Hello there, this is the reply.")


def talking(**changes: object) -> Relayed:
    """Return a session with one turn, that is rolled over after 600 s."""
    relayed = opened(rollover_s=ROLLOVER_S, **changes)
    relayed.ask("hi")
    return relayed


def roll_over(relayed: Relayed) -> None:
    """Let the time come, and all that is under way arrive."""
    relayed.advance(ROLLOVER_S)
    relayed.settle()


def test_three_rollovers_are_not_seen_and_keep_the_history() -> None:
    relayed = talking()
    since = relayed.here

    for _ in range(3):
        roll_over(relayed)

    assert sorted(relayed.peers) == [1, 2, 3, 4]
    assert [peer.is_gone for peer in relayed.peers.values()] == [True, True, True, False]
    assert relayed.types(since) == []
    assert history(relayed.peer.session.items) == [("user", "hi"), REPLY]
    assert relayed.asked("response.create", 4) == []


@pytest.mark.parametrize("phase", ["user", "assistant", "request"])
def test_a_link_is_not_left_while_anything_is_going_on(phase: str) -> None:
    relayed = talking()
    relayed.script.reply = HELD
    if phase == "user":
        relayed.append(speech(300))
        relayed.settle()
    else:
        relayed.say({"type": "response.create"})
        if phase == "assistant":
            relayed.settle()

    relayed.advance(ROLLOVER_S)
    relayed.connect()
    relayed.hear(2)
    while relayed.deliver(2) or relayed.hear(2):
        pass

    assert not relayed.is_left(1)
    relayed.append(silence(300))
    for _ in range(3):
        relayed.settle()
        relayed.peers[1].session.release()
        relayed.peer.session.release()
    relayed.settle()
    assert relayed.is_left(1)
    assert relayed.violations() == []


def test_what_changes_while_the_next_link_is_made_is_told_to_it() -> None:
    relayed = talking()
    first = relayed.of_type("conversation.item.added")[0]["item"]["id"]
    relayed.advance(ROLLOVER_S)
    relayed.connect()
    relayed.hear(2)  # it has been told the conversation

    relayed.say({"type": "session.update", "session": {"type": "realtime", "instructions": "Be brief."}})
    relayed.write("first", previous_item_id="root")
    relayed.write("more")
    relayed.say({"type": "conversation.item.delete", "item_id": first})
    while relayed.deliver(1) or relayed.hear(1):
        pass
    relayed.settle()

    assert relayed.is_left(1)
    assert history(relayed.peer.session.items) == [("user", "first"), REPLY, ("user", "more")]
    assert relayed.peer.session.config["instructions"] == "Be brief."
    assert relayed.violations() == []


def test_patience_ends_where_an_answer_never_comes() -> None:
    relayed = talking()
    relayed.peer.session.receive = lambda event: None  # type: ignore[method-assign]  # it answers nothing any more
    relayed.say({"type": "conversation.item.retrieve", "item_id": "item_x"})

    roll_over(relayed)
    assert not relayed.is_left(1)
    relayed.advance(PATIENCE_S)
    relayed.settle()

    assert relayed.is_left(1)
    assert relayed.types()[-1] == "error"  # the next upstream has answered


def test_a_candidate_that_fails_is_not_seen_and_tried_again_later() -> None:
    relayed = talking()
    relayed.fail_next("unauthorized")
    since = relayed.here

    roll_over(relayed)
    relayed.advance(29.0)
    assert len(relayed.peers) == 2
    relayed.advance(1.0)
    relayed.settle()

    assert relayed.types(since) == []
    assert relayed.is_left(1)
    assert len(relayed.peers) == 3


def test_a_loss_during_a_rollover_uses_the_candidate() -> None:
    relayed = talking()
    relayed.advance(ROLLOVER_S)

    relayed.lose()
    relayed.settle()

    assert sorted(relayed.peers) == [1, 2]
    assert history(relayed.peer.session.items) == [("user", "hi"), REPLY]


def test_audio_that_was_not_committed_goes_over_to_the_next_link() -> None:
    relayed = talking()
    relayed.configure(MANUAL)
    relayed.append(speech(300))
    relayed.settle()

    roll_over(relayed)

    assert bytes(relayed.peer.session.hearing.everything) == speech(300)


# Items from before the link ---------------------------------------------------------------------------------------


def old_answer() -> tuple[Relayed, str]:
    """Return a session that has been rolled over, and the id of its answer (600 ms of sound)."""
    relayed = talking()
    roll_over(relayed)
    return relayed, relayed.of_type("conversation.item.added")[1]["item"]["id"]


def answer_to(relayed: Relayed, kind: str, item_id: str, **fields: object) -> Json:
    since = relayed.here
    relayed.say({"type": f"conversation.item.{kind}", "item_id": item_id, **fields})
    relayed.settle()
    (event,) = relayed.events[since:]
    return event


def test_an_old_item_is_retrieved_from_the_mirror() -> None:
    relayed, item_id = old_answer()

    event = answer_to(relayed, "retrieve", item_id)

    assert event["item"]["content"] == [{"type": "output_audio", "transcript": REPLY[1]}]
    assert relayed.asked("conversation.item.retrieve") == []


def test_an_old_item_is_truncated_in_the_mirror_and_upstream() -> None:
    relayed, item_id = old_answer()

    event = answer_to(relayed, "truncate", item_id, content_index=0, audio_end_ms=300)

    assert (event["type"], event["audio_end_ms"]) == ("conversation.item.truncated", 300)
    assert history(relayed.peer.session.items) == [("user", "hi"), ("assistant", "Hello there,")]
    again = answer_to(relayed, "truncate", item_id, content_index=0, audio_end_ms=301)
    assert again["error"]["message"] == "Audio content of 300ms is already shorter than 301ms"
    roll_over(relayed)
    assert history(relayed.peer.session.items) == [("user", "hi"), ("assistant", "Hello there,")]


def test_an_old_item_that_is_truncated_to_nothing_is_no_part_of_the_next_conversation() -> None:
    relayed, item_id = old_answer()

    answer_to(relayed, "truncate", item_id, content_index=0, audio_end_ms=0)
    relayed.write("more")
    relayed.settle()
    roll_over(relayed)

    assert history(relayed.peer.session.items) == [("user", "hi"), ("user", "more")]
    assert relayed.of_type("conversation.item.added")[-1]["previous_item_id"] == item_id
    assert relayed.violations() == []


def test_an_old_item_is_deleted_everywhere() -> None:
    relayed, item_id = old_answer()

    assert answer_to(relayed, "delete", item_id)["type"] == "conversation.item.deleted"

    assert history(relayed.peer.session.items) == [("user", "hi")]
    assert answer_to(relayed, "delete", item_id)["error"]["code"] == "item_delete_invalid_item_id"


@pytest.mark.parametrize(
    ("fields", "code", "param"),
    [
        ({"content_index": 0}, "missing_required_parameter", "audio_end_ms"),
        ({"content_index": "0", "audio_end_ms": 1}, "invalid_type", "content_index"),
        ({"content_index": 0, "audio_end_ms": -1}, "integer_below_min_value", "audio_end_ms"),
        ({"content_index": 0, "audio_end_ms": 601}, "invalid_value", None),
        ({"content_index": 3, "audio_end_ms": 1}, "item_truncate_invalid_item_id", None),
    ],
)
def test_a_bad_truncation_of_an_old_item_is_refused_as_the_api_does(fields: Json, code: str, param: str | None) -> None:
    relayed, item_id = old_answer()

    error = answer_to(relayed, "truncate", item_id, **fields)["error"]

    assert (error["type"], error["code"]) == ("invalid_request_error", code)
    assert param is None or error["param"] == param


def test_an_item_of_the_user_cannot_be_truncated() -> None:
    relayed, _ = old_answer()
    user = relayed.of_type("conversation.item.added")[0]["item"]["id"]

    error = answer_to(relayed, "truncate", user, content_index=0, audio_end_ms=0)["error"]

    assert "only model output audio messages can be truncated" in error["message"].lower()


def test_a_truncation_that_is_lost_with_its_link_is_carried_out_here() -> None:
    relayed = talking()
    item_id = relayed.of_type("conversation.item.added")[1]["item"]["id"]
    cut = {"content_index": 0, "audio_end_ms": 300}
    relayed.say({"type": "conversation.item.truncate", "item_id": item_id, **cut})

    relayed.lose()
    relayed.settle()

    assert relayed.types()[-1] == "conversation.item.truncated"
    assert history(relayed.peer.session.items)[-1] == ("assistant", "Hello there,")
    assert relayed.violations() == []


def test_an_id_that_is_too_long_for_an_upstream_has_another_one_there() -> None:
    relayed = opened()
    long_id = "item_" + "x" * 60
    relayed.write("hi", item={"id": long_id})
    relayed.settle()

    relayed.lose()
    relayed.settle()
    relayed.write("behind", previous_item_id=long_id)
    relayed.say({"type": "response.create", "response": {"input": [{"type": "item_reference", "id": long_id}]}})
    relayed.settle()

    (kept, behind, _) = relayed.peer.session.items
    assert len(kept["id"]) <= 32
    assert history([kept, behind]) == [("user", "hi"), ("user", "behind")]
    assert relayed.asked("response.create", 2)[0]["response"]["input"][0]["id"] == kept["id"]
    assert relayed.of_type("conversation.item.added")[1]["previous_item_id"] == long_id


def test_of_a_long_conversation_the_end_is_told() -> None:
    mirror = Mirror()
    for number in range(MAX_SEED_ITEMS + 5):
        content = [{"type": "input_text", "text": str(number)}]
        mirror.add(MirrorItem(f"item_{number}", {"type": "message", "role": "user", "content": content}, 1))

    items, left_out = seed_items(mirror)

    assert [item.id for item, _ in items] == [f"item_{number}" for number in range(5, MAX_SEED_ITEMS + 5)]
    assert left_out == {f"item_{number}" for number in range(5)}


def test_calls_of_mcp_tools_are_told_as_calls_of_functions_with_their_outputs() -> None:
    relayed = opened()
    call = {"id": "mcp_1", "type": "mcp_call", "name": "search", "arguments": "{}", "output": "found"}
    lists = {"id": "mcpl_1", "type": "mcp_list_tools", "server_label": "docs", "tools": []}
    relayed.checks_types = False  # the events are shortened
    for item in (lists, call):
        relayed.hear_event({"type": "conversation.item.added", "previous_item_id": None, "item": item})
        relayed.hear_event({"type": "conversation.item.done", "previous_item_id": None, "item": item})

    relayed.lose()
    relayed.settle()
    relayed.write("more")
    relayed.settle()

    assert history(relayed.peer.session.items) == [
        ("function_call", "search"),
        ("function_call_output", "found"),
        ("user", "more"),
    ]


def test_pictures_and_systems_words_are_told_as_they_are() -> None:
    relayed = opened()
    picture = {"type": "input_image", "image_url": "data:image/png;base64,AAAA", "detail": "auto"}
    relayed.write("", item={"content": [picture]})
    relayed.write("", item={"role": "system", "content": [{"type": "input_text", "text": "Be kind."}]})
    relayed.settle()

    relayed.lose()
    relayed.settle()

    assert [item["content"] for item in relayed.peer.session.items] == [
        [picture],
        [{"type": "input_text", "text": "Be kind."}],
    ]
