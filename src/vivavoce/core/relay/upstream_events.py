"""What becomes of an event of the link in use: it is noted, and goes on as it came, edited, or not at all."""

from collections.abc import Callable
from typing import Final

import msgspec

from vivavoce.core.relay import functions, hearing_events, response_events, seeding
from vivavoce.core.relay.journal import SETTLED_BY, Asked
from vivavoce.core.relay.links import CLOSE_MESSAGE, Link, settle_asked
from vivavoce.core.relay.messages import encode, read_upstream
from vivavoce.core.relay.mirror import MirrorItem
from vivavoce.core.relay.old_items import cut, output_bytes_per_ms
from vivavoce.core.relay.places import add_item, shown_with_place
from vivavoce.core.relay.showing import shown_session
from vivavoce.core.relay.state import FINAL_EVENTS, RelayState
from vivavoce.core.relay.vocabulary import Body, FaultKind, Json, PassOn, UpstreamFault
from vivavoce.core.vocabulary import StartTrace
from vivavoce.protocol.session import TracingChoice

REFUSED_FIELDS: Final = "upstream_refused_configuration"
# What the upstream itself says when it ends a session for good.
_FATAL_KINDS: Final[dict[str, FaultKind]] = {
    "insufficient_quota": "quota_exhausted",
    "billing_hard_limit_reached": "quota_exhausted",
    "credit_balance_exhausted": "quota_exhausted",
    "account_deactivated": "unauthorized",
    "invalid_api_key": "unauthorized",
    "invalid_model": "not_found",
    "model_not_found": "not_found",
}
_FATAL_MESSAGES: Final[dict[FaultKind, str]] = {
    "quota_exhausted": "The upstream serves this account no more.",
    "unauthorized": "The upstream does not accept the server's key.",
    "not_found": "The upstream has no such model.",
}
_ID_KEYS: Final = ("item_id", "previous_item_id")


def pass_event(state: RelayState, link: Link, message: bytes, body: Body, now: float) -> None:
    """Note an event of the link in use and send the client what it shall see of it."""
    event = with_client_ids(link, body)
    note = _NOTES.get(event["type"])
    shown = event if note is None else note(state, link, event, now)
    if shown is None or state.is_hidden(shown.get("item_id")):
        return
    shown = shown_with_place(state, link, shown)
    state.out.append(PassOn(message if shown is body else encode(shown), shown["type"] in FINAL_EVENTS))
    if state.client.writing is not None and not _is_being_written(shown, state.client.writing):
        state.end_writing()


def _is_being_written(event: Body, item_id: str) -> bool:
    """Tell whether more about a committed item is to follow an event at once."""
    item = event.get("item")
    is_about_it = isinstance(item, dict) and item.get("id") == item_id
    is_added = event["type"] == "conversation.item.added" and is_about_it
    return is_added or event["type"] == "input_audio_buffer.committed"


def with_client_ids(link: Link, body: Body) -> Body:
    """Return an upstream's event with the ids that the client knows."""
    aliases = link.names.aliases
    if not aliases:
        return body
    changes: Body = {key: aliases[body[key]] for key in _ID_KEYS if _known(body.get(key), aliases)}
    item = body.get("item")
    if isinstance(item, dict) and _known(item.get("id"), aliases):
        changes["item"] = {**item, "id": aliases[item["id"]]}
    return {**body, **changes} if changes else body


def _known(value: Json, aliases: dict[str, str]) -> bool:
    return isinstance(value, str) and value in aliases


# Sessions -------------------------------------------------------------------------------------------------------


def _session_updated(state: RelayState, link: Link, event: Body, now: float) -> Body | None:
    session = event.get("session")
    if isinstance(session, dict):
        link.session_json = encode(session)
        hearing_events.note_input(state, link)
    if settle_asked(link, "session.updated"):
        return None
    if state.journal.settle("session.updated") is not None and state.client.updates:
        update = state.client.updates.pop(0)
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
            configuration["audio"] = _merged_audio(configuration.get("audio"), value)
        elif name != "type":
            configuration[name] = value


def _merged_audio(known: Json, update: Body) -> Body:
    audio = dict(known) if isinstance(known, dict) else {}
    for side, given in update.items():
        before = audio.get(side)
        audio[side] = {**before, **given} if isinstance(before, dict) and isinstance(given, dict) else given
    return audio


# Items ----------------------------------------------------------------------------------------------------------


def _item_added(state: RelayState, link: Link, event: Body, now: float) -> Body | None:
    item = event.get("item")
    item_id = item.get("id") if isinstance(item, dict) else None
    if not isinstance(item, dict) or not isinstance(item_id, str):
        return event
    if settle_ours(state, link, item_id, event):
        return None
    committed = state.client.committed
    is_asked = not state.responses.owns(item_id) and (committed is None or committed.item_id != item_id)
    is_asked = is_asked and item.get("type") != "mcp_list_tools"
    asked = state.journal.settle("conversation.item.added", item_id) if is_asked else None
    if response_events.is_of_server(state, item):
        state.client.hidden.add(item_id)
    mirrored = MirrorItem(item_id, dict(item), link.number, state.is_hidden(item_id), is_open=True)
    wanted = None
    if asked is not None and b"previous_item_id" in asked.message:
        wanted = (read_upstream(asked.message) or {}).get("previous_item_id")
    add_item(state, link, mirrored, event.get("previous_item_id"), wanted)
    state.responses.note_added(item_id)
    hearing_events.keep_spoken(state, mirrored)
    if asked is not None:
        _keep_given(state, mirrored, asked)
    return None if mirrored.is_hidden else event


