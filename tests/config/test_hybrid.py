"""The sections of the hybrid pipeline: what can be set, what is refused, and what is never shown."""

import json
from pathlib import Path

import pytest

from vivavoce.config.hybrid import LOCAL, STAGES
from vivavoce.config.load import MASK, ConfigurationError, Loaded, load
from vivavoce.config.model import HYBRID_MODEL, Configuration

MODELS = """
[hybrid.generator]
engine = "chat-completions"
base_url = "http://127.0.0.1:11434/v1"
api_key = "sk-near"
model = "small"
headers = {"X-Team" = "a"}
query = {version = "1"}
extra = {temperature = 0.6}

[hybrid.models.large.generator]
model = "big"
extra = {}

[hybrid.models."hosted-2.1"]
generator = {engine = "responses", base_url = "https://models.example/v1"}
synthesizer = {engine = "speech", base_url = "https://models.example/v1", model = "voice"}
"""


def configured(**flags: object) -> Configuration:
    dotted = {key.replace("__", "."): value for key, value in flags.items()}
    return load(dotted, environment={}).configuration


def test_every_stage_is_local_by_default() -> None:
    stages = configured().hybrid.stages

    assert tuple(stages) == STAGES
    assert {stage.engine for stage in stages.values()} == {LOCAL}


def test_a_file_sets_stages_with_tables_of_its_own(tmp_path: Path) -> None:
    file = tmp_path / "vivavoce.toml"
    file.write_text(
        """
        [hybrid.generator]
        engine = "chat-completions"
        base_url = "http://127.0.0.1:11434/v1"
        model = "small"
        headers = {"api-key" = "secret-header"}
        query = {"api-version" = "2024-10-21"}
        extra = {temperature = 0.6, stop = ["a.b"], options = {top_k = 1}}

        [hybrid.synthesizer.voices]
        marin = "af_heart"
        "*" = "af_sky"

        [hybrid.transcriber.models]
        "gpt-4o-transcribe" = "large-v3"
        """
    )

    hybrid = load(config_path=file, environment={}).configuration.hybrid

    assert hybrid.generator.query == {"api-version": "2024-10-21"}
    assert hybrid.generator.extra == {"temperature": 0.6, "stop": ["a.b"], "options": {"top_k": 1}}
    assert hybrid.synthesizer.voices == {"marin": "af_heart", "*": "af_sky"}
    assert hybrid.transcriber.models == {"gpt-4o-transcribe": "large-v3"}


def test_variables_set_stages_too() -> None:
    variables = {
        "VIVAVOCE_HYBRID__TRANSCRIBER__ENGINE": "transcriptions",
        "VIVAVOCE_HYBRID__TRANSCRIBER__HINTS": "keywords, languages",
        "VIVAVOCE_HYBRID__GENERATOR__EXTRA": json.dumps({"temperature": 0.5}),
    }

    hybrid = load(environment=variables).configuration.hybrid

    assert hybrid.transcriber.engine == "transcriptions"
    assert hybrid.transcriber.hints == ("keywords", "languages")
    assert hybrid.generator.extra == {"temperature": 0.5}


def test_keys_and_headers_are_not_shown() -> None:
    flags = {"hybrid.generator.api_key": "sk-secret", "hybrid.generator.headers": {"api-key": "sk-secret"}}
    loaded = load(flags, environment={})

    shown = {setting.key: setting.value for setting in loaded.settings()}

    assert shown["hybrid.generator.api_key"] == shown["hybrid.generator.headers.api-key"] == MASK
    assert "sk-secret" not in repr(loaded)


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        ({"hybrid.generator.engine": "chat"}, r"hybrid\.generator\.engine \(flag\): .*'chat-completions'"),
        ({"hybrid.generator.base": "http://x"}, r"Unknown setting hybrid\.generator\.base .*base_url"),
        ({"hybrid.synthesizer.format": "mp3"}, r"hybrid\.synthesizer\.format"),
        ({"hybrid.synthesizer.rate_hz": 1}, r"hybrid\.synthesizer\.rate_hz"),
        ({"hybrid.transcriber.hints": "dialect"}, r"hybrid\.transcriber\.hints"),
        ({"hybrid.transcriber.total_s": 0}, r"hybrid\.transcriber\.total_s"),
        ({"hybrid.transcriber.extra": {"n": 1}}, r"hybrid\.transcriber\.extra\.n"),
        ({"hybrid.transcriber.engine": "transcriptions", "hybrid.transcriber.hints": "delay"}, "hint 'delay'"),
        ({"hybrid.transcriber.engine": "hosted-realtime", "hybrid.transcriber.extra": {"n": "1"}}, "extra fields"),
    ],
)
def test_what_does_not_fit_is_refused_with_its_key(flags: dict[str, object], told: str) -> None:
    with pytest.raises(ConfigurationError, match=told):
        load(flags, environment={})


