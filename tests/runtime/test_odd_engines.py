"""Engines that break their contract: the response or the transcript fails, the session goes on, nothing is left."""

import asyncio
import base64
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any

import msgspec
import pytest

from vivavoce.core.requests import GenerationRequest, SpeechRequest, TranscriptOptions
from vivavoce.core.session import LocalSession
from vivavoce.core.vocabulary import Disconnected, FromClient, Output
from vivavoce.engines.base import Capabilities, EngineError, Final, Finished, Partial, SpeechChunk, TextDelta, ToolCall
from vivavoce.engines.llm.scripted import ScriptedGenerator
from vivavoce.engines.script import load_script
from vivavoce.engines.stt.scripted import ScriptedTranscriber
from vivavoce.engines.tts.scripted import ScriptedSynthesizer
from vivavoce.engines.vad.scripted import ScriptedDetector
from vivavoce.protocol.client_events import ResponseCreate
from vivavoce.protocol.ids import CountingIds
from vivavoce.runtime.clock import LoopClock
from vivavoce.runtime.hosted import HostedSession
from vivavoce.runtime.performers import EnginePerformer, EngineSet
from vivavoce.runtime.registry import Registry, SessionSettings
from vivavoce.runtime.runner import Runner
from vivavoce.runtime.sink import SessionRequest
from vivavoce.testing.conformance import OrderChecker, check_types
from vivavoce.testing.driver import plain_session
from vivavoce.testing.pacer import pace
from vivavoce.testing.virtual import run_virtual
from vivavoce.transports.loopback import LoopbackClient

SETTINGS = SessionSettings(default_model="scripted", voice="alloy", instructions="Be kind.")
SCRIPT = load_script('[otherwise]\nsay = ["Yes, this is an answer. "]\n')
GOOD = EngineSet(
    name="scripted",
    detector=ScriptedDetector(SCRIPT),
    transcriber=ScriptedTranscriber(SCRIPT),
    generator=ScriptedGenerator(SCRIPT),
    synthesizer=ScriptedSynthesizer(SCRIPT),
)
LOUD, QUIET = b"\x00\x20" * 480, bytes(960)  # 20 ms each

Json = dict[str, Any]
Event = TextDelta | ToolCall | Finished


class Odd:
    """What the engines below share."""

    capabilities = Capabilities(name="odd")

    async def start(self) -> None:
        """Nothing to load."""

    async def close(self) -> None:
        """Nothing to release."""


class OddGenerator(Odd):
    """Writes what `work` yields; `is_closed` tells that its stream was closed."""

    def __init__(self, work: Callable[[], AsyncIterator[Event]]) -> None:
        self._work = work
        self.is_closed = False

    async def generate(self, request: GenerationRequest) -> AsyncIterator[Event]:
        try:
            async for event in self._work():
                yield event
        finally:
            self.is_closed = True


class OddSynthesizer(Odd):
    """Speaks the chunks it is given; an exception among them is raised."""

    def __init__(self, *chunks: bytes | BaseException) -> None:
        self._chunks = chunks

    async def synthesize(self, request: SpeechRequest) -> AsyncIterator[SpeechChunk]:
        for chunk in self._chunks:
            if isinstance(chunk, BaseException):
                raise chunk
            yield SpeechChunk(chunk)


class OddTranscriber(Odd):
    """Fails where it is told to: in "open", "feed" or "finish", or delivers its failure while it opens."""

    def __init__(self, place: str, error: Exception) -> None:
        self.place, self.error, self.aborted = place, error, 0

    def open(
        self, options: TranscriptOptions, deliver: Callable[[Partial | Final | EngineError], None]
    ) -> "OddTranscriber":
        if self.place == "deliver":
            deliver(EngineError("odd", "no"))
        self._reach("open")
        return self

    @property
    def pending_ms(self) -> float:
        return 9_000.0

    def feed(self, pcm: bytes) -> None:
        self._reach("feed")

    def finish(self) -> None:
        self._reach("finish")

    def abort(self) -> None:
        self.aborted += 1

    def _reach(self, place: str) -> None:
        if place == self.place:
            raise self.error


class OddDetector(Odd):
    """Raises when it is fed, or delivers within `feed`."""

    def __init__(self, error: Exception | None) -> None:
        self._error = error

    def open(self, deliver: Callable[[Sequence[float]], None]) -> "OddDetectorStream":
        return OddDetectorStream(self._error, deliver)


