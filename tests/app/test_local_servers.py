"""`GET /api/engines/local` tells which model servers answer on this machine, to those who may ask."""

import asyncio
import contextlib
import json
from typing import Any

from starlette.requests import Request

from tests.app.serving import Answer, ask, serving
from tests.engines.compatible_servers import Server, gives, stalls
from tests.transports.echo_host import EchoHost
from tests.transports.peers import run
from vivavoce.app.local_servers import PATH, local_server_routes
from vivavoce.app.server import AppSettings
from vivavoce.engines.compatible.detection import USUAL_URLS

MODELS = {"object": "list", "data": [{"id": "small", "object": "model", "owned_by": "library"}]}


def answered(*headers: str) -> Answer:
    """Return the answer of a server with a key."""

    async def scenario() -> Answer:
        async with serving(EchoHost(), AppSettings(api_keys=("sk-good",))) as port:
            return await ask(port, "\r\n".join([f"GET {PATH} HTTP/1.1", *headers]))

    return run(scenario())


def test_servers_that_list_models_are_told_with_the_addresses_that_were_asked() -> None:
    async def scenario() -> tuple[Any, list[str]]:
        async with contextlib.AsyncExitStack() as stack:
            servers = [await stack.enter_async_context(Server(one).listening()) for one in (gives(MODELS), stalls())]
            urls = [server.settings().base_url for server in servers]
            (route,) = local_server_routes(urls)
            response = await route.endpoint(Request({"type": "http", "method": "GET"}))
            return json.loads(response.body), urls

    told, urls = asyncio.run(scenario())

    ollama = {"object": "local_server", "name": "Ollama", "base_url": urls[0], "models": ["small"]}
    assert told == {"object": "list", "data": [ollama], "asked": urls}


def test_the_usual_addresses_are_asked_for_who_has_a_key() -> None:
    answer = answered("Authorization: Bearer sk-good")

    assert answer.status == 200
    assert answer.headers["cache-control"] == "no-store"
    assert answer.json["asked"] == list(USUAL_URLS)


def test_without_a_key_nothing_is_told() -> None:
    answer = answered()

    assert answer.status == 401
    assert "asked" not in answer.json
