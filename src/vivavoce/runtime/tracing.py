"""Traces: what passed between one client and its session, a line of JSON for each event, in a file for each session.

Theory of operation. The loop encodes an event and appends it to a queue; one thread for the whole process writes.
Audio is replaced by its length and credentials by asterisks. When the thread does not keep up, or a file has reached
its limit, events are dropped and counted; the last line of the file tells how many. A disk that fails ends the trace
and leaves the session alone.
"""

import contextlib
import logging
import os
import queue
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from vivavoce.core.vocabulary import PlayAudio
from vivavoce.protocol.client_events import ClientEvent
from vivavoce.protocol.server_events import ServerEvent
from vivavoce.protocol.session import Tracing, TracingChoice
from vivavoce.runtime.clock import Clock, SystemClock
from vivavoce.runtime.trace_lines import event_line, head_line, trailer_line

_log = logging.getLogger(__name__)

MAX_QUEUED_BYTES: Final = 32 * 1024 * 1024  # of all sessions
MAX_TRACE_BYTES: Final = 16 * 1024 * 1024
MAX_DIRECTORY_BYTES: Final = 1024 * 1024 * 1024  # the oldest traces go first
SUFFIX: Final = ".jsonl"


class TraceLimits(msgspec.Struct, frozen=True):
    """How much is kept, in bytes."""

    queued: int = MAX_QUEUED_BYTES
    trace: int = MAX_TRACE_BYTES
    directory: int = MAX_DIRECTORY_BYTES


class Tracer:
    """Opens the traces of a process. `close` at the end of the process writes what is left."""

    def __init__(self, directory: Path, clock: Clock | None = None, limits: TraceLimits | None = None) -> None:
        self._directory = directory
        self._clock = clock or SystemClock()
        self._limits = limits or TraceLimits()
        self._writer = LineWriter(self._limits.queued)

    def open(self, session_id: str, tracing: TracingChoice) -> "SessionTracer":
        """Start the trace of a session under the client's labels."""
        file = TraceFile(self._directory / f"{session_id}{SUFFIX}", self._limits.directory)
        trace = SessionTracer(file, self._writer, self._clock, self._limits.trace)
        trace.begin(session_id, tracing)
        return trace

    def close(self) -> None:
        """Write what is queued and end the thread; may be called again. Nothing may be traced afterwards."""
        self._writer.close()


class SessionTracer:
    """The trace of one session. Its methods only queue; nothing is traced after `close`."""

    def __init__(self, file: "TraceFile", writer: "LineWriter", clock: Clock, limit_bytes: int) -> None:
        self._file = file
        self._writer = writer
        self._clock = clock
        self._started_s = clock.monotonic_s()
        self._room_bytes = limit_bytes
        self._events = 0
        self._dropped = 0
        self._is_closed = False

    def begin(self, session_id: str, tracing: TracingChoice) -> None:
        """Write the first line; called once, by the tracer."""
        labels = tracing if isinstance(tracing, Tracing) else Tracing()
        line = head_line(session_id, self._clock.unix_s(), labels)
        self._room_bytes -= len(line)
        self._writer.put(self._file.open, 0, is_needed=True)
        self._writer.put(lambda: self._file.write(line), len(line), is_needed=True)

    def client(self, event: ClientEvent) -> None:
        """Note an event that the client sent."""
        self._note("client", event)

    def server(self, event: ServerEvent | PlayAudio) -> None:
        """Note an event, or audio, that the client is sent."""
        self._note("server", event)

    def close(self) -> None:
        """End the trace; may be called again."""
        if self._is_closed:
            return
        self._is_closed = True
        line = trailer_line(self._elapsed_ms(), self._events, self._dropped)
        self._writer.put(lambda: self._file.end(line), len(line), is_needed=True)

    def _note(self, sender: str, event: ClientEvent | ServerEvent | PlayAudio) -> None:
        if self._is_closed:
            return
        if self._room_bytes <= 0:
            self._dropped += 1
            return
        line = event_line(self._elapsed_ms(), sender, event)
        if len(line) > self._room_bytes:
            self._room_bytes = 0  # nothing smaller slips in behind it: what is kept is the beginning
            self._dropped += 1
        elif self._writer.put(lambda: self._file.write(line), len(line)):
            self._room_bytes -= len(line)
            self._events += 1
        else:
            self._dropped += 1

    def _elapsed_ms(self) -> float:
        return round((self._clock.monotonic_s() - self._started_s) * 1000, 3)


class TraceFile:
    """The file of a trace, readable by its owner alone. All methods run on the writer's thread, in order.

    After the first failure of the disk nothing more is written.
    """

    def __init__(self, path: Path, directory_limit_bytes: int) -> None:
        self._path = path
        self._directory_limit_bytes = directory_limit_bytes
        self._descriptor: int | None = None

    def open(self) -> None:
        directory = self._path.parent
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        make_room(directory, self._directory_limit_bytes)
        self._descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)

    def write(self, line: bytes) -> None:
        if self._descriptor is None:
            return
        try:
            rest = memoryview(line)
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]
        except OSError:
            self._close()
            raise

    def end(self, line: bytes) -> None:
        try:
            self.write(line)
        finally:
            self._close()

    def _close(self) -> None:
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)


def make_room(directory: Path, limit_bytes: int) -> None:
    """Delete the oldest traces of a folder until what is left has at most `limit_bytes`."""
    found: list[tuple[float, int, Path]] = []
    for path in directory.glob(f"*{SUFFIX}"):
        with contextlib.suppress(FileNotFoundError):
            stat = path.stat()
            found.append((stat.st_mtime, stat.st_size, path))
    total_bytes = sum(size for _, size, _ in found)
    for _, size, path in sorted(found):
        if total_bytes <= limit_bytes:
            return
        path.unlink(missing_ok=True)
        total_bytes -= size


class LineWriter:
    """One thread that does the work of all traces, in order, with a bound on the bytes that wait.

    The thread is started by the first work and ends with `close`. What work raises is logged.
    """

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._queued_bytes = 0
        self._lock = threading.Lock()  # of the count
        self._work: queue.SimpleQueue[tuple[Callable[[], None], int] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    def put(self, work: Callable[[], None], size_bytes: int, *, is_needed: bool = False) -> bool:
        """Queue some work; return False if too much waits. `is_needed` is queued all the same."""
        with self._lock:
            if not is_needed and self._queued_bytes + size_bytes > self._limit_bytes:
                return False
            self._queued_bytes += size_bytes
        self._work.put((work, size_bytes))
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="traces", daemon=True)
            self._thread.start()
        return True

    def close(self) -> None:
        """Return when all that is queued is done."""
        thread, self._thread = self._thread, None
        if thread is not None:
            self._work.put(None)
            thread.join()

    def _run(self) -> None:
        while (entry := self._work.get()) is not None:
            work, size_bytes = entry
            try:
                work()
            except Exception as error:  # a disk that fails must not end the other traces
                _log.warning("trace cannot be written", extra={"reason": str(error)})
            with self._lock:
                self._queued_bytes -= size_bytes
