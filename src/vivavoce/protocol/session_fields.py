"""Fields of a session by their path, and which of them each kind of session has."""

from collections.abc import Iterable
from typing import Any, Final, Literal

import msgspec
from msgspec import UNSET

from vivavoce.protocol.errors import unknown_parameter, wrong_session_kind
from vivavoce.protocol.session import RealtimeSession, SessionPatch, TranscriptionAudio, TranscriptionSession

SessionKind = Literal["realtime", "transcription"]
EffectiveSession = RealtimeSession | TranscriptionSession

# Of an update, what a transcription session has too; its `audio` has no `output`.
_TRANSCRIPTION_FIELDS: Final = frozenset({"type", "model", "audio", "include", "vivavoce"})


def as_kind(session: RealtimeSession, kind: SessionKind) -> EffectiveSession:
    """Return the session as its kind shows it."""
    if kind == "realtime":
        return session
    return TranscriptionSession(
        id=session.id,
        expires_at=session.expires_at,
        audio=TranscriptionAudio(input=session.audio.input),
        include=session.include,
        vivavoce=session.vivavoce,
    )


def check_kind(update: SessionPatch, kind: SessionKind) -> None:
    """Refuse an update that is for another kind of session, or sets what this kind does not have.

    Raises:
        ClientError: naming the field; an update for the other kind has neither code nor field.
    """
    if update.type != kind:
        raise wrong_session_kind(update.type, kind)
    if kind == "realtime":
        return
    for name in update.__struct_fields__:
        if name not in _TRANSCRIPTION_FIELDS and getattr(update, name) not in (None, UNSET):
            raise unknown_parameter(f"session.{name}")
    if update.audio is not None and update.audio.output is not None:
        raise unknown_parameter("session.audio.output")


# Any: a session's fields are of many types.
def value_at(session: msgspec.Struct, path: str) -> Any:
    """Return what a session has at a dotted path; what is absent is None."""
    value: Any = session
    for name in path.split("."):
        value = None if value is UNSET else getattr(value, name, None)
    return None if value is UNSET else value


def in_use(session: msgspec.Struct, paths: Iterable[str]) -> tuple[str, ...]:
    """Return those paths at which the session holds something."""
    return tuple(path for path in paths if value_at(session, path) not in (None, (), ""))
