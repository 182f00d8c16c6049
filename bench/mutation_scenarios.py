"""The conversations in which mutants are looked for: short, with the scripted engines, each showing a part of the wire.

The client's steps follow what the server really sent, so that a broken stream cannot make it wait in vain; what it
holds against the checker is what came through the wire.
"""

import asyncio
import base64
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any, Final

from pydantic import ValidationError
from websockets.asyncio.client import ClientConnection, connect

from vivavoce.testing.conformance import OrderChecker, check_types
from vivavoce.testing.mutations import Event, Match, Mutation
from vivavoce.testing.proxy import recording_proxy

STEP_TIMEOUT_S: Final = 20.0
LOUD: Final = (b"\x00\x20" * 6 + b"\x00\xe0" * 6) * 1200  # 0.6 s of 2 kHz: speech to the scripted detector
SILENCE: Final = bytes(48 * 700)  # 0.7 s: ends a turn
TRANSCRIPTION: Final = {"model": "whisper-1", "language": "en"}


class ScenarioClient:
    """Sends events, and holds what comes through the wire against the checker."""

    def __init__(
        self,
        connection: ClientConnection,
        mutation: Mutation,
        news: asyncio.Event,
        tell: Callable[[Event], None],
    ) -> None:
        self.invalid: list[str] = []
        self.checker = OrderChecker()
        self._connection = connection
        self._mutation = mutation
        self._news = news
        self._tell = tell
        self._received = 0
        self._read = 0  # events of the truth that a step has waited for
        self._sent = 0

    async def send(self, type: str, **fields: Any) -> None:
        """Send a client event with an id."""
        self._sent += 1
        event = {"type": type, "event_id": f"client_{self._sent}", **fields}
        self.checker.client(event)
        self._tell(event)
        await self._connection.send(json.dumps(event))

    async def say(self, *audio: bytes) -> None:
        """Append audio."""
        for chunk in audio:
            await self.send("input_audio_buffer.append", audio=base64.b64encode(chunk).decode())

    async def write(self, text: str, **fields: Any) -> Event:
        """Add a user message; return it when it is complete."""
        content = [{"type": "input_text", "text": text}]
        await self.send(
            "conversation.item.create", item={"type": "message", "role": "user", "content": content}, **fields
        )
        item: Event = (await self.until("conversation.item.done"))["item"]
        return item

    async def configure(self, **session: Any) -> None:
        """Update the session."""
        await self.send("session.update", session={"type": "realtime", **session})
        await self.until("session.updated")

    async def answer(self, **response: Any) -> Event:
        """Ask for a response; return it when it is done."""
        await self.send("response.create", response=response)
        done: Event = (await self.until("response.done"))["response"]
        return done

    async def until(self, kind: str, where: Mapping[str, object] | None = None) -> Event:
        """Return the next event of a type that the server sends, when all that is to come of it has come."""
        match = Match(kind, where or {})
        async with asyncio.timeout(STEP_TIMEOUT_S):
            while True:
                found = next((n for n, e in enumerate(self._mutation.truth[self._read :]) if match.fits(e)), None)
                if found is not None and self._received >= self._mutation.sent:
                    self._read += found + 1
                    return self._mutation.truth[self._read - 1]
                self._news.clear()
                await self._news.wait()

    async def receive(self) -> None:
        """Check what comes until the connection closes."""
        async for message in self._connection:
            event: Event = json.loads(message)
            self.checker.server(event)
            try:
                check_types(event)
            except (KeyError, ValidationError) as error:
                self.invalid.append(f"{event.get('type')}: {error}")
            self._received += 1
            self._news.set()


Scenario = Callable[[ScenarioClient], Awaitable[None]]


def script(**answers: Any) -> str:
    """Instructions that carry a script for the scripted generator."""
    return f"vivavoce-script: {json.dumps(answers)}"


async def text(client: ScenarioClient) -> None:
    """Two written turns, the second with metadata."""
    await client.configure(output_modalities=["text"], instructions=script(otherwise={"say": ["It is ", "so."]}))
    await client.write("Is it so?")
    await client.answer()
    await client.write("Really?")
    await client.answer(metadata={"topic": "truth"})


async def audio(client: ScenarioClient) -> None:
    """Two answers aloud."""
    for _ in range(2):
        await client.write("Hello there.")
        await client.answer()


async def turn(client: ScenarioClient) -> None:
    """Two spoken turns with transcripts, answered by themselves."""
    await client.configure(output_modalities=["text"], audio={"input": {"transcription": TRANSCRIPTION}})
    for _ in range(2):
        await client.say(LOUD, SILENCE)
        await client.until("response.done")


async def tools(client: ScenarioClient) -> None:
    """A preamble and two calls in one response, their outputs, and the answer."""
    calls = [{"name": "look", "arguments": {"at": place}} for place in ("here", "there")]
    turns = [{"say": "One moment.", "calls": calls, "then": [{"say": "It says {output}."}]}]
    tool = {"type": "function", "name": "look", "parameters": {"type": "object"}}
    await client.configure(output_modalities=["text"], tools=[tool], instructions=script(turns=turns))
    await client.write("Look.")
    called = await client.answer()
    for item in called["output"][1:]:
        output = {"type": "function_call_output", "call_id": item["call_id"], "output": "nothing"}
        await client.send("conversation.item.create", item=output)
        await client.until("conversation.item.done")
    await client.answer()


