"""Whole conversations through the beta: what its clients rely on, and that nothing is lost on the way back."""

from typing import Any

import msgspec

from tests.dialects.golden_server import BETA_RESPONSE, OPEN, RESPONSE, SESSION
from vivavoce.dialects.beta import BetaDialect
from vivavoce.dialects.beta_upstream import MAX_REMEMBERED, BetaUpstream

Json = Any  # JSON boundary
PART = {"response_id": "resp_1", "item_id": "item_2", "output_index": 0, "content_index": 0}
CALL = {"response_id": "resp_1", "item_id": "item_3", "output_index": 1, "call_id": "call_1"}
USER = {"id": "item_1", "type": "message", "status": "completed", "role": "user"}
HEARD = {**USER, "content": [{"type": "input_audio", "transcript": None}]}
SPEAKING = {"id": "item_2", "type": "message", "status": "in_progress", "role": "assistant", "content": []}
SPOKEN = {**SPEAKING, "status": "completed", "content": [{"type": "output_audio", "transcript": "Hello"}]}
CALLING = {
    "id": "item_3",
    "type": "function_call",
    "status": "in_progress",
    "name": "f",
    "call_id": "call_1",
    "arguments": "",
}
CALLED = {**CALLING, "status": "completed", "arguments": "{}"}


def output(type_: str, index: int, item: Json) -> Json:
    return {"type": f"response.output_item.{type_}", "response_id": "resp_1", "output_index": index, "item": item}


def placed(type_: str, previous: str | None, item: Json) -> Json:
    return {"type": f"conversation.item.{type_}", "previous_item_id": previous, "item": item}


SPOKEN_TURN: list[Json] = [
    {"type": "session.created", "session": SESSION},
    {"type": "input_audio_buffer.speech_started", "audio_start_ms": 100, "item_id": "item_1"},
    {"type": "input_audio_buffer.speech_stopped", "audio_end_ms": 1300, "item_id": "item_1"},
    {"type": "input_audio_buffer.committed", "previous_item_id": None, "item_id": "item_1"},
    placed("added", None, HEARD),
    placed("done", None, HEARD),
    {"type": "response.created", "response": {**RESPONSE, **OPEN}},
    output("added", 0, SPEAKING),
    placed("added", "item_1", SPEAKING),
    {"type": "response.content_part.added", **PART, "part": {"type": "audio", "transcript": ""}},
    {"type": "response.output_audio_transcript.delta", **PART, "delta": "Hello"},
    {"type": "response.output_audio.delta", **PART, "delta": "AAAA"},
    {
        "type": "conversation.item.input_audio_transcription.completed",
        "item_id": "item_1",
        "content_index": 0,
        "transcript": "hi",
        "usage": {"type": "duration", "seconds": 1.2},
    },
    output("added", 1, CALLING),
    placed("added", "item_2", CALLING),
    {"type": "response.function_call_arguments.delta", **CALL, "delta": "{}"},
    {"type": "response.output_audio.done", **PART},
    {"type": "response.output_audio_transcript.done", **PART, "transcript": "Hello"},
    {"type": "response.content_part.done", **PART, "part": {"type": "audio", "transcript": "Hello"}},
    placed("done", "item_1", SPOKEN),
    output("done", 0, SPOKEN),
    {"type": "response.function_call_arguments.done", **CALL, "name": "f", "arguments": "{}"},
    placed("done", "item_2", CALLED),
    output("done", 1, CALLED),
    {"type": "response.done", "response": RESPONSE},
]


def to_beta(events: list[Json]) -> list[Json]:
    dialect = BetaDialect()
    return _through(events, dialect.server)


def to_ga(events: list[Json], upstream: BetaUpstream | None = None) -> list[Json]:
    return _through(events, (upstream or BetaUpstream()).server)


def _through(events: list[Json], translate: Any) -> list[Json]:
    messages = [msgspec.json.encode({**event, "event_id": f"event_{n}"}) for n, event in enumerate(events)]
    return [msgspec.json.decode(shown) for message in messages for shown in translate(message)]


def types(events: list[Json]) -> list[str]:
    return [event["type"] for event in events]


def without_id(event: Json) -> Json:
    return {key: value for key, value in event.items() if key != "event_id"}


def test_a_conversation_that_went_through_the_beta_is_whole() -> None:
    back = to_ga([without_id(event) for event in to_beta(SPOKEN_TURN)])

    assert [without_id(event) for event in back] == SPOKEN_TURN
    assert len({event["event_id"] for event in back}) == len(back)


