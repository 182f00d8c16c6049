"""What engines do wrong: turned into data, and streams that are closed whatever ends them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TypeVar

from vivavoce.core.vocabulary import EngineFault
from vivavoce.engines.base import Engine, EngineError
from vivavoce.runtime.texts import whole_text

T = TypeVar("T")


def fault_of(error: BaseException, engine: Engine) -> EngineFault:
    """Return an engine's failure as data; anything but an EngineError breaks its contract and is a `server_error`."""
    if isinstance(error, EngineError):
        return EngineFault(error.engine, error.code, whole_text(str(error)), error.is_retryable)
    return EngineFault(engine.capabilities.name, "server_error", type(error).__name__)


def is_cancelled() -> bool:
    """Return whether the running task was asked to stop; if not, a CancelledError is an engine's own."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


@asynccontextmanager
async def closing(stream: AsyncIterator[T]) -> AsyncIterator[AsyncIterator[T]]:
    """Close an engine's stream at once, also when it is left in the middle."""
    try:
        yield stream
    finally:
        close = getattr(stream, "aclose", None)  # generators have it, plain iterators may not
        if close is not None:
            await close()
