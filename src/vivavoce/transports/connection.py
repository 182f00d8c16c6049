"""WebSocket connections behind one interface, whatever library reads the frames.

A backend (picows, websockets) is a `FrameLink`: it turns bytes into frames and gives them to an `Endpoint`
(`endpoint.py`), which is the `Connection` that the rest of the server sees.
"""

import asyncio
import base64
import enum
import hashlib
from collections.abc import Callable
from typing import Final, Protocol, runtime_checkable

import msgspec

MESSAGE_LIMIT_BYTES: Final = 21 * 1024 * 1024  # 15 MiB of audio in base64 is 20 MiB, the most one append may hold
READ_BUFFER_BYTES: Final = 4096
WRITE_HIGH_BYTES: Final = 64 * 1024  # a connection reports itself blocked above, and free below a quarter
WRITE_LOW_BYTES: Final = WRITE_HIGH_BYTES // 4
PING_INTERVAL_S: Final = 20.0
LINGER_S: Final = 3.0
REASON_LIMIT_BYTES: Final = 123  # RFC 6455 section 5.5: a control frame holds 125 bytes, the code takes two

CLOSE_NORMAL: Final = 1000
CLOSE_GOING_AWAY: Final = 1001
CLOSE_PROTOCOL: Final = 1002
CLOSE_UNSUPPORTED: Final = 1003  # a kind of data that the endpoint does not take
CLOSE_NO_CODE: Final = 1005  # RFC 6455 section 7.4.1: never sent, tells that a close frame had no code
CLOSE_ABNORMAL: Final = 1006  # never sent, tells that there was no close frame
CLOSE_BAD_TEXT: Final = 1007
CLOSE_TOO_BIG: Final = 1009
CLOSE_INTERNAL: Final = 1011
CLOSE_RESTART: Final = 1012


# RFC 6455 section 7.4.1 and the IANA registry: the codes below 3000 that a close frame may hold.
_ENDABLE_CODES: Final = frozenset({1000, 1001, 1002, 1003, *range(1007, 1015)})


_ACCEPT_SALT: Final = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455 section 1.3


class Opcode(enum.IntEnum):
    """Frame types, RFC 6455 section 5.2."""

    CONTINUATION = 0x0
    TEXT = 0x1
    BINARY = 0x2
    CLOSE = 0x8
    PING = 0x9
    PONG = 0xA


class FrameError(Exception):
    """The peer broke the framing rules; `code` is the close code it gets."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class Handshake(msgspec.Struct, frozen=True):
    """What the 101 answer needs: the client's `Sec-WebSocket-Key` and further headers. No extension is agreed."""

    key: str
    headers: tuple[tuple[str, str], ...] = ()


class ConnectionListener(Protocol):
    """Who is told what happens on a connection. Calls come on the loop's thread, `connection_lost` once and last."""

    def receive_text(self, message: bytes) -> None:
        """A whole text message came; its UTF-8 has not been checked."""
        ...

    def receive_binary(self, message: bytes) -> None: ...

    def block_writing(self) -> None:
        """The connection holds more than `WRITE_HIGH_BYTES` that the network does not take."""
        ...

    def unblock_writing(self) -> None: ...

    def connection_lost(self, code: int) -> None:
        """The connection is gone; `code` is the peer's close code, 1005 or 1006."""
        ...


@runtime_checkable
class RuleListener(Protocol):
    """A `ConnectionListener` that is also told why a connection fails, before it is closed."""

    def rule_broken(self, code: int, reason: str) -> None:
        """The peer broke a rule; `code` is the close code it gets."""
        ...


class Connection(Protocol):
    """An open WebSocket connection."""

    def send(self, message: bytes) -> None:
        """Send a text message of valid UTF-8; what the network does not take is buffered."""
        ...

    def buffered_bytes(self) -> int: ...

    def pause_reading(self) -> None:
        """Deliver no message until `resume_reading`."""
        ...

    def resume_reading(self) -> None: ...

    def close(self, code: int, reason: str) -> None:
        """Send a close frame after what was sent; the first call counts. No message is delivered any more."""
        ...

    def abort(self) -> None:
        """Drop the connection without a word."""
        ...


class TextSender(Protocol):
    """Sends a text message of valid UTF-8."""

    def __call__(self, message: bytes) -> None: ...


def send_nothing(message: bytes) -> None:
    """The `TextSender` of a connection that is not open."""


class FrameReceiver(Protocol):
    """What a backend tells its endpoint."""

    def receive_frame(self, opcode: int, is_last: bool, payload: bytes) -> None: ...

    def receive_eof(self) -> None:
        """The peer sends no more; the transport closes once everything was sent."""
        ...

    def fail(self, code: int, reason: str) -> None:
        """The peer broke a rule: close, and listen no more."""
        ...

    def block_writing(self) -> None: ...

    def unblock_writing(self) -> None: ...

    def transport_lost(self) -> None: ...


