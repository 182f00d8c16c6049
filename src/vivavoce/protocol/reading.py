"""Bytes to events of one union of wire types.

The fast path is one typed decode. Only a payload that fails it is read again, without types, to tolerate what the
API tolerates and to name the client's mistake.
"""

import re
from collections.abc import Callable
from typing import Any, Final, Generic, Protocol, TypeVar

import msgspec
from msgspec import inspect

from vivavoce.protocol import errors
from vivavoce.protocol.client_events import MAX_EVENT_ID_LENGTH
from vivavoce.protocol.errors import ClientError
from vivavoce.protocol.rejections import explain, supported_tags, type_name
from vivavoce.protocol.schema import Place, dotted, normalised

MAX_REREAD_VALUES: Final = 250_000  # bounds the untyped second reading of a rejected payload to about half a second

_HEAD_DECODER: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
_NO_OBJECT: Final = re.compile(r"Expected `object`, got `(\w+)`$")
_NUL_ESCAPE: Final = "\\u0000"
_NUL_ESCAPE_BYTES: Final = _NUL_ESCAPE.encode()


class ReadEvent(Protocol):
    """What all client events have."""

    @property
    def event_id(self) -> str | None: ...


E = TypeVar("E", bound=ReadEvent)


class EventReader(Generic[E]):
    """Reads the events of one union of structs that are tagged on `type`."""

    def __init__(self, union: Any) -> None:  # Any: a union is no type
        self._union = union
        self._decoder: msgspec.json.Decoder[E] = msgspec.json.Decoder(union)
        self._schema = inspect.type_info(union)
        self._types = supported_tags(self._schema)

    def read(self, payload: bytes | str, admit: Callable[[E], E]) -> E:
        """Return the event that a JSON text holds, as `admit` takes it; audio is decoded from base64.

        Raises:
            ClientError: with the API's code, the dotted parameter and the client's `event_id` if it could be read.
                Nothing else is raised, whatever the payload.
        """
        try:
            event = self._decoder.decode(payload)
        except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
            event = self._read_leniently(payload, error)
        try:
            admitted = admit(event)
            if _may_hold_nul(payload):
                _refuse_nul(event)
            return admitted
        except ClientError as error:
            raise error.with_event_id(event.event_id) from error

    def _read_leniently(self, payload: bytes | str, failure: Exception) -> E:
        """Return the event if all that is wrong is tolerated, else raise what is wrong."""
        event_id = None
        body: Any = None  # JSON boundary
        try:
            head = _HEAD_DECODER.decode(payload)
            event_id = _event_id(head.get("event_id"))
            self._check_type(head.get("type"))
            _check_size(payload)
            body = normalised(msgspec.json.decode(payload), self._schema)
            event: E = msgspec.convert(body, self._union)
            return event
        except ClientError as error:
            raise error.with_event_id(event_id) from failure
        except msgspec.ValidationError as error:
            raise self._explained(error, failure, body).with_event_id(event_id) from failure
        except msgspec.DecodeError as error:
            raise errors.unreadable(f"it could not be parsed as JSON: {error}", event_id) from failure
        except UnicodeError as error:
            raise errors.unreadable("it is not valid UTF-8", event_id) from error
        except RecursionError as error:
            raise errors.unreadable("it is nested too deeply", event_id) from error

    def _explained(self, error: msgspec.ValidationError, failure: Exception, body: Any) -> ClientError:
        if body is not None:
            return explain(error, body, self._schema)
        if match := _NO_OBJECT.match(str(error)):
            return errors.unreadable(f"expected a JSON object, but got {type_name(None, match[1])} instead")
        if isinstance(failure, msgspec.ValidationError) and "out of range" in str(failure):
            return explain(failure, None, self._schema)
        return errors.unreadable("a number is out of range")

    def _check_type(self, raw: msgspec.Raw | None) -> None:
        value = None if raw is None else msgspec.json.decode(raw)
        if value is None:
            raise errors.missing_parameter("type")
        if not isinstance(value, str):
            raise errors.invalid_type("type", "a string", type_name(value))
        if value not in self._types:
            raise errors.invalid_value(value, self._types, "type")


def _event_id(raw: msgspec.Raw | None) -> str | None:
    """Return the client's id for the event, None if there is none that an error may repeat."""
    value = None if raw is None else msgspec.json.decode(raw)
    return value if isinstance(value, str) and len(value) <= MAX_EVENT_ID_LENGTH else None


def _check_size(payload: bytes | str) -> None:
    """Raise if the payload may hold so many values that reading them as plain objects would stall other sessions."""
    text = payload.encode() if isinstance(payload, str) else payload
    if sum(text.count(mark) for mark in (b"{", b"[", b",")) > MAX_REREAD_VALUES:
        raise errors.unreadable(f"it breaks the types of its fields and holds more than {MAX_REREAD_VALUES} values")


def _may_hold_nul(payload: bytes | str) -> bool:
    """Return whether NUL is escaped in the payload; as a raw character it is no JSON."""
    return _NUL_ESCAPE in payload if isinstance(payload, str) else _NUL_ESCAPE_BYTES in payload


def _refuse_nul(event: ReadEvent) -> None:
    """Raise for the first string that holds NUL: databases and speech libraries cut or refuse such text.

    The event was admitted, so its nesting is bounded. Fields that the API ignores are not looked at.
    """
    pending: list[tuple[Place, Any]] = [((), msgspec.to_builtins(event, builtin_types=(bytes,)))]
    while pending:
        place, value = pending.pop()
        if isinstance(value, str) and "\0" in value:
            raise errors.invalid_content(dotted(place), "expected text without the NUL character")
        if isinstance(value, dict):
            if any("\0" in key for key in value):
                raise errors.invalid_content(dotted(place), "expected keys without the NUL character")
            pending.extend(((*place, key), member) for key, member in reversed(value.items()))
        elif isinstance(value, list | tuple):
            pending.extend(((*place, index), value[index]) for index in reversed(range(len(value))))
