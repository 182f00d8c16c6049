"""What becomes of an event of the link in use: it is noted, and goes on as it came, edited, or not at all."""

from collections.abc import Callable
from typing import Final

import msgspec

from vivavoce.core.relay import hearing_events, response_events
from vivavoce.core.relay.journal import SETTLED_BY
from vivavoce.core.relay.links import Link, settle_asked
from vivavoce.core.relay.messages import AudioDelta, encode
from vivavoce.core.relay.mirror import MirrorItem
from vivavoce.core.relay.old_items import cut, output_bytes_per_ms
from vivavoce.core.relay.showing import shown_session
from vivavoce.core.relay.state import FINAL_EVENTS, RelayState
from vivavoce.core.relay.vocabulary import Body, Json, PassOn
from vivavoce.core.vocabulary import StartTrace
from vivavoce.protocol.session import TracingChoice

# What the upstream itself says when it ends a session for good.
FATAL_ERRORS: Final = frozenset(
    {"insufficient_quota", "invalid_api_key", "account_deactivated", "billing_hard_limit_reached"}
)
EXPIRED: Final = "session_expired"
_ID_KEYS: Final = ("item_id", "previous_item_id")


def pass_event(state: RelayState, link: Link, message: bytes, body: Body, now: float) -> None:
    """Note an event of the link in use and send the client what it shall see of it."""
    event = _with_client_ids(state, body)
    note = _NOTES.get(event["type"])
    shown = event if note is None else note(state, link, event, now)
    if shown is None:
        return
    shown = _with_visible_place(state, shown)
    state.out.append(PassOn(message if shown is body else encode(shown), shown["type"] in FINAL_EVENTS))


def hear_delta(state: RelayState, delta: AudioDelta) -> None:
    """Note audio that goes on without being read."""
    state.mirror.hear(delta.item_id, delta.size_bytes)


def _with_client_ids(state: RelayState, body: Body) -> Body:
    aliases = state.client.aliases
    if not aliases:
        return body
    changes: Body = {key: aliases[body[key]] for key in _ID_KEYS if _known(body.get(key), aliases)}
    item = body.get("item")
    if isinstance(item, dict) and _known(item.get("id"), aliases):
        changes["item"] = {**item, "id": aliases[item["id"]]}
    return {**body, **changes} if changes else body


def _known(value: Json, aliases: dict[str, str]) -> bool:
    return isinstance(value, str) and value in aliases


def _with_visible_place(state: RelayState, body: Body) -> Body:
    previous_id = body.get("previous_item_id")
    if not state.is_hidden(previous_id):
        return body
    return {**body, "previous_item_id": state.mirror.before(str(previous_id), is_visible=True)}


# Sessions -------------------------------------------------------------------------------------------------------


def _session_updated(state: RelayState, link: Link, event: Body, now: float) -> Body | None:
    session = event.get("session")
    if isinstance(session, dict):
        link.session = session
        hearing_events.note_input(state, link)
    if settle_asked(link, "session.updated"):
        return None
    state.journal.settle("session.updated")
    if state.client.updates:
        update = state.client.updates.popleft()
        _trace(state, update.get("tracing"))
        merge_update(state.client.configuration, update)
        state.client.configuration_version += 1
    return {**event, "session": shown_session(state, link, now)}


def _trace(state: RelayState, tracing: Json) -> None:
    """Keep a trace here as well, as for any session; the upstream keeps its own."""
    if tracing is not None:
        try:
            state.out.append(StartTrace(msgspec.convert(tracing, TracingChoice)))
        except msgspec.ValidationError:
            return


def merge_update(configuration: Body, update: Body) -> None:
    """Apply an update to the collection of all: `audio` merges key by key, every other field is replaced."""
    for name, value in update.items():
        if name == "audio" and isinstance(value, dict):
            audio = configuration.setdefault("audio", {})
            for side, given in value.items():
                known = audio.get(side)
                audio[side] = {**known, **given} if isinstance(known, dict) and isinstance(given, dict) else given
        elif name != "type":
            configuration[name] = value


