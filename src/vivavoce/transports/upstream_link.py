"""An open WebSocket to an upstream: what the endpoint tells becomes what the session's listener is told."""

import asyncio
from collections.abc import Callable

from vivavoce.core.relay.vocabulary import UpstreamFault
from vivavoce.runtime.upstreams import UpstreamListener
from vivavoce.transports.connection import (
    CLOSE_BAD_TEXT,
    CLOSE_NORMAL,
    CLOSE_UNSUPPORTED,
    TextSender,
    is_utf8,
    send_nothing,
)
from vivavoce.transports.endpoint import Endpoint
from vivavoce.transports.picows_connection import PicowsLink
from vivavoce.transports.picows_parser import UpgradeRequest


class WebSocketLink:
    """An `UpstreamLink`; the `ConnectionListener` of its endpoint."""

    __slots__ = (
        "_describe_fault",
        "_endpoint",
        "_frames",
        "_is_ended",
        "_is_paused",
        "_is_reading",
        "_listener",
        "send",
    )

    def __init__(self, listener: UpstreamListener, describe_fault: Callable[[str], UpstreamFault]) -> None:
        self._listener = listener
        self._describe_fault = describe_fault
        self._frames = PicowsLink()
        self._endpoint = Endpoint(self._frames, self, asyncio.get_running_loop())
        self.send: TextSender = send_nothing
        self._is_paused = False
        self._is_reading = False
        self._is_ended = False  # nothing more is told but that the link is closed

    def ask(self, transport: asyncio.Transport, request: UpgradeRequest) -> str:
        """Send the request for an upgrade; returns its key."""
        return self._frames.ask(transport, request, self._endpoint)

    def begin(self, transport: asyncio.Transport, key: str, rest: bytes) -> None:
        """Take over an upgraded transport; `rest` came behind the answer.

        What comes is delivered from the next turn of the loop on.
        """
        self._frames.begin(key)
        self._endpoint.begin(transport)
        self.send = self._endpoint.send
        asyncio.get_running_loop().call_soon(self._read, rest)

    def _read(self, rest: bytes) -> None:
        self._is_reading = True
        if not self._is_paused:
            self._endpoint.resume_reading()
        self._frames.feed(rest)

    # UpstreamLink ---------------------------------------------------------------------------------------------

    def pause_reading(self) -> None:
        self._is_paused = True
        self._endpoint.pause_reading()

    def resume_reading(self) -> None:
        self._is_paused = False
        if self._is_reading:
            self._endpoint.resume_reading()

    def close(self) -> None:
        self._end()
        self._endpoint.close(CLOSE_NORMAL, "")

    def abort(self) -> None:
        self._end()
        self._endpoint.abort()

    def _end(self) -> None:
        self._is_ended = True
        self.send = send_nothing

    # ConnectionListener ---------------------------------------------------------------------------------------

    def receive_text(self, message: bytes) -> None:
        if message.isascii() or is_utf8(message):
            self._listener.receive(message)
        else:
            self._endpoint.fail(CLOSE_BAD_TEXT, "The message is not UTF-8.")

    def receive_binary(self, message: bytes) -> None:
        self._endpoint.fail(CLOSE_UNSUPPORTED, "Events are text messages.")

    def rule_broken(self, code: int, reason: str) -> None:
        if not self._is_ended:
            self._end()
            self._listener.link_failed(self._describe_fault(f"it broke a rule ({code}): {reason}"))

    def block_writing(self) -> None:
        if not self._is_ended:
            self._listener.block_writing()

    def unblock_writing(self) -> None:
        if not self._is_ended:
            self._listener.unblock_writing()

    def connection_lost(self, code: int) -> None:
        self._end()
        self._listener.link_closed(code, self._endpoint.close_reason)
