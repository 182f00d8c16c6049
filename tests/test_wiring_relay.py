"""Which upstream a configuration gives: where it is, with whose key, and what is refused before anything is served."""

import json
import socket
from pathlib import Path

import pytest

from tests.require import require
from vivavoce.config.load import MASK, ConfigurationError, load
from vivavoce.config.model import Configuration
from vivavoce.engines.upstream.settings import UpstreamSettings
from vivavoce.wiring import app_settings, build_pipelines, build_registry
from vivavoce.wiring.relay import upstream_settings
from vivavoce.wiring.serving import model_catalogue

HOSTED_KEY = "sk-hosted-1a2b"
OWN_KEY = "sk-own-3c4d"
HEADER = "header-secret-5e6f"


def configured(**flags: object) -> Configuration:
    return load({key.replace("__", "."): value for key, value in flags.items()}, {}).configuration


def settings_of(url: str, **flags: object) -> UpstreamSettings:
    return upstream_settings(configured(upstream__url=url, hosted__api_key=HOSTED_KEY, **flags))


# Whose key ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        "https://api.openai.com/v1",
        "wss://api.openai.com/v1",
        "WSS://API.OpenAI.com:443/v1",
        "https://eu.api.openai.com/v1",
    ],
)
def test_the_hosted_key_goes_to_the_hosted_service(url: str) -> None:
    assert settings_of(url).api_key == HOSTED_KEY


@pytest.mark.parametrize(
    "url",
    [
        "http://api.openai.com/v1",
        "ws://api.openai.com/v1",
        "https://api.openai.com:8443/v1",
        "https://api.openai.com.example.net/v1",
        "https://notapi.openai.com/v1",
        "https://example.net/api.openai.com/v1",
        "https://127.0.0.1:9/v1",
    ],
)
def test_the_hosted_key_goes_nowhere_else(url: str) -> None:
    settings = settings_of(url)

    assert settings.api_key == ""
    assert HOSTED_KEY not in str(settings.request_headers())


@pytest.mark.parametrize("url", ["https://key:word@api.openai.com/v1", "https://api.openai.com/v1#x", "ftp://host/v1"])
def test_an_address_that_two_parsers_could_read_differently_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError, match=r"^upstream\.url: "):
        settings_of(url)


def test_the_upstreams_own_key_goes_before_the_hosted_one() -> None:
    assert settings_of("https://api.openai.com/v1", upstream__api_key=OWN_KEY).api_key == OWN_KEY


def test_the_hosted_service_without_a_key_is_refused_at_the_start() -> None:
    with pytest.raises(ConfigurationError, match=r"^upstream\.api_key: api\.openai\.com needs a key.*OPENAI_API_KEY"):
        upstream_settings(configured(upstream__url="https://api.openai.com/v1"))


def test_a_key_in_the_headers_is_a_key() -> None:
    headers = {"Authorization": f"Bearer {HEADER}"}

    settings = upstream_settings(configured(upstream__url="https://api.openai.com/v1", upstream__headers=headers))

    assert settings.api_key == ""


# `--engine openai` ----------------------------------------------------------------------------------------------


def test_the_engine_openai_is_the_hosted_service_as_upstream() -> None:
    loaded = load({"engines.default": "openai"}, {"OPENAI_API_KEY": HOSTED_KEY})

    assert loaded.configuration.engines.default == "upstream"
    assert loaded.configuration.upstream.url == "https://api.openai.com/v1"
    shown = {one.key: (one.value, one.source) for one in loaded.settings()}
    assert shown["upstream.url"] == ("https://api.openai.com/v1", "flag")
    assert upstream_settings(loaded.configuration).api_key == HOSTED_KEY


def test_the_engine_openai_leaves_a_named_upstream_as_it_is() -> None:
    configuration = configured(engines__default="openai", upstream__url="https://eu.api.openai.com/v1")

    assert configuration.upstream.url == "https://eu.api.openai.com/v1"


def test_the_engine_upstream_without_an_address_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"engines\.default 'upstream' needs upstream\.url"):
        configured(engines__default="upstream")


def test_openai_is_no_pipeline_of_the_model_table() -> None:
    with pytest.raises(ConfigurationError, match=r"models\.table\.mine"):
        configured(models__table={"mine": "openai"})


# Anonymous clients ----------------------------------------------------------------------------------------------


def test_relaying_for_clients_without_a_key_is_refused_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"^upstream\.url: this server has no keys.*allow_anonymous"):
        app_settings(configured(upstream__url="http://127.0.0.1:9/v1", data_dir=str(tmp_path)))


def test_relaying_with_a_key_of_ones_own_is_not_refused(tmp_path: Path) -> None:
    flags = {"upstream__url": "http://127.0.0.1:9/v1", "server__api_keys": [OWN_KEY], "data_dir": str(tmp_path)}

    assert app_settings(configured(**flags)).api_keys == (OWN_KEY,)


# Ourselves ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:8040/v1"),
        ("127.0.0.1", "ws://LOCALHOST:8040/v1"),
        ("127.0.0.1", "https://localhost:8040/openai/v1"),
        ("127.0.0.1", "http://[::1]:8040/v1"),
        ("127.0.0.1", "http://[::ffff:7f00:1]:8040/v1"),
        ("localhost", "http://127.0.0.1:8040/v1"),
        ("0.0.0.0", "http://127.0.0.1:8040/v1"),
        ("0.0.0.0", "http://127.7.7.7:8040/v1"),
        ("::", "http://[::1]:8040/v1"),
    ],
)
def test_this_server_itself_is_no_upstream(host: str, url: str) -> None:
    with pytest.raises(ConfigurationError, match=r"^upstream\.url: .*this server itself|canonical form"):
        upstream_settings(configured(upstream__url=url, server__host=host, server__port=8040))


