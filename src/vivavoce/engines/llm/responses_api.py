"""Answers from any server with the `/responses` API, streamed.

Follows the reference of that API (create a model response, streaming events). Nothing is stored on the server
(`store: false`): the whole conversation goes with every request.
"""

import ssl
from collections.abc import Iterable
from typing import Any, Final

import msgspec

from vivavoce.core.requests import FunctionSpec, GenerationEnd, GenerationRequest
from vivavoce.engines.base import TextDelta, ToolCall
from vivavoce.engines.compatible.client import DONE
from vivavoce.engines.compatible.context import FUNCTION, Calls, Spoken, arranged
from vivavoce.engines.compatible.failures import Failures
from vivavoce.engines.compatible.sse import ServerSentEvent
from vivavoce.engines.compatible.tool_calls import is_json
from vivavoce.engines.llm.compatible_generator import (
    AnswerApi,
    CompatibleGenerator,
    GeneratorSettings,
    Json,
    Made,
    Usage,
)

_INCOMPLETE: Final[dict[str, GenerationEnd]] = {
    "max_output_tokens": "max_output_tokens",
    "content_filter": "content_filter",
}


def responses_generator(settings: GeneratorSettings, tls: ssl.SSLContext | None = None) -> CompatibleGenerator:
    """Return a generator that writes with a model behind `/responses`, not started."""
    return CompatibleGenerator(API, settings, tls)


# The answer ---------------------------------------------------------------------------------------------------


class _Part(msgspec.Struct):
    type: str = ""
    text: str | None = None
    refusal: str | None = None


class _Item(msgspec.Struct):
    type: str = ""
    id: str | None = None
    name: str | None = None
    arguments: str | None = None
    content: list[_Part] | None = None


class _Details(msgspec.Struct):
    cached_tokens: int | None = None


class _Usage(msgspec.Struct):
    input_tokens: int = 0
    output_tokens: int = 0
    input_tokens_details: _Details | None = None


class _Incomplete(msgspec.Struct):
    reason: str | None = None


class _Response(msgspec.Struct):
    status: str | None = None
    output: list[_Item] | None = None
    usage: _Usage | None = None
    incomplete_details: _Incomplete | None = None
    error: Any = None  # JSON boundary: error objects differ by server


class _Event(_Response):
    """Any event, or a whole response: one that is not streamed has `object` instead of `type`."""

    type: str = ""
    object: str = ""
    output_index: int = 0
    content_index: int = 0
    delta: str | None = None
    text: str | None = None
    refusal: str | None = None
    arguments: str | None = None
    item: _Item | None = None
    response: _Response | None = None
    code: str | None = None
    param: str | None = None


_decode_event = msgspec.json.Decoder(_Event).decode


class _Call:
    """A function call that is being written."""

    def __init__(self) -> None:
        self.name = ""
        self.arguments = ""
        self.is_made = False

    def make(self) -> ToolCall:
        self.is_made = True
        return ToolCall(self.name, self.arguments.strip() or "{}")


