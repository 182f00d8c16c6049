"""Links that are lost: what the client sees, and what the next upstream is told."""

import base64

import pytest

from tests.core.relay.relayed import MANUAL, TRANSCRIBED, Json, Relayed, history, opened
from vivavoce.core.relay.connecting import HEAR_AGAIN_S
from vivavoce.testing.upstream_hearing import silence, speech
from vivavoce.testing.upstream_replies import Call, Reply, Say, Script

HELD = Reply(outputs=(Say("One two three."),), hold_after=2)
TEXT = {"type": "realtime", "output_modalities": ["text"]}
CUT = [
    "response.output_audio.done",
    "response.output_audio_transcript.done",
    "response.content_part.done",
    "conversation.item.done",
    "response.output_item.done",
    "response.done",
]


def again(relayed: Relayed) -> Json:
    """Lose the link, let the next one come, and return the session as the upstream has it."""
    relayed.advance(60.0)  # a link that is lost soon after another is not replaced at once
    relayed.lose()
    relayed.settle()
    return relayed.peer.session.config


def test_a_loss_in_silence_is_not_seen_and_the_next_upstream_knows_all() -> None:
    relayed = opened()
    relayed.configure({"type": "realtime", "instructions": "Be brief.", "audio": {"output": {"voice": "ash"}}})
    relayed.configure({"type": "realtime", "audio": {"output": {"speed": 1.2}}})
    relayed.ask("hi")
    since = relayed.here

    config = again(relayed)

    assert relayed.types(since) == []
    assert (config["instructions"], config["audio"]["output"]["voice"]) == ("Be brief.", "ash")
    assert config["audio"]["output"]["speed"] == 1.2
    assert history(relayed.peer.session.items) == [("user", "hi"), ("assistant", "Hello there, this is the reply.")]
    assert relayed.asked("response.create", 2) == []


@pytest.mark.parametrize("reads", range(13))
def test_an_answer_that_is_cut_anywhere_ends_as_the_api_ends_answers(reads: int) -> None:
    relayed = opened(script=Script(reply=HELD))
    relayed.write("hi")
    relayed.say({"type": "response.create"})
    while relayed.deliver(1):
        pass

    for _ in range(reads):
        relayed.hear(1)
    relayed.lose()
    relayed.script.reply = Reply()
    relayed.settle()
    relayed.ask("more")

    assert relayed.violations() == []
    assert relayed.of_type("error") == []
    assert relayed.spending.begun == relayed.spending.charged


def test_an_answer_in_sound_is_failed_with_the_words_that_came() -> None:
    relayed = opened(script=Script(reply=HELD))
    relayed.ask("hi")
    since = relayed.here

    again(relayed)

    assert relayed.types(since) == CUT
    response = relayed.events[-1]["response"]
    assert response["status"] == "failed"
    assert response["status_details"]["error"]["code"] == "upstream_disconnected"
    assert response["output"][0]["content"] == [{"type": "output_audio", "transcript": "One two"}]
    assert history(relayed.peer.session.items)[-1] == ("assistant", "One two")


def test_an_answer_in_text_is_failed_with_the_words_that_came() -> None:
    relayed = opened(script=Script(reply=HELD))
    relayed.configure(TEXT)
    relayed.ask("hi")
    since = relayed.here

    again(relayed)

    assert relayed.types(since) == ["response.output_text.done", *CUT[2:]]
    assert relayed.events[-1]["response"]["output"][0]["content"] == [{"type": "output_text", "text": "One two"}]
    assert relayed.violations() == []


def test_a_call_of_the_client_that_is_cut_is_not_told_again() -> None:
    call = Reply(outputs=(Call("look_up", '{"city":"Paris"}'),), hold_after=1)
    relayed = opened(script=Script(reply=call))
    relayed.ask("hi")
    since = relayed.here

    again(relayed)

    assert relayed.types(since) == [
        "response.function_call_arguments.done",
        "conversation.item.done",
        "response.output_item.done",
        "response.done",
    ]
    item = relayed.of_type("response.done")[0]["response"]["output"][0]
    assert (item["status"], item["arguments"]) == ("incomplete", '{"city":')
    assert history(relayed.peer.session.items) == [("user", "hi")]


