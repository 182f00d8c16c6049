"""Events about answers: what is open, what it costs, and the calls of the server's functions, which stay here."""

from collections.abc import Callable
from typing import Final

import msgspec

from vivavoce.core.relay import functions
from vivavoce.core.relay.functions import ANSWER, begin_call
from vivavoce.core.relay.journal import Asked
from vivavoce.core.relay.links import Link, settle_asked
from vivavoce.core.relay.messages import base64_bytes, read_upstream
from vivavoce.core.relay.policy import is_named
from vivavoce.core.relay.responses import OpenItem
from vivavoce.core.relay.state import RelayState
from vivavoce.core.relay.vocabulary import Body, Json
from vivavoce.protocol.errors import ErrorDetail
from vivavoce.protocol.extensions import ResponseCost, ResponseReport
from vivavoce.protocol.responses import Usage

_CANCEL: Final = "response.cancel"
_WORDS: Final = "response.output_audio_transcript.delta"
_WORDS_HEAD: Final = f'{{"type":"{_WORDS}",'.encode()
_STREAMS: Final = {"response.output_text.delta": "text", _WORDS: "transcript"}


def is_of_server(state: RelayState, item: Body) -> bool:
    """Tell whether an item is a call of a function of the server."""
    return item.get("type") == "function_call" and is_named(item, state.calls.names)


def response_key(params: Json) -> str:
    """Return what tells requests for responses apart, and is seen in the response: where it writes, its metadata."""
    given = params if isinstance(params, dict) else {}
    where = "none" if given.get("conversation") == "none" else "auto"
    metadata = given.get("metadata")
    return where if not metadata else f"{where} {msgspec.json.encode(metadata, order='sorted')!r}"


# Responses ------------------------------------------------------------------------------------------------------


def _created(state: RelayState, link: Link, event: Body, now: float) -> Body | None:
    body = event.get("response")
    if not isinstance(body, dict) or not isinstance(body.get("id"), str):
        return event
    is_default = body.get("conversation_id") is not None
    is_detected = is_default and state.utterance.owes_answer
    is_mine = is_default and not is_detected and functions.answered(state, link)
    rival = _waiting_request(state, body) if not is_mine else None
    if rival is not None and not is_detected:
        state.journal.drop(rival)
    is_automatic = not is_mine and (is_detected or rival is None)
    too_dear = state.spending.admit(now) if is_automatic else None
    if is_automatic:
        state.spending.expect()
    response = state.responses.begin(body, rival if is_detected else None)
    assert response is not None, "it has an id"
    state.spending.begin(response.id, now)
    if is_default:
        state.utterance.owes_answer = False
        state.calls.see()
    if too_dear is not None:
        _stop(state, link, response.id, too_dear)
    return event


def _waiting_request(state: RelayState, body: Body) -> Asked | None:
    """Return the client's request that a response most likely answers."""
    where = "auto" if body.get("conversation_id") is not None else "none"
    key = response_key({"conversation": where, "metadata": body.get("metadata")})
    return state.journal.waiting(ANSWER, key) or state.journal.waiting(ANSWER, where)


def _stop(state: RelayState, link: Link, response_id: str, reason: str) -> None:
    """End a response that nobody may pay for."""
    settle_asked(link, _CANCEL)  # an earlier one, which has no answer where it was carried out
    state.ask(link, {"type": "response.cancel", "response_id": response_id}, _CANCEL)
    state.report(ErrorDetail(type="insufficient_quota", code="insufficient_quota", message=reason))


def _done(state: RelayState, link: Link, event: Body, now: float) -> Body | None:
    body = event.get("response")
    if not isinstance(body, dict):
        return event
    response = state.responses.end(body.get("id"))
    cost = 0.0
    if response is not None:
        cost = state.spending.charge(response.id, _model(link), _usage(body.get("usage")), now)
        if response.rival is not None and state.journal.drop(response.rival):
            state.spending.unexpect()  # it was answered by this response, or it would have been refused by now
        if response.is_default:
            functions.not_answered(state, link)
            state.journal.settle("response.done")
    output = body.get("output")
    items = [item for item in output if isinstance(item, dict)] if isinstance(output, list) else []
    visible = [item for item in items if not is_of_server(state, item)]
    if any(item.get("type") == "function_call" for item in visible):
        state.calls.owes_answer = False  # the client answers its own calls, and with them ours
    shown = body if len(visible) == len(items) else {**body, "output": visible}
    if state.client.shows_cost:
        report = ResponseReport(cost=ResponseCost(usd=cost, session=state.spending.report(now)))
        shown = {**shown, "vivavoce": msgspec.to_builtins(report)}
    return event if shown is body else {**event, "response": shown}


