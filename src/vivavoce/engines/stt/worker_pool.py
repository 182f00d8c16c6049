"""Decides which recogniser process decodes what.

Theory of operation. A worker decodes one utterance at a time, as it is spoken. An utterance gets an idle worker when
it opens; where all are busy another one is started, up to `max_workers`, and ends after a minute of idleness. Beyond
that utterances wait and keep their audio: those that are complete go first, then the oldest. An utterance that is not
fed for a second, as in a manual turn with a pause, gives its worker up to one that waits, and is decoded again from
its start later.

A worker that dies fails the utterance it was decoding and is replaced after a pause, which doubles with each death
until a final result arrives. The other utterances do not notice. What waits fails when no worker is left.
"""

import asyncio
from typing import Final, Protocol

from vivavoce.engines.stt import pocketsphinx_worker as wire
from vivavoce.engines.stt.worker_process import WorkerProcess

START_TIMEOUT_S: Final = 60.0  # 0.5 s on an idle machine
IDLE_END_S: Final = 60.0
STALL_S: Final = 1.0
RESTART_PAUSE_S: Final = 0.2
MAX_DOUBLINGS: Final = 7  # of the restart pause, to 26 s


class Job(Protocol):
    """An utterance as the pool sees it. `audio` is all that was fed, pcm16le, mono, 16 kHz.

    The pool keeps `fed_at_s`, on the loop's clock.
    """

    utterance: int
    is_finished: bool
    audio: bytearray
    decoded_bytes: int
    fed_at_s: float

    def revise(self, progress: bytes) -> None:
        """A worker decoded more; JSON of a Progress."""
        ...

    def complete(self, result: bytes) -> None:
        """A worker has the final transcript; JSON of a Result."""
        ...

    def fail(self, message: str, is_retryable: bool = False) -> None:
        """There will be no transcript."""
        ...


class _Slot:
    """A worker and what it does."""

    def __init__(self, process: WorkerProcess) -> None:
        self.process = process
        self.is_ready = False
        self.job: Job | None = None
        self.idle_timer: asyncio.TimerHandle | None = None


