"""A session with its peers and the checks on it: everything that one state of the model consists of."""

from collections.abc import Mapping
from typing import Final

from vivavoce.core import vocabulary as core
from vivavoce.core.session import Session
from vivavoce.protocol import client_events as client
from vivavoce.protocol import server_events as wire
from vivavoce.testing import model_inside, model_turns
from vivavoce.testing.model_peers import Peers
from vivavoce.testing.model_responses import ResponseRules
from vivavoce.testing.model_rules import Broken, expect
from vivavoce.testing.model_states import EPOCH_S, Fingerprints, ModelIds
from vivavoce.testing.model_turns import SUCCESSES, Circumstances, TurnRules, answers

UNANSWERED: Final = frozenset({"input_audio_buffer.append", "output_audio_buffer.clear"})
MAX_TIMER_ROUNDS: Final = 8
_FINGERPRINTS: Final = Fingerprints()


class World:
    """One state. `left` counts how often each kind of step may still be taken."""

    def __init__(self, session: Session, ids: ModelIds, left: Mapping[str, int]) -> None:
        self.session = session
        self.ids = ids
        self.now = EPOCH_S
        self.left = dict(left)
        self.peers = Peers()
        self.turns = TurnRules()
        self.responses = ResponseRules()
        self.known = Known()
        self.has_changed = True  # by the step that was taken last, as far as its outputs tell
        self.is_closing = False  # Close was put out
        self.is_over = False  # the client has gone

    def fingerprint(self) -> bytes:
        """Return what tells this state from others."""
        return _FINGERPRINTS.take(self, self.now)

    def post(self, input: core.Input) -> list[core.Output]:
        """Hand over an input and check what it causes."""
        if isinstance(input, core.Disconnected):
            self.is_over = True
        self.ids.begin()
        try:
            outputs = self.session.handle(input, self.now)
        except Exception as error:  # whatever escapes is what is looked for
            raise Broken("no exception", repr(error)) from error
        self._check(outputs, None)
        return outputs

    def ask(self, event: client.ClientEvent) -> list[core.Output]:
        """Send a client event and check that it is answered once."""
        kind = str(event.__struct_config__.tag)
        self.ids.begin()
        try:
            outputs = self.session.handle(core.FromClient(event), self.now)
        except Exception as error:  # whatever escapes is what is looked for
            raise Broken("no exception", repr(error)) from error
        errors = [o for o in outputs if _is_refusal(o)]
        self._check(outputs, kind)
        successes = _successes(outputs, kind)
        if kind in UNANSWERED:
            expect(len(errors) <= 1, "one answer", "several errors for one event")
        elif len(errors) + successes != 1:
            raise Broken("one answer", f"{kind} has {len(errors)} errors and {successes} success events")
        self.has_changed = not errors
        if errors:
            expect(len(outputs) == 1, "refusal", "a refused event caused more than its error")
        return outputs

    def wait(self, seconds: float) -> None:
        """Move time, acting on every deadline on the way."""
        until = self.now + seconds
        while (deadline := self.session.next_deadline()) is not None and deadline.at <= until:
            self.now = max(self.now, deadline.at)
            self.fire()
        self.now = until

    def fire(self) -> None:
        """Act on the deadlines that have passed; none of them may remain."""
        for _ in range(MAX_TIMER_ROUNDS):
            self.ids.begin()
            try:
                outputs = self.session.handle_timer(self.now)
            except Exception as error:  # whatever escapes is what is looked for
                raise Broken("no exception", repr(error)) from error
            self._check(outputs, None)
            deadline = self.session.next_deadline()
            if deadline is None or deadline.at > self.now:
                return
        raise Broken("timers", "a deadline remains however often it is acted on")

    def _check(self, outputs: list[core.Output], asked: str | None) -> None:
        if self.is_closing:
            expect(not any(map(_is_sent, outputs)), "ended", "something is sent after Close")
        running = {id: running.is_default for id, running in self.responses.running.items()}
        for output in outputs:
            self._read(output, asked)
        if self.turns.started:
            self.turns.started = False
            self._check_interruption(running)
        peers = self.peers
        for response_id in (*peers.generators, *peers.voices, *peers.calls.values()):
            if response_id not in self.responses.running and not self.is_over:
                peers.end_response(response_id)
        if self.is_over:
            expect(not any(map(_is_sent, outputs)), "ended", "something is sent to a client that has gone")
            expect(self.peers.is_idle(), "ended", "an engine works on after the end")
        model_inside.check(self.session, self.responses, self.now)

    def _read(self, output: core.Output, asked: str | None) -> None:
        if isinstance(output, core.Send):
            self._read_event(output.event, asked)
        elif isinstance(output, core.PlayAudio):
            self.responses.play(output)
        elif isinstance(output, core.Close):
            self.is_closing = True
        elif isinstance(output, core.CallMcpTool):
            self.peers.call_tool(output.item_id, self._caller(output.item_id))
        else:
            self.peers.take(output)
            if isinstance(output, core.Generate | core.Speak):
                self._check_work(output)

    def _read_event(self, event: wire.ServerEvent, asked: str | None) -> None:
        responses = self.responses
        active_id = responses.active_id()
        if isinstance(event, wire.ResponseCreated):
            self._check_invitation(event, asked)
        responses.read(event)
        response_id = getattr(event, "response_id", None)
        is_aside = response_id is not None and response_id in responses.running and response_id != active_id
        if isinstance(event, wire.ResponseCreated | wire.ResponseDone):
            is_aside = event.response.conversation_id is None
        self.turns.read(event, Circumstances(asked, active_id is not None, is_aside))
        self.known.read(event)
        if isinstance(event, wire.ResponseDone):
            self.peers.end_response(event.response.id)

    def _caller(self, item_id: str) -> str:
        for response_id, running in self.responses.running.items():
            if item_id in running.items:
                return response_id
        raise Broken("engine balance", "a tool is called for no response")

    def _check_work(self, output: core.Generate | core.Speak) -> None:
        running = self.responses.running.get(output.response_id)
        if running is None:
            raise Broken("engine balance", "an engine is asked for a response that does not run")
        expect(output.is_background is not running.is_default, "background", "the wrong priority")

    def _check_invitation(self, event: wire.ResponseCreated, asked: str | None) -> None:
        expect(self.ids.is_recent(event.response.id), "response once", "a response was created again")
        is_default = event.response.conversation_id is not None
        if asked == "response.create":
            self.known.is_approved = self.known.is_approved and not is_default
            return
        is_invited = self.turns.invited or self.known.is_approved
        expect(is_default and is_invited, "uninvited", "a response nobody asked for")
        self.turns.invited = self.known.is_approved = False

    def _check_interruption(self, before: dict[str, bool]) -> None:
        detection = self.turns.detection
        running = self.responses.running
        expect(detection is not None, "interruption", "speech_started without turn detection")
        for response_id, is_default in before.items():
            is_cut = is_default and detection is not None and detection.interrupt_response
            expect((response_id in running) is not is_cut, "interruption", "the wrong response was ended by speech")


