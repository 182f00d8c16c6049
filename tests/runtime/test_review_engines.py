"""Turn scorers and MCP connectors that break their contract, odd text, and voices that are stopped in the middle."""

import asyncio
import base64
import math
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any

import msgspec
import pytest

from vivavoce.core.policy import SessionPolicy
from vivavoce.core.requests import GenerationRequest, McpServer, SpeechRequest, TranscriptOptions
from vivavoce.engines.base import (
    Capabilities,
    EngineError,
    Final,
    Finished,
    McpFailure,
    Partial,
    SpeechChunk,
    TextDelta,
    ToolCall,
)
from vivavoce.engines.llm.scripted import ScriptedGenerator
from vivavoce.engines.script import load_script
from vivavoce.engines.stt.scripted import ScriptedTranscriber
from vivavoce.engines.tts.scripted import ScriptedSynthesizer
from vivavoce.engines.vad.scripted import ScriptedDetector
from vivavoce.protocol.ids import CountingIds
from vivavoce.protocol.items import McpListedTool, McpToolExecutionError
from vivavoce.runtime.clock import LoopClock
from vivavoce.runtime.performers import EngineSet
from vivavoce.runtime.priority import Precedence
from vivavoce.runtime.registry import Registry, SessionSettings
from vivavoce.runtime.sink import SessionRequest
from vivavoce.testing.conformance import OrderChecker, check_types
from vivavoce.testing.pacer import pace
from vivavoce.testing.virtual import run_virtual
from vivavoce.transports.loopback import LoopbackClient

SETTINGS = SessionSettings(
    default_model="scripted",
    voice="alloy",
    instructions="Be kind.",
    policy=SessionPolicy(mcp_hosts=("docs.example",)),
)
SCRIPT = load_script('[otherwise]\nsay = ["Yes, this is an answer. "]\n')
GOOD = EngineSet(
    name="scripted",
    detector=ScriptedDetector(SCRIPT),
    transcriber=ScriptedTranscriber(SCRIPT),
    generator=ScriptedGenerator(SCRIPT),
    synthesizer=ScriptedSynthesizer(SCRIPT),
)
LOUD, QUIET = b"\x00\x20" * 480, bytes(960)  # 20 ms each
DOCS = {
    "type": "mcp",
    "server_label": "docs",
    "server_url": "https://docs.example/mcp",
    "require_approval": "never",
}

Json = dict[str, Any]
Work = Callable[["Talk"], Awaitable[None]]


class Odd:
    """What the engines below share."""

    capabilities = Capabilities(name="odd")

    async def start(self) -> None:
        """Nothing to load."""

    async def close(self) -> None:
        """Nothing to release."""


class OddScorer(Odd):
    """Returns or raises what it is given; None hangs."""

    def __init__(self, answer: float | BaseException | None) -> None:
        self._answer = answer
        self.waiting = 0
        self.asked = asyncio.Event()

    async def score(self, pcm: bytes) -> float:
        self.asked.set()
        if isinstance(self._answer, BaseException):
            raise self._answer
        if self._answer is not None:
            return self._answer
        self.waiting += 1
        try:
            await asyncio.Event().wait()
        finally:
            self.waiting -= 1
        return 0.0


class OddConnector(Odd):
    """Lists one tool and returns or raises what it is given when it is called; `lists` may be raised instead."""

    def __init__(self, answer: str | BaseException, lists: BaseException | None = None) -> None:
        self._answer = answer
        self._lists = lists

    async def list_tools(self, server: McpServer) -> tuple[McpListedTool, ...]:
        if self._lists is not None:
            raise self._lists
        return (McpListedTool(name="search", input_schema={"type": "object"}),)

    async def call_tool(self, server: McpServer, name: str, arguments: str) -> str:
        if isinstance(self._answer, BaseException):
            raise self._answer
        return self._answer


class Calling(Odd):
    """A generator that calls `search` once and then says what it got."""

    def __init__(self, text: str = "This is what I found. ") -> None:
        self._text = text
        self.requests: list[GenerationRequest] = []

    async def generate(self, request: GenerationRequest) -> AsyncIterator[TextDelta | ToolCall | Finished]:
        self.requests.append(request)
        if len(self.requests) == 1 and request.tools:
            yield ToolCall("search", "{}")
        else:
            yield TextDelta(self._text)
        yield Finished()


class Talk:
    """A client that checks what it gets."""

    def __init__(self, registry: Registry) -> None:
        self._client = LoopbackClient(registry, SessionRequest("req_1"))
        self.checker = OrderChecker()
        self.events: list[Json] = []

    def send(self, **event: Any) -> None:
        event = {"event_id": f"client_{len(self.events)}_{event['type']}", **event}
        self.checker.client(event)
        self._client.send(event)

    def update(self, **session: Any) -> None:
        self.send(type="session.update", session={"type": "realtime", **session})

    def create(self, **response: Any) -> None:
        self.send(type="response.create", response=response)

    def append(self, *chunks: bytes) -> None:
        for chunk in chunks:
            self.send(type="input_audio_buffer.append", audio=base64.b64encode(chunk).decode())

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


