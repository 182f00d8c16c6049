"""The rows of the event matrix: each event, each session and response field, each error code of the wire.

Events and fields come from the wire types, so a new one is a new row. Paths of fields are dotted; `[]` stands for the
members of a list, ` = tag` for one of several shapes an object may have.
"""

import functools
from collections.abc import Iterator, Mapping
from typing import Any, Final, Literal

import msgspec
from msgspec import inspect

from vivavoce.protocol.client_events import ClientEvent
from vivavoce.protocol.responses import ResponseParams
from vivavoce.protocol.server_events import ServerEvent
from vivavoce.protocol.session import SessionPatch, TranscriptionSession

Kind = Literal["client event", "server event", "session", "transcription session", "response.create", "error code"]
KINDS: Final[tuple[Kind, ...]] = (
    "client event",
    "server event",
    "session",
    "transcription session",
    "response.create",
    "error code",
)


class Row(msgspec.Struct, frozen=True, order=True):
    """One thing of the wire that a test has to show on a real connection."""

    kind: Kind
    name: str


# Error codes that this server raises. Those that the API documents and that need a hosted account (billing,
# an unknown hosted model) have no row. A code without a text of its own stands under a name in parentheses.
SESSION_KIND: Final = "(another kind of session)"
SERVER_ERROR: Final = "(server_error)"
ERROR_CODES: Final = (
    "invalid_event",
    "invalid_value",
    "invalid_type",
    "unknown_parameter",
    "missing_required_parameter",
    "integer_below_min_value",
    "integer_above_max_value",
    "decimal_below_min_value",
    "decimal_above_max_value",
    "input_audio_buffer_commit_empty",
    "input_audio_buffer_full",
    "conversation_already_has_active_response",
    "response_cancel_not_active",
    "bad_response_create",
    "item_create_invalid_previous_item_id",
    "item_create_duplicate_item_id",
    "item_retrieve_invalid_item_id",
    "item_truncate_invalid_item_id",
    "item_delete_invalid_item_id",
    "cannot_update_voice",
    "parameter_locked",
    "prompt_not_found",
    "session_expired",
    "session_closing",
    "engine_unavailable",
    "engine_timeout",
    "server_error",
    "storage_unavailable",
    "rate_limit_exceeded",
    "insufficient_quota",
    "invalid_api_key",
    "ephemeral_token_expired",
    "insufficient_permissions",
    "client_secret_not_found",
    "model_not_found",
    "call_id_not_found",
    "beta_api_shape_disabled",
    "asset_not_found",
    "fetch_in_progress",
    SESSION_KIND,
    SERVER_ERROR,
)

SIP: Final = "needs telephony (SIP), which the server does not have"
CALLS: Final = "needs calls (WebRTC), which the server does not have yet"
STORAGE: Final = "needs storage, which the server does not have yet"
PENDING: Final[dict[Row, str]] = {
    Row("server event", "input_audio_buffer.dtmf_event_received"): SIP,
    Row("server event", "output_audio_buffer.started"): CALLS,
    Row("server event", "output_audio_buffer.stopped"): CALLS,
    Row("server event", "output_audio_buffer.cleared"): CALLS,
    Row("error code", "storage_unavailable"): STORAGE,
}


def all_rows() -> tuple[Row, ...]:
    """Return the rows in the order of the page."""
    named: dict[Kind, Iterator[str]] = {
        "client event": iter(sorted(event_types(ClientEvent))),
        "server event": iter(sorted(event_types(ServerEvent))),
        "session": _paths(inspect.type_info(SessionPatch)),
        "transcription session": _paths(inspect.type_info(TranscriptionSession)),
        "response.create": _paths(inspect.type_info(ResponseParams)),
        "error code": iter(ERROR_CODES),
    }
    rows = [Row(kind, name) for kind in KINDS for name in dict.fromkeys(named[kind])]
    return tuple(row for row in rows if row.name not in NOT_SHOWN.get(row.kind, ()))


@functools.cache
def known_rows() -> frozenset[Row]:
    """Return the rows, for looking them up."""
    return frozenset(all_rows())


# What the types have and no client sends: the server's own words about a transcription session.
NOT_SHOWN: Final[dict[Kind, tuple[str, ...]]] = {
    "transcription session": (
        "object",
        "id",
        "expires_at",
        *(f"vivavoce.{n}" for n in ("engine", "stages", "ignored")),
    ),
}
# Where the fields of members are not rows of their own: items of a response's input are those of the conversation.
WHOLE: Final = ("input", "vivavoce.stages", "vivavoce.cost")


def event_types(union: Any) -> list[str]:  # a union of event structs, or one alone
    """Return the wire names of the events of a union."""
    (info,) = inspect.multi_type_info([union])
    return [str(struct.tag) for struct in _structs(info)]


def _structs(kind: inspect.Type) -> list[inspect.StructType]:
    alternatives = kind.types if isinstance(kind, inspect.UnionType) else (kind,)
    return [alternative for alternative in alternatives if isinstance(alternative, inspect.StructType)]


def _paths(kind: inspect.Type, path: str = "") -> Iterator[str]:
    """The rows below a type: its fields, the shapes of each, and the fields of those."""
    structs = _structs(kind)
    for struct in structs:
        if path and len(structs) > 1:
            yield f"{path} = {struct.tag}"
        for field in struct.fields if path not in WHOLE else ():
            below = f"{path}.{field.encode_name}".removeprefix(".")
            yield below
            yield from _paths(field.type, below)
    members = [part for part in _alternatives(kind) if isinstance(part, inspect.VarTupleType | inspect.ListType)]
    for member in members:
        if _structs(member.item_type):
            yield from _paths(member.item_type, path if path in WHOLE else f"{path}[]")


def _alternatives(kind: inspect.Type) -> tuple[inspect.Type, ...]:
    return kind.types if isinstance(kind, inspect.UnionType) else (kind,)


def paths_in(value: Any, path: str = "") -> Iterator[str]:  # JSON boundary: a session or a response as it was sent
    """The rows that a JSON object touches, by the names that `all_rows` has; others too, which are no rows."""
    if isinstance(value, Mapping):
        if path and isinstance(value.get("type"), str):
            yield f"{path} = {value['type']}"
        for key, member in value.items():
            below = f"{path}.{key}".removeprefix(".")
            yield below
            yield from paths_in(member, below)
    elif isinstance(value, list | tuple):
        for member in value:
            yield from paths_in(member, path if path in WHOLE else f"{path}[]")
