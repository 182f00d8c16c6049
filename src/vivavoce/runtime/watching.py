"""Who is told what passes between a client and its session, whatever kind of session it is.

Observers get the events of the GA API, decoded, in the order of the wire: the same for a session of our own and for a
relayed one, whose messages are decoded beside their way.
"""

import contextlib
from collections.abc import Collection, Iterator, Sequence
from typing import Final, Protocol

import msgspec

from vivavoce.core.vocabulary import PlayAudio
from vivavoce.protocol.client_events import ClientEvent
from vivavoce.protocol.codec import decode_client_event
from vivavoce.protocol.errors import ClientError
from vivavoce.protocol.response_events import ResponseOutputAudioDelta
from vivavoce.protocol.server_events import ServerEvent
from vivavoce.protocol.session import TracingChoice
from vivavoce.runtime.tracing import Tracer

_DECODER: Final = msgspec.json.Decoder(ServerEvent)
BYTES_PER_SAMPLE: Final = 2


class AnyVoice(Collection[str]):
    """The voices of an upstream, of which nobody here knows: all there may be."""

    def __contains__(self, name: object) -> bool:
        return True

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0


_ANY_VOICE: Final = AnyVoice()


class SessionObserver(Protocol):
    """Told every event of one session; called on the loop's thread, must not block."""

    def client(self, event: ClientEvent) -> None:
        """The client sent an event."""
        ...

    def server(self, event: ServerEvent | PlayAudio) -> None:
        """The client is sent an event, or audio."""
        ...

    def close(self) -> None:
        """The session is over; may be called again."""
        ...


class Observers:
    """Several observers as one."""

    def __init__(self, observers: Sequence[SessionObserver]) -> None:
        self._observers = list(observers)

    def add(self, observer: SessionObserver) -> None:
        self._observers.append(observer)

    def __bool__(self) -> bool:
        return bool(self._observers)

    def client(self, event: ClientEvent) -> None:
        for observer in self._observers:
            observer.client(event)

    def server(self, event: ServerEvent | PlayAudio) -> None:
        for observer in self._observers:
            observer.server(event)

    def close(self) -> None:
        for observer in self._observers:
            observer.close()


class RelayWatch:
    """Decodes the messages of a relayed session for observers; what is no event of the API is not observed."""

    def __init__(self, session_id: str, tracer: Tracer | None = None, observer: SessionObserver | None = None) -> None:
        self._session_id = session_id
        self._tracer = tracer
        self._observers = Observers([] if observer is None else [observer])
        self._wanted: TracingChoice | None = None  # a trace that begins after the next message to the client
        self.is_watching = observer is not None

    def start_trace(self, tracing: TracingChoice) -> None:
        """Keep a trace, where there is room for traces: as for any session, from behind the event that tells of it."""
        if self._tracer is not None:
            self._wanted, self.is_watching = tracing, True

    def client(self, message: bytes) -> None:
        """The client sent a message."""
        try:
            event = decode_client_event(message, _ANY_VOICE)
        except ClientError:
            return
        self._observers.client(event)

    def server(self, message: bytes) -> None:
        """The client is sent a message."""
        with contextlib.suppress(msgspec.DecodeError, UnicodeError, RecursionError):
            event = _DECODER.decode(message)
            self._observers.server(_played(event) if isinstance(event, ResponseOutputAudioDelta) else event)
        if self._wanted is not None and self._tracer is not None:
            self._observers.add(self._tracer.open(self._session_id, self._wanted))
            self._wanted = self._tracer = None

    def close(self) -> None:
        self._observers.close()


def _played(event: ResponseOutputAudioDelta) -> PlayAudio:
    return PlayAudio(
        event_id=event.event_id,
        response_id=event.response_id,
        item_id=event.item_id,
        output_index=event.output_index,
        content_index=event.content_index,
        audio=event.delta,
        samples=len(event.delta) // BYTES_PER_SAMPLE,
    )