def test_as_the_default_pipeline_it_has_a_model_of_its_own() -> None:
    configuration = configured(engines__default="hybrid")

    assert configuration.default_model == HYBRID_MODEL
    assert configuration.models.table["vivavoce-local"] == "embedded"


def test_a_model_of_the_table_may_be_its_name() -> None:
    table = {"models.table": {"my-model": "hybrid"}, "engines.default": "hybrid"}

    configuration = load(table, environment={}).configuration

    assert configuration.default_model == "my-model"
    assert HYBRID_MODEL not in configuration.models.table


def test_the_note_on_an_unused_key_is_left_out_where_a_stage_is_elsewhere() -> None:
    key = {"OPENAI_API_KEY": "sk-1"}

    assert load(environment=key).notes
    assert not load({"hybrid.generator.engine": "responses"}, environment=key).notes


# Models of their own ---------------------------------------------------------------------------------------------


def with_models(tmp_path: Path, more: str = "") -> Loaded:
    file = tmp_path / "vivavoce.toml"
    file.write_text(MODELS + more)
    return load(config_path=file, environment={})


def test_a_model_of_its_own_has_what_differs_and_the_rest_of_the_pipeline(tmp_path: Path) -> None:
    configuration = with_models(tmp_path).configuration
    base, large = configuration.hybrid, configuration.hybrid.models["large"]

    assert large.generator == base.generator.model_copy(update={"model": "big", "extra": {}})
    assert (large.transcriber, large.synthesizer) == (base.transcriber, base.synthesizer)
    assert configuration.served_by["large"] == "hybrid.models.large"
    assert configuration.hybrid_sections["hybrid.models.large"] == large


def test_credentials_of_one_server_are_not_those_of_another(tmp_path: Path) -> None:
    models = with_models(tmp_path).configuration.hybrid.models
    near, elsewhere = models["large"].generator, models["hosted-2.1"].generator

    assert near.api_key.get_secret_value() == "sk-near"
    assert (elsewhere.engine, elsewhere.model, elsewhere.extra) == ("responses", "small", {"temperature": 0.6})
    assert elsewhere.api_key.get_secret_value() == ""
    assert (elsewhere.headers, elsewhere.query) == ({}, {})


def test_what_a_model_has_of_the_pipeline_is_shown_with_where_that_comes_from(tmp_path: Path) -> None:
    loaded = with_models(tmp_path)

    shown = {setting.key: (setting.value, setting.source) for setting in loaded.settings()}

    file = str(tmp_path / "vivavoce.toml")
    assert shown["hybrid.models.large.generator.model"] == ("big", file)
    assert shown["hybrid.models.large.generator.base_url"] == ("http://127.0.0.1:11434/v1", file)
    assert shown["hybrid.models.large.generator.api_key"] == (MASK, file)
    assert shown["hybrid.models.large.generator.total_s"] == (120.0, "defaults")


def test_variables_set_models_too() -> None:
    variables = {
        "VIVAVOCE_HYBRID__GENERATOR__MODEL": "small",
        "VIVAVOCE_HYBRID__MODELS": json.dumps({"large": {"generator": {"model": "big"}}}),
        "VIVAVOCE_HYBRID__MODELS__FAST__GENERATOR__MODEL": "tiny",
    }

    hybrid = load(environment=variables).configuration.hybrid

    assert {name: stages.generator.model for name, stages in hybrid.models.items()} == {"large": "big", "fast": "tiny"}


@pytest.mark.parametrize(
    ("toml", "told"),
    [
        ('[hybrid.models.x.generator]\nbase = "y"', r"hybrid\.models\.x\.generator\.base "),
        ("[hybrid.models.x.speech]\n", r"hybrid\.models\.x\.speech"),
        ('[hybrid.models.x]\ngenerator = "y"', r"hybrid\.models\.x\.generator "),
        ('[hybrid.models]\nx = "y"', r"hybrid\.models\.x "),
        ("[hybrid.models.x.generator]\ntotal_s = 0", r"hybrid\.models\.x\.generator\.total_s "),
        ('[hybrid.models."".generator]\nmodel = "y"', r"hybrid\.models\."),
        ("[hybrid.models.vivavoce-local]\n", r"hybrid\.models\.vivavoce-local: expected a name"),
        ("[hybrid.models.vivavoce-hybrid]\n", r"hybrid\.models\.vivavoce-hybrid: expected a name"),
    ],
)
def test_a_model_that_does_not_fit_is_refused_with_its_key(tmp_path: Path, toml: str, told: str) -> None:
    with pytest.raises(ConfigurationError, match=told):
        with_models(tmp_path, toml)


def test_a_model_elsewhere_makes_use_of_the_hosted_key() -> None:
    flags = {"hybrid.models": {"large": {"generator": {"engine": "responses"}}}}

    assert not load(flags, environment={"OPENAI_API_KEY": "sk-1"}).notes
