"""What must hold within a session and does not show on the wire: its playout, its truncations, what it waits for."""

from vivavoce.core.conversation import Entry
from vivavoce.core.input_buffer import bytes_in
from vivavoce.core.session import LocalSession, Session
from vivavoce.core.state import SessionState
from vivavoce.protocol.items import Message
from vivavoce.testing.model_responses import ResponseRules
from vivavoce.testing.model_rules import Broken, expect


def check(session: Session, responses: ResponseRules, now: float) -> None:
    """Check a session from within."""
    if not isinstance(session, LocalSession):
        return
    state = session._state
    if list(state.responding.live) != list(responses.running):
        raise Broken("response once", "the session has other live responses than it told")
    expect(not state.facts, "quiescence", "a fact was not acted on")
    _check_pending(state)
    _check_playout(state, now)
    for entry in state.conversation:
        if entry.heard_samples is not None:
            _check_heard(entry)


def _check_pending(state: SessionState) -> None:
    pending = state.responding.pending
    if pending is not None:
        expect(state.responding.active is None, "pending", "a response is pending beside the active one")
        expect(
            pending.item_id in state.transcripts.awaited(), "pending", "a response waits for words that will not come"
        )


def _check_playout(state: SessionState, now: float) -> None:
    for item_id, samples in state.playout.unheard_by_item(now).items():
        entry = state.conversation.get(item_id)
        sent = samples if entry is None else entry.samples  # an item out of band is in no conversation
        if not 0 < samples <= sent:
            raise Broken("playout", f"{samples} samples are unheard of {sent}")


def _check_heard(entry: Entry) -> None:
    heard = entry.heard_samples
    assert heard is not None, "the caller has looked"
    if not 0 <= heard <= entry.samples:
        raise Broken("heard", f"{heard} samples heard of {entry.samples}")
    expect(entry.text.startswith(entry.heard_text()), "heard", "the text that was heard is no prefix")
    is_cut = not entry.is_estimate and not entry.is_in_progress and isinstance(entry.item, Message)
    if is_cut and entry.audio_bytes > bytes_in(heard, entry.encoding):
        raise Broken("heard", "audio after a truncation is kept")
