"""Drives a relayed session without sockets: scripted upstreams behind queues, time moved by hand.

`settle` delivers all that is on its way. A test that wants messages to be under way moves them one by one with
`deliver` and `hear`.
"""

import base64
import json
from collections import Counter, deque
from types import SimpleNamespace
from typing import Any

from vivavoce.core.relay.lanes import Lane, Turn
from vivavoce.core.relay.messages import encode
from vivavoce.core.relay.session import RelaySession
from vivavoce.core.relay.setting import RelaySetting
from vivavoce.core.relay.vocabulary import (
    CallTool,
    CancelTool,
    ClientMessage,
    CloseUpstream,
    DialUpstream,
    FaultKind,
    PassOn,
    RelayInput,
    RelayOutput,
    SendUpstream,
    ToolReturned,
    UpstreamClosed,
    UpstreamFailed,
    UpstreamFault,
    UpstreamMessage,
    UpstreamOpened,
)
from vivavoce.core.requests import FunctionSpec
from vivavoce.core.spending import NoSpending, Speech
from vivavoce.core.vocabulary import Close, Disconnected, Opened
from vivavoce.protocol.ids import CountingIds
from vivavoce.protocol.responses import Usage
from vivavoce.testing.conformance import OrderChecker, check_types
from vivavoce.testing.upstream_hearing import silence, speech
from vivavoce.testing.upstream_replies import Script
from vivavoce.testing.upstream_session import UpstreamSession

Json = dict[str, Any]  # JSON boundary: events as clients and tests write them

TIME = FunctionSpec(name="get_time", description="The time.", parameters={"type": "object", "properties": {}})
MANUAL: Json = {"type": "realtime", "audio": {"input": {"turn_detection": None}}}
TRANSCRIBED: Json = {"type": "realtime", "audio": {"input": {"transcription": {"model": "whisper-1"}}}}


class CountedSpending(NoSpending):
    """Counts what is told of responses; refuses while `refusal` says why."""

    def __init__(self) -> None:
        self.refusal: str | None = None
        self.begun: Counter[str] = Counter()
        self.charged: Counter[str] = Counter()
        self.expected = 0

    def admit(self, now: float) -> str | None:
        return self.refusal

    def expect(self) -> None:
        self.expected += 1

    def unexpect(self) -> None:
        self.expected -= 1

    def begin(self, response_id: str, now: float, rounds: int = 1) -> None:
        self.begun[response_id] += 1
        self.unexpect()

    def charge(
        self, response_id: str, model: str | None, usage: Usage | None, now: float, speech: Speech | None = None
    ) -> float:
        self.charged[response_id] += 1
        return 0.25


class Peer:
    """One link's other end, and what is under way in both directions."""

    def __init__(self, number: int, target: int, script: Script, kind: str) -> None:
        self.number = number
        self.target = target
        self.is_open = False  # the session has been greeted
        self.is_gone = False
        self.to_upstream: deque[bytes] = deque()
        self.to_relay: deque[bytes] = deque()
        self.received: list[Json] = []
        self.emitted = 0
        self.session = UpstreamSession(number, script, self.emit, model="gpt-realtime", kind=kind)

    def emit(self, event: Json) -> None:
        """Put an event of the upstream on its way."""
        self.emitted += 1
        event = {"event_id": f"event_up{self.number}_{self.emitted}", **event}
        self.to_relay.append(encode(event))


