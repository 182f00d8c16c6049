"""How links are made, used, lost and replaced.

A fresh link is told the session and the conversation before it is used. While one is in use it is replaced only in
silence: nobody speaks, nothing is being answered. What happened meanwhile is told to the new one at the change.
"""

from typing import Final

from vivavoce.core.lifecycle import Lifecycle, advance
from vivavoce.core.relay import endings, functions, seeding
from vivavoce.core.relay.client_events import send_again
from vivavoce.core.relay.hearing_events import note_input
from vivavoce.core.relay.links import Link, LinkPhase, settle_asked
from vivavoce.core.relay.messages import encode, read_upstream
from vivavoce.core.relay.mirror import MirrorItem
from vivavoce.core.relay.places import add_item
from vivavoce.core.relay.showing import shown_session
from vivavoce.core.relay.state import RelayState
from vivavoce.core.relay.upstream_events import (
    REFUSED_FIELDS,
    fault_of,
    pass_event,
    refuse_ours,
    settle_ours,
    with_client_ids,
)
from vivavoce.core.relay.vocabulary import (
    Body,
    CloseUpstream,
    DialUpstream,
    FaultKind,
    SendUpstream,
    UpstreamFault,
)
from vivavoce.core.spending import PaidModels
from vivavoce.core.vocabulary import Close
from vivavoce.protocol.locks import is_locked

PATIENCE_S: Final = 120.0
HEAR_AGAIN_S: Final = 5.0  # a fresh detector hears what was said within a fraction of it
MAX_BACKLOG: Final = 256  # messages
_CODES: Final[dict[FaultKind, str]] = {
    "refused": "upstream_unavailable",
    "broken": "upstream_unavailable",
    "closed": "upstream_unavailable",
    "timeout": "upstream_timeout",
    "unauthorized": "upstream_unauthorized",
    "not_found": "model_not_found",
    "rate_limited": "rate_limit_exceeded",
    "quota_exhausted": "insufficient_quota",
}
_REFUSED: Final = UpstreamFault("refused", "The upstream refused the session.")
_LOCKED: Final = UpstreamFault("not_found", "The upstream does not take what is locked in the session.")
_CLOSE_RETRY: Final = 1013
_CLOSE_FAILED: Final = 1011


def dial(state: RelayState, now: float) -> None:
    """Begin the next link."""
    link = state.links.dial(now, state.setting.connect_s)
    state.out.append(DialUpstream(link.number, link.target))


# A link on its way ----------------------------------------------------------------------------------------------


def prepare(state: RelayState, link: Link, message: bytes, body: Body, now: float) -> None:
    """Take an event of a link that is not in use yet."""
    if link.phase is LinkPhase.GREETING:
        _greeted(state, link, body, now)
        return
    event = with_client_ids(link, body)
    session, item, error = event.get("session"), event.get("item"), event.get("error")
    match event["type"]:
        case "session.updated" if isinstance(session, dict):
            link.session_json = encode(session)
            settle_asked(link, "session.updated")
        case "conversation.item.added" if isinstance(item, dict) and isinstance(item.get("id"), str):
            if not settle_ours(state, link, item["id"], event):
                _keep_strange(state, link, message, event)
        case "conversation.item.done" if isinstance(item, dict) and link.told.take_done(str(item.get("id"))):
            pass
        case "conversation.item.deleted" if settle_asked(link, f"-{event.get('item_id')}"):
            pass
        case "error" if isinstance(error, dict):
            _refused(state, link, error, now)
        case _:
            _keep_strange(state, link, message, event)
    settle_seed(state, link, now)


def settle_seed(state: RelayState, link: Link, now: float) -> None:
    """Use a link that has answered all that it was told."""
    if link is not state.links.next or link.phase is not LinkPhase.SEEDING or link.told.asked:
        return
    if any(is_locked(state.setting.locked, field) for field in link.told.refused):
        state.out.append(CloseUpstream(link.number))
        fail(state, _LOCKED, now)
        return
    link.phase = LinkPhase.READY
    replace(state, now)


def _greeted(state: RelayState, link: Link, body: Body, now: float) -> None:
    session, error = body.get("session"), body.get("error")
    if body["type"] == "session.created" and isinstance(session, dict):
        link.session_json = encode(session)
        link.phase = LinkPhase.SEEDING
        seeding.seed(state, link)
        settle_seed(state, link, now)
    elif body["type"] == "error" and isinstance(error, dict):
        state.out.append(CloseUpstream(link.number))
        fail(state, fault_of(error) or _REFUSED, now)


def _refused(state: RelayState, link: Link, error: Body, now: float) -> None:
    if refuse_ours(state, link, error):
        return
    fault = fault_of(error)
    if fault is not None:
        state.out.append(CloseUpstream(link.number))
        fail(state, fault, now)


