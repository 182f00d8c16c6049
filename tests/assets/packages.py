"""Small packages made on the spot, and the user's clients pointed at them instead of a registry."""

import hashlib
import io
import os
import tarfile
import zipfile
from pathlib import Path

import msgspec
import pytest

from vivavoce.assets.catalogue import Asset

CONTENT = b"weights" * 1000
LICENCE = b"Do as you like."


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def wheel_asset(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Asset:
    """Put a wheel into `folder` and let the real pip find packages there and nowhere else."""
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    archive = folder / "voice_model-1.0-py3-none-any.whl"
    with zipfile.ZipFile(archive, "w") as wheel:
        wheel.writestr("voice_model/data/model.onnx", CONTENT)
        wheel.writestr("voice_model-1.0.dist-info/LICENSE", LICENCE)
        wheel.writestr("voice_model-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: voice-model\nVersion: 1.0\n")
        wheel.writestr("voice_model-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        wheel.writestr("voice_model-1.0.dist-info/RECORD", "")
    return Asset(
        name="voice-model",
        index="pip",
        package="voice-model",
        version="1.0",
        archive_sha256=sha256(archive.read_bytes()),
        archive_bytes=archive.stat().st_size,
        member="voice_model/data/model.onnx",
        sha256=sha256(CONTENT),
        size_bytes=len(CONTENT),
        licence="MIT",
        licence_member="voice_model-1.0.dist-info/LICENSE",
    )


def npm_asset(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str | None = None) -> Asset:
    """Put an npm archive into `folder` and a client named npm first on PATH; `script` is its body in sh."""
    archive = folder / "voice-wasm-2.0.tgz"
    with tarfile.open(archive, "w:gz") as tarball:
        for name, content in (("package/voice.wasm", CONTENT), ("package/COPYING", LICENCE)):
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tarball.addfile(member, io.BytesIO(content))
    client = folder / "bin" / "npm"
    client.parent.mkdir()
    client.write_text(f"#!/bin/sh\n{script or f'cp {archive} .'}\n")
    client.chmod(0o755)
    monkeypatch.setenv("PATH", str(client.parent), prepend=os.pathsep)
    return Asset(
        name="voice-wasm",
        index="npm",
        package="@voices/wasm",
        version="2.0",
        archive_sha256=sha256(archive.read_bytes()),
        archive_bytes=archive.stat().st_size,
        member="package/voice.wasm",
        sha256=sha256(CONTENT),
        size_bytes=len(CONTENT),
        licence="BSD-4-Clause",
        licence_member="package/COPYING",
    )


def altered(asset: Asset, **changes: str) -> Asset:
    """Return the asset with other fields."""
    return msgspec.structs.replace(asset, **changes)
