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
    tools: tuple[Json, ...] = ()
    updates: tuple[Json, ...] = ()
    lifetime_s: float = 0.0


def _vad(**settings: object) -> Json:
    return {"turn_detection": {"type": "server_vad", "silence_duration_ms": 64, "prefix_padding_ms": 32, **settings}}


def _remote(require_approval: str) -> Json:
    url = "https://tools.example/mcp"
    return {"type": "mcp", "server_label": "remote", "server_url": url, "require_approval": require_approval}


_SHOWN: Final[Json] = {"transcription": {"model": "any"}}
_MANUAL: Final[Json] = {"turn_detection": None}

FAMILIES: Final = (
    Family(
        name="responses",
        about="written and spoken responses, one after the other, with cancels and function calls",
        bounds={"create": 2, "write": 1, "cancel": 1, "text": 2, "draft": 1, "call": 1, "chunk": 2, "fault": 1},
    ),
    Family(
        name="refusals",
        about="events that a session refuses, and results that come too late, in every state",
        input=_vad(),
        bounds={
            **{"create": 1, "cancel": 1, "commit": 1, "truncate": 1, "output": 1, "hear": 2},
            **{"text": 1, "call": 1, "chunk": 1, "late": 1, "dare": 1},
        },
    ),
    Family(
        name="asides",
        about="responses out of band beside the main one",
        bounds={"create": 1, "aside": 2, "cancel_id": 1, "text": 1, "chunk": 2, "fault": 1},
    ),
    Family(
        name="asides in turns",
        about="responses out of band while the user speaks, interrupts and is answered",
        input={**_vad(), **_SHOWN},
        bounds={"hear": 8, "aside": 1, "text": 1, "chunk": 1, "cancel": 1},
    ),
    Family(
        name="turns",
        about="detected turns that are answered, with transcripts in all orders",
        input={**_vad(), **_SHOWN},
        bounds={"hear": 11, "text": 1, "chunk": 1, "revise": 1, "empty": 1, "fault": 1},
    ),
    Family(
        name="barge-in",
        about="the user interrupts what is spoken, and the client tells what was heard",
        input=_vad(),
        bounds={"create": 1, "hear": 6, "text": 1, "chunk": 2, "truncate": 1},
    ),
    Family(
        name="undisturbed",
        about="turns that do not interrupt the response",
        input={**_vad(interrupt_response=False), **_SHOWN},
        bounds={"create": 1, "hear": 8, "text": 1, "chunk": 1, "cancel": 1, "empty": 1},
    ),
    Family(
        name="passive",
        about="turns that are not answered by themselves",
        input={**_vad(create_response=False), **_SHOWN},
        bounds={"hear": 6, "create": 1, "aside": 1, "text": 1, "chunk": 1},
    ),
    Family(
        name="push to talk",
        about="manual turns: append, clear, commit, create",
        input={**_MANUAL, **_SHOWN},
        bounds={"append": 7, "commit": 2, "clear": 1, "create": 1, "text": 1, "chunk": 1, "revise": 1, "fault": 1},
    ),
    Family(
        name="switching",
        about="turn detection is switched while the user speaks and is answered",
        input=_vad(),
        updates=(_MANUAL, _vad(), _vad(create_response=False), _vad(interrupt_response=False)),
        bounds={"update": 2, "hear": 6, "append": 2, "commit": 1, "text": 1, "chunk": 1},
    ),
    Family(
        name="windows",
        about="the detector lags behind the audio that is appended, cleared and committed",
        input={**_vad(), **_SHOWN},
        bounds={"append": 7, "score": 7, "commit": 1, "clear": 1, "deafen": 1, "text": 1},
    ),
    Family(
        name="truncation",
        about="what was spoken is cut, deleted and answered anew",
        bounds={"create": 2, "text": 2, "chunk": 2, "truncate": 2, "pause": 1, "cancel": 1, "delete": 1},
    ),
    Family(
        name="tools",
        about="function calls, their outputs in any order, items deleted meanwhile",
        bounds={"create": 2, "text": 1, "call": 2, "output": 2, "delete": 1, "cancel": 1, "chunk": 1},
    ),
    Family(
        name="limits",
        about="token limits and other ends of a generation before its text ends",
        bounds={"limit": 1, "create": 1, "text": 3, "draft": 2, "chunk": 2, "overlong": 1, "cancel": 1, "late": 1},
    ),
    Family(
        name="lost words",
        about="transcribers that fail, say nothing or are too late, while items are deleted",
        input={**_vad(), **_SHOWN},
        bounds={"hear": 8, "fault": 2, "revise": 1, "empty": 1, "delete": 1, "create": 1},
    ),
    Family(
        name="silence",
        about="the user says nothing and is prompted",
        input={**_vad(idle_timeout_ms=5000), **_SHOWN},
        bounds={"create": 1, "leap": 4, "hear": 3, "text": 1, "cancel": 1, "fault": 1},
    ),
    Family(
        name="meaning",
        about="turns that end by meaning",
        input={"turn_detection": {"type": "semantic_vad"}, **_SHOWN},
        bounds={"hear": 6, "leap": 2, "revise": 1, "text": 1, "chunk": 1},
    ),
    Family(
        name="verbatim",
        about="texts spoken as they stand, in the conversation and beside it",
        input=_vad(create_response=False),
        bounds={"say": 1, "say aside": 1, "hear": 3, "chunk": 2, "cancel_id": 1, "fault": 1},
    ),
    Family(
        name="remote tools",
        about="an MCP server is listed and called, round by round",
        tools=(_remote("never"),),
        bounds={"create": 1, "text": 1, "chunk": 1, "search": 2, "call": 1, "cancel": 1, "fault": 1},
    ),
    Family(
        name="approvals",
        about="calls of an MCP server that the client approves or denies",
        tools=(_remote("always"),),
        bounds={"create": 2, "search": 2, "approve": 2, "cancel": 1, "delete": 1, "fault": 1},
    ),
    Family(
        name="approvals in turns",
        about="calls are approved while the user speaks and is answered",
        input=_vad(),
        tools=(_remote("always"),),
        bounds={"create": 1, "hear": 6, "search": 1, "approve": 1, "text": 1, "chunk": 1},
    ),
    Family(
        name="ending",
        about="the server drains, the client goes, the session expires",
        input=_vad(),
        lifetime_s=60.0,
        bounds={
            **{"create": 1, "aside": 1, "hear": 5, "text": 1, "chunk": 1},
            **{"drain": 1, "kill": 1, "disconnect": 1, "expire": 1},
        },
    ),
)


def family_named(name: str) -> Family:
    """Return a family by its name."""
    return next(family for family in FAMILIES if family.name == name)


def session_of(family: Family) -> RealtimeSession:
    """Return the configuration that a family's session starts with."""
    plain = default_session(id="sess_1", model="vivavoce-local", voice="alloy", expires_at=0, instructions="Be kind.")
    update = _update(family.input, family.tools)
    return merge(plain, update.session)


def updates_of(family: Family) -> ClientEvents:
    """Return the updates that a family's client may send."""
    return tuple(map(_update, family.updates))


def policy_of(family: Family) -> SessionPolicy:
    """Return what the server allows a family's session."""
    return SessionPolicy(lifetime_s=family.lifetime_s, mcp_hosts=("tools.example",), scores_turns=True)


def _update(audio_input: Json, tools: tuple[Json, ...] = ()) -> SessionUpdate:
    session = {"type": "realtime", "audio": {"input": audio_input}, "tools": tools}
    event = decode_client_event(msgspec.json.encode({"type": "session.update", "session": session}))
    assert isinstance(event, SessionUpdate), "it says so"
    return event
