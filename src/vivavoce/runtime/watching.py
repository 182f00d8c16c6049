"""Who is told what passes between a client and its session, whatever kind of session it is.

Observers get the events of the GA API, decoded, in the order of the wire: the same for a session of our own and for a
relayed one, whose messages are decoded beside their way.
"""

from collections.abc import Sequence
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
        self.is_watching = observer is not None

    def start_trace(self, tracing: TracingChoice) -> None:
        """Keep a trace from here on, where there is room for traces."""
        if self._tracer is not None:
            self._observers.add(self._tracer.open(self._session_id, tracing))
            self._tracer, self.is_watching = None, True

    def client(self, message: bytes) -> None:
        try:
            event = decode_client_event(message)
        except ClientError:
            return
        self._observers.client(event)

    def server(self, message: bytes) -> None:
        try:
            event = _DECODER.decode(message)
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            return
        self._observers.server(_played(event) if isinstance(event, ResponseOutputAudioDelta) else event)

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
