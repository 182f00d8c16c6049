"""`vivavoce doctor`: tests this installation, from the Python version to a spoken answer, and measures its engines.

Nothing leaves this machine's network but a connection to a configured host; questions to one need `--spend`.
"""

import asyncio
import importlib.metadata
import json
import os
import socket
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import msgspec
import platformdirs
import typer

from vivavoce.assets.cache import AssetState
from vivavoce.assets.errors import AssetError
from vivavoce.cli.checks import Check, CheckFailed, run_check
from vivavoce.cli.elsewhere import withheld_places
from vivavoce.cli.faults import load_configuration
from vivavoce.cli.figures import table
from vivavoce.cli.measuring import SENTENCES, Measurement
from vivavoce.cli.selftest import EngineTest
from vivavoce.config.load import ConfigurationError, Loaded
from vivavoce.config.model import Configuration
from vivavoce.engines.compatible.detection import Found, probe
from vivavoce.wiring import asset_cache, build_pipelines, narrow_to, web_directory

MIN_PYTHON: Final = (3, 11)
UPSTREAM: Final = "upstream"
NEEDED_BY_OTHERS: Final = ("engines start", "synthesise")  # the later steps build on them
# What the server cannot run without; the versions are shown for bug reports.
PACKAGES: Final = ("msgspec", "numpy", "onnxruntime", "picows", "pocketsphinx", "pydantic", "starlette", "uvicorn")


def run_doctor(config_path: Path | None, *, as_json: bool, may_spend: bool = False) -> None:
    """Run all checks, print each, then what was measured, and exit with the number of failures.

    Args:
        may_spend: ask engines on other machines too, where a question may cost money.
    """
    findings = Findings()

    def report(check: Check) -> None:
        findings.checks.append(check)
        if not as_json:
            typer.echo(_line(check))

    asyncio.run(_examine(config_path, may_spend, findings, report))
    if as_json:
        typer.echo(json.dumps(findings.as_json(), indent=2))
    else:
        for line in findings.lines():
            typer.echo(line)
    raise typer.Exit(findings.failures)


class Findings:
    """What the doctor found."""

    def __init__(self) -> None:
        self.checks: list[Check] = []
        self.measurements: list[Measurement] = []
        self.local_servers: list[Found] = []
        self.speaker = ""  # who spoke the sentences; empty: nobody did

    @property
    def failures(self) -> int:
        """Return how many checks failed."""
        return sum(not check.is_ok for check in self.checks)

    def as_json(self) -> dict[str, Any]:
        """Return everything as a JSON object."""
        return {
            "failures": self.failures,
            "checks": [msgspec.to_builtins(one) for one in self.checks],
            "measurements": [msgspec.to_builtins(one) for one in self.measurements],
            "sentences": len(SENTENCES) if self.speaker else 0,
            "spoken_by": self.speaker,
            "is_human_speech": False,
            "local_servers": [msgspec.to_builtins(one) for one in self.local_servers],
        }

    def lines(self) -> Iterator[str]:
        """Yield what follows the lines of the checks."""
        if self.measurements:
            yield ""
            yield from table(self.measurements, self.speaker)
        for found in self.local_servers:
            yield f"found {found.name} at {found.base_url} with {len(found.models)} models: offered, not used"
        yield ""
        yield "all checks passed" if not self.failures else f"{self.failures} of {len(self.checks)} checks failed"


Report = Callable[[Check], None]


async def _examine(config_path: Path | None, may_spend: bool, findings: Findings, report: Report) -> None:
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
    findings.local_servers = await probe()
    await _examine_engines(_tested_here(configuration), may_spend, findings, report)
    if configuration.upstream.url:
        report(await run_check("upstream", lambda: _measure_upstream(configuration, may_spend, findings)))


def _tested_here(configuration: Configuration) -> Configuration:
    """Return the configuration with only the pipeline of this process that people get first, and no upstream.

    Where sessions are relayed, that is the one that goes on when the upstream cannot be reached.
    """
    upstream = configuration.upstream
    name = configuration.local_default
    if configuration.engines.default == UPSTREAM and upstream.failover:
        name = upstream.failover
    engines = configuration.engines.model_copy(update={"default": name})
    local = {"engines": engines, "upstream": upstream.model_copy(update={"url": "", "failover": ""})}
    return narrow_to(configuration.model_copy(update=local), None)


async def _examine_engines(configuration: Configuration, may_spend: bool, findings: Findings, report: Report) -> None:
    try:
        withheld = withheld_places(configuration, may_spend=may_spend)
        pipelines = build_pipelines(configuration)
        test = EngineTest(configuration, pipelines, withheld)
    except (AssetError, ConfigurationError, CheckFailed) as error:
        report(Check("engines start", False, str(error), 0.0))
        return
    findings.measurements = test.measurements
    try:
        for name, body in test.steps():
            check = await run_check(name, body)
            findings.speaker = test.speaker
            report(check)
            if not check.is_ok and name in NEEDED_BY_OTHERS:
                return
    finally:
        await pipelines.close()


async def _measure_upstream(configuration: Configuration, may_spend: bool, findings: Findings) -> str:
    from vivavoce.cli.upstream_check import measure_upstream

    measured = await measure_upstream(configuration, may_spend=may_spend)
    findings.measurements.append(measured)
    return measured.detail or f"{measured.engine} answers"


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
    is_left_out = check.detail.startswith(("not measured", "not done"))
    state = "FAILED" if not check.is_ok else "--    " if is_left_out else "ok    "
    return f"{state} {check.name:<14} {check.elapsed_ms:8.1f} ms  {check.detail}"
