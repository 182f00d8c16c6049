"""The GA dialect: the wire is what the session speaks, so nothing is translated."""

from collections.abc import Collection

from vivavoce.protocol.client_events import ClientEvent
from vivavoce.protocol.codec import decode_client_event, encode_server_event
from vivavoce.protocol.server_events import ServerEvent
from vivavoce.protocol.session import VOICES


def decode(payload: bytes | str, voices: Collection[str] = VOICES) -> ClientEvent:
    """Return the client event of one message; raises ClientError."""
    return decode_client_event(payload, voices)


def encode(event: ServerEvent) -> bytes:
    """Return the message for one server event."""
    return encode_server_event(event)
