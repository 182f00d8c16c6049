"""A lean client that speaks in real time and notes when each event arrives."""

import asyncio
import base64
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from typing import Any, Final

import msgspec
import numpy as np
from websockets.asyncio.client import ClientConnection, connect

CHUNK_MS: Final = 20
CHUNK_BYTES: Final = CHUNK_MS * 48
EVENT_TIMEOUT_S: Final = 30.0
NOISE_AMPLITUDE: Final = 16.0  # of 32768

Json = dict[str, Any]  # JSON boundary: events as they come


def room_noise() -> bytes:
    """Return one chunk of white noise at -66 dBFS: a quiet room, so that no engine can skip digital silence."""
    noise = np.random.default_rng(1).normal(0.0, NOISE_AMPLITUDE, CHUNK_BYTES // 2)
    return noise.astype("<i2").tobytes()


class Arrival(msgspec.Struct, frozen=True):
    """An event and when it came, in seconds of the loop's clock."""

    at: float
    event: Json


class SpeakingClient:
    """One connection whose microphone never stops: silence unless something is said."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection
        self._loop = asyncio.get_running_loop()
        self._speech = bytearray()
        self._room = room_noise()
        self._sent_chunks = 0
        self._started = self._loop.time()
        self.arrivals: list[Arrival] = []
        self._arrived = asyncio.Condition()

    def start_clock(self) -> None:
        """The microphone's first sample is heard at this moment."""
        self._started = self._loop.time()

    async def send(self, event: Json) -> None:
        await self._connection.send(json.dumps(event))

    def say(self, pcm: bytes) -> float:
        """Queue speech; return when its first sample is spoken. Nothing else may be waiting to be said."""
        assert not self._speech, "one utterance at a time"
        self._speech += pcm
        return self._started + self._sent_chunks * CHUNK_MS / 1000

    def audio_time(self, audio_ms: float) -> float:
        """Return when the microphone heard that position of the input audio."""
        return self._started + audio_ms / 1000

    async def run_microphone(self) -> None:
        """Send a chunk when its audio is over, against absolute deadlines."""
        while True:
            deadline = self._started + (self._sent_chunks + 1) * CHUNK_MS / 1000
            await asyncio.sleep(max(0.0, deadline - self._loop.time()))
            spoken = bytes(self._speech[:CHUNK_BYTES])
            chunk = spoken + self._room[len(spoken) :]
            del self._speech[:CHUNK_BYTES]
            self._sent_chunks += 1
            audio = base64.b64encode(chunk).decode()
            await self._connection.send('{"type":"input_audio_buffer.append","audio":"' + audio + '"}')

    async def receive(self) -> None:
        async for message in self._connection:
            arrival = Arrival(self._loop.time(), json.loads(message))
            async with self._arrived:
                self.arrivals.append(arrival)
                self._arrived.notify_all()

    async def wait(self, is_wanted: Callable[[Json], bool], since: int = 0) -> Arrival:
        """Return the first arrival from index `since` on that is wanted."""

        def found() -> Arrival | None:
            return next((arrival for arrival in self.arrivals[since:] if is_wanted(arrival.event)), None)

        async with asyncio.timeout(EVENT_TIMEOUT_S), self._arrived:
            await self._arrived.wait_for(lambda: found() is not None)
        arrival = found()
        assert arrival is not None, "the wait ended with an arrival"
        return arrival

    async def wait_for(self, kind: str, since: int = 0) -> Arrival:
        """Return the first event of a type from index `since` on."""
        return await self.wait(lambda event: event["type"] == kind, since)


@contextlib.asynccontextmanager
async def speaking_client(url: str, **session: Any) -> AsyncIterator[SpeakingClient]:
    """Connect, configure the session and keep the microphone running."""
    async with connect(url, max_size=None, additional_headers={"Authorization": "Bearer any"}) as connection:
        client = SpeakingClient(connection)
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(client.receive())]
            await client.send({"type": "session.update", "session": {"type": "realtime", **session}})
            await client.wait_for("session.updated")
            client.start_clock()
            tasks.append(group.create_task(client.run_microphone()))
            try:
                yield client
            finally:
                for task in tasks:
                    task.cancel()
