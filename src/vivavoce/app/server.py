"""The server: its settings, the application put together, and its life from listening to drained."""

import asyncio
import contextlib
import functools
import ipaddress
import math
import signal
import socket
import threading
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any, Final

import aiofastnet
import msgspec
import uvicorn
import uvloop
from starlette.routing import Route
from starlette.types import ASGIApp
from uvicorn.server import ServerState

from vivavoce.app.access import AccessPolicy, access_policy
from vivavoce.app.authentication import Gatekeeper, KeyRing
from vivavoce.app.client_secrets import secret_routes
from vivavoce.app.cost_api import cost_routes, spending_of
from vivavoce.app.engines_api import Backstage, backstage_routes
from vivavoce.app.gate import RequestGate
from vivavoce.app.http import Readiness, build_http
from vivavoce.app.http_protocol import BoundedHttpProtocol
from vivavoce.app.legacy import legacy_routes
from vivavoce.app.local_servers import local_server_routes
from vivavoce.app.minting import Mint
from vivavoce.app.models import ModelCatalogue
from vivavoce.app.openapi import openapi_route
from vivavoce.app.secrets import PREFIX, ClientSecrets, is_client_secret
from vivavoce.app.tls import TlsFiles, server_context
from vivavoce.app.tls_gate import TlsGate
from vivavoce.app.translations import translation_routes
from vivavoce.app.upgrade import UpgradePolicy, never_translates
from vivavoce.app.websocket_protocol import RealtimeClient, RealtimeEndpoint, RealtimeWebSocketProtocol, RefusedClient
from vivavoce.core.spending import SpendingBook
from vivavoce.protocol.codec import decode_client_event
from vivavoce.runtime.clock import Clock, RandomIds, SystemClock
from vivavoce.runtime.sink import SessionHost, TranslationHost
from vivavoce.store.credentials import KeyFile, KeyWatch
from vivavoce.transports.connection import LINGER_S, FrameLink
from vivavoce.transports.parsing import MessageParser
from vivavoce.transports.picows_connection import PicowsLink
from vivavoce.transports.websockets_connection import WebsocketsLink

BACKLOG: Final = 1024
TICK_S: Final = 1.0
ACCEPT_REST_S: Final = 0.5
SYSTEM_CLOCK: Final = SystemClock()
_STOP_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)
_LINKS: Final[dict[str, Callable[[], FrameLink]]] = {"picows": PicowsLink, "websockets": WebsocketsLink}


class AppSettings(msgspec.Struct, frozen=True):
    """How to serve. Made only with values that hold together.

    Raises:
        ValueError: an unknown WebSocket backend, a key, name or origin that cannot match.
    """

    host: str = "127.0.0.1"
    port: int = 8040  # 0: any free port
    api_keys: tuple[str, ...] = ()
    key_file: Path | None = None  # of `vivavoce keys`; it need not exist
    allowed_origins: tuple[str, ...] = ()
    host_names: tuple[str, ...] = ()
    is_insecure: bool = False  # serve an open address without a key; Host and Origin are checked all the same
    web_dir: Path | None = None
    drain_s: float = 10.0
    websocket_backend: str = "picows"
    tls: TlsFiles | None = None  # serve `https` and `wss`, and nothing else

    def __post_init__(self) -> None:
        for key in self.api_keys:
            _check_key(key)
        if self.websocket_backend not in _LINKS:
            raise ValueError(f"expected a WebSocket backend of {sorted(_LINKS)}, got {self.websocket_backend!r}")
        has_keys = bool(self.api_keys) or self.key_file is not None
        access_policy(self.host_names, self.allowed_origins, has_keys=has_keys)


def _check_key(key: str) -> None:
    """Refuse a key that no request could carry, without telling it."""
    if not key or key.strip() != key:
        raise ValueError("expected API keys without surrounding white space, got an empty or padded one")
    if not key.isascii() or not key.isprintable():
        raise ValueError("expected API keys of printable ASCII characters, got one with others")
    if is_client_secret(key):
        raise ValueError(f"expected API keys that do not begin as client secrets do ({PREFIX!r}), got one")


def _tell_nobody(host: str, port: int) -> None:
    """Ignore where the server listens."""


class Lifecycle:
    """Whether the server is on its way out."""

    def __init__(self) -> None:
        self.is_draining = False


