"""The relayed session: one input in, every output it causes out. It only dispatches; the machines decide."""

from typing import Final

from vivavoce.core.lifecycle import TAKES_INPUT, Lifecycle, advance
from vivavoce.core.limits import UNLIMITED_SESSION_S
from vivavoce.core.relay import (
    client_events,
    connecting,
    endings,
    functions,
    hearing_events,
    response_events,
    upstream_events,
)
from vivavoce.core.relay.lanes import Deliver, Lane, Turn, Way, client_lane, server_lane
from vivavoce.core.relay.links import Link, LinkPhase, closed
from vivavoce.core.relay.messages import read_upstream
from vivavoce.core.relay.setting import RelaySetting
from vivavoce.core.relay.state import RelayState
from vivavoce.core.relay.vocabulary import (
    CancelTool,
    ClientMessage,
    CloseUpstream,
    RelayInput,
    RelayOutput,
    ToolReturned,
    UpstreamClosed,
    UpstreamFailed,
    UpstreamFault,
    UpstreamMessage,
    UpstreamOpened,
)
from vivavoce.core.spending import Spending
from vivavoce.core.vocabulary import (
    ClientRejected,
    Close,
    Deadline,
    DeadlineReason,
    Disconnected,
    Draining,
    Opened,
)
from vivavoce.protocol.errors import session_expired
from vivavoce.protocol.ids import IdSource

_BROKEN: Final = UpstreamFault("broken", "The upstream sent what is no event.")
_TIMEOUT: Final = UpstreamFault("timeout", "The upstream did not open a session in time.")