def test_requests_without_an_answer_are_sent_again_in_their_order_and_nothing_twice() -> None:
    relayed = opened()
    relayed.configure(MANUAL)
    relayed.append(speech(200))
    relayed.say({"type": "input_audio_buffer.commit"})
    relayed.write("hi")
    relayed.say({"type": "session.update", "session": {"type": "realtime", "instructions": "Be brief."}})
    relayed.say({"type": "response.create"})
    while relayed.deliver(1):
        pass
    for _ in range(3):  # committed, added, done
        relayed.hear(1)

    again(relayed)

    told = [event["type"] for event in relayed.peer.received if str(event.get("event_id")).startswith("client_")]
    assert told == ["conversation.item.create", "session.update", "response.create"]
    assert [role for role, _ in history(relayed.peer.session.items)] == ["user", "user", "assistant"]
    assert relayed.violations() == []


def test_a_cancel_is_sent_again_only_with_its_request() -> None:
    relayed = opened(script=Script(reply=HELD))
    relayed.say({"type": "response.create"})
    relayed.say({"type": "response.cancel"})

    again(relayed)

    assert [event["type"] for event in relayed.peer.received] == ["response.create", "response.cancel"]
    assert relayed.of_type("response.done")[0]["response"]["status"] == "cancelled"
    assert relayed.violations() == []

    relayed.say({"type": "response.create"})
    relayed.settle()
    relayed.say({"type": "response.cancel"})
    again(relayed)

    assert {event["type"] for event in relayed.peer.received} == {"conversation.item.create"}  # what was said


def test_an_error_settles_what_it_names() -> None:
    relayed = opened()
    relayed.say({"type": "conversation.item.retrieve", "item_id": "item_none"})
    relayed.settle()

    again(relayed)

    assert relayed.peer.received == []
    assert len(relayed.of_type("error")) == 1


def test_an_error_without_a_name_settles_what_it_refuses() -> None:
    relayed = opened()
    relayed.say({"type": "response.create"})
    relayed.say({"type": "response.cancel"})

    error = {"type": "invalid_request_error", "code": "response_cancel_not_active", "message": "x", "param": None}
    relayed.hear_event({"type": "error", "error": {**error, "event_id": None}})
    again(relayed)

    assert [event["type"] for event in relayed.peer.received] == ["response.create"]


def test_automatic_answers_that_have_not_begun_are_told_and_not_asked_for() -> None:
    relayed = opened()
    relayed.speak()
    while relayed.deliver(1):
        pass
    for _ in range(5):  # started, stopped, committed, added, done
        relayed.hear(1)

    again(relayed)

    assert relayed.types()[-1] == "error"
    error = relayed.events[-1]["error"]
    assert (error["type"], error["code"]) == ("server_error", "upstream_disconnected")
    assert relayed.asked("response.create") == []
    assert relayed.violations() == []


def test_words_that_are_still_to_come_fail_and_come_no_second_time() -> None:
    relayed = opened(script=Script(holds_transcripts=True))
    relayed.configure(TRANSCRIBED)
    relayed.speak()
    relayed.settle()
    item_id = relayed.of_type("input_audio_buffer.committed")[0]["item_id"]
    since = relayed.here

    again(relayed)
    head = {"item_id": item_id, "content_index": 0}
    relayed.hear_event({"type": "conversation.item.input_audio_transcription.delta", **head, "delta": "hello"})
    relayed.hear_event(
        {
            "type": "conversation.item.input_audio_transcription.completed",
            **head,
            "transcript": "hello",
            "usage": {"type": "duration", "seconds": 1.0},
        }
    )
    again(relayed)

    assert relayed.types(since) == ["conversation.item.input_audio_transcription.failed"]
    assert history(relayed.peer.session.items)[0] == ("user", "hello")


# The user speaks --------------------------------------------------------------------------------------------------


def speaking(**changes: object) -> Relayed:
    """Return a session in which the user speaks."""
    relayed = opened(**changes)
    relayed.append(silence(400) + speech(300))
    relayed.settle()
    assert relayed.types()[-1] == "input_audio_buffer.speech_started"
    return relayed


def test_an_utterance_keeps_its_id_and_its_times_over_losses() -> None:
    relayed = speaking()
    item_id = relayed.events[-1]["item_id"]

    again(relayed)
    again(relayed)
    relayed.append(silence(300))
    relayed.settle()
    relayed.say({"type": "conversation.item.retrieve", "item_id": item_id})
    relayed.settle()

    assert relayed.violations() == []
    (stopped,) = relayed.of_type("input_audio_buffer.speech_stopped")
    assert (stopped["item_id"], stopped["audio_end_ms"]) == (item_id, 900)
    assert relayed.of_type("conversation.item.retrieved")[0]["item"]["id"] == item_id
    assert bytes(relayed.peer.session.hearing.everything) == (silence(400) + speech(300) + silence(300))