class WorkerPool:
    """Between `min_workers` and `max_workers` processes, started with `command`; see the module's text."""

    def __init__(self, min_workers: int, max_workers: int, command: tuple[str, ...]) -> None:
        if not 1 <= min_workers <= max_workers:
            raise ValueError(f"expected 1 <= min_workers <= max_workers, got {min_workers} and {max_workers}")
        self._min_workers, self._max_workers = min_workers, max_workers
        self._command = command
        self._slots: list[_Slot] = []
        self._waiting: list[Job] = []
        self._ending: set[asyncio.Future[None]] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._deaths = 0  # since the last final result
        self._starting: asyncio.Future[None] | None = None
        self._is_open = False

    async def start(self) -> None:
        """Start `min_workers` and return when all are warm; raises OSError with a sentence, or TimeoutError."""
        self._is_open = True
        self._starting = asyncio.get_running_loop().create_future()
        for _ in range(self._min_workers):
            self._add_worker()
        try:
            async with asyncio.timeout(START_TIMEOUT_S):
                await self._starting
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """Fail all utterances, end all workers and wait for them."""
        self._is_open = False
        if self._timer is not None:
            self._timer.cancel()
        self._fail_waiting("the recogniser is closed")
        for slot in list(self._slots):
            job = self._remove(slot)
            if job is not None:
                job.fail("the recogniser is closed")
        await asyncio.gather(*self._ending)

    async def process_ids(self) -> list[int]:
        """Return the process ids of the workers, the longest running first."""
        return [await slot.process.process_id() for slot in self._slots]

    def add(self, job: Job) -> None:
        """Give the utterance a worker, or let it wait for one."""
        if not self._is_open:
            job.fail("the recogniser is not started")
            return
        job.fed_at_s = asyncio.get_running_loop().time()
        self._waiting.append(job)
        self._dispatch()

    def is_decoding(self, job: Job) -> bool:
        """True while a worker has the utterance."""
        return self._slot_of(job) is not None

    def feed(self, job: Job, pcm: bytes) -> None:
        """Pass audio on that was appended to `job.audio`."""
        job.fed_at_s = asyncio.get_running_loop().time()
        slot = self._slot_of(job)
        if slot is not None:
            slot.process.send(wire.AUDIO, job.utterance, pcm)

    def finish(self, job: Job) -> None:
        """The utterance is complete."""
        slot = self._slot_of(job)
        if slot is not None:
            slot.process.send(wire.FINISH, job.utterance)

    def drop(self, job: Job) -> None:
        """Forget the utterance."""
        slot = self._slot_of(job)
        if slot is not None:
            self._take_from(slot)
            self._dispatch()
        elif job in self._waiting:
            self._waiting.remove(job)

    def worker_answered(self, worker: WorkerProcess, kind: int, utterance: int, payload: bytes) -> None:
        """See WorkerOwner."""
        slot = self._slot_with(worker)
        if slot is None:
            return
        if kind == wire.READY:
            self._receive_ready(slot)
        elif slot.job is None or slot.job.utterance != utterance:
            return  # of an utterance that was aborted meanwhile
        elif kind == wire.PROGRESS:
            slot.job.revise(payload)
        elif kind == wire.FINAL:
            self._receive_final(slot, slot.job, payload)

    def worker_ended(self, worker: WorkerProcess, reason: str) -> None:
        """See WorkerOwner."""
        slot = self._slot_with(worker)
        if slot is None:
            return
        job = self._remove(slot)
        self._deaths += 1
        if self._starting is not None and not self._starting.done():
            self._starting.set_exception(OSError(reason))
        if job is not None:
            job.fail(f"the recogniser process died while it decoded this utterance: {reason}", is_retryable=True)
        if not self._slots:
            self._fail_waiting(f"no recogniser process is left: {reason}")
        self._set_timer(RESTART_PAUSE_S * 2 ** min(self._deaths - 1, MAX_DOUBLINGS))

    def _receive_ready(self, slot: _Slot) -> None:
        slot.is_ready = True
        if self._starting is not None and not self._starting.done() and all(slot.is_ready for slot in self._slots):
            self._starting.set_result(None)
        self._rest(slot)
        self._dispatch()

    def _receive_final(self, slot: _Slot, job: Job, payload: bytes) -> None:
        self._deaths = 0
        slot.job = None
        self._rest(slot)
        job.complete(payload)
        self._dispatch()

    def _dispatch(self) -> None:
        """Bring waiting utterances and workers together."""
        while self._waiting and (slot := self._idle_slot()) is not None:
            self._assign(slot, self._next_waiting())
        starting = sum(not slot.is_ready for slot in self._slots)
        is_pausing = self._deaths > 0 and self._timer is not None
        room = 0 if is_pausing else self._max_workers - len(self._slots)
        for _ in range(min(len(self._waiting) - starting, room)):
            self._add_worker()
        if self._waiting and self._timer is None:
            self._set_timer(STALL_S)

    def _idle_slot(self) -> _Slot | None:
        idle = next((slot for slot in self._slots if slot.is_ready and slot.job is None), None)
        return idle or self._preempt()

    def _preempt(self) -> _Slot | None:
        """Free a worker whose utterance is not being fed, if one waits that is."""
        if len(self._slots) < self._max_workers or all(_is_stalled(job) for job in self._waiting):
            return None
        slot = next((slot for slot in self._slots if slot.job is not None and _is_stalled(slot.job)), None)
        if slot is not None:
            self._waiting.append(self._take_from(slot))
        return slot

    def _next_waiting(self) -> Job:
        """Complete utterances first, then those that are spoken, the oldest first in both."""
        job = min(self._waiting, key=lambda job: (not job.is_finished, _is_stalled(job), job.utterance))
        self._waiting.remove(job)
        return job

    def _assign(self, slot: _Slot, job: Job) -> None:
        if slot.idle_timer is not None:
            slot.idle_timer.cancel()
        slot.job = job
        job.decoded_bytes = 0
        slot.process.send(wire.START, job.utterance)
        if job.audio:
            slot.process.send(wire.AUDIO, job.utterance, bytes(job.audio))
        if job.is_finished:
            slot.process.send(wire.FINISH, job.utterance)

    def _take_from(self, slot: _Slot) -> Job:
        job, slot.job = slot.job, None
        assert job is not None, "only a busy worker can lose its utterance"
        slot.process.send(wire.ABORT, job.utterance)
        self._rest(slot)
        return job

    def _rest(self, slot: _Slot) -> None:
        """Let a worker that is idle end after a while, unless it is one of those that stay."""
        loop = asyncio.get_running_loop()
        slot.idle_timer = loop.call_later(IDLE_END_S, self._retire, slot)

    def _retire(self, slot: _Slot) -> None:
        if slot in self._slots and slot.job is None and len(self._slots) > self._min_workers:
            self._remove(slot)

    def _add_worker(self) -> None:
        self._slots.append(_Slot(WorkerProcess(self, self._command)))

    def _remove(self, slot: _Slot) -> Job | None:
        """Take a worker out and let it end; returns the utterance it had."""
        self._slots.remove(slot)
        if slot.idle_timer is not None:
            slot.idle_timer.cancel()
        gone = slot.process.close()
        self._ending.add(gone)
        gone.add_done_callback(self._ending.discard)
        return slot.job

    def _set_timer(self, after_s: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(after_s, self._look_again) if self._is_open else None

    def _look_again(self) -> None:
        """The restart pause is over, or an utterance may have stalled."""
        self._timer = None
        while len(self._slots) < self._min_workers:
            self._add_worker()
        self._dispatch()

    def _fail_waiting(self, message: str) -> None:
        waiting, self._waiting = self._waiting, []
        for job in waiting:
            job.fail(message, is_retryable=True)

    def _slot_of(self, job: Job) -> _Slot | None:
        return next((slot for slot in self._slots if slot.job is job), None)

    def _slot_with(self, worker: WorkerProcess) -> _Slot | None:
        return next((slot for slot in self._slots if slot.process is worker), None)


def _is_stalled(job: Job) -> bool:
    return not job.is_finished and asyncio.get_running_loop().time() - job.fed_at_s > STALL_S
