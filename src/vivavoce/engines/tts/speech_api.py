"""Speech from any server with the `/audio/speech` API, passed on while it is being made.

Follows the reference of that API (create speech). Raw `pcm` is pcm16le, mono, 24 kHz there; compatible servers that
speak at another rate are told apart by `rate_hz`, or give WAV, which names its rate.
"""

import re
import ssl
from collections.abc import AsyncIterator, Iterator
from typing import Any, Final, Literal

import msgspec

from vivavoce.core.requests import SpeechRequest
from vivavoce.engines.base import SPEECH_RATE_HZ, Capabilities, EngineError, SpeechChunk
from vivavoce.engines.compatible.client import Ask, CompatibleClient, json_body
from vivavoce.engines.compatible.settings import CompatibleServer
from vivavoce.engines.compatible.speech_body import AudioError, SpeechBody

Json = dict[str, Any]  # JSON boundary: parts of requests

ANY_VOICE: Final = "*"
MAX_SPEECH_BYTES: Final = 2 * SPEECH_RATE_HZ * 60 * 15  # 15 minutes; 4096 characters take about five
RAW_TYPES: Final = frozenset({"", "audio/pcm", "audio/x-pcm", "audio/raw", "application/octet-stream"})
WAV_TYPES: Final = frozenset({"audio/wav", "audio/x-wav", "audio/wave", "audio/vnd.wave"})
_SENTENCE_END: Final = re.compile(r"[.?!]\s")


class SpeechSettings(msgspec.Struct, frozen=True):
    """Which model speaks, with which voices.

    `voices` maps the names that sessions use to those of the server; `*` is for all others. Without any, names are
    passed on as they are. `extra` goes into every request as it is.
    """

    server: CompatibleServer
    model: str
    name: str = "speech"
    voices: tuple[tuple[str, str], ...] = ()
    format: Literal["pcm", "wav"] = "pcm"
    rate_hz: int = SPEECH_RATE_HZ  # of raw audio whose content type names none
    takes_speed: bool = True
    max_characters: int = 4096  # of one request; the hosted API takes no more
    extra: Json = {}


class SpeechSynthesizer:
    """Speaks with a model behind `/audio/speech`."""

    def __init__(self, settings: SpeechSettings, tls: ssl.SSLContext | None = None) -> None:
        self._settings = settings
        self._voices = dict(settings.voices)
        self._client = CompatibleClient(settings.name, settings.server, tls)

    @property
    def capabilities(self) -> Capabilities:
        settings = self._settings
        return Capabilities(
            name=settings.name,
            is_streaming=True,
            ignores=() if settings.takes_speed else ("audio.output.speed",),
            voices=() if ANY_VOICE in self._voices else tuple(self._voices),
            note=f"Speech is made by {settings.model} at {settings.server.place}.",
        )

    async def start(self) -> None:
        """Prepare connections. Raises EngineError where `checks_models` is set and the server does not answer."""
        await self._client.start()

    async def close(self) -> None:
        """Close all connections."""
        await self._client.close()

    async def synthesize(self, request: SpeechRequest) -> AsyncIterator[SpeechChunk]:
        """Yield audio as it comes; a text that is too long for one request takes several. Raises EngineError."""
        voice = self._voice(request.voice)
        for text in pieces(request.text, self._settings.max_characters):
            body = json_body(self._body(request, text, voice))
            spoken_bytes = 0
            async with self._client.ask(Ask("/audio/speech", body, accept="*/*")) as reply:
                self._check(reply.content_type)
                audio = SpeechBody(reply.parameters, self._settings.rate_hz)
                while part := await reply.part():
                    reply.progress()
                    if pcm := self._fed(audio, part):
                        spoken_bytes = self._counted(spoken_bytes + len(pcm))
                        yield SpeechChunk(pcm)
                if pcm := audio.finish():
                    yield SpeechChunk(pcm)
                if not spoken_bytes:
                    raise self._client.failures.broken("the answer has no audio")

    def _voice(self, name: str) -> str:
        voice = self._voices.get(name) or self._voices.get(ANY_VOICE) or ("" if self._voices else name)
        if not voice:
            raise EngineError(self._settings.name, f"no voice is configured for {name!r}", code="server_error")
        return voice

    def _body(self, request: SpeechRequest, text: str, voice: str) -> Json:
        settings = self._settings
        body: Json = {"model": settings.model, "input": text, "voice": voice, "response_format": settings.format}
        if settings.takes_speed and request.speed != 1.0:
            body["speed"] = request.speed
        return body | settings.extra

    def _check(self, content_type: str) -> None:
        if content_type not in RAW_TYPES | WAV_TYPES:
            what = content_type[:40] if content_type.isascii() and content_type.isprintable() else "another type"
            raise self._client.failures.broken(f"expected raw audio or WAV, got {what}")

    def _fed(self, audio: SpeechBody, part: bytes) -> bytes:
        try:
            return audio.feed(part)
        except AudioError as error:
            raise self._client.failures.broken(str(error)) from error

    def _counted(self, spoken_bytes: int) -> int:
        if spoken_bytes > MAX_SPEECH_BYTES:
            raise self._client.failures.broken("the speech does not end")
        return spoken_bytes


def pieces(text: str, most_characters: int) -> Iterator[str]:
    """Yield the text in pieces of so many characters at most, cut after a sentence or between words if it can be."""
    rest = text.strip()
    while rest:
        size = len(rest) if len(rest) <= most_characters else _cut(rest[: most_characters + 1])
        yield rest[:size].rstrip()
        rest = rest[size:].lstrip()


def _cut(text: str) -> int:
    """Return where to cut before the last character: after the last sentence that fills a half, else after a word."""
    sentence = max((found.end() for found in _SENTENCE_END.finditer(text)), default=0)
    if sentence > len(text) // 2:
        return sentence
    space = text.rfind(" ")
    return space if space > 0 else len(text) - 1
