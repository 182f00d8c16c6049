"""Fetching models that a package downloads: the fetching process is ours, the package in it a stand-in.

Where the real package is installed, its downloader is asked too; it finds no network.
"""

import asyncio
import json
import sys
from pathlib import Path

import pytest

from tests.doubles.moonshine import use_double
from tests.require import require
from vivavoce.assets import moonshine
from vivavoce.assets.errors import AssetError
from vivavoce.assets.optional import OptionalAsset, OptionalAssets, OptionalProgress

NAME = "moonshine"
DEADLINE_S = 60
FILES = 3 + 2 + 10  # recogniser, what voices share, voices


def fetched(assets: OptionalAssets) -> tuple[OptionalAsset, list[OptionalProgress]]:
    """Fetch; returns the asset and what was told."""
    told: list[OptionalProgress] = []

    async def body() -> OptionalAsset:
        async with asyncio.timeout(DEADLINE_S):
            return await assets.fetch(NAME, told.append)

    return asyncio.run(body()), told


def failed(assets: OptionalAssets) -> str:
    """Fetch in vain; returns the sentence."""
    with pytest.raises(AssetError) as raised:
        fetched(assets)
    return str(raised.value)


def test_what_was_never_fetched_is_absent_with_its_size_licence_and_source(tmp_path: Path) -> None:
    (asset,) = OptionalAssets(tmp_path, model="small").list()

    assert (asset.name, asset.state, asset.bytes_done) == (NAME, "absent", 0)
    assert 300e6 < asset.size_bytes < 400e6
    assert "MIT" in asset.licence
    assert asset.source.startswith("moonshine-voice")
    assert list(tmp_path.iterdir()) == []


