"""Engines that several pipelines share: each is built once and started once."""

import asyncio
import contextlib
from collections.abc import Callable, Iterable, Iterator
from typing import Generic, TypeVar

from vivavoce.engines.base import Engine, EngineError

T = TypeVar("T", bound=Engine)


class Built(Generic[T]):
    """Engines of one kind by the settings they were built from."""

    def __init__(self) -> None:
        self._engines: list[tuple[object, T]] = []  # settings hold tables, so they have no hash

    def get(self, settings: object, build: Callable[[], T]) -> T:
        """Return the engine of equal settings, built if there is none."""
        for known, engine in self._engines:
            if known == settings:
                return engine
        engine = build()
        self._engines.append((settings, engine))
        return engine


class Started:
    """Starts engines, each once; what could not start is not tried again."""

    def __init__(self) -> None:
        self._outcomes: dict[int, EngineError | None] = {}
        self._engines: list[Engine] = []  # kept, so that no other gets the id of one

    async def start(self, engines: Iterable[Engine]) -> None:
        """Start side by side those that were not; raises the EngineError of the first that cannot, however often."""
        wanted = tuple(engines)
        with first_failure():
            async with asyncio.TaskGroup() as group:
                for engine in wanted:
                    if id(engine) not in self._outcomes:
                        self._outcomes[id(engine)] = None
                        self._engines.append(engine)
                        group.create_task(self._start(engine), name=f"start {engine.capabilities.name}")
        for engine in wanted:
            if (error := self._outcomes[id(engine)]) is not None:
                raise error

    async def _start(self, engine: Engine) -> None:
        try:
            await engine.start()
        except EngineError as error:
            self._outcomes[id(engine)] = error


async def start_engines(engines: Iterable[Engine]) -> None:
    """Start engines side by side; raises the EngineError of the first that cannot, once all have come to an end."""
    await Started().start(engines)


@contextlib.contextmanager
def first_failure() -> Iterator[None]:
    """Raise the first failure of a task group by itself: the others came from cancelling."""
    try:
        yield
    except ExceptionGroup as failures:
        raise failures.exceptions[0] from failures
