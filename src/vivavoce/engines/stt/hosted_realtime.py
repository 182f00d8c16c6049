"""Transcripts from a Realtime server's transcription session, while the speaker still speaks.

Each utterance has a session of its own for as long as it lasts; afterwards the session waits for the next utterance of
any speaker, so that most begin without connecting. An utterance whose end brings no transcript closes its session.
"""

import asyncio
import ssl
from typing import Any, Final

import msgspec

from vivavoce.audio.pcm import duration_ms
from vivavoce.audio.resample import StreamResampler
from vivavoce.core.requests import TranscriptOptions
from vivavoce.engines import base
from vivavoce.engines.base import TRANSCRIBER_RATE_HZ, Capabilities, EngineError
from vivavoce.engines.compatible.client import CompatibleClient
from vivavoce.engines.compatible.failures import Failures
from vivavoce.engines.compatible.settings import CompatibleServer
from vivavoce.engines.compatible.upstream_socket import UPSTREAM_RATE_HZ, UpstreamSocket, open_socket
from vivavoce.engines.compatible.work import Work
from vivavoce.engines.stt.remote_models import Hint, RemoteModels
from vivavoce.engines.stt.usage import usage_of
from vivavoce.engines.stt.utterance import Deliver, Outcome

Json = dict[str, Any]  # JSON boundary: parts of events

MIN_COMMIT_MS: Final = 100  # the hosted API rejects shorter commits
MAX_APPEND_BYTES: Final = 48_000  # a second of audio; what waited while connecting goes out in such pieces
SESSION_LIFE_S: Final = 45 * 60.0  # the hosted API ends sessions after an hour; none begins an utterance after this


class HostedRealtimeSettings(msgspec.Struct, frozen=True):
    """Which model hears; `models` as in `RemoteModels`. A session waits `keeps_s` for more speech; 0 closes it."""

    server: CompatibleServer
    model: str = "gpt-realtime-whisper"
    name: str = "hosted-realtime"
    final_s: float = 10.0  # from the end of the utterance to its transcript
    keeps_s: float = 60.0
    models: tuple[tuple[str, str], ...] = ()
    takes_prompt: bool = True
    hints: tuple[Hint, ...] = ()  # what the model takes besides language and prompt; known models have theirs

    @property
    def remote(self) -> RemoteModels:
        """Return the models to choose from."""
        return RemoteModels(self.model, self.models, self.takes_prompt, self.hints)


class HostedRealtimeTranscriber:
    """Hears through Realtime transcription sessions. Connects when the first utterance begins, not before."""

    def __init__(self, settings: HostedRealtimeSettings, tls: ssl.SSLContext | None = None) -> None:
        self._settings = settings
        self._sessions = WaitingSessions(settings, tls)

    @property
    def capabilities(self) -> Capabilities:
        settings = self._settings
        return Capabilities(
            name=settings.name,
            hints=settings.remote.common_hints,
            models=settings.remote.names,
            ignores=settings.remote.ignores,
            is_streaming=True,
            note=f"Speech is transcribed by {settings.model} at {settings.server.place}.",
        )

    async def start(self) -> None:
        """Prepare TLS. Raises EngineError where `checks_models` is set and the server does not answer."""
        await self._sessions.start()

    async def close(self) -> None:
        """Fail what is under way and close all sessions."""
        await self._sessions.close()

    def open(self, options: TranscriptOptions, deliver: Deliver) -> "HostedRealtimeStream":
        """Start an utterance. Must be called on a running event loop."""
        return HostedRealtimeStream(self._settings, options, Outcome(self._settings.name, deliver), self._sessions)


