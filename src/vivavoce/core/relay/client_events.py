"""What becomes of a client's message: it goes on as it came, edited, or is answered here."""

from collections.abc import Callable
from typing import Final

from vivavoce.core.relay.links import Link
from vivavoce.core.relay.messages import appended_bytes, check_head, encode, event_id_of, read_client
from vivavoce.core.relay.old_items import answer_for_old_item
from vivavoce.core.relay.policy import (
    refuse_functions,
    refuse_locked_item,
    refuse_locked_response,
    refuse_locked_session,
    take_extension,
)
from vivavoce.core.relay.showing import shown_session, with_functions
from vivavoce.core.relay.state import RelayState
from vivavoce.core.relay.vocabulary import Body, ClientMessage, Json, SendUpstream
from vivavoce.protocol.errors import ClientError, call_missing, invalid_content

_ITEM_REQUESTS: Final = ("conversation.item.truncate", "conversation.item.retrieve", "conversation.item.delete")
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


def _take(state: RelayState, passage: Passage) -> None:
    type_ = passage.body["type"]
    edit = _EDITS.get(type_)
    if edit is not None and not edit(state, passage):
        return
    if type_ in _ITEM_REQUESTS and answer_for_old_item(state, passage.body, passage.link):
        return
    _send(state, passage)


def _send(state: RelayState, passage: Passage) -> None:
    type_ = passage.body["type"]
    if type_ in _ANSWERED:
        state.journal.ask(passage.message, type_, passage.body)
    message = passage.message
    if state.client.real_ids:
        renamed = _with_real_ids(passage.body, state.client.real_ids)
        message = message if renamed is passage.body else encode(renamed)
    state.out.append(SendUpstream(passage.link.number, message))


def _with_real_ids(body: Body, real_ids: dict[str, str]) -> Body:
    changes = {key: real_ids[body[key]] for key in _RENAMED_KEYS if _known(body.get(key), real_ids)}
    return {**body, **changes} if changes else body


def _known(value: Json, real_ids: dict[str, str]) -> bool:
    return isinstance(value, str) and value in real_ids


# Edits: return whether the event goes on ------------------------------------------------------------------------


def _update(state: RelayState, passage: Passage) -> bool:
    session = passage.body.get("session")
    if not isinstance(session, dict):
        return True
    shows_cost, given = take_extension(session, passage.link.session)
    refuse_locked_session(state.setting.locked, passage.link.session, session)
    refuse_functions(state.calls.names, session.get("tools"), "session.tools")
    if given.get("model") not in (None, passage.link.session.get("model")):
        del given["model"]  # as everywhere, a session keeps its model
    if shows_cost is not None:
        state.client.shows_cost = shows_cost
    if shows_cost is not None and not given.keys() - {"type"}:
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
    is_default = not (isinstance(params, dict) and params.get("conversation") == "none")
    if is_default and state.calls.running and state.responses.default() is None:
        state.calls.held.append(passage.message)  # it shall see what the server's functions return
        return False
    return True


def _create_item(state: RelayState, passage: Passage) -> bool:
    item = passage.body.get("item")
    refuse_locked_item(state.setting.locked, item, "item")
    if isinstance(item, dict) and item.get("type") == "function_call_output":
        call_id = item.get("call_id")
        if call_id in state.calls.running or state.is_hidden(call_id):
            raise call_missing(str(call_id))
    return True


def _clear(state: RelayState, passage: Passage) -> bool:
    state.journal.clear()
    return True


_EDITS: Final[dict[str, Callable[[RelayState, Passage], bool]]] = {
    "session.update": _update,
    "response.create": _create_response,
    "conversation.item.create": _create_item,
    "input_audio_buffer.clear": _clear,
}
_ANSWERED: Final = frozenset(
    {
        "session.update",
        "response.create",
        "conversation.item.create",
        "input_audio_buffer.commit",
        *_ITEM_REQUESTS,
    }
)
