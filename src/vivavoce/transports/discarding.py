"""Reading and dropping what a peer still sends: closing a socket with unread data would destroy the close frame."""

import asyncio
import os
from typing import Final

from vivavoce.transports.connection import LINGER_S, FrameReceiver


class Discard(asyncio.BufferedProtocol):
    """Drops what a peer sends that was told to stop."""

    _scratch: Final = bytearray(64 * 1024)  # written by all, read by none

    def __init__(self, endpoint: FrameReceiver) -> None:
        self._endpoint = endpoint
        self._kept: int | None = None

    def keep(self, transport: asyncio.Transport) -> None:
        """Keep a descriptor of the transport's socket, to go on when the transport is gone."""
        if self._kept is None:
            self._kept = os.dup(transport.get_extra_info("socket").fileno())

    def get_buffer(self, sizehint: int) -> bytearray:
        return self._scratch

    def buffer_updated(self, nbytes: int) -> None:
        return None

    def connection_lost(self, exc: Exception | None) -> None:
        if self._kept is not None:
            _drain(self._kept)
        self._endpoint.transport_lost()


def _drain(kept: int) -> None:
    """Read and drop what arrives on a socket until its peer has closed, for `LINGER_S` at most; then close it."""
    loop = asyncio.get_running_loop()

    def drop() -> None:
        try:
            is_over = not os.read(kept, 64 * 1024)
        except BlockingIOError:
            return
        except OSError:
            is_over = True
        if is_over:
            end()

    def end() -> None:
        deadline.cancel()
        loop.remove_reader(kept)
        os.close(kept)

    deadline = loop.call_later(LINGER_S, end)
    loop.add_reader(kept, drop)
