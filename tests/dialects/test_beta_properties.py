"""There and back nothing is lost that both dialects can say; and no message does more than be refused."""

from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.dialects.golden_client import CLIENT
from tests.dialects.golden_server import SERVER
from tests.dialects.sayable import items_of, sayable
from tests.dialects.wire_strategies import FREE, NAMES, events_of, wire_json
from vivavoce.dialects.beta import DROPPED, BetaDialect
from vivavoce.dialects.beta_messages import event_type
from vivavoce.dialects.beta_upstream import BetaUpstream, unsayable
from vivavoce.protocol.client_events import ClientEvent
from vivavoce.protocol.errors import ClientError
from vivavoce.protocol.server_events import ServerEvent

Json = Any  # JSON boundary
HEADLESS = st.binary(max_size=40).filter(lambda message: not event_type(message))  # of others the head alone is read
EXAMPLES = settings(max_examples=150)
TRANSLATED = sorted({pair.ga["type"] for pair in CLIENT + SERVER} | {e["type"] for p in SERVER for e in p.beta})
CLIENT_EVENTS = events_of(ClientEvent)
BETA_ONLY = {"conversation.created", "conversation.item.created"}
SERVER_EVENTS = events_of(ServerEvent).filter(lambda event: event["type"] not in DROPPED | BETA_ONLY)


def _plain(event: Json) -> Json:
    """The event with one modality, as our sessions and clients have them."""
    body = event.get("response") or event.get("session") or {}
    if body.get("output_modalities"):
        body["output_modalities"] = body["output_modalities"][:1]
    return event


def _written_well(event: Json) -> Json:
    """The event as our session admits it: assistants write no `input_text`, and transcribing has only its fields."""
    for item in items_of(event):
        if item.get("role") == "assistant":
            item["content"] = [part for part in item["content"] if part["type"] != "input_text"]
    session = event.get("session", {})
    if session.get("type") == "transcription":
        event["session"] = {name: session[name] for name in ("type", "audio", "include", "vivavoce") if name in session}
        if isinstance(session.get("audio"), dict):
            session["audio"].pop("output", None)
    return event


@EXAMPLES
@given(CLIENT_EVENTS.map(_plain).map(_written_well))
def test_what_our_client_says_comes_back_from_the_beta(event: Json) -> None:
    event = wire_json(event)

    back = BetaDialect().client(BetaUpstream().client(msgspec.json.encode(event)))

    assert sayable(msgspec.json.decode(back)) == sayable(event)
    assert all(path.split(".")[1] in str(event) for path in unsayable(event))


@EXAMPLES
@given(SERVER_EVENTS.map(_plain))
def test_what_our_session_says_comes_back_from_the_beta(event: Json) -> None:
    event = wire_json(msgspec.convert(event, ServerEvent))
    upstream = BetaUpstream()

    through = BetaDialect().server(msgspec.json.encode(event))
    back = [msgspec.json.decode(shown) for message in through for shown in upstream.server(message)]

    assert [sayable(shown) for shown in back if shown["type"] != "conversation.item.done"] == [sayable(event)]


@EXAMPLES
@given(SERVER_EVENTS)
def test_events_that_are_the_same_in_both_pass_as_they_came(event: Json) -> None:
    message = b" " + msgspec.json.encode(event)

    shown = BetaDialect().server(message)

    if [msgspec.json.decode(one) for one in shown] == [msgspec.json.decode(message)]:
        is_translated = event["type"].startswith(("session.", "response.created", "response.done", "error"))
        assert is_translated or "item" in event or shown[0] is message


@EXAMPLES
@given(st.sampled_from([pair for pair in SERVER if pair.ways != "to_ga"]))
def test_a_beta_event_is_not_translated_again(pair: Any) -> None:
    for event in pair.beta:
        if event["type"] not in ("session.created", "conversation.created"):
            once = BetaDialect().events(event)
            assert once == [event] or {"client_secret", "temperature"} >= _changes(event, once[0])


def _changes(one: Json, other: Json) -> set[str]:
    body, changed = one.get("session", {}), other.get("session", {})
    return {name for name in {*body, *changed} if body.get(name) != changed.get(name)}


ANY_EVENT = st.fixed_dictionaries(
    {"type": st.sampled_from(TRANSLATED) | FREE},
    optional={
        **{name: FREE for name in ("event_id", "item", "part", "error", "item_id", "output_index", "response_id")},
        **{
            name: FREE
            | st.dictionaries(
                st.sampled_from(["audio", "voice", "type", "object", "output", "input", "id"]) | NAMES, FREE
            )
            for name in ("session", "response")
        },
    },
)


@settings(max_examples=400)
@given(ANY_EVENT)
def test_any_event_is_translated_passed_or_refused(event: Json) -> None:
    message = msgspec.json.encode(event)

    for dialect in (BetaDialect(), BetaUpstream()):
        assert all(msgspec.json.decode(shown) is not None for shown in dialect.server(message))
        try:
            assert msgspec.json.decode(dialect.client(message)) is not None
        except ClientError as refused:
            assert refused.detail.message


@EXAMPLES
@given(st.lists(st.sampled_from(SERVER).flatmap(lambda pair: st.sampled_from([pair.ga, *pair.beta])), max_size=12))
def test_any_order_of_events_is_translated_with_every_done_after_its_added(events: list[Json]) -> None:
    upstream = BetaUpstream()

    shown = [one for event in events for one in upstream.events({**event, "event_id": "e"}) if one]

    added = [one["item"].get("id") for one in shown if one["type"] == "conversation.item.added"]
    done = [one["item"].get("id") for one in shown if one["type"] == "conversation.item.done"]
    sent = [event for event in events if event["type"] == "conversation.item.done"]
    assert len(done) - len(sent) <= len(added)


@EXAMPLES
@given(HEADLESS | st.sampled_from([b"[" * 5000, b'{"type":"session.update","session":' + b"[" * 5000]))
def test_what_is_no_json_passes_unread(message: bytes) -> None:
    for dialect in (BetaDialect(), BetaUpstream()):
        assert dialect.client(message) == message
        assert dialect.server(message) == [message]
