"""Frames by picows, on transports of aiofastnet; as a server, and as a client of an upstream.

picows sends payloads above 8 KiB as a view of a buffer it uses again; only aiofastnet's transports copy what they
queue, so this backend refuses any other transport (tests/transports/test_connection_contract.py keeps the proof). Its
own pings are off: the endpoint pings.

Every message takes the way through `on_ws_frame` and `text_sender`: nothing is counted, kept or called there that
another place can do. So bytes are not counted as they arrive (`progress` looks how full picows' buffer is), and the
parser is picows' own, without a method of ours between it and the transport. What the parser finds wrong is learned
from its log (`FrameLog`). It closes the transport 10 ms later, and a socket closed with unread data destroys the
close frame; so the socket is kept open and read for a while (`discarding.py`).

On uvloop a TCP reset that arrives behind unread data is not noticed by reading: libuv reports the error once and
stops polling, and aiofastnet takes a short read for the end of what there is. The next write notices it, at the
latest the next ping.
"""

import asyncio
import socket
from collections.abc import Callable
from functools import partial
from typing import Final

import aiofastnet
import picows

from vivavoce.transports.connection import CLOSE_PROTOCOL, FrameReceiver, Handshake, TextSender
from vivavoce.transports.discarding import Discard
from vivavoce.transports.picows_parser import FrameLog, FrameProtocol, UpgradeRequest, answer_head, request_head

# What the system queues of a peer that sends faster than is read. picows' buffer grows to what one read finds and
# never shrinks: with the system's own limit of 6 MiB, a pause would leave as much in the process.
RECEIVE_QUEUE_BYTES: Final = 256 * 1024

_KEPT_SEND_BUFFER_BYTES: Final = 8192  # picows keeps a buffer as large as the largest message it has masked
_MASK_ROOM_BYTES: Final = 14  # the longest header of a frame, RFC 6455 section 5.2
_TEXT: Final = picows.WSMsgType.TEXT


