"""Answers from any server with the `/chat/completions` API, streamed.

Follows the reference of that API (create chat completion, the chat completion chunk object), and takes what compatible
servers do differently: an answer that is not streamed although a stream was asked for, no usage, no `[DONE]`, no ids.
"""

import contextlib
import ssl
from collections.abc import Iterable
from typing import Any, Final

import msgspec

from vivavoce.core.requests import ContextImage, FunctionSpec, GenerationEnd, GenerationRequest
from vivavoce.engines.base import EngineError, TextDelta
from vivavoce.engines.compatible.client import DONE
from vivavoce.engines.compatible.context import FUNCTION, Calls, Spoken, arranged
from vivavoce.engines.compatible.failures import Failures
from vivavoce.engines.compatible.sse import ServerSentEvent
from vivavoce.engines.compatible.tool_calls import CallAssembly, CallPiece
from vivavoce.engines.llm.compatible_generator import (
    AnswerApi,
    CompatibleGenerator,
    GeneratorSettings,
    Json,
    Made,
    Usage,
)

_ENDS: Final[dict[str, GenerationEnd]] = {"length": "max_output_tokens", "content_filter": "content_filter"}


def chat_completions_generator(settings: GeneratorSettings, tls: ssl.SSLContext | None = None) -> CompatibleGenerator:
    """Return a generator that writes with a model behind `/chat/completions`, not started."""
    return CompatibleGenerator(API, settings, tls)


# The answer ---------------------------------------------------------------------------------------------------


class _Message(msgspec.Struct):
    """A `delta` or a `message`."""

    content: str | list[Any] | None = None  # JSON boundary: a few servers send parts
    refusal: str | None = None
    tool_calls: list[CallPiece] | None = None


class _Choice(msgspec.Struct):
    delta: _Message | None = None
    message: _Message | None = None
    finish_reason: str | None = None
    index: int = 0


class _Details(msgspec.Struct):
    cached_tokens: int | None = None


class _Usage(msgspec.Struct):
    prompt_tokens: int = 0
    completion_tokens: int = 0
    prompt_tokens_details: _Details | None = None


class _Chunk(msgspec.Struct):
    choices: list[_Choice] | None = None
    usage: _Usage | None = None
    error: Any = None  # JSON boundary: error objects differ by server


_decode_chunk = msgspec.json.Decoder(_Chunk).decode


class ChatAnswer:
    """One answer, put together from chunks; see `Answer`."""

    def __init__(self, failures: Failures) -> None:
        self.is_over = False
        self.usage: Usage | None = None
        self._failures = failures
        self._calls = CallAssembly()
        self._reason: GenerationEnd | None = None

    @property
    def reason(self) -> GenerationEnd:
        return self._reason or "stop"

    def take(self, data: bytes) -> Made:
        """See `Answer`."""
        if data == DONE:
            return self._end(self.reason)
        try:
            chunk = _decode_chunk(data)
        except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
            raise self._failures.broken("the answer is not in the form of chat completions") from error
        if chunk.error:
            raise self._failures.reported(chunk.error)
        self.usage = _usage(chunk.usage) or self.usage
        for choice in chunk.choices or ():
            if choice.index == 0:
                return self._choose(choice)
        return []

    def end(self, rest: Iterable[ServerSentEvent]) -> None:
        """See `Answer`."""
        if self._reason is None:
            raise self._failures.unreachable("the answer ended in the middle")
        with contextlib.suppress(EngineError):  # the answer is whole, whatever comes now
            for event in rest:
                self.take(event.data)

    def _choose(self, choice: _Choice) -> Made:
        message = choice.delta or choice.message or _Message()
        text = _text(message.content) + (message.refusal or "")
        for piece in message.tool_calls or ():
            self._calls.add(piece)
        made: Made = [TextDelta(text)] if text else []
        if choice.finish_reason == "error":
            raise self._failures.broken("the server stopped with an error")
        return made + self._end(_ENDS.get(choice.finish_reason, "stop")) if choice.finish_reason else made

    def _end(self, reason: GenerationEnd) -> Made:
        self.is_over, self._reason = True, reason
        return [*self._calls.finish(is_cut=reason != "stop")]


def _usage(told: _Usage | None) -> Usage | None:
    if told is None:
        return None
    details = told.prompt_tokens_details or _Details()
    return Usage(told.prompt_tokens, told.completion_tokens, details.cached_tokens or 0)


def _text(content: str | list[Any] | None) -> str:  # JSON boundary
    if not isinstance(content, list):
        return content or ""
    parts = (part for part in content if isinstance(part, dict) and part.get("type") == "text")
    return "".join(part["text"] for part in parts if isinstance(part.get("text"), str))


# The request --------------------------------------------------------------------------------------------------


def _request(request: GenerationRequest, settings: GeneratorSettings) -> Json:
    turns = arranged(request.items, settings.sees_images, request.instructions)
    body: Json = {"model": settings.model, "messages": _messages(turns), "stream": True}
    if settings.asks_usage:
        body["stream_options"] = {"include_usage": True}
    if request.tools:
        body["tools"] = [_tool(tool) for tool in request.tools]
        body["tool_choice"] = _tool_choice(request.tool_choice)
    return body


def _messages(turns: Iterable[Spoken | Calls]) -> list[Json]:
    messages: list[Json] = []
    for turn in turns:
        if isinstance(turn, Spoken):
            messages.append({"role": turn.role, "content": _content(turn)})
            continue
        calls = [
            {
                "id": made.call.call_id,
                "type": "function",
                "function": {"name": made.call.name, "arguments": made.call.arguments},
            }
            for made in turn.calls
        ]
        if messages and messages[-1]["role"] == "assistant":  # its words and its calls are one message
            messages[-1]["tool_calls"] = calls
        else:
            messages.append({"role": "assistant", "content": None, "tool_calls": calls})
        messages += [{"role": "tool", "tool_call_id": made.call.call_id, "content": made.output} for made in turn.calls]
    return messages


def _content(spoken: Spoken) -> str | list[Json]:
    if not spoken.images:
        return spoken.text
    text: list[Json] = [{"type": "text", "text": spoken.text}] if spoken.text.strip() else []
    return [*text, *map(_image, spoken.images)]


def _image(image: ContextImage) -> Json:
    return {"type": "image_url", "image_url": {"url": image.data_uri, "detail": image.detail}}


def _tool(tool: FunctionSpec) -> Json:
    function: Json = {"name": tool.name, "parameters": tool.parameters or {"type": "object", "properties": {}}}
    if tool.description:
        function["description"] = tool.description
    return {"type": "function", "function": function}


def _tool_choice(choice: str) -> str | Json:
    if not choice.startswith(FUNCTION):
        return choice
    return {"type": "function", "function": {"name": choice.removeprefix(FUNCTION)}}


API: Final = AnswerApi("chat-completions", "/chat/completions", _request, ChatAnswer)
