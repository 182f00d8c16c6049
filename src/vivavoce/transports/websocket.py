"""A session on a WebSocket: messages become inputs, outputs become messages.

Reading stops, for any of the reasons of `Hold`, until every reason is gone; nothing that arrived is dropped.
"""

import asyncio
import enum
import logging
import secrets
from collections.abc import Callable
from typing import Final

from vivavoce.core.vocabulary import ClientRejected, Disconnected, Draining, Input
from vivavoce.dialects.beta import BetaDialect
from vivavoce.protocol.codec import encode_server_event
from vivavoce.protocol.errors import ErrorDetail
from vivavoce.protocol.server_events import ErrorEvent
from vivavoce.runtime.outbox import Cancellable, Outbox, PersistenceGate, Timers
from vivavoce.runtime.sink import LiveSession, Sink
from vivavoce.runtime.tasks import Tasks
from vivavoce.transports.connection import (
    CLOSE_BAD_TEXT,
    CLOSE_INTERNAL,
    CLOSE_RESTART,
    FrameLink,
    Handshake,
)
from vivavoce.transports.endpoint import Endpoint
from vivavoce.transports.parsing import INLINE_LIMIT_BYTES, BadText, MessageParser
from vivavoce.transports.websocket_sinks import BetaSink, WebSocketSink

_LOG: Final = logging.getLogger(__name__)


class Hold(enum.Enum):
    """Why nothing is read from the client."""

    PARSING = "parsing"  # a large message is being decoded in a thread
    BEHIND = "behind"  # the detector or the recogniser has not kept up
    OUTBOX = "outbox"  # the client does not take what it is sent


def encode_error(detail: ErrorDetail) -> bytes:
    """Return an encoded `error` event that no session made."""
    return encode_server_event(ErrorEvent(event_id=f"event_{secrets.token_hex(10)}", error=detail))


class WebSocketSession:
    """One client on one WebSocket; the `ConnectionListener` of its endpoint.

    Made before the upgrade is answered: give `sink` to the host, then `start` with the session it opened.
    """

    def __init__(
        self,
        link: FrameLink,
        timers: Timers,
        parser: MessageParser,
        *,
        gate: PersistenceGate | None = None,
        dialect: BetaDialect | None = None,
        ended: Callable[[int], None] = lambda code: None,
    ) -> None:
        """Make the transport of a session.

        Args:
            dialect: of a client of the beta; None: it speaks today's API.
            ended: called once, with the close code, when the connection is gone.
        """
        self._timers = timers
        self._parser = parser if dialect is None else parser.in_dialect(dialect)
        self._ended = ended
        self._endpoint = Endpoint(link, self, timers)
        self._outbox = Outbox(
            self._endpoint, timers, gate=gate, describe_failure=_describe_failure, set_full=self._set_full
        )
        self._session: LiveSession | None = None
        self._forward: Callable[[bytes], bool] | None = None  # the session's shortest way for messages as they come
        self._holds: set[Hold] = set()
        self._tasks = Tasks()
        self._drain_limit: Cancellable | None = None
        self.sink: Sink = WebSocketSink(self._outbox) if dialect is None else BetaSink(self._outbox, dialect)

    def start(self, session: LiveSession, transport: asyncio.Transport, handshake: Handshake) -> None:
        """Answer the upgrade; from then on `session` is served."""
        self._session = session
        if session.takes_messages:
            if not self._parser.is_translating:
                self._forward = session.forward
            self._parser = self._parser.passing()
        self._endpoint.start(transport, handshake)

    def drain(self, grace_s: float) -> None:
        """Tell the session to end; after `grace_s` seconds close with 1012 whatever it does."""
        if self._drain_limit is None:
            self._drain_limit = self._timers.call_later(grace_s, self._restart)
            self._post(Draining())

    def abort(self) -> None:
        """Drop the connection at once."""
        self._endpoint.abort()

    # ConnectionListener ---------------------------------------------------------------------------------------

    def receive_text(self, message: bytes) -> None:
        if self._forward is not None and self._forward(message):
            return
        if len(message) > INLINE_LIMIT_BYTES:
            self._hold(Hold.PARSING)
            self._tasks.start(self._parse_aside(message), name="parse a large message")
            return
        try:
            parsed = self._parser.parse(message)
        except BadText:
            self._refuse_text()
        else:
            self._post(parsed)

    def receive_binary(self, message: bytes) -> None:
        self._post(ClientRejected(_BINARY_REFUSED))

    def block_writing(self) -> None:
        self._outbox.block()

    def unblock_writing(self) -> None:
        self._outbox.unblock()

    def connection_lost(self, code: int) -> None:
        self._tasks.cancel()
        self._outbox.connection_lost()
        if self._drain_limit is not None:
            self._drain_limit.cancel()
        self._post(Disconnected(code))
        self._ended(code)

    # Reading --------------------------------------------------------------------------------------------------

    async def _parse_aside(self, message: bytes) -> None:
        try:
            parsed = await self._parser.parse_aside(message)
        except BadText:
            self._refuse_text()
        else:
            self._post(parsed)
            self._release(Hold.PARSING)

    def _post(self, input: Input) -> None:
        assert self._session is not None, "nothing is received before the start"
        try:
            self._session.post(input)
        except Exception:  # our bug; it ends this session and no other
            _LOG.exception("session failed", extra={"session_id": self._session.id})
            self._outbox.cut(CLOSE_INTERNAL, "The server had an error while processing your request.")
            return
        if self._session.is_behind() and Hold.BEHIND not in self._holds and not isinstance(input, Disconnected):
            self._hold(Hold.BEHIND)
            self._tasks.start(self._catch_up(self._session), name="wait for a session to catch up")

    async def _catch_up(self, session: LiveSession) -> None:
        await session.caught_up()
        self._release(Hold.BEHIND)

    def _set_full(self, is_full: bool) -> None:
        if self._session is not None:
            self._session.set_full(is_full)
        if is_full:
            self._hold(Hold.OUTBOX)
        else:
            self._release(Hold.OUTBOX)

    def _hold(self, reason: Hold) -> None:
        self._holds.add(reason)
        self._endpoint.pause_reading()

    def _release(self, reason: Hold) -> None:
        self._holds.discard(reason)
        if not self._holds:
            self._endpoint.resume_reading()

    # Ending ---------------------------------------------------------------------------------------------------

    def _refuse_text(self) -> None:
        self._outbox.cut(CLOSE_BAD_TEXT, "The message is not UTF-8.")

    def _restart(self) -> None:
        self._post(Draining(is_final=True))
        self._outbox.cut(CLOSE_RESTART, "The server restarts.")


_BINARY_REFUSED: Final = ErrorDetail(
    code="invalid_event", message="Invalid event: expected a text frame with a JSON object, but got a binary frame."
)


def _describe_failure(fault: Exception) -> bytes:
    _LOG.error("storage failed", exc_info=fault)
    text = "The conversation could not be stored, so it cannot go on."
    return encode_error(ErrorDetail(type="server_error", code="storage_unavailable", message=text))
