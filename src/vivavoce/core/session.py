"""The local session: one input in, every output it causes out. It only dispatches; the machines decide."""

from collections.abc import Sequence
from typing import Final, Protocol, Self

import msgspec

from vivavoce.core import engine_results, hearing
from vivavoce.core.answering import cancel_response, charge
from vivavoce.core.client_commands import handle_client_event
from vivavoce.core.configuring import open_session
from vivavoce.core.emitter import Emitter
from vivavoce.core.lifecycle import TAKES_INPUT, Lifecycle, advance
from vivavoce.core.limits import UNLIMITED_SESSION_S
from vivavoce.core.policy import SessionPolicy
from vivavoce.core.rate_limits import RateLimits
from vivavoce.core.rules import answer_pending, settle
from vivavoce.core.state import Profile, SessionState, Span
from vivavoce.core.transcript_results import settle_failed_transcript
from vivavoce.core.vocabulary import (
    AbortTranscript,
    CancelGeneration,
    CancelMcp,
    CancelSpeaking,
    ClientRejected,
    Close,
    Deadline,
    DeadlineReason,
    DetectionFailed,
    Disconnected,
    Draining,
    EngineFault,
    EngineResult,
    FromClient,
    Input,
    Opened,
    Output,
    SpeechScored,
)
from vivavoce.protocol.errors import ClientError, ErrorDetail, session_expired
from vivavoce.protocol.ids import IdSource
from vivavoce.protocol.server_events import ErrorEvent
from vivavoce.protocol.session import RealtimeSession
from vivavoce.protocol.session_fields import SessionKind

SessionInput = FromClient | ClientRejected | SpeechScored | DetectionFailed | Draining | EngineResult


class Session(Protocol):
    """The contract of every session: outputs are performed before the next input is handled."""

    def handle(self, input: Input, now: float) -> list[Output]: ...

    def handle_timer(self, now: float) -> list[Output]: ...

    def next_deadline(self) -> Deadline | None: ...


_DEFAULT_POLICY: Final = SessionPolicy()


