"""A tiny session to test transports with: it answers each client event with what its type asks for.

- `input_audio_buffer.append`: an audio delta with the same bytes
- `input_audio_buffer.commit`: `input_audio_buffer.committed`, a final event
- `input_audio_buffer.clear`: `input_audio_buffer.cleared`
- `response.cancel`: closes the connection with 1000
- `conversation.item.delete` of the item `boom`: fails, as a bug of ours would

One that takes messages sends each back as it came.
"""

import asyncio

import msgspec

from vivavoce.core.relay.vocabulary import ClientMessage
from vivavoce.core.vocabulary import (
    ClientRejected,
    Disconnected,
    Draining,
    FromClient,
    Input,
    PlayAudio,
)
from vivavoce.protocol import client_events
from vivavoce.protocol.ids import CountingIds
from vivavoce.protocol.server_events import (
    ErrorEvent,
    InputAudioBufferCleared,
    InputAudioBufferCommitted,
    ServerEvent,
)
from vivavoce.protocol.session import default_session, merge
from vivavoce.protocol.session_fields import EffectiveSession, as_kind, check_kind
from vivavoce.runtime.sink import AtCapacity, LiveSession, SessionRequest, Sink


class EchoSession:
    """A `LiveSession`. When the server drains, a patient one sends an event where another closes."""

    def __init__(self, sink: Sink, ids: CountingIds, *, is_patient: bool, takes_messages: bool = False) -> None:
        self._sink = sink
        self._takes_messages = takes_messages
        self._ids = ids
        self._sequence = 0
        self._is_patient = is_patient
        self._kept_up = asyncio.Event()
        self._kept_up.set()
        self._id = ids.make("sess")
        self.inputs: asyncio.Queue[Input | ClientMessage] = asyncio.Queue()

    @property
    def id(self) -> str:
        return self._id

    @property
    def takes_messages(self) -> bool:
        return self._takes_messages

    def forward(self, message: bytes) -> bool:
        return False

    def is_behind(self) -> bool:
        return not self._kept_up.is_set()

    async def caught_up(self) -> None:
        await self._kept_up.wait()

    def set_full(self, is_full: bool) -> None:
        """It waits for `writable` where it cares."""

    def fall_behind(self) -> None:
        self._kept_up.clear()

    def catch_up(self) -> None:
        self._kept_up.set()

    def send(self, event: ServerEvent) -> None:
        self._sequence += 1
        self._sink.send(self._sequence, event)

    def pass_on(self, message: bytes) -> None:
        self._sequence += 1
        self._sink.pass_on(self._sequence, message)

    def play(self, audio: bytes) -> None:
        self._sequence += 1
        self._sink.play(self._sequence, PlayAudio(self._ids.make("event"), "resp_1", "item_1", 0, 0, audio, 0))

    async def writable(self) -> None:
        await self._sink.writable()

    def post(self, input: Input | ClientMessage) -> None:
        self.inputs.put_nowait(input)
        match input:
            case FromClient(event=event):
                self._answer(event)
            case ClientMessage(message=message):
                self.pass_on(message)
            case ClientRejected(error=error):
                self.send(ErrorEvent(event_id=self._ids.make("event"), error=error))
            case Draining(is_final=False) if self._is_patient:
                self.send(InputAudioBufferCleared(event_id=self._ids.make("event")))
            case Draining() if not self._is_patient:
                self._sink.close(1012, "The server restarts.")
            case _:
                pass

    async def disconnected(self) -> int | None:
        """Return the code that the session learned when its client was gone."""
        while True:
            if isinstance(input := await self.inputs.get(), Disconnected):
                return input.code

    def _answer(self, event: client_events.ClientEvent) -> None:
        match event:
            case client_events.InputAudioBufferAppend(audio=audio):
                self.play(audio)
            case client_events.InputAudioBufferCommit():
                committed = InputAudioBufferCommitted(
                    event_id=self._ids.make("event"), previous_item_id=None, item_id="item_1"
                )
                self.send(committed)
            case client_events.InputAudioBufferClear():
                self.send(InputAudioBufferCleared(event_id=self._ids.make("event")))
            case client_events.ResponseCancel():
                self._sink.close(1000, "as asked")
            case client_events.ConversationItemDelete(item_id="boom"):
                raise RuntimeError("a bug, for the test")
            case _:
                pass


class EchoHost:
    """A `SessionHost` of echo sessions."""

    def __init__(self, *, limit: int = 100, is_patient: bool = False, takes_messages: bool = False) -> None:
        self._limit = limit
        self._takes_messages = takes_messages
        self._is_patient = is_patient
        self._ids = CountingIds()
        self.requests: list[SessionRequest] = []
        self.sessions: asyncio.Queue[EchoSession] = asyncio.Queue()

    def open(self, request: SessionRequest, sink: Sink) -> LiveSession:
        if len(self.requests) >= self._limit:
            raise AtCapacity(f"The server holds its limit of {self._limit} sessions.", 5)
        self.requests.append(request)
        session = EchoSession(sink, self._ids, is_patient=self._is_patient, takes_messages=self._takes_messages)
        session.send(InputAudioBufferCleared(event_id=self._ids.make("event")))  # stands for `session.created`
        self.sessions.put_nowait(session)
        return session

    def relays(self, model: str | None) -> bool:
        return False

    def describe(self, request: SessionRequest) -> EffectiveSession:
        """Return the reference's defaults with the request's configuration."""
        session = default_session(
            id=self._ids.make("sess"),
            model=request.model or "vivavoce-local",
            voice="marin",
            expires_at=0,
            instructions="Be brief.",
        )
        if request.configuration is not None:
            check_kind(request.configuration, request.kind)
            session = merge(session, msgspec.structs.replace(request.configuration, type="realtime"))
        return as_kind(session, request.kind)
