"""How links are made, used, lost and replaced.

A fresh link is told the session and the conversation before it is used. While one is in use it is replaced only in
silence: nobody speaks, nothing is being answered. What happened meanwhile is told to the new one at the change.
"""

from typing import Final

from vivavoce.core.lifecycle import Lifecycle, advance
from vivavoce.core.relay.hearing_events import note_input
from vivavoce.core.relay.links import Link, LinkPhase
from vivavoce.core.relay.replay import seed_bodies, seed_items
from vivavoce.core.relay.responses import DISCONNECTED, failed
from vivavoce.core.relay.showing import shown_session, with_functions
from vivavoce.core.relay.state import RelayState, Utterance
from vivavoce.core.relay.vocabulary import Body, CloseUpstream, DialUpstream, FaultKind, SendUpstream, UpstreamFault
from vivavoce.core.vocabulary import Close

LOST: Final = "The connection to the upstream was lost."
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
PATIENCE_S: Final = 120.0
_CLOSE_RETRY: Final = 1013
_CLOSE_FAILED: Final = 1011


def dial(state: RelayState, now: float) -> None:
    """Begin the next link."""
    link = state.links.dial(now, state.setting.connect_s)
    state.out.append(DialUpstream(link.number, link.target))


def greet(state: RelayState, link: Link, session: Body, now: float) -> None:
    """The upstream has told its session: tell it ours."""
    link.session = session
    link.phase = LinkPhase.SEEDING
    _configure(state, link)
    for item, bodies in seed_items(state.mirror):
        link.seeded[item.id] = item.version
        for body in bodies:
            _create(state, link, body)
    settle_seed(state, link, now)


def settle_seed(state: RelayState, link: Link, now: float) -> None:
    """Use a link that has answered all that it was told."""
    if link.phase is LinkPhase.SEEDING and not link.asked:
        link.phase = LinkPhase.READY
        replace(state, now)


def replace(state: RelayState, now: float) -> bool:
    """Use the next link, if it is ready and the one in use can be left; tell whether that was so."""
    link, old = state.links.next, state.links.live
    if link is None or link.phase is not LinkPhase.READY:
        return False
    if old is not None and not is_silent(state, is_patient=now < patience_ends_at(state, old)):
        return False
    _catch_up(state, link)
    if old is not None:
        state.out.append(CloseUpstream(old.number))
    state.links.use(link, now)
    note_input(state, link)
    _greet_client(state, link)
    _hand_over(state, link)
    return True


def lose(state: RelayState, fault: UpstreamFault, now: float) -> None:
    """The link in use is gone."""
    state.links.lose(now)
    for response in list(state.responses.open.values()):
        for event in failed(response, LOST):
            state.tell(event)
        state.spending.charge(response.id, None, None, now)
    state.responses.open.clear()
    state.calls.is_asked = False
    _give_up_transcripts(state)
    if state.utterance.owes_answer:
        state.utterance.owes_answer = False
        state.fault(DISCONNECTED, f"{LOST} The last turn was not answered; ask for a response.")
    if not fault.is_retryable:
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
    calls, utterance = state.calls, state.utterance
    if state.responses.open or utterance.item_id:
        return False
    is_owed = calls.running or calls.owes_answer or utterance.owes_answer or state.client.untranscribed
    return not is_patient or not (is_owed or state.journal.is_waiting())


def patience_ends_at(state: RelayState, link: Link) -> float:
    """Return when a link is left although answers are owed that may never come."""
    return link.in_use_since + state.setting.rollover_s + PATIENCE_S


# The steps ------------------------------------------------------------------------------------------------------


def _configure(state: RelayState, link: Link) -> None:
    client = state.client
    link.configuration_version = client.configuration_version
    session = with_functions(state, client.configuration, is_whole=True)
    if session:
        kind = state.setting.kind
        state.ask(link, {"type": "session.update", "session": {"type": kind, **session}}, "session.updated")


def _create(state: RelayState, link: Link, body: Body, previous_id: str | None = None) -> None:
    place = {} if previous_id is None else {"previous_item_id": previous_id}
    link.seeded.setdefault(str(body["id"]), 0)
    state.ask(link, {"type": "conversation.item.create", **place, "item": body}, str(body["id"]))


def _catch_up(state: RelayState, link: Link) -> None:
    """Tell a link what has changed since it was told the conversation."""
    if link.configuration_version != state.client.configuration_version:
        _configure(state, link)
    present = {item.id for item in state.mirror}
    changed = {item.id for item in state.mirror if link.seeded.get(item.id) not in (None, item.version)}
    for item_id in [id_ for id_ in link.seeded if id_ in changed or _is_gone(id_, present)]:
        del link.seeded[item_id]
        state.ask(link, {"type": "conversation.item.delete", "item_id": item_id}, f"-{item_id}")
    previous_id = "root"
    for item in state.mirror:
        if item.id not in link.seeded:
            for body in seed_bodies(item):
                _create(state, link, body, previous_id)
                previous_id = str(body["id"])
                link.seeded[item.id] = item.version
        if item.id in link.seeded:
            previous_id = item.id


def _is_gone(item_id: str, present: set[str]) -> bool:
    return item_id not in present and not item_id.endswith("_out")


def _greet_client(state: RelayState, link: Link) -> None:
    """Tell the client its session: at the start, and where another engine answers from now on."""
    client = state.client
    if not client.is_greeted or client.target != link.target:
        name = "session.updated" if client.is_greeted else "session.created"
        state.tell({"type": name, "session": shown_session(state, link)})
    client.is_greeted, client.target = True, link.target


def _hand_over(state: RelayState, link: Link) -> None:
    """Send again what has not been settled; the client's ids hold on a fresh link."""
    client, journal = state.client, state.journal
    client.aliases.clear()
    client.real_ids.clear()
    client.hidden = {item.id for item in state.mirror if item.is_hidden}
    link.origin_ms = journal.origin_ms()
    for entry in journal:
        state.out.append(SendUpstream(link.number, entry.message))
    if state.utterance.item_id is not None:
        state.utterance = Utterance(state.utterance.item_id, state.utterance.start_ms, is_again=True)


def _give_up_transcripts(state: RelayState) -> None:
    """Words that the lost upstream was writing down are awaited no more."""
    error = {"type": "server_error", "code": DISCONNECTED, "message": LOST}
    name = "conversation.item.input_audio_transcription.failed"
    for item_id in sorted(state.client.untranscribed):
        if item_id != state.utterance.item_id:
            state.tell({"type": name, "item_id": item_id, "content_index": 0, "error": error})
    state.client.untranscribed.clear()
