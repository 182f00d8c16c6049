"""The families of the model: which steps may be taken how often, so that each machine meets each other one.

A bound counts steps that have an effect; an event that the session refuses is tried in every state. Not bounded are
the ends of what engines were asked for and the passing of time.
"""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from vivavoce.core.policy import SessionPolicy
from vivavoce.protocol.client_events import SessionUpdate
from vivavoce.protocol.codec import decode_client_event
from vivavoce.protocol.session import RealtimeSession, default_session, merge
from vivavoce.testing.model_steps import ClientEvents

Json = dict[str, Any]  # JSON boundary: parts of session.update


class Family(msgspec.Struct, frozen=True, kw_only=True):
    """A bounded set of steps. `input` is `session.audio.input` at the start, `updates` are what may be changed."""

    name: str
    about: str
    bounds: Mapping[str, int]
    input: Json = msgspec.field(default_factory=lambda: {"turn_detection": None})
    updates: tuple[Json, ...] = ()
    lifetime_s: float = 0.0


def _vad(**settings: object) -> Json:
    return {"turn_detection": {"type": "server_vad", "silence_duration_ms": 64, "prefix_padding_ms": 32, **settings}}


_SHOWN: Final[Json] = {"transcription": {"model": "any"}}
_MANUAL: Final[Json] = {"turn_detection": None}

FAMILIES: Final = (
    Family(
        name="responses",
        about="written and spoken responses, one after the other, with cancels and function calls",
        bounds={"create": 2, "write": 1, "cancel": 1, "text": 2, "draft": 1, "call": 1, "chunk": 2, "fault": 1},
    ),
    Family(
        name="asides",
        about="responses out of band beside the main one",
        bounds={"create": 1, "aside": 2, "cancel_id": 1, "text": 2, "call": 1, "chunk": 2, "late": 1},
    ),
    Family(
        name="turns",
        about="detected turns that are answered, with transcripts in all orders",
        input={**_vad(), **_SHOWN},
        bounds={"hear": 9, "text": 1, "chunk": 1, "revise": 1, "empty": 1, "fault": 1},
    ),
)


def family_named(name: str) -> Family:
    """Return a family by its name."""
    return next(family for family in FAMILIES if family.name == name)


def session_of(family: Family) -> RealtimeSession:
    """Return the configuration that a family's session starts with."""
    plain = default_session(id="sess_1", model="vivavoce-local", voice="alloy", expires_at=0, instructions="Be kind.")
    update = _update(family.input)
    return merge(plain, update.session)


def updates_of(family: Family) -> ClientEvents:
    """Return the updates that a family's client may send."""
    return tuple(map(_update, family.updates))


def policy_of(family: Family) -> SessionPolicy:
    """Return what the server allows a family's session."""
    return SessionPolicy(lifetime_s=family.lifetime_s)


def _update(audio_input: Json) -> SessionUpdate:
    session = {"type": "realtime", "audio": {"input": audio_input}}
    event = decode_client_event(msgspec.json.encode({"type": "session.update", "session": session}))
    assert isinstance(event, SessionUpdate), "it says so"
    return event
