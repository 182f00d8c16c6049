"""The obvious relay: uvicorn, Starlette and websockets with their defaults, two tasks a session, nothing looked at.

`python -m bench.relay.plain_relay UPSTREAM_URL LISTENING_DESCRIPTOR`
"""

import asyncio
import socket
import sys

import uvicorn
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed


async def _pass_up(client: WebSocket, upstream: ClientConnection) -> None:
    try:
        while True:
            await upstream.send(await client.receive_text())
    except (WebSocketDisconnect, ConnectionClosed):
        await upstream.close()


async def _pass_down(client: WebSocket, upstream: ClientConnection) -> None:
    async for message in upstream:
        await client.send_text(str(message))
    await client.close()


async def relay(client: WebSocket) -> None:
    """Relay one client."""
    await client.accept()
    async with connect(client.app.state.upstream, max_size=None) as upstream:
        up = asyncio.create_task(_pass_up(client, upstream))
        try:
            await _pass_down(client, upstream)
        except (WebSocketDisconnect, ConnectionClosed, RuntimeError):
            pass  # the client is gone
        finally:
            up.cancel()


if __name__ == "__main__":
    app = Starlette(routes=[WebSocketRoute("/v1/realtime", relay)])
    app.state.upstream = sys.argv[1]
    config = uvicorn.Config(app, log_level="warning", access_log=False, ws_max_size=64 * 1024 * 1024)
    # Its own `fd` option takes the socket for one without TCP, and then Nagle's algorithm delays messages by 40 ms.
    uvicorn.Server(config).run(sockets=[socket.socket(fileno=int(sys.argv[2]))])
