"""Bytes to client events and server events to bytes."""

from collections.abc import Collection
from typing import Final

import msgspec

from vivavoce.protocol.admission import admit
from vivavoce.protocol.client_events import ClientEvent
from vivavoce.protocol.reading import MAX_REREAD_VALUES as MAX_REREAD_VALUES
from vivavoce.protocol.reading import EventReader
from vivavoce.protocol.server_events import ServerEvent
from vivavoce.protocol.session import VOICES

_READER: Final[EventReader[ClientEvent]] = EventReader(ClientEvent)
_ENCODER: Final = msgspec.json.Encoder()


def decode_client_event(payload: bytes | str, voices: Collection[str] = VOICES) -> ClientEvent:
    """Return the client event that a JSON text holds; audio is decoded from base64.

    Args:
        voices: the names that `audio.output.voice` may have.

    Raises:
        ClientError: with the API's code, the dotted parameter and the client's `event_id` if it could be read.
            Nothing else is raised, whatever the payload.
    """
    return _READER.read(payload, lambda event: admit(event, voices))


def encode_server_event(event: ServerEvent) -> bytes:
    """Return the event as UTF-8 JSON; audio is encoded as base64."""
    return _ENCODER.encode(event)
