"""The ways by which a client of today's API reaches the server in these tests, and what cannot be said on which.

`ga` is a plain connection. `beta` is a connection in the beta dialect: between client and server stands a proxy that
speaks today's API to the client and the beta to the server, so the same scenarios hold of it.
"""

import asyncio
import contextlib
import functools
import queue
import secrets
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from vivavoce.dialects.beta_upstream import BetaUpstream
from vivavoce.protocol.codec import encode_server_event
from vivavoce.protocol.errors import ClientError
from vivavoce.protocol.server_events import ErrorEvent
from vivavoce.testing.proxy import recording_proxy

BETA_HEADER: Final = "OpenAI-Beta: realtime=v1"
START_LIMIT_S: Final = 10.0


class BetaFront:
    """Makes a client of today's API a client of the beta; a `Translator`."""

    def __init__(self) -> None:
        self._dialect = BetaUpstream()

    def client(self, message: bytes) -> tuple[Sequence[bytes], Sequence[bytes]]:
        try:
            return [self._dialect.client(message)], []
        except ClientError as fault:
            event = ErrorEvent(event_id=f"event_{secrets.token_hex(10)}", error=fault.detail)
            return [], [encode_server_event(event)]

    def server(self, message: bytes) -> Sequence[bytes]:
        return self._dialect.server(message)


@contextlib.contextmanager
def beta_front(address: str) -> Iterator[str]:
    """Give host and port of a front of the server at `address`; it runs on a thread of its own."""
    started: queue.SimpleQueue[tuple[str, Callable[[], object]]] = queue.SimpleQueue()

    async def serve() -> None:
        loop, ended = asyncio.get_running_loop(), asyncio.Event()
        async with recording_proxy(f"http://{address}", translate=BetaFront, headers=(BETA_HEADER,)) as proxy:
            started.put((proxy.address, functools.partial(loop.call_soon_threadsafe, ended.set)))
            await ended.wait()

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    front, end = started.get(timeout=START_LIMIT_S)
    try:
        yield front
    finally:
        end()
        thread.join()


@contextlib.contextmanager
def ga_front(address: str) -> Iterator[str]:
    """Give the server's own address."""
    yield address


WIRES: Final[dict[str, Callable[[str], contextlib.AbstractContextManager[str]]]] = {"ga": ga_front, "beta": beta_front}

# Tests that stand for something that cannot be said in the beta: with their parameters, or all of them.
UNSAYABLE: Final[dict[str, str]] = {}


def cannot_say(wire: str, name: str) -> bool:
    """Return whether the test of a name cannot be held over a wire; a name may have its parameters in brackets."""
    return wire == "beta" and any(name == known or name.partition("[")[0] == known for known in UNSAYABLE)
