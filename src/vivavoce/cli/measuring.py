"""What `vivavoce doctor` measures of the chosen engines: word errors, real-time factors, and times to the first result.

The sentences are spoken by a synthesizer. Synthesized speech is not human speech: the error rate compares recognisers
on one machine, it does not tell how well they understand a person.
"""

import asyncio
import contextlib
import statistics
import time
from collections.abc import AsyncIterator, Sequence
from typing import Final, Literal

import msgspec

from vivavoce.audio.pcm import duration_ms, rms_dbfs
from vivavoce.audio.resample import resample_file
from vivavoce.cli.checks import CheckFailed
from vivavoce.core.requests import (
    SAMPLE_RATE_HZ,
    ContextMessage,
    GenerationRequest,
    SpeechRequest,
    TranscriptOptions,
)
from vivavoce.engines import base
from vivavoce.testing.wer import content_word_recall, word_error_rate, words_of

# Ours, everyday English, without figures: recognisers write them in different ways.
SENTENCES: Final = (
    "Good morning, my name is Peter and I live near the river.",
    "Could you tell me when the next train to the city leaves?",
    "Please remember to buy bread, butter and a bottle of milk.",
    "The meeting on Monday was moved to the afternoon.",
    "I would like to learn how to play the piano.",
    "What is the weather going to be like this weekend?",
    "My sister left her yellow umbrella in the kitchen.",
    "Thank you for your help, I will call again tomorrow.",
)
QUESTIONS: Final = ("Good morning. Who are you?", "What is seven plus five?", "Can you tell me something nice?")
LOUD_ENOUGH_DBFS: Final = -50.0
STEP_TIMEOUT_S: Final = 60.0
SCRIPTED: Final = "scripted"  # engines that hear and say what a script has; there is no error to count

Stage = Literal["speaks", "understands", "round trip", "answers", "upstream"]


class Figure(msgspec.Struct, frozen=True):
    """One measured value; `unit` is ms, % or times (of real time)."""

    name: str
    value: float
    unit: Literal["ms", "%", "x"]


class Measurement(msgspec.Struct, frozen=True, kw_only=True):
    """What was measured of one stage, or why it was not; `detail` is a sentence."""

    stage: Stage
    engine: str
    state: Literal["measured", "not measured", "failed"]
    detail: str = ""
    figures: tuple[Figure, ...] = ()


class Take(msgspec.Struct, frozen=True):
    """A spoken sentence: pcm16le, mono, 24 kHz, and how long its making took."""

    text: str
    pcm: bytes
    first_audio_s: float
    total_s: float

    @property
    def audio_s(self) -> float:
        return duration_ms(len(self.pcm), SAMPLE_RATE_HZ) / 1000

    def __repr__(self) -> str:
        return f"Take({self.text!r}, {self.audio_s:.1f} s)"


class Heard(msgspec.Struct, frozen=True):
    """What a recogniser made of a take, and how long that took when the audio came at once."""

    take: Take
    text: str
    elapsed_s: float


@contextlib.asynccontextmanager
async def within_limit(what: str) -> AsyncIterator[None]:
    """Bound a step; raises CheckFailed that names what was awaited."""
    try:
        async with asyncio.timeout(STEP_TIMEOUT_S):
            yield
    except TimeoutError as error:
        raise CheckFailed(f"{what} did not come within {STEP_TIMEOUT_S:.0f} s") from error


# Steps ----------------------------------------------------------------------------------------------------------


async def speak(synthesizer: base.Synthesizer, text: str, voice: str) -> Take:
    """Have a sentence spoken. Raises CheckFailed if nothing is audible, or EngineError."""
    began_s = time.perf_counter()
    first_s = 0.0
    pieces: list[bytes] = []
    async with within_limit("the speech"):
        async for chunk in synthesizer.synthesize(SpeechRequest(text, voice)):
            first_s = first_s or time.perf_counter() - began_s
            pieces.append(chunk.pcm)
    take = Take(text, b"".join(pieces), first_s, time.perf_counter() - began_s)
    if rms_dbfs(take.pcm) < LOUD_ENOUGH_DBFS:
        raise CheckFailed(f"the speech has {rms_dbfs(take.pcm):.0f} dBFS, expected {LOUD_ENOUGH_DBFS:.0f} or more")
    return take


