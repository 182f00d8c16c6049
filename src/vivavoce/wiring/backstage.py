"""Tells REST which engines serve, stage by stage, and hands it the models that may be fetched."""

from collections.abc import Iterator
from typing import Final

from vivavoce.app.assets_api import FetchDesk, NoAssets
from vivavoce.app.engines_api import Backstage, EngineJob, PipelineCard, StageCard
from vivavoce.config.model import Configuration
from vivavoce.engines.base import Engine
from vivavoce.runtime.performers import EngineSet
from vivavoce.wiring.engines import Pipelines

UPSTREAM: Final = "upstream"


def backstage(configuration: Configuration, pipelines: Pipelines) -> Backstage:
    """Return what `/api` tells of the engines of a server."""
    speech = pipelines.speech
    return Backstage(
        pipelines=lambda: pipeline_cards(configuration, pipelines),
        desk=FetchDesk(NoAssets() if speech is None else speech),
    )


def pipeline_cards(configuration: Configuration, pipelines: Pipelines) -> tuple[PipelineCard, ...]:
    """Return what serves sessions at this moment, the default first."""
    cards = [
        PipelineCard(
            name=engines.name,
            models=tuple(model for model, served_by in configuration.served_by.items() if served_by == name),
            is_default=name == configuration.engines.default,
            stages=tuple(_stages(engines)),
        )
        for name, engines in pipelines.sets.items()
    ]
    return tuple(sorted([*cards, *_upstream(configuration)], key=lambda card: not card.is_default))


def _upstream(configuration: Configuration) -> Iterator[PipelineCard]:
    if configuration.upstream.url:
        is_default = configuration.engines.default == UPSTREAM
        yield PipelineCard(name=UPSTREAM, models=configuration.upstream.models, is_default=is_default)


def _stages(engines: EngineSet) -> Iterator[StageCard]:
    present: dict[EngineJob, Engine | None] = {
        "vad": engines.detector,
        "stt": engines.transcriber,
        "llm": engines.generator,
        "tts": engines.synthesizer,
        "noise": engines.noise_reducer,
        "turn": engines.turn_scorer,
    }
    for job, engine in present.items():
        if engine is not None:
            yield StageCard(job=job, name=engine.capabilities.name, note=engine.capabilities.note)