def test_this_machine_by_its_name_is_no_upstream_where_all_its_addresses_are_served() -> None:
    name = socket.gethostname().lower()
    try:
        socket.getaddrinfo(name, None)
    except OSError:
        require(False, "a name of this machine that can be resolved")

    with pytest.raises(ConfigurationError, match="this server itself"):
        upstream_settings(configured(upstream__url=f"http://{name}:8040/v1", server__host="0.0.0.0"))


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:8041/v1"),
        ("127.0.0.1", "http://127.0.0.2:8040/v1"),
        ("0.0.0.0", "http://192.0.2.1:8040/v1"),
        ("0.0.0.0", "http://nowhere.invalid:8040/v1"),
    ],
)
def test_another_server_is_an_upstream(host: str, url: str) -> None:
    settings = upstream_settings(configured(upstream__url=url, server__host=host, server__port=8040))

    assert settings.url == url


# Secrets stay secret ---------------------------------------------------------------------------------------------


def test_no_secret_shows_in_the_effective_configuration() -> None:
    flags = {"upstream.url": "https://example.net/v1", "upstream.api_key": OWN_KEY, "upstream.headers": {"x-a": HEADER}}
    loaded = load(flags, {"OPENAI_API_KEY": HOSTED_KEY})

    shown = json.dumps([[one.key, one.value] for one in loaded.settings()])

    assert not [secret for secret in (HOSTED_KEY, OWN_KEY, HEADER) if secret in shown]
    assert MASK in shown
    everything = repr(loaded.configuration) + repr(upstream_settings(loaded.configuration))
    assert not [secret for secret in (HOSTED_KEY, OWN_KEY, HEADER) if secret in everything]


@pytest.mark.parametrize(
    ("flags", "key"),
    [
        ({"upstream.api_key": f"{OWN_KEY}\n"}, r"upstream\.api_key: "),
        ({"upstream.headers": {"x-a": f"{HEADER}\r\nx: y"}}, r"upstream\.headers\.x-a: "),
        ({"upstream.headers": {"sec-websocket-key": HEADER}}, r"upstream\.headers\.sec-websocket-key: "),
        ({"upstream.headers": {"Authorization": HEADER}}, r"upstream\.headers: "),
        ({"upstream.query": {"model": HEADER}}, r"upstream\.query\.model: "),
    ],
)
def test_a_setting_that_cannot_be_used_is_named_without_its_value(flags: dict[str, object], key: str) -> None:
    given = {"upstream.url": "https://example.net/v1", "upstream.api_key": OWN_KEY, **flags}

    with pytest.raises(ConfigurationError, match=f"^{key}") as refused:
        upstream_settings(load(given, {}).configuration)

    assert HEADER not in str(refused.value)
    assert OWN_KEY not in str(refused.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("upstream.connect_s", 0),
        ("upstream.retry_s", -1),
        ("upstream.rollover_min", -1),
        ("upstream.failover", "upstream"),
        ("upstream.dialect", "alpha"),
        ("upstream.headers", "api-key: x"),
        ("upstream.url", 7),
    ],
)
def test_a_value_that_does_not_fit_is_told_with_its_key_and_source(name: str, value: object) -> None:
    with pytest.raises(ConfigurationError, match=rf"^{name} \(flag\): "):
        load({name: value}, {})


def test_headers_from_a_variable_that_is_no_json_are_told_without_their_value() -> None:
    with pytest.raises(ConfigurationError, match="UPSTREAM__HEADERS|upstream") as refused:
        load({}, {"VIVAVOCE_UPSTREAM__HEADERS": f'{{"api-key": "{HEADER}"'})

    assert HEADER not in str(refused.value)


# Models ---------------------------------------------------------------------------------------------------------


def test_where_sessions_are_relayed_by_default_only_names_that_go_somewhere_are_served() -> None:
    catalogue = model_catalogue(configured(engines__default="upstream", upstream__url="http://127.0.0.1:9/v1"))

    assert catalogue.serves(None)
    assert catalogue.serves("gpt-realtime-mini")
    assert catalogue.serves("vivavoce-local")
    assert not catalogue.serves("claude")


def test_all_names_are_served_where_the_upstream_takes_all() -> None:
    flags = {"engines__default": "upstream", "upstream__url": "http://127.0.0.1:9/v1", "upstream__models": []}

    assert model_catalogue(configured(**flags)).serves("anything")


def test_a_relayed_model_can_be_retrieved() -> None:
    catalogue = model_catalogue(configured(upstream__url="http://127.0.0.1:9/v1"))

    card = catalogue.find("gpt-realtime")

    assert card is not None and card.id == "gpt-realtime"


def test_relayed_models_that_are_known_by_name_are_listed() -> None:
    flags = {"upstream__models": ["gpt-*", "own"], "hosted__realtime_model": "gpt-realtime", "upstream__model": "other"}

    catalogue = model_catalogue(configured(upstream__url="http://127.0.0.1:9/v1", **flags))

    assert [card.id for card in catalogue.cards] == ["vivavoce-local", "vivavoce-scripted", "gpt-realtime", "own"]


def test_a_failover_that_cannot_be_had_is_told_at_the_start(tmp_path: Path) -> None:
    flags = {"upstream__url": "http://127.0.0.1:9/v1", "upstream__failover": "embedded", "engines__default": "scripted"}
    configuration = configured(**flags, assets_dir=str(tmp_path), models__table={"m": "scripted"})

    with pytest.raises(ConfigurationError, match=r"^upstream\.failover: the pipeline 'embedded'"):
        build_registry(configuration, build_pipelines(configuration))