async def barge_in(client: ScenarioClient) -> None:
    """An endless answer, interrupted by speech, truncated, and the turn after it."""
    turns = [{"say": "And so on. ", "is_endless": True}]
    await client.configure(instructions=script(turns=turns, otherwise={"say": "Well."}))
    await client.write("Go on.")
    await client.send("response.create")
    delta = await client.until("response.output_audio.delta")
    await client.say(LOUD)
    await client.until("response.done", {"response.status": "cancelled"})
    await client.send("conversation.item.truncate", item_id=delta["item_id"], content_index=0, audio_end_ms=50)
    await client.until("conversation.item.truncated")
    await client.say(SILENCE)
    await client.until("response.done", {"response.status": "completed"})


async def out_of_band(client: ScenarioClient) -> None:
    """A response out of band beside an endless one, which the client then cancels."""
    await client.configure(instructions=script(otherwise={"say": "And so on. ", "is_endless": True}))
    await client.write("Go on.")
    await client.send("response.create")
    await client.until("response.output_audio.delta")
    aside = {"conversation": "none", "output_modalities": ["text"], "metadata": {"topic": "aside"}}
    await client.send("response.create", response={**aside, "instructions": script(otherwise={"say": "Aside."})})
    await client.until("response.done", {"response.conversation_id": None})
    await client.send("response.cancel")
    await client.until("response.done", {"response.status": "cancelled"})


async def manual(client: ScenarioClient) -> None:
    """Push to talk: cleared, committed, answered when asked."""
    await client.configure(
        output_modalities=["text"], audio={"input": {"turn_detection": None, "transcription": TRANSCRIPTION}}
    )
    await client.say(LOUD)
    await client.send("input_audio_buffer.clear")
    await client.until("input_audio_buffer.cleared")
    await client.say(LOUD)
    await client.send("input_audio_buffer.commit")
    await client.until("conversation.item.input_audio_transcription.completed")
    await client.answer()


async def items(client: ScenarioClient) -> None:
    """Items put in places, retrieved, deleted."""
    first = await client.write("First.")
    await client.write("Before it.", previous_item_id="root")
    await client.write("After it.", previous_item_id=first["id"])
    await client.send("conversation.item.retrieve", item_id=first["id"])
    await client.until("conversation.item.retrieved")
    await client.send("conversation.item.delete", item_id=first["id"])
    await client.until("conversation.item.deleted")
    await client.write("Last.")


async def errors(client: ScenarioClient) -> None:
    """Four refused events, a response that fails, one that is cut short, a transcript that fails."""
    heard = json.dumps({"turns": [{"heard": {"failure": {"message": "deaf"}}}]})
    transcription = {**TRANSCRIPTION, "prompt": f"vivavoce-script: {heard}"}
    answers = [{"say": "I ", "failure": {"message": "broken"}}, {"say": "Too long", "reason": "max_output_tokens"}]
    await client.configure(
        output_modalities=["text"],
        instructions=script(turns=answers),
        audio={"input": {"turn_detection": None, "transcription": transcription}},
    )
    for refused in (
        {"type": "input_audio_buffer.commit"},
        {"type": "conversation.item.delete", "item_id": "item_nowhere"},
        {"type": "response.cancel"},
        {"type": "session.update", "session": {"type": "realtime", "nonsense": 1}},
    ):
        await client.send(**refused)
        await client.until("error")
    for _ in range(2):
        await client.write("Speak.")
        await client.answer()
    await client.say(LOUD)
    await client.send("input_audio_buffer.commit")
    await client.until("conversation.item.input_audio_transcription.failed")


SCENARIOS: Final[dict[str, Scenario]] = {
    scenario.__name__: scenario for scenario in (text, audio, turn, tools, barge_in, out_of_band, manual, items, errors)
}


async def converse(
    server_url: str, scenario: Scenario, mutation: Mutation, tell: Callable[[Event], None] = lambda event: None
) -> list[str]:
    """Hold a conversation through the mutating proxy; return what the checker and the types found wrong.

    Args:
        tell: is told every event that the client sends.
    """
    news = asyncio.Event()

    def observed(message: str) -> list[str]:
        news.set()
        return list(mutation(message))

    async with recording_proxy(server_url, mutate=lambda: observed) as proxy:
        url = f"{proxy.websocket_url}/v1/realtime?model=vivavoce-scripted"
        async with connect(url, max_size=None, compression=None) as connection:
            client = ScenarioClient(connection, mutation, news, tell)
            async with _reading(client):
                await client.until("session.created")
                await scenario(client)
    return client.invalid + [str(violation) for violation in client.checker.finish(expects_transcripts=True)]


@contextlib.asynccontextmanager
async def _reading(client: ScenarioClient) -> AsyncIterator[None]:
    async with asyncio.TaskGroup() as group:
        reading = group.create_task(client.receive())
        yield
        reading.cancel()