def _keep_strange(state: RelayState, link: Link, message: bytes, event: Body) -> None:
    """What an upstream says by itself is for the client at its first link; later it would only be said again."""
    item = event.get("item")
    if not state.client.is_greeted:
        if len(link.backlog) < MAX_BACKLOG:
            link.backlog.append(message)
    elif event["type"] == "conversation.item.added" and isinstance(item, dict):
        state.client.hidden.add(item["id"])
        strange = MirrorItem(item["id"], item, link.number, is_hidden=True)
        add_item(state, link, strange, event.get("previous_item_id"))


# The link in use ------------------------------------------------------------------------------------------------


def replace(state: RelayState, now: float) -> bool:
    """Use the next link, if it is ready and the one in use can be left; tell whether that was so."""
    link, old = state.links.next, state.links.live
    if link is None or link.phase is not LinkPhase.READY:
        return False
    if old is not None:
        if not is_silent(state, is_patient=now < patience_ends_at(state, old)):
            return False
        state.out.append(CloseUpstream(old.number))
        endings.finish_items(state)
        _leave(state)
    seeding.catch_up(state, link)
    state.links.use(link, now)
    model = link.session.get("model")
    state.spending.use(PaidModels(generator=model if isinstance(model, str) else state.setting.model))
    note_input(state, link)
    _greet_client(state, link)
    _hand_over(state, link, now)
    return True


def lose(state: RelayState, fault: UpstreamFault, now: float) -> None:
    """The link in use is gone."""
    has_lasted = state.links.lose(now)
    state.utterance.again_until = None  # the next link is given its time anew
    endings.finish_items(state)
    endings.end_responses(state, now, is_cancelled=False)
    if not state.journal.is_waiting("response.create"):
        state.journal.forget("response.cancel")
    _leave(state)
    if fault.is_retryable and (has_lasted or state.links.next is not None):
        return
    if state.links.next is not None:
        state.out.append(CloseUpstream(state.links.next.number))
    fail(state, fault, now)


def fail(state: RelayState, fault: UpstreamFault, now: float) -> None:
    """A link could not be made: try again, elsewhere, or end the session."""
    if state.links.fail(fault, now):
        return
    state.fault(_CODES[fault.kind], fault.message)
    code = _CLOSE_RETRY if fault.is_retryable else _CLOSE_FAILED
    state.out.append(Close(code, fault.message))
    state.span.lifecycle = advance(state.span.lifecycle, Lifecycle.CLOSING)


def is_silent(state: RelayState, *, is_patient: bool) -> bool:
    """Tell whether the link in use can be left without anyone noticing; in the end only speech counts."""
    utterance = state.utterance
    if state.responses.open or utterance.item_id or state.client.writing is not None:
        return False
    is_owed = state.calls.is_busy() or utterance.owes_answer or state.client.untranscribed
    return not is_patient or not (is_owed or state.journal.is_waiting())


def patience_ends_at(state: RelayState, link: Link) -> float:
    """Return when a link is left although answers are owed that may never come."""
    return link.in_use_since + state.setting.rollover_s + PATIENCE_S


def _leave(state: RelayState) -> None:
    """The link in use answers no more."""
    endings.give_up_transcripts(state)
    endings.give_up_answer(state)
    functions.link_left(state)


def _greet_client(state: RelayState, link: Link) -> None:
    """Tell the client its session: at the start, and where another engine answers from now on."""
    client = state.client
    if not client.is_greeted or client.target != link.target:
        name = "session.updated" if client.is_greeted else "session.created"
        state.tell({"type": name, "session": shown_session(state, link)})
    client.is_greeted, client.target = True, link.target
    if link.told.refused:
        fields = ", ".join(f"session.{field}" for field in link.told.refused)
        state.fault(REFUSED_FIELDS, f"The upstream does not take {fields}.")


def _hand_over(state: RelayState, link: Link, now: float) -> None:
    """Send again what has not been settled; the client's ids hold on a fresh link."""
    client, journal = state.client, state.journal
    client.hidden = {item.id for item in state.mirror if item.is_hidden}
    client.hidden |= {str(item.body.get("call_id")) for item in state.mirror if item.is_hidden}
    backlog, link.backlog = link.backlog, []
    for message in backlog:
        body = read_upstream(message)
        assert body is not None, "it was read before"
        pass_event(state, link, message, body, now)
    link.origin_ms = journal.origin_ms()
    for entry in list(journal):
        if isinstance(entry, tuple):
            state.out.append(SendUpstream(link.number, entry[0]))
        else:
            send_again(state, link, entry)
    utterance = state.utterance
    if utterance.item_id is not None:
        utterance.end_ms, utterance.again_until = None, now + HEAR_AGAIN_S
