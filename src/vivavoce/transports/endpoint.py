"""What RFC 6455 leaves to an application, once for every backend.

Theory of operation. The endpoint joins fragments to messages (section 5.4), answers pings (5.5.2) and closes as
section 7 says:

- The first close code, ours or the peer's, is the one its listener learns. While a close frame of ours is
  unanswered, data is dropped; after `LINGER_S` the connection is aborted.
- It pings every `PING_INTERVAL_S` and closes with 1011 when not a byte arrived until the next ping is due.
- Text messages that come whole go from the backend to the listener directly (`FrameLink.deliver_text`) while the
  endpoint is open, is not paused and holds nothing. All else takes the way through `receive_frame`.
- While reading is paused, messages that the backend has already cut out of its buffer are held, in order, and so
  is a close frame behind them. Pings are answered all the same.
- While the network takes nothing, only the last ping is answered, later (section 5.5.3 allows that).

    CONNECTING --start, begin--> OPEN --close, close frame, fail, end of file--> CLOSING --transport lost--> CLOSED
"""

import asyncio
import enum
from collections import deque

from vivavoce.runtime.outbox import Cancellable, Timers
from vivavoce.transports.connection import (
    CLOSE_ABNORMAL,
    CLOSE_INTERNAL,
    CLOSE_NO_CODE,
    CLOSE_NORMAL,
    LINGER_S,
    MESSAGE_LIMIT_BYTES,
    PING_INTERVAL_S,
    WRITE_HIGH_BYTES,
    WRITE_LOW_BYTES,
    ConnectionListener,
    FrameError,
    FrameLink,
    Handshake,
    MessageJoiner,
    Opcode,
    RuleListener,
    TextSender,
    cut_reason,
    parse_close,
    send_nothing,
)


class Phase(enum.Enum):
    """Where a connection is in its life."""

    CONNECTING = "connecting"  # made, not started
    OPEN = "open"
    CLOSING = "closing"  # a close frame was sent, or the peer sends no more
    CLOSED = "closed"


class Inbox:
    """Messages that cannot be delivered yet; made where one is needed, which is rarely."""

    __slots__ = ("held", "joiner")

    def __init__(self) -> None:
        self.joiner = MessageJoiner()
        self.held: deque[tuple[int, bytes]] = deque()

    def is_empty(self) -> bool:
        return not self.held and self.joiner.is_empty()


def _is_whole(opcode: int, is_last: bool, payload: bytes) -> bool:
    """Return whether a data frame is a message for itself, within the limit."""
    return is_last and opcode != Opcode.CONTINUATION and len(payload) <= MESSAGE_LIMIT_BYTES