class App(msgspec.Struct, frozen=True):
    """A server's parts, put together by `build_app`."""

    http: ASGIApp
    realtime: RealtimeEndpoint
    lifecycle: Lifecycle
    backstage: Backstage


def is_loopback(host: str) -> bool:
    """Tell whether only this machine can reach an address; a name other than localhost is taken to be open."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def build_app(
    settings: AppSettings,
    host: SessionHost,
    models: ModelCatalogue,
    readiness: Readiness,
    *,
    backstage: Backstage | None = None,
    clock: Clock = SYSTEM_CLOCK,
) -> App:
    """Return the application that serves sessions of `host` as the settings say.

    Args:
        backstage: what `/api` tells of the engines; None tells of none.
        clock: its wall time decides what has expired.

    Raises:
        ValueError: an open address without a usable key.
        CredentialsUnreadable: the key file is there and cannot be used.
    """
    lifecycle, backstage = Lifecycle(), backstage or Backstage()
    ring, access = open_access(settings, clock)
    gatekeeper = Gatekeeper(ring, ClientSecrets(clock.unix_s))
    mint = Mint(host, gatekeeper.secrets, models)
    translations = host if isinstance(host, TranslationHost) else None
    translates = never_translates if translations is None else translations.translates
    more = rest_routes(mint, gatekeeper, translates, backstage, spending_of(host))
    routes = build_http(models, readiness, lambda: lifecycle.is_draining, settings.web_dir, more)
    realtime = RealtimeEndpoint(
        policy=UpgradePolicy(access, gatekeeper, models, translates),
        host=host,
        parser=MessageParser(decode_client_event),
        make_link=_LINKS[settings.websocket_backend],
        is_draining=lambda: lifecycle.is_draining,
        drain_s=settings.drain_s,
        translations=translations,
    )
    return App(RequestGate(routes, access, gatekeeper), realtime, lifecycle, backstage)


def open_access(settings: AppSettings, clock: Clock) -> tuple[KeyRing, AccessPolicy]:
    """Return the keys that are accepted, and the policy for Host and Origin.

    Raises:
        ValueError: an open address without a usable key, or the origin `*` where no key is demanded.
        CredentialsUnreadable: the key file is there and cannot be used.
    """
    ring = KeyRing(settings.api_keys, _watch(settings.key_file, clock))
    if not ring.has_live_keys and not settings.is_insecure and not is_loopback(settings.host):
        make_one = "make one with `vivavoce keys create`, or give an explicit --insecure"
        raise ValueError(f"serving on {settings.host} needs an API key; {make_one}")
    names = (*settings.host_names, settings.host)
    return ring, access_policy(names, settings.allowed_origins, has_keys=ring.has_keys)


def _watch(key_file: Path | None, clock: Clock) -> KeyWatch | None:
    if key_file is None:
        return None
    file = KeyFile(key_file)
    file.load()  # a file that cannot be used is told at once
    return KeyWatch(file, clock.unix_s)


def rest_routes(
    mint: Mint,
    gatekeeper: Gatekeeper,
    translates: Callable[[str | None], bool],
    backstage: Backstage | None = None,
    book: SpendingBook | None = None,
) -> list[Route]:
    """Return the routes of the REST surface besides models and health."""
    return [
        *secret_routes(mint, gatekeeper),
        *legacy_routes(mint),
        *translation_routes(gatekeeper.secrets, RandomIds().make, translates),
        *backstage_routes(backstage or Backstage()),
        *local_server_routes(),
        *cost_routes(book, gatekeeper.ring, SYSTEM_CLOCK),
        openapi_route(),
    ]


class Server(uvicorn.Server):
    """uvicorn's server with our signals and our drain.

    Stock uvicorn raises the signal again after a clean shutdown, so the process would not exit with 0.
    """

    def __init__(self, settings: AppSettings, app: App) -> None:
        super().__init__(_uvicorn_config(settings, app))
        self._settings = settings
        self._app = app
        self._started: Callable[[str, int], None] = _tell_nobody
        self._stopping = asyncio.Event()

    @property
    def scheme(self) -> str:
        """What the server's addresses begin with."""
        return "http" if self._settings.tls is None else "https"

    async def run_until_stopped(self, started: Callable[[str, int], None] = _tell_nobody) -> None:
        """As `serve`."""
        aiofastnet.patch_loop(asyncio.get_running_loop())  # picows must not write to a native uvloop transport
        self._started = started
        with contextlib.closing(listen(self._settings.host, self._settings.port)) as listener:
            try:
                await self.serve(sockets=[listener])
            finally:
                self._app.realtime.parser.close()

    def request_stop(self) -> None:
        """Drain and stop; asked for a second time, drop what is left."""
        if not self.should_exit:
            self.should_exit = True
            self._stopping.set()
            return
        self.force_exit = True
        for connection in tuple(self.server_state.connections):
            if isinstance(connection, RealtimeClient | RefusedClient):
                connection.abort()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if sockets and not self.should_exit:
            self._started(*sockets[0].getsockname()[:2])

    async def main_loop(self) -> None:
        """Keep the `date` header right until asked to stop; stock uvicorn wakes ten times as often to look."""
        while not await self.on_tick(0):
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), TICK_S)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._app.lifecycle.is_draining = True
        await self._app.backstage.desk.close()
        await super().shutdown(sockets)

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Handle the stop signals on the loop, where the process is on its main thread."""
        loop = asyncio.get_running_loop()
        is_main = threading.current_thread() is threading.main_thread()
        signals = _STOP_SIGNALS if is_main else ()
        for number in signals:
            loop.add_signal_handler(number, self.request_stop)
        try:
            yield
        finally:
            for number in signals:
                loop.remove_signal_handler(number)


async def serve(settings: AppSettings, app: App, *, started: Callable[[str, int], None] = _tell_nobody) -> None:
    """Serve until SIGTERM or SIGINT, then drain and return; a second signal drops what is left.

    Run it on a loop of `new_event_loop`; on another it works, slower.

    Args:
        started: called with the address and the port once connections are accepted.

    Raises:
        OSError: the address cannot be listened on.
    """
    await Server(settings, app).run_until_stopped(started)


def new_event_loop() -> asyncio.AbstractEventLoop:
    """Return the event loop that the server is measured on, for `asyncio.Runner(loop_factory=...)`."""
    return uvloop.new_event_loop()


class Listener(socket.socket):
    """A listening socket that rests when the process is out of file descriptors.

    aiofastnet 1.2 means to stop accepting for a second then, but looks for `remove_reader` on the socket instead of
    the loop, and goes on accepting in the same turn; so the loop would spin and log each failure.
    """

    _rests_until_s = 0.0  # on the loop's clock

    def remove_reader(self, descriptor: int) -> None:
        """Called when accepting failed, before it is tried again a second later."""
        loop = asyncio.get_running_loop()
        loop.remove_reader(descriptor)
        self._rests_until_s = loop.time() + ACCEPT_REST_S

    def accept(self) -> tuple[socket.socket, Any]:  # Any: an address, as the standard library has it
        """Return the next connection; while resting there is none."""
        if asyncio.get_running_loop().time() < self._rests_until_s:
            raise BlockingIOError
        return super().accept()


def listen(host: str, port: int) -> socket.socket:
    """Return a listening TCP socket.

    Raises:
        OSError: the name is unknown, the port is taken, or it is not allowed.
    """
    family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    listening = socket.create_server(address[:2], family=family, backlog=BACKLOG)
    return Listener(listening.family, listening.type, listening.proto, listening.detach())


def _uvicorn_config(settings: AppSettings, app: App) -> uvicorn.Config:
    websocket: Any = functools.partial(RealtimeWebSocketProtocol, app.realtime)  # uvicorn only calls it
    http: Any = BoundedHttpProtocol if settings.tls is None else tls_factory(settings.tls)  # as above
    return uvicorn.Config(
        app.http,
        http=http,
        ws=websocket,
        lifespan="off",
        interface="asgi3",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        backlog=BACKLOG,
        timeout_graceful_shutdown=math.ceil(settings.drain_s + LINGER_S + 1),
    )


def tls_factory(files: TlsFiles) -> Callable[..., TlsGate]:
    """Return what uvicorn makes for each connection to a TLS port.

    Raises:
        TlsError: the certificate cannot be used.
    """
    context = server_context(files)

    def begin(
        config: uvicorn.Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> TlsGate:
        http = functools.partial(BoundedHttpProtocol, config, server_state, app_state, _loop)
        return TlsGate(context, http, server_state.connections)

    return begin
