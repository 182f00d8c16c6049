"""Runs relayed sessions: the links to upstreams, the functions of the server, and audio on the shortest way.

Audio that goes on as it came passes beside the runner: the core counts it, and it is sent. Everything else is an
input. Backpressure crosses: while the client takes nothing its upstream is not read, while the upstream takes nothing
(or there is none) the client is not read.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Final, cast

import msgspec

from vivavoce.core.relay.lanes import Lane
from vivavoce.core.relay.session import RelaySession
from vivavoce.core.relay.vocabulary import (
    CallTool,
    CancelTool,
    ClientMessage,
    CloseUpstream,
    DialUpstream,
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
from vivavoce.core.session import Session
from vivavoce.core.vocabulary import Close, Input, Output, Send, StartTrace
from vivavoce.protocol.codec import encode_server_event
from vivavoce.runtime.clock import Clock
from vivavoce.runtime.relay_flow import QUIET_MESSAGES, TURN_MESSAGES, ClientFlow
from vivavoce.runtime.runner import Performer, Runner
from vivavoce.runtime.sink import Sink
from vivavoce.runtime.tasks import Tasks
from vivavoce.runtime.upstreams import (
    ToolBox,
    ToolError,
    UpstreamConnector,
    UpstreamLink,
    UpstreamRequest,
    UpstreamUnavailable,
)
from vivavoce.runtime.watching import RelayWatch

_log = logging.getLogger(__name__)

_TOOL_FAILED: Final = "The function failed."
_DIAL_FAILED: Final = UpstreamFault("refused", "The upstream cannot be used.")


class RelayParts(msgspec.Struct, frozen=True):
    """What a relayed session works with."""

    connectors: Sequence[UpstreamConnector]
    request: UpstreamRequest
    sink: Sink
    clock: Clock
    tools: ToolBox | None
    watch: RelayWatch


class Leg:
    """One link of a session: the `UpstreamListener` of its connection."""

    __slots__ = ("_number", "_received", "_relay", "is_blocked", "lane", "lanes", "link")

    def __init__(self, relay: "HostedRelay", number: int) -> None:
        self._relay = relay
        self._number = number
        self._received = 0
        self.link: UpstreamLink | None = None
        self.is_blocked = False  # it does not take what it is sent
        self.lanes: tuple[Lane, Lane] | None = None  # of audio to it and from it, once it is in use
        self.lane: Lane | None = None  # of audio from it, where nothing is in its way

    def receive(self, message: bytes) -> None:
        """A text message came."""
        lane = self.lane
        if lane is None or not lane(message):
            self._relay.receive(self._number, message)
        self._received += 1
        if self._received % TURN_MESSAGES == 0 and self.link is not None:
            self.link.pause_reading()
            asyncio.get_running_loop().call_soon(self._relay.go_on, self)

    def link_failed(self, fault: UpstreamFault) -> None:
        self._relay.run(UpstreamFailed(self._number, fault))

    def block_writing(self) -> None:
        self.is_blocked = True
        self._relay.measure()

    def unblock_writing(self) -> None:
        self.is_blocked = False
        self._relay.measure()

    def link_closed(self, code: int, reason: str) -> None:
        self._relay.forget(self._number)
        self._relay.run(UpstreamClosed(self._number, code, reason))


class HostedRelay:
    """A relayed session with its runner and its links; a `LiveSession`."""

    takes_messages: Final = True

    def __init__(self, session_id: str, core: RelaySession, parts: RelayParts, on_closed: Callable[[], None]) -> None:
        self._id = session_id
        self._core = core
        self._parts = parts
        self._sink = parts.sink
        self._watch = parts.watch
        self._legs: dict[int, Leg] = {}
        self._tasks: dict[int | str, Tasks] = {}  # by number of a link, by id of a call
        self._sequence = 0
        self._is_full = False  # the client does not take what it is sent
        self._flow = ClientFlow()
        # A runner carries inputs and outputs across unopened.
        self._runner = Runner(cast(Session, core), cast(Performer, self), parts.clock, on_closed=on_closed)

    @property
    def id(self) -> str:
        return self._id

    # LiveSession ----------------------------------------------------------------------------------------------

    def post(self, input: Input | ClientMessage) -> None:
        """Hand an input of the connection to the session; audio takes the shortest way."""
        if isinstance(input, ClientMessage):
            if self._watch.is_watching:
                self._watch.client(input.message)
            self._flow.take(input.message, is_held=not self._core.takes_messages)
        self.run(cast(RelayInput, input))

    def forward(self, message: bytes) -> bool:
        """Send a client's audio on at once, beside the runner; False for what must be posted."""
        lane = self._flow.lane
        return lane is not None and lane(message)

    def is_behind(self) -> bool:
        """Whether the upstream takes nothing, or there is none and enough is held for it."""
        return not self._flow.has_room()

    async def caught_up(self) -> None:
        """Return when messages are taken, or the session is over."""
        await self._flow.room()

    def set_full(self, is_full: bool) -> None:
        """The client takes nothing: read nothing from the upstream."""
        self._is_full = is_full
        for leg in self._legs.values():
            if leg.link is not None:
                if is_full:
                    leg.link.pause_reading()
                else:
                    leg.link.resume_reading()

    # Legs -----------------------------------------------------------------------------------------------------

    def pass_on(self, message: bytes) -> None:
        """Send the client a message."""
        self._sequence += 1
        self._sink.pass_on(self._sequence, message)

    def receive(self, number: int, message: bytes) -> None:
        """Take a message of an upstream that is not audio on its shortest way."""
        is_live = number == self._core.live_link and not self._watch.is_watching
        if is_live and not self._runner.is_busy and self._core.follows(message):
            self.pass_on(message)
        else:
            self.run(UpstreamMessage(number, message))

    def run(self, input: RelayInput) -> None:
        """Hand an input to the core."""
        self._close_lanes()  # what is said meanwhile waits for its turn
        self._runner.post(cast(Input, input))
        self.measure()

    def forget(self, number: int) -> None:
        """A link is gone."""
        self._legs.pop(number, None)
        self._tasks.pop(number, None)

    def go_on(self, leg: Leg) -> None:
        """Read on from a link that has rested for a turn."""
        if not self._is_full and leg.link is not None and leg in self._legs.values():
            leg.link.resume_reading()

    def measure(self) -> None:
        """Note whether messages of the client go on."""
        is_blocked = any(leg.is_blocked for leg in self._legs.values())
        self._flow.measure(has_upstream=self._core.takes_messages, is_blocked=is_blocked)
        if not is_blocked and not self._watch.is_watching and not self._runner.is_busy:
            self._open_lanes()

    def _open_lanes(self) -> None:
        number = self._core.live_link
        leg = None if number is None else self._legs.get(number)
        if leg is not None and leg.link is not None:
            if leg.lanes is None:
                if self._flow.taken <= QUIET_MESSAGES:
                    return
                up = self._core.client_lane(self._flow.turn, leg.link)
                leg.lanes = up, self._core.server_lane(self.pass_on)
            self._flow.lane, leg.lane = leg.lanes

    def _close_lanes(self) -> None:
        self._flow.lane = None
        for leg in self._legs.values():
            leg.lane = None

    # Performer ------------------------------------------------------------------------------------------------

    def perform(self, output: Output | RelayOutput) -> None:
        """Carry out one output; never blocks."""
        match output:
            case PassOn(message=message, is_final=is_final):
                self._send(message, is_final=is_final)
            case SendUpstream(link=number, message=message):
                leg = self._legs.get(number)
                if leg is not None and leg.link is not None:
                    leg.link.send(message)
            case Send(event=event):  # the runner's own, when a session failed
                self._send(encode_server_event(event))
            case DialUpstream(link=number, target=target):
                self._start(number, self._dial(number, target), name="dial upstream")
            case CloseUpstream(link=number):
                self._close_lanes()  # a timer has no `run` around it
                self._hang_up(number)
            case CallTool(call_id=call_id):
                self._start(call_id, self._call(output), name="call function")
            case CancelTool(call_id=call_id):
                self._stop(call_id)
            case StartTrace(tracing=tracing):
                self._watch.start_trace(tracing)
            case Close(code=code, reason=reason):
                self._sink.close(code, reason)
            case _:
                raise AssertionError(f"a relayed session asks for no {type(output).__name__}")

    def close(self) -> None:
        """Stop everything; may be called again."""
        for key in tuple(self._tasks):
            self._stop(key)
        for number in tuple(self._legs):
            self._hang_up(number)
        self._watch.close()

    def _send(self, message: bytes, *, is_final: bool = False) -> None:
        self._sequence += 1
        if self._watch.is_watching:
            self._watch.server(message)
        self._sink.pass_on(self._sequence, message, is_final=is_final)

    # Links ----------------------------------------------------------------------------------------------------

    async def _dial(self, number: int, target: int) -> None:
        leg = self._legs[number] = Leg(self, number)
        connector = self._parts.connectors[target]
        try:
            leg.link = await connector.connect(self._parts.request, leg)
        except UpstreamUnavailable as unavailable:
            fault = unavailable.fault
            _log.debug("upstream unavailable", extra={"session_id": self._id, "kind": fault.kind})
            self._fail(number, fault)
            return
        except Exception:  # our bug, or an engine's: another upstream may do better
            _log.exception("upstream failed", extra={"session_id": self._id})
            self._fail(number, _DIAL_FAILED)
            return
        if self._is_full:
            leg.link.pause_reading()
        self.run(UpstreamOpened(number))

    def _fail(self, number: int, fault: UpstreamFault) -> None:
        self.forget(number)
        self.run(UpstreamFailed(number, fault))

    def _hang_up(self, number: int) -> None:
        self._stop(number)
        leg = self._legs.pop(number, None)
        if leg is not None and leg.link is not None:
            leg.link.close()

    # Functions ------------------------------------------------------------------------------------------------

    async def _call(self, wanted: CallTool) -> None:
        assert self._parts.tools is not None, "only functions of a tool box are called"
        try:
            output, is_error = await self._parts.tools.call(wanted.name, wanted.arguments), False
        except ToolError as error:
            output, is_error = str(error), True
        except Exception:  # a function of the user's: whatever it raises, the conversation goes on
            _log.exception("function failed", extra={"session_id": self._id, "function": wanted.name})
            output, is_error = _TOOL_FAILED, True
        self._tasks.pop(wanted.call_id, None)
        self.run(ToolReturned(wanted.call_id, output, is_error))

    def _start(self, key: int | str, work: Coroutine[Any, Any, None], name: str) -> None:
        tasks = self._tasks[key] = Tasks()
        tasks.start(work, name)

    def _stop(self, key: int | str) -> None:
        tasks = self._tasks.pop(key, None)
        if tasks is not None:
            tasks.cancel()
