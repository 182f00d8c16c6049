"""Puts sessions and the server together as the configuration says, and runs them."""

import asyncio
import gc
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import platformdirs

import vivavoce
from vivavoce.app.models import ModelCard, ModelCatalogue
from vivavoce.app.server import AppSettings, Server, build_app, open_access
from vivavoce.app.tls import tls_files
from vivavoce.config.load import ConfigurationError
from vivavoce.config.model import Configuration
from vivavoce.config.prompts import load_prompts
from vivavoce.core.policy import SessionPolicy
from vivavoce.core.spending import SpendingBook
from vivavoce.engines.base import EngineError
from vivavoce.runtime.clock import RandomIds, SystemClock
from vivavoce.runtime.registry import Registry, SessionSettings
from vivavoce.runtime.tracing import Tracer
from vivavoce.runtime.upstreams import ToolBox
from vivavoce.store.credentials import KEY_FILE_NAME, CredentialsUnreadable, KeyFile
from vivavoce.store.spending import SPENDING_FILE_NAME, SpendingFile
from vivavoce.wiring.backstage import backstage
from vivavoce.wiring.engines import Pipelines, build_pipelines
from vivavoce.wiring.relay import build_relay, failover_to, refuse_anonymous
from vivavoce.wiring.sharing import first_failure
from vivavoce.wiring.speech import EnginesByModel
from vivavoce.wiring.spending import build_book, kept_spending
from vivavoce.wiring.tools import build_tools


def build_registry(
    configuration: Configuration,
    pipelines: Pipelines,
    tracer: Tracer | None = None,
    tools: ToolBox | None = None,
    spending: SpendingBook | None = None,
) -> Registry:
    """Return the host that opens sessions on the pipelines, or relays them; without a tracer no traces are kept.

    Raises:
        ConfigurationError: as `build_relay` and `build_tools`.
    """
    served_by = {configuration.default_model: configuration.local_default, **configuration.served_by}
    engines = EnginesByModel(served_by, pipelines.sets)
    relay = None
    if configuration.upstream.url:
        failover = configuration.upstream.failover
        if failover and failover not in pipelines.sets:
            raise ConfigurationError(f"upstream.failover: the pipeline {failover!r} cannot be had; see the log.")
        other = failover_to(failover, lambda: registry, lambda: pipelines.sets[failover]) if failover else None
        relay = build_relay(configuration, tools, other)
    settings = SessionSettings(
        default_model=configuration.default_model,
        voice=configuration.session.voice,
        instructions=configuration.session.instructions,
        policy=session_policy(configuration),
        requests_per_min=configuration.limits.requests_per_min,
        tokens_per_min=configuration.limits.tokens_per_min,
        max_sessions=configuration.server.max_sessions,
        max_sessions_per_key=configuration.server.max_sessions_per_key,
        spending=spending,
        tools=tools,
        relay=relay,
    )
    registry = Registry(engines, settings, SystemClock(), RandomIds(), tracer=tracer)
    return registry


def session_policy(configuration: Configuration) -> SessionPolicy:
    """Return what the configuration allows every session.

    Raises:
        ConfigurationError: as `load_prompts`.
    """
    return SessionPolicy(
        lifetime_s=configuration.server.session_lifetime_min * 60,
        context_tokens=configuration.engines.context_tokens,
        prompts=load_prompts(configuration.prompts_dir),
        mcp_hosts=configuration.mcp.allowed_hosts,
    )


def app_settings(configuration: Configuration) -> AppSettings:
    """Return how to serve.

    Raises:
        ConfigurationError: an open address without a key, a key file that cannot be read, an origin or name that
            can never match, or a certificate that cannot be used.
    """
    server = configuration.server
    try:
        settings = AppSettings(
            host=server.host,
            port=server.port,
            api_keys=tuple(key.get_secret_value() for key in server.api_keys),
            key_file=key_file(configuration).path,
            allowed_origins=server.allowed_origins,
            host_names=server.host_names,
            is_insecure=server.insecure,
            web_dir=web_directory(),
            drain_s=server.drain_s,
            tls=tls_files(server, data_directory(configuration) / "tls", datetime.now(UTC)),
        )
        keys, _ = open_access(settings, SystemClock())  # raises what is wrong with keys, names and origins
    except ValueError as error:
        raise ConfigurationError(f"server: {error}.") from error
    except CredentialsUnreadable as error:
        raise ConfigurationError(str(error)) from error
    refuse_anonymous(configuration, keys.has_keys)
    return settings


