"""Builds the pipelines of engines that the configuration names. Engine libraries are imported with their pipeline."""

import logging
from datetime import datetime
from pathlib import Path
from typing import Final

import msgspec

from vivavoce.assets.cache import AssetCache, default_directory
from vivavoce.assets.errors import AssetError, AssetMissing
from vivavoce.config.hybrid import LOCAL
from vivavoce.config.load import ConfigurationError
from vivavoce.config.model import Configuration
from vivavoce.config.voices import load_voices
from vivavoce.engines.base import (
    Detector,
    Engine,
    EngineError,
    Generator,
    McpConnector,
    NoiseReducer,
    Synthesizer,
    Transcriber,
    TurnScorer,
)
from vivavoce.runtime.performers import EngineSet
from vivavoce.wiring.sharing import Built, Started
from vivavoce.wiring.speech import LocalSpeech
from vivavoce.wiring.spending import paid_models

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
    """The engine sets of the configured models, and which of them are up; they may share engines.

    The keys of `sets` are names of pipelines, and sections of `Configuration.hybrid_sections`.
    """

    def __init__(
        self,
        sets: dict[str, EngineSet],
        default: str,
        shared: SharedEngines,
        speech: LocalSpeech | None = None,
    ) -> None:
        self.sets = sets  # a set is replaced when better speech engines become available
        self.speech = speech
        self._default = default
        self._shared = shared
        self._up: set[str] = set()
        self._started = Started()
        if speech is not None:
            speech.when_better(self._improve)

    def readiness(self) -> dict[str, bool]:
        """Whether each engine that must be up has answered its warm-up."""
        return {engine.capabilities.name: self._default in self._up for engine in engines_of(self.sets[self._default])}

    async def start_default(self) -> None:
        """Start the default pipeline and what is shared; returns when each of the pipeline's engines has answered.

        A shared engine that cannot start is logged, and sessions that want it get its error.

        Raises:
            EngineError: one of them cannot.
        """
        await self._started.start(engines_of(self.sets[self._default]))
        for engine in self._shared.all:
            try:
                await engine.start()
            except EngineError as error:
                _log.warning("engine cannot start", extra={"engine": engine.capabilities.name, "reason": str(error)})
        await self._come_up(self._default)

    async def start_others(self) -> None:
        """Start the other pipelines; one that cannot start is logged, and its sessions get its error."""
        for name, engines in tuple(self.sets.items()):
            if name in self._up:
                continue
            try:
                await self._started.start(engines_of(engines))
                await self._come_up(name)
            except EngineError as error:
                _log.warning("pipeline cannot start", extra={"pipeline": name, "reason": str(error)})

    async def close(self) -> None:
        """Release all engines."""
        for engine in (*self._shared.all, *(engine for set in self.sets.values() for engine in engines_of(set))):
            await engine.close()
        if self.speech is not None:
            await self.speech.close()

    async def _come_up(self, name: str) -> None:
        self._up.add(name)
        if self.speech is not None and self.speech.can_improve(self.sets[name]):
            await self.speech.start()
            self._improve()

    def _improve(self) -> None:
        """Give the pipelines that are up the better speech engines, as far as there are any."""
        if self.speech is not None:
            for name in self._up:
                self.sets[name] = self.speech.improved(self.sets[name])


def engines_of(engines: EngineSet) -> tuple[Engine, ...]:
    """Return the engines of a set, in the order audio takes."""
    optional = (engines.translator,)
    present = (engine for engine in optional if engine is not None)
    return (engines.detector, engines.transcriber, engines.generator, engines.synthesizer, *present)


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
    default, failover = configuration.local_default, configuration.upstream.failover
    shared = build_shared(configuration)
    workshop, sets = Workshop(configuration), dict[str, EngineSet]()
    # They start in this order: models of the hybrid pipeline mostly need what is up with it already.
    sections = (key for key in configuration.hybrid_sections if key != "hybrid")
    wanted = (default, *sections, *configuration.served_by.values(), *((failover,) if failover else ()))
    for name in dict.fromkeys(name for name in wanted if name != "upstream"):
        try:
            sets[name] = msgspec.structs.replace(
                workshop.build(name),
                noise_reducer=shared.noise_reducer,
                turn_scorer=shared.turn_scorer,
                mcp=shared.mcp,
            )
        except AssetError as error:
            if name == default:
                raise
            _log.warning("pipeline left out", extra={"pipeline": name, "reason": str(error)})
    _check_voice(configuration.session.voice, sets[default].synthesizer.capabilities.voices)
    return Pipelines(sets, default, shared, LocalSpeech(configuration))


