"""What a client secret keeps its holder from changing: `session.vivavoce.locked` holds paths in the session.

A locked path covers everything below it. Whatever a client may set a session with passes through here: updates,
responses, system messages, the query and the session part of other requests.
"""

from collections.abc import Collection
from typing import Final

from vivavoce.protocol.client_events import ClientEvent, ConversationItemCreate, ResponseCreate
from vivavoce.protocol.errors import ClientError, invalid_value
from vivavoce.protocol.items import Message
from vivavoce.protocol.responses import ResponseParams
from vivavoce.protocol.session_fields import EffectiveSession, value_at

# What may be locked. The parts of `audio` can be locked as a whole or one by one.
LOCKABLE: Final = (
    "model",
    "output_modalities",
    "instructions",
    "tools",
    "tool_choice",
    "max_output_tokens",
    "tracing",
    "truncation",
    "prompt",
    "include",
    "parallel_tool_calls",
    "reasoning",
    "audio",
    "audio.input",
    "audio.input.format",
    "audio.input.transcription",
    "audio.input.noise_reduction",
    "audio.input.turn_detection",
    "audio.output",
    "audio.output.format",
    "audio.output.voice",
    "audio.output.speed",
    "vivavoce.pre_roll_ms",
    "vivavoce.events",
    "vivavoce.cost",
    "vivavoce.say",
)
# Words that stand in for the instructions when these are locked.
_AS_INSTRUCTIONS: Final = ("prompt", "vivavoce.say")


def parameter_locked(param: str) -> ClientError:
    """The client may not set this (our own code)."""
    return ClientError("parameter_locked", f"The parameter '{param}' is locked for this client.", param)


def check_locks(paths: Collection[str], param: str) -> None:
    """Refuse locks on what does not exist.

    Raises:
        ClientError: `invalid_value`, naming what can be locked.
    """
    for index, path in enumerate(paths):
        if path not in LOCKABLE:
            raise invalid_value(path, LOCKABLE, f"{param}[{index}]")


def is_locked(locked: Collection[str], path: str) -> bool:
    """Tell whether a path is locked: itself, what holds it, or the instructions that it would stand in for."""
    if path in _AS_INSTRUCTIONS and "instructions" in locked:
        return True
    return any(path == lock or path.startswith(f"{lock}.") for lock in locked)


def refuse_locked(locked: Collection[str], path: str, param: str) -> None:
    """Refuse a parameter that sets `path` of the session.

    Raises:
        ClientError: `parameter_locked`, naming `param`.
    """
    if is_locked(locked, path):
        raise parameter_locked(param)


def refuse_locked_changes(
    locked: Collection[str], before: EffectiveSession, after: EffectiveSession, param: str = "session"
) -> None:
    """Refuse a session, however it came about, that differs where it is locked; repeating a value is no change.

    Raises:
        ClientError: `parameter_locked`.
    """
    for path in LOCKABLE:
        if is_locked(locked, path) and value_at(before, path) != value_at(after, path):
            raise parameter_locked(f"{param}.{path}")


def refuse_locked_event(locked: Collection[str], session: EffectiveSession, event: ClientEvent) -> None:
    """Refuse a response or a system message that sets what is locked in the session.

    Raises:
        ClientError: `parameter_locked`.
    """
    if not locked:
        return
    match event:
        case ResponseCreate(response=ResponseParams() as params):
            _refuse_params(locked, session, params)
        case ConversationItemCreate(item=Message(role="system")):
            refuse_locked(locked, "instructions", "item.role")
        case _:
            pass


def _refuse_params(locked: Collection[str], session: EffectiveSession, params: ResponseParams) -> None:
    given = {name: getattr(params, name) for name in LOCKABLE if getattr(params, name, None) is not None}
    given.pop("audio", None)
    given["audio.output.voice"], given["audio.output.format"] = params.voice, params.format
    given["vivavoce.say"] = None if params.vivavoce is None else params.vivavoce.say
    for path, value in given.items():
        if value is not None and value != value_at(session, path):
            refuse_locked(locked, path, f"response.{path}")
    for index, item in enumerate(params.input or ()):
        if isinstance(item, Message) and item.role == "system":
            refuse_locked(locked, "instructions", f"response.input[{index}].role")
