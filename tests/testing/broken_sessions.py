"""Sessions that break one rule each, to show that the model check would notice."""

from collections.abc import Callable

import msgspec

from vivavoce.core import vocabulary as core
from vivavoce.core.session import LocalSession
from vivavoce.core.vocabulary import Input, Output
from vivavoce.protocol import server_events as wire
from vivavoce.protocol.errors import ErrorDetail
from vivavoce.protocol.ids import IdSource
from vivavoce.testing.model_check import make_session
from vivavoce.testing.model_families import Family
from vivavoce.testing.model_states import MARK

Change = Callable[[LocalSession, Input | None, list[Output], float], list[Output]]


class BrokenSession(LocalSession):
    """A session whose outputs are changed before anyone sees them; `input` is None for a timer."""

    change: Change
    loses: type | None = None  # inputs that the session never gets
    is_timeless = False  # timers do nothing

    def handle(self, input: Input, now: float) -> list[Output]:
        outputs = [] if self.loses is not None and isinstance(input, self.loses) else super().handle(input, now)
        return self.change(self, input, outputs, now)

    def handle_timer(self, now: float) -> list[Output]:
        outputs = [] if self.is_timeless else super().handle_timer(now)
        return self.change(self, None, outputs, now)


def keep(session: LocalSession, input: Input | None, outputs: list[Output], now: float) -> list[Output]:
    return outputs


def broken(change: Change = keep, *, loses: type | None = None, is_timeless: bool = False) -> type[BrokenSession]:
    """Return sessions that are broken in this way."""
    attributes = {"change": staticmethod(change), "loses": loses, "is_timeless": is_timeless}
    return type("BrokenSession", (BrokenSession,), attributes)


def maker(kind: type[BrokenSession]) -> Callable[[Family, IdSource], LocalSession]:
    """Return what makes such a session for a family."""

    def make(family: Family, ids: IdSource) -> LocalSession:
        session = make_session(family, ids)
        session.__class__ = kind
        return session

    return make


def event_of(output: Output) -> wire.ServerEvent | None:
    return output.event if isinstance(output, core.Send) else None


def dropping(kind: type) -> Change:
    """Never send or do what is of a type."""
    return lambda session, input, outputs, now: [
        output for output in outputs if not isinstance(event_of(output) or output, kind)
    ]


def doubling(kind: type, **fields: object) -> Change:
    """Send an event of a type a second time, with other fields."""

    def change(session: LocalSession, input: Input | None, outputs: list[Output], now: float) -> list[Output]:
        doubled: list[Output] = []
        for output in outputs:
            doubled.append(output)
            event = event_of(output)
            if isinstance(event, kind) and isinstance(event, msgspec.Struct):
                doubled.append(core.Send(msgspec.structs.replace(event, **fields)))
        return doubled

    return change


def rewriting(kind: type, **fields: object) -> Change:
    """Send an event, or do something, of a type with other fields."""

    def change(session: LocalSession, input: Input | None, outputs: list[Output], now: float) -> list[Output]:
        rewritten: list[Output] = []
        for output in outputs:
            event = event_of(output)
            if isinstance(event, kind) and isinstance(event, msgspec.Struct):
                output = core.Send(msgspec.structs.replace(event, **fields))
            elif isinstance(output, kind):
                output = msgspec.structs.replace(output, **fields)
            rewritten.append(output)
        return rewritten

    return change


def adding(kind: type, output: Output) -> Change:
    """Put out more than there is to say after an input."""
    return lambda session, input, outputs, now: [*outputs, output] if isinstance(input, kind) else outputs


def raising(kind: type) -> Change:
    """Let an exception escape."""

    def change(session: LocalSession, input: Input | None, outputs: list[Output], now: float) -> list[Output]:
        if isinstance(input, kind):
            raise ZeroDivisionError
        return outputs

    return change


def another_active(session: LocalSession, input: Input | None, outputs: list[Output], now: float) -> list[Output]:
    """Announce a second response beside each."""
    events = [event for event in map(event_of, outputs) if isinstance(event, wire.ResponseCreated)]
    more = [msgspec.structs.replace(e, response=msgspec.structs.replace(e.response, id=OTHER)) for e in events]
    return [*outputs, *map(core.Send, more)]


def changed_by_refusal(session: LocalSession, input: Input | None, outputs: list[Output], now: float) -> list[Output]:
    """Count refused events as if they had done something."""
    if any(isinstance(event_of(output), wire.ErrorEvent) for output in outputs):
        session._state.responding.finished_count += 1
    return outputs


