"""A client in the same process: for `vivavoce talk` and for tests.

Events cross as JSON, exactly as on a WebSocket, so that what a client sees here it sees there.
"""

import asyncio
from collections import deque
from typing import Any, cast

import msgspec

from vivavoce.core.vocabulary import Disconnected, Input, PlayAudio
from vivavoce.protocol.codec import encode_server_event
from vivavoce.protocol.server_events import ServerEvent
from vivavoce.runtime.outbox import HIGH_MARK_BYTES, LOW_MARK_BYTES
from vivavoce.runtime.sink import LiveSession, SessionHost, SessionRequest
from vivavoce.transports.connection import CLOSE_NORMAL
from vivavoce.transports.parsing import parse_message, pass_message
from vivavoce.transports.websocket_sinks import encode_audio

JsonObject = dict[str, Any]  # JSON boundary: events as a client's JSON library would show them


class LoopbackClosed(Exception):
    """The session ended; there are no more events."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(f"closed with {code}: {reason}")
        self.code = code
        self.reason = reason


class LoopbackSink:
    """The `Sink` of a loopback client: encoded events that it has not taken yet."""

    def __init__(self) -> None:
        self._events: deque[bytes] = deque()
        self._pending_bytes = 0
        self._arrived = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()
        self.end: tuple[int, str] | None = None

    def send(self, sequence: int, event: ServerEvent) -> None:
        self._put(encode_server_event(event))

    def play(self, sequence: int, audio: PlayAudio) -> None:
        self._put(encode_audio(audio))

    def pass_on(self, sequence: int, message: bytes, *, is_final: bool = False) -> None:
        self._put(message)

    def clear_playout(self, response_id: str) -> None:
        """Do nothing: this client owns its playout."""

    def close(self, code: int, reason: str) -> None:
        if self.end is None:
            self.end = (code, reason)
            self._arrived.set()
            self._room.set()

    async def writable(self) -> None:
        await self._room.wait()

    async def take(self) -> bytes:
        """Return the next encoded event.

        Raises:
            LoopbackClosed: the session ended, and all its events were taken.
        """
        while not self._events:
            if self.end is not None:
                raise LoopbackClosed(*self.end)
            self._arrived.clear()
            await self._arrived.wait()
        message = self._events.popleft()
        self._pending_bytes -= len(message)
        if self._pending_bytes <= LOW_MARK_BYTES:
            self._room.set()
        return message

    def _put(self, message: bytes) -> None:
        if self.end is not None:
            return
        self._events.append(message)
        self._pending_bytes += len(message)
        if self._pending_bytes > HIGH_MARK_BYTES:
            self._room.clear()
        self._arrived.set()


class LoopbackClient:
    """A client of a session in this process.

    ```python
    async with LoopbackClient(host, SessionRequest("req_1")) as client:
        client.send({"type": "response.create"})
        async for event in client: ...
    ```
    """

    def __init__(self, host: SessionHost, request: SessionRequest) -> None:
        """Open a session.

        Raises:
            AtCapacity: the host takes no more sessions.
        """
        self._sink = LoopbackSink()
        self._session: LiveSession = host.open(request, self._sink)
        self._is_gone = False

    @property
    def close_code(self) -> int | None:
        """The code that the session was closed with; None while it is open."""
        return None if self._sink.end is None else self._sink.end[0]

    def send(self, event: JsonObject) -> None:
        """Send a client event; as on a WebSocket, a bad one is answered with an `error` event.

        Raises:
            LoopbackClosed: the session has ended.
        """
        self.send_text(msgspec.json.encode(event))

    def send_text(self, message: bytes) -> None:
        """Send a text message as it is; see `send`."""
        if self._sink.end is not None:
            raise LoopbackClosed(*self._sink.end)
        parse = pass_message if self._session.takes_messages else parse_message
        self._session.post(cast(Input, parse(message)))  # sessions that take messages have one more input

    async def caught_up(self) -> None:
        """Return when the session can take more audio."""
        if self._session.is_behind():
            await self._session.caught_up()

    async def next_event(self) -> JsonObject:
        """Return the next server event.

        Raises:
            LoopbackClosed: the session ended, and all its events were taken.
        """
        try:
            message = await self._sink.take()
        except LoopbackClosed:
            self.close()
            raise
        event: JsonObject = msgspec.json.decode(message)
        return event

    def close(self) -> None:
        """Leave; the session learns it once."""
        self._sink.close(CLOSE_NORMAL, "")
        if not self._is_gone:
            self._is_gone = True
            self._session.post(Disconnected(self.close_code))

    def __aiter__(self) -> "LoopbackClient":
        return self

    async def __anext__(self) -> JsonObject:
        try:
            return await self.next_event()
        except LoopbackClosed:
            raise StopAsyncIteration from None

    async def __aenter__(self) -> "LoopbackClient":
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        self.close()
