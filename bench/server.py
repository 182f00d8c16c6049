"""A server of one's own for a benchmark: started in a process, awaited, ended by its id."""

import contextlib
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Final

import msgspec

READY: Final = re.compile(r"vivavoce ready on http://(\S+)")
STOP_TIMEOUT_S: Final = 30.0
SERVE: Final = ("vivavoce", "serve", "--port", "0")


class RunningServer(msgspec.Struct, frozen=True):
    """A server that has said that it is ready. `address` is host and port."""

    pid: int
    address: str
    ready_s: float

    def url(self, model: str) -> str:
        return f"ws://{self.address}/v1/realtime?model={model}"


@contextlib.contextmanager
def running_server(*flags: str, module: tuple[str, ...] = SERVE) -> Iterator[RunningServer]:
    """Start `vivavoce serve`, or another server module, on a free port and end it afterwards."""
    started = time.monotonic()
    command = [sys.executable, "-m", *module, *flags]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            assert process.stdout is not None, "the ready line is read from a pipe"
            line = process.stdout.readline()
            match = READY.match(line)
            if match is None:
                raise RuntimeError(f"the server did not get ready; it said {line!r}")
            yield RunningServer(process.pid, match[1], time.monotonic() - started)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(STOP_TIMEOUT_S)
