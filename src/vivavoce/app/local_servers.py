"""`GET /api/engines/local`: the model servers on this machine, looked for when somebody asks.

What is found is offered: a person or a configuration has to name it before anything is sent there.
"""

from collections.abc import Sequence
from typing import Final, Literal

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from vivavoce.engines.compatible.detection import USUAL_URLS, Found, probe

PATH: Final = "/api/engines/local"


class LocalServer(msgspec.Struct, frozen=True, kw_only=True):
    """A server that lists models; `name` is a guess such as "Ollama", "unknown" without one."""

    object: Literal["local_server"] = "local_server"
    name: str
    base_url: str
    models: tuple[str, ...]


class LocalServerList(msgspec.Struct, frozen=True, kw_only=True):
    """What was found, in the order of `asked`: the addresses that were looked at."""

    object: Literal["list"] = "list"
    data: tuple[LocalServer, ...]
    asked: tuple[str, ...]


def local_server_routes(urls: Sequence[str] = USUAL_URLS) -> list[Route]:
    """Return the route; each request asks all `urls` once, side by side, and takes at most a moment."""

    async def show(request: Request) -> Response:
        found = tuple(_card(server) for server in await probe(urls))
        body = msgspec.json.encode(LocalServerList(data=found, asked=tuple(urls)))
        return Response(body, media_type="application/json", headers={"Cache-Control": "no-store"})

    return [Route(PATH, show, methods=["GET"])]


def _card(server: Found) -> LocalServer:
    return LocalServer(name=server.name, base_url=server.base_url, models=server.models)
