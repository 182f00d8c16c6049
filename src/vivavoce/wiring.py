"""The composition root: puts engines, sessions and the server together as the configuration says.

Only this module names concrete engines. Engine libraries are imported when their pipeline is built.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec
import platformdirs

import vivavoce
from vivavoce.app.models import ModelCard, ModelCatalogue
from vivavoce.app.server import AppSettings, Server, build_app, open_access
from vivavoce.app.tls import tls_files
from vivavoce.assets.cache import AssetCache, default_directory
from vivavoce.assets.errors import AssetError, AssetMissing
from vivavoce.config.load import ConfigurationError
from vivavoce.config.model import Configuration, EngineName
from vivavoce.config.prompts import load_prompts
from vivavoce.config.voices import load_voices
from vivavoce.core.policy import SessionPolicy
from vivavoce.engines.base import Engine, EngineError, McpConnector, NoiseReducer, TurnScorer
from vivavoce.runtime.clock import RandomIds, SystemClock
from vivavoce.runtime.performers import EngineSet
from vivavoce.runtime.registry import Registry, SessionSettings
from vivavoce.runtime.tracing import Tracer
from vivavoce.store.credentials import KEY_FILE_NAME, CredentialsUnreadable, KeyFile

DETECTOR_ASSET: Final = "silero-vad"
NOISE_REDUCER_ASSET: Final = "rnnoise-wasm"
TURN_SCORER_ASSET: Final = "smart-turn"
SYNTHESIZER_ASSET: Final = "flite-wasm"

_log = logging.getLogger(__name__)


class SharedEngines(msgspec.Struct, frozen=True):
    """What all pipelines use alike, where it is configured and installed."""

    noise_reducer: NoiseReducer | None = None
    turn_scorer: TurnScorer | None = None
    mcp: McpConnector | None = None

    @property
    def all(self) -> tuple[Engine, ...]:
        """Return those there are."""
        return tuple(engine for engine in (self.noise_reducer, self.turn_scorer, self.mcp) if engine is not None)


class Pipelines:
    """The engine sets of the configured models, and which of them are up."""

    def __init__(self, sets: dict[EngineName, EngineSet], default: EngineName, shared: SharedEngines) -> None:
        self.sets = sets
        self._default = default
        self._shared = shared
        self._up: set[str] = set()

    def readiness(self) -> dict[str, bool]:
        """Whether each engine that must be up has answered its warm-up."""
        return {engine.capabilities.name: self._default in self._up for engine in engines_of(self.sets[self._default])}

    async def start_default(self) -> None:
        """Start the default pipeline and what is shared; returns when each of the pipeline's engines has answered.

        A shared engine that cannot start is logged, and sessions that want it get its error.

        Raises:
            EngineError: one of them cannot.
        """
        await start_engines(engines_of(self.sets[self._default]))
        for engine in self._shared.all:
            try:
                await engine.start()
            except EngineError as error:
                _log.warning("engine cannot start", extra={"engine": engine.capabilities.name, "reason": str(error)})
        self._up.add(self._default)

    async def start_others(self) -> None:
        """Start the other pipelines; one that cannot start is logged, and its sessions get its error."""
        for name, engines in self.sets.items():
            if name in self._up:
                continue
            try:
                await start_engines(engines_of(engines))
                self._up.add(name)
            except EngineError as error:
                _log.warning("pipeline cannot start", extra={"pipeline": name, "reason": str(error)})

    async def close(self) -> None:
        """Release all engines."""
        for engine in (*self._shared.all, *(engine for set in self.sets.values() for engine in engines_of(set))):
            await engine.close()


def engines_of(engines: EngineSet) -> tuple[Engine, ...]:
    """Return the engines of a set, in the order audio takes."""
    optional = (engines.translator,)
    present = (engine for engine in optional if engine is not None)
    return (engines.detector, engines.transcriber, engines.generator, engines.synthesizer, *present)


async def start_engines(engines: Iterable[Engine]) -> None:
    """Start engines side by side; raises the first EngineError."""
    with first_failure():
        async with asyncio.TaskGroup() as group:
            for engine in engines:
                group.create_task(engine.start(), name=f"start {engine.capabilities.name}")


@contextlib.contextmanager
def first_failure() -> Iterator[None]:
    """Raise the first failure of a task group by itself: the others came from cancelling."""
    try:
        yield
    except ExceptionGroup as failures:
        raise failures.exceptions[0] from failures


# Engines --------------------------------------------------------------------------------------------------------


def asset_cache(configuration: Configuration) -> AssetCache:
    """Return the cache of model files."""
    return AssetCache(configuration.assets_dir or default_directory())


def build_pipelines(configuration: Configuration) -> Pipelines:
    """Return the pipelines that the model table names, not started.

    Raises:
        ConfigurationError: the script cannot be read, or the default engine has no such voice.
        AssetError: the default pipeline needs a model file that is not installed.
    """
    default = configuration.engines.default
    shared = build_shared(configuration)
    sets: dict[EngineName, EngineSet] = {}
    for name in dict.fromkeys((default, *configuration.models.table.values())):
        try:
            sets[name] = msgspec.structs.replace(
                build_engines(name, configuration),
                noise_reducer=shared.noise_reducer,
                turn_scorer=shared.turn_scorer,
                mcp=shared.mcp,
            )
        except AssetError as error:
            if name == default:
                raise
            _log.warning("pipeline left out", extra={"pipeline": name, "reason": str(error)})
    _check_voice(configuration.session.voice, sets[default].synthesizer.capabilities.voices)
    return Pipelines(sets, default, shared)


def _check_voice(voice: str, voices: tuple[str, ...]) -> None:
    if voices and voice not in voices:
        known = ", ".join(voices)
        raise ConfigurationError(f"session.voice: expected a voice of the default engine ({known}), got {voice!r}.")


def narrow_to(configuration: Configuration, model: str | None) -> Configuration:
    """Return a configuration with only the pipeline that serves a model; None asks for the default model."""
    table = configuration.models.table
    name = table.get(model or "", configuration.engines.default)
    engines = configuration.engines.model_copy(update={"default": name})
    served = {model: engine for model, engine in table.items() if engine == name}
    models = configuration.models.model_copy(update={"table": served})
    return configuration.model_copy(update={"engines": engines, "models": models})


def build_engines(name: EngineName, configuration: Configuration) -> EngineSet:
    """Return the engines of one pipeline, not started; raises as `build_pipelines`."""
    return _scripted(configuration.scripted.script) if name == "scripted" else _embedded(configuration)


def build_shared(configuration: Configuration) -> SharedEngines:
    """Return what all pipelines use alike, not started.

    Raises:
        ConfigurationError: `mcp.allowed_hosts` holds what can never match.
        AssetError: the turn scorer was asked for and its model is not installed.
    """
    assets = asset_cache(configuration)
    return SharedEngines(
        _noise_reducer(configuration, assets), _turn_scorer(configuration, assets), _mcp(configuration)
    )


def _noise_reducer(configuration: Configuration, assets: AssetCache) -> NoiseReducer | None:
    if configuration.engines.noise_reducer == "none":
        return None
    path = _path_if_installed(assets, NOISE_REDUCER_ASSET)
    if path is None:
        _log.warning("noise reduction is left out", extra={"asset": NOISE_REDUCER_ASSET})
        return None
    from vivavoce.engines.noise.rnnoise import RnnoiseReducer

    return RnnoiseReducer(path)


def _turn_scorer(configuration: Configuration, assets: AssetCache) -> TurnScorer | None:
    if configuration.engines.turn_scorer == "none":
        return None
    from vivavoce.engines.turn.smart_turn import SmartTurnScorer

    return SmartTurnScorer(assets.path(TURN_SCORER_ASSET))


def _mcp(configuration: Configuration) -> McpConnector | None:
    if not configuration.mcp.allowed_hosts:
        return None
    from vivavoce.engines.mcp.connector import McpHttpConnector

    try:
        return McpHttpConnector(configuration.mcp.allowed_hosts, configuration.mcp.timeout_s)
    except ValueError as error:
        raise ConfigurationError(f"mcp.allowed_hosts: {error}.") from error


def _embedded(configuration: Configuration) -> EngineSet:
    from vivavoce.engines.llm.embedded import EmbeddedResponder
    from vivavoce.engines.stt.pocketsphinx import PocketsphinxTranscriber
    from vivavoce.engines.tts.flite import FliteSynthesizer
    from vivavoce.engines.vad.silero import SileroDetector

    assets = asset_cache(configuration)
    chosen = configuration.engines
    return EngineSet(
        name="embedded",
        detector=SileroDetector(assets.path(DETECTOR_ASSET)),
        transcriber=PocketsphinxTranscriber(chosen.transcriber_workers, chosen.transcriber_workers_max),
        generator=EmbeddedResponder(local_time),
        synthesizer=FliteSynthesizer(load_voices(), _path_if_installed(assets, SYNTHESIZER_ASSET)),
    )


def local_time() -> datetime:
    """Return the server's local time with its zone."""
    return datetime.now().astimezone()


