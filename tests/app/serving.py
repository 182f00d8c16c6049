"""A whole server on a free port: within the test's own loop, or on a thread for a whole test module."""

import asyncio
import contextlib
import functools
import json
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import msgspec

from tests.transports.echo_host import EchoHost
from tests.transports.peers import DEADLINE_S
from vivavoce.app.http import Readiness
from vivavoce.app.models import ModelCard, ModelCatalogue
from vivavoce.app.server import SYSTEM_CLOCK, AppSettings, Server, build_app, new_event_loop
from vivavoce.runtime.clock import Clock
from vivavoce.runtime.sink import SessionHost
from vivavoce.testing.matrix import SEEN

MODELS = ModelCatalogue((ModelCard("vivavoce-local", 1), ModelCard("vivavoce-scripted", 2)))


@contextlib.asynccontextmanager
async def serving(
    host: SessionHost,
    settings: AppSettings | None = None,
    *,
    models: ModelCatalogue = MODELS,
    readiness: Readiness = dict,
    clock: Clock = SYSTEM_CLOCK,
) -> AsyncIterator[int]:
    """Serve sessions of `host`; gives the port, and drains at the end."""
    chosen = msgspec.structs.replace(settings or AppSettings(), port=0)
    server = Server(chosen, build_app(chosen, host, models, readiness, clock=clock))
    bound: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(server.run_until_stopped(lambda address, port: bound.set_result(port)))
        try:
            yield await bound
        finally:
            server.request_stop()


class ServerThreads:
    """Servers for a whole test module, one for each settings, each on a thread and a loop of its own."""

    def __init__(self, threads: ThreadPoolExecutor) -> None:
        self._threads = threads
        self._running: dict[AppSettings, tuple[int, Callable[[], object]]] = {}

    def port(self, settings: AppSettings) -> int:
        """Return the port of the server with these settings; the first time it is started."""
        if settings not in self._running:
            bound: Future[tuple[int, Callable[[], object]]] = Future()
            self._threads.submit(self._serve, settings, bound)
            self._running[settings] = bound.result(DEADLINE_S)
        return self._running[settings][0]

    def stop(self) -> None:
        for _, stop in self._running.values():
            stop()

    def _serve(self, settings: AppSettings, bound: "Future[tuple[int, Callable[[], object]]]") -> None:
        async def main() -> None:
            chosen = msgspec.structs.replace(settings, port=0)
            server = Server(chosen, build_app(chosen, EchoHost(), MODELS, dict))
            stop = functools.partial(asyncio.get_running_loop().call_soon_threadsafe, server.request_stop)
            await server.run_until_stopped(lambda address, port: bound.set_result((port, stop)))

        with asyncio.Runner(loop_factory=new_event_loop) as runner:
            runner.run(main())


@contextlib.contextmanager
def server_threads() -> Iterator[ServerThreads]:
    """Give servers, and stop them at the end."""
    with ThreadPoolExecutor(max_workers=20) as threads:
        servers = ServerThreads(threads)
        try:
            yield servers
        finally:
            servers.stop()


class ManualClock:
    """A `Clock` that stands still until the test moves it."""

    def __init__(self) -> None:
        self.now_s = 1_800_000_000

    def monotonic_s(self) -> float:
        return float(self.now_s)

    def unix_s(self) -> int:
        return self.now_s


class Answer(msgspec.Struct):
    """An HTTP answer; header names are lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:  # JSON boundary
        return json.loads(self.body)

    @property
    def error(self) -> dict[str, Any]:  # JSON boundary
        error: dict[str, Any] = self.json["error"]
        if error["code"] is not None or error["type"] == "server_error":
            SEEN.note_error(error["code"])
        return error


async def ask(port: int, head: str, body: bytes = b"") -> Answer:
    """Send a request head (lines without the last empty one; `Host` is added if it lacks one) and read the answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        lines = head.strip().splitlines()
        if not any(line.lower().startswith("host:") for line in lines):
            lines.insert(1, f"Host: localhost:{port}")
        writer.write("\r\n".join([*lines, "", ""]).encode() + body)
        return await read_answer(reader)
    finally:
        writer.transport.abort()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


async def ask_json(port: int, request_line: str, body: object = None, key: str | None = None) -> Answer:
    """Send a request with a JSON body (none for None) and, if given, a key; `request_line` is without the version."""
    payload = b"" if body is None else msgspec.json.encode(body)
    lines = [f"{request_line} HTTP/1.1", "Content-Type: application/json", f"Content-Length: {len(payload)}"]
    lines += [] if key is None else [f"Authorization: Bearer {key}"]
    return await ask(port, "\n".join(lines), payload)


async def read_answer(reader: asyncio.StreamReader) -> Answer:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    pairs = [line.partition(":") for line in head[1:] if line]
    headers = {name.lower(): value.strip() for name, _, value in pairs}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Answer(int(head[0].split()[1]), headers, body)


def upgrade_head(target: str = "/v1/realtime", *headers: str) -> str:
    """Return a request head that asks for a WebSocket."""
    lines = (
        f"GET {target} HTTP/1.1",
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: AAECAwQFBgcICQoLDA0ODw==",
    )
    return "\n".join([*lines, *headers])
