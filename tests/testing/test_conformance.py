"""The checker accepts the example sessions and catches a broken variant of each invariant."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.testing import traces
from tests.testing.traces import PCM, Json, Trace
from vivavoce.testing.conformance import LogEntry, OrderChecker, check_order, check_types

EXAMPLES = [
    traces.text_turn,
    traces.spoken_turn,
    traces.function_call,
    traces.cancelled_and_truncated,
    traces.errors,
]
Break = Callable[[list[LogEntry]], None]


def find(log: list[LogEntry], kind: str, nth: int = 0) -> int:
    return [index for index, (_, event) in enumerate(log) if event["type"] == kind][nth]


def drop(kind: str, nth: int = 0) -> Break:
    return lambda log: log.__delitem__(find(log, kind, nth))


def repeat(kind: str) -> Break:
    def change(log: list[LogEntry]) -> None:
        index = find(log, kind)
        direction, event = log[index]
        log.insert(index + 1, (direction, {**event, "event_id": "event_again"}))

    return change


def move(kind: str, to: str, nth: int = 0) -> Break:
    """Move an event to directly behind another."""

    def change(log: list[LogEntry]) -> None:
        entry = log.pop(find(log, kind, nth))
        log.insert(find(log, to) + 1, entry)

    return change


def edit(kind: str, **fields: object) -> Break:
    def change(log: list[LogEntry]) -> None:
        index = find(log, kind)
        log[index] = (log[index][0], {**log[index][1], **fields})

    return change


def insert(after: str, direction: str, event: Json) -> Break:
    return lambda log: log.insert(find(log, after) + 1, (direction, {"event_id": "event_x", **event}))


def audio_delta(**fields: object) -> Json:
    place = {"response_id": "resp_1", "item_id": "item_2", "output_index": 0, "content_index": 0}
    return {"type": "response.output_audio.delta", "delta": PCM, **place, **fields}


OTHER_SPEECH = {"type": "input_audio_buffer.speech_started", "item_id": "item_9", "audio_start_ms": 0}
SECOND_ITEM = {"id": "item_8", "type": "message", "status": "in_progress", "role": "assistant", "content": []}
OPENED_LATE = {"type": "response.output_item.added", "response_id": "resp_1", "output_index": 2, "item": SECOND_ITEM}

# (invariant, example, what breaks it)
BROKEN: list[tuple[int, Callable[[], Trace], Break]] = [
    (1, traces.text_turn, drop("session.created")),
    (1, traces.text_turn, repeat("session.created")),
    (1, traces.text_turn, move("session.created", "session.updated")),
    (2, traces.text_turn, edit("session.updated", event_id="event_1")),
    (2, traces.text_turn, edit("response.created", event_id=None)),
    (3, traces.spoken_turn, drop("input_audio_buffer.speech_started")),
    (3, traces.text_turn, edit("conversation.item.added", previous_item_id="item_7")),
    (4, traces.text_turn, drop("response.created")),
    (4, traces.text_turn, drop("response.done")),
    (4, traces.text_turn, repeat("response.created")),
    (4, traces.text_turn, repeat("response.done")),
    (4, traces.text_turn, move("response.output_item.done", "response.done")),
    (5, traces.text_turn, drop("response.output_item.added")),
    (5, traces.text_turn, drop("conversation.item.added", nth=1)),
    (5, traces.text_turn, move("conversation.item.added", "response.content_part.added", nth=1)),
    (5, traces.text_turn, move("conversation.item.done", "response.output_item.done", nth=1)),
    (5, traces.function_call, move("response.function_call_arguments.done", "response.output_item.done")),
    (6, traces.text_turn, drop("response.content_part.added")),
    (6, traces.text_turn, drop("response.output_text.delta", nth=2)),
    (6, traces.text_turn, drop("response.output_text.done")),
    (6, traces.text_turn, move("response.output_text.delta", "response.output_text.done", nth=3)),
    (6, traces.spoken_turn, move("response.output_audio.done", "response.content_part.done")),
    (6, traces.function_call, edit("response.function_call_arguments.done", arguments="{}")),
    (7, traces.text_turn, drop("response.content_part.done")),
    (7, traces.text_turn, drop("response.output_item.done")),
    (8, traces.text_turn, insert("response.content_part.done", "<", OPENED_LATE)),
    (9, traces.spoken_turn, drop("input_audio_buffer.speech_stopped")),
    (9, traces.spoken_turn, drop("input_audio_buffer.committed")),
    (9, traces.spoken_turn, insert("input_audio_buffer.committed", "<", OTHER_SPEECH)),
    (9, traces.spoken_turn, insert("input_audio_buffer.speech_stopped", "<", OTHER_SPEECH)),
    (9, traces.spoken_turn, insert("conversation.item.done", "<", OTHER_SPEECH)),
    (9, traces.text_turn, drop("response.create")),
    (
        10,
        traces.spoken_turn,
        move("conversation.item.input_audio_transcription.completed", "input_audio_buffer.committed"),
    ),
    (10, traces.spoken_turn, repeat("conversation.item.input_audio_transcription.completed")),
    (
        11,
        traces.spoken_turn,
        move(
            "conversation.item.input_audio_transcription.delta",
            "conversation.item.input_audio_transcription.completed",
        ),
    ),
    (12, traces.cancelled_and_truncated, insert("response.content_part.done", "<", audio_delta())),
    (12, traces.cancelled_and_truncated, insert("response.done", "<", audio_delta())),
    (13, traces.errors, drop("error")),
    (13, traces.errors, repeat("error")),
    (13, traces.text_turn, repeat("session.updated")),
    (13, traces.text_turn, drop("session.updated")),
    (13, traces.cancelled_and_truncated, drop("conversation.item.truncate")),
    (13, traces.cancelled_and_truncated, drop("response.cancel")),
    (0, traces.spoken_turn, edit("response.output_audio.delta", delta="AAA=A")),
    (0, traces.spoken_turn, edit("response.output_audio.delta", delta="AAAA")),
    (0, traces.spoken_turn, edit("response.output_audio.delta", output_index=1)),
    (0, traces.spoken_turn, edit("response.done", response=None)),
]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.__name__)
def test_the_example_sessions_break_no_invariant(example: Callable[[], Trace]) -> None:
    log = example().log

    violations = check_order(log)

    assert violations == []


@pytest.mark.parametrize(("invariant", "example", "break_it"), BROKEN)
def test_a_broken_session_names_the_invariant(invariant: int, example: Callable[[], Trace], break_it: Break) -> None:
    log = example().log
    break_it(log)

    violations = check_order(log)

    assert invariant in {violation.invariant for violation in violations}


def test_every_invariant_has_a_broken_variant() -> None:
    covered = {invariant for invariant, _, _ in BROKEN}

    assert covered >= set(range(1, 14))


def test_a_violation_names_the_entry_it_was_found_at() -> None:
    log = traces.text_turn().log
    drop("response.content_part.added")(log)

    first = check_order(log)[0]

    assert log[first.index][1]["type"] == "response.output_text.delta"
    assert "item_2" in first.sentence


def test_a_log_cut_short_breaks_nothing_if_told() -> None:
    log = traces.spoken_turn().log[:-6]

    assert check_order(log, is_cut=True) == []
    assert {violation.invariant for violation in check_order(log)} == {4, 5}


def test_the_incremental_checker_finds_what_the_whole_log_shows() -> None:
    log = traces.spoken_turn().log
    drop("response.content_part.done")(log)
    checker = OrderChecker()

    for direction, event in log:
        (checker.client if direction == ">" else checker.server)(event)

    assert checker.finish() == check_order(log) != []


def test_an_interrupted_answer_and_the_next_turn_break_nothing() -> None:
    trace = Trace()
    trace.detected_turn("item_1")
    trace.open_audio_response("resp_1", "item_2")
    trace.speak("resp_1", "item_2", traces.REPLY[:1])
    trace.receive("input_audio_buffer.speech_started", audio_start_ms=2000, item_id="item_3")
    trace.close_audio_response("resp_1", "item_2", traces.REPLY[:1], "cancelled", "turn_detected")
    trace.receive("input_audio_buffer.speech_stopped", audio_end_ms=3000, item_id="item_3")
    trace.commit("item_3")
    trace.open_audio_response("resp_2", "item_4")
    trace.close_audio_response("resp_2", "item_4", [])

    assert check_order(trace.log) == []


def test_an_out_of_band_response_may_run_within_a_turn() -> None:
    trace = Trace()
    trace.send("response.create", event_id="c1", response={"conversation": "none"})
    trace.detected_turn("item_1")
    trace.text_response("resp_1", "item_2", conversation_id=None)

    violations = check_order(trace.log)

    assert violations == []


def test_an_item_of_an_out_of_band_response_must_not_enter_the_conversation() -> None:
    trace = Trace()
    trace.send("response.create", response={"conversation": "none"})
    trace.text_response("resp_1", "item_1", conversation_id=None)
    entered = {"type": "conversation.item.added", "item": SECOND_ITEM | {"id": "item_1"}}
    insert("response.output_item.added", "<", entered)(trace.log)

    assert {violation.invariant for violation in check_order(trace.log)} >= {5}


def test_a_client_commit_needs_no_speech_stopped() -> None:
    trace = Trace()
    trace.receive("input_audio_buffer.speech_started", audio_start_ms=0, item_id="item_1")
    trace.send("input_audio_buffer.commit")
    trace.commit("item_1")

    assert check_order(trace.log) == []


def test_a_refused_response_create_beside_an_automatic_response_breaks_nothing() -> None:
    trace = Trace()
    trace.send("response.create", event_id="c1")
    trace.detected_turn("item_1")
    trace.open_audio_response("resp_1", "item_2")
    trace.refuse("conversation_already_has_active_response", "c1")
    trace.close_audio_response("resp_1", "item_2", [])

    assert check_order(trace.log) == []


def test_an_automatic_response_is_caught_where_the_session_wants_none() -> None:
    trace = Trace()
    detection = {"type": "server_vad", "create_response": False}
    trace.send("session.update", session={})
    trace.receive(
        "session.updated", session={**traces.SESSION, "audio": {"input": {"turn_detection": detection}, "output": {}}}
    )
    trace.detected_turn("item_1")
    trace.text_response("resp_1", "item_2")

    assert {violation.invariant for violation in check_order(trace.log)} == {9}


def test_an_item_may_be_replaced_under_the_same_id() -> None:
    trace = traces.text_turn()
    trace.send("conversation.item.delete", item_id="item_2")
    trace.receive("conversation.item.deleted", item_id="item_2")
    trace.last_item = "item_1"
    trace.text_input("item_2", "again")

    assert check_order(trace.log) == []


def test_two_default_responses_at_once_are_caught() -> None:
    trace = Trace()
    trace.send("response.create")
    trace.send("response.create")
    trace.open_audio_response("resp_1", "item_1")
    trace.last_item = "item_1"
    trace.text_response("resp_2", "item_2")
    trace.close_audio_response("resp_1", "item_1", [])

    assert {violation.invariant for violation in check_order(trace.log)} == {4}


def test_types_accept_an_event_with_an_extra_key_and_refuse_a_float_for_an_integer() -> None:
    pytest.importorskip("openai", reason="the openai package is a development dependency")
    event = {**OTHER_SPEECH, "event_id": "event_1", "vivavoce": {}}

    check_types(event)

    with pytest.raises(ValueError, match="audio_start_ms"):
        check_types({**event, "audio_start_ms": 1.5})
    with pytest.raises(KeyError, match="vivavoce.marked"):
        check_types({**event, "type": "vivavoce.marked"})


KINDS = sorted({event["type"] for example in EXAMPLES for _, event in example().log})
NAMES = ["event_id", "item_id", "item", "response", "response_id", "output_index", "part", "delta", "error"]
OBJECTS = st.dictionaries(st.sampled_from(["id", "type", "status"]), st.text(max_size=3))
FIELDS = st.dictionaries(st.sampled_from(NAMES), st.none() | st.integers() | st.text(max_size=3) | OBJECTS)


@given(st.lists(st.tuples(st.sampled_from("<>"), st.sampled_from(KINDS), FIELDS), max_size=8))
def test_no_log_makes_the_checker_raise(entries: list[tuple[str, str, Json]]) -> None:
    log = [(direction, {"type": kind, **fields}) for direction, kind, fields in entries]

    violations = check_order(log)

    assert all(0 <= violation.index < len(log) for violation in violations)
