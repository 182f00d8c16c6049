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


class SessionCost(msgspec.Struct, frozen=True, kw_only=True):
    """What a session has cost so far, in US dollars by the price list of `prices`."""

    usd: float = 0.0
    usd_per_min: float = 0.0  # over the time since the session began
    responses: int = 0
    cached_share: float = 0.0  # of the input tokens, in [0, 1]
    budget_usd: float | None = None  # of the key; null: none
    spent_usd: float | None = None  # by all sessions of the key within its budget's time; null without a budget
    prices: str = ""  # date of the price list
    unpriced: tuple[str, ...] = ()  # models that it does not have: they count nothing


class ResponseCost(msgspec.Struct, frozen=True, kw_only=True):
    """What a response has cost, in US dollars, and what its session has cost with it."""

    usd: float
    session: SessionCost


class ResponseReport(msgspec.Struct, frozen=True, kw_only=True):
    """`response.vivavoce` as the server sends it."""

    cost: ResponseCost


class SessionExtension(msgspec.Struct, frozen=True, kw_only=True):
    """`session.vivavoce` as the server echoes it."""

    engine: str | UnsetType = UNSET  # which engine serves the session
    stages: EngineStages | UnsetType = UNSET
    ignored: tuple[str, ...] = ()  # accepted fields, by their path in the session, that have no effect here
    events: tuple[str, ...] = ()  # extension events that this client receives
    locked: tuple[str, ...] = ()  # paths in the session that this client may not change
    pre_roll_ms: int = 0  # audio that `input_audio_buffer.clear` keeps while there is no turn detection
    cost: SessionCost | UnsetType = UNSET  # only for clients that asked for it


class ExtensionPatch(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`session.vivavoce` as a client may send it."""

    events: tuple[str, ...] | None = None
    locked: tuple[str, ...] | None = None  # only in the session of a client secret
    pre_roll_ms: Annotated[int, Meta(ge=0, le=MAX_PRE_ROLL_MS)] | None = None
    cost: bool | None = None  # show what the session costs


class ResponseExtension(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`response.vivavoce` as a client may send it."""

    say: Annotated[str, Meta(min_length=1, max_length=MAX_SAY_CHARACTERS)] | None = None  # spoken exactly; no model
