"""`vivavoce config show`."""

import json
from pathlib import Path

import typer

from vivavoce.cli.faults import faults_as_sentences, load_configuration


def run_config_show(config_path: Path | None, *, as_json: bool) -> None:
    """Print every effective value with its source."""
    with faults_as_sentences():
        settings = load_configuration(config_path).settings()
        if as_json:
            listed = [{"key": one.key, "value": one.value, "source": one.source} for one in settings]
            typer.echo(json.dumps(listed, indent=2, ensure_ascii=False))
            return
        width = max(len(one.key) for one in settings)
        for one in settings:
            typer.echo(f"{one.key:<{width}} = {json.dumps(one.value, ensure_ascii=False)}  # {one.source}")