class WaitingSessions:
    """The sessions of an engine that wait for an utterance, and the tasks of those that have one."""

    def __init__(self, settings: HostedRealtimeSettings, tls: ssl.SSLContext | None) -> None:
        self.work = Work()
        self.failures = Failures(settings.name, settings.server.place, settings.server.secrets)
        self._engine = settings.name
        self._server = settings.server
        self._keeps_s = settings.keeps_s
        self._tls = tls
        self._waiting: dict[UpstreamSocket, asyncio.TimerHandle] = {}
        self._is_started = False

    async def start(self) -> None:
        if self._tls is None and self._server.endpoint.scheme == "https":
            self._tls = await asyncio.to_thread(ssl.create_default_context)
        if self._server.checks_models:
            await self._check_models()
        self._is_started = True

    async def close(self) -> None:
        self._is_started = False
        for socket in tuple(self._waiting):
            self._retire(socket)
        await self.work.close()

    async def _check_models(self) -> None:
        client = CompatibleClient(self._engine, self._server, self._tls)
        try:
            await client.start()
        finally:
            await client.close()

    async def take(self, input_settings: Json) -> UpstreamSocket:
        """Return a session with these settings: one that waits, if it still answers, else another.

        Raises EngineError.
        """
        within_s = self._server.timeouts.connect_s
        while (waiting := self._latest()) is not None:
            try:
                return await self._configured(waiting, input_settings, within_s)
            except EngineError:
                continue  # it has been closed, or is out of order
        if not self._is_started:
            raise self.failures.broken("the engine is not started, or closed")
        socket = await open_socket(self._server, self.failures, self._tls)
        return await self._configured(socket, input_settings, within_s)

    def give_back(self, socket: UpstreamSocket) -> None:
        """Keep a session whose utterance has its transcript."""
        loop = asyncio.get_running_loop()
        if not self._keeps_s or not self._is_started or loop.time() - socket.opened_s > SESSION_LIFE_S:
            socket.abort()
            return
        self._waiting[socket] = loop.call_later(self._keeps_s, self._retire, socket)

    def _latest(self) -> UpstreamSocket | None:
        while self._waiting:
            socket, timer = self._waiting.popitem()
            timer.cancel()
            if socket.is_open and asyncio.get_running_loop().time() - socket.opened_s <= SESSION_LIFE_S:
                return socket
            socket.abort()
        return None

    async def _configured(self, socket: UpstreamSocket, input_settings: Json, within_s: float) -> UpstreamSocket:
        try:
            await socket.configure(input_settings, within_s)
        except BaseException:
            socket.abort()
            raise
        return socket

    def _retire(self, socket: UpstreamSocket) -> None:
        timer = self._waiting.pop(socket, None)
        if timer is not None:
            timer.cancel()
        socket.abort()