def key_file(configuration: Configuration) -> KeyFile:
    """Return the file of the keys that `vivavoce keys` makes; it need not exist."""
    return KeyFile(data_directory(configuration) / KEY_FILE_NAME)


def data_directory(configuration: Configuration) -> Path:
    """Return the folder for what the server keeps; it need not exist."""
    return configuration.data_dir or platformdirs.user_data_path("vivavoce", appauthor=False)


def web_directory() -> Path | None:
    """Return the built web client: inside an installed wheel, else in the checkout; None if it was not built."""
    package = Path(vivavoce.__file__).parent
    candidates = (package / "web_dist", package.parents[1] / "web" / "dist")
    return next((path for path in candidates if (path / "index.html").is_file()), None)


def model_catalogue(configuration: Configuration) -> ModelCatalogue:
    """Return the models that may be named: where sessions are relayed by default, only those that go somewhere."""
    cards = tuple(ModelCard(name) for name in configuration.served_by)
    is_strict = configuration.models.strict or configuration.engines.default == "upstream"
    patterns = configuration.upstream.models if configuration.upstream.url else ()
    if configuration.engines.default == "upstream" and not patterns:
        patterns = ("*",)
    catalogue = ModelCatalogue(cards, is_strict, patterns)
    named = dict.fromkeys((configuration.upstream.model, configuration.hosted.realtime_model, *patterns))
    relayed = (name for name in named if name and "*" not in name and name not in configuration.served_by)
    more = tuple(ModelCard(name) for name in relayed if catalogue.find(name) is not None)
    return ModelCatalogue((*cards, *more), is_strict, patterns)


async def run_server(configuration: Configuration, ready: Callable[[str], None]) -> None:
    """Serve until SIGTERM or SIGINT, then drain and return.

    Args:
        ready: called once with the URL, when connections are accepted and every default engine has answered.

    Raises:
        ConfigurationError, AssetError: see `app_settings` and `build_pipelines`.
        EngineError: a default engine cannot start.
        OSError: the address cannot be listened on.
    """
    settings = app_settings(configuration)
    pipelines = build_pipelines(configuration)
    catalogue = model_catalogue(configuration)
    tracer = Tracer(data_directory(configuration) / "traces")
    clock, kept = SystemClock(), SpendingFile(data_directory(configuration) / SPENDING_FILE_NAME)
    book = build_book(configuration, kept, clock)
    registry = build_registry(configuration, pipelines, tracer, build_tools(configuration), book)
    more = backstage(configuration, pipelines)
    app = build_app(settings, registry, catalogue, pipelines.readiness, backstage=more)
    try:
        with kept_spending(book, kept, clock):
            await _serve_and_warm_up(Server(settings, app), pipelines, ready)
    finally:
        await pipelines.close()
        tracer.close()


async def _serve_and_warm_up(server: Server, pipelines: Pipelines, ready: Callable[[str], None]) -> None:
    listening: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    with first_failure():
        async with asyncio.TaskGroup() as group:
            warming = group.create_task(_warm_up(server, pipelines, listening, ready), name="warm up")
            group.create_task(_serve(server, listening, warming), name="serve")


async def _serve(server: Server, listening: "asyncio.Future[str]", warming: "asyncio.Task[None]") -> None:
    await server.run_until_stopped(lambda host, port: listening.set_result(url_of(host, port, server.scheme)))
    warming.cancel()


async def _warm_up(
    server: Server, pipelines: Pipelines, listening: "asyncio.Future[str]", ready: Callable[[str], None]
) -> None:
    url = await listening  # a taken port is told before anything is loaded
    try:
        await pipelines.start_default()
    except EngineError:
        server.request_stop()
        raise
    ready(url)
    await pipelines.start_others()
    gc.collect()
    gc.freeze()  # what is loaded by now stays: collections need not look at it again


def url_of(host: str, port: int, scheme: str = "http") -> str:
    """Return the address of the server as a browser takes it."""
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"
