"""A client of the beta on a real socket: what it sends and gets is the beta's, as it stands on the wire."""

import asyncio
import base64
import contextlib
import json
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any, Final

from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

from vivavoce.testing.matrix import SEEN

LIMIT_S: Final = 30.0
HEADER: Final = {"OpenAI-Beta": "realtime=v1"}
Json = dict[str, Any]  # JSON boundary: events of the beta


class BetaClient:
    """One connection; `events` are all that were read."""

    def __init__(self, websocket: ClientConnection) -> None:
        self.websocket = websocket
        self.events: list[Json] = []

    async def send(self, type_: str, **fields: Any) -> None:
        await self.websocket.send(json.dumps({"type": type_, **fields}))

    async def next(self) -> Json:
        async with asyncio.timeout(LIMIT_S):
            event: Json = json.loads(await self.websocket.recv())
        self.events.append(event)
        SEEN.note("server event", [event["type"]])
        return event

    async def until(self, *types: str) -> Json:
        """Return the next event of one of the types."""
        return await self.until_that(lambda event: event["type"] in types)

    async def until_that(self, is_wanted: Callable[[Json], bool]) -> Json:
        while not is_wanted(event := await self.next()):
            pass
        return event

    async def update(self, **session: Any) -> Json:
        """Update the session; return its object, or the error."""
        await self.send("session.update", session=session)
        answer = await self.until("session.updated", "error")
        found: Json = answer["session"] if answer["type"] == "session.updated" else answer["error"]
        return found

    async def write(self, text: str) -> None:
        content = [{"type": "input_text", "text": text}]
        await self.send("conversation.item.create", item={"type": "message", "role": "user", "content": content})

    async def speak(self, pcm: bytes) -> None:
        """Append audio: pcm16le, mono, 24 kHz."""
        await self.send("input_audio_buffer.append", audio=base64.b64encode(pcm).decode())

    async def respond(self, **response: Any) -> Json:
        """Have the conversation answered; return the response when it is done."""
        await self.send("response.create", response=response)
        done: Json = (await self.until("response.done"))["response"]
        return done

    def said(self) -> str:
        """Return all transcripts and texts that came, joined."""
        deltas = ("response.audio_transcript.delta", "response.text.delta")
        return "".join(event["delta"] for event in self.events if event["type"] in deltas)

    def of_type(self, type_: str) -> list[Json]:
        return [event for event in self.events if event["type"] == type_]

    def types(self) -> list[str]:
        return [event["type"] for event in self.events]


@contextlib.asynccontextmanager
async def beta_client(
    address: str,
    target: str = "/v1/realtime?model=vivavoce-scripted",
    *,
    headers: dict[str, str] | None = None,
    protocols: Sequence[str] = (),
) -> AsyncIterator[BetaClient]:
    """Connect to host and port; without headers, with the beta's."""
    offered = [Subprotocol(one) for one in protocols] or None
    chosen = HEADER if headers is None else headers
    url = f"ws://{address}{target}"
    async with connect(url, additional_headers=chosen, subprotocols=offered, max_size=None) as websocket:
        yield BetaClient(websocket)
