"""Speaks the segments of one response, one after the other, at the pace that the outbox takes."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from vivavoce.audio.g711 import encode_alaw, encode_mulaw
from vivavoce.audio.pcm import SAMPLE_BYTES
from vivavoce.audio.resample import StreamResampler
from vivavoce.core.requests import SAMPLE_RATE_HZ, AudioEncoding, Word
from vivavoce.core.vocabulary import (
    Input,
    Speak,
    SpeechSynthesized,
    SynthesisFailed,
    SynthesisFinished,
)
from vivavoce.engines.base import EngineError, Synthesizer
from vivavoce.runtime.faults import closing, fault_of, is_cancelled
from vivavoce.runtime.priority import Precedence

G711_RATE_HZ: Final = 8_000
FIRST_PIECE_BYTES: Final = 960  # 20 ms: what the synthesizer gives first goes out at once
PIECE_BYTES: Final = 9_600  # 200 ms of pcm16 at 24 kHz
_ENCODERS: Final = {AudioEncoding.PCMU: encode_mulaw, AudioEncoding.PCMA: encode_alaw}


class SpeechEncoder:
    """Turns pcm16 at 24 kHz into a wire encoding, continuously over a segment."""

    def __init__(self, encoding: AudioEncoding) -> None:
        self._encode = _ENCODERS.get(encoding)
        self._resampler = StreamResampler(SAMPLE_RATE_HZ, G711_RATE_HZ) if self._encode else None
        self.samples_per_byte = 3.0 if self._encode else 0.5

    def encode(self, pcm: bytes) -> bytes:
        """Return the audio in the wire encoding; G.711 may lag by the resampler's delay."""
        if self._encode is None or self._resampler is None:
            return pcm
        return self._encode(self._resampler.process(pcm))

    def flush(self) -> bytes:
        """Return what the resampler withholds; speech that follows begins afresh."""
        if self._encode is None or self._resampler is None:
            return b""
        return self._encode(self._resampler.flush())


class ResponseVoice:
    """The queue of segments of one response. Its task ends when it is cancelled."""

    def __init__(
        self,
        synthesizer: Synthesizer,
        post: Callable[[Input], None],
        writable: Callable[[], Awaitable[None]],
        encoding: AudioEncoding,
        yields_to: Precedence | None = None,
    ) -> None:
        """Make the voice of a response.

        Args:
            yields_to: what goes before each piece of speech of a response in the background; None: nothing.
        """
        self._yields_to = yields_to
        self._synthesizer = synthesizer
        self._post = post
        self._writable = writable
        self._encoder = SpeechEncoder(encoding)
        self._segments: asyncio.Queue[Speak] = asyncio.Queue()
        self._is_first_piece = True

    def speak(self, segment: Speak) -> None:
        self._segments.put_nowait(segment)

    async def run(self) -> None:
        """Speak segments as they come."""
        while True:
            segment = await self._segments.get()
            try:
                await self._speak_in_turn(segment)
            except EngineError as error:
                self._fail(segment, error)
                return
            except asyncio.CancelledError as error:
                if is_cancelled():
                    raise
                self._fail(segment, error)  # the engine's own work was cancelled
                return
            except Exception as error:  # the engine broke its contract; the trace is kept, the session goes on
                self._fail(segment, error)
                raise
            self._post(SynthesisFinished(segment.response_id, segment.segment))

    def _fail(self, segment: Speak, error: BaseException) -> None:
        fault = fault_of(error, self._synthesizer)
        self._post(SynthesisFailed(segment.response_id, segment.segment, fault))

    async def _speak_in_turn(self, segment: Speak) -> None:
        if self._yields_to is None:
            await self._speak(segment)
            return
        async with self._yields_to.background:
            await self._yields_to.wait()
            await self._speak(segment)

    async def _speak(self, segment: Speak) -> None:
        pending = bytearray()
        words: list[Word] = []
        async with closing(self._synthesizer.synthesize(segment.speech)) as chunks:
            async for chunk in chunks:
                pending += chunk.pcm
                words += chunk.words
                if self._yields_to is not None:
                    await self._yields_to.wait()
                while len(pending) >= (FIRST_PIECE_BYTES if self._is_first_piece else PIECE_BYTES):
                    await self._play(segment, self._encoder.encode(_next_piece(pending)), words)
        while len(pending) >= SAMPLE_BYTES:  # half a sample at the end is none
            await self._play(segment, self._encoder.encode(_next_piece(pending)), words)
        await self._play(segment, self._encoder.flush(), words)

    async def _play(self, segment: Speak, audio: bytes, words: list[Word]) -> None:
        if not audio:
            return
        self._is_first_piece = False
        await self._writable()
        samples = int(len(audio) * self._encoder.samples_per_byte)
        self._post(SpeechSynthesized(segment.response_id, segment.segment, audio, samples, tuple(words)))
        words.clear()


def _next_piece(pending: bytearray) -> bytes:
    """Take the next piece of whole samples out of what was synthesized."""
    size = min(len(pending), PIECE_BYTES)
    size -= size % SAMPLE_BYTES
    piece = bytes(pending[:size])
    del pending[:size]
    return piece
