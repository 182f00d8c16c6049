"""Messages of a relayed session: read as JSON where they must be, and where audio stands in those that need not be.

Most messages are audio. Their heads are compared and the rest is searched for one quotation mark; nothing is decoded.
"""

import base64
import binascii
import json
import math
import re
from typing import Final

import msgspec

from vivavoce.core.relay.vocabulary import Body, Json
from vivavoce.protocol.client_events import MAX_EVENT_ID_LENGTH
from vivavoce.protocol.errors import ClientError, invalid_type, missing_parameter, unreadable
from vivavoce.protocol.rejections import type_name

_APPEND_HEAD_TIGHT: Final = b'{"type":"input_audio_buffer.append","audio":"'
_APPEND_HEAD_SPACED: Final = b'{"type": "input_audio_buffer.append", "audio": "'
_HEAD_BYTES: Final = 2048
_BRACE: Final = ord("}")
_PADDING: Final = ord("=")
_EVENT_ID: Final = rb'"event_id"\s*:\s*"[^"\\]{0,512}"\s*,\s*'
_APPEND_HEAD: Final = re.compile(
    rb'\s*\{\s*(?:%b)?"type"\s*:\s*"input_audio_buffer\.append"\s*,\s*(?:%b)?"audio"\s*:\s*"' % (_EVENT_ID, _EVENT_ID)
)
_DELTA_HEAD_TIGHT: Final = b'{"type":"response.output_audio.delta",'
_APPEND_ID: Final = b'{"event_id":"'
_APPEND_TAIL: Final = b'","type":"input_audio_buffer.append","audio":"'
_DELTA_HEADS: Final = (_DELTA_HEAD_TIGHT, b'{"type": "response.output_audio.delta",')
_DELTA_HEAD_BYTES: Final = 512  # ids and indices stand before the audio
_ITEM_ID: Final = re.compile(rb'"item_id"\s*:\s*"([^"\\]+)"')
_ENDS: Final = (b"}", b"}\n", b"} ")
_AUDIO_DELTA: Final = re.compile(rb'"delta"\s*:\s*"')

_DECODER: Final = msgspec.json.Decoder()
_ENCODER: Final = msgspec.json.Encoder()


def appended_bytes(message: bytes) -> int | None:
    """Return how many bytes of audio an `input_audio_buffer.append` holds; None for any other message.

    None as well where the message has anything besides its type, id and audio, or an escape: then it must be read.
    """
    if message.startswith(_APPEND_HEAD_TIGHT):
        start = 45
    elif message.startswith(_APPEND_ID) and message.startswith(_APPEND_TAIL, id_end := message.find(b'"', 13, 600)):
        start = id_end + len(_APPEND_TAIL)
    elif message.startswith(_APPEND_HEAD_SPACED):
        start = 48
    elif (match := _APPEND_HEAD.match(message, 0, _HEAD_BYTES)) is not None:
        start = match.end()
    else:
        return None
    end = len(message) - 2
    if message.find(b'"', start) != end or message[-1] != _BRACE or b"\\" in message:
        return None
    if message[end - 1] != _PADDING:
        return (end - start) * 3 // 4
    return _padded_size(message, start, end)


def appended_audio(message: bytes) -> str:
    """Return the base64 text in an `input_audio_buffer.append`, empty if there is none."""
    if appended_bytes(message) is not None:
        return message[message.rfind(b'"', 0, -2) + 1 : -2].decode("ascii", "replace")
    body = read_upstream(message)
    audio = None if body is None else body.get("audio")
    return audio if isinstance(audio, str) else ""


def cut_append(message: bytes, size_bytes: int) -> bytes | None:
    """Return an append of the audio without its first bytes; None if its audio cannot be read."""
    try:
        audio = base64.b64decode(appended_audio(message), validate=True)
    except (binascii.Error, ValueError):  # the upstream refuses it
        return None
    return encode({"type": "input_audio_buffer.append", "audio": base64.b64encode(audio[size_bytes:]).decode()})