class Endpoint:
    """An open WebSocket connection, of a server or a client; implements `Connection` and `FrameReceiver`.

    `send` is what the backend sends text with, without a call between.
    """

    __slots__ = (
        "_ending",
        "_heard",
        "_inbox",
        "_is_blocked",
        "_is_paused",
        "_late_pong",
        "_link",
        "_listener",
        "_phase",
        "_timer",
        "_timers",
        "send",
    )

    def __init__(self, link: FrameLink, listener: ConnectionListener, timers: Timers) -> None:
        self._link = link
        self._listener = listener
        self._timers = timers
        self._phase = Phase.CONNECTING
        self.send: TextSender = send_nothing
        self._ending: tuple[int, str] | None = None  # the first close code, ours or the peer's, and its reason
        self._inbox: Inbox | None = None
        self._is_paused = False
        self._is_blocked = False
        self._late_pong: bytes | None = None
        self._heard = -1  # the link's progress at the last ping
        self._timer: Cancellable | None = None  # the next ping while open, the abort while closing

    def start(self, transport: asyncio.Transport, handshake: Handshake) -> None:
        """Answer the upgrade on this transport and begin, as a server."""
        self._phase = Phase.OPEN
        self._link.start(transport, handshake, self)
        self._watch(transport)
        self._listener.unblock_writing()

    def begin(self, transport: asyncio.Transport) -> None:
        """Begin as a client, whose link has been upgraded: writing is free, reading is paused."""
        self._phase = Phase.OPEN
        self._is_paused = True
        self._watch(transport)

    def _watch(self, transport: asyncio.Transport) -> None:
        transport.set_write_buffer_limits(high=WRITE_HIGH_BYTES, low=WRITE_LOW_BYTES)
        self.send = self._link.text_sender()
        self._choose_way()
        self._arm_ping()

    # What the owner calls -------------------------------------------------------------------------------------

    def buffered_bytes(self) -> int:
        return self._link.buffered_bytes()

    def pause_reading(self) -> None:
        if self._phase is Phase.OPEN and not self._is_paused:
            self._is_paused = True
            self._link.deliver_text = None
            self._link.pause_reading()

    def resume_reading(self) -> None:
        if self._phase is not Phase.OPEN or not self._is_paused:
            return
        self._is_paused = False
        self._deliver_held()
        if self._takes_messages():
            self._choose_way()
            self._link.resume_reading()

    def close(self, code: int, reason: str) -> None:
        if self._phase is not Phase.OPEN:
            return
        self._link.send_close(code, cut_reason(reason))
        self._begin_closing(code, reason)
        self._link.resume_reading()  # the peer's close frame is what we wait for

    def abort(self) -> None:
        if self._phase is Phase.OPEN:
            self._begin_closing(CLOSE_ABNORMAL)
        self._link.abort()

    @property
    def close_reason(self) -> str:
        """What stood beside the close code that the listener learns."""
        return "" if self._ending is None else self._ending[1]

    # What the backend calls -----------------------------------------------------------------------------------

    def receive_frame(self, opcode: int, is_last: bool, payload: bytes) -> None:
        """Take one frame; a broken rule closes the connection."""
        try:
            if opcode >= Opcode.CLOSE:
                self._receive_control(opcode, payload)
            elif self._phase is Phase.OPEN:
                self._receive_data(opcode, is_last, payload)
        except FrameError as fault:
            self.fail(fault.code, fault.reason)

    def receive_eof(self) -> None:
        if self._phase is Phase.OPEN:
            self._begin_closing(CLOSE_ABNORMAL)

    def fail(self, code: int, reason: str) -> None:
        if self._phase is Phase.OPEN and isinstance(self._listener, RuleListener):
            self._listener.rule_broken(code, reason)
        self.close(code, reason)
        self._link.discard_input()

    def block_writing(self) -> None:
        self._is_blocked = True
        self._listener.block_writing()

    def unblock_writing(self) -> None:
        self._is_blocked = False
        if self._late_pong is not None:
            self._link.send_pong(self._late_pong)
            self._late_pong = None
        if self._phase is Phase.OPEN:
            self._listener.unblock_writing()

    def transport_lost(self) -> None:
        if self._phase is Phase.CLOSED:
            return
        self._phase = Phase.CLOSED
        self._shut()
        self._cancel_timer()
        self._listener.connection_lost(CLOSE_ABNORMAL if self._ending is None else self._ending[0])

    # Frames ---------------------------------------------------------------------------------------------------

    def _receive_data(self, opcode: int, is_last: bool, payload: bytes) -> None:
        inbox = self._inbox
        if inbox is None and not self._is_paused and _is_whole(opcode, is_last, payload):
            self._deliver(opcode, payload)
            return
        inbox = inbox or Inbox()
        message = inbox.joiner.add(opcode, is_last, payload)
        if message is not None and (self._is_paused or inbox.held):
            inbox.held.append(message)
            message = None
        self._keep(inbox)
        if message is not None:
            self._deliver(*message)

    def _keep(self, inbox: Inbox) -> None:
        """Keep an inbox as long as it holds something."""
        self._inbox = None if inbox.is_empty() else inbox
        self._choose_way()

    def _choose_way(self) -> None:
        """Let text messages go to the listener directly where nothing else would be done with them."""
        is_direct = self._inbox is None and self._takes_messages()
        self._link.deliver_text = self._listener.receive_text if is_direct else None

    def _receive_control(self, opcode: int, payload: bytes) -> None:
        if opcode == Opcode.CLOSE and (self._is_paused or (self._inbox is not None and self._inbox.held)):
            inbox = self._inbox or Inbox()
            inbox.held.append((opcode, payload))
            self._keep(inbox)
        elif opcode == Opcode.CLOSE:
            self._receive_close(payload)
        elif opcode == Opcode.PING and self._is_blocked:
            self._late_pong = payload
        elif opcode == Opcode.PING and self._phase is Phase.OPEN:
            self._link.send_pong(payload)

    def _deliver(self, opcode: int, payload: bytes) -> None:
        if opcode == Opcode.TEXT:
            self._listener.receive_text(payload)
        elif opcode == Opcode.BINARY:
            self._listener.receive_binary(payload)
        else:
            self._receive_close(payload)

    def _deliver_held(self) -> None:
        inbox = self._inbox
        if inbox is None:
            return
        try:
            while inbox.held and self._takes_messages():
                self._deliver(*inbox.held.popleft())
        except FrameError as fault:  # a close frame was among them
            self.fail(fault.code, fault.reason)
        if self._phase is Phase.OPEN:
            self._keep(inbox)

    def _takes_messages(self) -> bool:
        return self._phase is Phase.OPEN and not self._is_paused

    # Closing --------------------------------------------------------------------------------------------------

    def _receive_close(self, payload: bytes) -> None:
        code = parse_close(payload)
        if self._phase is Phase.OPEN:
            self._link.send_close(CLOSE_NORMAL if code == CLOSE_NO_CODE else code, "")
            self._begin_closing(code, payload[2:].decode())
        self._link.disconnect()

    def _begin_closing(self, code: int, reason: str = "") -> None:
        self._phase = Phase.CLOSING
        self._ending = (code, reason)
        self._shut()
        self._is_paused = False
        self._cancel_timer()
        self._timer = self._timers.call_later(LINGER_S, self._link.abort)

    def _shut(self) -> None:
        """Send and deliver no more."""
        self.send = send_nothing
        self._inbox = None
        self._link.deliver_text = None

    # Pings ----------------------------------------------------------------------------------------------------

    def _arm_ping(self) -> None:
        self._timer = self._timers.call_later(PING_INTERVAL_S, self._ping)

    def _ping(self) -> None:
        progress = self._link.progress()
        if progress == self._heard:
            self.close(CLOSE_INTERNAL, f"No answer to a ping within {PING_INTERVAL_S:g} seconds.")
            return
        self._heard = -1 if self._is_paused else progress  # while we do not read, nothing is heard
        self._link.send_ping()
        self._arm_ping()

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
