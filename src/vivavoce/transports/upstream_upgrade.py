"""Asking a server for a WebSocket: what it answers, whatever the status, within bounds.

The answer is read here and not by the frame parser, because a refusal's body tells why, and may come after its head.
"""

import asyncio
from typing import Final, cast

import httptools
import msgspec

from vivavoce.transports.connection import accept_of

HEAD_LIMIT_BYTES: Final = 32 * 1024
BODY_LIMIT_BYTES: Final = 16 * 1024  # an error object is far smaller
SWITCHING_PROTOCOLS: Final = 101


class BadAnswer(Exception):
    """What came is no answer to the upgrade. The text is ours."""


class Answer(msgspec.Struct, frozen=True):
    """The answer to an upgrade. Header names are in lower case; of a header that came twice the last value counts."""

    status: int
    headers: dict[str, str]
    body: bytes = b""  # of a refusal, or as much of it as is taken
    rest: bytes = b""  # what came behind the head of a 101

    def check(self, key: str) -> None:
        """Check a 101 answer to a request with this key, as RFC 6455 section 4.1 has it.

        Raises:
            BadAnswer: a header is missing or wrong, or an extension or protocol is agreed that nobody asked for.
        """
        tokens = [token.strip().lower() for token in self.headers.get("connection", "").split(",")]
        if self.headers.get("upgrade", "").lower() != "websocket" or "upgrade" not in tokens:
            raise BadAnswer("its 101 is no upgrade to a WebSocket")
        if self.headers.get("sec-websocket-accept") != accept_of(key):
            raise BadAnswer("its 101 answers another request")
        if self.headers.keys() & {"sec-websocket-extensions", "sec-websocket-protocol"}:
            raise BadAnswer("its 101 agrees to what was not asked for")


class AnswerReader(asyncio.Protocol):
    """Reads one answer. After a 101 the transport's reading is paused."""

    def __init__(self) -> None:
        self.answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._parser = httptools.HttpResponseParser(self)
        self._transport: asyncio.Transport | None = None
        self._headers: dict[str, str] = {}
        self._body = bytearray()
        self._received_bytes = 0
        self._has_head = False

    def finish(self) -> None:
        """Make do with as much of a refusal as has come."""
        if self._has_head:
            self._refuse()

    # asyncio.Protocol -----------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # aiofastnet's is one by shape, not by class

    def data_received(self, data: bytes) -> None:
        if self.answer.done():
            return
        self._received_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._switch(data[upgrade.args[0] :])
        except httptools.HttpParserError:
            self._fail(BadAnswer("it does not speak HTTP, or its 101 is no upgrade"))
        if not self._has_head and self._received_bytes > HEAD_LIMIT_BYTES:
            self._fail(BadAnswer("the head of its answer is too large"))
        elif len(self._body) >= BODY_LIMIT_BYTES:
            self.finish()

    def connection_lost(self, exc: Exception | None) -> None:
        self.finish()
        self._fail(exc if isinstance(exc, OSError) else ConnectionResetError("closed before an answer"))

    # httptools ------------------------------------------------------------------------------------------------

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        self._has_head = status >= 200
        if 100 <= status < 200 and status != SWITCHING_PROTOCOLS:
            self._headers = {}

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        self.finish()

    # Results --------------------------------------------------------------------------------------------------

    def _switch(self, rest: bytes) -> None:
        if self._transport is not None:
            self._transport.pause_reading()
        if not self.answer.done():
            self.answer.set_result(Answer(self._parser.get_status_code(), self._headers, rest=bytes(rest)))

    def _refuse(self) -> None:
        if not self.answer.done():
            self.answer.set_result(
                Answer(self._parser.get_status_code(), self._headers, bytes(self._body[:BODY_LIMIT_BYTES]))
            )

    def _fail(self, error: Exception) -> None:
        if not self.answer.done():
            self.answer.set_exception(error)