def base64_bytes(text: str) -> int:
    """Return how many bytes a base64 text stands for."""
    return max(0, len(text) * 3 // 4 - text.endswith("=") - text.endswith("=="))


def audio_delta(message: bytes) -> tuple[str, int] | None:
    """Return whose audio a `response.output_audio.delta` holds, and how many bytes; None for any other message."""
    if not message.startswith(_DELTA_HEAD_TIGHT):
        return _other_audio_delta(message)
    item = message.find(b'"item_id":"', 30, _DELTA_HEAD_BYTES) + 11
    start = message.find(b'"delta":"', item, _DELTA_HEAD_BYTES) + 9
    end = len(message) - 2
    if item < 30 or start < item or message.find(b'"', start) != end or message[-1] != _BRACE:
        return _other_audio_delta(message)
    item_id = message[item : message.find(b'"', item)].decode("utf-8", "replace")
    if message[end - 1] != _PADDING:
        return item_id, (end - start) * 3 // 4
    return item_id, _padded_size(message, start, end)


def _other_audio_delta(message: bytes) -> tuple[str, int] | None:
    """Return the same where the fields stand in another order, or with white space."""
    if not message.startswith(_DELTA_HEADS) or not message.endswith(_ENDS):
        return None
    item_id = _ITEM_ID.search(message, 0, _DELTA_HEAD_BYTES)
    delta = _AUDIO_DELTA.search(message, 0, _DELTA_HEAD_BYTES)
    if item_id is None or delta is None:
        return None
    end = message.find(b'"', delta.end())
    return None if end < 0 else (item_id[1].decode("utf-8", "replace"), _padded_size(message, delta.end(), end))


def _padded_size(message: bytes, start: int, end: int) -> int:
    """Return how many bytes the base64 between two places stands for."""
    padding = message[max(start, end - 2) : end].count(b"=")
    return max(0, (end - start) * 3 // 4 - padding)


def encode(body: Json) -> bytes:
    """Return the message that holds an event."""
    try:
        return _ENCODER.encode(body)
    except (UnicodeEncodeError, OverflowError):  # half a surrogate pair, which JSON can escape
        return json.dumps(body, separators=(",", ":")).encode()


def read_upstream(message: bytes) -> Body | None:
    """Return an upstream's event, None if the message holds none."""
    try:
        body = _DECODER.decode(message)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return None
    return body if isinstance(body, dict) and isinstance(body.get("type"), str) else None


def read_client(message: bytes) -> Body:
    """Return a client's event.

    An object with the same key twice is refused: what we check must be what the upstream reads.

    Raises:
        ClientError: it is no JSON object with a type, with the client's `event_id` if it could be read.
    """
    try:
        body: Json = json.loads(message, object_pairs_hook=_unique, parse_constant=_no_number, parse_float=_finite)
    except ClientError:
        raise
    except RecursionError as error:
        raise unreadable("it is nested too deeply") from error
    except UnicodeDecodeError as error:
        raise unreadable("it is not valid UTF-8") from error
    except ValueError as error:
        raise unreadable(f"it could not be parsed as JSON: {error}") from error
    if not isinstance(body, dict):
        raise unreadable(f"expected a JSON object, but got {type_name(body)} instead")
    check_head(body)
    return body


def check_head(body: Body) -> None:
    """Check the type of a client's event; its other fields are the upstream's to check.

    Raises:
        ClientError: there is none, or it is no string.
    """
    event_id = event_id_of(body)
    if body.get("type") is None:
        raise missing_parameter("type").with_event_id(event_id)
    if not isinstance(body["type"], str):
        raise invalid_type("type", "a string", type_name(body["type"])).with_event_id(event_id)


def event_id_of(body: Body) -> str | None:
    """Return the client's id of its event, None if there is none that an error may repeat."""
    value = body.get("event_id")
    return value if isinstance(value, str) and len(value) <= MAX_EVENT_ID_LENGTH else None


def _unique(pairs: list[tuple[str, Json]]) -> Body:
    body = dict(pairs)
    if len(body) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise unreadable(f"the key '{twice[:100]}' stands twice in one object")
    return body


def _finite(text: str) -> float:
    value = float(text)
    return value if math.isfinite(value) else _no_number(text)


def _no_number(text: str) -> float:
    raise unreadable(f"{text} is no JSON number")
