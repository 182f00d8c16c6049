"""What the streams of transcribers with a task have in common: one result after `finish`, none after `abort`."""

import asyncio
from collections.abc import Awaitable, Callable

from vivavoce.engines.base import EngineError, Final, Partial
from vivavoce.engines.compatible.work import Work

Deliver = Callable[[Partial | Final | EngineError], None]


class Outcome:
    """Delivers the results of one utterance: partial ones, then exactly one final one, nothing once it is over."""

    def __init__(self, engine: str, deliver: Deliver) -> None:
        self.is_over = False
        self._engine = engine
        self._deliver = deliver

    def revise(self, text: str) -> None:
        """Deliver a transcript in progress that will only be added to."""
        if not self.is_over:
            text = text.lstrip()  # as the final one is
            self._deliver(Partial(stable=text, text=text))

    def end(self, result: Final | EngineError) -> None:
        """Deliver the final result."""
        if not self.is_over:
            self.is_over = True
            self._deliver(result)

    def settle(self, work: Work, transcribe: Callable[[], Awaitable[Final]], name: str) -> asyncio.Task[None]:
        """Start a task that delivers the transcript, or why there is none."""
        task = work.start(self._settle(transcribe), name)
        task.add_done_callback(self._note_cancelled)
        return task

    async def _settle(self, transcribe: Callable[[], Awaitable[Final]]) -> None:
        try:
            result: Final | EngineError = await transcribe()
        except EngineError as error:
            result = error
        except Exception:  # a fault of ours; the trace goes on to the loop's exception handler
            self.end(EngineError(self._engine, "the transcriber failed", code="server_error"))
            raise
        self.end(result)

    def _note_cancelled(self, task: asyncio.Task[None]) -> None:
        if task.cancelled():
            self.end(EngineError(self._engine, "the engine was closed"))
