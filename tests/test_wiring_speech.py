"""Which speech engines the pipelines get: the better ones once their models are there, else the embedded ones.

The package moonshine-voice is a stand-in here; processes, files and the choice are ours.
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest

from tests.doubles.moonshine import use_double
from tests.require import require
from vivavoce.assets.errors import AssetError
from vivavoce.assets.optional import OptionalAssets
from vivavoce.config.load import load
from vivavoce.config.model import Configuration
from vivavoce.engines.stt.pocketsphinx import PocketsphinxTranscriber
from vivavoce.engines.tts.flite import FliteSynthesizer
from vivavoce.runtime.performers import EngineSet
from vivavoce.wiring import asset_cache, build_engines, build_pipelines, optional_assets
from vivavoce.wiring.speech import EnginesByModel, LocalSpeech

NAME = "moonshine"


def configured(folder: Path, speech: str = "auto") -> Configuration:
    flags = {"assets_dir": str(folder), "engines.speech": speech}
    return load(flags, environment={}).configuration


def plain_set() -> EngineSet:
    """A pipeline with the embedded speech engines, not started."""
    scripted = build_engines("scripted", load({}, environment={}).configuration)
    return msgspec.structs.replace(
        scripted, name="embedded", transcriber=PocketsphinxTranscriber(), synthesizer=FliteSynthesizer({})
    )


def speech_of(engines: EngineSet) -> tuple[str, str]:
    return engines.stages.stt, engines.stages.tts


def install(folder: Path) -> OptionalAssets:
    """Fetch from the stand-in."""
    assets = optional_assets(configured(folder))
    asyncio.run(assets.fetch(NAME))
    return assets


@asynccontextmanager
async def started(configuration: Configuration) -> AsyncIterator[LocalSpeech]:
    speech = LocalSpeech(configuration)
    try:
        await speech.start()
        yield speech
    finally:
        await speech.close()


def chosen(configuration: Configuration) -> tuple[str, str]:
    """Return recogniser and voices that a session would get."""

    async def body() -> tuple[str, str]:
        async with started(configuration) as speech:
            return speech_of(speech.improved(plain_set()))

    return asyncio.run(body())


@pytest.mark.parametrize(
    ("speech", "names"),
    [("auto", (NAME, NAME)), ("moonshine", (NAME, NAME)), ("embedded", ("pocketsphinx", "flite"))],
)
def test_models_that_are_there_are_used_unless_configuration_says_otherwise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, speech: str, names: tuple[str, str]
) -> None:
    use_double(monkeypatch)
    install(tmp_path)

    assert chosen(configured(tmp_path, speech)) == names


@pytest.mark.parametrize(("speech", "warnings"), [("auto", 0), ("moonshine", 1)])
def test_without_models_the_embedded_engines_serve_which_is_told_to_who_asked_for_others(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, speech: str, warnings: int
) -> None:
    with caplog.at_level(logging.WARNING):
        names = chosen(configured(tmp_path, speech))

    assert names == ("pocketsphinx", "flite")
    assert len(caplog.records) == warnings


def test_a_partial_download_is_told_and_the_embedded_engines_serve(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    use_double(monkeypatch, stops_at="decoder.ort")
    with pytest.raises(AssetError):
        install(tmp_path)

    with caplog.at_level(logging.WARNING):
        names = chosen(configured(tmp_path))

    assert names == ("pocketsphinx", "flite")
    (record,) = caplog.records
    assert "partial" in record.__dict__["reason"]


def test_models_that_cannot_be_loaded_fall_back_and_the_asset_tells_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    use_double(monkeypatch)
    assets = install(tmp_path)
    (file,) = assets.folder.rglob("encoder.ort")
    file.write_bytes(b"x" * 1000)  # of the right size, so only loading tells

    async def body() -> tuple[tuple[str, str], str, str]:
        async with started(configured(tmp_path)) as speech:
            (asset,) = speech.list()
            return speech_of(speech.improved(plain_set())), asset.state, asset.reason

    with caplog.at_level(logging.WARNING):
        names, state, reason = asyncio.run(body())

    assert (names, state) == (("pocketsphinx", "flite"), "failed")
    assert "encoder.ort" in reason
    assert "cannot start" in caplog.text


def test_a_fetch_makes_the_better_engines_available_without_a_restart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_double(monkeypatch)
    told: list[str] = []

    async def body() -> tuple[tuple[str, str], str]:
        async with started(configured(tmp_path)) as speech:
            speech.when_better(lambda: told.append("better"))
            asset = await speech.fetch(NAME)
            return speech_of(speech.improved(plain_set())), asset.state

    assert asyncio.run(body()) == ((NAME, NAME), "ready")
    assert told == ["better"]


def test_engines_on_other_servers_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use_double(monkeypatch)
    install(tmp_path)
    scripted = build_engines("scripted", configured(tmp_path))

    async def body() -> tuple[EngineSet, bool]:
        async with started(configured(tmp_path)) as speech:
            return speech.improved(scripted), speech.can_improve(scripted)

    assert asyncio.run(body()) == (scripted, False)


def test_a_pipeline_that_is_up_gets_the_better_engines_for_its_next_sessions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = asset_cache(load({}, environment={}).configuration)
    require(all(status.is_as_needed for status in cache.list()), "the model files of the embedded pipeline")
    use_double(monkeypatch)
    for status in cache.list():
        if status.path is not None:
            (tmp_path / status.path.parent.name).symlink_to(status.path.parent)
    pipelines = build_pipelines(configured(tmp_path))
    engines = EnginesByModel({"vivavoce-local": "embedded", "other": "hybrid"}, pipelines.sets)

    async def body() -> tuple[tuple[str, str], tuple[str, str]]:
        try:
            await pipelines.start_default()
            before = speech_of(engines["vivavoce-local"])
            assert pipelines.speech is not None
            await pipelines.speech.fetch(NAME)
            return before, speech_of(engines["vivavoce-local"])
        finally:
            await pipelines.close()

    before, after = asyncio.run(body())

    assert before[0] == "pocketsphinx"
    assert after == (NAME, NAME)
    assert list(engines) == ["vivavoce-local"]
