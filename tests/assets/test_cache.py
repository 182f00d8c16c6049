"""Fetching, verifying and finding assets, through the real pip and a stand-in for npm."""

import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from tests.assets.packages import CONTENT, LICENCE, altered, npm_asset, wheel_asset
from vivavoce.assets.cache import AssetCache, AssetState, FetchProgress, FetchStage, default_directory
from vivavoce.assets.catalogue import Asset
from vivavoce.assets.errors import AssetDamaged, AssetError, AssetMissing

FETCH = """
import sys, msgspec
from pathlib import Path
from vivavoce.assets.cache import AssetCache
from vivavoce.assets.catalogue import Asset
asset = msgspec.json.decode(sys.argv[2], type=Asset)
AssetCache(Path(sys.argv[1]), {asset.name: asset}).fetch(asset.name)
"""


def cache_of(tmp_path: Path, asset: Asset, bundled: Path | None = None) -> AssetCache:
    return AssetCache(tmp_path / "cache", {asset.name: asset}, bundled or tmp_path / "bundled")


def files_in(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_a_fetched_wheel_gives_its_file_and_licence_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = cache_of(tmp_path, wheel_asset(tmp_path, monkeypatch))

    path = cache.fetch("voice-model")

    assert path == cache.path("voice-model") == tmp_path / "cache/voice-model-1.0/model.onnx"
    assert path.read_bytes() == CONTENT
    assert path.with_name("LICENSE").read_bytes() == LICENCE
    assert files_in(tmp_path / "cache") == {"voice-model-1.0/model.onnx", "voice-model-1.0/LICENSE"}


def test_a_fetched_npm_package_gives_its_file_and_licence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = cache_of(tmp_path, npm_asset(tmp_path, monkeypatch))

    path = cache.fetch("voice-wasm")

    assert path.read_bytes() == CONTENT
    assert files_in(tmp_path / "cache") == {"voice-wasm-2.0/voice.wasm", "voice-wasm-2.0/COPYING"}


def test_a_fetch_tells_its_stages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asset = npm_asset(tmp_path, monkeypatch)
    told: list[FetchProgress] = []

    cache_of(tmp_path, asset).fetch("voice-wasm", told.append)

    assert [progress.stage for progress in told] == [
        FetchStage.DOWNLOADING,
        FetchStage.VERIFYING,
        FetchStage.INSTALLED,
    ]
    assert {progress.download_bytes for progress in told} == {asset.archive_bytes}


def test_what_is_installed_needs_no_client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = cache_of(tmp_path, npm_asset(tmp_path, monkeypatch))
    cache.fetch("voice-wasm")
    monkeypatch.setenv("PATH", str(tmp_path))

    assert cache.fetch("voice-wasm") == cache.path("voice-wasm")


def test_a_missing_asset_is_named_with_the_way_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = cache_of(tmp_path, npm_asset(tmp_path, monkeypatch))

    with pytest.raises(AssetMissing, match="vivavoce assets fetch voice-wasm"):
        cache.path("voice-wasm")

    assert [(status.state, status.path) for status in cache.list()] == [(AssetState.MISSING, None)]


@pytest.mark.parametrize("field", ["archive_sha256", "sha256"])
def test_another_hash_installs_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, field: str) -> None:
    asset = altered(npm_asset(tmp_path, monkeypatch), **{field: "0" * 64})

    with pytest.raises(AssetDamaged, match="expected 0{64}; nothing was installed"):
        cache_of(tmp_path, asset).fetch("voice-wasm")

    assert files_in(tmp_path / "cache") == set()


def test_an_archive_that_stops_half_way_installs_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asset = npm_asset(tmp_path, monkeypatch, f"head -c 100 {tmp_path}/voice-wasm-2.0.tgz > part.tgz")

    with pytest.raises(AssetDamaged, match=r"The archive of @voices/wasm 2\.0 has sha256"):
        cache_of(tmp_path, asset).fetch("voice-wasm")

    assert files_in(tmp_path / "cache") == set()