def _usage(given: Json) -> Usage | None:
    if given is None:
        return Usage()  # nothing was used, as of a response that was cancelled at once
    try:
        return msgspec.convert(given, Usage)
    except msgspec.ValidationError:
        return None


def _model(link: Link) -> str | None:
    model = link.session.get("model")
    return model if isinstance(model, str) else None


# Output items ---------------------------------------------------------------------------------------------------


def _item_added(state: RelayState, link: Link, event: Body, now: float) -> Body | None:
    response, item = state.responses.get(event.get("response_id")), event.get("item")
    if not isinstance(item, dict) or not isinstance(item.get("id"), str):
        return event
    is_hidden = is_of_server(state, item)
    if is_hidden:
        state.client.hidden.add(item["id"])
    if response is not None:
        index = event.get("output_index")
        response.items[item["id"]] = OpenItem(item, response.shown_index(index), is_hidden)
        if is_hidden and isinstance(index, int):
            response.hidden.append(index)
            state.responses.is_shifted = True
    return None if is_hidden else _with_shown_index(state, event)


def _item_done(state: RelayState, link: Link, event: Body, now: float) -> Body | None:
    response, item = state.responses.get(event.get("response_id")), event.get("item")
    if not isinstance(item, dict) or not isinstance(item.get("id"), str):
        return event
    known = None if response is None else response.items.get(item["id"])
    if known is not None:
        known.final = item
    if not state.is_hidden(item["id"]):
        return _with_shown_index(state, event)
    if response is not None and response.is_default and item.get("status") != "incomplete":
        begin_call(state, response.id, item)
    return None


def follows_words(state: RelayState, message: bytes) -> bool:
    """Note words of the assistant that go to the client as they are; False for what must be handled."""
    if not message.startswith(_WORDS_HEAD):
        return False
    event = read_upstream(message)
    if event is None or event["type"] != _WORDS or state.is_hidden(event.get("item_id")):
        return False
    _note_content(state, event)
    return True


def _content(state: RelayState, link: Link, event: Body, now: float) -> Body | None:
    if state.is_hidden(event.get("item_id")):
        return None
    _note_content(state, event)
    return _with_shown_index(state, event)


def _note_content(state: RelayState, event: Body) -> None:
    state.responses.follow(event["type"], event)
    stream = _STREAMS.get(event["type"])
    item = state.mirror.get(event.get("item_id")) if stream else None
    if stream and item is not None:
        state.mirror.write(item, event.get("content_index", 0), stream, event.get("delta"))


def _audio(state: RelayState, link: Link, event: Body, now: float) -> Body | None:
    delta, item_id = event.get("delta"), event.get("item_id")
    if isinstance(delta, str) and isinstance(item_id, str):
        state.mirror.hear(item_id, base64_bytes(delta))
    return _with_shown_index(state, event)


def _with_shown_index(state: RelayState, event: Body) -> Body:
    """Return an event with the output index that the client knows: it does not see the server's calls."""
    response = state.responses.get(event.get("response_id"))
    if response is None or not response.hidden:
        return event
    return {**event, "output_index": response.shown_index(event.get("output_index"))}


NOTES: Final[dict[str, Callable[[RelayState, Link, Body, float], Body | None]]] = {
    "response.created": _created,
    "response.done": _done,
    "response.output_item.added": _item_added,
    "response.output_item.done": _item_done,
    "response.output_audio.delta": _audio,
    **dict.fromkeys(
        (
            "response.content_part.added",
            "response.content_part.done",
            "response.output_text.delta",
            "response.output_text.done",
            "response.output_audio_transcript.delta",
            "response.output_audio_transcript.done",
            "response.output_audio.done",
            "response.function_call_arguments.delta",
            "response.function_call_arguments.done",
            "response.mcp_call_arguments.delta",
            "response.mcp_call_arguments.done",
            "response.output_text.annotation.added",
        ),
        _content,
    ),
}
