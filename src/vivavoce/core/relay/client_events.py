"""What becomes of a client's message: it goes on as it came, edited, or is answered here."""

from collections.abc import Callable
from typing import Final

from vivavoce.core.relay.journal import REQUESTS, Asked
from vivavoce.core.relay.links import Link
from vivavoce.core.relay.messages import (
    appended_bytes,
    base64_bytes,
    check_head,
    encode,
    event_id_of,
    read_client,
    read_upstream,
)
from vivavoce.core.relay.old_items import ITEM_REQUESTS, answer_for_old_item
from vivavoce.core.relay.places import asked_with_place
from vivavoce.core.relay.policy import (
    refuse_functions,
    refuse_locked_item,
    refuse_locked_response,
    refuse_locked_session,
    take_extension,
)
from vivavoce.core.relay.response_events import response_key
from vivavoce.core.relay.showing import shown_session, with_functions
from vivavoce.core.relay.state import RelayState
from vivavoce.core.relay.tools import HeldRequest
from vivavoce.core.relay.vocabulary import Body, ClientMessage, Json, SendUpstream
from vivavoce.protocol.errors import ClientError, call_missing, invalid_content

_RENAMED_KEYS: Final = ("item_id", "previous_item_id")


class Passage:
    """One client event on its way: `body` is replaced where it is edited."""

    def __init__(self, message: bytes, body: Body, link: Link, now: float) -> None:
        self.message = message
        self.body = body
        self.link = link
        self.now = now

    def edit(self, body: Body) -> None:
        self.body = body
        self.message = encode(body)


def take_message(state: RelayState, input: ClientMessage, now: float) -> None:
    """Take a message while a link is in use."""
    link = state.links.live
    assert link is not None, "messages are held until there is a link"
    size = appended_bytes(input.message)
    if size is not None:
        append(state, link, input.message, size)
        return
    body: Body | None = None
    try:
        body = read_client(input.message) if input.body is None else input.body
        check_head(body)
        _take(state, Passage(input.message, body, link, now))
    except ClientError as error:
        event_id = error.detail.event_id if body is None else event_id_of(body)
        state.report(error.with_event_id(event_id).detail)


def append(state: RelayState, link: Link, message: bytes, size_bytes: int) -> None:
    """Send audio on."""
    state.journal.hear(message, size_bytes)
    state.out.append(SendUpstream(link.number, message))


def send_again(state: RelayState, link: Link, asked: Asked) -> None:
    """Send a request that a lost link has not answered over a fresh one; it may be about what is old by now."""
    body = read_upstream(asked.message)
    assert body is not None, "it was read before"
    try:
        if asked.request not in ITEM_REQUESTS or not answer_for_old_item(state, body, link):
            _send(state, link, asked.message, body)
            return
    except ClientError as error:
        state.report(error.with_event_id(event_id_of(body)).detail)
    state.journal.drop(asked)


def _take(state: RelayState, passage: Passage) -> None:
    edit = _EDITS.get(passage.body["type"])
    if edit is None or edit(state, passage):
        _pass(state, passage)


def _pass(state: RelayState, passage: Passage) -> None:
    type_ = passage.body["type"]
    if type_ in ITEM_REQUESTS and answer_for_old_item(state, passage.body, passage.link):
        return
    if type_ in REQUESTS:
        state.journal.ask(passage.message, type_, passage.body.get("event_id"), _key_of(passage.body))
    _send(state, passage.link, passage.message, passage.body)


def _send(state: RelayState, link: Link, message: bytes, body: Body) -> None:
    """Send a message with the ids and the place that the upstream knows."""
    known = asked_with_place(state, link, body)
    if link.names.real:
        known = _with_real_ids(known, link.names.real)
    state.out.append(SendUpstream(link.number, message if known is body else encode(known)))


def _key_of(body: Body) -> str | None:
    """Return what tells a request from others of its type."""
    if body["type"] == "response.create":
        return response_key(body.get("response"))
    item = body.get("item")
    key = item.get("id") if isinstance(item, dict) else body.get("item_id")
    return key if isinstance(key, str) else None


