"""What becomes of a call of one of the server's functions: it is called, its output told, and answered once."""

from typing import Final

from vivavoce.core.relay.links import Link, settle_asked
from vivavoce.core.relay.mirror import MirrorItem
from vivavoce.core.relay.state import RelayState
from vivavoce.core.relay.tools import MAX_OPEN_CALLS
from vivavoce.core.relay.vocabulary import Body, CallTool, SendUpstream, ToolReturned
from vivavoce.protocol.errors import ErrorDetail

ANSWER: Final = "response.create"  # what our own request for a response is settled by: its `created`
_TOO_MANY: Final = "The function was not called: too many calls are running."


def begin_call(state: RelayState, response_id: str, item: Body) -> None:
    """A call is whole: call the function. Its item is hidden."""
    call_id, name, arguments = (item.get(key) for key in ("call_id", "name", "arguments"))
    if not isinstance(call_id, str) or not isinstance(name, str) or not isinstance(arguments, str):
        return
    if call_id in state.client.hidden:
        return  # it was told twice
    state.client.hidden.add(call_id)
    is_free = len(state.calls.running) < MAX_OPEN_CALLS
    state.calls.begin(call_id, response_id)
    if is_free:
        state.out.append(CallTool(call_id, name, arguments))
    else:
        take_output(state, ToolReturned(call_id, _TOO_MANY, is_error=True))


def take_output(state: RelayState, returned: ToolReturned) -> None:
    """A function has returned: its output becomes an item that the client does not see."""
    if not state.calls.end(returned.call_id):
        return
    item_id = state.ids.make("item")
    item = {"id": item_id, "type": "function_call_output", "call_id": returned.call_id, "output": returned.output}
    state.client.hidden.add(item_id)
    link = state.links.live
    state.mirror.add(MirrorItem(item_id, item, 0 if link is None else link.number, is_hidden=True))
    if link is not None:
        state.calls.unseen.add(item_id)
        link.told.expect_done(item_id)
        state.ask(link, {"type": "conversation.item.create", "item": item}, item_id)


def answer_calls(state: RelayState, link: Link, now: float) -> None:
    """Ask for the answer that is owed for the outputs of functions, when nothing stands in its way."""
    calls = state.calls
    if calls.running or calls.is_asked or state.responses.default() is not None:
        return
    if calls.held:
        for held in calls.held:
            state.journal.ask(held.message, ANSWER, held.event_id, held.key)
            state.out.append(SendUpstream(link.number, held.message))
        calls.held.clear()
        calls.owes_answer = False
        return
    is_blocked = state.utterance.item_id or state.utterance.owes_answer or state.journal.is_waiting(ANSWER)
    if not calls.owes_answer or is_blocked:
        return
    too_dear = state.spending.admit(now)
    if too_dear is not None:
        calls.owes_answer = False
        state.report(ErrorDetail(type="insufficient_quota", code="insufficient_quota", message=too_dear))
        return
    calls.is_asked = True
    state.spending.expect()
    state.ask(link, {"type": ANSWER}, ANSWER)


def refused(state: RelayState, answer: str, error: Body) -> None:
    """The upstream refused a request of ours."""
    state.calls.unseen.discard(answer)
    if answer == ANSWER:
        _unask(state)
        if error.get("code") != "conversation_already_has_active_response":
            state.calls.owes_answer = False


def link_left(state: RelayState) -> None:
    """What was asked of a link is not answered any more; the next one is told all outputs."""
    state.calls.unseen.clear()
    if state.calls.is_asked:
        _unask(state)


def answered(state: RelayState, link: Link) -> bool:
    """A response began that may be the one that we asked for; return whether we did ask."""
    state.calls.is_asked = False
    return settle_asked(link, ANSWER)


def not_answered(state: RelayState, link: Link) -> None:
    """A response ended beside which our request would have been refused by now, if it was not answered by it."""
    if settle_asked(link, ANSWER):
        _unask(state)


def _unask(state: RelayState) -> None:
    state.calls.is_asked = False
    state.spending.unexpect()
