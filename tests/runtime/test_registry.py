"""Whole sessions in virtual time: the runner, the performers and scripted engines, behind a loopback client."""

import base64
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import pytest

from vivavoce.core.session import LocalSession
from vivavoce.core.vocabulary import Output
from vivavoce.engines.llm.scripted import ScriptedGenerator
from vivavoce.engines.script import load_script
from vivavoce.engines.stt.scripted import ScriptedTranscriber
from vivavoce.engines.tts.scripted import ScriptedSynthesizer
from vivavoce.engines.vad.scripted import ScriptedDetector
from vivavoce.protocol.ids import CountingIds
from vivavoce.runtime.clock import LoopClock
from vivavoce.runtime.performers import EngineSet
from vivavoce.runtime.registry import Registry, SessionSettings
from vivavoce.runtime.runner import TraceEntry
from vivavoce.runtime.sink import AtCapacity, SessionRequest
from vivavoce.testing.conformance import OrderChecker, check_types
from vivavoce.testing.driver import plain_session
from vivavoce.testing.pacer import pace
from vivavoce.testing.virtual import run_virtual
from vivavoce.transports.loopback import LoopbackClient

SETTINGS = SessionSettings(default_model="scripted", voice="alloy", instructions="Be kind.", max_sessions=2)
LOUD, QUIET = b"\x00\x20" * 480, bytes(960)  # 20 ms each

Json = dict[str, Any]


def engines(script: str = "") -> EngineSet:
    loaded = load_script(script)
    return EngineSet(
        name="scripted",
        detector=ScriptedDetector(loaded),
        transcriber=ScriptedTranscriber(loaded),
        generator=ScriptedGenerator(loaded),
        synthesizer=ScriptedSynthesizer(loaded),
    )


class Talk:
    """A client that checks every event it sends and gets."""

    def __init__(self, registry: Registry) -> None:
        self._client = LoopbackClient(registry, SessionRequest("req_1"))
        self.checker = OrderChecker()
        self.events: list[Json] = []

    def send(self, event: Json) -> None:
        event = {"event_id": f"client_{len(self.events)}_{event['type']}", **event}
        self.checker.client(event)
        self._client.send(event)

    async def speak(self, loud: int, quiet: int) -> None:
        """Send audio in real time, in chunks of 20 ms."""
        await pace([LOUD] * loud + [QUIET] * quiet, 20, self._append)

    async def _append(self, chunk: bytes) -> None:
        self.send({"type": "input_audio_buffer.append", "audio": base64.b64encode(chunk).decode()})

    async def until(self, kind: str) -> Json:
        """Return the next event of a type."""
        while True:
            event = await self._client.next_event()
            self.checker.server(event)
            check_types(event)
            self.events.append(event)
            if event["type"] == kind:
                return event

    def leave(self) -> None:
        self._client.close()


def in_virtual_time(
    script: str, work: Callable[[Registry], Awaitable[None]], trace: Callable[[str, TraceEntry], None] | None = None
) -> Registry:
    registries: list[Registry] = []

    async def main() -> None:
        registry = Registry({"scripted": engines(script)}, SETTINGS, LoopClock(), CountingIds(), trace)
        registries.append(registry)
        await work(registry)

    run_virtual(main())
    return registries[0]


SPOKEN = """
[[turns]]
number = 1
heard = "how are you"
say = ["I am very well, thank you for asking. ", "And you?"]
[voice]
pace = 1.2
"""


def test_a_spoken_turn_is_answered_and_every_event_is_in_order() -> None:
    async def work(registry: Registry) -> None:
        talk = Talk(registry)
        transcription = {"audio": {"input": {"transcription": {"model": "scripted"}}}}
        talk.send({"type": "session.update", "session": {"type": "realtime", **transcription}})
        await talk.speak(loud=50, quiet=30)

        done = await talk.until("response.done")

        completed = [e for e in talk.events if e["type"].endswith("transcription.completed")]
        assert [e["transcript"] for e in completed] == ["how are you"]
        content = done["response"]["output"][0]["content"][0]
        assert content["transcript"] == "I am very well, thank you for asking. And you?"
        assert [str(v) for v in talk.checker.finish()] == []
        talk.leave()

    assert len(in_virtual_time(SPOKEN, work)) == 0


