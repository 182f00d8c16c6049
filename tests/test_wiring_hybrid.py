"""The hybrid pipeline as it is configured: which engine does which stage, with which key, and what is refused."""

import asyncio
from typing import Any

import pytest

from tests.engines.compatible_servers import DEADLINE_S, Server, gives
from tests.require import require
from vivavoce.config.load import ConfigurationError, load
from vivavoce.config.model import Configuration
from vivavoce.core.spending import PaidModels
from vivavoce.engines.base import Engine
from vivavoce.wiring import Pipelines, asset_cache, build_pipelines, hybrid, narrow_to
from vivavoce.wiring.hybrid import is_hosted
from vivavoce.wiring.spending import paid_models

LOCAL_URL = "http://127.0.0.1:1/v1"
HOSTED_URL = "https://api.openai.com/v1"
KEYS = {"OPENAI_API_KEY": "sk-hosted"}
ENGINES = {
    "transcriber": ("transcriptions", "hosted-realtime"),
    "generator": ("chat-completions", "responses"),
    "synthesizer": ("speech",),
}
REMOTE = [(stage, engine) for stage, engines in ENGINES.items() for engine in engines]


def configured(stage: str, environment: dict[str, str] | None = None, **options: object) -> Configuration:
    flags = {f"hybrid.{stage}.{name}": value for name, value in options.items()}
    return load(flags, environment=environment or {}).configuration


def built(stage: str, configuration: Configuration) -> Engine | None:
    engine: Engine | None = getattr(hybrid, stage)(hybrid.Plan("hybrid", configuration.hybrid, configuration.hosted))
    return engine


def server_of(stage: str, environment: dict[str, str] | None = None, **options: object) -> Any:  # of any adapter
    configuration = configured(stage, environment, **options)
    return hybrid._server(f"hybrid.{stage}", configuration.hybrid.stages[stage], "m", configuration.hosted)


@pytest.mark.parametrize(("stage", "engine"), REMOTE)
def test_a_configured_stage_is_the_engine_of_its_name(stage: str, engine: str) -> None:
    built_engine = built(stage, configured(stage, engine=engine, base_url=LOCAL_URL, model="m"))

    assert built_engine is not None
    assert built_engine.capabilities.name == engine
    assert "m at 127.0.0.1:1" in built_engine.capabilities.note


@pytest.mark.parametrize("stage", ENGINES)
def test_a_local_stage_is_left_to_the_embedded_engines(stage: str) -> None:
    assert built(stage, configured(stage)) is None


def test_a_pipeline_without_any_other_server_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"hybrid\.generator\.engine"):
        hybrid.plan_of("hybrid", configured("generator"))


@pytest.mark.parametrize(("stage", "engine"), REMOTE)
@pytest.mark.parametrize(
    ("options", "key"),
    [
        ({"base_url": ""}, "base_url"),
        ({"model": ""}, "model"),
        ({"base_url": "ftp://host/v1"}, "base_url"),
        ({"base_url": "http://host/v1?key=1"}, "base_url"),
        ({"api_key": "two words"}, "api_key"),
        ({"headers": {"Host": "x"}}, "headers.Host"),
        ({"query": {"": "x"}}, "query"),
    ],
)
def test_what_cannot_be_asked_is_refused_with_its_key(
    stage: str, engine: str, options: dict[str, object], key: str
) -> None:
    chosen = {"engine": engine, "base_url": LOCAL_URL, "model": "m", **options}

    with pytest.raises(ConfigurationError) as refused:
        built(stage, configured(stage, None, **chosen))

    assert str(refused.value).startswith(f"hybrid.{stage}.{key}: ")
    assert "two words" not in str(refused.value)


@pytest.mark.parametrize("stage", ENGINES)
def test_the_hosted_key_goes_to_the_hosted_service_only(stage: str) -> None:
    assert server_of(stage, KEYS, base_url=HOSTED_URL).api_key == "sk-hosted"
    assert server_of(stage, KEYS, base_url=LOCAL_URL).api_key == ""
    assert server_of(stage, KEYS, base_url=HOSTED_URL, api_key="sk-own").api_key == "sk-own"
    assert server_of(stage, KEYS, base_url=HOSTED_URL, headers={"Authorization": "Bearer x"}).api_key == ""


@pytest.mark.parametrize(
    "url",
    [
        "http://api.openai.com/v1",
        "https://api.openai.com:8443/v1",
        "https://api.openai.com.example/v1",
        "https://notapi.openai.com/v1",
        "https://user@example/api.openai.com",
        "https://api.openai.com@example.com/v1",
        "https://[broken/v1",
        "",
    ],
)
def test_an_address_that_only_looks_like_the_hosted_service_is_not(url: str) -> None:
    assert not is_hosted(url)


def test_regional_addresses_belong_to_the_hosted_service() -> None:
    assert is_hosted("https://eu.api.openai.com/v1")
    assert is_hosted("https://API.OpenAI.com:443/v1")


def test_the_hosted_model_names_the_transcriber_of_the_hosted_service_only() -> None:
    variables = {**KEYS, "OPENAI_TRANSCRIPTION_MODEL": "gpt-4o-transcribe"}
    chosen = {"engine": "transcriptions", "base_url": HOSTED_URL}

    engine = built("transcriber", configured("transcriber", variables, **chosen))

    assert engine is not None
    assert engine.capabilities.models == ("gpt-4o-transcribe",)
    with pytest.raises(ConfigurationError, match=r"hybrid\.transcriber\.model"):
        built("transcriber", configured("transcriber", variables, **{**chosen, "base_url": LOCAL_URL}))


