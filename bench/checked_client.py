"""The stock `openai` client, with every event checked: its type by the package, its place by the invariants."""

import asyncio
import base64
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from typing import Any, Final

import msgspec
from openai import AsyncOpenAI
from openai.resources.realtime.realtime import AsyncRealtimeConnection
from pydantic import ValidationError
from websockets.exceptions import ConnectionClosed

from vivavoce.testing.conformance import OrderChecker, Violation, check_types
from vivavoce.testing.matrix import ConnectionRecord
from vivavoce.testing.pacer import pace, split_chunks

EVENT_TIMEOUT_S: Final = 30.0
CHUNK_MS: Final = 100
PCM_BYTES_PER_MS: Final = 48

Json = dict[str, Any]  # JSON boundary: events as they come


class Answer(msgspec.Struct, frozen=True):
    """What a finished response said and did. `audio` is in the session's output format."""

    response: Json
    text: str
    audio: bytes

    @property
    def status(self) -> str:
        status: str = self.response["status"]
        return status

    @property
    def calls(self) -> list[Json]:
        """The function calls among its output items."""
        return [item for item in self.response["output"] if item["type"] == "function_call"]


class CheckedClient:
    """One connection of the stock client. `events` are all that came; `invalid` says which were of no known shape."""

    def __init__(self, connection: AsyncRealtimeConnection) -> None:
        self.connection = connection
        self.events: list[Json] = []
        self.invalid: list[str] = []
        self.closed: ConnectionClosed | None = None
        self._checker = OrderChecker()
        self._record = ConnectionRecord()
        self._arrived = asyncio.Condition()
        self._sent = 0

    @property
    def here(self) -> int:
        """The index that the next event will have: where to look `since`."""
        return len(self.events)

    async def send(self, event: Json) -> None:
        """Send a client event; it gets an `event_id` if it has none."""
        self._sent += 1
        named = {"event_id": f"client_{self._sent}", **event}
        self._checker.client(named)
        self._record.client(named)
        await self.connection.send_raw(json.dumps(named))

    async def send_raw(self, payload: str | bytes, event_id: str | None = None) -> None:
        """Send a message that is no proper event; `event_id` is the one in it, if it can be read."""
        self._checker.client({} if event_id is None else {"event_id": event_id})
        await self.connection.send_raw(payload)

    async def append(
        self, audio: bytes, bytes_per_ms: int = PCM_BYTES_PER_MS, pace_factor: float | None = None
    ) -> None:
        """Append audio in chunks of 100 ms, `pace_factor` times faster than real time, None: at once."""

        async def send_chunk(chunk: bytes) -> None:
            await self.send({"type": "input_audio_buffer.append", "audio": base64.b64encode(chunk).decode()})

        chunks = split_chunks(audio, CHUNK_MS * bytes_per_ms)
        if pace_factor is not None:
            await pace(chunks, CHUNK_MS / pace_factor, send_chunk)
            return
        for chunk in chunks:
            await send_chunk(chunk)

    async def receive(self) -> None:
        """Read and check events until the connection closes."""
        try:
            while True:
                await self._keep(await self.connection.recv_bytes())
        except ConnectionClosed as closed:
            async with self._arrived:
                self.closed = closed
                self._arrived.notify_all()

    async def wait(self, is_wanted: Callable[[Json], bool], since: int = 0) -> Json:
        """Return the first event from index `since` on that is wanted; raises as `wait_until`."""

        def found() -> Json | None:
            return next((event for event in self.events[since:] if is_wanted(event)), None)

        await self.wait_until(lambda: found() is not None)
        event = found()
        assert event is not None, "the wait ended with an event"
        return event

    async def wait_until(self, is_reached: Callable[[], bool]) -> None:
        """Return when the events that have come are such that `is_reached`.

        Raises:
            TimeoutError: they were not in time; says what came last.
            ConnectionError: the connection closed before.
        """
        try:
            async with asyncio.timeout(EVENT_TIMEOUT_S), self._arrived:
                await self._arrived.wait_for(lambda: self.closed is not None or is_reached())
        except TimeoutError as error:
            raise TimeoutError(f"waited {EVENT_TIMEOUT_S:.0f} s; the last events: {self.types()[-5:]}") from error
        if not is_reached():
            raise ConnectionError(f"closed while waiting: {self.closed}")

    async def wait_for(self, kind: str, since: int = 0) -> Json:
        """Return the first event of a type from index `since` on."""
        return await self.wait(lambda event: event["type"] == kind, since)

    def types(self, since: int = 0) -> list[str]:
        """Return the types of the events from index `since` on."""
        return [event["type"] for event in self.events[since:]]

    def of_type(self, kind: str, since: int = 0) -> list[Json]:
        """Return the events of a type from index `since` on."""
        return [event for event in self.events[since:] if event["type"] == kind]

    # Turns ------------------------------------------------------------------------------------------------------

    async def configure(self, **session: Any) -> Json:
        """Update the session; return the session as it then is."""
        since = self.here
        await self.send({"type": "session.update", "session": {"type": "realtime", **session}})
        answer = await self.wait(lambda event: event["type"] in ("session.updated", "error"), since)
        if answer["type"] == "error":
            raise ValueError(answer["error"]["message"])
        updated: Json = answer["session"]
        return updated

    async def write(self, text: str) -> None:
        """Add a user message."""
        content = [{"type": "input_text", "text": text}]
        item = {"type": "message", "role": "user", "content": content}
        await self.send({"type": "conversation.item.create", "item": item})

    async def ask(self, text: str, **response: Any) -> Answer:
        """Add a user message and have it answered."""
        await self.write(text)
        return await self.respond(**response)

    async def respond(self, **response: Any) -> Answer:
        """Have the conversation answered."""
        since = self.here
        await self.send({"type": "response.create", **({"response": response} if response else {})})
        return await self.answer(since)

    async def answer(self, since: int) -> Answer:
        """Return the first response that was created from index `since` on, when it is done."""
        created = await self.wait_for("response.created", since)
        response_id = created["response"]["id"]
        done = await self.wait(
            lambda event: event["type"] == "response.done" and event["response"]["id"] == response_id, since
        )
        return self.answer_of(done["response"])

    def answer_of(self, response: Json) -> Answer:
        """Return what a finished response said."""
        own = [event for event in self.events if event.get("response_id") == response["id"]]
        said = ("response.output_audio_transcript.delta", "response.output_text.delta")
        text = "".join(event["delta"] for event in own if event["type"] in said)
        heard = (base64.b64decode(e["delta"]) for e in own if e["type"] == "response.output_audio.delta")
        return Answer(response, text, b"".join(heard))

    # Verdict ----------------------------------------------------------------------------------------------------

    def violations(self, *, is_cut: bool = False) -> list[Violation]:
        """Return the violations of the ordering invariants; `is_cut` if the connection ended in the middle."""
        return self._checker.finish(is_cut=is_cut)

    async def _keep(self, message: bytes) -> None:
        event: Json = json.loads(message)
        self._checker.server(event)
        self._record.server(event)
        try:
            check_types(event)
        except (KeyError, ValidationError) as error:
            self.invalid.append(f"{event.get('type')}: {error}")
        self.connection.parse_event(message)  # what an application of the stock client gets
        async with self._arrived:
            self.events.append(event)
            self._arrived.notify_all()


@contextlib.asynccontextmanager
async def checked_client(
    address: str, model: str = "vivavoce-local", *, key: str = "any", **query: str
) -> AsyncIterator[CheckedClient]:
    """Connect the stock client to `address` (host and port), wait for `session.created`, read until the block ends.

    Args:
        query: further parameters of the URL, such as `intent="transcription"`.
    """
    async with AsyncOpenAI(base_url=f"http://{address}/v1", api_key=key, max_retries=0) as api:
        async with api.realtime.connect(model=model, extra_query=dict(query)) as connection:
            client = CheckedClient(connection)
            async with _reading(client):
                await client.wait_for("session.created")
                yield client


@contextlib.asynccontextmanager
async def _reading(client: CheckedClient) -> AsyncIterator[None]:
    """Read for the length of the block. What is raised in it is raised as it is, in no group."""
    try:
        async with asyncio.TaskGroup() as group:
            reading = group.create_task(client.receive())
            try:
                yield
            finally:
                reading.cancel()
    except ExceptionGroup as raised:
        if len(raised.exceptions) == 1:
            raise raised.exceptions[0] from raised.exceptions[0].__cause__
        raise
