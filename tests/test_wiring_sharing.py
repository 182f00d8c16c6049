"""Engines that pipelines share: built once, started once, and a failure is every pipeline's."""

import asyncio

import pytest

from vivavoce.config.hybrid import HybridGenerator
from vivavoce.config.load import load
from vivavoce.engines.base import Capabilities, EngineError
from vivavoce.wiring.sharing import Built, Started


class Counting:
    """An engine that counts how often it was started; broken ones fail."""

    def __init__(self, name: str = "counting", *, is_broken: bool = False) -> None:
        self.capabilities = Capabilities(name=name)
        self.starts = 0
        self._is_broken = is_broken

    async def start(self) -> None:
        self.starts += 1
        if self._is_broken:
            raise EngineError(self.capabilities.name, "it is broken")

    async def close(self) -> None: ...


def generator(**options: object) -> HybridGenerator:
    return load(
        {f"hybrid.generator.{name}": value for name, value in options.items()}, {}
    ).configuration.hybrid.generator


def test_equal_settings_give_one_engine_and_others_another() -> None:
    built = Built[Counting]()

    one = built.get(generator(model="m", extra={"n": 1}), Counting)
    same = built.get(generator(model="m", extra={"n": 1}), Counting)
    other = built.get(generator(model="m", extra={"n": 2}), Counting)

    assert one is same
    assert one is not other


def test_a_shared_engine_starts_once() -> None:
    shared, own = Counting(), Counting()
    started = Started()

    async def scenario() -> None:
        await started.start((shared,))
        await started.start((shared, own, own))

    asyncio.run(scenario())

    assert (shared.starts, own.starts) == (1, 1)


def test_a_failure_is_told_to_each_that_shares_the_engine_and_does_not_stop_the_others() -> None:
    broken, fine = Counting("broken", is_broken=True), Counting("fine")
    started = Started()

    async def scenario() -> None:
        for engines in ((broken, fine), (broken,)):
            with pytest.raises(EngineError, match="it is broken"):
                await started.start(engines)
        await started.start((fine,))

    asyncio.run(scenario())

    assert (broken.starts, fine.starts) == (1, 1)
