"""Finds model servers on this machine, when somebody asks. What is found is offered, never used by itself."""

import asyncio
import contextlib
from collections.abc import Iterable
from typing import Final

import msgspec

from vivavoce.engines.base import EngineError
from vivavoce.engines.compatible.client import JSON, Ask, CompatibleClient
from vivavoce.engines.compatible.settings import CompatibleServer, Timeouts

PROBE_S: Final = 0.2  # for one server, with connecting
MAX_MODELS: Final = 256
MAX_MODEL_LENGTH: Final = 256

# By the ports of their documentation; 8080 and 8000 serve many other things, so an answer must list models.
USUAL_URLS: Final = (
    "http://127.0.0.1:11434/v1",  # Ollama
    "http://127.0.0.1:8080/v1",  # llama.cpp
    "http://127.0.0.1:1234/v1",  # LM Studio
    "http://127.0.0.1:8000/v1",  # vLLM
)
_NAMES_BY_PORT: Final = {11434: "Ollama", 8080: "llama.cpp", 1234: "LM Studio", 8000: "vLLM"}
_NAMES_BY_OWNER: Final = {
    "library": "Ollama",
    "llamacpp": "llama.cpp",
    "organization_owner": "LM Studio",
    "vllm": "vLLM",
}
_OWN_OWNER: Final = "vivavoce"


class Found(msgspec.Struct, frozen=True):
    """A server that lists models. `name` is a guess, by what it says of its models or by its port."""

    name: str
    base_url: str
    models: tuple[str, ...]


class _Model(msgspec.Struct):
    id: str
    owned_by: str = ""


class _Models(msgspec.Struct):
    data: list[_Model]


async def probe(urls: Iterable[str] = USUAL_URLS) -> list[Found]:
    """Return the servers that answer `GET /models` within `PROBE_S`, in the order of the URLs; all are asked at once.

    Nothing is sent but this request: no key, no text. A server that is ours is left out.
    """
    found = await asyncio.gather(*(_probe(url) for url in urls))
    return [server for server in found if server is not None]


async def _probe(url: str) -> Found | None:
    server = CompatibleServer(url, timeouts=Timeouts(connect_s=PROBE_S, first_s=PROBE_S, silence_s=PROBE_S))
    client = CompatibleClient("probe", server)
    body = b""
    try:
        with contextlib.suppress(EngineError, TimeoutError):
            await client.start()
            async with asyncio.timeout(PROBE_S), client.ask(Ask("/models", accept=JSON)) as reply:
                body = await reply.body()
    finally:
        await client.close()
    return _found(server, body)


def _found(server: CompatibleServer, body: bytes) -> Found | None:
    try:
        models = msgspec.json.decode(body, type=_Models).data[:MAX_MODELS]
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return None
    owners = {model.owned_by for model in models}
    if _OWN_OWNER in owners:
        return None
    names = [name for owner, name in _NAMES_BY_OWNER.items() if owner in owners]
    name = names[0] if names else _NAMES_BY_PORT.get(server.endpoint.port, "unknown")
    ids = (model.id for model in models)
    return Found(name, server.base_url, tuple(name for name in ids if 0 < len(name) <= MAX_MODEL_LENGTH))