def silently_passive(session: LocalSession, input: Input | None, outputs: list[Output], now: float) -> list[Output]:
    """Tell the client that turns are neither answered nor interrupt, and go on answering and interrupting."""
    changed: list[Output] = []
    for output in outputs:
        event = event_of(output)
        if isinstance(event, wire.SessionCreated):
            source = event.session.audio.input
            assert source.turn_detection is not None, "the family has turn detection"
            told = msgspec.structs.replace(source.turn_detection, create_response=False, interrupt_response=False)
            audio = msgspec.structs.replace(
                event.session.audio, input=msgspec.structs.replace(source, turn_detection=told)
            )
            session_told = msgspec.structs.replace(event.session, audio=audio)
            output = core.Send(msgspec.structs.replace(event, session=session_told))
        changed.append(output)
    return changed


def forever_pending(session: LocalSession, input: Input | None, outputs: list[Output], now: float) -> list[Output]:
    """Go on waiting for words that have come."""
    state = session._state
    kept = getattr(session, "kept", None)
    if isinstance(input, core.TranscriptFinalized) and kept is not None:
        state.responding.pending, state.responding.active = kept, None
    session.kept = state.responding.pending  # type: ignore[attr-defined]  # of the broken session alone
    return outputs


def twice_played(session: LocalSession, input: Input | None, outputs: list[Output], now: float) -> list[Output]:
    """Count audio twice."""
    for output in outputs:
        if isinstance(output, core.PlayAudio):
            session._state.playout.play(output.item_id, output.samples, now)
    return outputs


def overheard(session: LocalSession, input: Input | None, outputs: list[Output], now: float) -> list[Output]:
    """Take for heard what was never said."""
    for output in outputs:
        event = event_of(output)
        entry = (
            session._state.conversation.get(event.item_id)
            if isinstance(event, wire.ConversationItemTruncated)
            else None
        )
        if entry is not None:
            entry.heard_samples = entry.samples + 1
    return outputs


def undead(session: LocalSession, input: Input | None, outputs: list[Output], now: float) -> list[Output]:
    """Complain about results that nobody wants any more."""
    if isinstance(input, core.TextGenerated) and input.response_id not in session._state.responding.live:
        return [*outputs, core.Send(FAULT)]
    return outputs


def early_item(session: LocalSession, input: Input | None, outputs: list[Output], now: float) -> list[Output]:
    """Commit without telling that speech has stopped."""
    return dropping(wire.InputAudioBufferSpeechStopped)(session, input, outputs, now)


OTHER = f"{MARK}resp_999999"
FAULT = wire.ErrorEvent(event_id="event", error=ErrorDetail(type="server_error", message="?"))
LATE_SEND = core.Send(FAULT)

INTERRUPTED = Family(
    name="interrupted",
    about="the user speaks into an answer that has not begun",
    input={"turn_detection": {"type": "server_vad"}},
    bounds={"create": 1, "hear": 2},
)

# rule -> (family to look in, a session that breaks it)
BROKEN: dict[str, tuple[str | Family, type[BrokenSession]]] = {
    "no exception": ("push to talk", broken(raising(core.TranscriptFinalized))),
    "session first": ("responses", broken(dropping(wire.SessionCreated))),
    "announced": ("tools", broken(rewriting(wire.ConversationItemDeleted, item_id="item_x"))),
    "response once": ("responses", broken(doubling(wire.ResponseDone))),
    "one active": ("responses", broken(another_active)),
    "item order": ("responses", broken(doubling(wire.ConversationItemAdded))),
    "part order": ("responses", broken(rewriting(wire.ResponseOutputAudioTranscriptDone, transcript="?"))),
    "closed at done": ("responses", broken(dropping(wire.ResponseOutputItemDone))),
    "turn in one piece": ("turns", broken(dropping(wire.ConversationItemAdded))),
    "stopped before commit": ("turns", broken(early_item)),
    "transcript order": ("turns", broken(doubling(wire.ConversationItemInputAudioTranscriptionCompleted))),
    "one answer": ("push to talk", broken(dropping(wire.InputAudioBufferCleared))),
    "refusal": ("refusals", broken(changed_by_refusal)),
    "uninvited": ("turns", broken(silently_passive)),
    "interruption": (INTERRUPTED, broken(silently_passive)),
    "background": ("asides", broken(rewriting(core.Generate, is_background=False))),
    "dead ids": ("refusals", broken(undead)),
    "engine balance": ("responses", broken(dropping(core.CancelGeneration))),
    "timers": ("turns", broken(is_timeless=True)),
    "pending": ("turns", broken(forever_pending)),
    "playout": ("responses", broken(twice_played)),
    "heard": ("truncation", broken(overheard)),
    "ended": ("ending", broken(adding(core.Disconnected, LATE_SEND))),
    "quiescence": ("responses", broken(loses=core.GenerationFinished)),
}
