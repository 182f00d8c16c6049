"""What every engine behind an interface must do, as checks that raise AssertionError with a sentence.

Each check starts and closes engines of its own from the factory it is given.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final

import msgspec

from vivavoce.core.requests import SpeechRequest, Word
from vivavoce.engines.base import SPEECH_RATE_HZ, EngineError, SpeechChunk, Synthesizer

DEADLINE_S: Final = 60  # for one step of a check, on a machine that does other things as well
SENTENCE: Final = "The quick brown fox jumps over the lazy dog, and then it rests."
STREAMS: Final = 8
LONG_TEXT_CHARACTERS: Final = 5_000

SynthesizerFactory = Callable[[], Synthesizer]


class Speech(msgspec.Struct, frozen=True):
    """All that a synthesizer delivered for one request."""

    chunks: tuple[SpeechChunk, ...]

    @property
    def pcm(self) -> bytes:
        return b"".join(chunk.pcm for chunk in self.chunks)

    @property
    def words(self) -> tuple[Word, ...]:
        return tuple(word for chunk in self.chunks for word in chunk.words)

    @property
    def duration_ms(self) -> float:
        return len(self.pcm) / 2 * 1000 / SPEECH_RATE_HZ


async def speak(synthesizer: Synthesizer, text: str, voice: str | None = None, speed: float = 1.0) -> Speech:
    """Return the whole speech of a text; the voice is the engine's first if None is given."""
    request = SpeechRequest(text, _voice_of(synthesizer) if voice is None else voice, speed)
    async with asyncio.timeout(DEADLINE_S):
        return Speech(tuple([chunk async for chunk in synthesizer.synthesize(request)]))


async def check_synthesizer(factory: SynthesizerFactory) -> None:
    """Check all that is common to synthesizers; about 20 requests, one of 5000 characters."""
    async with _started(factory) as synthesizer:
        check_speech(await speak(synthesizer, SENTENCE), SENTENCE, synthesizer)
        await _check_no_text(synthesizer)
        await _check_streams_at_once(synthesizer)
        await _check_cancelling(synthesizer)
        await _check_long_text(synthesizer)
        await _check_unknown_voice(synthesizer)
    await _check_closed(factory)


def check_speech(speech: Speech, text: str, synthesizer: Synthesizer) -> None:
    """Check one speech: whole samples, and words in order within the audio, each with the chunk in which it starts."""
    assert speech.chunks, f"{text[:40]!r} was not spoken"
    assert all(chunk.pcm for chunk in speech.chunks), "a chunk has no audio"
    assert all(len(chunk.pcm) % 2 == 0 for chunk in speech.chunks), "a chunk ends within a sample"
    if synthesizer.capabilities.has_word_times:
        _check_words(speech, text)


def _check_words(speech: Speech, text: str) -> None:
    assert [word.text for word in speech.words] == text.split(), "the words are not those of the text, each once"
    times = [time for word in speech.words for time in (word.start_ms, word.end_ms)]
    assert times == sorted(times), "the words overlap or are out of order"
    assert 0 <= times[0], "a word starts before the audio"
    assert times[-1] <= speech.duration_ms, "a word ends after the audio"
    begin_ms = 0.0
    for chunk in speech.chunks:
        end_ms = begin_ms + len(chunk.pcm) / 2 * 1000 / SPEECH_RATE_HZ
        for word in chunk.words:
            assert begin_ms - 1 <= word.start_ms <= end_ms, f"{word.text!r} does not start in the chunk it came with"
        begin_ms = end_ms


async def _check_no_text(synthesizer: Synthesizer) -> None:
    for text in ("", " ", "\n\t"):
        speech = await speak(synthesizer, text)
        assert not speech.chunks, f"{text!r} was spoken, though there is nothing to speak"


async def _check_streams_at_once(synthesizer: Synthesizer) -> None:
    texts = [f"Number {n} of several, each with words of its own." for n in range(STREAMS)]
    speeches = await asyncio.gather(*(speak(synthesizer, text) for text in texts))
    for text, speech in zip(texts, speeches, strict=True):
        check_speech(speech, text, synthesizer)


async def _check_cancelling(synthesizer: Synthesizer) -> None:
    """Whoever cancels in the middle leaves nothing behind that would keep others from being served."""
    long_text = " ".join([SENTENCE] * 20)
    consumers = [_Consumer(synthesizer, long_text) for _ in range(STREAMS)]
    async with asyncio.timeout(DEADLINE_S), asyncio.TaskGroup() as group:
        tasks = [group.create_task(consumer.run()) for consumer in consumers]
        await asyncio.gather(*(consumer.has_first.wait() for consumer in consumers))
        for task in tasks:
            task.cancel()
    check_speech(await speak(synthesizer, SENTENCE), SENTENCE, synthesizer)


class _Consumer:
    """Takes speech until it is cancelled."""

    def __init__(self, synthesizer: Synthesizer, text: str) -> None:
        self.has_first = asyncio.Event()
        self._synthesizer = synthesizer
        self._text = text

    async def run(self) -> None:
        request = SpeechRequest(self._text, _voice_of(self._synthesizer))
        async for _ in self._synthesizer.synthesize(request):
            self.has_first.set()
        await asyncio.Event().wait()


async def _check_long_text(synthesizer: Synthesizer) -> None:
    text = (SENTENCE + " ") * (LONG_TEXT_CHARACTERS // len(SENTENCE) + 1)
    text = text[:LONG_TEXT_CHARACTERS].rsplit(" ", 1)[0]
    check_speech(await speak(synthesizer, text), text, synthesizer)


async def _check_unknown_voice(synthesizer: Synthesizer) -> None:
    if synthesizer.capabilities.voices:
        await _check_refused(synthesizer, SpeechRequest(SENTENCE, "nobody's voice"), "an unknown voice was accepted")


async def _check_closed(factory: SynthesizerFactory) -> None:
    synthesizer = factory()
    await synthesizer.start()
    await synthesizer.close()
    await synthesizer.close()


async def _check_refused(synthesizer: Synthesizer, request: SpeechRequest, message: str) -> None:
    try:
        async for _ in synthesizer.synthesize(request):
            raise AssertionError(message)
    except EngineError:
        return
    raise AssertionError(message)


@asynccontextmanager
async def _started(factory: SynthesizerFactory) -> AsyncIterator[Synthesizer]:
    synthesizer = factory()
    async with asyncio.timeout(DEADLINE_S):
        await synthesizer.start()
    try:
        yield synthesizer
    finally:
        async with asyncio.timeout(DEADLINE_S):
            await synthesizer.close()


def _voice_of(synthesizer: Synthesizer) -> str:
    return next(iter(synthesizer.capabilities.voices), "alloy")
