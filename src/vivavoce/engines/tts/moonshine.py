"""The voices of moonshine-voice in a worker process, with models that were fetched before.

One process speaks, one clause at a time: the model uses all cores, and two at once would both stutter. Sound comes
piece by piece, the first before a long clause is complete. The next clause of a request waits until the consumer has
taken the last, and may wait for another request's: so much sound at most waits for a slow consumer, and nobody else
waits for it. A process that died is started again by the next clause.
"""

import asyncio
import json
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing, suppress
from pathlib import Path
from typing import Final

import msgspec

from vivavoce.core.requests import SpeechRequest
from vivavoce.engines.base import Capabilities, EngineError, SpeechChunk
from vivavoce.engines.compatible.work import Work
from vivavoce.engines.tts import moonshine_worker as wire
from vivavoce.engines.tts.speakable import Clause, clauses

NAME: Final = "moonshine"
NOTE: Final = "Natural English voices, made on this machine."
MIN_SPEED, MAX_SPEED = 0.25, 1.5  # the API's range
MAX_CLAUSE_CHARACTERS: Final = 300  # about 20 s of speech, 1 MB
START_TIMEOUT_S: Final = 60.0
STOP_TIMEOUT_S: Final = 5.0
WORKER_COMMAND: Final = (sys.executable, "-P", str(Path(wire.__file__).resolve()))


class MoonshineVoices(msgspec.Struct, frozen=True):
    """The voices' files: their folder, and for each of our names the library's language and voice."""

    folder: Path
    voices: Mapping[str, tuple[str, str]]


class MoonshineSynthesizer:
    """Speaks with moonshine-voice."""

    def __init__(
        self, voices: MoonshineVoices, first: str | None = None, command: tuple[str, ...] = WORKER_COMMAND
    ) -> None:
        """Prepare; nothing is loaded before `start`.

        Args:
            voices: at least one.
            first: the voice that is loaded at the start; None: the first of them.
        """
        self._voices = voices
        language, voice = voices.voices.get(first or "") or next(iter(voices.voices.values()))
        self._command = (*command, str(voices.folder), language, voice)
        self._worker: _Worker | None = None
        self._turn = asyncio.Lock()
        self._work = Work()
        self._is_open = False

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(NAME, is_streaming=True, languages=("en",), voices=tuple(self._voices.voices), note=NOTE)

    async def start(self) -> None:
        """Start the process and return when the first voice has spoken a word; raises EngineError."""
        self._is_open = True
        self._worker = await _start(self._command)

    async def close(self) -> None:
        """End the process; what is being spoken fails."""
        self._is_open = False
        await self._work.close()
        worker, self._worker = self._worker, None
        if worker is not None:
            await worker.close()

    async def process_ids(self) -> list[int]:
        """Return the id of the running process, for diagnosis."""
        return [] if self._worker is None else [self._worker.process_id]

    async def synthesize(self, request: SpeechRequest) -> AsyncGenerator[SpeechChunk, None]:
        """Yield the speech as it is made, without word times. A text without anything to speak yields nothing.

        Raises:
            EngineError: an unknown voice, a speed out of range, the process failed, or the engine is closed.
        """
        voice = self._checked(request)
        for clause in clauses(request.text, MAX_CLAUSE_CHARACTERS):
            order = _Order(spoken_text(clause), *voice, request.speed)
            async with aclosing(self._sound(order)) as pieces:
                async for pcm in pieces:
                    yield SpeechChunk(pcm)

    async def _sound(self, order: "_Order") -> AsyncGenerator[bytes, None]:
        """Yield the sound of a clause; the worker is free as soon as it has made it all."""
        made: asyncio.Queue[bytes | EngineError | None] = asyncio.Queue()
        task = self._work.start(self._make(order, made), "speak a clause")
        try:
            while (item := await made.get()) is not None:
                if isinstance(item, EngineError):
                    raise item
                yield item
            self._check_open()
        finally:
            task.cancel()

    async def _make(self, order: "_Order", made: "asyncio.Queue[bytes | EngineError | None]") -> None:
        try:
            async with self._turn:
                worker = await self._live_worker()
                async with aclosing(worker.speak(order)) as pieces:
                    async for pcm in pieces:
                        made.put_nowait(pcm)
        except EngineError as error:
            made.put_nowait(error)
        finally:
            made.put_nowait(None)

    def _checked(self, request: SpeechRequest) -> tuple[str, str]:
        voice = self._voices.voices.get(request.voice)
        if voice is None:
            known = ", ".join(self._voices.voices)
            raise EngineError(NAME, f"voice must be one of {known}; got {request.voice!r}.", code="server_error")
        if not MIN_SPEED <= request.speed <= MAX_SPEED:
            message = f"speed must be between {MIN_SPEED} and {MAX_SPEED}, got {request.speed}."
            raise EngineError(NAME, message, code="server_error")
        return voice

    def _check_open(self) -> None:
        if not self._is_open:
            raise EngineError(NAME, "the voices are not started or were closed")

    async def _live_worker(self) -> "_Worker":
        self._check_open()
        if self._worker is None or not self._worker.is_alive:
            if self._worker is not None:
                await self._worker.close()
            self._worker = await _start(self._command)
        return self._worker


