"""A generator that answers what the script says, and echoes where the script is silent."""

import re
from collections.abc import AsyncIterator
from typing import Any

import msgspec

from vivavoce.core.requests import (
    ContextItem,
    ContextMessage,
    ContextToolOutput,
    FunctionSpec,
    GenerationRequest,
)
from vivavoce.engines.base import Capabilities, Finished, TextDelta, ToolCall
from vivavoce.engines.llm.tokens import count_tokens, input_tokens
from vivavoce.engines.script import (
    Answer,
    Call,
    Piece,
    Script,
    pause,
    script_in_instructions,
    turn_about,
    turn_numbered,
)

ENDLESS_DELAY_MS = 10  # between pieces of an endless answer that asks for no delay: it must not starve the loop
_NAME = "scripted"
_PLAIN_VALUES: dict[str, object] = {
    "integer": 1,
    "number": 1.0,
    "boolean": True,
    "array": [],
    "object": {},
    "null": None,
}
_PLACEHOLDER = re.compile(r"\{(heard|output|pictures)\}")


class ScriptedGenerator:
    """Answers by the script of the session's instructions if they carry one, else by its own.

    The turn is counted from the request alone (the user's messages so far), so sessions never disturb each other.
    """

    def __init__(self, script: Script) -> None:
        self._script = script

    @property
    def capabilities(self) -> Capabilities:
        note = "Answers by its script; made for tests."
        return Capabilities(name=_NAME, is_streaming=True, sees_images=True, note=note)

    async def start(self) -> None:
        """Nothing to load."""

    async def close(self) -> None:
        """Nothing to release."""

    async def generate(self, request: GenerationRequest) -> AsyncIterator[TextDelta | ToolCall | Finished]:
        """Yield the scripted answer.

        Raises:
            EngineError: the script asks for a failure, or the instructions carry a script that is not valid.
        """
        script = script_in_instructions(request.instructions, _NAME) or self._script
        answer = answer_for(script, request)
        written = 0
        async for text in _written(answer, request.items):
            written += count_tokens(text)
            yield TextDelta(text)
        for call in answer.calls:
            await pause(call.delay_ms)
            written += count_tokens(_arguments_text(call))
            yield ToolCall(call.name, _arguments_text(call))
        if answer.failure is not None:
            raise answer.failure.as_error(_NAME)
        yield _finished(answer, request, written)


async def _written(answer: Answer, items: tuple[ContextItem, ...]) -> AsyncIterator[str]:
    """The pieces that have text, in time; again and again if the answer is endless."""
    while True:
        for piece in answer.pieces:
            await pause(_delay_ms(answer, piece))
            if text := _filled(piece.text, items):
                yield text
        if not (answer.is_endless and answer.pieces):
            return


def answer_for(script: Script, request: GenerationRequest) -> Answer:
    """The answer of the first rule that applies: `contains` and `match`, the turn's number, `otherwise`, the echo."""
    user_texts = [item.text for item in request.items if isinstance(item, ContextMessage) and item.role == "user"]
    last_text = user_texts[-1] if user_texts else ""
    turn = turn_about(script, last_text) or turn_numbered(script, len(user_texts))
    round_number = _tool_rounds(request.items)
    if turn is not None and round_number == 0:
        return turn
    if turn is not None and round_number <= len(turn.then):
        return turn.then[round_number - 1]
    return script.otherwise or _echo(request, last_text, round_number)


def _tool_rounds(items: tuple[ContextItem, ...]) -> int:
    """How many times function outputs came in since the user's last message; outputs in a row count once."""
    rounds = 0
    was_output = False
    for item in items:
        is_output = isinstance(item, ContextToolOutput)
        if isinstance(item, ContextMessage) and item.role == "user":
            rounds = 0
        rounds += is_output and not was_output
        was_output = is_output
    return rounds


def _delay_ms(answer: Answer, piece: Piece) -> int:
    return piece.delay_ms or (ENDLESS_DELAY_MS if answer.is_endless else 0)


def _filled(text: str, items: tuple[ContextItem, ...]) -> str:
    """The text with what its places stand for: the user's last message, its pictures, the last function output."""
    asked = next((i for i in reversed(items) if isinstance(i, ContextMessage) and i.role == "user"), None)
    output = next((i.output for i in reversed(items) if isinstance(i, ContextToolOutput)), None)
    values = {
        "heard": asked.text if asked is not None else "",
        "pictures": str(len(asked.images)) if asked is not None else "0",
        "output": output or "",
    }
    return _PLACEHOLDER.sub(lambda found: values[found[1]], text)


def _arguments_text(call: Call) -> str:
    if isinstance(call.arguments, str):
        return call.arguments
    return msgspec.json.encode(call.arguments).decode()


def _finished(answer: Answer, request: GenerationRequest, written: int) -> Finished:
    return Finished(
        input_tokens=input_tokens(request) if answer.input_tokens is None else answer.input_tokens,
        output_tokens=written if answer.output_tokens is None else answer.output_tokens,
        reason=answer.reason,
        cached_tokens=answer.cached_tokens,
    )


# The echo -----------------------------------------------------------------------------------------------------


def _echo(request: GenerationRequest, last_text: str, round_number: int) -> Answer:
    if round_number:
        return Answer(say="The function returned: {output}")
    tool = _echo_tool(request, last_text)
    if tool is not None:
        return Answer(calls=(Call(tool.name, _echo_arguments(tool, last_text)),))
    said = ("You said: ", "{heard}") if last_text else ()
    asked = next((i for i in reversed(request.items) if isinstance(i, ContextMessage) and i.role == "user"), None)
    if asked is not None and asked.images:
        return Answer(say=(*said, " Pictures: {pictures}." if said else "Pictures: {pictures}."))
    return Answer(say=said or "Hello.")


def _echo_tool(request: GenerationRequest, last_text: str) -> FunctionSpec | None:
    """The tool that must be called, else the first whose name is in the text (underscores may be spaces)."""
    if request.tool_choice == "none" or not request.tools:
        return None
    if request.tool_choice.startswith("function:"):
        name = request.tool_choice.removeprefix("function:")
        return next((tool for tool in request.tools if tool.name == name), None)
    folded = last_text.casefold().replace("_", " ")
    named = (tool for tool in request.tools if tool.name.casefold().replace("_", " ") in folded)
    return next(named, request.tools[0] if request.tool_choice == "required" else None)


def _echo_arguments(tool: FunctionSpec, last_text: str) -> dict[str, Any]:  # JSON boundary: a schema of the client's
    """One plain value for every required parameter: the text, 1, true, the first of an enum."""
    properties = tool.parameters.get("properties")
    required = tool.parameters.get("required")
    if not isinstance(properties, dict) or not isinstance(required, list):
        return {}
    return {name: _plain_value(properties.get(name), last_text) for name in required if isinstance(name, str)}


def _plain_value(schema: object, last_text: str) -> object:
    if not isinstance(schema, dict):
        return last_text
    options = schema.get("enum")
    if isinstance(options, list) and options:
        return options[0]
    plain: dict[object, object] = {
        "integer": 1,
        "number": 1.0,
        "boolean": True,
        "array": [],
        "object": {},
        "null": None,
    }
    kind = schema.get("type")
    return plain.get(kind, last_text) if isinstance(kind, str) else last_text
