"""The catalogue that ships, and the ones that must not."""

import re
from pathlib import Path

import pytest

from vivavoce.assets.catalogue import CATALOGUE_PATH, find_asset, load_catalogue, needed_names
from vivavoce.assets.errors import AssetError

ROW = CATALOGUE_PATH.read_text().split("[[asset]]")[1]


def test_every_row_is_pinned_by_full_hashes_and_names_its_licence() -> None:
    for asset in load_catalogue().values():
        assert re.fullmatch("[0-9a-f]{64}", asset.sha256)
        assert re.fullmatch("[0-9a-f]{64}", asset.archive_sha256)
        assert asset.size_bytes > 0
        assert asset.licence


def test_the_engines_find_their_files() -> None:
    catalogue = load_catalogue()

    assert catalogue["silero-vad"].relative_path == Path("silero-vad-6.2.3/silero_vad_16k_op15.onnx")
    assert catalogue["flite-wasm"].relative_path == Path("flite-wasm-0.1.1/flite.wasm")


def test_what_only_configured_engines_need_is_not_fetched_unasked() -> None:
    catalogue = load_catalogue()

    needed = needed_names(catalogue)

    assert {"silero-vad", "flite-wasm"} <= set(needed)
    assert "smart-turn" in catalogue
    assert "smart-turn" not in needed


def test_the_catalogue_names_no_host() -> None:
    assert "://" not in CATALOGUE_PATH.read_text()


def test_an_unknown_name_is_answered_with_the_known_ones() -> None:
    with pytest.raises(AssetError, match="There is no asset 'silero'; known are silero-vad, flite-wasm"):
        find_asset(load_catalogue(), "silero")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "asset"),
        ("[[asset", "not valid"),
        ("[[asset]]" + ROW.replace('index = "pip"', 'index = "web"'), "Invalid enum value 'web'"),
        ("[[asset]]" + ROW + "url = 'x'\n", "unknown field `url`"),
        ("[[asset]]" + ROW.replace("size_bytes = 1289603", ""), "missing required field `size_bytes`"),
        (("[[asset]]" + ROW) * 2, "names an asset twice"),
    ],
)
def test_a_bad_catalogue_is_explained(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "catalogue.toml").write_text(text)

    with pytest.raises(AssetError, match=message):
        load_catalogue(tmp_path / "catalogue.toml")
