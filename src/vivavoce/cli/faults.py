"""How a command fails: one sentence on standard error and exit code 1."""

import contextlib
import errno
import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import typer

from vivavoce.assets.errors import AssetError
from vivavoce.audio.wav import WavError
from vivavoce.config.load import ConfigurationError, Loaded, load
from vivavoce.engines.base import EngineError


class CommandError(Exception):
    """A command cannot do what it was asked; the message is the sentence to print."""


@contextlib.contextmanager
def faults_as_sentences() -> Iterator[None]:
    """Turn expected faults into a sentence and exit code 1; anything else is our bug and keeps its trace."""
    try:
        yield
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the reader left; nobody wants the rest
        raise typer.Exit(1) from None
    except EngineError as error:
        _tell(f"the engine {error.engine} cannot start: {error}")
        raise typer.Exit(1) from error
    except (CommandError, ConfigurationError, AssetError, WavError, OSError) as error:
        _tell(_sentence(error))
        raise typer.Exit(1) from error


def listening_fault(error: OSError, host: str, port: int) -> CommandError:
    """Return the sentence for an address that cannot be listened on."""
    if error.errno == errno.EADDRINUSE:
        return CommandError(f"Port {port} on {host} is already in use; choose another with --port.")
    return CommandError(f"Cannot listen on {host} port {port}: {error.strerror or error}.")


def load_configuration(config_path: Path | None, flags: Mapping[str, Any] | None = None) -> Loaded:
    """Return the configuration of a command; `flags` are values as the command line gave them."""
    return load(flags, config_path=config_path)


def _sentence(error: Exception) -> str:
    if isinstance(error, OSError):
        return f"{error.filename}: {error.strerror}" if error.filename else str(error)
    return str(error)


def _tell(sentence: str) -> None:
    typer.echo(f"vivavoce: {sentence}", err=True)