# Items ----------------------------------------------------------------------------------------------------------


def _item_added(state: RelayState, link: Link, event: Body, now: float) -> Body | None:
    item = event.get("item")
    item_id = item.get("id") if isinstance(item, dict) else None
    if not isinstance(item, dict) or not isinstance(item_id, str):
        return event
    if settle_asked(link, item_id) or item_id in link.seeded:
        return None
    state.journal.settle("conversation.item.added", item_id)
    is_hidden = state.is_hidden(item_id) or response_events.is_of_server(state, item)
    if is_hidden:
        state.client.hidden.add(item_id)
    mirrored = MirrorItem(item_id, dict(item), link.number, is_hidden)
    state.mirror.add(mirrored, event.get("previous_item_id"))
    hearing_events.keep_spoken(state, mirrored)
    response_events.place_item(state, item_id, event.get("previous_item_id"))
    return None if is_hidden else event


def _item_done(state: RelayState, link: Link, event: Body, now: float) -> Body | None:
    item = event.get("item")
    item_id = item.get("id") if isinstance(item, dict) else None
    if not isinstance(item, dict) or not isinstance(item_id, str):
        return event
    if item_id in link.seeded:
        return None
    mirrored = state.mirror.get(item_id)
    if mirrored is not None:
        state.mirror.change(mirrored, dict(item))
    response_events.finish_item(state, item_id)
    return None if state.is_hidden(item_id) else event


def _item_deleted(state: RelayState, link: Link, event: Body, now: float) -> Body | None:
    item_id = event.get("item_id")
    if settle_asked(link, f"-{item_id}"):
        return None
    state.journal.settle("conversation.item.deleted", item_id)
    state.mirror.remove(item_id)
    if isinstance(item_id, str):
        link.seeded.pop(item_id, None)
    return event


def _item_truncated(state: RelayState, link: Link, event: Body, now: float) -> Body | None:
    state.journal.settle("conversation.item.truncated", event.get("item_id"))
    item, end_ms = state.mirror.get(event.get("item_id")), event.get("audio_end_ms")
    if item is not None and isinstance(end_ms, int):
        cut(item, event.get("content_index"), end_ms, item.audio_bytes / output_bytes_per_ms(link.session))
    return event


def _item_retrieved(state: RelayState, link: Link, event: Body, now: float) -> Body | None:
    item = event.get("item")
    state.journal.settle("conversation.item.retrieved", item.get("id") if isinstance(item, dict) else None)
    return event


# Errors ---------------------------------------------------------------------------------------------------------


def _error(state: RelayState, link: Link, event: Body, now: float) -> Body | None:
    error = event.get("error")
    if not isinstance(error, dict):
        return event
    code, event_id = error.get("code"), error.get("event_id")
    if code == EXPIRED:
        return None  # the link is about to end, the session is not
    if code in FATAL_ERRORS:
        link.is_doomed = True
    if isinstance(event_id, str) and (asked := link.asked.pop(event_id, None)) is not None:
        response_events.refused(state, asked, error)
        return None
    refused = state.journal.refuse(event_id)
    if refused == "session.update" and state.client.updates:
        state.client.updates.popleft()
    return event


_Note = Callable[[RelayState, Link, Body, float], Body | None]
_NOTES: Final[dict[str, _Note]] = {
    "session.created": lambda state, link, event, now: None,  # a second one would only confuse
    "session.updated": _session_updated,
    "conversation.item.added": _item_added,
    "conversation.item.done": _item_done,
    "conversation.item.deleted": _item_deleted,
    "conversation.item.truncated": _item_truncated,
    "conversation.item.retrieved": _item_retrieved,
    "error": _error,
    **hearing_events.NOTES,
    **response_events.NOTES,
}
assert SETTLED_BY.keys() - {"conversation.item.created"} <= _NOTES.keys(), "each answer settles its request"