class FrameLink(Protocol):
    """What a backend does for its endpoint.

    `deliver_text` takes text messages that came whole, in one frame; the endpoint sets it while it would do nothing
    with them but pass them on, and a backend may then spare it the frame.
    """

    deliver_text: Callable[[bytes], None] | None

    def start(self, transport: asyncio.Transport, handshake: Handshake, endpoint: FrameReceiver) -> None:
        """Send the 101 answer and become the transport's protocol."""
        ...

    def text_sender(self) -> TextSender:
        """Return what sends a text message, once the link has been started."""
        ...

    def send_ping(self) -> None: ...

    def send_pong(self, payload: bytes) -> None: ...

    def send_close(self, code: int, reason: str) -> None: ...

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...

    def buffered_bytes(self) -> int: ...

    def progress(self) -> int:
        """Return a figure that changes when bytes arrive."""
        ...

    def discard_input(self) -> None:
        """Read and drop whatever still arrives: closing a socket with unread data would destroy the close frame."""
        ...

    def disconnect(self) -> None:
        """Close the transport after what was sent."""
        ...

    def abort(self) -> None: ...


class MessageJoiner:
    """Joins fragments to messages; never holds more than `MESSAGE_LIMIT_BYTES`."""

    __slots__ = ("_opcode", "_parts", "_size_bytes")

    def __init__(self) -> None:
        self._opcode: int | None = None
        self._parts: list[bytes] = []
        self._size_bytes = 0

    def add(self, opcode: int, is_last: bool, payload: bytes) -> tuple[int, bytes] | None:
        """Return the whole message (its opcode and payload) when this frame ends it.

        Raises:
            FrameError: a fragment without a start, a start within a message (1002), or too much data (1009).
        """
        if is_last and self._opcode is None and opcode != Opcode.CONTINUATION and len(payload) <= MESSAGE_LIMIT_BYTES:
            return opcode, payload
        self._check_order(opcode)
        self._size_bytes += len(payload)
        if self._size_bytes > MESSAGE_LIMIT_BYTES:
            raise FrameError(CLOSE_TOO_BIG, f"Messages are limited to {MESSAGE_LIMIT_BYTES} bytes.")
        if self._opcode is None:
            self._opcode = opcode
        self._parts.append(payload)
        return self._take() if is_last else None

    def is_empty(self) -> bool:
        """Return whether no message has begun."""
        return self._opcode is None

    def _check_order(self, opcode: int) -> None:
        if opcode == Opcode.CONTINUATION and self._opcode is None:
            raise FrameError(CLOSE_PROTOCOL, "A continuation frame came without a message to continue.")
        if opcode != Opcode.CONTINUATION and self._opcode is not None:
            raise FrameError(CLOSE_PROTOCOL, "A message began before the last one ended.")

    def _take(self) -> tuple[int, bytes]:
        assert self._opcode is not None, "only a message that began can end"
        whole = (self._opcode, self._parts[0] if len(self._parts) == 1 else b"".join(self._parts))
        self._opcode, self._parts, self._size_bytes = None, [], 0
        return whole


def parse_close(payload: bytes) -> int:
    """Return the code of a close frame, `CLOSE_NO_CODE` when it has none.

    Raises:
        FrameError: a code that must not be sent (1002) or a reason that is not UTF-8 (1007).
    """
    if not payload:
        return CLOSE_NO_CODE
    code = int.from_bytes(payload[:2], "big")
    if len(payload) == 1 or not (code in _ENDABLE_CODES or 3000 <= code < 5000):
        raise FrameError(CLOSE_PROTOCOL, "The close frame has no valid code.")
    if not is_utf8(payload[2:]):
        raise FrameError(CLOSE_BAD_TEXT, "The reason of the close frame is not UTF-8.")
    return code


def accept_of(key: str) -> str:
    """Return the `Sec-WebSocket-Accept` that answers a `Sec-WebSocket-Key`, RFC 6455 section 4.2.2."""
    return base64.b64encode(hashlib.sha1((key + _ACCEPT_SALT).encode(), usedforsecurity=False).digest()).decode()


def cut_reason(reason: str) -> str:
    """Return as much of a close reason as fits in a close frame."""
    return reason.encode()[:REASON_LIMIT_BYTES].decode(errors="ignore")


def is_utf8(payload: bytes) -> bool:
    """Tell whether bytes are UTF-8 text; nearly free for ASCII, which audio events are."""
    if payload.isascii():
        return True
    try:
        payload.decode()
    except UnicodeDecodeError:
        return False
    return True
