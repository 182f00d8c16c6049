"""A server process for tests: started, awaited by its ready line, ended by its id."""

import contextlib
import os
import re
import selectors
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

READY = re.compile(rb"vivavoce ready on (https?://\S+)")
START_LIMIT_S = 90.0  # a cold start compiles WebAssembly, on a busy machine
STOP_LIMIT_S = 30.0


@contextlib.contextmanager
def served(command: Sequence[str | Path], folder: Path) -> Iterator[str]:
    """Run `command serve` on a free port in `folder`; yields the address of the ready server.

    Raises:
        AssertionError: it did not get ready in time, or did not end with 0 after SIGTERM.
    """
    log = folder / "server.log"
    environment = os.environ | {"PYTHONUNBUFFERED": "1"}
    with log.open("wb") as errors:
        process = subprocess.Popen(
            [*command, "serve", "--port", "0"], cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=errors
        )
    try:
        yield _address(process, log)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            code = process.wait(STOP_LIMIT_S)
        finally:
            process.kill()
            process.wait()
            assert process.stdout
            process.stdout.close()
    assert code == 0, f"the server ended with {code} after SIGTERM:\n{log.read_text()[-2000:]}"


def _address(process: subprocess.Popen[bytes], log: Path) -> str:
    assert process.stdout, "opened as a pipe"
    deadline_s = time.monotonic() + START_LIMIT_S
    printed = b""
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while selector.select(max(0.0, deadline_s - time.monotonic())):
            piece = os.read(process.stdout.fileno(), 4096)
            printed += piece
            if found := READY.search(printed):
                return found[1].decode()
            if not piece:
                break
    raise AssertionError(
        f"no ready line in {START_LIMIT_S:.0f} s; printed {printed!r}, log:\n{log.read_text()[-2000:]}"
    )
