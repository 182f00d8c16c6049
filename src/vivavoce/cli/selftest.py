"""The engines' part of `vivavoce doctor`: speak, detect, recognise, answer; each step uses the one before.

What must not be asked, as a question may cost money, is only reached for: a connection costs nothing.
"""

import asyncio
import contextlib
import statistics
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from typing import Final

from vivavoce.audio.pcm import rms_dbfs
from vivavoce.audio.resample import resample_file
from vivavoce.cli import measuring
from vivavoce.cli.checks import Body, CheckFailed
from vivavoce.cli.conversation import Conversation
from vivavoce.cli.elsewhere import Place, reach, unmeasured
from vivavoce.cli.measuring import LOUD_ENOUGH_DBFS, QUESTIONS, SENTENCES, STEP_TIMEOUT_S, Heard, Measurement, Take
from vivavoce.cli.peers import Json, LoopbackPeer, Peer
from vivavoce.cli.spoken import speak_at_full_speed
from vivavoce.config.model import Configuration
from vivavoce.core.requests import SAMPLE_RATE_HZ
from vivavoce.engines import base
from vivavoce.runtime.performers import EngineSet
from vivavoce.runtime.sink import SessionRequest
from vivavoce.testing.conformance import OrderChecker
from vivavoce.testing.wer import content_word_recall
from vivavoce.transports.loopback import LoopbackClient
from vivavoce.wiring import Pipelines, build_engines, build_registry, engines_of

SPEECH_PROBABILITY: Final = 0.5
MIN_RECALL: Final = 0.5  # of the content words: the embedded recogniser is demo-grade