def test_an_utterance_that_the_client_commits_over_a_loss_keeps_its_id() -> None:
    relayed = speaking()
    item_id = relayed.events[-1]["item_id"]
    relayed.lose()
    relayed.say({"type": "input_audio_buffer.commit"})

    relayed.settle()

    assert relayed.of_type("input_audio_buffer.committed")[0]["item_id"] == item_id
    assert relayed.violations() == []


def test_an_utterance_that_a_fresh_detector_does_not_hear_ends_after_a_time() -> None:
    relayed = speaking()
    relayed.lose()
    relayed.advance(0.0)
    relayed.connect()
    relayed.hear(2)  # the session is seeded, its audio never arrives
    since = relayed.here

    relayed.advance(HEAR_AGAIN_S)

    assert relayed.types(since) == ["input_audio_buffer.speech_stopped", "error"]
    assert relayed.events[-1]["error"]["code"] == "upstream_disconnected"
    relayed.settle()
    relayed.append(silence(300))
    relayed.settle()
    assert relayed.violations() == []


def test_an_utterance_has_its_time_to_be_heard_on_every_link() -> None:
    relayed = speaking()
    relayed.lose()
    relayed.advance(0.0)
    relayed.connect()
    relayed.hear(2)
    since = relayed.here

    relayed.lose()
    relayed.advance(2 * HEAR_AGAIN_S)
    relayed.settle()

    assert relayed.types(since) == []
    assert relayed.session.next_deadline() is not None


def test_silence_is_kept_for_a_second_and_committed_audio_not_at_all() -> None:
    relayed = opened()
    relayed.append(silence(5000))
    relayed.settle()
    again(relayed)
    assert 1000 <= len(relayed.peer.session.hearing.everything) / 48 <= 1100

    relayed.speak()
    relayed.settle()
    again(relayed)
    assert bytes(relayed.peer.session.hearing.everything) == silence(100)  # from after the utterance


def test_audio_that_reaches_over_the_end_of_an_utterance_is_cut_there() -> None:
    relayed = opened()
    audio = speech(300) + silence(600)
    relayed.say({"type": "input_audio_buffer.append", "audio": base64.b64encode(audio).decode()})
    relayed.settle()

    again(relayed)

    assert bytes(relayed.peer.session.hearing.everything) == silence(400)
    assert len(relayed.peer.session.items) == 2


def test_audio_that_was_given_with_an_item_is_given_again() -> None:
    relayed = opened()
    sound = base64.b64encode(speech(200)).decode()
    item = {"type": "message", "role": "user", "content": [{"type": "input_audio", "audio": sound}]}
    relayed.say({"type": "conversation.item.create", "item": item})
    relayed.settle()

    again(relayed)

    (kept,) = relayed.peer.session.items
    assert relayed.peer.session.conversation.sound_of(kept["id"]) == speech(200)


# The end ----------------------------------------------------------------------------------------------------------


def test_a_close_that_says_no_ends_the_session_and_a_candidate_too() -> None:
    relayed = opened(rollover_s=60.0)
    relayed.advance(60.0)
    assert sorted(relayed.peers) == [1, 2]

    relayed.lose(4001)

    assert relayed.events[-1]["error"]["code"] == "upstream_unauthorized"
    assert relayed.close_code() == 1011
    assert relayed.is_left(2)


def test_an_expired_upstream_is_replaced_without_a_word() -> None:
    relayed = opened()
    relayed.write("hi")  # on its way

    error = {"type": "invalid_request_error", "code": "session_expired", "message": "It is over.", "param": None}
    relayed.hear_event({"type": "error", "error": {**error, "event_id": None}})
    relayed.settle()

    assert relayed.types() == ["session.created", "conversation.item.added", "conversation.item.done"]
    assert relayed.is_left(1)


def test_an_upstream_without_credit_is_left_at_once_for_the_next_target() -> None:
    relayed = opened(targets=("first", "second"))

    error = {"type": "insufficient_quota", "code": "insufficient_quota", "message": "No.", "param": None}
    relayed.hear_event({"type": "error", "error": {**error, "event_id": None}})
    relayed.settle()

    assert relayed.types() == ["session.created", "session.updated"]
    assert relayed.events[-1]["session"]["vivavoce"]["engine"] == "second"


def test_a_refusal_for_want_of_credit_of_one_request_passes() -> None:
    relayed = opened()
    relayed.say({"type": "response.create"})

    error = {"type": "insufficient_quota", "code": "insufficient_quota", "message": "No.", "param": None}
    relayed.hear_event({"type": "error", "error": {**error, "event_id": "client_1"}})

    assert relayed.types()[-1] == "error"
    assert not relayed.is_left(1)
