"""Transcripts from any server with the `/audio/transcriptions` API: the utterance is sent when it has ended.

Follows the reference of that API (create transcription, with its streamed events). Lists go into the form as the
official client writes them, `keywords[]`.
"""

import asyncio
import io
import secrets
import ssl
from collections.abc import Iterable
from typing import Any, Final

import msgspec

from vivavoce.audio.pcm import bytes_for_ms
from vivavoce.audio.wav import write_wav
from vivavoce.core.requests import TranscriptOptions, Word
from vivavoce.engines import base
from vivavoce.engines.base import TRANSCRIBER_RATE_HZ, Capabilities, EngineError
from vivavoce.engines.compatible.client import DONE, JSON, Ask, CompatibleClient
from vivavoce.engines.compatible.failures import Failures
from vivavoce.engines.compatible.settings import CompatibleServer
from vivavoce.engines.compatible.work import Work
from vivavoce.engines.stt.remote_models import Hint, RemoteModels
from vivavoce.engines.stt.usage import usage_of
from vivavoce.engines.stt.utterance import Deliver, Outcome
from vivavoce.protocol.server_events import DurationUsage, TokensUsage

MIN_UTTERANCE_MS: Final = 100  # the hosted API rejects shorter files
_DELTA: Final = "transcript.text.delta"
_DONE_EVENT: Final = "transcript.text.done"


class TranscriptionsSettings(msgspec.Struct, frozen=True):
    """Which model hears; `models` as in `RemoteModels`. `extra` are further fields of the form."""

    server: CompatibleServer
    model: str
    name: str = "transcriptions"
    models: tuple[tuple[str, str], ...] = ()
    streams: bool = True  # ask for the transcript while it is being written
    has_word_times: bool = False  # ask for `verbose_json` with words; such an answer is not streamed
    takes_prompt: bool = True
    hints: tuple[Hint, ...] = ()  # what the model takes besides language and prompt
    max_utterance_s: float = 600.0  # 19 MB; the hosted API takes 25 MB
    extra: tuple[tuple[str, str], ...] = ()

    @property
    def remote(self) -> RemoteModels:
        """Return the models to choose from."""
        return RemoteModels(self.model, self.models, self.takes_prompt, self.hints)


class TranscriptionsTranscriber:
    """Hears with a model behind `/audio/transcriptions`."""

    def __init__(self, settings: TranscriptionsSettings, tls: ssl.SSLContext | None = None) -> None:
        self._settings = settings
        self._client = CompatibleClient(settings.name, settings.server, tls)
        self._work = Work()

    @property
    def capabilities(self) -> Capabilities:
        settings = self._settings
        return Capabilities(
            name=settings.name,
            has_word_times=settings.has_word_times,
            hints=settings.remote.common_hints,
            models=settings.remote.names,
            ignores=settings.remote.ignores,
            note=f"Speech is transcribed by {settings.model} at {settings.server.place}, after it has ended.",
        )

    async def start(self) -> None:
        """Prepare connections. Raises EngineError where `checks_models` is set and the server does not answer."""
        await self._client.start()

    async def close(self) -> None:
        """Fail what is under way and close all connections."""
        await self._work.close()
        await self._client.close()

    def open(self, options: TranscriptOptions, deliver: Deliver) -> "TranscriptionsStream":
        """Start an utterance. Must be called on a running event loop."""
        outcome = Outcome(self._settings.name, deliver)
        return TranscriptionsStream(self._settings, options, outcome, self._client, self._work)


class TranscriptionsStream:
    """One utterance, kept until it ends."""

    def __init__(
        self,
        settings: TranscriptionsSettings,
        options: TranscriptOptions,
        outcome: Outcome,
        client: CompatibleClient,
        work: Work,
    ) -> None:
        self._settings = settings
        self._options = options
        self._outcome = outcome
        self._client = client
        self._work = work
        self._pcm = bytearray()
        self._task: asyncio.Task[None] | None = None

    @property
    def pending_ms(self) -> float:
        """Nothing waits to be decoded: audio is kept on purpose until the utterance ends."""
        return 0.0

    def feed(self, pcm: bytes) -> None:
        """Keep the audio; more than `max_utterance_s` of it is a failure."""
        if self._outcome.is_over or self._task is not None:
            return
        self._pcm += pcm
        if len(self._pcm) > bytes_for_ms(self._settings.max_utterance_s * 1000, TRANSCRIBER_RATE_HZ):
            self._pcm.clear()
            message = f"the utterance is longer than {self._settings.max_utterance_s:g} s"
            self._outcome.end(EngineError(self._settings.name, message, code="server_error"))

    def finish(self) -> None:
        """Send the audio; the transcript is delivered when it comes."""
        if self._outcome.is_over or self._task is not None:
            return
        pcm = bytes(self._pcm)
        self._pcm.clear()
        self._task = self._outcome.settle(self._work, lambda: self._transcribe(pcm), "transcribe an utterance")

    def abort(self) -> None:
        """Deliver nothing any more, and close the connection."""
        self._outcome.is_over = True
        self._pcm.clear()
        if self._task is not None:
            self._task.cancel()

    async def _transcribe(self, pcm: bytes) -> base.Final:
        if len(pcm) < bytes_for_ms(MIN_UTTERANCE_MS, TRANSCRIBER_RATE_HZ):
            return base.Final("")
        content_type, body = form(_fields(self._options, self._settings), pcm)
        transcript = Transcript(self._client.failures)
        async with self._client.ask(Ask("/audio/transcriptions", body, content_type)) as reply:
            while not transcript.is_over and (events := await reply.events()):
                for event in events:
                    if transcript.take(event.data, is_whole=reply.content_type == JSON):
                        self._outcome.revise(transcript.text)
            if transcript.is_over:
                self._outcome.end(transcript.final())  # what follows only frees the connection
            await reply.rest()
        return transcript.final()


