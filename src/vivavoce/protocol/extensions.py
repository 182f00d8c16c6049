"""The one object under which our additions to the wire live: `vivavoce` inside the session."""

from typing import Annotated, Final

import msgspec
from msgspec import UNSET, Meta, UnsetType

EXTENSION_EVENTS: Final[tuple[str, ...]] = ()  # types of extension events that a client may opt in to
MAX_PRE_ROLL_MS: Final = 2_000
MAX_SAY_CHARACTERS: Final = 65_536


class EngineStages(msgspec.Struct, frozen=True, kw_only=True):
    """Which engine does each part of the work, by its name."""

    vad: str
    stt: str
    llm: str
    tts: str
    noise: str | UnsetType = UNSET  # reduces noise where the session asks for it
    turn: str | UnsetType = UNSET  # hears whether a turn is complete, with `semantic_vad`


class SessionExtension(msgspec.Struct, frozen=True, kw_only=True):
    """`session.vivavoce` as the server echoes it."""

    engine: str | UnsetType = UNSET  # which engine serves the session
    stages: EngineStages | UnsetType = UNSET
    ignored: tuple[str, ...] = ()  # accepted fields, by their path in the session, that have no effect here
    events: tuple[str, ...] = ()  # extension events that this client receives
    locked: tuple[str, ...] = ()  # paths in the session that this client may not change
    pre_roll_ms: int = 0  # audio that `input_audio_buffer.clear` keeps while there is no turn detection


class ExtensionPatch(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`session.vivavoce` as a client may send it."""

    events: tuple[str, ...] | None = None
    locked: tuple[str, ...] | None = None  # only in the session of a client secret
    pre_roll_ms: Annotated[int, Meta(ge=0, le=MAX_PRE_ROLL_MS)] | None = None


class ResponseExtension(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`response.vivavoce` as a client may send it."""

    say: Annotated[str, Meta(min_length=1, max_length=MAX_SAY_CHARACTERS)] | None = None  # spoken exactly; no model