async def recognise(transcriber: base.Transcriber, take: Take) -> Heard:
    """Have a take recognised, its audio given at once. Raises EngineError or CheckFailed."""
    result: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    def deliver(outcome: base.Partial | base.Final | base.EngineError) -> None:
        if isinstance(outcome, base.Final) and not result.done():
            result.set_result(outcome.text)
        elif isinstance(outcome, base.EngineError) and not result.done():
            result.set_exception(outcome)

    speech = resample_file(take.pcm, SAMPLE_RATE_HZ, base.TRANSCRIBER_RATE_HZ)
    began_s = time.perf_counter()
    stream = transcriber.open(TranscriptOptions(), deliver)
    stream.feed(speech)
    stream.finish()
    try:
        async with within_limit("the transcript"):
            return Heard(take, await result, time.perf_counter() - began_s)
    finally:
        if not result.done():
            stream.abort()


async def first_text_s(generator: base.Generator, instructions: str, question: str) -> float:
    """Return the seconds until the first words of an answer. Raises EngineError, or CheckFailed if there are none."""
    request = GenerationRequest(instructions, (ContextMessage("user", question),))
    began_s = time.perf_counter()
    first_s: float | None = None
    async with within_limit("the answer"):
        async for event in generator.generate(request):
            if first_s is None and isinstance(event, base.TextDelta) and event.text.strip():
                first_s = time.perf_counter() - began_s
    if first_s is None:
        raise CheckFailed(f"no words came in answer to {question!r}")
    return first_s


# Figures --------------------------------------------------------------------------------------------------------


def speech_figures(takes: Sequence[Take]) -> tuple[Figure, ...]:
    """Return the figures of a synthesizer."""
    audio_s = sum(take.audio_s for take in takes)
    return (
        Figure("real-time factor", round(sum(take.total_s for take in takes) / audio_s, 3), "x"),
        _median("first audio, median", [take.first_audio_s for take in takes]),
        _slowest("first audio, slowest", [take.first_audio_s for take in takes]),
    )


def recognition_figures(heard: Sequence[Heard], engine: str) -> tuple[Figure, ...]:
    """Return the figures of a recogniser; one that follows a script has no error rate."""
    audio_s = sum(one.take.audio_s for one in heard)
    times = (
        Figure("real-time factor", round(sum(one.elapsed_s for one in heard) / audio_s, 3), "x"),
        _median("sentence to text, median", [one.elapsed_s for one in heard]),
    )
    if engine == SCRIPTED:
        return times
    words = sum(len(words_of(one.take.text)) for one in heard)
    errors = sum(word_error_rate(one.take.text, one.text) * len(words_of(one.take.text)) for one in heard)
    recall = statistics.fmean(content_word_recall(one.take.text, one.text) for one in heard)
    return (
        Figure("word error rate", round(100 * errors / words, 1), "%"),
        Figure("content words heard", round(100 * recall, 1), "%"),
        *times,
    )


def round_trip_figures(heard: Sequence[Heard]) -> tuple[Figure, ...]:
    """Return how long text takes to speech and back to text."""
    times_s = [one.take.total_s + one.elapsed_s for one in heard]
    return (_median("text to speech to text, median", times_s), _slowest("text to speech to text, slowest", times_s))


def answer_figures(times_s: Sequence[float]) -> tuple[Figure, ...]:
    """Return the figures of a generator; the first question may find a model that is not loaded."""
    return (_median("first words, median", times_s), _slowest("first words, slowest", times_s))


def _median(name: str, times_s: Sequence[float]) -> Figure:
    return Figure(name, round(1000 * statistics.median(times_s), 1), "ms")


def _slowest(name: str, times_s: Sequence[float]) -> Figure:
    return Figure(name, round(1000 * max(times_s), 1), "ms")
