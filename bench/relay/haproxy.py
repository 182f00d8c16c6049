"""HAProxy: as a byte pump under measurement, and as what ends TLS before the scripted upstream."""

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from bench.relay.processes import accepts, await_until, listening_socket, started

BEGINNING: Final = """\
global
    nbthread 1
    maxconn 8000
defaults
    mode tcp
    maxconn 8000
    timeout connect 5s
    timeout client 1h
    timeout server 1h
"""


def haproxy() -> str | None:
    """Return the path of HAProxy, None if this machine has none."""
    return shutil.which("haproxy") or shutil.which("haproxy", path="/usr/sbin")


@contextlib.contextmanager
def running_haproxy(name: str, folder: Path, bind: str, server: str) -> Iterator[tuple[int, int]]:
    """Run HAProxy in TCP mode and yield its process id and port.

    Args:
        bind: options of the listening side, such as `ssl crt FILE`.
        server: the address behind, with its options.
    """
    with listening_socket() as listener:
        descriptor, port = listener.fileno(), listener.getsockname()[1]
        configuration = folder / f"{name}.cfg"
        sides = f"frontend all\n    bind fd@{descriptor} {bind}\n    default_backend one\n"
        configuration.write_text(f"{BEGINNING}{sides}backend one\n    server only {server}\n")
        program = haproxy()
        assert program is not None, "asked for before"
        command = [program, "-db", "-f", str(configuration)]
        with started(command, folder / f"{name}.log", descriptors=[descriptor]) as process:
            await_until(lambda: accepts(port) and process.poll() is None, name)
            yield process.pid, port