def test_a_member_that_is_not_in_the_archive_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asset = altered(npm_asset(tmp_path, monkeypatch), member="package/other.wasm")

    with pytest.raises(AssetDamaged, match=r"no readable file 'package/other\.wasm'"):
        cache_of(tmp_path, asset).fetch("voice-wasm")


def test_a_damaged_file_is_noticed_and_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = cache_of(tmp_path, npm_asset(tmp_path, monkeypatch))
    path = cache.fetch("voice-wasm")
    path.write_bytes(CONTENT[:-1] + b"?")

    with pytest.raises(AssetDamaged, match="is damaged"):
        cache.path("voice-wasm")
    assert [status.state for status in cache.list()] == [AssetState.INSTALLED]  # by size
    assert [status.state for status in cache.verify()] == [AssetState.DAMAGED]

    cache.fetch("voice-wasm")

    assert cache.path("voice-wasm").read_bytes() == CONTENT


def test_the_bundled_file_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asset = npm_asset(tmp_path, monkeypatch)
    bundled = AssetCache(tmp_path / "wheel", {asset.name: asset}, tmp_path / "none").fetch("voice-wasm")

    cache = cache_of(tmp_path, asset, bundled=tmp_path / "wheel")

    assert cache.fetch("voice-wasm") == cache.path("voice-wasm") == bundled
    assert not (tmp_path / "cache").exists()


def test_two_processes_may_fetch_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asset = npm_asset(tmp_path, monkeypatch)
    command = [sys.executable, "-c", FETCH, str(tmp_path / "cache"), msgspec.json.encode(asset).decode()]
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2] / "src"))

    first, second = (subprocess.Popen(command, stderr=subprocess.PIPE) for _ in range(2))
    outputs = [first.communicate(timeout=60)[1], second.communicate(timeout=60)[1]]

    assert (first.returncode, second.returncode) == (0, 0), outputs
    assert cache_of(tmp_path, asset).path("voice-wasm").read_bytes() == CONTENT
    assert files_in(tmp_path / "cache") == {"voice-wasm-2.0/voice.wasm", "voice-wasm-2.0/COPYING"}


def test_a_directory_that_cannot_be_written_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asset = npm_asset(tmp_path, monkeypatch)
    (tmp_path / "cache").write_text("a file in the way")

    with pytest.raises(AssetError, match=r"'voice-wasm' cannot be stored in .*/cache: File exists\."):
        cache_of(tmp_path, asset).fetch("voice-wasm")


def test_the_default_directory_can_be_overridden() -> None:
    assert default_directory("/data/assets") == Path("/data/assets")
    assert default_directory().parts[-2:] == ("vivavoce", "assets")


def test_the_folder_of_a_fetch_that_was_killed_is_removed_a_day_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = cache_of(tmp_path, npm_asset(tmp_path, monkeypatch))
    for name, age_s in ((".fetch-old", 100_000), (".fetch-live", 10)):
        folder = cache.directory / name
        folder.mkdir(parents=True)
        (folder / "part").write_bytes(CONTENT)
        born_s = folder.stat().st_mtime - age_s
        os.utime(folder, (born_s, born_s))

    cache.fetch("voice-wasm")

    assert {path.name for path in cache.directory.iterdir()} == {".fetch-live", "voice-wasm-2.0"}


@pytest.mark.parametrize(("is_optional", "is_as_needed"), [(False, False), (True, True)])
def test_only_an_optional_asset_may_stay_absent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_optional: bool, is_as_needed: bool
) -> None:
    asset = msgspec.structs.replace(wheel_asset(tmp_path, monkeypatch), is_optional=is_optional)

    (status,) = cache_of(tmp_path, asset).verify()

    assert status.state is AssetState.MISSING
    assert status.is_as_needed is is_as_needed


def test_an_optional_asset_that_is_there_must_be_intact(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asset = msgspec.structs.replace(wheel_asset(tmp_path, monkeypatch), is_optional=True)
    cache = cache_of(tmp_path, asset)
    path = tmp_path / "cache" / asset.relative_path
    path.parent.mkdir(parents=True)
    path.write_bytes(bytes(asset.size_bytes))

    (status,) = cache.verify()

    assert status.state is AssetState.DAMAGED
    assert not status.is_as_needed
