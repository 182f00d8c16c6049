"""`vivavoce serve`: the server, from its configuration to its exit code."""

import asyncio
import logging
import webbrowser
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import typer

from vivavoce.app.server import AppSettings, new_event_loop, open_access
from vivavoce.app.tls import fingerprint
from vivavoce.cli.faults import faults_as_sentences, listening_fault, load_configuration
from vivavoce.cli.logs import log_to_stderr
from vivavoce.config.load import Loaded
from vivavoce.runtime.clock import SystemClock
from vivavoce.wiring import app_settings, run_server

_log = logging.getLogger("vivavoce")


def run_serve(flags: Mapping[str, Any], config_path: Path | None, *, open_page: bool) -> None:
    """Serve until SIGTERM or SIGINT; `flags` are values as the command line gave them.

    Prints one line on standard output: `vivavoce ready on URL`, when every default engine has answered.
    """
    with faults_as_sentences():
        loaded = load_configuration(config_path, flags)
        settings = app_settings(loaded.configuration)  # refused before anything is told
        log_to_stderr()
        _tell_start(loaded, settings)
        _tell_certificate(settings)

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


def _tell_start(loaded: Loaded, settings: AppSettings) -> None:
    for note in loaded.notes:
        _log.info(note)
    keys, _ = open_access(settings, SystemClock())
    fields = {"host": settings.host}
    if keys.has_keys and not keys.has_live_keys:
        _log.warning("Every key is expired or revoked: nobody is admitted", extra=fields)
    elif not keys.has_keys and not settings.is_insecure:
        _log.info("No key is configured: any key is accepted on this machine", extra=fields)
    elif not keys.has_keys:
        _log.warning("No key is configured: whoever reaches this address may use it", extra=fields)


def _tell_certificate(settings: AppSettings) -> None:
    """Tell what clients have to trust; the key and its place are nobody's business."""
    if settings.tls is not None:
        certificate = settings.tls.certificate
        fields = {"certificate": str(certificate), "sha256": fingerprint(certificate)}
        _log.info("Serving TLS with this certificate", extra=fields)