class PicowsLink(picows.WSListener):
    """A `FrameLink` by picows; also the listener that picows calls."""

    __slots__ = (
        "_arrivals",
        "_endpoint",
        "_frames",
        "_has_heard",
        "_is_broken",
        "_protocol",
        "_transport",
        "deliver_text",
    )

    def __init__(self) -> None:
        self.deliver_text: Callable[[bytes], None] | None = None
        self._endpoint: FrameReceiver | None = None
        self._protocol: FrameProtocol | None = None
        self._frames: picows.WSTransport | None = None
        self._transport: asyncio.Transport | None = None
        self._has_heard = False  # a frame, since the last look at the progress
        self._arrivals = 0  # looks that found one
        self._is_broken = False  # picows is about to close the transport

    # FrameLink ------------------------------------------------------------------------------------------------

    def start(self, transport: asyncio.Transport, handshake: Handshake, endpoint: FrameReceiver) -> None:
        self._adopt(transport, endpoint)
        response = picows.WSUpgradeResponse.create_101_response(handshake.headers)
        answer = picows.WSUpgradeResponseWithListener(response, self)
        self._protocol = FrameProtocol(lambda request: answer, endpoint, FrameLog(self._end))
        transport.set_protocol(self._protocol)
        self._protocol.connection_made(transport)
        self._protocol.feed(request_head(handshake.key))
        self._protocol.forget_upgrade()
        transport.resume_reading()

    # As a client ----------------------------------------------------------------------------------------------

    def ask(self, transport: asyncio.Transport, request: UpgradeRequest, endpoint: FrameReceiver) -> str:
        """Send the request of a client on a transport that somebody else reads; returns its `Sec-WebSocket-Key`."""
        self._adopt(transport, endpoint)
        log = FrameLog(self._end)
        self._protocol = FrameProtocol(lambda request, response: self, endpoint, log, request)
        self._protocol.connection_made(transport)
        return str(self._protocol.transport.request.headers["Sec-WebSocket-Key"])

    def begin(self, key: str) -> None:
        """Become the transport's protocol, once the answer to the request with this key was found right."""
        assert self._transport is not None and self._protocol is not None, "begun before it was asked"
        self._transport.set_protocol(self._protocol)
        self._protocol.feed(answer_head(key))
        self._protocol.forget_upgrade()

    def feed(self, data: bytes) -> None:
        """Take bytes that were read before `begin`."""
        assert self._protocol is not None, "fed before it was begun"
        self._protocol.feed(data)

    # Both sides -----------------------------------------------------------------------------------------------

    def _adopt(self, transport: asyncio.Transport, endpoint: FrameReceiver) -> None:
        if not isinstance(transport, aiofastnet.Transport):
            raise TypeError(f"expected a transport of aiofastnet, got {type(transport).__name__}")
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_QUEUE_BYTES)
        self._endpoint = endpoint
        self._transport = transport

    def text_sender(self) -> TextSender:
        assert self._frames is not None, "sent before the start"
        frames = self._frames
        if frames.is_client_side:
            return partial(_send_masked, frames.send, frames.send_reuse_external_bytearray)
        return partial(frames.send, _TEXT)

    def send_ping(self) -> None:
        assert self._frames is not None, "sent before the start"
        self._frames.send_ping()

    def send_pong(self, payload: bytes) -> None:
        assert self._frames is not None, "sent before the start"
        self._frames.send_pong(payload)

    def send_close(self, code: int, reason: str) -> None:
        assert self._frames is not None, "sent before the start"
        self._frames.send_close(code, reason)  # type: ignore[arg-type]  # its stub lacks the codes from 3000 on

    def pause_reading(self) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.pause_reading()

    def resume_reading(self) -> None:
        if self._transport is not None and not self._transport.is_closing():  # a TLS one that is gone raises
            self._transport.resume_reading()

    def buffered_bytes(self) -> int:
        return 0 if self._transport is None else self._transport.get_write_buffer_size()

    def progress(self) -> int:
        if self._protocol is None:
            return 0
        self._arrivals += self._has_heard
        self._has_heard = False
        return (self._arrivals << 32) - len(self._protocol.get_buffer(-1))

    def discard_input(self) -> None:
        transport = self._transport
        if transport is None or self._endpoint is None or transport.is_closing():
            return
        protocol = transport.get_protocol()
        discard = protocol if isinstance(protocol, Discard) else Discard(self._endpoint)
        if self._is_broken:
            discard.keep(transport)
        transport.set_protocol(discard)
        transport.resume_reading()

    def disconnect(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    # WSListener -----------------------------------------------------------------------------------------------

    def on_ws_connected(self, transport: picows.WSTransport) -> None:
        self._frames = transport

    def on_ws_frame(self, transport: picows.WSTransport, frame: picows.WSFrame) -> None:
        self._has_heard = True
        deliver = self.deliver_text
        if deliver is None or not frame.fin or frame.msg_type is not _TEXT or frame.rsv1 or frame.rsv2 or frame.rsv3:
            self._receive(frame)
        else:
            deliver(frame.get_payload_as_bytes())

    def _receive(self, frame: picows.WSFrame) -> None:
        assert self._endpoint is not None, "frames come after the start"
        if frame.rsv1 or frame.rsv2 or frame.rsv3:
            self._endpoint.fail(CLOSE_PROTOCOL, "Reserved bits are set, and no extension was agreed.")
            return
        self._endpoint.receive_frame(int(frame.msg_type), bool(frame.fin), frame.get_payload_as_bytes())  # type: ignore[call-overload]  # an IntEnum, against its stub

    def _end(self, code: int) -> None:
        """Take it that picows ends the connection: in a moment it sends a close frame with this code.

        Messages before the one that is wrong are still to be delivered, so the endpoint learns it afterwards.
        """
        assert self._transport is not None and self._endpoint is not None, "parsed after the start"
        self._is_broken = True
        self._transport.pause_reading()
        asyncio.get_running_loop().call_soon(self._endpoint.fail, code, "")

    def pause_writing(self) -> None:
        assert self._endpoint is not None, "called back before the start"
        self._endpoint.block_writing()

    def resume_writing(self) -> None:
        assert self._endpoint is not None, "called back before the start"
        self._endpoint.unblock_writing()


def _send_masked(
    send: Callable[[picows.WSMsgType, bytes], None],
    send_in_place: Callable[[picows.WSMsgType, bytearray, int], None],
    message: bytes,
) -> None:
    """Send a client's text message; a large one from memory that is not kept."""
    if len(message) <= _KEPT_SEND_BUFFER_BYTES:
        send(_TEXT, message)
    else:
        send_in_place(_TEXT, bytearray(_MASK_ROOM_BYTES) + message, _MASK_ROOM_BYTES)
