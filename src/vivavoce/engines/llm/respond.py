"""From a request to an answer: the one pure function behind the embedded responder.

The order of things: results of functions are spoken; without anything from the user the conversation is opened or
nudged; then functions are called, cut answers continued, and the skills asked one after the other.
"""

from datetime import datetime
from typing import Final

import msgspec

from vivavoce.core.requests import ContextMessage, GenerationRequest
from vivavoce.engines.base import ToolCall
from vivavoce.engines.llm import pictures
from vivavoce.engines.llm.finishing import finished
from vivavoce.engines.llm.memory_of_conversation import Memory
from vivavoce.engines.llm.persona import Persona, persona_of
from vivavoce.engines.llm.skills import control, order, social, yesno
from vivavoce.engines.llm.speakable import speakable
from vivavoce.engines.llm.tool_results import results_text
from vivavoce.engines.llm.toolcalls import decide, unfinished
from vivavoce.engines.llm.turn import Turn, turn_of

MAX_REPLAYS: Final = 3  # how many interrupted continuations are followed back
NO_ANSWER: Final = "I have no words for that. Could you say it differently?"


class Reply(msgspec.Struct, frozen=True):
    """What to say, or which functions to call; one of them is empty."""

    text: str = ""
    calls: tuple[ToolCall, ...] = ()


def respond(request: GenerationRequest, now: datetime, replays: int = 0) -> Reply:
    """The answer to the request: deterministic, and spoken in plain words if the request is spoken."""
    memory = Memory(request.items)
    persona = persona_of(_instructions(request))
    turn = turn_of(request, persona, memory, now)
    said = _answer(request, turn, replays)
    if isinstance(said, tuple):
        return Reply(calls=said)
    voiced = _voiced(said, request.is_spoken)
    if said != persona.opening:
        voiced = _voiced(finished(voiced, persona, is_first=not memory.answers), request.is_spoken)
    return Reply(text=pictures.noted(voiced, memory))


def _instructions(request: GenerationRequest) -> str:
    """The session's instructions and the system messages of the conversation."""
    system = (item.text for item in request.items[-200:] if isinstance(item, ContextMessage) and item.role == "system")
    return "\n".join((request.instructions, *system))


def _voiced(text: str, is_spoken: bool) -> str:
    spoken = speakable(text) if is_spoken else text.strip()
    return spoken if any(letter.isalnum() for letter in spoken) else NO_ANSWER


def _answer(request: GenerationRequest, turn: Turn, replays: int) -> str | tuple[ToolCall, ...]:
    outputs = turn.memory.tool_outputs
    if outputs:
        said = results_text(outputs, request.items)
        return f"{said} {rest}" if (rest := unfinished(request, turn)) is not None else said
    if not turn.memory.is_waiting_for_answer:
        return _opening(turn)
    turn = yesno.as_if_asked(turn)
    if (decision := decide(request, turn)) is not None:
        return decision
    seen = pictures.beside(turn) if turn.memory.pictures else turn
    if seen is None:
        return pictures.ASK
    turn = seen
    if (rest := _rest_of_cut_answer(request, turn, replays)) is not None:
        return rest
    return next(text for skill in order.SKILLS if (text := skill(turn)) is not None)


def _opening(turn: Turn) -> str:
    """What to say unasked: the opening, or a nudge where the assistant spoke last."""
    persona: Persona = turn.persona
    last = turn.memory.last_answer
    if last is None:
        return persona.opening or social.first_greeting(turn)
    return yesno.ARE_YOU_THERE if yesno.ARE_YOU_THERE not in last.text else "I am listening."


# Going on after an interruption --------------------------------------------------------------------------------


def _rest_of_cut_answer(request: GenerationRequest, turn: Turn, replays: int) -> str | None:
    """For "repeat that" and "go on" after an interrupted answer: what the listener has not heard of it."""
    last = turn.memory.last_answer
    if last is None or not last.is_cut or replays >= MAX_REPLAYS:
        return None
    if not (control.wants_repetition(turn) or control.wants_continuation(turn)):
        return None
    full = _as_it_was_meant(request, last, turn.now, replays)
    heard, meant = last.text.split(), full.split()
    rest = " ".join(meant[len(heard) :])
    return rest if rest and _same(heard, meant[: len(heard)]) else None


def _as_it_was_meant(request: GenerationRequest, cut: ContextMessage, now: datetime, replays: int) -> str:
    """The cut answer in full: the responder is deterministic, so it is asked again as it was asked then."""
    place = next(n for n in range(len(request.items) - 1, -1, -1) if request.items[n] is cut)
    then = msgspec.structs.replace(request, items=request.items[:place])
    return respond(then, now, replays + 1).text


def _same(heard: list[str], meant: list[str]) -> bool:
    return [word.strip(".,?!").lower() for word in heard] == [word.strip(".,?!").lower() for word in meant]