def test_an_interruption_stops_a_synthesizer_that_is_slower_than_the_outbox() -> None:
    script = '[otherwise]\nsay = ["One more sentence is said. "]\nis_endless = true\n[voice]\npace = 1.2\n'

    async def work(registry: Registry) -> None:
        talk = Talk(registry)
        talk.send({"type": "response.create"})
        await talk.until("response.output_audio.delta")

        await talk.speak(loud=10, quiet=0)
        done = await talk.until("response.done")

        assert done["response"]["status_details"]["reason"] == "turn_detected"
        talk.leave()

    in_virtual_time(script, work)


def test_a_failing_engine_ends_its_response_and_leaves_the_other_session_alone() -> None:
    script = '[[turns]]\ncontains = "fail"\n[turns.failure]\nmessage = "as asked"\n'

    async def work(registry: Registry) -> None:
        unlucky, lucky = Talk(registry), Talk(registry)
        for talk, text in ((unlucky, "please fail"), (lucky, "hello")):
            content = [{"type": "input_text", "text": text}]
            item = {"type": "message", "role": "user", "content": content}
            talk.send({"type": "conversation.item.create", "item": item})
            talk.send({"type": "response.create"})

        failed, done = await unlucky.until("response.done"), await lucky.until("response.done")

        assert failed["response"]["status_details"]["error"]["message"] == "as asked"
        assert done["response"]["status"] == "completed"
        unlucky.leave()
        lucky.leave()

    in_virtual_time(script, work)


def test_a_session_too_many_is_refused_until_one_leaves() -> None:
    async def work(registry: Registry) -> None:
        first, second = Talk(registry), Talk(registry)

        with pytest.raises(AtCapacity, match="its limit of 2 sessions"):
            Talk(registry)

        first.leave()
        third = Talk(registry)
        third.leave()
        second.leave()
        await registry.emptied()

    assert len(in_virtual_time("", work)) == 0


def test_draining_closes_idle_sessions_and_lets_answers_finish() -> None:
    async def work(registry: Registry) -> None:
        idle, busy = Talk(registry), Talk(registry)
        busy.send({"type": "response.create"})
        await busy.until("response.output_audio.delta")

        registry.drain()
        await busy.until("response.done")

        assert idle._client.close_code == 1012
        assert busy._client.close_code == 1012
        idle.leave()
        busy.leave()

    in_virtual_time(SPOKEN, work)


def test_the_trace_of_a_live_session_replays_bit_for_bit() -> None:
    entries: list[TraceEntry] = []

    async def work(registry: Registry) -> None:
        talk = Talk(registry)
        await talk.speak(loud=50, quiet=30)
        await talk.until("response.done")
        talk.leave()

    in_virtual_time(SPOKEN, work, lambda _, entry: entries.append(entry))

    ids = CountingIds()
    effective = msgspec.structs.replace(plain_session(), id=ids.make("sess"), model="scripted")
    again = LocalSession(effective, ids)
    replayed: list[Output] = []
    for entry in entries:
        replayed += again.handle_timer(entry.now) if entry.input is None else again.handle(entry.input, entry.now)
    recorded = [output for entry in entries for output in entry.outputs]
    assert replayed[1:] == recorded[1:]  # the first echoes the session, with the engine's name


def test_g711_sessions_speak_g711() -> None:
    async def work(registry: Registry) -> None:
        talk = Talk(registry)
        audio = {"output": {"format": {"type": "audio/pcmu"}}}
        talk.send({"type": "session.update", "session": {"type": "realtime", "audio": audio}})
        talk.send({"type": "response.create"})

        done = await talk.until("response.done")

        deltas = [e["delta"] for e in talk.events if e["type"] == "response.output_audio.delta"]
        sent_ms = sum(len(delta) * 3 // 4 for delta in deltas) / 8
        tokens = done["response"]["usage"]["output_token_details"]["audio_tokens"]
        assert abs(sent_ms - tokens * 50) <= 50
        talk.leave()

    in_virtual_time(SPOKEN, work)
