"""What the adapters to chat models have in common: they ask, pass on what comes, and count."""

import ssl
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from typing import Any, Protocol

import msgspec

from vivavoce.core.requests import GenerationEnd, GenerationRequest
from vivavoce.engines.base import Capabilities, Finished, TextDelta, ToolCall
from vivavoce.engines.compatible.client import Ask, CompatibleClient, json_body
from vivavoce.engines.compatible.failures import Failures
from vivavoce.engines.compatible.settings import CompatibleServer
from vivavoce.engines.compatible.sse import ServerSentEvent
from vivavoce.engines.llm.thoughts import ThoughtFilter
from vivavoce.engines.llm.tokens import CHARS_PER_TOKEN, input_tokens

Json = dict[str, Any]  # JSON boundary: parts of requests
Made = list[TextDelta | ToolCall]


class GeneratorSettings(msgspec.Struct, frozen=True):
    """Which model answers. `extra` goes into every request as it is, for example `{"temperature": 0.6}`."""

    server: CompatibleServer
    model: str
    name: str = ""  # as shown; empty: the name of the API
    sees_images: bool = False
    context_tokens: int | None = None
    asks_usage: bool = True  # `stream_options.include_usage` of chat completions; a few servers refuse it
    extra: Json = {}


class Usage(msgspec.Struct, frozen=True):
    """Tokens as the server counted them."""

    input_tokens: int
    output_tokens: int
    cached_tokens: int = 0


class Answer(Protocol):
    """One answer, put together from the events of its stream. Does no I/O."""

    @property
    def is_over(self) -> bool:
        """Whether all but the usage has come."""
        ...

    @property
    def reason(self) -> GenerationEnd: ...

    @property
    def usage(self) -> Usage | None:
        """Return what it used, after `end`; None if the server does not say."""
        ...

    def take(self, data: bytes) -> Made:
        """Return what an event, or a whole answer, brings. Raises EngineError for a failure or what is no event."""
        ...

    def end(self, rest: Iterable[ServerSentEvent]) -> None:
        """Take what follows the answer. Raises EngineError if the stream ended before the answer."""
        ...


class AnswerApi(msgspec.Struct, frozen=True):
    """An API that answers: its name, its path, how a request looks, and how the answer is read."""

    name: str
    path: str
    request: Callable[[GenerationRequest, GeneratorSettings], Json]
    answer: Callable[[Failures], Answer]


class CompatibleGenerator:
    """Writes with a model behind an API. Token counts are the server's, else those of `llm.tokens`."""

    def __init__(self, api: AnswerApi, settings: GeneratorSettings, tls: ssl.SSLContext | None = None) -> None:
        self._api = api
        self._settings = settings
        self._client = CompatibleClient(settings.name or api.name, settings.server, tls)

    @property
    def capabilities(self) -> Capabilities:
        settings = self._settings
        return Capabilities(
            name=settings.name or self._api.name,
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
        body = json_body(self._api.request(request, self._settings) | self._settings.extra)
        answer = self._api.answer(self._client.failures)
        written = Written()
        async with self._client.ask(Ask(self._api.path, body)) as reply:
            while not answer.is_over and (events := await reply.events()):
                for event in events:
                    for made in written.pass_on(answer.take(event.data)):
                        yield made
            for made in written.finish():
                yield made
            answer.end(await reply.rest())
        usage = answer.usage or Usage(input_tokens(request), -(-written.characters // CHARS_PER_TOKEN))
        yield Finished(usage.input_tokens, usage.output_tokens, answer.reason, usage.cached_tokens)


class Written:
    """What a model has written: counts it, thoughts too, and passes it on without them."""

    def __init__(self) -> None:
        self.characters = 0
        self._thoughts = ThoughtFilter()

    def pass_on(self, made: Made) -> Iterator[TextDelta | ToolCall]:
        """Yield what is meant for others; text that was held back goes before a call."""
        for one in made:
            if isinstance(one, TextDelta):
                self.characters += len(one.text)
                if text := self._thoughts.feed(one.text):
                    yield TextDelta(text)
            else:
                self.characters += len(one.name) + len(one.arguments)
                yield from self.finish()
                yield one

    def finish(self) -> Iterator[TextDelta]:
        """Yield text that was held back and is no tag."""
        if text := self._thoughts.finish():
            yield TextDelta(text)
