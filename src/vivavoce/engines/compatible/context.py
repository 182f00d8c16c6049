"""The conversation as hosted chat models take it: every call directly followed by its output, nothing empty, no two
messages of one role side by side.

A call whose output came after somebody had spoken again stands where its output stands: an output apart from its call
is refused by the APIs, and a conversation that ends in the assistant's words would be continued, not answered. A call
that is still open gets a placeholder. An output whose call was left out of the context is left out too.
"""

from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from vivavoce.core.requests import ContextImage, ContextItem, ContextMessage, ContextToolCall, ContextToolOutput

STILL_OPEN: Final = "The function is still running. Its result is not known yet."
CUT_MARK: Final = " … [interrupted by the user]"
UNSEEN: Final = "[The user showed a picture. You cannot see pictures.]"
FUNCTION: Final = "function:"  # the prefix of a tool choice that names a function


class Spoken(msgspec.Struct, frozen=True):
    """A message with text, pictures or both."""

    role: str
    text: str
    images: tuple[ContextImage, ...] = ()


class AnsweredCall(msgspec.Struct, frozen=True):
    """A function call and what it returned, or the placeholder."""

    call: ContextToolCall
    output: str


class Calls(msgspec.Struct, frozen=True):
    """Calls that were made together."""

    calls: tuple[AnsweredCall, ...]


def arranged(items: Iterable[ContextItem], sees_images: bool, instructions: str = "") -> list[Spoken | Calls]:
    """Return the conversation in the order described above; pictures become a note where they cannot be seen.

    Instructions come first, as a system message; empty: none.
    """
    first = [Spoken("system", instructions)] if instructions.strip() else []
    return _joined([*first, *_ordered(tuple(items), sees_images)])


def _joined(turns: Iterable[Spoken | Calls]) -> list[Spoken | Calls]:
    """Make one message of neighbours with the same role: the templates of many models refuse them."""
    joined: list[Spoken | Calls] = []
    for turn in turns:
        last = joined[-1] if joined else None
        if isinstance(turn, Spoken) and isinstance(last, Spoken) and turn.role == last.role:
            text = "\n".join(filter(None, (last.text, turn.text)))
            joined[-1] = Spoken(turn.role, text, last.images + turn.images)
        else:
            joined.append(turn)
    return joined


def _ordered(items: tuple[ContextItem, ...], sees_images: bool) -> list[Spoken | Calls]:
    answers = _answers(items)
    late = _late(items)
    arranged: list[Spoken | Calls] = []
    together: list[AnsweredCall] = []
    has_answers = False  # whether an output of `together` has passed: a call after it belongs to another round
    for item in items:
        call = _call_here(item, late, answers)
        if together and (isinstance(item, ContextMessage) or (call is not None and has_answers)):
            arranged.append(Calls(tuple(together)))
            together, has_answers = [], False
        if isinstance(item, ContextMessage):
            arranged += _spoken(item, sees_images)
        elif call is not None:
            together.append(call)
        has_answers = has_answers or isinstance(item, ContextToolOutput)
    return [*arranged, Calls(tuple(together))] if together else arranged


def _answers(items: Iterable[ContextItem]) -> Mapping[str, str]:
    outputs = (item for item in items if isinstance(item, ContextToolOutput))
    return {item.call_id: item.output for item in outputs if item.output is not None}


def _late(items: Iterable[ContextItem]) -> Mapping[str, ContextToolCall]:
    """Return the calls whose output stands after a message that stands after them."""
    waiting: dict[str, ContextToolCall] = {}
    overtaken: dict[str, ContextToolCall] = {}
    late: dict[str, ContextToolCall] = {}
    for item in items:
        if isinstance(item, ContextToolCall):
            waiting[item.call_id] = item
        elif isinstance(item, ContextMessage):
            overtaken |= waiting
            waiting.clear()
        elif item.output is not None and item.call_id in overtaken:
            late[item.call_id] = overtaken[item.call_id]
    return late


def _call_here(
    item: ContextItem, late: Mapping[str, ContextToolCall], answers: Mapping[str, str]
) -> AnsweredCall | None:
    """Return the call that stands at the place of this item."""
    if isinstance(item, ContextToolCall) and item.call_id not in late:
        return AnsweredCall(item, answers.get(item.call_id, STILL_OPEN))
    if isinstance(item, ContextToolOutput) and item.call_id in late and item.output is not None:
        return AnsweredCall(late[item.call_id], item.output)
    return None


def _spoken(message: ContextMessage, sees_images: bool) -> list[Spoken]:
    text = message.text.strip() if message.role == "user" else message.text
    images = message.images
    if images and not sees_images:
        text, images = "\n".join(filter(None, (text, *[UNSEEN] * len(images)))), ()
    if not text.strip() and not images:
        return []
    return [Spoken(message.role, text + CUT_MARK if message.is_cut else text, images)]