def _path_if_installed(assets: AssetCache, name: str) -> Path | None:
    """The system's own library stands in for a missing file, so its engine decides whether it can do without."""
    try:
        return assets.path(name)
    except AssetMissing:
        return None


def _scripted(script_path: Path | None) -> EngineSet:
    from vivavoce.engines.llm.scripted import ScriptedGenerator
    from vivavoce.engines.script import Script, ScriptError, load_script
    from vivavoce.engines.stt.scripted import ScriptedTranscriber
    from vivavoce.engines.translation.scripted import ScriptedTranslator
    from vivavoce.engines.tts.scripted import ScriptedSynthesizer
    from vivavoce.engines.vad.scripted import ScriptedDetector

    script = Script()
    if script_path is not None:
        try:
            text = script_path.read_text("utf-8")
            script = load_script(text, "json" if script_path.suffix == ".json" else "toml")
        except (OSError, UnicodeDecodeError, ScriptError) as error:
            raise ConfigurationError(f"scripted.script: {script_path} cannot be used: {error}.") from error
    return EngineSet(
        name="scripted",
        detector=ScriptedDetector(script),
        transcriber=ScriptedTranscriber(script),
        generator=ScriptedGenerator(script),
        synthesizer=ScriptedSynthesizer(script),
        translator=ScriptedTranslator(script),
    )


