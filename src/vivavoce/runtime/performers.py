"""Performs a session's outputs: sends, plays, and asks the engines; their results come back as inputs.

Cancelling is by id, idempotent, and may come late: the core drops what no longer matters.
"""

from collections.abc import Callable
from contextlib import ExitStack
from typing import Protocol, assert_never

import msgspec
from msgspec import UNSET

from vivavoce.core.spending import PaidModels
from vivavoce.core.vocabulary import (
    AbortTranscript,
    CallMcpTool,
    CancelGeneration,
    CancelMcp,
    CancelSpeaking,
    ClearPlayout,
    Close,
    DetectSpeech,
    FeedTranscript,
    FinishTranscript,
    Generate,
    HearingOutput,
    Input,
    ListMcpTools,
    OpenTranscript,
    Output,
    PlayAudio,
    ReduceNoise,
    ScoreTurn,
    Send,
    Speak,
    StartTrace,
    TranscriptOutput,
)
from vivavoce.engines.base import (
    Detector,
    Generator,
    McpConnector,
    NoiseReducer,
    Synthesizer,
    Transcriber,
    Translator,
    TurnScorer,
)
from vivavoce.protocol.extensions import EngineStages
from vivavoce.protocol.server_events import ServerEvent
from vivavoce.protocol.session import TracingChoice
from vivavoce.runtime.answers import Answers
from vivavoce.runtime.hearing import Hearing
from vivavoce.runtime.mcp_calls import McpCalls
from vivavoce.runtime.sink import Sink
from vivavoce.runtime.upstreams import ToolBox


class EngineSet(msgspec.Struct, frozen=True):
    """The engines that serve a model; shared by all its sessions."""

    name: str  # shown as `session.vivavoce.engine`
    detector: Detector
    transcriber: Transcriber
    generator: Generator
    synthesizer: Synthesizer
    turn_scorer: TurnScorer | None = None
    noise_reducer: NoiseReducer | None = None
    mcp: McpConnector | None = None
    translator: Translator | None = None
    paid: PaidModels = PaidModels()  # which of these engines stand for models elsewhere
    tools: ToolBox | None = None  # the server's own functions

    @property
    def honoured(self) -> frozenset[str]:
        """The session fields, by path, that these engines make something of and others ignore."""
        has = {
            "audio.input.noise_reduction": self.noise_reducer is not None,
            "include": self.transcriber.capabilities.has_confidence,
            "audio.input.transcription.languages": "languages" in self.transcriber.capabilities.hints,
            "audio.input.transcription.keywords": "keywords" in self.transcriber.capabilities.hints,
            "audio.input.transcription.delay": "delay" in self.transcriber.capabilities.hints,
        }
        return frozenset(path for path, is_honoured in has.items() if is_honoured)

    @property
    def unused(self) -> tuple[str, ...]:
        """The session fields, by path, that these engines make nothing of, unlike most."""
        return (*self.transcriber.capabilities.ignores, *self.synthesizer.capabilities.ignores)

    @property
    def stages(self) -> EngineStages:
        """The engines by name, as `session.vivavoce.stages` shows them."""
        return EngineStages(
            vad=self.detector.capabilities.name,
            stt=self.transcriber.capabilities.name,
            llm=self.generator.capabilities.name,
            tts=self.synthesizer.capabilities.name,
            noise=UNSET if self.noise_reducer is None else self.noise_reducer.capabilities.name,
            turn=UNSET if self.turn_scorer is None else self.turn_scorer.capabilities.name,
        )


class SessionWatch(Protocol):
    """Who is told what a session does beside its client: its noise reduction and its trace."""

    def reduce_noise(self, wanted: ReduceNoise) -> None: ...

    def start_trace(self, tracing: TracingChoice) -> None: ...

    def note_sent(self, event: ServerEvent | PlayAudio) -> None: ...


class EnginePerformer:
    """Performs the outputs of one session with a set of engines."""

    def __init__(self, engines: EngineSet, sink: Sink, post: Callable[[Input], None], watch: SessionWatch) -> None:
        self._sink = sink
        self._watch = watch
        self._sequence = 0
        self._hearing = Hearing(engines.detector, engines.transcriber, engines.turn_scorer, post)
        self._answers = Answers(engines.generator, engines.synthesizer, sink, post)
        self._mcp = McpCalls(engines.mcp, post, engines.tools)

    def perform(self, output: Output) -> None:
        """Carry out one output; never blocks."""
        match output:
            case Send(event=event):
                self._sequence += 1
                self._watch.note_sent(event)
                self._sink.send(self._sequence, event)
            case PlayAudio():
                self._sequence += 1
                self._watch.note_sent(output)
                self._sink.play(self._sequence, output)
            case ClearPlayout(response_id=response_id):
                self._sink.clear_playout(response_id)
            case Close(code=code, reason=reason):
                self._sink.close(code, reason)
            case Generate() | CancelGeneration() | Speak() | CancelSpeaking():
                self._answers.perform(output)
            case ListMcpTools() | CallMcpTool() | CancelMcp():
                self._mcp.perform(output)
            case StartTrace(tracing=tracing):
                self._watch.start_trace(tracing)
            case _:
                self._hear(output)

    def _hear(self, output: HearingOutput | TranscriptOutput) -> None:
        match output:
            case DetectSpeech():
                self._hearing.detect(output)
            case OpenTranscript() | FeedTranscript() | FinishTranscript() | AbortTranscript():
                self._hearing.transcribe(output)
            case ScoreTurn():
                self._hearing.score_turn(output)
            case ReduceNoise():
                self._watch.reduce_noise(output)
            case never:
                assert_never(never)

    @property
    def pending_ms(self) -> float:
        """The largest backlog of audio that an engine holds for this session."""
        return self._hearing.pending_ms

    def close(self) -> None:
        """Stop everything; may be called again."""
        with ExitStack() as parts:  # each is closed, whatever another raises
            parts.callback(self._hearing.close)
            parts.callback(self._answers.close)
            parts.callback(self._mcp.close)
