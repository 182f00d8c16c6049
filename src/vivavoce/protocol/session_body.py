"""Session objects outside events: in the body of a REST request and in the parts of a call.

A body is taken apart first, so that its session object is read by the very code that reads `session.update`.
"""

from collections.abc import Callable, Collection, Mapping
from typing import Annotated, Any, Final, Literal, TypeVar

import msgspec
from msgspec import Meta, inspect

from vivavoce.protocol import errors
from vivavoce.protocol.client_events import SessionUpdate
from vivavoce.protocol.codec import decode_client_event
from vivavoce.protocol.misspellings import suggested
from vivavoce.protocol.rejections import explain
from vivavoce.protocol.schema import normalised
from vivavoce.protocol.session import VOICES, SessionPatch

MIN_SECRET_S: Final = 10
MAX_SECRET_S: Final = 7_200
DEFAULT_SECRET_S: Final = 600

RelayedSession = dict[str, Any]  # JSON boundary: a session object as it came, for an upstream to judge
_JUDGED_HERE: Final = ("type", "model", "vivavoce")  # of such an object

_T = TypeVar("_T", bound=msgspec.Struct)
Fields = dict[str, msgspec.Raw]


class ExpiresAfter(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How long a client secret lives, from its creation."""

    anchor: Literal["created_at"] = "created_at"
    seconds: Annotated[int, Meta(ge=MIN_SECRET_S, le=MAX_SECRET_S)] = DEFAULT_SECRET_S


class SecretBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of a request for a client secret."""

    expires_after: ExpiresAfter | None = None
    session: SessionPatch | None = None

    @property
    def lifetime_s(self) -> int:
        return DEFAULT_SECRET_S if self.expires_after is None else self.expires_after.seconds


class AskedSecret(msgspec.Struct, frozen=True):
    """A request for a client secret. `relayed` is the session object as it came, where an upstream judges it: then the
    body's session holds only what this server judges of it.
    """

    body: SecretBody
    relayed: RelayedSession | None = None


class _SecretFrame(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of a request for a client secret without its session."""

    expires_after: ExpiresAfter | None = None


# Any: a session object as JSON has it, or `msgspec.Raw` with its text.
def decode_session(body: Any, voices: Collection[str] = VOICES) -> SessionPatch:
    """Return the session object if `session.update` would take it.

    Raises:
        ClientError: as for `session.update`, with its code, text and parameter (`session.audio.output.voice`).
    """
    event = decode_client_event(msgspec.json.encode({"type": "session.update", "session": body}), voices)
    assert isinstance(event, SessionUpdate), "the type says so"
    return event.session


def decode_relayed_session(body: RelayedSession) -> SessionPatch:
    """Return what this server judges of a session object that is for an upstream; raises as `decode_session`."""
    return decode_session({name: value for name, value in body.items() if name in _JUDGED_HERE})


def decode_secret_body(payload: bytes, voices: Collection[str] = VOICES) -> SecretBody:
    """Return the body of a request for a client secret; an empty one asks for nothing in particular.

    Raises:
        ClientError: what is wrong with it, for a 400 answer. Nothing else is raised, whatever the payload.
    """
    return decode_asked_secret(payload, lambda model: False, voices).body


def decode_asked_secret(
    payload: bytes, relays: Callable[[str | None], bool], voices: Collection[str] = VOICES
) -> AskedSecret:
    """As `decode_secret_body`; `relays` tells whether sessions of a model go to an upstream."""
    fields = body_fields(payload)
    session = fields.pop("session", None)
    expires_after = decode_fields(fields, _SecretFrame, ("session",)).expires_after
    if session is None or bytes(session) == b"null":
        return AskedSecret(SecretBody(expires_after=expires_after))
    relayed = relayed_session(session, relays)
    patch = decode_session(session, voices) if relayed is None else decode_relayed_session(relayed)
    return AskedSecret(SecretBody(expires_after=expires_after, session=patch), relayed)


def relayed_session(session: msgspec.Raw, relays: Callable[[str | None], bool]) -> RelayedSession | None:
    """Return a session object if it is for an upstream; None for one that is judged here."""
    try:
        body = msgspec.json.decode(session)
    except (msgspec.DecodeError, RecursionError):
        return None
    return body if isinstance(body, dict) and relays(_model_of(body)) else None


def _model_of(body: RelayedSession) -> str | None:
    """Return the model by which a session is relayed or not; of a transcription session none counts."""
    model = body.get("model")
    return model if isinstance(model, str) and body.get("type") != "transcription" else None


def body_fields(payload: bytes) -> Fields:
    """Return the members of a JSON object as texts; an empty payload has none.

    Raises:
        ClientError: the payload is no JSON object.
    """
    try:
        payload.decode()
        return msgspec.json.decode(payload or b"{}", type=Fields)
    except UnicodeError as error:
        raise unreadable_body("it is not valid UTF-8") from error
    except RecursionError as error:
        raise unreadable_body("it is nested too deeply") from error
    except msgspec.ValidationError as error:
        raise unreadable_body("expected a JSON object") from error
    except msgspec.DecodeError as error:
        raise unreadable_body(str(error)) from error


def decode_fields(fields: Mapping[str, msgspec.Raw], type_: type[_T], beside: Collection[str] = ()) -> _T:
    """Return members of a body as a struct that has no session object in it; nulls are taken for absent keys.

    Args:
        beside: members that the body may have as well, for naming the one that a misspelt one means.

    Raises:
        ClientError: a member is not as the type says, or is not in it.
    """
    for name in fields:
        if name not in type_.__struct_fields__:
            raise suggested(errors.unknown_parameter(errors.quoted(name)), (*type_.__struct_fields__, *beside))
    schema = inspect.type_info(type_)
    body = normalised(builtins_of(fields), schema)
    try:
        return msgspec.convert(body, type_)
    except msgspec.ValidationError as error:
        raise explain(error, body, schema) from error


def builtins_of(fields: Mapping[str, msgspec.Raw]) -> dict[str, Any]:  # JSON boundary
    """Return members of a body as plain objects.

    Raises:
        ClientError: a number cannot be kept, or they are nested too deeply.
    """
    try:
        return {name: msgspec.json.decode(text) for name, text in fields.items()}
    except RecursionError as error:
        raise unreadable_body("it is nested too deeply") from error
    except msgspec.ValidationError as error:
        raise unreadable_body("a number is out of range") from error
    except msgspec.DecodeError as error:
        raise unreadable_body(str(error)) from error


def unreadable_body(reason: str) -> errors.ProtocolError:
    """The body of a request is not a JSON object that can be read."""
    return errors.ProtocolError(None, f"The body of the request cannot be read: {reason}.")
