"""A real server in the test's loop, relaying to a scripted upstream, and clients of it."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from bench.checked_client import CheckedClient, checked_client
from tests.app.serving import serving
from tests.transports.peers import DEADLINE_S
from vivavoce.config.load import load
from vivavoce.config.model import Configuration
from vivavoce.runtime.upstreams import ToolBox
from vivavoce.testing.upstream import Upstream, scripted_upstream
from vivavoce.testing.upstream_flavour import Flavour
from vivavoce.wiring import app_settings, build_pipelines, build_registry

MODEL = "gpt-realtime"
KEY = "sk-upstream-7f3a"  # the server's own, for the upstream
REPLY = "Hello there, this is the reply."

Json = dict[str, Any]  # JSON boundary: events as they come

SPOKEN_ANSWER = [
    "response.created",
    "response.output_item.added",
    "conversation.item.added",
    "response.content_part.added",
    *["response.output_audio_transcript.delta", "response.output_audio.delta"] * 6,
    "response.output_audio.done",
    "response.output_audio_transcript.done",
    "response.content_part.done",
    "conversation.item.done",
    "response.output_item.done",
    "response.done",
    "rate_limits.updated",
]
ITEM = ["conversation.item.added", "conversation.item.done"]


def configured(upstream_url: str, **upstream: object) -> Configuration:
    """Return a configuration that relays `gpt-realtime` to an upstream; all else is scripted."""
    flags: Json = {"engines.default": "scripted", "upstream.url": upstream_url, "upstream.api_key": KEY}
    flags |= {"upstream.allow_anonymous": True, "models.table": {"vivavoce-scripted": "scripted"}}
    flags |= {f"upstream.{key}": value for key, value in upstream.items()}
    return load(flags, environment={}).configuration


@contextlib.asynccontextmanager
async def relay(configuration: Configuration, tools: ToolBox | None = None) -> AsyncIterator[str]:
    """Run a server as configured, with the functions of `tools`; gives its host and port."""
    pipelines = build_pipelines(configuration)
    await pipelines.start_default()
    try:
        host = build_registry(configuration, pipelines, tools=tools)
        async with serving(host, app_settings(configuration)) as port:
            yield f"127.0.0.1:{port}"
    finally:
        await pipelines.close()


class Conversation(msgspec.Struct, frozen=True):
    """A client of the relay, and what stands behind it."""

    client: CheckedClient
    upstream: Upstream
    address: str


@contextlib.asynccontextmanager
async def conversation(
    flavour: Flavour = "plain", *, is_cut: bool = False, tools: ToolBox | None = None, **upstream_settings: object
) -> AsyncIterator[Conversation]:
    """Connect the stock client; at the end every event must have been valid and no invariant broken.

    Args:
        is_cut: the conversation ends in the middle, so open responses are no violation.
        tools: functions of the server.
    """
    async with scripted_upstream(flavour) as upstream:
        configuration = configured(upstream.url, **upstream_settings)
        async with relay(configuration, tools) as address, checked_client(address, MODEL) as client:
            yield Conversation(client, upstream, address)
    expected = set()
    if tools is not None:
        expected.add("answers no response.create")  # functions of the server cause responses
    if upstream_settings.get("failover"):
        expected.add("session.updated answers no waiting session.update")  # it tells which engine goes on
    found = [*client.invalid, *(str(violation) for violation in client.violations(is_cut=is_cut))]
    wrong = [one for one in found if not any(part in one for part in expected)]
    assert not wrong, wrong


class RawTalk:
    """A client that keeps the bytes of what it gets."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.messages: list[bytes] = []
        self.close_code: int | None = None

    @property
    def events(self) -> list[Json]:
        return [json.loads(message) for message in self.messages]

    def types(self) -> list[str]:
        return [event["type"] for event in self.events]

    async def send(self, message: str | bytes | Json) -> None:
        """Send a text message as it is, or an event."""
        text = json.dumps(message) if isinstance(message, dict) else message
        await self.socket.send(text, text=True)

    async def read_until(self, is_last: Callable[[Json], bool]) -> Json:
        """Read on to an event that is wanted and return it; raises ConnectionClosed."""
        async with asyncio.timeout(DEADLINE_S):
            while True:
                message = await self.socket.recv(decode=False)
                self.messages.append(message)
                event: Json = json.loads(message)
                if is_last(event):
                    return event

    async def read_to(self, kind: str) -> Json:
        """Read on to an event of a type."""
        return await self.read_until(lambda event: bool(event["type"] == kind))

    async def read_to_close(self) -> None:
        """Read on until the server closes."""
        try:
            await self.read_until(lambda event: False)
        except ConnectionClosed as closed:
            self.close_code = closed.rcvd.code if closed.rcvd is not None else 1006


@contextlib.asynccontextmanager
async def raw_talk(
    address: str, model: str = MODEL, query: str = "", key: str = "client-key", **headers: str
) -> AsyncIterator[RawTalk]:
    """Connect without waiting for `session.created`."""
    url = f"ws://{address}/v1/realtime?model={model}{query}"
    async with connect(
        url, additional_headers={"Authorization": f"Bearer {key}", **headers}, max_size=None, max_queue=None
    ) as socket:
        yield RawTalk(socket)


# What stands in a conversation ---------------------------------------------------------------------------------


def words_of(item: Json) -> str:
    """Return what an item says, `(audio)` for the user's audio."""
    if item["type"] != "message":
        return str(item.get("output", item.get("name")))
    parts = item["content"]
    return "".join(part.get("text") or part.get("transcript") or "(audio)" for part in parts)


def history(items: list[Json]) -> list[tuple[str, str]]:
    """Return who said what."""
    return [(str(item.get("role", item["type"])), words_of(item)) for item in items]