# The answer ---------------------------------------------------------------------------------------------------


class _Word(msgspec.Struct):
    word: str
    start: float
    end: float


class _Event(msgspec.Struct):
    """An event of the stream, or a whole transcript."""

    type: str = ""
    delta: str = ""
    text: str | None = None
    words: list[_Word] | None = None
    usage: Any = None  # JSON boundary: usage objects differ by server
    error: Any = None  # JSON boundary: error objects differ by server


_decode_event = msgspec.json.Decoder(_Event).decode


class Transcript:
    """The transcript as it comes. Does no I/O."""

    def __init__(self, failures: Failures) -> None:
        self.is_over = False
        self.text = ""
        self._words: tuple[Word, ...] = ()
        self._usage: TokensUsage | DurationUsage | None = None
        self._failures = failures

    def take(self, data: bytes, is_whole: bool) -> bool:
        """Take an event, or the whole answer; return whether the transcript goes on. Raises EngineError."""
        if data == DONE:
            return False
        try:
            event = _decode_event(data)
        except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
            raise self._failures.broken("the answer is not in the form of transcriptions") from error
        if event.error or event.type == "error":
            raise self._failures.reported(event.error)
        if event.type == _DELTA:
            self.text += event.delta
            return bool(event.delta)
        if is_whole or event.type == _DONE_EVENT or (not event.type and event.text is not None):
            self._end(event)
        return False

    def final(self) -> base.Final:
        """Return the transcript. Raises EngineError if the answer ended before it."""
        if not self.is_over:
            raise self._failures.unreachable("the answer ended in the middle")
        return base.Final(self.text.strip(), self._words, usage=self._usage)

    def _end(self, event: _Event) -> None:
        if event.text is None:
            raise self._failures.broken("the answer has no text")
        self.is_over, self.text = True, event.text
        self._usage = usage_of(event.usage)
        self._words = tuple(
            Word(word.word.strip(), round(word.start * 1000), round(word.end * 1000)) for word in event.words or ()
        )


# The request --------------------------------------------------------------------------------------------------


def _fields(options: TranscriptOptions, settings: TranscriptionsSettings) -> list[tuple[str, str]]:
    remote = settings.remote
    model = remote.chosen(options)
    hints = remote.hints_of(model)
    fields = [("model", model)]
    if settings.has_word_times:
        fields += [("response_format", "verbose_json"), ("timestamp_granularities[]", "word")]
    else:
        fields.append(("response_format", "json"))
        fields += [("stream", "true")] if settings.streams else []
    if options.language:
        fields.append(("language", options.language))
    if options.prompt and remote.prompts(model):
        fields.append(("prompt", options.prompt))
    if "languages" in hints:
        fields += [("languages[]", language) for language in options.languages]
    if "keywords" in hints:
        fields += [("keywords[]", keyword) for keyword in options.keywords]
    return [*fields, *settings.extra]


def form(fields: Iterable[tuple[str, str]], pcm: bytes) -> tuple[str, bytes]:
    """Return content type and body of a form with these fields and a WAV file; pcm16le, mono, 16 kHz.

    Follows RFC 7578.
    """
    boundary = secrets.token_hex(16)
    body = io.BytesIO()
    for name, value in fields:
        body.write(f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode())
    disposition = 'Content-Disposition: form-data; name="file"; filename="utterance.wav"'
    body.write(f"--{boundary}\r\n{disposition}\r\nContent-Type: audio/wav\r\n\r\n".encode())
    wav = io.BytesIO()
    write_wav(wav, pcm, TRANSCRIBER_RATE_HZ)
    body.write(wav.getvalue() + f"\r\n--{boundary}--\r\n".encode())
    return f"multipart/form-data; boundary={boundary}", body.getvalue()
