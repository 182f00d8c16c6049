"""The repository holds our own text and pictures: nothing of others, nothing large, no place of anyone's machine."""

from pathlib import Path

import pytest

from tests.repository.own_files import tracked_files

ROOT = Path(__file__).resolve().parents[2]
LARGEST_BYTES = 300 * 1024
PICTURES = ("docs/images/", "web/public/")  # our own screenshots and icons
FOREIGN_FOLDERS = {"node_modules", "vendor", "third_party", "dist", "site-packages"}
FOREIGN_SUFFIXES = (".onnx", ".wasm", ".whl", ".tgz", ".so", ".wav", ".mp3", ".ogg", ".min.js", ".min.css", ".woff2")
REGISTRY_HOSTS = tuple(".".join(parts) for parts in (("pypi", "org"), ("pythonhosted", "org"), ("npmjs", "org")))
MACHINE_PATHS = ("/" + "work/", "/" + "root/")


@pytest.fixture(scope="module")
def files() -> list[str]:
    """Every file of the repository."""
    return tracked_files()


def test_no_file_is_large(files: list[str]) -> None:
    large = [n for n in files if (ROOT / n).stat().st_size > LARGEST_BYTES and not n.startswith(PICTURES)]

    assert large == []


def test_no_file_comes_from_others(files: list[str]) -> None:
    foreign = [n for n in files if n.endswith(FOREIGN_SUFFIXES) or FOREIGN_FOLDERS & set(n.split("/")[:-1])]

    assert foreign == []


def test_every_file_but_pictures_is_text(files: list[str]) -> None:
    binary = [n for n in files if not n.startswith(PICTURES) and b"\0" in (ROOT / n).read_bytes()]

    assert binary == []


def test_no_file_names_a_registry_host_or_a_path_of_a_machine(files: list[str]) -> None:
    places = {name: _places(name) for name in files if not name.startswith(PICTURES)}

    assert {name: found for name, found in places.items() if found} == {}


def _places(name: str) -> list[str]:
    text = (ROOT / name).read_text("utf-8", errors="replace")
    return [place for place in (*REGISTRY_HOSTS, *MACHINE_PATHS) if place in text]
