"""Where the shell gets time and ids from; the core never asks for either."""

import asyncio
import secrets
import string
import time
from typing import Final, Protocol

from vivavoce.protocol.ids import ID_LENGTH

_ALPHABET: Final = string.ascii_letters + string.digits


class Clock(Protocol):
    """Monotonic seconds for deadlines, wall time for what people read."""

    def monotonic_s(self) -> float: ...

    def unix_s(self) -> int: ...


class SystemClock:
    """The machine's clocks."""

    def monotonic_s(self) -> float:
        return time.monotonic()

    def unix_s(self) -> int:
        return int(time.time())


class LoopClock:
    """The running event loop's time, which a virtual-time loop moves by jumps. Wall time begins at `epoch_s`."""

    def __init__(self, epoch_s: int = 1_800_000_000) -> None:
        self._epoch_s = epoch_s

    def monotonic_s(self) -> float:
        return asyncio.get_running_loop().time()

    def unix_s(self) -> int:
        return self._epoch_s + int(self.monotonic_s())


class RandomIds:
    """Ids from the machine's secure randomness."""

    def make(self, prefix: str) -> str:
        """Return `prefix`, an underscore and 20 random letters and digits (119 bits)."""
        return f"{prefix}_{''.join(secrets.choice(_ALPHABET) for _ in range(ID_LENGTH))}"
