"""Decides whether an utterance calls functions, asks for what is missing, or neither."""

from typing import Final

import msgspec

from vivavoce.core.requests import ContextMessage, ContextToolCall, FunctionSpec, GenerationRequest
from vivavoce.engines.base import ToolCall
from vivavoce.engines.llm.arguments import NOTHING, Value, answered, invented, parameters_of
from vivavoce.engines.llm.schemas import Property, name_words
from vivavoce.engines.llm.speakable import speakable
from vivavoce.engines.llm.tool_scores import best_tool
from vivavoce.engines.llm.turn import Turn
from vivavoce.engines.llm.wishes import Wish, filled, needed, question, said_values, wished

_MAX_QUESTIONS: Final = 8  # how far back a dialogue about one call is followed
_GIVEN_UP: Final = ("never mind", "nevermind", "forget it", "cancel", "stop", "forget about it", "cancel that")
_FOLLOW_UPS: Final = ("what about", "how about", "and what about", "and how about", "and in", "and for", "and")

Decision = tuple[ToolCall, ...] | str | None


def decide(request: GenerationRequest, turn: Turn) -> Decision:
    """The calls to make, the question to ask, or None if no function was asked for.

    A question names the function and the parameter, so that the next turn can be understood from the conversation.
    """
    if request.tool_choice == "none" or not request.tools or turn.is_only(*_GIVEN_UP):
        return None
    demanded = _demanded(request)
    if demanded is not None:
        return (_forced_call(Wish(demanded, turn.text), turn),)
    wishes = _continued(request, turn) or wished(request, turn)
    if wishes:
        must_call = request.tool_choice == "required"
        return tuple(_forced_call(wish, turn) for wish in wishes) if must_call else _calls_or_question(wishes, turn)
    again = _again(request, turn)
    if again is not None:
        return (again,)
    if request.tool_choice == "required":
        likeliest = best_tool(request.tools, turn.words)[0] or request.tools[0]
        return (_forced_call(Wish(likeliest, turn.text), turn),)
    return None


def _demanded(request: GenerationRequest) -> FunctionSpec | None:
    """The function that `tool_choice` names."""
    name = request.tool_choice.removeprefix("function:")
    is_named = request.tool_choice.startswith("function:")
    return next((tool for tool in request.tools if tool.name == name), None) if is_named else None


def _forced_call(wish: Wish, turn: Turn) -> ToolCall:
    """A call whatever was said: missing arguments get plain values."""
    found = filled(wish, turn)
    values = dict(found.values)
    for parameter in found.missing:
        values[parameter.name] = invented(parameter, wish.text, wish.tool.parameters)
    return _call(wish.tool, values)


def _call(tool: FunctionSpec, values: dict[str, Value]) -> ToolCall:
    return ToolCall(tool.name, msgspec.json.encode(values).decode())


# What is asked for --------------------------------------------------------------------------------------------


def _calls_or_question(wishes: list[Wish], turn: Turn) -> Decision:
    """The calls that are complete; without any, the question for what is missing first."""
    calls: list[ToolCall] = []
    for wish in wishes:
        found = filled(wish, turn)
        if not found.missing:
            calls.append(_call(wish.tool, found.values))
    return tuple(calls) or question(wishes[0].tool, filled(wishes[0], turn).missing[0])


def unfinished(request: GenerationRequest, turn: Turn) -> str | None:
    """The question for the function that was asked for beside those that were called and lacks an argument."""
    if request.tool_choice == "none" or not request.tools:
        return None
    wishes = wished(request, turn)
    for wish in wishes if len(wishes) > 1 else []:
        found = filled(wish, turn)
        if found.missing:
            return question(wish.tool, found.missing[0])
    return None


# Answers to our questions -------------------------------------------------------------------------------------


def _continued(request: GenerationRequest, turn: Turn) -> list[Wish]:
    """The wish that our last question was about, with the answers given so far; none if we asked nothing.

    The dialogue is walked back to the utterance that asked for the function.
    """
    messages = [item for item in request.items if isinstance(item, ContextMessage) and item.role != "system"]
    given: dict[str, str] = {}
    tool: FunctionSpec | None = None
    place = len(messages) - 1
    for _ in range(_MAX_QUESTIONS):
        asked = _asked(request.tools, messages[place - 1]) if place >= 2 and messages[place].role == "user" else None
        if asked is None or (tool is not None and asked[0].name != tool.name):
            break
        tool = asked[0]
        given.setdefault(asked[1].name, messages[place].text)
        place -= 2
    if tool is None or _changes_subject(turn, tool, given):
        return []
    return [Wish(tool, messages[place].text, given)]


def _asked(tools: tuple[FunctionSpec, ...], message: ContextMessage) -> tuple[FunctionSpec, Property] | None:
    """The function and the parameter that a message of ours asked for."""
    heard = speakable(message.text).lower()
    if message.role != "assistant" or "i need the" not in heard:
        return None
    for tool in tools:
        if speakable(" ".join(name_words(tool.name))).lower() not in heard:
            continue
        for parameter in parameters_of(tool):
            need = speakable(needed(tool, parameter)).lower()
            if f"{need}." in heard or f"{need}," in heard or (message.is_cut and heard.rstrip(".,") == need):
                return tool, parameter
    return None


def _changes_subject(turn: Turn, tool: FunctionSpec, given: dict[str, str]) -> bool:
    """Whether the answer is a question of its own, or holds no value of the type that was asked for."""
    if turn.is_question and len(turn.words) > 2:
        return True
    parameter = next(
        (known for known in parameters_of(tool) if given.get(known.name) == turn.memory.last_user_text), None
    )
    return (
        parameter is not None
        and answered(parameter, turn.text, turn.now, tool.parameters) is NOTHING
        and len(turn.words) > 4
    )


# "And in London?" ---------------------------------------------------------------------------------------------


def _again(request: GenerationRequest, turn: Turn) -> ToolCall | None:
    """The last call with what changed, for "what about London" right after its answer."""
    if not turn.starts(*_FOLLOW_UPS) or len(turn.words) > 10:
        return None
    recent = [item for item in request.items[-6:] if isinstance(item, ContextToolCall)]
    tool = next((known for known in request.tools if recent and known.name == recent[-1].name), None)
    if tool is None:
        return None
    rest = next(
        turn.line.removeprefix(f" {start} ")
        for start in sorted(_FOLLOW_UPS, key=len, reverse=True)
        if turn.starts(start)
    )
    changed = said_values(tool, rest.strip(), turn)
    return _call(tool, {**_arguments(recent[-1]), **changed}) if changed else None


def _arguments(call: ContextToolCall) -> dict[str, Value]:
    try:
        values = msgspec.json.decode(call.arguments)
    except (msgspec.DecodeError, RecursionError):
        return {}
    return values if isinstance(values, dict) else {}
