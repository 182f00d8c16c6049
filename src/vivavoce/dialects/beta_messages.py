"""Messages as bytes: which event they hold, that event under another name, and its JSON."""

import re
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from vivavoce.dialects.beta_fields import Body
from vivavoce.protocol.codec import MAX_REREAD_VALUES
from vivavoce.protocol.errors import ClientError, unreadable

# The type is the first member, or the second after the id, of what all known clients and servers send.
_HEAD: Final = re.compile(rb'\s*\{\s*(?:"event_id"\s*:\s*"[^"\\]*"\s*,\s*)?"type"\s*:\s*"([a-z_.]+)"')
UNCOUNTED_BYTES: Final = 1024 * 1024  # reading this much takes milliseconds, whatever it holds


class _Head(msgspec.Struct):
    type: str


_HEAD_DECODER: Final = msgspec.json.Decoder(_Head)
_BODY_DECODER: Final = msgspec.json.Decoder(Body)
_ENCODER: Final = msgspec.json.Encoder()


def event_type(message: bytes) -> str:
    """Return the type of the event that a message holds; empty if it has none or is no JSON object."""
    head = _HEAD.match(message)
    if head is not None:
        return head[1].decode()
    try:
        return _HEAD_DECODER.decode(message).type
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return ""


def retyped(message: bytes, names: Mapping[bytes, bytes]) -> bytes | None:
    """Return the event under the name that stands for its own, all else byte for byte.

    None if none does, or if the type is not where it usually is.
    """
    head = _HEAD.match(message)
    name = None if head is None else names.get(head[1])
    return None if head is None or name is None else message[: head.start(1)] + name + message[head.end(1) :]


def names_in_bytes(names: Mapping[str, str]) -> dict[bytes, bytes]:
    """Return the names of events as they stand in messages."""
    return {one.encode(): other.encode() for one, other in names.items()}


def body_of(message: bytes) -> Body | None:
    """Return the JSON object of a message, None if it cannot be read."""
    try:
        return _BODY_DECODER.decode(message)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return None


def check_size(message: bytes) -> None:
    """Check that reading a client's message does not stall other sessions.

    Raises:
        ClientError: it is large and holds too many values.
    """
    if len(message) > UNCOUNTED_BYTES and sum(map(message.count, (b"{", b"[", b","))) > MAX_REREAD_VALUES:
        raise unreadable(f"it holds more than {MAX_REREAD_VALUES} values")


def message_of(body: Body) -> bytes:
    """Return the message that holds a JSON object.

    Raises:
        ClientError: it is nested too deeply.
    """
    try:
        return _ENCODER.encode(body)
    except RecursionError as error:
        raise unreadable("it is nested too deeply") from error


def messages_of(bodies: Sequence[Body], original: bytes) -> list[bytes]:
    """Return the messages that hold JSON objects; the one they were made from where they cannot be written."""
    try:
        return [message_of(body) for body in bodies]
    except ClientError:
        return [original]
