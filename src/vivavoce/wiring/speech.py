"""The better recogniser and voices: used where their models are there and configuration allows it, fetched when asked.

The embedded engines are always up too. They serve until the others have answered their warm-up, and go on serving
where those cannot: sessions show by name what they run on, and the asset shows why.
"""

import logging
from collections.abc import Callable, Iterator, Mapping
from typing import Final

import msgspec

from vivavoce.assets import moonshine
from vivavoce.assets.cache import default_directory
from vivavoce.assets.moonshine import MoonshineModels
from vivavoce.assets.optional import OptionalAsset, OptionalAssets, Report
from vivavoce.config.model import Configuration
from vivavoce.engines.base import EngineError, Synthesizer, Transcriber
from vivavoce.runtime.performers import EngineSet

# Engines that stand in for the better ones, by name.
PLAIN_TRANSCRIBERS: Final = ("pocketsphinx",)
PLAIN_SYNTHESIZERS: Final = ("flite", "flite-wasm")

_log = logging.getLogger(__name__)


def optional_assets(configuration: Configuration) -> OptionalAssets:
    """Return the models that a person may have besides."""
    return OptionalAssets(default_directory(str(configuration.assets_dir) if configuration.assets_dir else None))


class LocalSpeech:
    """The speech engines of moonshine-voice, once for all pipelines; also an OptionalFetcher for page and commands."""

    def __init__(self, configuration: Configuration, assets: OptionalAssets | None = None) -> None:
        self._configuration = configuration
        self._assets = optional_assets(configuration) if assets is None else assets
        self._transcriber: Transcriber | None = None
        self._synthesizer: Synthesizer | None = None
        self._replaced: list[Transcriber | Synthesizer] = []  # live sessions may still use them
        self._was_tried = False  # to start the engines, since the last fetch
        self._on_better: Callable[[], None] = lambda: None

    def when_better(self, tell: Callable[[], None]) -> None:
        """Have `tell` called when engines have become available after the start."""
        self._on_better = tell

    def list(self) -> tuple[OptionalAsset, ...]:
        """See OptionalFetcher."""
        return self._assets.list()

    async def fetch(self, name: str, on_progress: Report | None = None) -> OptionalAsset:
        """Fetch the models and start to use them, for sessions that begin from then on; see OptionalFetcher.

        Raises:
            AssetError: they could not be had; see OptionalAssets.fetch.
        """
        await self._assets.fetch(name, on_progress)
        self._was_tried = self._transcriber is not None
        await self.start()
        self._on_better()
        return self._assets.find(name)

    async def start(self) -> None:
        """Load the engines if their models are there and they are wanted; otherwise tell why in the log.

        Engines that cannot start are logged, and the asset tells it.
        """
        if self._configuration.engines.speech == "embedded" or self._was_tried:
            return
        self._was_tried = True
        models = self._assets.moonshine_models()
        if models is None or not moonshine.is_package_installed():
            self._tell_absence()
            return
        try:
            await self._load(models)
        except EngineError as error:
            self._assets.note_unusable(f"The models are there but cannot be used: {error}.")
            _log.warning("better speech cannot start, the embedded engines serve", extra={"reason": str(error)})

    def can_improve(self, engines: EngineSet) -> bool:
        """Return whether one of a set's engines is one that the better ones replace."""
        return (
            engines.transcriber.capabilities.name in PLAIN_TRANSCRIBERS
            or engines.synthesizer.capabilities.name in PLAIN_SYNTHESIZERS
        )

    def improved(self, engines: EngineSet) -> EngineSet:
        """Return a set with the better engines in the place of the embedded ones, as far as there are any."""
        if self._transcriber is not None and engines.transcriber.capabilities.name in PLAIN_TRANSCRIBERS:
            self._replaced.append(engines.transcriber)
            engines = msgspec.structs.replace(engines, transcriber=self._transcriber)
        if self._synthesizer is not None and engines.synthesizer.capabilities.name in PLAIN_SYNTHESIZERS:
            self._replaced.append(engines.synthesizer)
            engines = msgspec.structs.replace(engines, synthesizer=self._synthesizer)
        return engines

    async def close(self) -> None:
        """Release the engines, and those they replaced."""
        better, self._transcriber, self._synthesizer = (self._transcriber, self._synthesizer), None, None
        for engine in (*better, *self._replaced):
            if engine is not None:
                await engine.close()

    async def _load(self, models: MoonshineModels) -> None:
        from vivavoce.engines.stt.moonshine import MoonshineModel, MoonshineTranscriber
        from vivavoce.engines.tts.moonshine import MoonshineSynthesizer, MoonshineVoices

        chosen, folder = self._configuration.engines, self._assets.folder
        transcriber = MoonshineTranscriber(
            MoonshineModel(folder / models.transcriber, models.architecture, models.language),
            chosen.transcriber_workers,
            chosen.transcriber_workers_max,
        )
        voices = MoonshineVoices(folder / models.voices_root, models.voices)
        synthesizer = MoonshineSynthesizer(voices, self._configuration.session.voice)
        try:
            await transcriber.start()
            await synthesizer.start()
        except BaseException:
            await transcriber.close()
            await synthesizer.close()
            raise
        self._transcriber, self._synthesizer = transcriber, synthesizer

    def _tell_absence(self) -> None:
        asset = self._assets.find(moonshine.NAME)
        is_asked = self._configuration.engines.speech == "moonshine"
        if is_asked or asset.state in ("partial", "failed"):
            reason = asset.reason or f"its models are {asset.state}; get them with: vivavoce assets fetch {asset.name}"
            _log.warning("better speech is not there, the embedded engines serve", extra={"reason": reason})


class EnginesByModel(Mapping[str, EngineSet]):
    """The present engines of each model name: what a pipeline gets later, its new sessions have."""

    def __init__(self, table: Mapping[str, str], sets: Mapping[str, EngineSet]) -> None:
        """Prepare; `table` maps models to what serves them, of which those without a set are left out."""
        self._table = {model: name for model, name in table.items() if name in sets}
        self._sets = sets

    def __getitem__(self, model: str) -> EngineSet:
        return self._sets[self._table[model]]

    def __iter__(self) -> Iterator[str]:
        return iter(self._table)

    def __len__(self) -> int:
        return len(self._table)
