"""`vivavoce serve`: the server, from its configuration to its exit code."""

import asyncio
import logging
import webbrowser
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import typer

from vivavoce.app.server import new_event_loop
from vivavoce.cli.faults import faults_as_sentences, listening_fault, load_configuration
from vivavoce.cli.logs import log_to_stderr
from vivavoce.config.load import Loaded
from vivavoce.wiring import app_settings, run_server

_log = logging.getLogger("vivavoce")


def run_serve(flags: Mapping[str, Any], config_path: Path | None, *, open_page: bool) -> None:
    """Serve until SIGTERM or SIGINT; `flags` are values as the command line gave them.

    Prints one line on standard output: `vivavoce ready on URL`, when every default engine has answered.
    """
    with faults_as_sentences():
        loaded = load_configuration(config_path, flags)
        app_settings(loaded.configuration)  # refused before anything is told
        log_to_stderr()
        _tell_start(loaded)

        def ready(url: str) -> None:
            typer.echo(f"vivavoce ready on {url}")
            if open_page:
                webbrowser.open(url)

        server = loaded.configuration.server
        try:
            with asyncio.Runner(loop_factory=new_event_loop) as runner:
                runner.run(run_server(loaded.configuration, ready))
        except OSError as error:
            raise listening_fault(error, server.host, server.port) from error


def _tell_start(loaded: Loaded) -> None:
    server = loaded.configuration.server
    for note in loaded.notes:
        _log.info(note)
    if not server.api_keys and not server.insecure:
        _log.info("No key is configured: any key is accepted on this machine", extra={"host": server.host})
    elif not server.api_keys:
        _log.warning("No key is configured: whoever reaches this address may use it", extra={"host": server.host})