class LocalSession:
    """A conversation, or a transcription, with local engines."""

    def __init__(
        self,
        session: RealtimeSession,
        ids: IdSource,
        policy: SessionPolicy = _DEFAULT_POLICY,
        *,
        kind: SessionKind = "realtime",
        limits: RateLimits | None = None,
        instructions: str | None = None,
    ) -> None:
        """Make a session that is opened by the `Opened` input.

        Args:
            session: its first configuration.
            limits: of the client's key, shared with its other sessions; None: unlimited.
            instructions: of the server, None if `session` has them; a stored prompt takes their place.
        """
        given = session.instructions if instructions is None else instructions
        profile = Profile(kind, policy, RateLimits() if limits is None else limits, given)
        self._state = SessionState(session, profile, Emitter(ids))

    @classmethod
    def with_profile(cls, session: RealtimeSession, ids: IdSource, profile: Profile) -> Self:
        """Return a session of this profile, with its spending."""
        made = cls.__new__(cls)
        made._state = SessionState(session, profile, Emitter(ids))
        return made

    def handle(self, input: Input, now: float) -> list[Output]:
        """Take one input and return all outputs it causes, in order."""
        state = self._state
        if isinstance(input, Disconnected):
            return self._disconnect(now)
        if isinstance(input, Opened):
            return self._open(input, now) if state.lifecycle is Lifecycle.CREATED else []
        if state.lifecycle not in TAKES_INPUT:
            return []
        self._dispatch(input, now)
        return self._settle(now)

    def handle_timer(self, now: float) -> list[Output]:
        """Act on every deadline that has passed."""
        state = self._state
        if state.lifecycle not in TAKES_INPUT:
            return []
        if state.span.expires_at is not None and now >= state.span.expires_at:
            return self._expire(now)
        fault = EngineFault("transcriber", "engine_timeout", "the transcriber did not answer in time")
        self._give_up(state.transcripts.overdue(now), fault)
        settle(state, now)
        state.tools.mcp.give_up_waiting(now)
        engine_results.begin_waiting(state, now)
        pending = state.responding.pending
        if pending is not None and now >= pending.deadline:
            answer_pending(state, now)
        return self._settle(now)

    def next_deadline(self) -> Deadline | None:
        """Return when and why `handle_timer` is wanted next."""
        state = self._state
        if state.lifecycle not in TAKES_INPUT:
            return None
        deadlines: list[Deadline] = []
        if state.span.expires_at is not None:
            deadlines.append(Deadline(state.span.expires_at, DeadlineReason.SESSION_EXPIRY))
        if state.responding.pending is not None:
            deadlines.append(Deadline(state.responding.pending.deadline, DeadlineReason.TRANSCRIPT_WAIT))
        if (overdue_at := state.transcripts.first_deadline()) is not None:
            deadlines.append(Deadline(overdue_at, DeadlineReason.TRANSCRIPT_TIMEOUT))
        if (listed_at := state.tools.mcp.first_deadline()) is not None:
            deadlines.append(Deadline(listed_at, DeadlineReason.MCP_LISTING_WAIT))
        return min(deadlines, key=lambda deadline: deadline.at, default=None)

    def _dispatch(self, input: SessionInput, now: float) -> None:
        state = self._state
        match input:
            case FromClient(event=event):
                try:
                    handle_client_event(state, event, now)
                except ClientError as error:
                    self._report(error.with_event_id(event.event_id).detail)
            case ClientRejected(error=detail):
                self._report(detail)
            case SpeechScored():
                hearing.score_window(state, input, now)
            case DetectionFailed():
                hearing.fail_detection(state, input)
            case Draining(is_final=is_final):
                self._drain(is_final, now)
            case _:
                engine_results.take_result(state, input, now)

    def _settle(self, now: float) -> list[Output]:
        state = self._state
        settle(state, now)
        if state.lifecycle is Lifecycle.DRAINING and not self._has_unfinished():
            state.lifecycle = advance(state.lifecycle, Lifecycle.CLOSING)
            state.out.put(Close(1012, "The server is restarting."))
        return state.out.drain()

    def _has_unfinished(self) -> bool:
        """Tell whether the client waits for an answer or for the words of what it said."""
        responding = self._state.responding
        return bool(responding.live or responding.pending or self._state.transcripts.owed())

    def _open(self, opened: Opened, now: float) -> list[Output]:
        state = self._state
        state.lifecycle = advance(state.lifecycle, Lifecycle.ACTIVE)
        lifetime_s = state.profile.policy.lifetime_s
        state.span = Span(now, now + lifetime_s if lifetime_s else None)
        expires_at = opened.unix_s + int(lifetime_s or UNLIMITED_SESSION_S)
        state.session = msgspec.structs.replace(state.session, expires_at=expires_at)
        open_session(state, now)
        return state.out.drain()

    def _expire(self, now: float) -> list[Output]:
        state = self._state
        detail = session_expired(round(state.profile.policy.lifetime_s / 60)).detail
        self._cancel_responses(now)
        self._stop_engines()
        self._report(detail)
        state.out.put(Close(1001, detail.message))
        state.lifecycle = advance(state.lifecycle, Lifecycle.CLOSING)
        return state.out.drain()

    def _drain(self, is_final: bool, now: float) -> None:
        state = self._state
        if state.lifecycle is Lifecycle.ACTIVE:
            state.lifecycle = advance(state.lifecycle, Lifecycle.DRAINING)
        if is_final:
            state.responding.pending = None
            self._cancel_responses(now)
            fault = EngineFault("session", "engine_unavailable", "the server is restarting")
            self._give_up(state.transcripts.owed(), fault)

    def _give_up(self, item_ids: Sequence[str], fault: EngineFault) -> None:
        """Words that are still to come are awaited no more."""
        for item_id in item_ids:
            self._state.out.put(AbortTranscript(item_id))
            settle_failed_transcript(self._state, item_id, fault)

    def _cancel_responses(self, now: float) -> None:
        """End what runs; of the API's two reasons for it one is the server's."""
        for response in list(self._state.responding.live.values()):
            cancel_response(self._state, response, "turn_detected", now)

    def _disconnect(self, now: float) -> list[Output]:
        state = self._state
        if state.lifecycle is Lifecycle.CLOSED:
            return []
        state.lifecycle = advance(state.lifecycle, Lifecycle.CLOSED)
        for response in state.responding.live.values():
            charge(state, response, now)
        state.profile.spending.close(now)
        self._stop_engines()
        return state.out.drain()

    def _stop_engines(self) -> None:
        state = self._state
        for response_id, response in state.responding.live.items():
            state.out.put(CancelGeneration(response_id))
            state.out.put(CancelSpeaking(response_id))
            for item_id in response.mcp.open:
                state.out.put(CancelMcp(item_id))
        for item_id in state.tools.mcp.listings():
            state.out.put(CancelMcp(item_id))
        for item_id in sorted(state.transcripts.awaited()):
            state.out.put(AbortTranscript(item_id))

    def _report(self, detail: ErrorDetail) -> None:
        self._state.out.send(ErrorEvent(event_id=self._state.out.event_id(), error=detail))