class _Order(msgspec.Struct, frozen=True):
    """A clause as it is spoken; language and voice by the library's names."""

    text: str
    language: str
    voice: str
    speed: float


class _Worker:
    """The process as one request at a time sees it: whoever waits for its sound reads its frames."""

    def __init__(self, process: Process) -> None:
        assert process.stdin is not None and process.stdout is not None, "asked for pipes"
        self._process = process
        self._orders, self._frames = process.stdin, process.stdout
        self._header: tuple[int, int, int] | None = None  # of a frame whose payload is not read yet
        self._last_order = 0

    @property
    def is_alive(self) -> bool:
        return self._process.returncode is None and not self._frames.at_eof()

    @property
    def process_id(self) -> int:
        return self._process.pid

    async def ready(self) -> None:
        """Return when the first voice has spoken; raises EngineError."""
        kind, _, payload = await self._next_frame()
        if kind != wire.READY:
            raise EngineError(NAME, f"the voices cannot be loaded: {_sentence(payload)}")

    async def speak(self, clause: _Order) -> AsyncGenerator[bytes, None]:
        """Yield the sound of a clause, pcm16le, mono, 24 kHz; closing the iterator cancels the rest."""
        self._last_order += 1
        own = self._last_order
        self._send({"id": own, **msgspec.structs.asdict(clause)})
        is_over = False
        try:
            while not is_over:
                kind, order, payload = await self._next_frame()
                if order != own:
                    continue  # the rest of one that was cancelled
                is_over = kind != wire.SOUND
                if kind == wire.FAILED:
                    raise EngineError(NAME, f"the text could not be spoken: {_sentence(payload)}", is_retryable=True)
                if kind == wire.SOUND:
                    yield payload
        finally:
            if not is_over:
                self._send({"cancel": own})

    async def close(self) -> None:
        """End the process and wait for it; it ends by itself when the piece at hand is made."""
        self._orders.close()
        try:
            async with asyncio.timeout(STOP_TIMEOUT_S):
                await self._process.communicate()
        except TimeoutError:
            self._process.kill()
            await self._process.communicate()

    def _send(self, message: Mapping[str, object]) -> None:
        if not self._orders.is_closing():
            self._orders.write(json.dumps(message).encode() + b"\n")

    async def _next_frame(self) -> tuple[int, int, bytes]:
        """Return the next frame; a reader that is cancelled in between leaves the frames in order."""
        try:
            if self._header is None:
                self._header = wire.HEADER.unpack(await self._frames.readexactly(wire.HEADER.size))
            kind, order, length = self._header
            payload = await self._frames.readexactly(length)
        except (asyncio.IncompleteReadError, OSError) as error:
            raise EngineError(NAME, "the voices' process ended", is_retryable=True) from error
        self._header = None
        return kind, order, payload


async def _start(command: tuple[str, ...]) -> _Worker:
    """Return a process that is ready; raises EngineError."""
    pipe = asyncio.subprocess.PIPE
    try:
        process = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe)
    except OSError as error:
        raise EngineError(NAME, f"the voices' process did not start: {error}") from error
    worker = _Worker(process)
    try:
        async with asyncio.timeout(START_TIMEOUT_S):
            await worker.ready()
    except TimeoutError as error:
        await worker.close()
        raise EngineError(NAME, "the voices' process was not ready in time", code="engine_timeout") from error
    except BaseException:
        with suppress(asyncio.CancelledError):
            await worker.close()
        raise
    return worker


def spoken_text(clause: Clause) -> str:
    """Return a clause without markup, emoji and letters other than Latin ones, as the voices can speak it."""
    return " ".join(word for piece in clause for word in piece.spoken)


def _sentence(payload: bytes) -> str:
    return payload.decode(errors="replace").strip() or "no reason was told"