def _with_real_ids(body: Body, real_ids: dict[str, str]) -> Body:
    changes: Body = {key: real_ids[body[key]] for key in _RENAMED_KEYS if _known(body.get(key), real_ids)}
    params = body.get("response")
    items = params.get("input") if isinstance(params, dict) else None
    if isinstance(params, dict) and isinstance(items, list):
        renamed = [_with_real_id(item, real_ids) for item in items]
        if renamed != items:
            changes["response"] = {**params, "input": renamed}
    return {**body, **changes} if changes else body


def _with_real_id(item: Json, real_ids: dict[str, str]) -> Json:
    if isinstance(item, dict) and _known(item.get("id"), real_ids):
        return {**item, "id": real_ids[item["id"]]}
    return item


def _known(value: Json, real_ids: dict[str, str]) -> bool:
    return isinstance(value, str) and value in real_ids


# Edits: return whether the event goes on ------------------------------------------------------------------------


def _update(state: RelayState, passage: Passage) -> bool:
    session, current = passage.body.get("session"), passage.link.session
    if not isinstance(session, dict):
        state.client.updates.append({})  # the upstream refuses it
        return True
    shows_cost, given = take_extension(session, current)
    refuse_locked_session(state.setting.locked, current, session)
    refuse_functions(state.calls.names, session.get("tools"), "session.tools")
    if given.get("model") not in (None, current.get("model")):
        del given["model"]  # as everywhere, a session keeps its model
    if shows_cost is not None:
        state.client.shows_cost = shows_cost
    if shows_cost is not None and not given.keys() - {"type"} and not state.journal.is_waiting("session.update"):
        state.tell({"type": "session.updated", "session": shown_session(state, passage.link, passage.now)})
        return False
    state.client.updates.append(given)
    for_upstream = with_functions(state, given, is_whole=False)
    if for_upstream != session:
        passage.edit({**passage.body, "session": for_upstream})
    return True


def _create_response(state: RelayState, passage: Passage) -> bool:
    params = passage.body.get("response")
    if isinstance(params, dict):
        refuse_locked_response(state.setting.locked, passage.link.session, params)
        refuse_functions(state.calls.names, params.get("tools"), "response.tools")
        if params.get("vivavoce") and "vivavoce" not in passage.link.session:
            raise invalid_content("response.vivavoce", "it is not available in a relayed session")
    refused = state.spending.admit(passage.now)
    if refused is not None:
        raise ClientError("insufficient_quota", refused, type="insufficient_quota")
    state.spending.expect()
    key = response_key(params)
    if not key.startswith("none") and state.calls.running and state.responses.default() is None:
        held = HeldRequest(passage.message, event_id_of(passage.body), key)
        state.calls.held.append(held)  # it shall see what the server's functions return
        return False
    return True


def _create_item(state: RelayState, passage: Passage) -> bool:
    item = passage.body.get("item")
    refuse_locked_item(state.setting.locked, item, "item")
    if isinstance(item, dict) and item.get("type") == "function_call_output":
        call_id = item.get("call_id")
        if state.is_hidden(call_id):
            raise call_missing(str(call_id))
    return True


def _clear(state: RelayState, passage: Passage) -> bool:
    state.journal.clear()
    return True


def _append(state: RelayState, passage: Passage) -> bool:
    """Send audio on whose message is not of the usual form."""
    audio = passage.body.get("audio")
    append(state, passage.link, passage.message, base64_bytes(audio) if isinstance(audio, str) else 0)
    return False


def _cancel(state: RelayState, passage: Passage) -> bool:
    """A cancel is sent again only with the request that it is about."""
    if state.journal.is_waiting("response.create"):
        return True
    state.out.append(SendUpstream(passage.link.number, passage.message))
    return False


_EDITS: Final[dict[str, Callable[[RelayState, Passage], bool]]] = {
    "session.update": _update,
    "response.create": _create_response,
    "conversation.item.create": _create_item,
    "input_audio_buffer.append": _append,
    "input_audio_buffer.clear": _clear,
    "response.cancel": _cancel,
}