def test_deadlines_headers_and_query_reach_the_adapter() -> None:
    server = server_of(
        "generator",
        base_url=LOCAL_URL,
        headers={"X-Team": "a"},
        query={"api-version": "1"},
        connect_s=1,
        first_s=2,
        silence_s=3,
        total_s=4,
        max_connections=5,
        checks_models=True,
    )

    assert server.headers == (("X-Team", "a"),)
    assert server.query == (("api-version", "1"),)
    limits = server.timeouts
    assert (limits.connect_s, limits.first_s, limits.silence_s, limits.total_s) == (1, 2, 3, 4)
    assert (server.max_connections, server.checks_models) == (5, True)


def test_a_server_that_takes_no_speed_or_prompt_is_known_for_it() -> None:
    deaf = configured("transcriber", None, engine="transcriptions", base_url=LOCAL_URL, model="m", takes_prompt=False)
    steady = configured("synthesizer", None, engine="speech", base_url=LOCAL_URL, model="m", takes_speed=False)
    transcriber, synthesizer = built("transcriber", deaf), built("synthesizer", steady)

    assert transcriber is not None
    assert synthesizer is not None
    assert transcriber.capabilities.ignores == ("audio.input.transcription.prompt",)
    assert synthesizer.capabilities.ignores == ("audio.output.speed",)


@pytest.mark.parametrize(("stage", "engine"), REMOTE)
def test_starting_a_stage_asks_nothing(stage: str, engine: str) -> None:
    async def start() -> list[Any]:
        async with asyncio.timeout(DEADLINE_S), Server(gives({})).listening() as server:
            chosen = configured(stage, None, engine=engine, base_url=server.settings().base_url, model="m")
            built_engine = built(stage, chosen)
            assert built_engine is not None
            await built_engine.start()
            await built_engine.close()
            return server.connections

    assert asyncio.run(start()) == []


# Models of their own ---------------------------------------------------------------------------------------------

BASE = {
    "engines.default": "hybrid",
    "hybrid.generator.engine": "chat-completions",
    "hybrid.generator.base_url": LOCAL_URL,
    "hybrid.generator.model": "small",
}


def with_models(models: dict[str, Any], **more: object) -> Configuration:
    flags = {**BASE, "hybrid.models": models, **{name.replace("__", "."): value for name, value in more.items()}}
    return load(flags, environment={}).configuration


def pipelines_of(configuration: Configuration) -> Pipelines:
    """Return the pipelines, or skip where the detector's model is not installed."""
    cache = asset_cache(configuration)
    require(all(status.is_as_needed for status in cache.list()), "the model files of the embedded pipeline")
    return build_pipelines(configuration)


def test_a_model_shares_all_engines_but_those_that_differ() -> None:
    pipelines = pipelines_of(with_models({"large": {"generator": {"model": "big"}}, "alias": {}}))

    base, large, alias = (pipelines.sets[name] for name in ("hybrid", "hybrid.models.large", "hybrid.models.alias"))

    assert large.generator is not base.generator
    assert "big at" in large.generator.capabilities.note
    assert (large.detector, large.transcriber, large.synthesizer) == (base.detector, base.transcriber, base.synthesizer)
    assert alias.generator is base.generator
    assert pipelines.sets["embedded"].transcriber is base.transcriber


@pytest.mark.parametrize(
    ("stage", "options", "key"),
    [
        ("generator", {"model": ""}, "generator.model"),
        ("generator", {"base_url": ""}, "generator.base_url"),
        ("synthesizer", {"engine": "speech"}, "synthesizer.base_url"),
        ("transcriber", {"engine": "transcriptions", "base_url": LOCAL_URL}, "transcriber.model"),
        ("generator", {"engine": "local"}, "generator.engine"),
        (
            "synthesizer",
            {"engine": "speech", "base_url": LOCAL_URL, "model": "m", "voices": {"echo": "x"}},
            "synthesizer.voices",
        ),
    ],
)
def test_a_model_that_cannot_be_asked_is_refused_with_its_key(stage: str, options: dict[str, str], key: str) -> None:
    configuration = with_models({"large": {stage: options}})

    with pytest.raises(ConfigurationError, match=rf"hybrid\.models\.large\.{key}[:,]"):
        for build in (hybrid.transcriber, hybrid.generator, hybrid.synthesizer):
            build(hybrid.plan_of("hybrid.models.large", configuration))


def test_a_session_pays_for_the_models_of_its_own_stages() -> None:
    elsewhere = {"engine": "responses", "base_url": "https://models.example/v1", "model": "big"}
    voice = {"engine": "speech", "base_url": "https://models.example/v1", "model": "voice"}
    configuration = with_models({"large": {"generator": elsewhere, "synthesizer": voice}})

    paid = {name: paid_models(configuration, stages) for name, stages in configuration.hybrid_sections.items()}

    assert paid == {
        "hybrid": PaidModels(),
        "hybrid.models.large": PaidModels(generator="big", synthesizer="voice"),
    }


def test_narrowing_to_a_model_makes_its_stages_those_of_the_pipeline() -> None:
    configuration = with_models({"large": {"generator": {"model": "big"}}, "other": {}}, engines__default="embedded")

    narrow = narrow_to(configuration, "large")

    assert (narrow.engines.default, narrow.models.table) == ("hybrid", {"large": "hybrid"})
    assert narrow.hybrid.generator.model == "big"
    assert narrow.hybrid.models == {}
    assert narrow.default_model == "large"