class RelaySession:
    """A conversation that another Realtime server leads."""

    __slots__ = ("_state",)

    def __init__(self, setting: RelaySetting, ids: IdSource, spending: Spending) -> None:
        self._state = RelayState(setting, ids, spending)

    @property
    def takes_messages(self) -> bool:
        """Whether messages of the client go on; otherwise they are held. True as well when it does not matter."""
        state = self._state
        return state.links.live is not None or state.span.lifecycle not in TAKES_INPUT

    # Audio, beside the rest -----------------------------------------------------------------------------------

    @property
    def live_link(self) -> int | None:
        """Return the number of the link in use, on which audio may take the shortest way; None if there is none.

        There is none before the session is greeted, nor after its end.
        """
        live = self._state.links.live
        return None if live is None or self._state.client.held else live.number

    def client_lane(self, turn: Turn, way: Way) -> Lane:
        """Return the shortest way of the client's audio; good while `way` is the link in use, as `live_link` tells."""
        return client_lane(self._state.journal, turn, way)

    def server_lane(self, pass_on: Deliver) -> Lane:
        """Return the shortest way of the assistant's audio; good while `live_link` is the link that it comes from."""
        return server_lane(self._state, pass_on)

    def follows(self, message: bytes) -> bool:
        """Note words of the assistant that go to the client as they are; False for what must be handled."""
        return not self._state.responses.is_shifted and response_events.follows_words(self._state, message)

    # Session --------------------------------------------------------------------------------------------------

    def handle(self, input: RelayInput, now: float) -> list[RelayOutput]:
        """Take one input and return all outputs it causes, in order."""
        state = self._state
        if isinstance(input, Disconnected):
            return self._disconnect(now)
        if isinstance(input, Opened):
            return self._open(input, now)
        if state.span.lifecycle not in TAKES_INPUT:
            return []
        self._dispatch(input, now)
        return self._settle(now)

    def handle_timer(self, now: float) -> list[RelayOutput]:
        """Act on every deadline that has passed."""
        state, links = self._state, self._state.links
        if state.span.lifecycle not in TAKES_INPUT:
            return []
        if state.span.ends_at is not None and now >= state.span.ends_at:
            return self._expire(now)
        if state.utterance.again_until is not None and now >= state.utterance.again_until:
            hearing_events.give_up_hearing(state)
        state.span.is_impatient = links.live is not None and now >= connecting.patience_ends_at(state, links.live)
        if links.next is not None and links.next.phase is not LinkPhase.READY and now >= links.next.deadline:
            state.out.append(CloseUpstream(links.next.number))
            connecting.fail(state, _TIMEOUT, now)
        if links.dial_at is not None and now >= links.dial_at:
            connecting.dial(state, now)
        if (rollover_at := self._rollover_at()) is not None and now >= rollover_at:
            connecting.dial(state, now)
        return self._settle(now)

    def next_deadline(self) -> Deadline | None:
        """Return when and why `handle_timer` is wanted next."""
        state, links = self._state, self._state.links
        if state.span.lifecycle not in TAKES_INPUT:
            return None
        connect_at = None
        if links.next is not None and links.next.phase is not LinkPhase.READY:
            connect_at = links.next.deadline
        patience_at = None
        if links.live is not None and links.next is not None and links.next.phase is LinkPhase.READY:
            patience_at = connecting.patience_ends_at(state, links.live)
        times = (
            (patience_at if not state.span.is_impatient else None, DeadlineReason.UPSTREAM_ROLLOVER),
            (state.span.ends_at, DeadlineReason.SESSION_EXPIRY),
            (links.dial_at, DeadlineReason.UPSTREAM_RETRY),
            (connect_at, DeadlineReason.UPSTREAM_TIMEOUT),
            (self._rollover_at(), DeadlineReason.UPSTREAM_ROLLOVER),
            (state.utterance.again_until, DeadlineReason.UPSTREAM_TIMEOUT),
        )
        known = [Deadline(at, reason) for at, reason in times if at is not None]
        return min(known, key=lambda deadline: deadline.at, default=None)

    def _rollover_at(self) -> float | None:
        links, rollover_s = self._state.links, self._state.setting.rollover_s
        if links.live is None or links.next is not None or links.dial_at is not None or not rollover_s:
            return None
        return links.live.in_use_since + rollover_s

    # Inputs ---------------------------------------------------------------------------------------------------

    def _dispatch(self, input: RelayInput, now: float) -> None:
        state = self._state
        match input:
            case ClientMessage() | ClientRejected():
                self._take_client(input, now)
            case UpstreamMessage(link=number, message=message):
                self._take_upstream(state.links.get(number), message, now)
            case UpstreamOpened(link=number):
                self._greeted_by(state.links.get(number))
            case UpstreamFailed(link=number, fault=fault):
                self._failed(state.links.get(number), fault, now)
            case UpstreamClosed(link=number, code=code):
                self._failed(state.links.get(number), closed(code), now)
            case ToolReturned():
                functions.take_output(state, input)
            case Draining(is_final=is_final):
                self._drain(is_final, now)
            case _:
                pass

    def _take_client(self, input: ClientMessage | ClientRejected, now: float) -> None:
        state = self._state
        if state.links.live is None or state.client.held:
            state.client.held.append(input)
        elif isinstance(input, ClientRejected):
            state.report(input.error)
        else:
            client_events.take_message(state, input, now)

    def _take_upstream(self, link: Link | None, message: bytes, now: float) -> None:
        state = self._state
        if link is None:
            return
        body = read_upstream(message)
        if body is None:
            state.out.append(CloseUpstream(link.number))
            self._failed(link, _BROKEN, now)
        elif link is not state.links.live:
            connecting.prepare(state, link, message, body, now)
        else:
            upstream_events.pass_event(state, link, message, body, now)
            if link.fault is not None:
                state.out.append(CloseUpstream(link.number))
                self._failed(link, link.fault, now)

    def _greeted_by(self, link: Link | None) -> None:
        if link is not None and link.phase is LinkPhase.DIALING:
            link.phase = LinkPhase.GREETING

    def _failed(self, link: Link | None, fault: UpstreamFault, now: float) -> None:
        if link is None:
            return
        if link is self._state.links.live:
            connecting.lose(self._state, fault, now)
        else:
            connecting.fail(self._state, fault, now)

    # Endings --------------------------------------------------------------------------------------------------

    def _settle(self, now: float) -> list[RelayOutput]:
        state = self._state
        if state.span.lifecycle in TAKES_INPUT:
            if state.links.dial_at is not None and now >= state.links.dial_at:
                connecting.dial(state, now)
            connecting.replace(state, now)
            while state.links.live is not None and state.client.held:
                held, state.client.held = state.client.held, []
                for input in held:
                    self._take_client(input, now)
            if state.links.live is not None:
                functions.answer_calls(state, state.links.live, now)
        if state.span.lifecycle is Lifecycle.DRAINING and not self._has_unfinished():
            state.span.lifecycle = advance(state.span.lifecycle, Lifecycle.CLOSING)
            state.out.append(Close(1012, "The server is restarting."))
        if state.span.lifecycle is Lifecycle.CLOSING:
            self._release(now)
        return self._drained()

    def _has_unfinished(self) -> bool:
        """Tell whether the client waits for an answer or for the words of what it said."""
        state = self._state
        is_owed = state.utterance.owes_answer or state.calls.is_busy() or state.journal.is_waiting("response.create")
        return bool(state.responses.open or is_owed or state.client.untranscribed)

    def _drained(self) -> list[RelayOutput]:
        outputs, self._state.out = self._state.out, []
        return outputs

    def _open(self, opened: Opened, now: float) -> list[RelayOutput]:
        state = self._state
        if state.span.lifecycle is not Lifecycle.CREATED:
            return []
        lifetime_s = state.setting.lifetime_s
        state.span.lifecycle = advance(state.span.lifecycle, Lifecycle.ACTIVE)
        state.span.ends_at = now + lifetime_s if lifetime_s else None
        state.span.expires_at = opened.unix_s + int(lifetime_s or UNLIMITED_SESSION_S)
        connecting.dial(state, now)
        return self._drained()

    def _expire(self, now: float) -> list[RelayOutput]:
        state = self._state
        detail = session_expired(round(state.setting.lifetime_s / 60)).detail
        state.report(detail)
        state.out.append(Close(1001, detail.message))
        state.span.lifecycle = advance(state.span.lifecycle, Lifecycle.CLOSING)
        self._release(now)
        return self._drained()

    def _drain(self, is_final: bool, now: float) -> None:
        state = self._state
        if state.span.lifecycle is Lifecycle.ACTIVE:
            state.span.lifecycle = advance(state.span.lifecycle, Lifecycle.DRAINING)
        if is_final:
            endings.finish_items(state)
            endings.end_responses(state, now, is_cancelled=True)
            endings.give_up_transcripts(state)
            state.span.lifecycle = advance(state.span.lifecycle, Lifecycle.CLOSING)
            state.out.append(Close(1012, "The server is restarting."))

    def _disconnect(self, now: float) -> list[RelayOutput]:
        state = self._state
        if state.span.lifecycle is Lifecycle.CLOSED:
            return []
        state.span.lifecycle = advance(state.span.lifecycle, Lifecycle.CLOSED)
        self._release(now)
        return self._drained()

    def _release(self, now: float) -> None:
        """End what runs for the session."""
        state = self._state
        for link in (state.links.live, state.links.next):
            if link is not None:
                state.out.append(CloseUpstream(link.number))
        state.out.extend(CancelTool(call_id) for call_id in state.calls.running)
        for response_id in state.responses.open:
            state.spending.charge(response_id, None, None, now)
        state.responses.open.clear()
        state.links.live = state.links.next = None
        state.calls.running.clear()