class ResponseAnswer:
    """One answer, put together from events; see `Answer`."""

    def __init__(self, failures: Failures) -> None:
        self.is_over = False
        self._failures = failures
        self._calls: list[_Call] = []
        self._open: dict[int, _Call] = {}  # by output index; a few servers use an index again for the next call
        self._texts: set[tuple[int, int]] = set()  # the parts of which text has come, by item and content
        self._end: _Response | None = None

    @property
    def reason(self) -> GenerationEnd:
        details = self._end.incomplete_details if self._end is not None else None
        return _INCOMPLETE.get((details or _Incomplete()).reason or "", "stop")

    @property
    def usage(self) -> Usage | None:
        told = self._end.usage if self._end is not None else None
        if told is None:
            return None
        details = told.input_tokens_details or _Details()
        return Usage(told.input_tokens, told.output_tokens, details.cached_tokens or 0)

    def take(self, data: bytes) -> Made:
        """See `Answer`."""
        if data == DONE:
            return []
        try:
            event = _decode_event(data)
        except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
            raise self._failures.broken("the answer is not in the form of responses") from error
        return self._react(event)

    def end(self, rest: Iterable[ServerSentEvent]) -> None:
        """See `Answer`; nothing that follows the answer matters."""
        if not self.is_over:
            raise self._failures.unreachable("the answer ended in the middle")

    def _react(self, event: _Event) -> Made:
        match event.type:
            case "response.output_text.delta" | "response.refusal.delta":
                return self._text(event, event.delta)
            case "response.output_text.done" | "response.refusal.done":
                is_told = (event.output_index, event.content_index) in self._texts
                return [] if is_told else self._text(event, event.text or event.refusal)
            case "response.completed" | "response.incomplete":
                return self._complete(event.response or _Response())
            case "response.failed":
                raise self._failures.reported(event.response.error if event.response else None)
            case "response.cancelled":
                raise self._failures.unreachable("the answer was cancelled by the server")
            case "error":
                raise self._failures.reported(event.error or {"code": event.code, "param": event.param})
            case "":
                return self._whole(event)
            case _:
                return self._call(event)

    def _text(self, event: _Event, text: str | None) -> Made:
        self._texts.add((event.output_index, event.content_index))
        return [TextDelta(text)] if text else []

    def _call(self, event: _Event) -> Made:
        item = event.item
        match event.type:
            case "response.function_call_arguments.delta":
                self._called(event.output_index).arguments += event.delta or ""
            case "response.function_call_arguments.done":
                call = self._called(event.output_index)
                call.arguments = event.arguments or call.arguments
            case "response.output_item.added" if item is not None and item.type == "function_call":
                self._open.pop(event.output_index, None)
                _describe(self._called(event.output_index), item)
            case "response.output_item.done" if item is not None and item.type == "function_call":
                call = self._called(event.output_index)
                del self._open[event.output_index]
                _describe(call, item)
                return [call.make()] if call.name and not call.is_made else []
        return []

    def _called(self, output_index: int) -> _Call:
        """Return the call that is being written at this index, which may begin here."""
        call = self._open.get(output_index)
        if call is None:
            call = self._open[output_index] = _Call()
            self._calls.append(call)
        return call

    def _whole(self, event: _Event) -> Made:
        """Take a response that is not streamed."""
        if event.error or event.status == "failed" or event.object != "response":
            raise self._failures.reported(event.error)
        return self._complete(event)

    def _complete(self, response: _Response) -> Made:
        """Take the end: what was not streamed before, unless it was cut off."""
        self.is_over, self._end = True, response
        output = response.output or []
        parts = [part for item in output if item.type == "message" for part in item.content or ()]
        texts = [] if self._texts else [part.text or part.refusal or "" for part in parts]
        if not self._calls:
            for item in (item for item in output if item.type == "function_call"):
                self._calls.append(_Call())
                _describe(self._calls[-1], item)
        is_cut = response.incomplete_details is not None
        left = [call for call in self._calls if call.name and not call.is_made]
        calls = [call.make() for call in left if not is_cut or is_json(call.arguments)]
        return [*(TextDelta(text) for text in texts if text), *calls]


def _describe(call: _Call, item: _Item) -> None:
    call.name, call.arguments = item.name or call.name, item.arguments or call.arguments


# The request --------------------------------------------------------------------------------------------------


def _request(request: GenerationRequest, settings: GeneratorSettings) -> Json:
    turns = arranged(request.items, settings.sees_images)
    body: Json = {
        "model": settings.model,
        "input": [item for turn in turns for item in _items(turn)],
        "stream": True,
        "store": False,
    }
    if request.instructions.strip():
        body["instructions"] = request.instructions
    if request.tools:
        body["tools"] = [_tool(tool) for tool in request.tools]
        body["tool_choice"] = _tool_choice(request.tool_choice)
    return body


def _items(turn: Spoken | Calls) -> list[Json]:
    if isinstance(turn, Spoken):
        return [{"role": turn.role, "content": _content(turn)}]
    calls = [
        {
            "type": "function_call",
            "call_id": made.call.call_id,
            "name": made.call.name,
            "arguments": made.call.arguments,
        }
        for made in turn.calls
    ]
    outputs = [
        {"type": "function_call_output", "call_id": made.call.call_id, "output": made.output} for made in turn.calls
    ]
    return [*calls, *outputs]


def _content(spoken: Spoken) -> str | list[Json]:
    if not spoken.images:
        return spoken.text
    text: list[Json] = [{"type": "input_text", "text": spoken.text}] if spoken.text.strip() else []
    images = ({"type": "input_image", "image_url": image.data_uri, "detail": image.detail} for image in spoken.images)
    return [*text, *images]


def _tool(tool: FunctionSpec) -> Json:
    """Return a tool that is not strict: `strict` would be the default, and refuses most schemas of clients."""
    parameters = tool.parameters or {"type": "object", "properties": {}}
    described: Json = {"description": tool.description} if tool.description else {}
    return {"type": "function", "name": tool.name, "parameters": parameters, "strict": False, **described}


def _tool_choice(choice: str) -> str | Json:
    if not choice.startswith(FUNCTION):
        return choice
    return {"type": "function", "name": choice.removeprefix(FUNCTION)}


API: Final = AnswerApi("responses", "/responses", _request, ResponseAnswer)