class Known:
    """What the client learned and uses in later events."""

    def __init__(self) -> None:
        self.spoken_id: str | None = None  # the assistant's last spoken item
        self.call_id: str | None = None  # the last function call
        self.approval_id: str | None = None  # the last approval that was asked for
        self.is_approved = False  # it was given, and no response was created that could make the call

    def read(self, event: wire.ServerEvent) -> None:
        """Note what an event tells."""
        if isinstance(event, wire.ResponseContentPartAdded) and isinstance(event.part, wire.AudioPart):
            self.spoken_id = event.item_id
        elif isinstance(event, wire.ResponseFunctionCallArgumentsDone):
            self.call_id = event.call_id
        elif isinstance(event, wire.ResponseOutputItemAdded):
            if event.item.__struct_config__.tag == "mcp_approval_request":
                self.approval_id = event.item.id


def _is_sent(output: core.Output) -> bool:
    return isinstance(output, core.Send | core.PlayAudio)


def _is_refusal(output: core.Output) -> bool:
    return (
        isinstance(output, core.Send)
        and isinstance(output.event, wire.ErrorEvent)
        and output.event.error.type == "invalid_request_error"
    )


def _successes(outputs: list[core.Output], kind: str) -> int:
    if kind not in SUCCESSES:
        return 0
    events = [output.event for output in outputs if isinstance(output, core.Send)]
    written = {event.item.id for event in events if isinstance(event, wire.ResponseOutputItemAdded)}
    return sum(answers(event, kind) and model_turns.item_id_of(event) not in written for event in events)
