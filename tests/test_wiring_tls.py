"""What the configuration says about TLS, and what is made of it."""

import datetime
import stat
from pathlib import Path
from typing import Any

import pytest

from vivavoce.app.tls import self_signed
from vivavoce.config.load import ConfigurationError, load
from vivavoce.config.model import Configuration
from vivavoce.wiring import app_settings, data_directory, url_of

NOW = datetime.datetime.now(datetime.UTC)


def configured(folder: Path, **server: Any) -> Configuration:
    flags = {"data_dir": str(folder), **{f"server.{name}": value for name, value in server.items()}}
    return load(flags, environment={}).configuration


def test_without_settings_there_is_no_tls(tmp_path: Path) -> None:
    assert app_settings(configured(tmp_path)).tls is None
    assert list(tmp_path.iterdir()) == []


def test_a_self_signed_certificate_is_kept_in_the_data_folder(tmp_path: Path) -> None:
    first = app_settings(configured(tmp_path, tls_self_signed=True)).tls
    second = app_settings(configured(tmp_path, tls_self_signed=True)).tls

    assert first == second
    assert first is not None
    assert first.certificate == tmp_path / "tls" / "certificate.pem"
    assert stat.S_IMODE(first.key.stat().st_mode) == 0o600


def test_a_certificate_of_the_operators_is_taken(tmp_path: Path) -> None:
    own = self_signed(tmp_path / "own", [], NOW)

    settings = app_settings(configured(tmp_path, tls_certificate=str(own.certificate), tls_key=str(own.key)))

    assert settings.tls == own


@pytest.mark.parametrize(
    ("server", "words"),
    [
        ({"tls_certificate": "a.pem"}, "tls_certificate and tls_key together"),
        ({"tls_key": "a.pem"}, "tls_certificate and tls_key together"),
        ({"tls_certificate": "a.pem", "tls_key": "b.pem"}, "No such file"),
        ({"tls_certificate": "a.pem", "tls_key": "b.pem", "tls_self_signed": True}, "expected it without"),
    ],
)
def test_settings_that_cannot_be_served_with_are_refused(tmp_path: Path, server: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        app_settings(configured(tmp_path, **server))


def test_a_data_folder_that_cannot_be_written_to_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")

    with pytest.raises(ConfigurationError, match="no certificate can be kept in"):
        app_settings(configured(tmp_path / "file", tls_self_signed=True))


def test_the_data_folder_is_the_users_unless_one_is_named(tmp_path: Path) -> None:
    assert data_directory(configured(tmp_path)) == tmp_path
    assert data_directory(load(environment={}).configuration).name == "vivavoce"


def test_the_url_of_a_tls_server_is_https() -> None:
    assert url_of("127.0.0.1", 8040, "https") == "https://127.0.0.1:8040"
