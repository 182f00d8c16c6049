"""A store that is durable, or fails, when the test says so."""

import asyncio


class SlowStore:
    """A `PersistenceGate` that opens when the test says so."""

    def __init__(self) -> None:
        self.durable = 0
        self._changed = asyncio.Condition()
        self._fault: Exception | None = None
        self.asked = asyncio.Event()
        self.abandoned = asyncio.Event()

    def is_open(self, sequence: int) -> bool:
        return sequence <= self.durable

    async def persisted(self, sequence: int) -> None:
        self.asked.set()
        try:
            async with self._changed:
                await self._changed.wait_for(lambda: self._fault is not None or self.is_open(sequence))
        except asyncio.CancelledError:
            self.abandoned.set()
            raise
        if self._fault is not None:
            raise self._fault

    async def persist(self, sequence: int) -> None:
        async with self._changed:
            self.durable = sequence
            self._changed.notify_all()

    async def fail(self, fault: Exception) -> None:
        async with self._changed:
            self._fault = fault
            self._changed.notify_all()