class EngineTest:
    """Tests and measures the default pipeline; the steps run in order. `measurements` grows with them."""

    def __init__(self, configuration: Configuration, pipelines: Pipelines, withheld: Mapping[str, Place]) -> None:
        """Prepare; `withheld` are the stages that are not asked, by name, with their hosts."""
        self.measurements: list[Measurement] = []
        self.speaker = ""  # who spoke the sentences
        self._configuration = configuration
        self._pipelines = pipelines
        self._withheld = withheld
        self._takes: list[Take] = []

    def steps(self) -> Iterator[tuple[str, Body]]:
        """Yield the name and the body of each check."""
        yield "engines start", self._start
        yield "synthesise", self._synthesise
        yield "detect", self._detect
        yield "recognise", self._recognise
        yield "respond", self._respond
        yield "answer", self._answer

    @property
    def _engines(self) -> EngineSet:
        """The engines of this moment: better ones may take their place when they have started."""
        return self._pipelines.sets[self._configuration.engines.default]

    async def _start(self) -> str:
        async with asyncio.timeout(STEP_TIMEOUT_S):
            await self._pipelines.start_default()
        return ", ".join(engine.capabilities.name for engine in engines_of(self._engines))

    async def _synthesise(self) -> str:
        voice, chosen = self._configuration.session.voice, self._engines.synthesizer
        withheld = await self._withhold("synthesizer", "speaks", chosen)
        async with self._speaker(is_chosen=withheld is None) as speaker:
            self.speaker = speaker.capabilities.name
            self._takes = [await measuring.speak(speaker, text, voice) for text in SENTENCES]
        if withheld is not None:
            return f"{withheld}; {self.speaker} speaks the sentences instead"
        self._add("speaks", chosen, measuring.speech_figures(self._takes))
        level_dbfs = statistics.median(rms_dbfs(take.pcm) for take in self._takes)
        seconds = sum(take.audio_s for take in self._takes)
        return f"{seconds:.1f} s of speech at {level_dbfs:.0f} dBFS, {len(self._takes)} sentences"

    @contextlib.asynccontextmanager
    async def _speaker(self, *, is_chosen: bool) -> AsyncIterator[base.Synthesizer]:
        """Give the chosen synthesizer, or the embedded one started for this alone."""
        if is_chosen:
            yield self._engines.synthesizer
            return
        embedded = build_engines("embedded", self._configuration).synthesizer
        await embedded.start()
        try:
            yield embedded
        finally:
            await embedded.close()

    async def _detect(self) -> str:
        scores: list[float] = []
        speech = resample_file(self._takes[0].pcm, SAMPLE_RATE_HZ, base.DETECTOR_RATE_HZ)
        windows = len(speech) // (2 * base.DETECTOR_WINDOW_SAMPLES)
        scored = asyncio.Event()

        def deliver(probabilities: Sequence[float]) -> None:
            scores.extend(probabilities)
            if len(scores) >= windows:
                scored.set()

        stream = self._engines.detector.open(deliver)
        stream.feed(speech)
        async with measuring.within_limit("the detector's scores"):
            await scored.wait()
        stream.close()
        share = sum(score >= SPEECH_PROBABILITY for score in scores) / len(scores)
        if share < SPEECH_PROBABILITY:
            raise CheckFailed(f"{share:.0%} of the speech was detected as speech, expected at least half")
        return f"{share:.0%} of {len(scores)} windows are speech"

    async def _recognise(self) -> str:
        engine = self._engines.transcriber
        withheld = await self._withhold("transcriber", "understands", engine)
        if withheld is not None:
            return withheld
        name = engine.capabilities.name
        heard = [await measuring.recognise(engine, take) for take in self._takes]
        self._add("understands", engine, measuring.recognition_figures(heard, name))
        if self.speaker == self._engines.synthesizer.capabilities.name:
            self._add("round trip", engine, measuring.round_trip_figures(heard), name=f"{self.speaker}, {name}")
        return f"scripted: {heard[0].text!r}" if name == measuring.SCRIPTED else _understood(heard)

    async def _respond(self) -> str:
        engine = self._engines.generator
        withheld = await self._withhold("generator", "answers", engine)
        if withheld is not None:
            return withheld
        instructions = self._configuration.session.instructions
        times_s = [await measuring.first_text_s(engine, instructions, question) for question in QUESTIONS]
        self._add("answers", engine, measuring.answer_figures(times_s))
        return f"first words after {1000 * statistics.median(times_s):.0f} ms, {len(times_s)} questions"

    async def _answer(self) -> str:
        """A whole session: the speech goes in, a spoken answer comes out, in a legal order of events."""
        if self._withheld:
            return f"not done: {', '.join(self._withheld)} would be asked, and --spend was not given"
        lines: list[str] = []
        registry = build_registry(self._configuration, self._pipelines)
        async with LoopbackClient(registry, SessionRequest("doctor")) as client:
            peer = CheckedPeer(LoopbackPeer(client))
            conversation = Conversation(peer, lines.append, lines.append)
            async with asyncio.timeout(STEP_TIMEOUT_S), conversation.listening():
                await conversation.configure({"audio": {"input": {"transcription": {"model": "whisper-1"}}}})
                await speak_at_full_speed(conversation, self._takes[0].pcm)
        if violations := peer.checker.finish():
            raise CheckFailed(str(violations[0]))
        if rms_dbfs(conversation.tracks.assistant()) < LOUD_ENOUGH_DBFS - 10 or not lines:
            raise CheckFailed(f"no spoken answer came; shown was {lines}")
        return " / ".join(lines)

    async def _withhold(self, name: str, stage: measuring.Stage, engine: base.Engine) -> str | None:
        """Return why a stage is not asked, once its host was reached; None if it may be. Raises CheckFailed."""
        place = self._withheld.get(name)
        if place is None:
            return None
        sentence = unmeasured(await reach(place))
        engine_name = engine.capabilities.name
        self.measurements.append(Measurement(stage=stage, engine=engine_name, state="not measured", detail=sentence))
        return sentence

    def _add(
        self,
        stage: measuring.Stage,
        engine: base.Engine,
        figures: tuple[measuring.Figure, ...],
        name: str | None = None,
    ) -> None:
        shown, note = name or engine.capabilities.name, "" if name else engine.capabilities.note
        self.measurements.append(Measurement(stage=stage, engine=shown, state="measured", detail=note, figures=figures))


def _understood(heard: Sequence[Heard]) -> str:
    recall = statistics.fmean(content_word_recall(one.take.text, one.text) for one in heard)
    example = f"{heard[0].text!r} where {heard[0].take.text!r} was said"
    if recall < MIN_RECALL:
        raise CheckFailed(f"{recall:.0%} of the content words were recognised: {example}")
    return f"{recall:.0%} of the content words in {len(heard)} sentences; {example}"


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
