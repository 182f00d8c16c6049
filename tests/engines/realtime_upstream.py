"""A Realtime server on loopback that follows a script, as the transcription sessions of adapters see it."""

import asyncio
import base64
import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any

import msgspec
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from tests.engines.compatible_servers import KEY, Json
from vivavoce.engines.compatible.settings import CompatibleServer, Timeouts
from vivavoce.engines.stt.hosted_realtime import HostedRealtimeSettings, HostedRealtimeTranscriber

Play = Callable[["Peer"], Awaitable[None]]


class Peer:
    """One connection, seen from the server."""

    def __init__(self, connection: ServerConnection) -> None:
        self._connection = connection

    async def receive(self) -> Json:
        return msgspec.json.decode(await self._connection.recv(), type=Json)

    async def send(self, type: str, **fields: Any) -> None:
        await self._connection.send(msgspec.json.encode({"type": type, **fields}).decode())

    async def send_raw(self, message: str | bytes) -> None:
        await self._connection.send(message)

    async def greet(self) -> Json:
        """Return the session that the client asks for."""
        await self.send("session.created", session={"type": "transcription"})
        update = await self.receive()
        assert update["type"] == "session.update", update
        await self.send("session.updated", session=update["session"])
        session: Json = update["session"]
        return session

    async def utterance(self) -> bytes:
        """Return the audio up to the commit."""
        audio = b""
        while (event := await self.receive())["type"] == "input_audio_buffer.append":
            audio += base64.b64decode(event["audio"])
        assert event["type"] == "input_audio_buffer.commit", event
        return audio

    async def complete(self, transcript: str) -> None:
        await self.send("conversation.item.input_audio_transcription.completed", item_id="i", transcript=transcript)

    async def close(self, code: int) -> None:
        await self._connection.close(code)

    def abort(self) -> None:
        self._connection.transport.abort()


class Upstream:
    """A Realtime server whose connections follow `play`. `hung_up` is set when a client has gone."""

    def __init__(self, play: Play) -> None:
        self.connections = 0
        self.paths: list[str] = []
        self.keys: list[str] = []
        self.hung_up = asyncio.Event()
        self.port = 0
        self._play = play

    @contextlib.asynccontextmanager
    async def listening(self) -> AsyncGenerator["Upstream"]:
        async with serve(self._serve, "127.0.0.1", 0, close_timeout=1) as server:
            self.port = next(iter(server.sockets)).getsockname()[1]
            yield self

    def engine(
        self, timeouts: Timeouts | None = None, query: tuple[tuple[str, str], ...] = (), **options: Any
    ) -> HostedRealtimeTranscriber:
        url = f"http://127.0.0.1:{self.port}/v1"
        server = CompatibleServer(url, KEY, timeouts=timeouts or Timeouts(), query=query)
        return HostedRealtimeTranscriber(HostedRealtimeSettings(server, **options))

    async def _serve(self, connection: ServerConnection) -> None:
        self.connections += 1
        assert connection.request is not None, "the handshake is over"
        self.paths.append(connection.request.path)
        self.keys.append(connection.request.headers["Authorization"])
        with contextlib.suppress(ConnectionClosed):
            await self._play(Peer(connection))
            await connection.wait_closed()
        self.hung_up.set()