class Relayed:
    """A relayed session under test, its client and its upstreams."""

    def __init__(self, setting: RelaySetting | None = None, script: Script | None = None, **changes: Any) -> None:
        given: Json = {"session_id": "sess_1", "targets": ("upstream",), **changes}
        self.setting = setting or RelaySetting(**given)
        self.spending = CountedSpending()
        self.session = RelaySession(self.setting, CountingIds(), self.spending)
        self.script = script or Script()
        self.now = 100.0
        self.events: list[Json] = []
        self.messages: list[bytes] = []
        self.peers: dict[int, Peer] = {}
        self.lanes_up: dict[int, Lane] = {}
        self.lanes_down: dict[int, Lane] = {}
        self.calls: dict[str, CallTool] = {}
        self.cancelled: list[str] = []
        self.close: Close | None = None
        self.checker = OrderChecker()
        self.log: list[tuple[str, Json]] = []
        self.sent = 0
        self._dialled: deque[int] = deque()
        self.faults: deque[UpstreamFault] = deque()
        self.checks_types = True
        self.post(Opened(1_800_000_000))

    # What a test looks at -------------------------------------------------------------------------------------

    def types(self, since: int = 0) -> list[str]:
        return [event["type"] for event in self.events[since:]]

    def of_type(self, kind: str, since: int = 0) -> list[Json]:
        return [event for event in self.events[since:] if event["type"] == kind]

    @property
    def here(self) -> int:
        return len(self.events)

    @property
    def peer(self) -> Peer:
        """The newest link."""
        return self.peers[max(self.peers)]

    def asked(self, kind: str, number: int | None = None) -> list[Json]:
        """Return what upstreams received of a type."""
        peers = self.peers.values() if number is None else [self.peers[number]]
        return [event for peer in peers for event in peer.received if event["type"] == kind]

    def close_code(self) -> int | None:
        """Return with what the session was closed."""
        return None if self.close is None else self.close.code

    def is_left(self, number: int) -> bool:
        """Tell whether a link is used no more."""
        return self.peers[number].is_gone

    def violations(self, *, is_cut: bool = False) -> list[str]:
        return [str(one) for one in self.checker.finish(is_cut=is_cut)]

    # The client -----------------------------------------------------------------------------------------------

    def say(self, event: Json) -> None:
        """Have the client send an event, with an id if it has none."""
        self.sent += 1
        self.send(encode({"event_id": f"client_{self.sent}", **event}), event)

    def send(self, message: bytes, event: Json | None = None) -> None:
        """Have the client send a message as it is."""
        body = {"event_id": f"client_{self.sent}", **event} if event is not None else {}
        if body.get("type") != "input_audio_buffer.append":
            self.checker.client(body)
            self.log.append((">", body))
        number = self.session.live_link
        if number is None or not self._lane_to(number)(message):
            self.post(ClientMessage(message))

    def _lane_to(self, number: int) -> Lane:
        if number not in self.lanes_up:
            way = SimpleNamespace(send=self.peers[number].to_upstream.append)
            self.lanes_up[number] = self.session.client_lane(Turn(1 << 60), way)
        return self.lanes_up[number]

    def _lane_from(self, number: int) -> Lane:
        if number not in self.lanes_down:
            self.lanes_down[number] = self.session.server_lane(self._show)
        return self.lanes_down[number]

    def append(self, audio: bytes) -> None:
        """Have the client send audio in messages of 100 ms."""
        for start in range(0, len(audio), 4800):
            piece = base64.b64encode(audio[start : start + 4800]).decode()
            self.say({"type": "input_audio_buffer.append", "audio": piece})

    def write(self, text: str, **fields: Any) -> None:
        content = [{"type": "input_text", "text": text}]
        item = {"type": "message", "role": "user", "content": content}
        self.say({"type": "conversation.item.create", "item": {**item, **fields.pop("item", {})}, **fields})

    def ask(self, text: str) -> None:
        """Have the client write and want an answer, and let all of it come."""
        self.write(text)
        self.say({"type": "response.create"})
        self.settle()

    def configure(self, session: Json) -> None:
        self.say({"type": "session.update", "session": session})
        self.settle()

    def speak(self, speech_ms: int = 300, silence_ms: int = 300) -> None:
        self.append(speech(speech_ms) + silence(silence_ms))

    # Inputs ---------------------------------------------------------------------------------------------------

    def post(self, input: RelayInput) -> None:
        self._keep(self.session.handle(input, self.now))

    def advance(self, seconds: float) -> None:
        """Move time and fire every deadline on the way; what is under way stays there."""
        until = self.now + seconds
        while (deadline := self.session.next_deadline()) is not None and deadline.at <= until:
            self.now = max(self.now, deadline.at)
            self._keep(self.session.handle_timer(self.now))
        self.now = until

    def settle(self) -> None:
        """Deliver all that is under way, and what that causes."""
        while self.connect() or any(self.deliver(n) or self.hear(n) for n in tuple(self.peers)):
            pass

    def connect(self) -> bool:
        """Let the oldest dialling come to its end, as `fail_next` said."""
        if not self._dialled:
            return False
        number = self._dialled.popleft()
        peer = self.peers[number]
        if peer.is_gone:
            return True
        if self.faults:
            peer.is_gone = True
            self.post(UpstreamFailed(number, self.faults.popleft()))
        else:
            peer.is_open = True
            self.post(UpstreamOpened(number))
            peer.session.start()
        return True

    def deliver(self, number: int) -> bool:
        """Let an upstream receive one message; False if none is under way."""
        peer = self.peers[number]
        if peer.is_gone or not peer.to_upstream:
            return False
        event = json.loads(peer.to_upstream.popleft())
        peer.received.append(event)
        peer.session.receive(event)
        return True

    def hear(self, number: int) -> bool:
        """Let the relay receive one message; False if none is under way."""
        peer = self.peers[number]
        if peer.is_gone or not peer.to_relay:
            return False
        self.hear_message(number, peer.to_relay.popleft())
        return True

    def hear_message(self, number: int, message: bytes) -> None:
        """Let the relay receive this message."""
        if self.session.live_link == number and self._lane_from(number)(message):
            return
        if self.session.live_link == number and self.session.follows(message):
            self._show(message)
        else:
            self.post(UpstreamMessage(number, message))

    def hear_event(self, event: Json) -> None:
        """Let the newest upstream say this."""
        self.hear_message(self.peer.number, encode({"event_id": f"event_up_{self.here}_{self.now}", **event}))

    def fail_next(self, kind: FaultKind, times: int = 1, retry_after_s: float | None = None) -> None:
        self.faults.extend([UpstreamFault(kind, "It failed.", retry_after_s)] * times)

    def lose(self, code: int = 1006) -> None:
        """Break the link in use: what is under way is lost."""
        peer = next(peer for peer in self.peers.values() if peer.is_open and not peer.is_gone)
        peer.is_gone = True
        self.post(UpstreamClosed(peer.number, code))

    def return_tool(self, output: str = "noon", call_id: str | None = None) -> None:
        self.post(ToolReturned(call_id or next(iter(self.calls)), output))

    def disconnect(self) -> None:
        self.post(Disconnected(1000))

    # Outputs --------------------------------------------------------------------------------------------------

    def _keep(self, outputs: list[RelayOutput]) -> None:
        for output in outputs:
            self._perform(output)

    def _perform(self, output: RelayOutput) -> None:
        match output:
            case PassOn(message=message):
                self._show(message)
            case DialUpstream(link=number, target=target):
                self.peers[number] = Peer(number, target, self.script, self.setting.kind)
                self._dialled.append(number)
            case SendUpstream(link=number, message=message):
                assert self.peers[number].is_open, "only open links are written to"
                self.peers[number].to_upstream.append(message)
            case CloseUpstream(link=number):
                self.peers[number].is_gone = True
            case CallTool(call_id=call_id):
                self.calls[call_id] = output
            case CancelTool(call_id=call_id):
                self.cancelled.append(call_id)
            case Close():
                assert self.close is None, "a session is closed once"
                self.close = output
            case _:
                pass

    def _show(self, message: bytes) -> None:
        assert self.close is None or self.events, "nothing is sent after the close"
        event: Json = json.loads(message)
        self.messages.append(message)
        self.events.append(event)
        self.checker.server(event)
        self.log.append(("<", event))
        if self.checks_types and not event["type"].startswith("x_"):
            check_types(event)


def opened(**changes: Any) -> Relayed:
    """Return a session that has been greeted."""
    relayed = Relayed(**changes)
    relayed.settle()
    return relayed


def history(items: list[Json]) -> list[tuple[str, str]]:
    """Return who said what in a conversation of an upstream."""
    return [(str(item.get("role", item["type"])), _words(item)) for item in items]


def _words(item: Json) -> str:
    if item["type"] != "message":
        return str(item.get("output", item.get("name")))
    return "".join(part.get("text") or part.get("transcript") or "(audio)" for part in item["content"])
