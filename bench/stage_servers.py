"""Stand-ins for the servers of a hybrid pipeline: each answers after a fixed delay, and notes when its client left."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Final

SAMPLE_BYTES_PER_MS: Final = 48
SPEECH_MS: Final = 400
HEARD: Final = "What is this?"
FIRST_CLAUSE: Final = "This is the first clause of an answer, "
REST: Final = "and this is what comes after it. "

Answer = Callable[["Exchange"], Awaitable[None]]


class Exchange:
    """One request and the way back. `gone` is set when the client has hung up."""

    def __init__(self, writer: asyncio.StreamWriter, gone: asyncio.Event) -> None:
        self.gone = gone
        self._writer = writer

    def head(self, content_type: str) -> None:
        self._writer.write(
            f"HTTP/1.1 200 OK\r\nContent-Type: {content_type}\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
        )

    def chunk(self, data: bytes) -> None:
        """Write a piece; an empty one ends the answer."""
        self._writer.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")

    async def wait(self, seconds: float) -> None:
        """Wait, but not for a client that has gone."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.gone.wait(), seconds)


class StageServer:
    """A server on loopback. `closed_at` is when the last client hung up, on the loop's clock."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.port = 0
        self.asked = asyncio.Event()
        self.closed = asyncio.Event()
        self.closed_at = 0.0
        self._connections: dict[asyncio.StreamWriter, asyncio.Task[None]] = {}

    @contextlib.asynccontextmanager
    async def listening(self) -> AsyncIterator["StageServer"]:
        """Serve until the end of the block."""
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            for writer, serving in tuple(self._connections.items()):
                writer.transport.abort()
                await asyncio.wait((serving,))

    def settings(self, engine: str) -> dict[str, str]:
        """Return the stage's settings that lead here."""
        return {"engine": engine, "base_url": f"http://127.0.0.1:{self.port}/v1", "model": "stand-in"}

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        serving = asyncio.current_task()
        assert serving is not None, "the standard library serves each connection in a task"
        self._connections[writer] = serving
        gone = asyncio.Event()
        requests: asyncio.Queue[None] = asyncio.Queue()
        reading = asyncio.create_task(self._read(reader, requests, gone))
        try:
            while not gone.is_set():
                waiting = asyncio.create_task(requests.get())
                leaving = asyncio.create_task(gone.wait())
                await asyncio.wait((waiting, leaving), return_when=asyncio.FIRST_COMPLETED)
                waiting.cancel()
                leaving.cancel()
                if not gone.is_set():
                    self.asked.set()
                    await self.answer(Exchange(writer, gone))
        finally:
            reading.cancel()
            writer.close()
            del self._connections[writer]

    async def _read(self, reader: asyncio.StreamReader, requests: "asyncio.Queue[None]", gone: asyncio.Event) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
                _, _, length = head.partition("content-length:")
                await reader.readexactly(int(length.split()[0]) if length else 0)
                requests.put_nowait(None)
        self.closed_at = asyncio.get_running_loop().time()
        self.closed.set()
        gone.set()


# Answers ----------------------------------------------------------------------------------------------------------


def sse(event: Any) -> bytes:  # JSON boundary
    return f"data: {json.dumps(event)}\n\n".encode()


def word(content: str, finish_reason: str | None = None) -> bytes:
    return sse({"choices": [{"index": 0, "delta": {"content": content}, "finish_reason": finish_reason}]})


def hears(delay_s: float) -> Answer:
    """Return a transcript after a delay."""

    async def answer(exchange: Exchange) -> None:
        await exchange.wait(delay_s)
        exchange.head("text/event-stream")
        exchange.chunk(sse({"type": "transcript.text.done", "text": HEARD}))
        exchange.chunk(b"")

    return answer


def writes(delay_s: float) -> Answer:
    """Return the first clause after a delay and the rest at once."""

    async def answer(exchange: Exchange) -> None:
        exchange.head("text/event-stream")
        await exchange.wait(delay_s)
        exchange.chunk(word(FIRST_CLAUSE))
        exchange.chunk(word(REST))
        exchange.chunk(word("", "stop"))
        exchange.chunk(b"data: [DONE]\n\n")
        exchange.chunk(b"")

    return answer


def streams_words(count: int, pause_s: float) -> Answer:
    """Return so many deltas, each by itself."""

    async def answer(exchange: Exchange) -> None:
        exchange.head("text/event-stream")
        for number in range(count):
            exchange.chunk(word(f"word{number} "))
            await exchange.wait(pause_s)
        exchange.chunk(word("", "stop"))
        exchange.chunk(b"")

    return answer


def speaks(delay_s: float) -> Answer:
    """Return speech after a delay."""

    async def answer(exchange: Exchange) -> None:
        exchange.head("audio/pcm")
        await exchange.wait(delay_s)
        exchange.chunk(bytes(range(250)) * (SAMPLE_BYTES_PER_MS * SPEECH_MS // 250))
        exchange.chunk(b"")

    return answer


def stalls(content_type: str = "", beginning: bytes = b"") -> Answer:
    """Return an answer that begins, where there is a beginning, and does not go on."""

    async def answer(exchange: Exchange) -> None:
        if content_type:
            exchange.head(content_type)
            exchange.chunk(beginning)
        await exchange.gone.wait()

    return answer
