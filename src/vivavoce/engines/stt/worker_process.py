"""A recogniser process seen from the event loop: started, fed and read without blocking, restarted by its owner.

The other end of a socket pair is the process's standard input. A closed socket is the one sign of the end of the
process, whatever its cause. Everything runs in callbacks of the loop; there is no task to own.
"""

import asyncio
import socket
import subprocess
import sys
from pathlib import Path
from typing import Final, Protocol

from vivavoce.engines.stt import pocketsphinx_worker as wire

WORKER_COMMAND: Final = (sys.executable, "-P", str(Path(wire.__file__).resolve()))
STOP_TIMEOUT_S: Final = 5.0


class WorkerOwner(Protocol):
    """Told about everything that happens to a worker, on the loop's thread."""

    def worker_answered(self, worker: "WorkerProcess", kind: int, utterance: int, payload: bytes) -> None:
        """A frame came."""
        ...

    def worker_ended(self, worker: "WorkerProcess", reason: str) -> None:
        """The process is gone without having been stopped; `reason` is a sentence. Called once."""
        ...


class WorkerProcess:
    """One process. Its start is under way when the constructor returns; frames may be sent at once."""

    def __init__(self, owner: WorkerOwner, command: tuple[str, ...] = WORKER_COMMAND) -> None:
        self._owner = owner
        self._loop = asyncio.get_running_loop()
        self._socket, theirs = socket.socketpair()
        self._socket.setblocking(False)
        self._received = bytearray()
        self._unsent = bytearray()
        self._reason = "the recogniser process ended"
        self._is_open = True
        self._gone: asyncio.Future[None] = self._loop.create_future()
        self._loop.add_reader(self._socket, self._receive)
        # Starting takes some ms; vfork, which subprocess uses, keeps the memory of this process out of it.
        self._process = self._loop.run_in_executor(None, _spawn, command, theirs)

    async def process_id(self) -> int:
        """Return the process id; raises OSError if the process did not start."""
        return (await self._process).pid

    def send(self, kind: int, utterance: int, payload: bytes = b"") -> None:
        """Send a frame; nothing after the end, of which the owner was told."""
        if not self._is_open:
            return
        if self._unsent:
            self._unsent += wire.pack(kind, utterance, payload)
            return
        self._unsent += wire.pack(kind, utterance, payload)
        self._flush()
        if self._unsent and self._is_open:
            self._loop.add_writer(self._socket, self._flush)

    def close(self) -> "asyncio.Future[None]":
        """Let the process end; may be called in any state, also twice. The result is done once it is gone."""
        if self._is_open:
            self._is_open = False
            self._loop.remove_reader(self._socket)
            self._loop.remove_writer(self._socket)
            self._socket.close()
            self._process.add_done_callback(self._reap)
        return self._gone

    def _flush(self) -> None:
        try:
            sent = self._socket.send(self._unsent)
        except BlockingIOError:
            return
        except OSError:  # the reader learns of it too
            self._unsent.clear()
            self._loop.remove_writer(self._socket)
            return
        del self._unsent[:sent]
        if not self._unsent:
            self._loop.remove_writer(self._socket)

    def _receive(self) -> None:
        try:
            data = self._socket.recv(wire.READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        self._received += data
        for kind, utterance, payload in wire.take_frames(self._received):
            if kind == wire.BROKEN:
                self._reason = payload.decode(errors="replace")
            elif self._is_open:
                self._owner.worker_answered(self, kind, utterance, payload)
        if not data and self._is_open:
            self._loop.remove_reader(self._socket)
            self._process.add_done_callback(self._receive_end)

    def _receive_end(self, process: "asyncio.Future[subprocess.Popen[bytes]]") -> None:
        if not process.cancelled() and (error := process.exception()) is not None:
            self._reason = f"the recogniser process did not start: {error}"
        if self._is_open:
            self.close()
            self._owner.worker_ended(self, self._reason)

    def _reap(self, process: "asyncio.Future[subprocess.Popen[bytes]]") -> None:
        if process.cancelled() or process.exception() is not None:
            self._set_gone()  # it never ran
        else:
            self._loop.run_in_executor(None, _end, process.result()).add_done_callback(self._set_gone)

    def _set_gone(self, _: object = None) -> None:
        if not self._gone.done():
            self._gone.set_result(None)


def _spawn(command: tuple[str, ...], theirs: socket.socket) -> "subprocess.Popen[bytes]":
    with theirs:
        return subprocess.Popen(command, stdin=theirs.fileno(), stdout=subprocess.DEVNULL)


def _end(process: "subprocess.Popen[bytes]") -> None:
    """Wait for a process whose socket is closed; it ends by itself within a decoding step."""
    try:
        process.wait(STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
