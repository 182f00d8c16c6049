"""Who is told what passes between a client and its session, whatever kind of session it is.

Observers get the events of the GA API, decoded, in the order of the wire: the same for a session of our own and for a
relayed one, whose messages are decoded beside their way.
"""

import logging
from collections.abc import Sequence
from typing import Final, Protocol

import msgspec

from vivavoce.core.vocabulary import PlayAudio
from vivavoce.protocol.client_events import ClientEvent
from vivavoce.protocol.codec import decode_client_event
from vivavoce.protocol.errors import ClientError
from vivavoce.protocol.response_events import ResponseOutputAudioDelta
from vivavoce.protocol.server_events import ServerEvent

_log = logging.getLogger(__name__)

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
    """Decodes the messages of a relayed session for an observer; what is no event of the API is not observed."""

    def __init__(self, observer: SessionObserver) -> None:
        self._observer = observer

    def client(self, message: bytes) -> None:
        try:
            event = decode_client_event(message)
        except ClientError:
            return
        self._observer.client(event)

    def server(self, message: bytes) -> None:
        try:
            event = _DECODER.decode(message)
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            return
        self._observer.server(_played(event) if isinstance(event, ResponseOutputAudioDelta) else event)

    def close(self) -> None:
        self._observer.close()


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
