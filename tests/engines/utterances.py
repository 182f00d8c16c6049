"""What transcriber tests share: a sink that is awaited, never slept for."""

import asyncio

from vivavoce.engines.base import EngineError, Final, Partial

DEADLINE_S = 60


class Heard:
    """What an utterance delivered."""

    def __init__(self) -> None:
        self.partials: list[Partial] = []
        self.last: list[Final | EngineError] = []
        self._changed = asyncio.Event()

    def __call__(self, result: Partial | Final | EngineError) -> None:
        if isinstance(result, Partial):
            self.partials.append(result)
        else:
            self.last.append(result)
        self._changed.set()

    async def change(self) -> None:
        """Wait for the next delivery."""
        async with asyncio.timeout(DEADLINE_S):
            self._changed.clear()
            await self._changed.wait()

    async def result(self) -> Final | EngineError:
        """Wait for the last delivery."""
        while not self.last:
            await self.change()
        return self.last[0]

    async def text(self) -> str:
        """Wait for the transcript."""
        result = await self.result()
        assert isinstance(result, Final), result
        return result.text
