"""Answers from any server with the `/chat/completions` API, streamed.

Follows the reference of that API (create chat completion, the chat completion chunk object), and takes what compatible
servers do differently: an answer that is not streamed although a stream was asked for, no usage, no `[DONE]`, no ids.
"""

import contextlib
import ssl
from collections.abc import AsyncIterator, Iterable
from typing import Any, Final

import msgspec

from vivavoce.core.requests import ContextImage, FunctionSpec, GenerationEnd, GenerationRequest
from vivavoce.engines.base import Capabilities, EngineError, Finished, TextDelta, ToolCall
from vivavoce.engines.compatible.client import DONE, Ask, CompatibleClient, json_body
from vivavoce.engines.compatible.context import FUNCTION, Calls, Spoken, arranged
from vivavoce.engines.compatible.failures import Failures
from vivavoce.engines.compatible.settings import CompatibleServer
from vivavoce.engines.compatible.sse import ServerSentEvent
from vivavoce.engines.compatible.tool_calls import CallAssembly, CallPiece
from vivavoce.engines.llm.tokens import CHARS_PER_TOKEN, input_tokens

Json = dict[str, Any]  # JSON boundary: parts of requests

_ENDS: Final[dict[str, GenerationEnd]] = {"length": "max_output_tokens", "content_filter": "content_filter"}


class ChatCompletionsSettings(msgspec.Struct, frozen=True):
    """Which model answers. `extra` goes into every request as it is, for example `{"temperature": 0.6}`."""

    server: CompatibleServer
    model: str
    name: str = "chat-completions"
    sees_images: bool = False
    context_tokens: int | None = None
    asks_usage: bool = True  # `stream_options.include_usage`; a few servers refuse it
    extra: Json = {}


class ChatCompletionsGenerator:
    """Writes with a model behind `/chat/completions`. Token counts are the server's, else those of `llm.tokens`."""

    def __init__(self, settings: ChatCompletionsSettings, tls: ssl.SSLContext | None = None) -> None:
        self._settings = settings
        self._client = CompatibleClient(settings.name, settings.server, tls)

    @property
    def capabilities(self) -> Capabilities:
        settings = self._settings
        return Capabilities(
            name=settings.name,
            is_streaming=True,
            sees_images=settings.sees_images,
            context_tokens=settings.context_tokens,
            note=f"Answers are written by {settings.model} at {settings.server.place}.",
        )

    async def start(self) -> None:
        """Prepare connections. Raises EngineError where `checks_models` is set and the server does not answer."""
        await self._client.start()

    async def close(self) -> None:
        """Close all connections."""
        await self._client.close()

    async def generate(self, request: GenerationRequest) -> AsyncIterator[TextDelta | ToolCall | Finished]:
        """Yield the text as it comes, the calls when they are whole, then `Finished`. Raises EngineError."""
        body = json_body(_request(request, self._settings))
        answer = ChatAnswer(self._client.failures)
        async with self._client.ask(Ask("/chat/completions", body)) as reply:
            while not answer.is_over and (events := await reply.events()):
                for event in events:
                    for made in answer.take(event.data):
                        yield made
            answer.end(await reply.rest())
        yield answer.finished(request)


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
    """One answer, put together from chunks. Does no I/O."""

    def __init__(self, failures: Failures) -> None:
        self.is_over = False  # all but the usage has come
        self._failures = failures
        self._calls = CallAssembly()
        self._reason: GenerationEnd | None = None
        self._usage: _Usage | None = None
        self._written_characters = 0

    def take(self, data: bytes) -> list[TextDelta | ToolCall]:
        """Return what a chunk, or a whole answer, brings. Raises EngineError for an error or what is no chunk."""
        if data == DONE:
            return self._end(self._reason or "stop")
        try:
            chunk = _decode_chunk(data)
        except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
            raise self._failures.broken("the answer is not in the form of chat completions") from error
        if chunk.error:
            raise self._failures.reported(chunk.error)
        self._usage = chunk.usage or self._usage
        for choice in chunk.choices or ():
            if choice.index == 0:
                return self._choose(choice)
        return []

    def end(self, rest: Iterable[ServerSentEvent]) -> None:
        """Take what follows the answer, for its usage. Raises EngineError if the stream ended before the answer."""
        if self._reason is None:
            raise self._failures.unreachable("the answer ended in the middle")
        with contextlib.suppress(EngineError):  # the answer is whole, whatever comes now
            for event in rest:
                self.take(event.data)

    def finished(self, request: GenerationRequest) -> Finished:
        """Return how it ended and what it used; estimated where the server does not say."""
        reason = self._reason or "stop"
        usage = self._usage
        if usage is None:
            return Finished(input_tokens(request), -(-self._written_characters // CHARS_PER_TOKEN), reason)
        details = usage.prompt_tokens_details or _Details()
        return Finished(usage.prompt_tokens, usage.completion_tokens, reason, details.cached_tokens or 0)

    def _choose(self, choice: _Choice) -> list[TextDelta | ToolCall]:
        message = choice.delta or choice.message or _Message()
        text = _text(message.content) + (message.refusal or "")
        for piece in message.tool_calls or ():
            self._calls.add(piece)
        self._written_characters += len(text)
        made: list[TextDelta | ToolCall] = [TextDelta(text)] if text else []
        if choice.finish_reason == "error":
            raise self._failures.broken("the server stopped with an error")
        return made + self._end(_ENDS.get(choice.finish_reason, "stop")) if choice.finish_reason else made

    def _end(self, reason: GenerationEnd) -> list[TextDelta | ToolCall]:
        self.is_over, self._reason = True, reason
        calls = self._calls.finish(is_cut=reason != "stop")
        self._written_characters += sum(len(call.name) + len(call.arguments) for call in calls)
        return [*calls]


def _text(content: str | list[Any] | None) -> str:  # JSON boundary
    if not isinstance(content, list):
        return content or ""
    parts = (part for part in content if isinstance(part, dict) and part.get("type") == "text")
    return "".join(part["text"] for part in parts if isinstance(part.get("text"), str))


# The request --------------------------------------------------------------------------------------------------


def _request(request: GenerationRequest, settings: ChatCompletionsSettings) -> Json:
    instructions: list[Json] = (
        [{"role": "system", "content": request.instructions}] if request.instructions.strip() else []
    )
    body: Json = {
        "model": settings.model,
        "messages": [*instructions, *_messages(arranged(request.items, settings.sees_images))],
        "stream": True,
    }
    if settings.asks_usage:
        body["stream_options"] = {"include_usage": True}
    if request.tools:
        body["tools"] = [_tool(tool) for tool in request.tools]
        body["tool_choice"] = _tool_choice(request.tool_choice)
    return body | settings.extra


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
