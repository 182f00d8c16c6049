"""The relayed session: one input in, every output it causes out. It only dispatches; the machines decide."""

from typing import Final

from vivavoce.core.lifecycle import TAKES_INPUT, Lifecycle, advance
from vivavoce.core.limits import UNLIMITED_SESSION_S
from vivavoce.core.relay import client_events, connecting, response_events, upstream_events
from vivavoce.core.relay.links import CLOSE_MESSAGE, Link, LinkPhase, closed, settle_asked
from vivavoce.core.relay.messages import appended_bytes, audio_delta, read_upstream
from vivavoce.core.relay.mirror import MirrorItem
from vivavoce.core.relay.setting import RelaySetting
from vivavoce.core.relay.state import RelayState
from vivavoce.core.relay.vocabulary import (
    Body,
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
_REFUSED: Final = UpstreamFault("refused", "The upstream refused the session.")
_EXHAUSTED: Final = UpstreamFault("quota_exhausted", "The upstream serves this account no more.")
_TIMEOUT: Final = UpstreamFault("timeout", "The upstream did not open a session in time.")


class RelaySession:
    """A conversation that another Realtime server leads."""

    def __init__(self, setting: RelaySetting, ids: IdSource, spending: Spending) -> None:
        self._state = RelayState(setting, ids, spending)

    @property
    def takes_messages(self) -> bool:
        """Whether messages of the client go on; otherwise they are held. True as well when it does not matter."""
        state = self._state
        return state.links.live is not None or state.span.lifecycle not in TAKES_INPUT

    # Audio, beside the rest -----------------------------------------------------------------------------------

    def forwards(self, message: bytes) -> int | None:
        """Note a message of the client that goes to the upstream as it is; None for one that must be handled.

        Returns:
            The number of the link that it goes over.
        """
        state = self._state
        link = state.links.live
        if link is None or state.span.lifecycle is not Lifecycle.ACTIVE:
            return None
        size_bytes = appended_bytes(message)
        if size_bytes is None:
            return None
        state.journal.hear(message, size_bytes)
        return link.number

    def forwards_back(self, number: int, message: bytes) -> bool:
        """Note assistant audio that goes to the client as it is; False for a message that must be handled."""
        state = self._state
        link = state.links.live
        if link is None or link.number != number or state.span.lifecycle not in TAKES_INPUT:
            return False
        delta = audio_delta(message)
        if delta is None:
            return False
        state.mirror.hear(delta.item_id, delta.size_bytes)
        return True

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
            return self._expire()
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
            case ClientMessage():
                self._take_client(input, now)
            case ClientRejected(error=detail):
                state.report(detail)
            case UpstreamMessage(link=number, message=message):
                self._take_upstream(state.links.get(number), message, now)
            case UpstreamOpened(link=number):
                self._greeted_by(state.links.get(number))
            case UpstreamFailed(link=number, fault=fault):
                self._failed(state.links.get(number), fault, now)
            case UpstreamClosed(link=number, code=code):
                self._failed(state.links.get(number), closed(code), now)
            case ToolReturned():
                self._returned(input)
            case Draining(is_final=is_final):
                self._drain(is_final, now)
            case _:
                pass

    def _take_client(self, input: ClientMessage, now: float) -> None:
        state = self._state
        if state.links.live is None or state.client.held:
            state.client.held.append(input)
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
        elif link is state.links.live:
            upstream_events.pass_event(state, link, message, body, now)
            if _is_expiry(body):
                state.out.append(CloseUpstream(link.number))
                self._failed(link, UpstreamFault("closed", CLOSE_MESSAGE), now)
        else:
            self._prepare(link, body, now)

    def _prepare(self, link: Link, body: Body, now: float) -> None:
        """Take an event of a link that is not in use yet."""
        state, type_ = self._state, body["type"]
        session, item, error = body.get("session"), body.get("item"), body.get("error")
        if link.phase is LinkPhase.GREETING:
            if type_ == "session.created" and isinstance(session, dict):
                connecting.greet(state, link, session, now)
            elif type_ == "error" and isinstance(error, dict):
                is_fatal = error.get("code") in upstream_events.FATAL_ERRORS
                state.out.append(CloseUpstream(link.number))
                self._failed(link, _EXHAUSTED if is_fatal else _REFUSED, now)
            return
        if type_ == "session.updated" and isinstance(session, dict):
            link.session = session
            settle_asked(link, type_)
        elif type_ == "conversation.item.added" and isinstance(item, dict):
            settle_asked(link, str(item.get("id")))
        elif type_ == "conversation.item.deleted":
            settle_asked(link, f"-{body.get('item_id')}")
        elif type_ == "error" and isinstance(error, dict):
            link.asked.pop(str(error.get("event_id")), None)
        connecting.settle_seed(state, link, now)

    def _greeted_by(self, link: Link | None) -> None:
        if link is not None and link.phase is LinkPhase.DIALING:
            link.phase = LinkPhase.GREETING

    def _failed(self, link: Link | None, fault: UpstreamFault, now: float) -> None:
        state = self._state
        if link is None:
            return
        if link is state.links.live:
            connecting.lose(state, _EXHAUSTED if link.is_doomed else fault, now)
        else:
            connecting.fail(state, fault, now)

    def _returned(self, input: ToolReturned) -> None:
        """A function has returned: its output becomes an item that the client does not see."""
        state = self._state
        if not state.calls.end(input.call_id):
            return
        item_id = state.ids.make("item")
        item = {"id": item_id, "type": "function_call_output", "call_id": input.call_id, "output": input.output}
        link = state.links.live
        state.client.hidden.add(item_id)
        state.mirror.add(MirrorItem(item_id, item, 0 if link is None else link.number, True), state.mirror.last_id())
        if link is not None:
            link.seeded[item_id] = 0
            state.ask(link, {"type": "conversation.item.create", "item": item}, item_id)

    # Endings --------------------------------------------------------------------------------------------------

    def _settle(self, now: float) -> list[RelayOutput]:
        state = self._state
        if state.span.lifecycle in TAKES_INPUT:
            if state.links.dial_at is not None and now >= state.links.dial_at:
                connecting.dial(state, now)
            connecting.replace(state, now)
            while state.links.live is not None and state.client.held:
                client_events.take_message(state, state.client.held.popleft(), now)
            if state.links.live is not None:
                response_events.answer_calls(state, state.links.live, now)
        if state.span.lifecycle is Lifecycle.DRAINING and not state.responses.open:
            state.span.lifecycle = advance(state.span.lifecycle, Lifecycle.CLOSING)
            state.out.append(Close(1012, "The server is restarting."))
        if state.span.lifecycle is Lifecycle.CLOSING:
            self._release()
        return self._drained()

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

    def _expire(self) -> list[RelayOutput]:
        state = self._state
        detail = session_expired(round(state.setting.lifetime_s / 60)).detail
        state.report(detail)
        state.out.append(Close(1001, detail.message))
        state.span.lifecycle = advance(state.span.lifecycle, Lifecycle.CLOSING)
        self._release()
        return self._drained()

    def _drain(self, is_final: bool, now: float) -> None:
        state = self._state
        if state.span.lifecycle is Lifecycle.ACTIVE:
            state.span.lifecycle = advance(state.span.lifecycle, Lifecycle.DRAINING)
        if is_final:
            for response in list(state.responses.open.values()):
                state.spending.charge(response.id, None, None, now)
            state.responses.open.clear()

    def _disconnect(self, now: float) -> list[RelayOutput]:
        state = self._state
        if state.span.lifecycle is Lifecycle.CLOSED:
            return []
        for response_id in list(state.responses.open):
            state.spending.charge(response_id, None, None, now)
        state.span.lifecycle = advance(state.span.lifecycle, Lifecycle.CLOSED)
        self._release()
        return self._drained()

    def _release(self) -> None:
        """End what runs for the session."""
        state = self._state
        for link in (state.links.live, state.links.next):
            if link is not None:
                state.out.append(CloseUpstream(link.number))
        state.out.extend(CancelTool(call_id) for call_id in state.calls.running)
        state.links.live = state.links.next = None
        state.calls.running.clear()


def _is_expiry(body: Body) -> bool:
    error = body.get("error") if body["type"] == "error" else None
    return isinstance(error, dict) and error.get("code") == upstream_events.EXPIRED