# Sessions and server --------------------------------------------------------------------------------------------


def build_registry(configuration: Configuration, pipelines: Pipelines, tracer: Tracer | None = None) -> Registry:
    """Return the host that opens sessions on the pipelines, by model name; without a tracer no traces are kept."""
    table = configuration.models.table
    engines = {model: pipelines.sets[name] for model, name in table.items() if name in pipelines.sets}
    settings = SessionSettings(
        default_model=configuration.default_model,
        voice=configuration.session.voice,
        instructions=configuration.session.instructions,
        policy=session_policy(configuration),
        requests_per_min=configuration.limits.requests_per_min,
        tokens_per_min=configuration.limits.tokens_per_min,
        max_sessions=configuration.server.max_sessions,
        max_sessions_per_key=configuration.server.max_sessions_per_key,
    )
    return Registry(engines, settings, SystemClock(), RandomIds(), tracer=tracer)


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
        open_access(settings, SystemClock())  # raises what is wrong with keys, names and origins
    except ValueError as error:
        raise ConfigurationError(f"server: {error}.") from error
    except CredentialsUnreadable as error:
        raise ConfigurationError(str(error)) from error
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
    cards = tuple(ModelCard(name) for name in configuration.models.table)
    catalogue = ModelCatalogue(cards, configuration.models.strict)
    tracer = Tracer(data_directory(configuration) / "traces")
    app = build_app(settings, build_registry(configuration, pipelines, tracer), catalogue, pipelines.readiness)
    try:
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


def url_of(host: str, port: int, scheme: str = "http") -> str:
    """Return the address of the server as a browser takes it."""
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"
