"""Performs a session's outputs: sends, plays, and asks the engines; their results come back as inputs.

Cancelling is by id, idempotent, and may come late: the core drops what no longer matters.
"""

import asyncio
from collections.abc import Callable
from contextlib import ExitStack
from typing import assert_never

import msgspec

from vivavoce.core.vocabulary import (
    AbortTranscript,
    CancelGeneration,
    CancelSpeaking,
    ClearPlayout,
    Close,
    DetectSpeech,
    FeedTranscript,
    FinishTranscript,
    Generate,
    GenerationFailed,
    GenerationFinished,
    Input,
    OpenTranscript,
    Output,
    PlayAudio,
    ResponseOutput,
    Send,
    Speak,
    TextGenerated,
    ToolCallGenerated,
    TranscriptFailed,
    TranscriptFinalized,
    TranscriptOutput,
)
from vivavoce.engines.base import (
    Detector,
    EngineError,
    Finished,
    Generator,
    Synthesizer,
    TextDelta,
    ToolCall,
    Transcriber,
)
from vivavoce.protocol.extensions import EngineStages
from vivavoce.runtime.ears import DetectionEar, TranscriptEar
from vivavoce.runtime.faults import closing, fault_of, is_cancelled
from vivavoce.runtime.sink import Sink
from vivavoce.runtime.speaking import ResponseVoice
from vivavoce.runtime.tasks import Tasks


class EngineSet(msgspec.Struct, frozen=True):
    """The engines that serve a model; shared by all its sessions."""

    name: str  # shown as `session.vivavoce.engine`
    detector: Detector
    transcriber: Transcriber
    generator: Generator
    synthesizer: Synthesizer

    @property
    def stages(self) -> EngineStages:
        """The engines by name, as `session.vivavoce.stages` shows them."""
        return EngineStages(
            vad=self.detector.capabilities.name,
            stt=self.transcriber.capabilities.name,
            llm=self.generator.capabilities.name,
            tts=self.synthesizer.capabilities.name,
        )


class EnginePerformer:
    """Performs the outputs of one session with a set of engines."""

    def __init__(self, engines: EngineSet, sink: Sink, post: Callable[[Input], None]) -> None:
        self._engines = engines
        self._sink = sink
        self._post = post
        self._sequence = 0
        self._detection = DetectionEar(engines.detector, post)
        self._transcripts: dict[str, TranscriptEar] = {}
        self._generations: dict[str, Tasks] = {}
        self._voices: dict[str, ResponseVoice] = {}
        self._speaking: dict[str, Tasks] = {}

    def perform(self, output: Output) -> None:
        """Carry out one output; never blocks."""
        match output:
            case Send(event=event):
                self._sequence += 1
                self._sink.send(self._sequence, event)
            case PlayAudio():
                self._sequence += 1
                self._sink.play(self._sequence, output)
            case ClearPlayout(response_id=response_id):
                self._sink.clear_playout(response_id)
            case Close(code=code, reason=reason):
                self._sink.close(code, reason)
            case DetectSpeech():
                self._detection.detect(output)
            case OpenTranscript() | FeedTranscript() | FinishTranscript() | AbortTranscript():
                self._transcribe(output)
            case _:
                self._answer(output)

    def _transcribe(self, output: TranscriptOutput) -> None:
        if isinstance(output, OpenTranscript):
            opened = TranscriptEar(self._engines.transcriber, self._settle, output)
            if not opened.is_over:
                self._transcripts[output.item_id] = opened
            return
        ear = self._transcripts.get(output.item_id)
        if ear is None:
            return
        match output:
            case FeedTranscript(audio=audio):
                ear.feed(audio)
            case FinishTranscript():
                ear.finish()
            case AbortTranscript(item_id=item_id):
                del self._transcripts[item_id]
                ear.abort()

    def _settle(self, result: Input) -> None:
        """Pass a transcript on; its stream is over with the final result."""
        if isinstance(result, TranscriptFinalized | TranscriptFailed):
            self._transcripts.pop(result.item_id, None)
        self._post(result)

    def _answer(self, output: ResponseOutput) -> None:
        match output:
            case Generate():
                self._start_generation(output)
            case CancelGeneration(response_id=response_id):
                self._stop(self._generations, response_id)
            case Speak():
                self._speak(output)
            case CancelSpeaking(response_id=response_id):
                self._voices.pop(response_id, None)
                self._stop(self._speaking, response_id)
            case never:
                assert_never(never)

    @property
    def pending_ms(self) -> float:
        """The largest backlog of audio that an engine holds for this session."""
        backlogs = [ear.pending_ms for ear in self._transcripts.values()]
        return max(self._detection.pending_ms, *backlogs) if backlogs else self._detection.pending_ms

    def close(self) -> None:
        """Stop everything; may be called again."""
        for tasks in (*self._generations.values(), *self._speaking.values()):
            tasks.cancel()
        self._generations.clear()
        self._speaking.clear()
        self._voices.clear()
        with ExitStack() as streams:  # each is closed, whatever another raises
            streams.callback(self._detection.close)
            while self._transcripts:
                streams.callback(self._transcripts.popitem()[1].abort)

    def _start_generation(self, generate: Generate) -> None:
        tasks = self._generations[generate.response_id] = Tasks()
        tasks.start(self._generate(generate), name=f"generate {generate.response_id}")

    async def _generate(self, generate: Generate) -> None:
        response_id = generate.response_id
        try:
            finished = await self._pass_on(generate)
            self._post(GenerationFinished(response_id, finished.input_tokens, finished.output_tokens, finished.reason))
        except EngineError as error:
            self._fail_generation(response_id, error)
        except asyncio.CancelledError as error:
            if is_cancelled():
                raise
            self._fail_generation(response_id, error)  # the engine's own work was cancelled
        except Exception as error:  # the engine broke its contract; the trace is kept, the session goes on
            self._fail_generation(response_id, error)
            raise
        finally:
            self._generations.pop(response_id, None)

    async def _pass_on(self, generate: Generate) -> Finished:
        """Post what is generated; a stream that ends without `Finished` is finished too."""
        response_id = generate.response_id
        async with closing(self._engines.generator.generate(generate.request)) as events:
            async for event in events:
                match event:
                    case TextDelta(text=text):
                        self._post(TextGenerated(response_id, text))
                    case ToolCall(name=name, arguments=arguments):
                        self._post(ToolCallGenerated(response_id, name, arguments))
                    case Finished():
                        return event
        return Finished()

    def _fail_generation(self, response_id: str, error: BaseException) -> None:
        self._post(GenerationFailed(response_id, fault_of(error, self._engines.generator)))

    def _speak(self, speak: Speak) -> None:
        voice = self._voices.get(speak.response_id)
        if voice is None:
            voice = ResponseVoice(self._engines.synthesizer, self._post, self._sink.writable, speak.encoding)
            self._voices[speak.response_id] = voice
            tasks = self._speaking[speak.response_id] = Tasks()
            tasks.start(voice.run(), name=f"speak {speak.response_id}")
        voice.speak(speak)

    def _stop(self, running: dict[str, Tasks], response_id: str) -> None:
        tasks = running.pop(response_id, None)
        if tasks is not None:
            tasks.cancel()
