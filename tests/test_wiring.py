"""The composition root: which pipelines a configuration gives, and what cannot be put together."""

import asyncio
from pathlib import Path

import msgspec
import pytest

from tests.require import require
from vivavoce.assets.errors import AssetMissing
from vivavoce.config.load import ConfigurationError, load
from vivavoce.config.model import Configuration
from vivavoce.engines.base import EngineError
from vivavoce.wiring import app_settings, asset_cache, build_pipelines, engines_of, narrow_to, start_engines, url_of


def configured(**flags: object) -> Configuration:
    dotted = {key.replace("__", "."): value for key, value in flags.items()}
    return load(dotted, environment={}).configuration


def test_narrowing_keeps_only_the_pipeline_of_the_model() -> None:
    configuration = narrow_to(configured(), "vivavoce-scripted")

    assert configuration.models.table == {"vivavoce-scripted": "scripted"}
    assert configuration.default_model == "vivavoce-scripted"


def test_narrowing_to_an_unknown_model_keeps_the_default_pipeline() -> None:
    assert narrow_to(configured(), "gpt-realtime").default_model == "vivavoce-local"


def test_a_pipeline_is_ready_when_its_engines_have_started() -> None:
    pipelines = build_pipelines(narrow_to(configured(), "vivavoce-scripted"))

    before = pipelines.readiness()
    asyncio.run(pipelines.start_default())

    assert set(before.values()) == {False}
    assert set(pipelines.readiness().values()) == {True}


def test_a_missing_model_file_of_the_default_pipeline_is_told(tmp_path: Path) -> None:
    with pytest.raises(AssetMissing, match="silero-vad"):
        build_pipelines(configured(assets_dir=str(tmp_path)))


def test_a_missing_model_file_of_another_pipeline_leaves_that_one_out(tmp_path: Path) -> None:
    pipelines = build_pipelines(configured(assets_dir=str(tmp_path), engines__default="scripted"))

    assert list(pipelines.sets) == ["scripted"]


def test_a_script_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"scripted\.script.*none\.toml"):
        build_pipelines(configured(engines__default="scripted", scripted__script=str(tmp_path / "none.toml")))


def test_a_voice_that_the_default_engine_does_not_have_is_told() -> None:
    installed = asset_cache(configured()).verify()
    require(all(one.is_as_needed for one in installed), "the model files of the embedded engines")

    with pytest.raises(ConfigurationError, match=r"session\.voice: .*marin.*got 'nobody'"):
        build_pipelines(configured(session__voice="nobody"))


def test_a_failing_engine_is_raised_by_itself() -> None:
    engines = build_pipelines(narrow_to(configured(), "vivavoce-scripted")).sets["scripted"]

    class Broken:
        capabilities = engines.detector.capabilities

        async def start(self) -> None:
            raise EngineError("broken", "it is broken")

        async def close(self) -> None: ...

        def open(self, deliver: object) -> None: ...

    broken = msgspec.structs.replace(engines, detector=Broken())

    with pytest.raises(EngineError, match="it is broken"):
        asyncio.run(start_engines(engines_of(broken)))
    assert len(engines_of(broken)) == 5


def test_an_open_address_needs_a_key_or_insecure() -> None:
    with pytest.raises(ConfigurationError, match="--insecure"):
        app_settings(configured(server__host="0.0.0.0"))

    assert app_settings(configured(server__host="0.0.0.0", server__insecure=True)).is_insecure
    assert app_settings(configured(server__host="0.0.0.0", server__api_keys="sk-1")).api_keys == ("sk-1",)


def test_the_url_of_an_ipv6_address_is_bracketed() -> None:
    assert url_of("::1", 80) == "http://[::1]:80"
    assert url_of("127.0.0.1", 80) == "http://127.0.0.1:80"