def hosting(**engines: Any) -> Registry:
    return Registry({"scripted": msgspec.structs.replace(GOOD, **engines)}, SETTINGS, LoopClock(), CountingIds())


async def passed(duration_ms: int) -> None:
    """Let virtual time pass."""

    async def nothing(chunk: bytes) -> None:
        """Send nothing."""

    await pace([b""], duration_ms, nothing)


def talked(work: Work, **engines: Any) -> list[Json]:
    """Hold a conversation with engines of which some are odd; nothing is left. Returns what was reported."""
    reports: list[Json] = []

    async def main() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda loop, report: reports.append(report))
        registry = hosting(**engines)
        talk = Talk(registry)
        await work(talk)
        assert [str(violation) for violation in talk.checker.finish(is_cut=True)] == []
        talk.leave()
        await passed(1_000)
        assert asyncio.all_tasks() == {asyncio.current_task()}
        assert len(registry) == 0

    run_virtual(main())
    return reports


# Turn scorers -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("answer", [math.nan, 2.0, -1.0, math.inf, ValueError("broken"), EngineError("odd", "no")])
def test_whatever_a_turn_scorer_answers_the_turn_ends_and_the_session_goes_on(answer: float | BaseException) -> None:
    scorer = OddScorer(answer)

    async def main() -> list[str]:
        asyncio.get_running_loop().set_exception_handler(lambda loop, report: None)  # contract breaches are reported
        talk = Talk(hosting(turn_scorer=scorer))
        talk.update(audio={"input": {"turn_detection": {"type": "semantic_vad", "eagerness": "high"}}})
        talk.append(*[LOUD] * 30, *[QUIET] * 12)
        async with asyncio.timeout(30):
            await scorer.asked.wait()
            talk.append(*[QUIET] * 150)
            await talk.until("response.done")
        talk.leave()
        return [event["type"] for event in talk.events]

    types = asyncio.run(main())

    assert types.count("input_audio_buffer.committed") == 1
    assert "error" not in types


def test_a_turn_scorer_that_hangs_is_asked_anew_and_holds_one_silence_only() -> None:
    scorer = OddScorer(None)

    async def main() -> int:
        talk = Talk(hosting(turn_scorer=scorer))
        talk.update(audio={"input": {"turn_detection": {"type": "semantic_vad", "eagerness": "low"}}})
        for _ in range(3):
            scorer.asked.clear()
            talk.append(*[LOUD] * 30, *[QUIET] * 15)
            async with asyncio.timeout(30):
                await scorer.asked.wait()
        waiting = scorer.waiting
        talk.leave()
        return waiting

    assert asyncio.run(main()) == 1


# MCP connectors ---------------------------------------------------------------------------------------------------


def calling(talk: Talk) -> None:
    talk.update(tools=[DOCS], output_modalities=["text"])
    talk.create()


@pytest.mark.parametrize(
    "error", [ValueError("broken"), asyncio.CancelledError(), McpFailure(McpToolExecutionError(message="no"))]
)
def test_whatever_a_connector_raises_the_call_fails_and_the_response_goes_on(error: BaseException) -> None:
    generator = Calling()

    async def main(talk: Talk) -> None:
        calling(talk)
        await talk.until("response.mcp_call.failed")
        done = await talk.until("response.done")
        assert done["response"]["status"] == "completed"

    talked(main, generator=generator, mcp=OddConnector(error))

    assert len(generator.requests) == 2


@pytest.mark.parametrize(
    "error", [ValueError("broken"), asyncio.CancelledError(), McpFailure(McpToolExecutionError(message="no"))]
)
def test_whatever_a_connector_raises_the_listing_fails_and_the_response_goes_on(error: BaseException) -> None:
    async def main(talk: Talk) -> None:
        calling(talk)
        await talk.until("mcp_list_tools.failed")
        done = await talk.until("response.done")
        assert done["response"]["status"] == "completed"

    talked(main, generator=Calling(), mcp=OddConnector("", lists=error))


def test_half_a_character_from_a_server_or_a_generator_breaks_nothing() -> None:
    async def main(talk: Talk) -> None:
        calling(talk)
        done = await talk.until("response.done")
        assert done["response"]["status"] == "completed"
        talk.create()
        assert (await talk.until("response.done"))["response"]["status"] == "completed"

    talked(main, generator=Calling("half \ud83d of it. "), mcp=OddConnector("half \ud83d of it"))


class HalfHearing(Odd):
    """A transcriber whose words are cut within a character."""

    pending_ms = 0.0

    def open(
        self, options: TranscriptOptions, deliver: Callable[[Partial | Final | EngineError], None]
    ) -> "HalfHearing":
        self._deliver = deliver
        return self

    def feed(self, pcm: bytes) -> None:
        self._deliver(Partial("half \ud83d", "half \ud83d of"))

    def finish(self) -> None:
        self._deliver(Final("half \ud83d of it"))

    def abort(self) -> None:
        """Nothing goes on."""


