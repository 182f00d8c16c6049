"""A scripted upstream in Python, for what is about messages and not about speed: every message is kept as it came."""

import asyncio
import contextlib
import json
import logging
import socket
from collections.abc import AsyncIterator, Callable, Iterable
from typing import Any, Final

from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.connection import Connection
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from bench.relay.contestants import KEY, Relay
from bench.relay.processes import HOST

SOCKET_BUFFER_BYTES: Final = 64 * 1024
LARGEST_BYTES: Final = 32 * 1024 * 1024

Json = dict[str, Any]  # JSON boundary: events as they come
Answer = Callable[[Json], Iterable[Json]]

SESSION: Final[Json] = {
    "type": "realtime",
    "object": "realtime.session",
    "id": "sess_bench",
    "model": "gpt-realtime",
    "output_modalities": ["audio"],
    "instructions": "Be brief.",
    "tools": [],
    "tool_choice": "auto",
    "max_output_tokens": "inf",
    "tracing": None,
    "truncation": "auto",
    "prompt": None,
    "expires_at": 1893456000,
    "audio": {
        "input": {
            "format": {"type": "audio/pcm", "rate": 24000},
            "transcription": {"model": "whisper-1"},
            "noise_reduction": None,
            "turn_detection": {"type": "server_vad", "create_response": False, "interrupt_response": False},
        },
        "output": {"format": {"type": "audio/pcm", "rate": 24000}, "voice": "marin", "speed": 1.0},
    },
}


def shrink_receive_buffer(connection: Connection) -> None:
    """Let the kernel keep little for a reader that is slow."""
    endpoint: socket.socket = connection.transport.get_extra_info("socket")
    endpoint.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SOCKET_BUFFER_BYTES)


def encoded(event: Json) -> str:
    """Return an event as the hosted service writes it: no spaces, text as it is."""
    return json.dumps(event, ensure_ascii=False, separators=(",", ":"))


class ScriptedUpstream:
    """One upstream connection at a time; `sent` and `received` hold its messages in order."""

    def __init__(self, answer: Answer, pause_s: float) -> None:
        self._answer = answer
        self._pause_s = pause_s
        self._connected: asyncio.Queue[ServerConnection] = asyncio.Queue()
        self._news = asyncio.Condition()
        self._events = 0
        self.sent: list[str] = []
        self.received: list[str] = []
        self.port = 0

    async def connection(self) -> ServerConnection:
        """Return the next connection that a relay makes, once it has been greeted."""
        return await self._connected.get()

    async def wait_for(self, is_so: Callable[[], bool]) -> None:
        """Return when what has been received makes it so."""
        async with self._news:
            await self._news.wait_for(is_so)

    async def send(self, connection: ServerConnection, event: Json) -> None:
        """Send an event under the next event id."""
        self._events += 1
        message = encoded({"type": event["type"], "event_id": f"event_u{self._events}", **event})
        self.sent.append(message)
        await connection.send(message)

    async def serve_one(self, connection: ServerConnection) -> None:
        """Greet, then answer every message."""
        if self._pause_s:
            shrink_receive_buffer(connection)
        await self.send(connection, {"type": "session.created", "session": SESSION})
        self._connected.put_nowait(connection)
        with contextlib.suppress(ConnectionClosed):
            async for message in connection:
                text = message if isinstance(message, str) else message.decode()
                self.received.append(text)
                async with self._news:
                    self._news.notify_all()
                if self._pause_s:
                    await asyncio.sleep(self._pause_s)
                for event in self._answer(json.loads(text)):
                    await self.send(connection, event)


@contextlib.asynccontextmanager
async def scripted_upstream(answer: Answer, pause_s: float = 0.0) -> AsyncIterator[ScriptedUpstream]:
    """Serve on a free port; after every message that it reads it pauses for `pause_s`, with little room for more."""
    upstream = ScriptedUpstream(answer, pause_s)
    silent = logging.getLogger("bench.relay.upstream")
    silent.setLevel(logging.CRITICAL + 1)  # a pump under way connects for whoever only tries its port
    max_queue = 1 if pause_s else 16
    async with serve(
        upstream.serve_one,
        HOST,
        0,
        max_size=LARGEST_BYTES,
        max_queue=max_queue,
        ping_interval=None,  # who reads slowly answers late
        compression=None,
        logger=silent,
    ) as server:
        upstream.port = next(iter(server.sockets)).getsockname()[1]
        yield upstream


@contextlib.asynccontextmanager
async def client_of(relay: Relay, *, max_queue: int | None = 16) -> AsyncIterator[ClientConnection]:
    """Connect to a relay as a client with a key."""
    async with connect(
        f"ws://{HOST}:{relay.port}{relay.path}",
        additional_headers={"Authorization": f"Bearer {KEY}"},
        max_size=LARGEST_BYTES,
        max_queue=max_queue,
        ping_interval=None,
        compression=None,
    ) as connection:
        yield connection
