"""A Realtime server on loopback that does what a test's script says, keeps all that it is sent, and fails on demand.

It follows the recorded event orders of the GA API. Everything runs on the test's loop without tasks: what a test does
to it is sent before the call returns.
"""

import asyncio
import contextlib
import socket
import ssl
from collections import deque
from collections.abc import AsyncIterator, Callable
from typing import Final
from urllib.parse import parse_qsl, urlsplit

import msgspec
from websockets.http11 import Request

from vivavoce.testing.upstream_faults import Fault
from vivavoce.testing.upstream_flavour import STRANGE_EVENT, Flavour, encoder
from vivavoce.testing.upstream_replies import Json, Script
from vivavoce.testing.upstream_session import UpstreamSession
from vivavoce.testing.upstream_wire import UpstreamConnection, read_event

DEADLINE_S: Final = 20.0
HOST: Final = "127.0.0.1"


class Handshake(msgspec.Struct, frozen=True):
    """A request for a WebSocket. Header names are lower case; `fault` is how it was answered, None: accepted."""

    number: int
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    fault: str | None = None


class Received(msgspec.Struct, frozen=True):
    """A message as it came. `event` is None where it is no object; connections count as handshakes, from 1."""

    connection: int
    message: bytes
    event: Json | None


class Upstream:
    """A scripted upstream. `script` can be changed at any time."""

    def __init__(self, flavour: Flavour = "plain", tls: ssl.SSLContext | None = None) -> None:
        self.script = Script()
        self.handshakes: list[Handshake] = []
        self.received: list[Received] = []
        self.connections: list[UpstreamConnection] = []  # by handshake, also those that came to nothing
        self.port = 0
        self._tls = tls
        self._flavour: Flavour = flavour
        self._faults: deque[Fault] = deque()
        self._transports: list[UpstreamConnection] = []  # all TCP connections, for the end
        self._server: asyncio.Server | None = None
        self._socket: socket.socket | None = None  # on which it listens
        self._changed = asyncio.Event()

    # What a test looks at -----------------------------------------------------------------------------------------

    @property
    def url(self) -> str:
        """The base of its API, as `upstream.url` takes it."""
        return f"{'http' if self._tls is None else 'https'}://{HOST}:{self.port}/v1"

    @property
    def sessions(self) -> list[UpstreamSession]:
        """The sessions that were started, in order."""
        return [connection.session for connection in self.connections if connection.session is not None]

    @property
    def link(self) -> UpstreamConnection:
        """The newest connection that has a session."""
        return next(connection for connection in reversed(self.connections) if connection.session is not None)

    @property
    def session(self) -> UpstreamSession:
        """The newest session."""
        return self.sessions[-1]

    def events(self, kind: str | None = None, connection: int | None = None) -> list[Json]:
        """Return the events received, of one type or connection if asked."""
        return [
            got.event
            for got in self.received
            if got.event is not None and kind in (None, got.event.get("type")) and connection in (None, got.connection)
        ]

    def count(self, kind: str, connection: int | None = None) -> int:
        """Return how many events of a type were received."""
        return len(self.events(kind, connection))

    async def wait_until(self, is_reached: Callable[[], bool]) -> None:
        """Return when something that came in has made a condition true.

        Raises:
            TimeoutError: it was not in time; says what has come.
        """
        try:
            async with asyncio.timeout(DEADLINE_S):
                while not is_reached():
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError as error:
            last = [(got.connection, (got.event or {}).get("type")) for got in self.received[-5:]]
            made = [(one.number, one.fault) for one in self.handshakes]
            raise TimeoutError(f"waited {DEADLINE_S:.0f} s; handshakes {made}, last messages {last}") from error

    # What a test does ---------------------------------------------------------------------------------------------

    def fail_next(self, fault: Fault, times: int = 1) -> None:
        """Have the next handshakes fail (after those that are to fail already)."""
        if fault.stops_listening:
            self.stop_listening()
        else:
            self._faults.extend([fault] * times)

    def strike(self, fault: Fault) -> None:
        """Have the newest connection fail at once; a fault of handshakes drops it and fails the next one first."""
        link = self.link
        if fault.strike is None:
            if fault.stops_listening:
                self.stop_listening()
            else:
                self._faults.appendleft(fault)
            link.reset()
        else:
            fault.strike(link)

    def recover(self) -> None:
        """Forget the faults of handshakes to come."""
        self._faults.clear()

    def stop_listening(self) -> None:
        """Have the machine refuse connections, until `listen`."""
        assert self._server is not None and self._socket is not None, "it listens"
        self._server.close()
        self._socket.close()

    async def listen(self) -> None:
        """Accept connections, on the same port as before."""
        bound = socket.socket()
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((HOST, self.port))
        self.port = bound.getsockname()[1]
        self._socket = bound
        encode = encoder(self._flavour)
        make = asyncio.get_running_loop().create_server
        self._server = await make(lambda: UpstreamConnection(self, encode), sock=bound, ssl=self._tls)

    def end(self) -> None:
        """Stop, and drop what is connected."""
        self.stop_listening()
        for connection in self._transports:
            connection.reset()

    # What connections tell ----------------------------------------------------------------------------------------

    def connected(self, connection: UpstreamConnection) -> None:
        self._transports.append(connection)

    def handshake(self, connection: UpstreamConnection, request: Request) -> None:
        parts = urlsplit(request.path)
        fault = self._faults.popleft() if self._faults else None
        headers = {name.lower(): value for name, value in request.headers.raw_items()}
        connection.number = len(self.handshakes) + 1
        name = None if fault is None else fault.name
        self.handshakes.append(Handshake(connection.number, parts.path, dict(parse_qsl(parts.query)), headers, name))
        self.connections.append(connection)
        if fault is None:
            self._open(connection, request)
        elif fault.answer is not None:
            fault.answer(connection, request)
        else:
            assert fault.strike is not None, f"{fault.name} can be answered or struck"
            connection.accept(request)
            asyncio.get_running_loop().call_soon(fault.strike, connection)  # the answer is on its way first
        self._changed.set()

    def message(self, connection: UpstreamConnection, message: bytes) -> None:
        event = read_event(message)
        self.received.append(Received(connection.number, message, event))
        if connection.session is not None:
            connection.session.receive(event or {})
        self._changed.set()

    def closed(self, connection: UpstreamConnection) -> None:
        self._transports.remove(connection)
        self._changed.set()

    def _open(self, connection: UpstreamConnection, request: Request) -> None:
        query = self.handshakes[-1].query
        connection.accept(request)
        kind = "transcription" if query.get("intent") == "transcription" else "realtime"
        model = query.get("model", "gpt-realtime")
        session = UpstreamSession(connection.number, self.script, connection.send_event, model=model, kind=kind)
        connection.session = session
        session.start()
        if self._flavour == "strange":
            connection.send_event(STRANGE_EVENT)


@contextlib.asynccontextmanager
async def scripted_upstream(flavour: Flavour = "plain", tls: ssl.SSLContext | None = None) -> AsyncIterator[Upstream]:
    """Run a scripted upstream on a free port of loopback until the block ends."""
    upstream = Upstream(flavour, tls)
    await upstream.listen()
    try:
        yield upstream
    finally:
        upstream.end()