class OddDetectorStream:
    """One stream; hears speech in everything."""

    pending_ms = 0.0

    def __init__(self, error: Exception | None, deliver: Callable[[Sequence[float]], None]) -> None:
        self._error = error
        self._deliver = deliver

    def feed(self, pcm: bytes) -> None:
        if self._error is not None:
            raise self._error
        self._deliver([1.0] * (len(pcm) // 1024))

    def close(self) -> None:
        """Nothing to release."""


class Talk:
    """A client that checks what it gets, and the session's performer."""

    def __init__(self, registry: Registry) -> None:
        self._client = LoopbackClient(registry, SessionRequest("req_1"))
        self.checker = OrderChecker()
        self.events: list[Json] = []

    def send(self, **event: Any) -> None:
        event = {"event_id": f"client_{len(self.events)}_{event['type']}", **event}
        self.checker.client(event)
        self._client.send(event)

    def append(self, *chunks: bytes) -> None:
        for chunk in chunks:
            self.send(type="input_audio_buffer.append", audio=base64.b64encode(chunk).decode())

    def manual(self) -> None:
        audio = {"input": {"turn_detection": None, "transcription": {"model": "any"}}}
        self.send(type="session.update", session={"type": "realtime", "audio": audio})

    async def until(self, kind: str) -> Json:
        while True:
            event = await self._client.next_event()
            self.checker.server(event)
            check_types(event)
            self.events.append(event)
            if event["type"] == kind:
                return event

    def leave(self) -> None:
        self._client.close()


async def one_second() -> None:
    """Let a second of virtual time pass."""

    async def nothing(chunk: bytes) -> None:
        """Send nothing."""

    await pace([b""] * 50, 20, nothing)


def talked(work: Callable[[Talk], Awaitable[None]], **engines: Any) -> Registry:
    """Hold a conversation with engines of which some are odd; whatever they do, the wire's order holds."""

    async def main() -> Registry:
        asyncio.get_running_loop().set_exception_handler(lambda loop, report: None)  # contract breaches are reported
        chosen = msgspec.structs.replace(GOOD, **engines)
        registry = Registry({"scripted": chosen}, SETTINGS, LoopClock(), CountingIds())
        talk = Talk(registry)
        await work(talk)
        assert [str(violation) for violation in talk.checker.finish(is_cut=True)] == []
        talk.leave()
        return registry

    registry = run_virtual(main())
    assert len(registry) == 0
    return registry


async def done(talk: Talk) -> Json:
    talk.send(type="response.create")
    event = await talk.until("response.done")
    response: Json = event["response"]
    return response


# Generators ---------------------------------------------------------------------------------------------------


def test_a_generator_that_ends_without_finished_has_finished() -> None:
    async def work() -> AsyncIterator[Event]:
        yield TextDelta("This is all there is. ")

    async def main(talk: Talk) -> None:
        assert (await done(talk))["status"] == "completed"

    talked(main, generator=OddGenerator(work))


def test_a_generator_that_goes_on_after_finished_is_stopped() -> None:
    async def work() -> AsyncIterator[Event]:
        yield TextDelta("Yes. ")
        yield Finished()
        await asyncio.Event().wait()

    generator = OddGenerator(work)

    async def main(talk: Talk) -> None:
        assert (await done(talk))["status"] == "completed"
        assert generator.is_closed

    talked(main, generator=generator)


@pytest.mark.parametrize("error", [ValueError("broken"), asyncio.CancelledError(), EngineError("odd", "no")])
def test_whatever_a_generator_raises_the_response_fails_and_the_session_goes_on(error: BaseException) -> None:
    async def work() -> AsyncIterator[Event]:
        yield TextDelta("")
        raise error

    async def main(talk: Talk) -> None:
        assert (await done(talk))["status"] == "failed"
        assert (await done(talk))["status"] == "failed"

    talked(main, generator=OddGenerator(work))


# Synthesizers -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("error", [ValueError("broken"), asyncio.CancelledError(), EngineError("odd", "no")])
def test_whatever_a_synthesizer_raises_the_response_fails_and_the_session_goes_on(error: BaseException) -> None:
    async def main(talk: Talk) -> None:
        assert (await done(talk))["status"] == "failed"
        assert (await done(talk))["status"] == "failed"

    talked(main, synthesizer=OddSynthesizer(bytes(4800), error))


def test_a_synthesizer_that_says_nothing_ends_the_response_all_the_same() -> None:
    async def main(talk: Talk) -> None:
        assert (await done(talk))["status"] == "completed"

    talked(main, synthesizer=OddSynthesizer())


@pytest.mark.parametrize("chunks", [(b"\1" * 961, b"\1" * 961), (b"\1" * 5, b"", b"\1" * 20_001)])
def test_audio_deltas_hold_whole_samples_however_speech_is_chunked(chunks: tuple[bytes, ...]) -> None:
    async def main(talk: Talk) -> None:
        await done(talk)
        deltas = [e["delta"] for e in talk.events if e["type"] == "response.output_audio.delta"]
        sizes = [len(base64.b64decode(delta)) for delta in deltas]
        assert all(size % 2 == 0 for size in sizes)
        assert sum(sizes) == sum(map(len, chunks)) // 2 * 2

    talked(main, synthesizer=OddSynthesizer(*chunks))


def test_g711_speech_is_as_long_as_what_was_synthesized() -> None:
    async def main(talk: Talk) -> None:
        output = {"output": {"format": {"type": "audio/pcmu"}}}
        talk.send(type="session.update", session={"type": "realtime", "audio": output})
        await done(talk)
        deltas = [e["delta"] for e in talk.events if e["type"] == "response.output_audio.delta"]
        assert sum(len(base64.b64decode(delta)) for delta in deltas) == 8_000

    talked(main, synthesizer=OddSynthesizer(bytes(48_000)))


# Transcribers and detectors -----------------------------------------------------------------------------------


@pytest.mark.parametrize("place", ["open", "feed", "finish", "deliver"])
@pytest.mark.parametrize("error", [ValueError("broken"), EngineError("odd", "no")])
def test_whatever_a_transcriber_raises_the_transcript_fails_and_the_session_goes_on(
    place: str, error: Exception
) -> None:
    transcriber = OddTranscriber(place, error)

    async def main(talk: Talk) -> None:
        talk.manual()
        for _ in range(2):
            talk.append(*[LOUD] * 10)
            talk.send(type="input_audio_buffer.commit")
            await talk.until("conversation.item.input_audio_transcription.failed")

    talked(main, transcriber=transcriber)

    assert transcriber.aborted > 0 or place in {"open", "deliver"}


@pytest.mark.parametrize("place", ["open", "feed", "finish", "deliver"])
def test_a_transcriber_that_failed_holds_nothing_that_the_transport_waits_for(place: str) -> None:
    async def main() -> None:
        engines = msgspec.structs.replace(GOOD, transcriber=OddTranscriber(place, ValueError("broken")))
        registry = Registry({"scripted": engines}, SETTINGS, LoopClock(), CountingIds())
        client = LoopbackClient(registry, SessionRequest("req_1"))
        (hosted,) = registry._live.values()
        audio = {"input": {"turn_detection": None}}
        client.send({"type": "session.update", "session": {"type": "realtime", "audio": audio}})
        client.send({"type": "input_audio_buffer.append", "audio": base64.b64encode(LOUD * 10).decode()})
        client.send({"type": "input_audio_buffer.commit"})

        assert not hosted.is_behind()
        client.close()

    run_virtual(main())


@pytest.mark.parametrize("error", [ValueError("broken"), EngineError("odd", "no")])
def test_a_detector_that_raises_is_reported_once_and_the_session_goes_on(error: Exception) -> None:
    async def main(talk: Talk) -> None:
        talk.append(*[LOUD] * 10)
        assert (await done(talk))["status"] == "completed"
        errors = [e["error"] for e in talk.events if e["type"] == "error"]
        assert [e["type"] for e in errors] == ["server_error"]

    talked(main, detector=OddDetector(error))


def test_a_detector_may_deliver_while_it_is_fed() -> None:
    async def main(talk: Talk) -> None:
        talk.append(LOUD * 20)
        started = await talk.until("input_audio_buffer.speech_started")
        assert started["audio_start_ms"] == 0

    talked(main, detector=OddDetector(None))


# The runner ---------------------------------------------------------------------------------------------------


class SpoiltPerformer:
    """Raises in `perform` or in `close`."""

    def __init__(self, place: str) -> None:
        self._place = place

    def perform(self, output: Output) -> None:
        if self._place == "perform":
            raise ValueError("broken")

    def close(self) -> None:
        if self._place == "close":
            raise ValueError("broken")


@pytest.mark.parametrize("place", ["perform", "close"])
def test_a_session_that_cannot_be_stopped_cleanly_is_forgotten_all_the_same(place: str) -> None:
    closed: list[bool] = []

    async def main() -> Runner:
        session = LocalSession(plain_session(), CountingIds())
        runner = Runner(session, SpoiltPerformer(place), LoopClock(), on_closed=lambda: closed.append(True))
        runner.post(Disconnected())
        runner.post(FromClient(ResponseCreate()))
        return runner

    runner = run_virtual(main())

    assert closed == [True]
    assert not runner._waiting


def test_a_disconnected_session_leaves_no_task_and_no_stream() -> None:
    async def work() -> AsyncIterator[Event]:
        yield TextDelta("This goes on for a while, and then it hangs. ")
        await asyncio.Event().wait()

    generator = OddGenerator(work)

    async def main() -> None:
        engines = msgspec.structs.replace(GOOD, generator=generator)
        registry = Registry({"scripted": engines}, SETTINGS, LoopClock(), CountingIds())
        client = LoopbackClient(registry, SessionRequest("req_1"))
        client.send({"type": "response.create"})
        await client.next_event()
        await one_second()

        client.close()
        await one_second()

        assert asyncio.all_tasks() == {asyncio.current_task()}
        assert generator.is_closed
        assert len(registry) == 0

    run_virtual(main())


def test_sixty_turns_leave_nothing_in_the_performer() -> None:
    async def main(talk: Talk) -> None:
        for _ in range(60):
            talk.append(*[LOUD] * 20, *[QUIET] * 40)
            await talk.until("response.done")

    async def whole() -> None:
        registry = Registry({"scripted": GOOD}, SETTINGS, LoopClock(), CountingIds())
        talk = Talk(registry)
        (hosted,) = registry._live.values()
        assert isinstance(hosted, HostedSession)
        await main(talk)
        performer: EnginePerformer = hosted._performer
        await one_second()

        assert not performer._hearing._transcripts
        assert not performer._answers._generations
        assert not performer._answers._voices
        assert not performer._answers._speaking
        talk.leave()

    run_virtual(whole())
