"""The built-in offline responder as an engine: rules instead of a model, in well under a millisecond."""

from collections.abc import AsyncIterator, Callable
from datetime import datetime

from vivavoce.core.requests import GenerationRequest
from vivavoce.engines.base import Capabilities, Finished, TextDelta, ToolCall
from vivavoce.engines.llm.clauses import clauses
from vivavoce.engines.llm.respond import Reply, respond
from vivavoce.engines.llm.tokens import count_tokens, input_tokens

NAME = "embedded"


class EmbeddedResponder:
    """Answers by rules, see docs/guides/responder.md. `clock` gives the local time for questions about it."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(
            name=NAME,
            is_streaming=True,
            languages=("en",),
            note="The built-in offline responder: a set of rules, not an AI model.",
        )

    async def start(self) -> None:
        """Nothing to load; the first answer is made here so that it is not slower than the others."""
        respond(GenerationRequest(instructions="", items=()), self._clock())

    async def close(self) -> None:
        """Nothing to release."""

    async def generate(self, request: GenerationRequest) -> AsyncIterator[TextDelta | ToolCall | Finished]:
        """Yield the answer clause by clause, or the calls; then `Finished`. Tokens are counted as in `tokens`."""
        reply = respond(request, self._clock())
        for clause in clauses(reply.text):
            yield TextDelta(clause)
        for call in reply.calls:
            yield call
        yield Finished(input_tokens=input_tokens(request), output_tokens=_written(reply))


def _written(reply: Reply) -> int:
    return count_tokens(reply.text) + sum(
        count_tokens(call.name) + count_tokens(call.arguments) for call in reply.calls
    )
