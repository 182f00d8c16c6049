"""A pipeline of this process as an upstream: where a relayed session goes on when no other server can be reached."""

import asyncio
from collections.abc import Callable
from typing import Final

from vivavoce.core.relay.vocabulary import UpstreamFault
from vivavoce.core.vocabulary import ClientRejected, Disconnected, FromClient, PlayAudio
from vivavoce.protocol.codec import decode_client_event, encode_server_event
from vivavoce.protocol.errors import ClientError
from vivavoce.protocol.response_events import ResponseOutputAudioDelta
from vivavoce.protocol.server_events import ServerEvent
from vivavoce.runtime.sink import LiveSession, Sink
from vivavoce.runtime.upstreams import UpstreamLink, UpstreamListener, UpstreamRequest, UpstreamUnavailable

CLOSE_NORMAL: Final = 1000

# Opens a session of this process; raises ClientError where its configuration cannot be had.
OpenSession = Callable[[UpstreamRequest, Sink], LiveSession]


class LocalUpstream:
    """An `UpstreamConnector` to a pipeline of this process."""

    def __init__(self, name: str, open_session: OpenSession) -> None:
        self._name = name
        self._open_session = open_session

    @property
    def name(self) -> str:
        return self._name

    async def connect(self, request: UpstreamRequest, listener: UpstreamListener) -> UpstreamLink:
        """Open a session; its events come in a later turn of the loop.

        Raises:
            UpstreamUnavailable: the session cannot be had.
        """
        sink = LocalSink(listener)
        try:
            session = self._open_session(request, sink)
        except ClientError as error:
            raise UpstreamUnavailable(UpstreamFault("refused", str(error))) from error
        asyncio.get_running_loop().call_soon(sink.begin)
        return LocalLink(session, sink)

    async def close(self) -> None:
        """Nothing is shared."""


class LocalSink:
    """What the session says, as messages for the relay."""

    def __init__(self, listener: UpstreamListener) -> None:
        self._listener = listener
        self._waiting: list[bytes] | None = []  # until `begin`
        self._end: tuple[int, str] | None = None
        self.room = asyncio.Event()  # the relay takes messages
        self.room.set()

    def begin(self) -> None:
        """Deliver what has been said so far, and from now on at once."""
        waiting, self._waiting = self._waiting or [], None
        for message in waiting:
            self._listener.receive(message)
        if self._end is not None:
            self._listener.link_closed(*self._end)

    def send(self, sequence: int, event: ServerEvent) -> None:
        self.pass_on(sequence, encode_server_event(event))

    def play(self, sequence: int, audio: PlayAudio) -> None:
        event = ResponseOutputAudioDelta(
            event_id=audio.event_id,
            response_id=audio.response_id,
            item_id=audio.item_id,
            output_index=audio.output_index,
            content_index=audio.content_index,
            delta=audio.audio,
        )
        self.pass_on(sequence, encode_server_event(event))

    def pass_on(self, sequence: int, message: bytes, *, is_final: bool = False) -> None:
        if self._end is not None:
            return
        if self._waiting is None:
            self._listener.receive(message)
        else:
            self._waiting.append(message)

    def clear_playout(self, response_id: str) -> None:
        """Do nothing: the client owns its playout."""

    def close(self, code: int, reason: str) -> None:
        """The session, or the relay, ends the link."""
        if self._end is not None:
            return
        self._end = (code, reason)
        self.room.set()
        if self._waiting is None:
            self._listener.link_closed(code, reason)

    @property
    def is_closed(self) -> bool:
        return self._end is not None

    async def writable(self) -> None:
        await self.room.wait()


class LocalLink:
    """The relay's end: an `UpstreamLink`."""

    def __init__(self, session: LiveSession, sink: LocalSink) -> None:
        self._session = session
        self._sink = sink

    def send(self, message: bytes) -> None:
        """Hand a message to the session."""
        if self._sink.is_closed:
            return
        try:
            event = decode_client_event(message)
        except ClientError as fault:
            self._session.post(ClientRejected(fault.detail))
        else:
            self._session.post(FromClient(event))

    def pause_reading(self) -> None:
        self._sink.room.clear()

    def resume_reading(self) -> None:
        self._sink.room.set()

    def close(self) -> None:
        """Leave the session."""
        if not self._sink.is_closed:
            self._session.post(Disconnected(CLOSE_NORMAL))
            self._sink.close(CLOSE_NORMAL, "")

    def abort(self) -> None:
        self.close()
