"""Passive mode side by side: spoken turns that may cause no response, through several relays to the same script.

The client sends audio and a `session.update` with `create_response: false`, never a `response.create`; the upstream
detects, commits and transcribes. What reached the upstream and what reached the client is compared byte for byte with
what the other side sent.
"""

import asyncio
import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec
from websockets.asyncio.client import ClientConnection

from bench.relay.alterations import Alterations, alterations
from bench.relay.contestants import Contestant, Relay, Upstream
from bench.relay.scripted_upstream import (
    SESSION,
    Json,
    ScriptedUpstream,
    client_of,
    encoded,
    scripted_upstream,
)

TURNS: Final = 50
APPENDS: Final = 10  # per turn
TURN_LIMIT_S: Final = 15.0
QUIET_S: Final = 0.3  # in which what a relay adds late may still come
AUDIO: Final = base64.b64encode(bytes(1920)).decode()
CONFIGURATION: Final[Json] = {
    "type": "realtime",
    "audio": {"input": SESSION["audio"]["input"]},
}


class Passive(msgspec.Struct, frozen=True):
    """What 50 turns were like through one relay."""

    turns: int
    injected: int  # `response.create` that reached the upstream
    to_upstream: Alterations
    to_client: Alterations


class Script:
    """Hears a turn in every tenth append, transcribes it, and answers whoever asks for a response."""

    def __init__(self) -> None:
        self._appends = 0
        self._responses = 0

    def answer(self, event: Json) -> Iterator[Json]:
        """Yield the events that an event causes."""
        match event.get("type"):
            case "session.update":
                yield {"type": "session.updated", "session": SESSION}
            case "input_audio_buffer.append":
                self._appends += 1
                if self._appends % APPENDS == 0:
                    yield from _turn(self._appends // APPENDS)
            case "response.create":
                self._responses += 1
                yield from _empty_response(self._responses)


def _turn(number: int) -> Iterator[Json]:
    item_id = f"item_{number}"
    previous = f"item_{number - 1}" if number > 1 else None
    place: Json = {"item_id": item_id, "content_index": 0}
    item: Json = {
        "id": item_id,
        "object": "realtime.item",
        "type": "message",
        "status": "completed",
        "role": "user",
        "content": [{"type": "input_audio", "transcript": None}],
    }
    usage: Json = {"type": "duration", "seconds": 1}
    yield {"type": "input_audio_buffer.speech_started", "audio_start_ms": number * 400, "item_id": item_id}
    yield {"type": "input_audio_buffer.speech_stopped", "audio_end_ms": number * 400 + 300, "item_id": item_id}
    yield {"type": "input_audio_buffer.committed", "previous_item_id": previous, "item_id": item_id}
    yield {"type": "conversation.item.added", "previous_item_id": previous, "item": item}
    yield {"type": "conversation.item.done", "previous_item_id": previous, "item": item}
    yield {"type": "conversation.item.input_audio_transcription.delta", **place, "delta": f"Turn {number}."}
    yield {
        "type": "conversation.item.input_audio_transcription.completed",
        **place,
        "transcript": f"Turn {number}.",
        "usage": usage,
    }


def _empty_response(number: int) -> Iterator[Json]:
    response: Json = {"object": "realtime.response", "id": f"resp_{number}", "output": [], "conversation_id": "conv_1"}
    yield {"type": "response.created", "response": {**response, "status": "in_progress"}}
    yield {"type": "response.done", "response": {**response, "status": "completed"}}


class _Client:
    """Sends turns and keeps every message of both directions."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection
        self.sent: list[str] = []
        self.received: list[str] = []

    async def send(self, event: Json) -> None:
        message = encoded({"type": event["type"], "event_id": f"event_c{len(self.sent)}", **event})
        self.sent.append(message)
        await self._connection.send(message)

    async def receive_until(self, kind: str) -> None:
        """Receive until an event of this type has come."""
        async with asyncio.timeout(TURN_LIMIT_S):
            while True:
                message = str(await self._connection.recv())
                self.received.append(message)
                if f'"{kind}"' in message[:200]:
                    return

    async def receive_rest(self) -> None:
        """Receive what comes until it has been quiet for a while."""
        while True:
            try:
                async with asyncio.timeout(QUIET_S):
                    self.received.append(str(await self._connection.recv()))
            except TimeoutError:
                return


async def _talk(relay: Relay, upstream: ScriptedUpstream) -> Passive:
    async with client_of(relay) as connection:
        client = _Client(connection)
        await client.receive_until("session.created")
        await client.send({"type": "session.update", "session": CONFIGURATION})
        await client.receive_until("session.updated")
        for _ in range(TURNS):
            for _ in range(APPENDS):
                await client.send({"type": "input_audio_buffer.append", "audio": AUDIO})
            await client.receive_until("conversation.item.input_audio_transcription.completed")
        await client.receive_rest()
    to_upstream = alterations(client.sent, upstream.received)
    injected = to_upstream.kinds.get("added response.create", 0)
    return Passive(TURNS, injected, to_upstream, alterations(upstream.sent, client.received))


async def _through(contestant: Contestant, folder: Path) -> Passive:
    async with scripted_upstream(Script().answer) as upstream:
        running = contestant.start(Upstream(upstream.port), folder)
        relay = await asyncio.to_thread(running.__enter__)
        try:
            return await _talk(relay, upstream)
        finally:
            await asyncio.to_thread(running.__exit__, None, None, None)


def passive_turns(contestant: Contestant, folder: Path) -> Passive:
    """Have 50 turns through a relay of its own."""
    return asyncio.run(_through(contestant, folder))
