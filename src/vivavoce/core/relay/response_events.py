"""Events about answers: what is open, what it costs, and the calls of the server's functions, which stay here."""

from collections.abc import Callable
from typing import Final

import msgspec

from vivavoce.core.relay.links import Link, settle_asked
from vivavoce.core.relay.responses import OpenItem
from vivavoce.core.relay.state import RelayState
from vivavoce.core.relay.vocabulary import Body, CallTool, Json, SendUpstream
from vivavoce.protocol.errors import ErrorDetail
from vivavoce.protocol.extensions import ResponseCost, ResponseReport
from vivavoce.protocol.responses import Usage

ANSWER: Final = "response.create"  # what our own request for a response is settled by: its `created`
_STREAMS: Final = {
    "response.output_text.delta": "text",
    "response.output_audio_transcript.delta": "transcript",
}


def is_of_server(state: RelayState, item: Body) -> bool:
    """Tell whether an item is a call of a function of the server."""
    return item.get("type") == "function_call" and item.get("name") in state.calls.names


def place_item(state: RelayState, item_id: str, previous_id: Json) -> None:
    """An output item has its place in the conversation."""
    for response in state.responses.open.values():
        if item_id in response.items:
            response.items[item_id].previous_id = previous_id


def finish_item(state: RelayState, item_id: str) -> None:
    """The conversation has an output item whole."""
    for response in state.responses.open.values():
        if item_id in response.items:
            response.items[item_id].is_done = True


def refused(state: RelayState, asked: str, error: Body) -> None:
    """The upstream refused a request of ours."""
    if asked == ANSWER:
        state.calls.is_asked = False
        state.calls.owes_answer = error.get("code") == "conversation_already_has_active_response"


# Responses ------------------------------------------------------------------------------------------------------


def _created(state: RelayState, link: Link, event: Body, now: float) -> Body | None:
    body = event.get("response")
    if not isinstance(body, dict):
        return event
    is_asked = state.journal.settle("response.created")
    is_mine = not is_asked and settle_asked(link, ANSWER)
    is_automatic = not is_asked and not is_mine
    too_dear = state.spending.admit(now) if is_automatic else None
    response = state.responses.begin(body, is_mine=is_mine)
    if response is None:
        return event
    state.spending.begin(response.id, now)
    if response.is_default:
        state.utterance.owes_answer = False
        if not state.calls.running:
            state.calls.drop_debt()  # it sees all that the functions returned
        state.calls.is_asked = False
    if too_dear is not None:
        _stop(state, link, response.id, too_dear)
    return event


def _stop(state: RelayState, link: Link, response_id: str, reason: str) -> None:
    """End a response that nobody may pay for."""
    state.ask(link, {"type": "response.cancel", "response_id": response_id}, "response.cancel")
    state.report(ErrorDetail(type="insufficient_quota", code="insufficient_quota", message=reason))


def _done(state: RelayState, link: Link, event: Body, now: float) -> Body | None:
    body = event.get("response")
    if not isinstance(body, dict):
        return event
    response = state.responses.end(body.get("id"))
    cost = 0.0
    if response is not None:
        cost = state.spending.charge(response.id, _model(link), _usage(body.get("usage")), now)
        settle_asked(link, "response.cancel")
    output = body.get("output")
    items = [item for item in output if isinstance(item, dict)] if isinstance(output, list) else []
    visible = [item for item in items if not is_of_server(state, item)]
    if any(item.get("type") == "function_call" for item in visible):
        state.calls.drop_debt()  # the client answers its own calls, and with them ours
    shown = body if len(visible) == len(items) else {**body, "output": visible}
    if state.client.shows_cost:
        report = ResponseReport(cost=ResponseCost(usd=cost, session=state.spending.report(now)))
        shown = {**shown, "vivavoce": msgspec.to_builtins(report)}
    return event if shown is body else {**event, "response": shown}


def _usage(given: Json) -> Usage | None:
    if not isinstance(given, dict):
        return None
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
        response.items[item["id"]] = OpenItem(item, event.get("output_index"), is_hidden)
    return None if is_hidden else event


def _item_done(state: RelayState, link: Link, event: Body, now: float) -> Body | None:
    response, item = state.responses.get(event.get("response_id")), event.get("item")
    if not isinstance(item, dict) or not isinstance(item.get("id"), str):
        return event
    if response is not None:
        response.items.pop(item["id"], None)
        if not state.is_hidden(item["id"]):
            response.done_items[item["id"]] = item
    if not state.is_hidden(item["id"]):
        return event
    if response is not None and response.is_default and item.get("status") != "incomplete":
        _call(state, response.id, item)
    return None


def _call(state: RelayState, response_id: str, item: Body) -> None:
    call_id, name, arguments = (item.get(key) for key in ("call_id", "name", "arguments"))
    if isinstance(call_id, str) and isinstance(name, str) and isinstance(arguments, str):
        state.client.hidden.add(call_id)
        state.calls.begin(call_id, response_id)
        state.out.append(CallTool(call_id, name, arguments))


def answer_calls(state: RelayState, link: Link, now: float) -> None:
    """Ask for the answer that is owed for the outputs of functions, when nothing stands in its way."""
    calls = state.calls
    if calls.running or calls.is_asked or state.responses.default() is not None:
        return
    if calls.held:
        for message in calls.held:
            state.journal.ask(message, ANSWER, {})
            state.out.append(SendUpstream(link.number, message))
        calls.held.clear()
        calls.drop_debt()
        return
    is_blocked = state.utterance.item_id or state.utterance.owes_answer or state.journal.is_waiting(ANSWER)
    if not calls.owes_answer or is_blocked:
        return
    too_dear = state.spending.admit(now)
    if too_dear is not None:
        calls.drop_debt()
        state.report(ErrorDetail(type="insufficient_quota", code="insufficient_quota", message=too_dear))
        return
    calls.is_asked = True
    state.ask(link, {"type": ANSWER}, ANSWER)


# Content --------------------------------------------------------------------------------------------------------


def _content(state: RelayState, link: Link, event: Body, now: float) -> Body | None:
    if state.is_hidden(event.get("item_id")):
        return None
    state.responses.follow(event["type"], event)
    stream = _STREAMS.get(event["type"])
    item = state.mirror.get(event.get("item_id")) if stream else None
    if stream and item is not None:
        state.mirror.write(item, event.get("content_index", 0), stream, event.get("delta"))
    return event


def _audio(state: RelayState, link: Link, event: Body, now: float) -> Body | None:
    delta, item_id = event.get("delta"), event.get("item_id")
    if isinstance(delta, str) and isinstance(item_id, str):
        state.mirror.hear(item_id, len(delta) * 3 // 4 - delta.endswith("=") - delta.endswith("=="))
    return event


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
        ),
        _content,
    ),
}
