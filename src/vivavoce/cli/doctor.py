"""`vivavoce doctor`: tests this installation offline, from the Python version to a spoken answer."""

import asyncio
import importlib.metadata
import json
import os
import socket
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec
import platformdirs
import typer

from vivavoce.assets.cache import AssetState
from vivavoce.assets.errors import AssetError
from vivavoce.cli.checks import Check, CheckFailed, run_check
from vivavoce.cli.faults import load_configuration
from vivavoce.cli.selftest import EngineTest
from vivavoce.config.load import ConfigurationError, Loaded
from vivavoce.config.model import Configuration
from vivavoce.wiring import asset_cache, build_pipelines, narrow_to, web_directory

MIN_PYTHON: Final = (3, 11)
# What the server cannot run without; the versions are shown for bug reports.
PACKAGES: Final = ("msgspec", "numpy", "onnxruntime", "picows", "pocketsphinx", "pydantic", "starlette", "uvicorn")


def run_doctor(config_path: Path | None, *, as_json: bool) -> None:
    """Run all checks, print each, and exit with the number of failures."""
    checks: list[Check] = []

    def report(check: Check) -> None:
        checks.append(check)
        if not as_json:
            typer.echo(_line(check))

    asyncio.run(_examine(config_path, report))
    failures = sum(not check.is_ok for check in checks)
    if as_json:
        typer.echo(json.dumps({"failures": failures, "checks": [msgspec.to_builtins(one) for one in checks]}, indent=2))
    else:
        typer.echo("all checks passed" if not failures else f"{failures} of {len(checks)} checks failed")
    raise typer.Exit(failures)


async def _examine(config_path: Path | None, report: Callable[[Check], None]) -> None:
    report(await run_check("python", _check_python))
    report(await run_check("packages", _check_packages))
    loaded: list[Loaded] = []

    async def read_configuration() -> str:
        loaded.append(load_configuration(config_path))
        sources = sorted(set(loaded[0].sources.values()))
        return "; ".join([f"from {', '.join(sources)}", *loaded[0].notes])

    report(await run_check("configuration", read_configuration))
    if not loaded:
        return
    configuration = loaded[0].configuration
    report(await run_check("data folder", lambda: _check_data_dir(configuration)))
    report(await run_check("model files", lambda: _check_assets(configuration)))
    report(await run_check("voice page", _check_web))
    report(await run_check("port", lambda: _check_port(configuration)))
    await _examine_engines(configuration, report)


async def _examine_engines(configuration: Configuration, report: Callable[[Check], None]) -> None:
    configuration = narrow_to(configuration, None)
    try:
        pipelines = build_pipelines(configuration)
    except (AssetError, ConfigurationError) as error:
        report(Check("engines start", False, str(error), 0.0))
        return
    try:
        test = EngineTest(configuration, pipelines)
        for name, body in test.steps():
            check = await run_check(name, body)
            report(check)
            if not check.is_ok:
                return  # the later steps build on it
    finally:
        await pipelines.close()


# Checks ---------------------------------------------------------------------------------------------------------


async def _check_python() -> str:
    if sys.version_info < MIN_PYTHON:
        raise CheckFailed(f"Python 3.11 or later is needed, this is {sys.version.split()[0]}")
    return f"{sys.version.split()[0]} at {sys.executable}"


async def _check_packages() -> str:
    versions, missing = [], []
    for name in PACKAGES:
        try:
            versions.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            missing.append(name)
    if missing:
        raise CheckFailed(f"not installed: {', '.join(missing)}")
    return ", ".join(versions)


async def _check_data_dir(configuration: Configuration) -> str:
    folder = configuration.data_dir or platformdirs.user_data_path("vivavoce", appauthor=False)
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    if not existing.is_dir() or not os.access(existing, os.W_OK):
        raise CheckFailed(f"{folder} cannot be written: {existing} is not a folder that this user may write")
    with tempfile.TemporaryFile(dir=existing):
        return str(folder)


async def _check_assets(configuration: Configuration) -> str:
    statuses = await asyncio.to_thread(asset_cache(configuration).verify)
    bad = [f"{one.asset.name} is {one.state.value}" for one in statuses if not one.is_as_needed]
    if bad:
        raise CheckFailed(f"{', '.join(bad)}; get them with: vivavoce assets fetch")
    return ", ".join(f"{one.asset.name} {one.asset.version}" for one in statuses if one.state is AssetState.INSTALLED)


async def _check_web() -> str:
    folder = web_directory()
    if folder is None:
        raise CheckFailed("the voice page is not built; make setup builds it")
    return str(folder)


async def _check_port(configuration: Configuration) -> str:
    host, port = configuration.server.host, configuration.server.port
    try:
        with socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET):
            return f"{host} port {port} is free"
    except OSError as error:
        raise CheckFailed(f"{host} port {port} cannot be listened on: {error.strerror}") from error


def _line(check: Check) -> str:
    state = "ok    " if check.is_ok else "FAILED"
    return f"{state} {check.name:<14} {check.elapsed_ms:8.1f} ms  {check.detail}"
