"""What a check of `vivavoce doctor` is: a body that returns a sentence or fails with one, and the time it took."""

import time
from collections.abc import Awaitable, Callable

import msgspec

from vivavoce.assets.errors import AssetError
from vivavoce.cli.faults import CommandError
from vivavoce.config.load import ConfigurationError
from vivavoce.engines.base import EngineError


class CheckFailed(Exception):
    """A check found a fault; the message is the sentence to print."""


class Check(msgspec.Struct, frozen=True):
    """The outcome of one check."""

    name: str
    is_ok: bool
    detail: str
    elapsed_ms: float


Body = Callable[[], Awaitable[str]]

_FAULTS = (CheckFailed, AssetError, CommandError, ConfigurationError, EngineError, OSError, TimeoutError)


async def run_check(name: str, body: Body) -> Check:
    """Run one check and return its outcome; expected faults are failures, anything else is our bug."""
    started = time.perf_counter()
    try:
        detail, is_ok = await body(), True
    except _FAULTS as error:
        detail, is_ok = str(error) or type(error).__name__, False
    return Check(name, is_ok, detail, round((time.perf_counter() - started) * 1000, 1))
