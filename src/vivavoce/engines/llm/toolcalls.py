"""Decides whether an utterance calls functions, asks for what is missing, or neither."""

from typing import Final

import msgspec

from vivavoce.core.requests import ContextMessage, ContextToolCall, FunctionSpec, GenerationRequest
from vivavoce.engines.base import ToolCall
from vivavoce.engines.llm.arguments import NOTHING, Value, answered, fill, invented, parameters_of
from vivavoce.engines.llm.schemas import Property, name_words
from vivavoce.engines.llm.speakable import speakable
from vivavoce.engines.llm.tool_scores import THRESHOLD, best_tool
from vivavoce.engines.llm.turn import Turn
from vivavoce.engines.llm.understand import words_of

MAX_CALLS: Final = 4  # in one answer
_MAX_QUESTIONS: Final = 8  # how far back a dialogue about one call is followed
_GIVEN_UP: Final = ("never mind", "nevermind", "forget it", "cancel", "stop", "forget about it", "cancel that")
_FOLLOW_UPS: Final = ("what about", "how about", "and what about", "and how about", "and in", "and for", "and")

Decision = tuple[ToolCall, ...] | str | None


class _Wish(msgspec.Struct, frozen=True):
    """A function that was asked for, in whose words, and what later answers gave for its parameters."""

    tool: FunctionSpec
    text: str
    given: dict[str, str] = {}


def decide(request: GenerationRequest, turn: Turn) -> Decision:
    """The calls to make, the question to ask, or None if no function was asked for.

    A question names the function and the parameter, so that the next turn can be understood from the conversation.
    """
    if request.tool_choice == "none" or not request.tools or turn.is_only(*_GIVEN_UP):
        return None
    demanded = _demanded(request)
    if demanded is not None:
        return (_forced_call(_Wish(demanded, turn.text), turn),)
    wishes = _continued(request, turn) or _wished(request, turn)
    if wishes:
        must_call = request.tool_choice == "required"
        return tuple(_forced_call(wish, turn) for wish in wishes) if must_call else _calls_or_question(wishes, turn)
    again = _again(request, turn)
    if again is not None:
        return (again,)
    if request.tool_choice == "required":
        likeliest = best_tool(request.tools, turn.words)[0] or request.tools[0]
        return (_forced_call(_Wish(likeliest, turn.text), turn),)
    return None


def _demanded(request: GenerationRequest) -> FunctionSpec | None:
    """The function that `tool_choice` names."""
    name = request.tool_choice.removeprefix("function:")
    is_named = request.tool_choice.startswith("function:")
    return next((tool for tool in request.tools if tool.name == name), None) if is_named else None


def _forced_call(wish: _Wish, turn: Turn) -> ToolCall:
    """A call whatever was said: missing arguments get plain values."""
    filled = fill(wish.tool, wish.text, turn.now, wish.given)
    values = dict(filled.values)
    for parameter in filled.missing:
        values[parameter.name] = invented(parameter, wish.text, wish.tool.parameters)
    return _call(wish.tool, values)


def _call(tool: FunctionSpec, values: dict[str, Value]) -> ToolCall:
    return ToolCall(tool.name, msgspec.json.encode(values).decode())


# What is asked for --------------------------------------------------------------------------------------------


def _wished(request: GenerationRequest, turn: Turn) -> list[_Wish]:
    """The functions that the utterance asks for: one, or several where "and" joins clauses that name different ones."""
    if turn.has("do not", "never", "without calling") and not turn.is_question and not turn.has("do not forget"):
        return []
    wishes: dict[str, _Wish] = {}
    for clause in _clauses(turn):
        tool, points = best_tool(request.tools, words_of(clause))
        if tool is not None and points >= THRESHOLD:
            wishes.setdefault(tool.name, _Wish(tool, clause))
    if len(wishes) > 1:
        return list(wishes.values())[:MAX_CALLS]
    tool, points = best_tool(request.tools, turn.words)
    return [_Wish(tool, turn.text)] if tool is not None and points >= THRESHOLD else []


def _clauses(turn: Turn) -> list[str]:
    text = turn.text
    for joint in (" and then ", " then ", " and also ", " also ", " And ", "; ", ". ", "? "):
        text = text.replace(joint, " and ")
    return [clause for clause in text.split(" and ")[:20] if clause.strip()]


def _calls_or_question(wishes: list[_Wish], turn: Turn) -> Decision:
    calls: list[ToolCall] = []
    for wish in wishes:
        filled = fill(wish.tool, wish.text, turn.now, wish.given)
        if filled.missing:
            return question(wish.tool, filled.missing[0])
        calls.append(_call(wish.tool, filled.values))
    return tuple(calls)


def question(tool: FunctionSpec, parameter: Property) -> str:
    """Asks for a required parameter."""
    asked = "Yes or no?" if parameter.kind == "boolean" else "What should it be?"
    return f"{_need(tool, parameter)}. {asked}"


def _need(tool: FunctionSpec, parameter: Property) -> str:
    return f"For {' '.join(name_words(tool.name))} I need the {' '.join(parameter.words) or 'value'}"


# Answers to our questions -------------------------------------------------------------------------------------


def _continued(request: GenerationRequest, turn: Turn) -> list[_Wish]:
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
    return [_Wish(tool, messages[place].text, given)]


def _asked(tools: tuple[FunctionSpec, ...], message: ContextMessage) -> tuple[FunctionSpec, Property] | None:
    """The function and the parameter that a message of ours asked for."""
    heard = speakable(message.text).lower()
    if message.role != "assistant" or "i need the" not in heard:
        return None
    for tool in tools:
        if speakable(" ".join(name_words(tool.name))).lower() not in heard:
            continue
        for parameter in parameters_of(tool):
            need = speakable(_need(tool, parameter)).lower()
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
    changed = _said_values(tool, rest.strip(), turn)
    return _call(tool, {**_arguments(recent[-1]), **changed}) if changed else None


def _said_values(tool: FunctionSpec, text: str, turn: Turn) -> dict[str, Value]:
    """The arguments that the words themselves give, without defaults."""
    filled = fill(tool, text, turn.now).values
    unsaid = fill(tool, "", turn.now).values
    return {name: value for name, value in filled.items() if name not in unsaid or unsaid[name] != value}


def _arguments(call: ContextToolCall) -> dict[str, Value]:
    try:
        values = msgspec.json.decode(call.arguments)
    except (msgspec.DecodeError, RecursionError):
        return {}
    return values if isinstance(values, dict) else {}