def _check_voice(voice: str, voices: tuple[str, ...]) -> None:
    if voices and voice not in voices:
        known = ", ".join(voices)
        raise ConfigurationError(f"session.voice: expected a voice of the default engine ({known}), got {voice!r}.")


def narrow_to(configuration: Configuration, model: str | None) -> Configuration:
    """Return a configuration with only the pipeline that serves a model; None asks for the default model.

    The stages of a model of the hybrid pipeline are then those of the pipeline itself.
    """
    hybrid, table = configuration.hybrid, configuration.models.table
    if model is not None and model in hybrid.models:
        hybrid, table = hybrid.model_copy(update=hybrid.models[model].stages), {model: "hybrid"}
    name = table.get(model or "", configuration.local_default)
    engines = configuration.engines.model_copy(update={"default": name})
    served = {model: engine for model, engine in table.items() if engine == name}
    models = configuration.models.model_copy(update={"table": served})
    hybrid = hybrid.model_copy(update={"models": {}})
    return configuration.model_copy(update={"engines": engines, "models": models, "hybrid": hybrid})


def build_engines(name: str, configuration: Configuration) -> EngineSet:
    """Return the engines of one pipeline, not started; raises as `build_pipelines`."""
    return Workshop(configuration).build(name)


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


class Workshop:
    """Builds the engines of pipelines. Stages that are configured alike are one engine."""

    def __init__(self, configuration: Configuration) -> None:
        self._configuration = configuration
        self._detectors = Built[Detector]()
        self._transcribers = Built[Transcriber]()
        self._generators = Built[Generator]()
        self._synthesizers = Built[Synthesizer]()

    def build(self, name: str) -> EngineSet:
        """Return the engines of a pipeline, or of a section of `Configuration.hybrid_sections`, not started.

        Raises as `build_pipelines`.
        """
        if name == "scripted":
            return _scripted(self._configuration.scripted.script)
        return self._embedded() if name == "embedded" else self._hybrid(name)

    def _embedded(self) -> EngineSet:
        return EngineSet(
            name="embedded",
            detector=self._detector(),
            transcriber=self._transcriber(),
            generator=self._generator(),
            synthesizer=self._synthesizer(),
        )

    def _hybrid(self, section: str) -> EngineSet:
        """Return the stages that are configured elsewhere, and those of the embedded pipeline for the others."""
        from vivavoce.wiring import hybrid

        plan = hybrid.plan_of(section, self._configuration)
        stages = plan.stages
        return EngineSet(
            name="hybrid",
            detector=self._detector(),
            transcriber=self._transcribers.get(
                stages.transcriber, lambda: hybrid.transcriber(plan) or self._transcriber()
            ),
            generator=self._generators.get(stages.generator, lambda: hybrid.generator(plan) or self._generator()),
            synthesizer=self._synthesizers.get(
                stages.synthesizer, lambda: hybrid.synthesizer(plan) or self._synthesizer()
            ),
            paid=paid_models(self._configuration, stages),
        )

    def _detector(self) -> Detector:
        return self._detectors.get(LOCAL, lambda: _detector(self._configuration))

    def _transcriber(self) -> Transcriber:
        return self._transcribers.get(LOCAL, lambda: _transcriber(self._configuration))

    def _generator(self) -> Generator:
        return self._generators.get(LOCAL, _generator)

    def _synthesizer(self) -> Synthesizer:
        return self._synthesizers.get(LOCAL, lambda: _synthesizer(self._configuration))


def _detector(configuration: Configuration) -> Detector:
    from vivavoce.engines.vad.silero import SileroDetector

    return SileroDetector(asset_cache(configuration).path(DETECTOR_ASSET))


def _transcriber(configuration: Configuration) -> Transcriber:
    from vivavoce.engines.stt.pocketsphinx import PocketsphinxTranscriber

    chosen = configuration.engines
    return PocketsphinxTranscriber(chosen.transcriber_workers, chosen.transcriber_workers_max)


def _generator() -> Generator:
    from vivavoce.engines.llm.embedded import EmbeddedResponder

    return EmbeddedResponder(local_time)


def _synthesizer(configuration: Configuration) -> Synthesizer:
    from vivavoce.engines.tts.flite import FliteSynthesizer

    return FliteSynthesizer(load_voices(), _path_if_installed(asset_cache(configuration), SYNTHESIZER_ASSET))


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
