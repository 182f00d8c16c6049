"""Messages as bytes: which event they hold, that event under another name, and its JSON."""

import re
from typing import Final

import msgspec

from vivavoce.dialects.beta_fields import Body
from vivavoce.protocol.codec import MAX_REREAD_VALUES
from vivavoce.protocol.errors import unreadable

# The type is the first member, or the second after the id, of what all known clients and servers send.
_HEAD: Final = re.compile(rb'\s*\{\s*(?:"event_id"\s*:\s*"[^"\\]*"\s*,\s*)?"type"\s*:\s*"([a-z_.]+)"')
_TYPE: Final = "type"


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


def retyped(message: bytes, name: str) -> bytes | None:
    """Return the event under another name, all else byte for byte; None if the type is not where it usually is."""
    head = _HEAD.match(message)
    return None if head is None else message[: head.start(1)] + name.encode() + message[head.end(1) :]


def body_of(message: bytes) -> Body | None:
    """Return the JSON object of a message, None if it cannot be read.

    Raises:
        ClientError: it holds so many values that reading them would stall other sessions.
    """
    if sum(message.count(mark) for mark in (b"{", b"[", b",")) > MAX_REREAD_VALUES:
        raise unreadable(f"it holds more than {MAX_REREAD_VALUES} values")
    try:
        return _BODY_DECODER.decode(message)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return None


def message_of(body: Body) -> bytes:
    """Return the message that holds a JSON object.

    Raises:
        ClientError: it cannot be written: it is nested too deeply, or one of its integers is too large.
    """
    try:
        return _ENCODER.encode(body)
    except RecursionError as error:
        raise unreadable("it is nested too deeply") from error
    except (OverflowError, UnicodeError, msgspec.MsgspecError) as error:
        raise unreadable(f"it cannot be passed on: {error}") from error
