"""The one object under which our additions to the wire live: `vivavoce` inside the session."""

from typing import Final

import msgspec
from msgspec import UNSET, UnsetType

EXTENSION_EVENTS: Final[tuple[str, ...]] = ()  # types of extension events that a client may opt in to


class EngineStages(msgspec.Struct, frozen=True, kw_only=True):
    """Which engine does each part of the work, by its name."""

    vad: str
    stt: str
    llm: str
    tts: str


class SessionExtension(msgspec.Struct, frozen=True, kw_only=True):
    """`session.vivavoce` as the server echoes it."""

    engine: str | UnsetType = UNSET  # which engine serves the session
    stages: EngineStages | UnsetType = UNSET
    ignored: tuple[str, ...] = ()  # accepted fields, by their path in the session, that have no effect here
    events: tuple[str, ...] = ()  # extension events that this client receives


class ExtensionPatch(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`session.vivavoce` as a client may send it."""

    events: tuple[str, ...] | None = None
