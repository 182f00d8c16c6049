"""The lines of a trace: JSON objects, each with a line feed. See docs/guides/traces.md."""

import functools
import re
from typing import Any, Final

import msgspec
from msgspec import UNSET, inspect

from vivavoce.core.vocabulary import PlayAudio
from vivavoce.protocol.client_events import ClientEvent
from vivavoce.protocol.server_events import ServerEvent
from vivavoce.protocol.session import Tracing

VERSION: Final = 1
MAX_EVENT_BYTES: Final = 256 * 1024  # of JSON; a larger event is traced without its fields
HIDDEN: Final = "***"

_SECRET_KEYS: Final = frozenset({"authorization", "headers"})  # of MCP servers
_USER: Final = re.compile(r"//[^/?#]*@")  # keys are also put into URLs
_QUERY: Final = re.compile(r"\?[^#]*")
_ENCODER: Final = msgspec.json.Encoder()

Json = Any  # JSON boundary: events as a JSON library shows them


def head_line(session_id: str, unix_s: int, labels: Tracing) -> bytes:
    """Return the first line: whose trace it is, when it began, and the client's labels."""
    head = {"trace": VERSION, "session_id": session_id, "started_unix_s": unix_s}
    given = {name: getattr(labels, name) for name in ("workflow_name", "group_id", "metadata")}
    return _line({**head, **{name: value for name, value in given.items() if value is not UNSET}})


def event_line(elapsed_ms: float, sender: str, event: ClientEvent | ServerEvent | PlayAudio) -> bytes:
    """Return the line of an event; audio is replaced by its length and credentials by asterisks."""
    shown = _encoded(event)
    name = _type_of(event)
    if len(shown) > MAX_EVENT_BYTES:
        shown = _ENCODER.encode({"type": name, "event_id": event.event_id, "omitted_bytes": len(shown)})
    return _line({"ms": elapsed_ms, "from": sender, "type": name, "event": msgspec.Raw(shown)})


def trailer_line(elapsed_ms: float, events: int, dropped: int) -> bytes:
    """Return the last line: how many events were written, and how many were not."""
    return _line({"ms": elapsed_ms, "events": events, "dropped": dropped})


def _line(content: dict[str, Json]) -> bytes:
    return _ENCODER.encode(content) + b"\n"


def _type_of(event: ClientEvent | ServerEvent | PlayAudio) -> str:
    return "response.output_audio.delta" if isinstance(event, PlayAudio) else str(event.__struct_config__.tag)


def _encoded(event: ClientEvent | ServerEvent | PlayAudio) -> bytes:
    if isinstance(event, PlayAudio):
        return _ENCODER.encode(_shown_audio(event))
    if not holds_what_is_hidden(type(event)):
        return _ENCODER.encode(event)
    return _ENCODER.encode(shown(msgspec.to_builtins(event, builtin_types=(bytes,))))


def _shown_audio(audio: PlayAudio) -> dict[str, Json]:
    return {
        "type": "response.output_audio.delta",
        "event_id": audio.event_id,
        "response_id": audio.response_id,
        "item_id": audio.item_id,
        "output_index": audio.output_index,
        "content_index": audio.content_index,
        "delta": shown(audio.audio),
    }


def shown(value: Json) -> Json:
    """Return a JSON value with bytes as their number and without credentials, also those in the URLs of servers."""
    match value:
        case bytes():
            return f"{len(value)} bytes"
        case dict():
            return {key: _shown_member(key, member) for key, member in value.items()}
        case list() | tuple():
            return [shown(member) for member in value]
        case _:
            return value


def _shown_member(key: str, value: Json) -> Json:
    if key in _SECRET_KEYS:
        return _hidden(value)
    if key == "server_url" and isinstance(value, str):
        return _QUERY.sub("?***", _USER.sub("//***@", value))
    return shown(value)


def _hidden(value: Json) -> Json:
    """Return a credential as a trace shows it: that it is there, and the names of headers."""
    if isinstance(value, dict):
        return dict.fromkeys(value, HIDDEN)
    return None if value is None else HIDDEN


@functools.cache
def holds_what_is_hidden(event_type: type[msgspec.Struct]) -> bool:
    """Return whether events of a type can hold audio or credentials; most cannot, and are encoded as they are."""
    pending: list[inspect.Type] = [inspect.type_info(event_type)]
    seen: set[type] = set()
    while pending:
        node = pending.pop()
        if isinstance(node, inspect.BytesType):
            return True
        if isinstance(node, inspect.StructType):
            if node.cls not in seen:
                seen.add(node.cls)
                if any(field.encode_name in _SECRET_KEYS for field in node.fields):
                    return True
                pending.extend(field.type for field in node.fields)
        else:
            pending.extend(_parts(node))
    return False


def _parts(node: inspect.Type) -> list[inspect.Type]:
    match node:
        case inspect.UnionType(types=types):
            return list(types)
        case inspect.VarTupleType(item_type=item_type) | inspect.ListType(item_type=item_type):
            return [item_type]
        case inspect.TupleType(item_types=item_types):
            return list(item_types)
        case inspect.DictType(value_type=value_type):
            return [value_type]
        case _:
            return []