def test_what_an_early_beta_upstream_leaves_out_is_put_together() -> None:
    early = [without_id(event) for event in to_beta(SPOKEN_TURN)]
    for event in early:
        event.pop("usage", None)
        event.pop("name", None)
        if event["type"].startswith("conversation.item.input_audio_transcription"):
            event.pop("content_index")
        for item in [event["item"]] if "item" in event else []:
            item.pop("status")
            item.pop("object")
            if item["content" if item["type"] == "message" else "arguments"] in ([], ""):
                item.pop("content", None)
                item.pop("arguments", None)

    assert [without_id(event) for event in to_ga(early)] == SPOKEN_TURN


def test_an_item_is_created_before_its_parts_and_after_its_output_item() -> None:
    """openai-realtime-api-beta looks the item up; rt-client pairs the two events about it by its id."""
    shown = to_beta(SPOKEN_TURN)

    for event, following in zip(shown, shown[1:], strict=False):
        if event["type"] == "response.output_item.added":
            assert following["type"] == "conversation.item.created"
            assert following["item"] == event["item"]
    for id_ in ("item_1", "item_2", "item_3"):
        about = [event for event in shown if event.get("item_id") == id_ or event.get("item", {}).get("id") == id_]
        created = types(about).index("conversation.item.created")
        needing = [event for event in about if event["type"].startswith(("response.content", "response.audio"))]
        assert types(about).count("conversation.item.created") == 1
        assert all(about.index(event) > created for event in needing)


def test_created_items_have_what_the_javascript_client_reads_without_looking() -> None:
    created = [event["item"] for event in to_beta(SPOKEN_TURN) if event["type"] == "conversation.item.created"]

    assert [item["object"] for item in created] == ["realtime.item"] * 3
    assert [item.get("content") for item in created] == [HEARD["content"], [], None]
    assert created[2]["arguments"] == ""


def test_a_beta_client_gets_as_many_events_in_the_same_order() -> None:
    shown = to_beta(SPOKEN_TURN)

    kept = [event for event in SPOKEN_TURN if event["type"] != "conversation.item.done"]
    assert types(shown)[:2] == ["session.created", "conversation.created"]
    assert len(shown) == len(kept) + 1
    names = {"conversation.item.added": "conversation.item.created"}
    expected = [names.get(type_, type_.replace(".output_audio", ".audio")) for type_ in types(kept)]
    assert [types(shown)[0], *types(shown)[2:]] == expected


def test_the_conversation_of_a_transcription_session_is_not_announced() -> None:
    session = {"type": "transcription", "id": "sess_1", "audio": {"input": {}}}

    shown = to_beta([{"type": "session.created", "session": session}])

    assert types(shown) == ["transcription_session.created"]


def test_a_conversation_id_that_is_not_known_is_the_sessions() -> None:
    [_, announced] = to_beta([{"type": "session.created", "session": SESSION}])

    assert announced["conversation"]["id"] == "conv_1"
    assert announced["event_id"] == "event_0_conversation"


def test_items_of_a_response_out_of_band_get_no_done_of_the_conversation() -> None:
    shown = to_ga([output("added", 0, SPEAKING), output("done", 0, SPOKEN)])

    assert types(shown) == ["response.output_item.added", "response.output_item.done"]


def test_items_that_an_upstream_leaves_open_are_done_with_their_response() -> None:
    calling = placed("created", "item_2", CALLING)
    events = [output("added", 0, SPEAKING), placed("created", None, SPEAKING), output("added", 1, CALLING), calling]

    shown = to_ga([*events, {"type": "response.done", "response": BETA_RESPONSE}])

    done = [event for event in shown if event["type"] == "conversation.item.done"]
    assert types(shown)[-1] == "response.done"
    assert [event["item"] for event in done] == [RESPONSE["output"][0], {**CALLING, "status": "incomplete"}]
    assert [event["previous_item_id"] for event in done] == [None, "item_2"]


def test_an_item_that_is_announced_before_its_response_opens_it_is_done_once() -> None:
    shown = to_ga([placed("created", "item_1", SPEAKING), output("added", 0, SPEAKING), output("done", 0, SPOKEN)])

    assert types(shown) == [
        "conversation.item.added",
        "response.output_item.added",
        "conversation.item.done",
        "response.output_item.done",
    ]


def test_the_length_of_speech_that_nobody_measured_is_zero() -> None:
    completed = {"type": "conversation.item.input_audio_transcription.completed", "item_id": "x", "transcript": "a"}

    [shown] = to_ga([completed])

    assert shown["usage"] == {"type": "duration", "seconds": 0.0}


def test_memory_of_an_upstream_is_bounded_and_forgets_the_oldest() -> None:
    upstream = BetaUpstream()
    items = [{**SPEAKING, "id": f"item_{n}"} for n in range(MAX_REMEMBERED + 1)]

    to_ga([event for item in items for event in (output("added", 0, item), placed("created", None, item))], upstream)

    assert types(to_ga([output("done", 0, items[0])], upstream)) == ["response.output_item.done"]
    assert types(to_ga([output("done", 0, items[1])], upstream))[0] == "conversation.item.done"
