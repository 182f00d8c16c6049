"""The two ways to a session: over a WebSocket to a server, or within this process."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any, Protocol
from urllib.parse import urlencode, urlsplit, urlunsplit

from vivavoce.cli.faults import CommandError
from vivavoce.config.model import Configuration

Json = dict[str, Any]  # JSON boundary: events as the wire has them
MESSAGE_LIMIT_BYTES = 64 * 1024 * 1024
UPSTREAM = "upstream"  # in the place of a pipeline: sessions are relayed


class Peer(Protocol):
    """A session as its client sees it."""

    async def send(self, event: Json) -> None: ...

    async def settled(self) -> None:
        """Return when the server has read what was sent."""
        ...

    def events(self) -> AsyncIterator[Json]:
        """Yield server events until the session ends."""
        ...


@contextlib.asynccontextmanager
async def remote_peer(url: str, model: str | None, api_key: str | None) -> AsyncIterator[Peer]:
    """Connect to a server.

    Args:
        url: `ws`, `wss`, `http` or `https`; without a path `/v1/realtime` is meant.

    Raises:
        CommandError: there is no server, or it refuses.
    """
    from websockets.asyncio.client import connect
    from websockets.exceptions import InvalidHandshake, InvalidURI

    address = session_url(url, model)
    headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
    try:
        connection = await connect(
            address, additional_headers=headers, max_size=MESSAGE_LIMIT_BYTES, compression=None, proxy=None
        )
    except (OSError, InvalidHandshake, InvalidURI) as error:
        raise CommandError(f"Cannot connect to {address}: {error}.") from error
    async with connection:
        yield WebSocketPeer(connection)


def session_url(url: str, model: str | None) -> str:
    """Return the WebSocket address of a session on the server at `url`."""
    parts = urlsplit(url if "://" in url else f"ws://{url}")
    scheme = {"http": "ws", "https": "wss"}.get(parts.scheme, parts.scheme)
    path = parts.path if parts.path.strip("/") else "/v1/realtime"
    query = "&".join(part for part in (parts.query, urlencode({"model": model}) if model else "") if part)
    return urlunsplit((scheme, parts.netloc, path, query, ""))


class WebSocketPeer:
    """A session on a server."""

    def __init__(self, connection: Any) -> None:  # the client connection of websockets, imported late
        self._connection = connection

    async def send(self, event: Json) -> None:
        """Send an event; one that the server no longer takes is dropped, `events` ends then."""
        from websockets.exceptions import ConnectionClosed

        with contextlib.suppress(ConnectionClosed):
            await self._connection.send(json.dumps(event))

    async def settled(self) -> None:
        """Return when the server has read what was sent: it answers pings in order."""
        from websockets.exceptions import ConnectionClosed

        with contextlib.suppress(ConnectionClosed):
            await (await self._connection.ping())

    async def events(self) -> AsyncIterator[Json]:
        """Yield server events until the connection closes.

        Raises:
            CommandError: it closed for a reason other than that all is said.
        """
        from websockets.exceptions import ConnectionClosedError

        try:
            async for message in self._connection:
                yield json.loads(message)
        except ConnectionClosedError as error:
            frame = error.rcvd
            reason = f"{frame.code} {frame.reason}".strip() if frame is not None else "the connection was lost"
            raise CommandError(f"The server ended the session: {reason}") from error


@contextlib.asynccontextmanager
async def local_peer(configuration: Configuration, model: str | None) -> AsyncIterator[Peer]:
    """Start the default engines in this process and open a session on them.

    Raises:
        AssetError, ConfigurationError, EngineError: the default engines cannot start.
    """
    from vivavoce.runtime.sink import SessionRequest
    from vivavoce.transports.loopback import LoopbackClient
    from vivavoce.wiring import build_pipelines, build_registry, narrow_to

    narrowed = narrow_to(configuration, model)
    pipelines = build_pipelines(narrowed)
    if configuration.engines.default == UPSTREAM and model not in configuration.models.table:
        narrowed = narrowed.model_copy(update={"engines": configuration.engines})
    try:
        await pipelines.start_default()
        registry = build_registry(narrowed, pipelines)
        async with LoopbackClient(registry, SessionRequest("req_talk", model)) as client:
            yield LoopbackPeer(client)
    finally:
        await pipelines.close()


class LoopbackPeer:
    """A session in this process."""

    def __init__(self, client: Any) -> None:  # a LoopbackClient, imported late
        self._client = client

    async def send(self, event: Json) -> None:
        """Send an event; one that the session no longer takes is dropped, `events` ends then."""
        if self._client.close_code is None:
            self._client.send(event)

    async def settled(self) -> None:
        """Return when the session can take more audio and who waits for its events has had a turn."""
        await self._client.caught_up()
        turn = asyncio.get_running_loop().create_future()
        turn.get_loop().call_soon(turn.set_result, None)
        await turn

    async def events(self) -> AsyncIterator[Json]:
        """Yield server events until the session ends."""
        async for event in self._client:
            yield event
