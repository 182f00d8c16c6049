"""A whole server on a free port, within the test's own loop."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

import msgspec

from vivavoce.app.models import ModelCard, ModelCatalogue
from vivavoce.app.server import AppSettings, Server, build_app
from vivavoce.runtime.sink import SessionHost

MODELS = ModelCatalogue((ModelCard("vivavoce-local", 1), ModelCard("vivavoce-scripted", 2)))


@contextlib.asynccontextmanager
async def serving(
    host: SessionHost,
    settings: AppSettings | None = None,
    *,
    models: ModelCatalogue = MODELS,
    engines: dict[str, bool] | None = None,
) -> AsyncIterator[int]:
    """Serve sessions of `host`; gives the port, and drains at the end."""
    chosen = msgspec.structs.replace(settings or AppSettings(), port=0)
    server = Server(chosen, build_app(chosen, host, models, lambda: engines or {}))
    bound: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(server.run_until_stopped(lambda address, port: bound.set_result(port)))
        try:
            yield await bound
        finally:
            server.request_stop()


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
