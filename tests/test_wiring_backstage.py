"""What REST tells of the engines: those that a session would have, at this moment."""

import msgspec

from vivavoce.config.load import load
from vivavoce.config.model import Configuration
from vivavoce.engines.script import Script
from vivavoce.engines.stt.scripted import ScriptedTranscriber
from vivavoce.wiring import build_pipelines
from vivavoce.wiring.backstage import backstage, pipeline_cards

SCRIPTED = {
    "engines.default": "scripted",
    "models.table": {"vivavoce-local": "scripted", "vivavoce-scripted": "scripted"},
}


def configuration(**more: object) -> Configuration:
    return load({**SCRIPTED, **more}, {}).configuration


def test_a_pipeline_is_told_with_its_models_and_the_notes_of_its_engines() -> None:
    chosen = configuration()

    (card,) = pipeline_cards(chosen, build_pipelines(chosen))

    assert (card.name, card.models, card.is_default) == ("scripted", ("vivavoce-local", "vivavoce-scripted"), True)
    assert [stage.job for stage in card.stages][:4] == ["vad", "stt", "llm", "tts"]
    assert {stage.name for stage in card.stages[:4]} == {"scripted"}
    assert all(stage.note for stage in card.stages if stage.job == "tts")


def test_an_engine_that_takes_the_place_of_another_is_told_at_once() -> None:
    class Better(ScriptedTranscriber):
        capabilities = msgspec.structs.replace(ScriptedTranscriber(Script()).capabilities, name="better")

    chosen = configuration()
    pipelines = build_pipelines(chosen)
    parts = backstage(chosen, pipelines)

    pipelines.sets["scripted"] = msgspec.structs.replace(pipelines.sets["scripted"], transcriber=Better(Script()))

    assert [stage.name for stage in parts.pipelines()[0].stages if stage.job == "stt"] == ["better"]


def test_an_upstream_is_told_and_where_it_is_the_default_comes_first() -> None:
    beside = configuration(**{"upstream.url": "http://127.0.0.1:1/v1"})
    before = configuration(**{"upstream.url": "http://127.0.0.1:1/v1", "engines.default": "upstream"})

    assert [card.name for card in pipeline_cards(beside, build_pipelines(beside))] == ["scripted", "upstream"]
    first, _ = pipeline_cards(before, build_pipelines(before))
    assert (first.name, first.is_default, first.stages) == ("upstream", True, ())


def test_the_optional_models_are_offered() -> None:
    chosen = configuration()

    cards = backstage(chosen, build_pipelines(chosen)).desk.cards()

    assert [card.name for card in cards] == ["moonshine"]