class HostedRealtimeStream:
    """One utterance. Audio that comes before the session is ready waits, and `pending_ms` tells how much."""

    def __init__(
        self,
        settings: HostedRealtimeSettings,
        options: TranscriptOptions,
        outcome: Outcome,
        sessions: WaitingSessions,
    ) -> None:
        self._settings = settings
        self._outcome = outcome
        self._sessions = sessions
        self._resampler = StreamResampler(TRANSCRIBER_RATE_HZ, UPSTREAM_RATE_HZ)
        self._waiting = bytearray()  # pcm16le, mono, 24 kHz
        self._sent_bytes = 0
        self._is_finished = False
        self._has_more = asyncio.Event()
        self._limit: asyncio.Timeout | None = None
        input_settings = _input(options, settings)
        self._task = outcome.settle(sessions.work, lambda: self._transcribe(input_settings), "transcribe an utterance")

    @property
    def pending_ms(self) -> float:
        """Audio that was fed and not sent."""
        return duration_ms(len(self._waiting), UPSTREAM_RATE_HZ)

    def feed(self, pcm: bytes) -> None:
        """Send the audio as soon as the session is ready."""
        if not self._outcome.is_over and not self._is_finished:
            self._waiting += self._resampler.process(pcm)
            self._has_more.set()

    def finish(self) -> None:
        """Ask for the transcript, which must come within `final_s`."""
        if self._outcome.is_over or self._is_finished:
            return
        self._waiting += self._resampler.flush()
        self._is_finished = True
        self._has_more.set()
        self._set_limit()

    def abort(self) -> None:
        """Deliver nothing any more, and cut the connection."""
        self._outcome.is_over = True
        self._waiting.clear()
        self._task.cancel()

    def _set_limit(self) -> None:
        if self._limit is not None:
            self._limit.reschedule(asyncio.get_running_loop().time() + self._settings.final_s)

    async def _transcribe(self, input_settings: Json) -> base.Final:
        try:
            socket = await self._sessions.take(input_settings)
            try:
                final = await self._within_limit(socket)
            except BaseException:
                socket.abort()
                raise
            self._sessions.give_back(socket)
            return final
        finally:
            self._waiting.clear()

    async def _within_limit(self, socket: UpstreamSocket) -> base.Final:
        try:
            async with asyncio.timeout(None) as self._limit:
                if self._is_finished:
                    self._set_limit()
                return await self._exchange(socket)
        except TimeoutError:
            raise self._sessions.failures.late("transcript", self._settings.final_s) from None
        finally:
            self._limit = None

    async def _exchange(self, socket: UpstreamSocket) -> base.Final:
        """Send and receive side by side until the transcript is there."""
        try:
            async with asyncio.TaskGroup() as tasks:
                sending = tasks.create_task(self._send(socket), name="send an utterance")
                receiving = tasks.create_task(self._receive(socket), name="receive a transcript")
                final = await receiving
                sending.cancel()
        except ExceptionGroup as group:
            failures, others = group.split(EngineError)
            if failures is None or others is not None:
                raise
            raise _first(failures) from None
        return final

    async def _send(self, socket: UpstreamSocket) -> None:
        while True:
            await self._has_more.wait()
            self._has_more.clear()
            while self._waiting:
                piece = bytes(self._waiting[:MAX_APPEND_BYTES])
                await socket.append(piece)
                del self._waiting[: len(piece)]
                self._sent_bytes += len(piece)
            if self._is_finished:
                break
        await self._commit(socket)

    async def _commit(self, socket: UpstreamSocket) -> None:
        """Commit, with silence added to what would be too short."""
        missing_ms = MIN_COMMIT_MS - duration_ms(self._sent_bytes, UPSTREAM_RATE_HZ)
        if missing_ms > 0:
            await socket.append(bytes(2 * int(missing_ms * UPSTREAM_RATE_HZ / 1000 + 1)))
        await socket.commit()

    async def _receive(self, socket: UpstreamSocket) -> base.Final:
        text = ""
        while True:
            event = await socket.receive()
            if event.type == "conversation.item.input_audio_transcription.delta":
                text += event.delta
                self._outcome.revise(text)
            elif event.type == "conversation.item.input_audio_transcription.completed":
                return base.Final(event.transcript.strip(), usage=usage_of(event.usage))


def _first(group: BaseExceptionGroup[EngineError]) -> EngineError:
    """Return the failure that came first; the others follow from it."""
    error = group.exceptions[0]
    return _first(error) if isinstance(error, BaseExceptionGroup) else error


def _input(options: TranscriptOptions, settings: HostedRealtimeSettings) -> Json:
    remote = settings.remote
    model = remote.chosen(options)
    hints = remote.hints_of(model)
    transcription: Json = {"model": model}
    if options.language:
        transcription["language"] = options.language
    if options.prompt and remote.prompts(model):
        transcription["prompt"] = options.prompt
    if options.languages and "languages" in hints:
        transcription["languages"] = list(options.languages)
    if options.keywords and "keywords" in hints:
        transcription["keywords"] = list(options.keywords)
    if options.delay and "delay" in hints:
        transcription["delay"] = options.delay
    return {
        "format": {"type": "audio/pcm", "rate": UPSTREAM_RATE_HZ},
        "transcription": transcription,
        "turn_detection": None,
    }
