"""uvicorn's HTTP/1.1 protocol with the bounds it lacks: on the time and the size of a request head.

It also writes no access log of its own. Stock uvicorn keeps a silent or half-sent request open without end and
collects headers without limit.

The rest of a body that was answered before it was read is dropped, within bounds of its own: closing at once would
reset the connection, and a client that is still sending might never see the answer (RFC 9112 section 9.6).
"""

import asyncio
import socket
from typing import Any, Final

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from vivavoce.app.errors import HttpError, draining, make_request_id

HEAD_LIMIT_BYTES: Final = 64 * 1024
HEAD_DEADLINE_S: Final = 10.0
DROPPED_LIMIT_BYTES: Final = 16 * 1024 * 1024


class BoundedHttpProtocol(HttpToolsProtocol):
    """Closes a connection whose next request head is not complete in time, or is too long; so with dropped bodies."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.access_log = False  # its lines hold query strings; ours are written by `gate`
        self._head_deadline: asyncio.TimerHandle | None = None
        self._head_bytes = 0  # since the deadline was set
        self._drops_body = False  # the answer is complete, the request is not

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn
        super().connection_made(transport)
        self._send_at_once(transport)
        self._expect_head()

    @staticmethod
    def _send_at_once(transport: asyncio.Transport) -> None:
        """Turn Nagle's algorithm off: uvicorn writes head and body apart, and the body would wait 40 ms for an ACK."""
        connection = transport.get_extra_info("socket")
        if connection is not None:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def connection_lost(self, exc: Exception | None) -> None:
        self._forget_head()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._head_bytes += len(data)
        super().data_received(data)
        if self._head_deadline is None:
            return
        if self._drops_body and self._head_bytes > DROPPED_LIMIT_BYTES:
            self.transport.close()
        elif not self._drops_body and self._head_bytes > HEAD_LIMIT_BYTES:
            self._refuse(HttpError(status=431, message=f"Request heads are limited to {HEAD_LIMIT_BYTES} bytes."))

    def on_headers_complete(self) -> None:
        self._forget_head()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        super().on_message_complete()
        if self._drops_body:
            self._drops_body = False
            self._expect_head()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if not self.transport.is_closing() and self.cycle.response_complete:  # else a pipelined request is under way
            self._drops_body = self.cycle.more_body
            self._expect_head()

    def shutdown(self) -> None:
        """End the connection when it is idle; a request of which the rest is awaited is not waited for."""
        if self._awaits_body:
            self._refuse(draining())
        else:
            super().shutdown()

    def send_400_response(self, msg: str) -> None:
        self._refuse(HttpError(status=400, message=msg))

    def _expect_head(self) -> None:
        self._forget_head()
        self._head_deadline = self.loop.call_later(HEAD_DEADLINE_S, self._give_up)

    def _forget_head(self) -> None:
        self._head_bytes = 0
        if self._head_deadline is not None:
            self._head_deadline.cancel()
            self._head_deadline = None

    def _give_up(self) -> None:
        if self._head_bytes == 0:
            self.transport.close()
        else:
            self._refuse(HttpError(status=408, message=f"No whole request came within {HEAD_DEADLINE_S:g} seconds."))

    def _refuse(self, error: HttpError) -> None:
        self._forget_head()
        if self.transport.is_closing():
            return
        if not self._drops_body and not self._is_answering:  # one request gets one answer
            self.transport.write(error.answer(make_request_id()))
        self.transport.close()

    @property
    def _is_answering(self) -> bool:
        cycle = self._open_cycle
        return cycle is not None and cycle.response_started

    @property
    def _awaits_body(self) -> bool:
        cycle = self._open_cycle
        return cycle is not None and cycle.more_body and not cycle.response_started

    @property
    def _open_cycle(self) -> RequestResponseCycle | None:
        cycle: RequestResponseCycle | None = self.cycle  # None before the first request, whatever uvicorn declares
        return None if cycle is None or cycle.response_complete else cycle