def test_half_a_character_from_a_transcriber_breaks_nothing() -> None:
    async def main(talk: Talk) -> None:
        talk.update(audio={"input": {"turn_detection": None, "transcription": {"model": "any"}}})
        talk.append(*[LOUD] * 10)
        talk.send(type="input_audio_buffer.commit")
        completed = await talk.until("conversation.item.input_audio_transcription.completed")
        assert completed["transcript"] == "half \ufffd of it"

    assert talked(main, transcriber=HalfHearing()) == []


def test_a_client_that_leaves_during_a_call_and_a_listing_leaves_nothing_running() -> None:
    class Hanging(OddConnector):
        async def call_tool(self, server: McpServer, name: str, arguments: str) -> str:
            await asyncio.Event().wait()
            return ""

    async def main(talk: Talk) -> None:
        calling(talk)
        await talk.until("response.mcp_call.in_progress")
        talk.update(tools=[DOCS | {"server_label": "more"}])
        await talk.until("mcp_list_tools.in_progress")

    assert talked(main, generator=Calling(), mcp=Hanging("")) == []


# Voices -----------------------------------------------------------------------------------------------------------


class SlowSynthesizer(Odd):
    """Speaks ten chunks of 20 ms, one each 20 ms; `spoken` tells whose turn it was."""

    def __init__(self) -> None:
        self.spoken: list[str] = []

    async def synthesize(self, request: SpeechRequest) -> AsyncIterator[SpeechChunk]:
        for _ in range(10):
            await passed(20)
            self.spoken.append(request.text)
            yield SpeechChunk(QUIET)


def said(talk: Talk, text: str, **response: Any) -> None:
    talk.create(vivavoce={"say": text}, metadata={"text": text}, **response)


def ends_of(talk: Talk) -> Sequence[tuple[str, str]]:
    done = [event["response"] for event in talk.events if event["type"] == "response.done"]
    return [(response["metadata"]["text"], response["status"]) for response in done]


def test_background_speech_that_is_cancelled_while_it_has_its_turn_gives_it_to_the_next() -> None:
    async def main(talk: Talk) -> None:
        said(talk, "first", conversation="none")
        first = (await talk.until("response.output_audio.delta"))["response_id"]
        said(talk, "second", conversation="none")
        talk.send(type="response.cancel", response_id=first)
        await talk.until("response.done")
        await talk.until("response.done")
        assert ends_of(talk) == [("first", "cancelled"), ("second", "completed")]

    talked(main, synthesizer=SlowSynthesizer())


def test_a_main_response_that_is_cancelled_before_its_voice_began_holds_nothing_up() -> None:
    async def main(talk: Talk) -> None:
        said(talk, "main")
        talk.send(type="response.cancel")
        said(talk, "side", conversation="none")
        await talk.until("response.done")
        await talk.until("response.done")
        assert ends_of(talk) == [("main", "cancelled"), ("side", "completed")]

    talked(main, synthesizer=SlowSynthesizer())


def test_main_speech_passes_background_speech_that_has_begun() -> None:
    synthesizer = SlowSynthesizer()

    async def main(talk: Talk) -> None:
        said(talk, "side", conversation="none")
        await talk.until("response.output_audio.delta")
        said(talk, "main")
        await talk.until("response.done")
        await talk.until("response.done")
        assert ends_of(talk) == [("main", "completed"), ("side", "completed")]

    talked(main, synthesizer=synthesizer)


@pytest.mark.parametrize("error", [ValueError("broken"), EngineError("odd", "no")])
def test_a_main_response_whose_voice_fails_holds_no_background_speech_up(error: Exception) -> None:
    class Failing(SlowSynthesizer):
        async def synthesize(self, request: SpeechRequest) -> AsyncIterator[SpeechChunk]:
            if request.text == "main":
                raise error
            async for chunk in super().synthesize(request):
                yield chunk

    async def main(talk: Talk) -> None:
        said(talk, "side", conversation="none")
        said(talk, "main")
        await talk.until("response.done")
        await talk.until("response.done")
        assert ends_of(talk) == [("main", "failed"), ("side", "completed")]

    talked(main, synthesizer=Failing())


def test_background_work_that_is_woken_still_waits_for_main_work_that_has_begun_meanwhile() -> None:
    async def main() -> list[str]:
        order: list[str] = []
        precedence = Precedence()

        async def background() -> None:
            await precedence.wait()
            order.append("background")

        precedence.enter("first")
        async with asyncio.TaskGroup() as group:
            group.create_task(background())
            await passed(10)
            precedence.leave("first")
            precedence.enter("second")
            await passed(10)
            order.append("second")
            precedence.leave("second")
        return order

    assert run_virtual(main()) == ["second", "background"]


def test_precedence_is_over_when_a_response_leaves_more_often_than_it_came() -> None:
    async def main() -> None:
        precedence = Precedence()
        precedence.enter("main")
        precedence.leave("main")
        precedence.leave("main")
        precedence.enter("other")
        precedence.leave_all("other")
        await precedence.wait()

    run_virtual(main())