def test_a_fetch_installs_all_files_with_a_record_and_tells_progress(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_double(monkeypatch)
    assets = OptionalAssets(tmp_path, model="tiny")

    asset, told = fetched(assets)

    assert (asset.state, asset.reason, asset.bytes_done) == ("ready", "", asset.size_bytes)
    models = assets.moonshine_models()
    assert models is not None
    assert (models.model, models.architecture, len(models.files), len(models.voices)) == ("tiny", 2, FILES, 10)
    assert (assets.folder / models.transcriber / "encoder.ort").is_file()
    assert {"loading the recogniser", "loading the voices"} <= {progress.step for progress in told}
    done = [progress.bytes_done for progress in told]
    assert done == sorted(done)
    assert not assets.folder.with_name("moonshine.partial").exists()


def test_what_is_there_and_intact_is_not_fetched_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use_double(monkeypatch)
    assets = OptionalAssets(tmp_path)
    fetched(assets)
    use_double(monkeypatch, fails="asked again")

    asset, told = fetched(assets)

    assert (asset.state, told) == ("ready", [])


def test_a_download_that_breaks_off_fails_keeps_what_came_and_is_continued(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_double(monkeypatch, stops_at="decoder.ort")
    assets = OptionalAssets(tmp_path)

    sentence = failed(assets)

    (asset,) = assets.list()
    assert (asset.state, asset.reason) == ("failed", sentence)
    assert "network" in sentence and "Read timed out" in sentence
    assert asset.bytes_done > 3000
    assert assets.moonshine_models() is None
    assert OptionalAssets(tmp_path).list()[0].state == "partial"  # as another process sees it
    use_double(monkeypatch)
    assert fetched(assets)[0].state == "ready"


def test_a_cancelled_fetch_ends_its_process_and_is_continued(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use_double(monkeypatch, waits_at="decoder_kv.ort")
    assets = OptionalAssets(tmp_path)

    async def body() -> None:
        reached = asyncio.Event()

        def tell(progress: OptionalProgress) -> None:
            if progress.step == "decoder_kv.ort":
                reached.set()

        async with asyncio.timeout(DEADLINE_S):
            fetching = asyncio.get_running_loop().create_task(assets.fetch(NAME, tell))
            await reached.wait()
            assert assets.find(NAME).state == "fetching"
            with pytest.raises(AssetError, match="already"):
                await assets.fetch(NAME)
            fetching.cancel()
            with pytest.raises(asyncio.CancelledError):
                await fetching

    asyncio.run(body())

    assert assets.find(NAME).state == "partial"
    use_double(monkeypatch)
    assert fetched(assets)[0].state == "ready"  # the lock of the process that was ended is free


def test_two_processes_do_not_fetch_into_the_same_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use_double(monkeypatch, waits_at="encoder.ort")
    first, second = OptionalAssets(tmp_path), OptionalAssets(tmp_path)

    async def body() -> None:
        reached = asyncio.Event()
        async with asyncio.timeout(DEADLINE_S):
            told = lambda progress: reached.set() if progress.step == "encoder.ort" else None  # noqa: E731
            fetching = asyncio.get_running_loop().create_task(first.fetch(NAME, told))
            await reached.wait()
            with pytest.raises(AssetError, match="another process"):
                await second.fetch(NAME)
            fetching.cancel()
            with pytest.raises(asyncio.CancelledError):
                await fetching

    asyncio.run(body())


@pytest.mark.parametrize("damage", ["size", "content"])
def test_a_damaged_file_is_noticed_and_only_it_is_fetched_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damage: str
) -> None:
    use_double(monkeypatch)
    assets = OptionalAssets(tmp_path)
    fetched(assets)
    models = assets.moonshine_models()
    assert models is not None
    file = assets.folder / models.transcriber / "encoder.ort"
    kept = (assets.folder / models.voices_root / "kokoro" / "decoder.ort").stat().st_mtime_ns
    file.write_bytes(b"x" * (1000 if damage == "content" else 10))

    (verified,) = assets.verify()
    asset, _ = fetched(assets)

    assert (verified.state, "encoder.ort" in verified.reason) == ("failed", True)
    assert asset.state == "ready"
    assert file.read_bytes() == b"m" * 1000
    assert (assets.folder / models.voices_root / "kokoro" / "decoder.ort").stat().st_mtime_ns == kept


def test_models_that_cannot_be_loaded_are_not_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use_double(monkeypatch, stops_at="decoder.ort")
    assets = OptionalAssets(tmp_path)
    failed(assets)
    (broken,) = tmp_path.rglob("encoder.ort")
    broken.write_bytes(b"x" * 1000)
    use_double(monkeypatch)

    sentence = failed(assets)

    assert "cannot be loaded" in sentence and "encoder.ort" in sentence
    assert assets.moonshine_models() is None
    assert fetched(assets)[0].state == "ready"  # what could not be loaded was removed


def test_a_library_that_crashes_on_what_came_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use_double(monkeypatch, crashes=True)
    assets = OptionalAssets(tmp_path)

    sentence = failed(assets)

    assert "signal 11" in sentence
    assert assets.list()[0].bytes_done == 0


def test_without_the_package_nothing_is_fetched_and_the_reason_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", [])
    monkeypatch.delitem(sys.modules, "moonshine_voice", raising=False)
    monkeypatch.setattr(sys, "path_importer_cache", {})
    assets = OptionalAssets(tmp_path)

    sentence = failed(assets)

    assert sentence == "The Python package moonshine-voice is not installed."


def test_a_record_that_cannot_be_read_is_told_and_renewed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use_double(monkeypatch)
    assets = OptionalAssets(tmp_path)
    fetched(assets)
    (assets.folder / moonshine.RECORD).write_text("{")

    state = assets.find(NAME).state

    assert (state, assets.moonshine_models()) == ("failed", None)
    assert fetched(assets)[0].state == "ready"


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use_double(monkeypatch)
    (tmp_path / "file").touch()

    assert "cannot be stored" in failed(OptionalAssets(tmp_path / "file"))


def test_an_unknown_name_is_told_with_the_known_one(tmp_path: Path) -> None:
    with pytest.raises(AssetError, match="'moonshine'"):
        OptionalAssets(tmp_path).find("nothing")


@pytest.mark.parametrize(("cores", "size"), [(1, "tiny"), (3, "tiny"), (4, "small"), (32, "small")])
def test_the_recogniser_fits_the_machine(cores: int, size: str) -> None:
    assert moonshine.model_size(cores) == size


# The real package -----------------------------------------------------------------------------------------------


def test_the_real_downloader_without_a_network_fails_with_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    require(moonshine.is_package_installed(), "the Python package moonshine-voice")
    for variable in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(variable, "http://127.0.0.1:9")  # nobody listens there
    assets = OptionalAssets(tmp_path)

    sentence = failed(assets)

    assert "is there a network?" in sentence
    assert assets.find(NAME).state == "failed"


def test_the_sizes_told_are_those_of_the_real_packages_list() -> None:
    require(moonshine.is_package_installed(), "the Python package moonshine-voice")
    program = (
        "import json\n"
        "from moonshine_voice.moonshine_api import moonshine_get_stt_dependencies_string as listed\n"
        "sizes = {}\n"
        "for name, architecture in (('tiny', 2), ('small', 4)):\n"
        "    groups = json.loads(listed('en', {'model_arch': architecture, 'word_timestamps': True}))['groups']\n"
        "    sizes[name] = sum(file['size'] for group in groups for file in group['files'])\n"
        "print(json.dumps(sizes))\n"
    )

    assert json.loads(output_of(program)) == moonshine.MODEL_BYTES


def test_the_real_package_knows_each_of_our_voices() -> None:
    require(moonshine.is_package_installed(), "the Python package moonshine-voice")
    program = (
        "import json, sys\n"
        "from moonshine_voice import list_tts_voices\n"
        "from vivavoce.assets.moonshine_fetch import VOICES\n"
        "known = {tag: list_tts_voices(tag, root_path=sys.argv[0])['downloadable'] for tag in ('en_us', 'en_gb')}\n"
        "print(json.dumps([voice for language, voice in VOICES.values() if voice not in known[language]]))\n"
    )

    assert json.loads(output_of(program)) == []


def output_of(program: str) -> str:
    """Run a Python program in another process, so that native libraries do not meet; returns its last line."""

    async def body() -> bytes:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", program, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
        )
        async with asyncio.timeout(DEADLINE_S):
            output, _ = await process.communicate()
        return output

    return asyncio.run(body()).decode().splitlines()[-1]
