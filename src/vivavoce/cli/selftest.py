"""The engines' part of `vivavoce doctor`: synthesise, detect, recognise, answer; each step uses the one before."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Final

from vivavoce.audio.pcm import duration_ms, rms_dbfs
from vivavoce.audio.resample import resample_file
from vivavoce.cli.checks import Body, CheckFailed
from vivavoce.cli.conversation import Conversation
from vivavoce.cli.peers import Json, LoopbackPeer, Peer
from vivavoce.cli.spoken import speak_at_full_speed
from vivavoce.config.model import Configuration
from vivavoce.core.requests import SAMPLE_RATE_HZ, SpeechRequest, TranscriptOptions
from vivavoce.engines import base
from vivavoce.runtime.performers import EngineSet
from vivavoce.runtime.sink import SessionRequest
from vivavoce.testing.conformance import OrderChecker
from vivavoce.testing.wer import content_word_recall
from vivavoce.transports.loopback import LoopbackClient
from vivavoce.wiring import Pipelines, build_registry, engines_of

SENTENCE: Final = "Hello, my name is Peter."
LOUD_ENOUGH_DBFS: Final = -50.0
SPEECH_PROBABILITY: Final = 0.5
MIN_RECALL: Final = 0.5  # of the content words: the embedded recogniser is demo-grade
STEP_TIMEOUT_S: Final = 60.0


class EngineTest:
    """Tests the default pipeline; the steps run in order."""

    def __init__(self, configuration: Configuration, pipelines: Pipelines) -> None:
        self._configuration = configuration
        self._pipelines = pipelines
        self._engines: EngineSet = pipelines.sets[configuration.engines.default]
        self._speech = b""  # pcm16le, mono, 24 kHz

    def steps(self) -> Iterator[tuple[str, Body]]:
        """Yield the name and the body of each check."""
        yield "engines start", self._start
        yield "synthesise", self._synthesise
        yield "detect", self._detect
        yield "recognise", self._recognise
        yield "answer", self._answer

    async def _start(self) -> str:
        async with asyncio.timeout(STEP_TIMEOUT_S):
            await self._pipelines.start_default()
        return ", ".join(engine.capabilities.name for engine in engines_of(self._engines))

    async def _synthesise(self) -> str:
        voice = self._configuration.session.voice
        async with asyncio.timeout(STEP_TIMEOUT_S):
            chunks = [chunk.pcm async for chunk in self._engines.synthesizer.synthesize(SpeechRequest(SENTENCE, voice))]
        self._speech = b"".join(chunks)
        level_dbfs = rms_dbfs(self._speech)
        if level_dbfs < LOUD_ENOUGH_DBFS:
            raise CheckFailed(f"the speech has {level_dbfs:.0f} dBFS, expected {LOUD_ENOUGH_DBFS:.0f} or more")
        return f"{duration_ms(len(self._speech), SAMPLE_RATE_HZ) / 1000:.1f} s of speech at {level_dbfs:.0f} dBFS"

    async def _detect(self) -> str:
        scores: list[float] = []
        speech = resample_file(self._speech, SAMPLE_RATE_HZ, base.DETECTOR_RATE_HZ)
        windows = len(speech) // (2 * base.DETECTOR_WINDOW_SAMPLES)
        scored = asyncio.Event()

        def deliver(probabilities: Sequence[float]) -> None:
            scores.extend(probabilities)
            if len(scores) >= windows:
                scored.set()

        stream = self._engines.detector.open(deliver)
        stream.feed(speech)
        async with asyncio.timeout(STEP_TIMEOUT_S):
            await scored.wait()
        stream.close()
        share = sum(score >= SPEECH_PROBABILITY for score in scores) / len(scores)
        if share < SPEECH_PROBABILITY:
            raise CheckFailed(f"{share:.0%} of the speech was detected as speech, expected at least half")
        return f"{share:.0%} of {len(scores)} windows are speech"

    async def _recognise(self) -> str:
        text = await self._transcribe(self._speech)
        if self._engines.transcriber.capabilities.name == "scripted":
            return f"scripted: {text!r}"
        recall = content_word_recall(SENTENCE, text)
        if recall < MIN_RECALL:
            raise CheckFailed(f"recognised {text!r} where {SENTENCE!r} was said")
        return f"{text!r}, {recall:.0%} of the content words"

    async def _transcribe(self, speech: bytes) -> str:
        result: asyncio.Future[str] = asyncio.get_running_loop().create_future()

        def deliver(outcome: base.Partial | base.Final | base.EngineError) -> None:
            if isinstance(outcome, base.Final) and not result.done():
                result.set_result(outcome.text)
            elif isinstance(outcome, base.EngineError) and not result.done():
                result.set_exception(outcome)

        stream = self._engines.transcriber.open(TranscriptOptions(), deliver)
        stream.feed(resample_file(speech, SAMPLE_RATE_HZ, base.TRANSCRIBER_RATE_HZ))
        stream.finish()
        async with asyncio.timeout(STEP_TIMEOUT_S):
            return await result

    async def _answer(self) -> str:
        """A whole session: the speech goes in, a spoken answer comes out, in a legal order of events."""
        lines: list[str] = []
        registry = build_registry(self._configuration, self._pipelines)
        async with LoopbackClient(registry, SessionRequest("doctor")) as client:
            peer = CheckedPeer(LoopbackPeer(client))
            conversation = Conversation(peer, lines.append, lines.append)
            async with asyncio.timeout(STEP_TIMEOUT_S), conversation.listening():
                await conversation.configure({"audio": {"input": {"transcription": {"model": "whisper-1"}}}})
                await speak_at_full_speed(conversation, self._speech)
        if violations := peer.checker.finish():
            raise CheckFailed(str(violations[0]))
        if rms_dbfs(conversation.tracks.assistant()) < LOUD_ENOUGH_DBFS - 10 or not lines:
            raise CheckFailed(f"no spoken answer came; shown was {lines}")
        return " / ".join(lines)


class CheckedPeer:
    """A session whose events are checked on the way."""

    def __init__(self, peer: Peer) -> None:
        self.checker = OrderChecker()
        self._peer = peer

    async def send(self, event: Json) -> None:
        """See Peer."""
        self.checker.client(event)
        await self._peer.send(event)

    async def settled(self) -> None:
        """See Peer."""
        await self._peer.settled()

    async def events(self) -> AsyncIterator[Json]:
        """See Peer."""
        async for event in self._peer.events():
            self.checker.server(event)
            yield event
