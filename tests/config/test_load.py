"""Where each value comes from, and what happens to keys and values that do not fit."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from vivavoce.config.load import ConfigurationError, Loaded, known_keys, load


def load_with(tmp_path: Path, toml: str = "", env_file: str = "", **environment: str) -> Loaded:
    (tmp_path / "vivavoce.toml").write_text(toml)
    (tmp_path / ".env").write_text(env_file)
    return load(environment=environment, config_path=tmp_path / "vivavoce.toml", env_path=tmp_path / ".env")


def source_of(loaded: Loaded, key: str) -> str:
    return next(setting.source for setting in loaded.settings() if setting.key == key)


def test_defaults_run_offline_on_loopback_without_keys() -> None:
    configuration = load(environment={}).configuration

    assert (configuration.server.host, configuration.server.port) == ("127.0.0.1", 8040)
    assert configuration.server.api_keys == ()
    assert configuration.engines.default == "embedded"
    assert configuration.default_model == "vivavoce-local"
    assert configuration.models.table["vivavoce-scripted"] == "scripted"


def test_every_setting_has_a_default_and_a_description() -> None:
    settings = {setting.key for setting in load(environment={}).settings()}

    assert {key for key in known_keys() if key != "models.table"} <= settings


def test_each_source_wins_over_the_one_below(tmp_path: Path) -> None:
    toml = '[server]\nport = 1\nhost = "::1"\ndrain_s = 1.5\nmax_sessions = 7\n'
    env_file = "VIVAVOCE_SERVER__PORT=2\nVIVAVOCE_SERVER__DRAIN_S=2.5\nVIVAVOCE_SERVER__MAX_SESSIONS=8\n"
    (tmp_path / "vivavoce.toml").write_text(toml)
    (tmp_path / ".env").write_text(env_file)

    loaded = load(
        {"server.port": 4, "server.host": None},
        {"VIVAVOCE_SERVER__PORT": "3", "VIVAVOCE_SERVER__DRAIN_S": "3.5"},
        tmp_path / "vivavoce.toml",
        tmp_path / ".env",
    )

    server = loaded.configuration.server
    assert (server.port, server.drain_s, server.max_sessions, server.host) == (4, 3.5, 8, "::1")
    assert source_of(loaded, "server.port") == "flag"
    assert source_of(loaded, "server.drain_s") == "environment"
    assert source_of(loaded, "server.max_sessions") == str(tmp_path / ".env")
    assert source_of(loaded, "server.host") == str(tmp_path / "vivavoce.toml")
    assert source_of(loaded, "server.insecure") == "defaults"


def test_the_file_may_be_named_by_the_environment(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text("[server]\nport = 5\n")

    loaded = load(environment={"VIVAVOCE_CONFIG": str(tmp_path / "mine.toml")}, env_path=tmp_path / "none")

    assert loaded.configuration.server.port == 5


@pytest.mark.parametrize(
    ("toml", "named"),
    [
        ("[server]\nprot = 1\n", r"server\.prot \(.*vivavoce\.toml\).*Did you mean server\.port"),
        ("[sever]\nport = 1\n", r"sever\.port .*Did you mean server\.port"),
        ("data = 1\n", "Unknown setting data "),
        ("server = 1\n", "server .* is a section"),
        ("[server\n", r"vivavoce\.toml is not valid TOML"),
        ('[server]\nport = "http"\n', r"server\.port \(.*vivavoce\.toml\): input should be a valid integer"),
        ("[server]\nport = 70000\n", r"server\.port .*less than or equal to 65535"),
        ('[engines]\ndefault = "cloud"\n', r"engines\.default .*'embedded', 'hybrid', 'scripted' or 'upstream'"),
        ('[models.table]\nmine = "cloud"\n', r"models\.table\.mine .*'embedded', 'hybrid', 'scripted' or 'upstream'"),
        ("[server]\ndrain_s = nan\n", r"server\.drain_s .*finite"),
    ],
)
def test_a_file_that_does_not_fit_names_the_key_and_the_place(tmp_path: Path, toml: str, named: str) -> None:
    with pytest.raises(ConfigurationError, match=named):
        load_with(tmp_path, toml)


@pytest.mark.parametrize("name", ["VIVAVOCE_SERVER__PROT", "VIVAVOCE_PORT", "vivavoce_server__porrt"])
def test_an_unknown_variable_is_an_error_that_names_the_nearest(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigurationError, match=rf"{name} \(environment\).*VIVAVOCE_SERVER__PORT"):
        load_with(tmp_path, **{name: "1"})


def test_an_unknown_variable_in_the_env_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="VIVAVOCE_DATADIR .*VIVAVOCE_DATA_DIR"):
        load_with(tmp_path, env_file="VIVAVOCE_DATADIR=x\nOTHER_PROGRAM=1\n")


def test_a_file_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="none.toml cannot be read: No such file"):
        load(environment={}, config_path=tmp_path / "none.toml")


def test_all_faults_are_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load_with(tmp_path, "[server]\nport = -1\nmax_sessions = 0\n")

    assert [line.split()[0] for line in str(caught.value).splitlines()] == ["server.port", "server.max_sessions"]


def test_lists_in_the_environment_are_written_with_commas(tmp_path: Path) -> None:
    origins = "https://a.example, https://b.example"

    configuration = load_with(tmp_path, VIVAVOCE_SERVER__ALLOWED_ORIGINS=origins).configuration

    assert configuration.server.allowed_origins == ("https://a.example", "https://b.example")


def test_a_model_name_with_dots_stays_whole(tmp_path: Path) -> None:
    loaded = load_with(tmp_path, '[models.table]\n"gpt-realtime-2.1" = "scripted"\n')

    assert loaded.configuration.models.table["gpt-realtime-2.1"] == "scripted"
    assert source_of(loaded, "models.table.gpt-realtime-2.1").endswith("vivavoce.toml")


def test_the_default_engine_names_the_default_model(tmp_path: Path) -> None:
    loaded = load_with(tmp_path, VIVAVOCE_ENGINES__DEFAULT="scripted")

    assert loaded.configuration.default_model == "vivavoce-scripted"


def test_secrets_are_masked_wherever_they_are_shown(tmp_path: Path) -> None:
    loaded = load_with(tmp_path, VIVAVOCE_SERVER__API_KEYS="sk-hidden", OPENAI_API_KEY="sk-hidden")

    shown = repr(loaded.settings()) + repr(loaded.configuration)
    assert "sk-hidden" not in shown
    assert loaded.configuration.server.api_keys[0].get_secret_value() == "sk-hidden"


def test_a_secret_is_not_told_in_the_error_about_it(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load_with(tmp_path, '[server]\napi_keys = {hidden = "sk-hidden"}\n')

    assert "sk-hidden" not in str(caught.value)


def test_openai_names_are_read_and_the_base_url_is_ignored_with_a_note(tmp_path: Path) -> None:
    loaded = load_with(tmp_path, OPENAI_API_KEY="sk-1", OPENAI_REALTIME_MODEL="m", OPENAI_BASE_URL="http://here")

    assert loaded.configuration.hosted.api_key.get_secret_value() == "sk-1"
    assert loaded.configuration.hosted.realtime_model == "m"
    assert [note.split()[0] for note in loaded.notes] == ["OPENAI_BASE_URL", "OPENAI_API_KEY"]


def test_the_home_folder_is_expanded_and_an_empty_folder_is_none(tmp_path: Path) -> None:
    configuration = load_with(tmp_path, 'data_dir = "~/here"\n').configuration

    assert configuration.data_dir == Path.home() / "here"
    assert configuration.assets_dir is None


def test_a_configuration_cannot_be_changed() -> None:
    configuration = load(environment={}).configuration

    with pytest.raises(ValidationError, match="frozen"):
        configuration.server.port = 1