def settle_ours(state: RelayState, link: Link, item_id: str, event: Body) -> bool:
    """An item was added; return whether we had asked for it."""
    if not settle_asked(link, item_id):
        return False
    if item_id in state.calls.unseen:
        state.calls.unseen.discard(item_id)
        item = state.mirror.get(item_id)
        if item is not None:
            add_item(state, link, item, event.get("previous_item_id"))
    return True


def _keep_given(state: RelayState, item: MirrorItem, asked: Asked) -> None:
    """Keep the audio that the client gave with an item: the upstream does not show it."""
    if not any(part.get("type") == "input_audio" and not part.get("transcript") for part in item.parts()):
        return
    body = read_upstream(asked.message)
    given = MirrorItem(item.id, {} if body is None or not isinstance(body.get("item"), dict) else body["item"], 0)
    audio = [part["audio"] for part in given.parts() if isinstance(part.get("audio"), str)]
    if audio:
        state.mirror.keep_audio(item, audio)


def _item_done(state: RelayState, link: Link, event: Body, now: float) -> Body | None:
    item = event.get("item")
    item_id = item.get("id") if isinstance(item, dict) else None
    if not isinstance(item, dict) or not isinstance(item_id, str):
        return event
    if link.told.take_done(item_id):
        return None
    mirrored = state.mirror.get(item_id)
    if mirrored is not None:
        mirrored.is_open = False
        state.mirror.change(mirrored, dict(item))
    return None if state.is_hidden(item_id) else event


def _item_deleted(state: RelayState, link: Link, event: Body, now: float) -> Body | None:
    item_id = event.get("item_id")
    if settle_asked(link, f"-{item_id}"):
        return None
    state.journal.settle("conversation.item.deleted", item_id)
    state.mirror.remove(item_id)
    if isinstance(item_id, str):
        link.told.seeded.pop(item_id, None)
        state.client.untranscribed.pop(item_id, None)
    return event


def _item_truncated(state: RelayState, link: Link, event: Body, now: float) -> Body | None:
    state.journal.settle("conversation.item.truncated", event.get("item_id"))
    item, end_ms = state.mirror.get(event.get("item_id")), event.get("audio_end_ms")
    if item is not None and isinstance(end_ms, int):
        bytes_per_ms = output_bytes_per_ms(link.session)
        cut(item, event.get("content_index"), end_ms, item.audio_bytes / bytes_per_ms)
        item.audio_bytes = min(item.audio_bytes, round(end_ms * bytes_per_ms))
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
    if refuse_ours(state, link, error):
        return None
    if error.get("event_id") is None:
        link.fault = fault_of(error)
        if link.fault is not None:
            return None  # the link is about to end; what follows for the session is told then
    refused = state.journal.refuse(error)
    if refused is not None:
        _give_up_request(state, refused)
    return event


def refuse_ours(state: RelayState, link: Link, error: Body) -> bool:
    """An error came; return whether it is about a request of ours."""
    event_id, asked = error.get("event_id"), link.told.asked
    is_nameless = event_id is None and error.get("type") == "invalid_request_error" and fault_of(error) is None
    if is_nameless and not state.journal.is_waiting():
        event_id = next(iter(asked), None)  # an upstream that names no events
    if not isinstance(event_id, str) or event_id not in asked:
        return False
    answer = asked.pop(event_id)
    if event_id in link.told.fields:
        field = seeding.refuse_field(state, link, event_id)
        if field is not None and link is state.links.live:
            state.fault(REFUSED_FIELDS, f"The upstream does not take session.{field}.")
        return True
    link.told.seeded.pop(answer, None)
    link.told.take_done(answer)
    functions.refused(state, answer, error)
    return True


def fault_of(error: Body) -> UpstreamFault | None:
    """Return what an error of the upstream's own says of the link; None if it goes on."""
    code = error.get("code")
    if code == "session_expired":
        return UpstreamFault("closed", CLOSE_MESSAGE)
    kind = _FATAL_KINDS.get(code) if isinstance(code, str) else None
    return None if kind is None else UpstreamFault(kind, _FATAL_MESSAGES[kind])


def _give_up_request(state: RelayState, refused: Asked) -> None:
    if refused.request == "session.update" and state.client.updates:
        del state.client.updates[0]
    elif refused.request == "response.create":
        state.spending.unexpect()


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
assert SETTLED_BY.keys() <= _NOTES.keys(), "each answer settles its request"
