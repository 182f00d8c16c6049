"""Writes and speaks the responses of a session. Out-of-band responses speak only while the main one needs no voice."""

import asyncio
from collections.abc import Callable
from typing import assert_never

from vivavoce.core.vocabulary import (
    CancelGeneration,
    CancelSpeaking,
    Generate,
    GenerationFailed,
    GenerationFinished,
    Input,
    ResponseOutput,
    Speak,
    SynthesisFailed,
    SynthesisFinished,
    TextGenerated,
    ToolCallGenerated,
)
from vivavoce.engines.base import EngineError, Finished, Generator, Synthesizer, TextDelta, ToolCall
from vivavoce.runtime.faults import closing, fault_of, is_cancelled
from vivavoce.runtime.priority import Precedence
from vivavoce.runtime.sink import Sink
from vivavoce.runtime.speaking import ResponseVoice
from vivavoce.runtime.tasks import Tasks
from vivavoce.runtime.texts import whole_text


class Answers:
    """The generations and voices of one session, each response on its own tasks."""

    def __init__(
        self, generator: Generator, synthesizer: Synthesizer, sink: Sink, post: Callable[[Input], None]
    ) -> None:
        self._generator = generator
        self._synthesizer = synthesizer
        self._sink = sink
        self._post = post
        self._precedence = Precedence()
        self._generations: dict[str, Tasks] = {}
        self._voices: dict[str, ResponseVoice] = {}
        self._speaking: dict[str, Tasks] = {}

    def perform(self, output: ResponseOutput) -> None:
        match output:
            case Generate():
                tasks = self._generations[output.response_id] = Tasks()
                tasks.start(self._generate(output, tasks), name=f"generate {output.response_id}")
            case CancelGeneration(response_id=response_id):
                _stop(self._generations, response_id)
            case Speak():
                self._speak(output)
            case CancelSpeaking(response_id=response_id):
                self._voices.pop(response_id, None)
                self._precedence.leave_all(response_id)
                _stop(self._speaking, response_id)
            case never:
                assert_never(never)

    def close(self) -> None:
        """Stop everything; may be called again."""
        for tasks in (*self._generations.values(), *self._speaking.values()):
            tasks.cancel()
        self._generations.clear()
        self._speaking.clear()
        self._voices.clear()

    async def _generate(self, generate: Generate, own: Tasks) -> None:
        response_id = generate.response_id
        try:
            finished = await self._pass_on(generate)
        except EngineError as error:
            self._fail_generation(response_id, error)
        except asyncio.CancelledError as error:
            if is_cancelled():
                raise
            self._fail_generation(response_id, error)  # the engine's own work was cancelled
        except Exception as error:  # the engine broke its contract; the trace is kept, the session goes on
            self._fail_generation(response_id, error)
            raise
        else:
            self._post(
                GenerationFinished(
                    response_id,
                    finished.input_tokens,
                    finished.output_tokens,
                    finished.reason,
                    finished.cached_tokens,
                )
            )
        finally:
            if self._generations.get(response_id) is own:  # else another round has begun
                del self._generations[response_id]

    async def _pass_on(self, generate: Generate) -> Finished:
        """Post what is generated; a stream that ends without `Finished` is finished too."""
        response_id = generate.response_id
        async with closing(self._generator.generate(generate.request)) as events:
            async for event in events:
                match event:
                    case TextDelta(text=text):
                        self._post(TextGenerated(response_id, whole_text(text)))
                    case ToolCall(name=name, arguments=arguments):
                        self._post(ToolCallGenerated(response_id, whole_text(name), whole_text(arguments)))
                    case Finished():
                        return event
        return Finished()

    def _fail_generation(self, response_id: str, error: BaseException) -> None:
        self._post(GenerationFailed(response_id, fault_of(error, self._generator)))

    def _speak(self, speak: Speak) -> None:
        voice = self._voices.get(speak.response_id)
        if voice is None:
            yields_to = self._precedence if speak.is_background else None
            voice = ResponseVoice(self._synthesizer, self._voiced, self._sink.writable, speak.encoding, yields_to)
            self._voices[speak.response_id] = voice
            tasks = self._speaking[speak.response_id] = Tasks()
            tasks.start(voice.run(), name=f"speak {speak.response_id}")
        if not speak.is_background:
            self._precedence.enter(speak.response_id)
        voice.speak(speak)

    def _voiced(self, result: Input) -> None:
        if isinstance(result, SynthesisFinished | SynthesisFailed):
            self._precedence.leave(result.response_id)
        self._post(result)


def _stop(running: dict[str, Tasks], response_id: str) -> None:
    tasks = running.pop(response_id, None)
    if tasks is not None:
        tasks.cancel()
