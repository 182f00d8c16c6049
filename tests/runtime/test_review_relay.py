"""Relayed sessions against upstreams that a test moves by hand: what is read, what is counted, what is left behind."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from vivavoce.config.prices import load_prices
from vivavoce.core.ledger import Budget
from vivavoce.core.prices import NANO
from vivavoce.core.relay.vocabulary import ClientMessage, UpstreamFault
from vivavoce.core.spending import SpendingBook
from vivavoce.core.vocabulary import Disconnected, PlayAudio
from vivavoce.engines.llm.scripted import ScriptedGenerator
from vivavoce.engines.script import load_script
from vivavoce.engines.stt.scripted import ScriptedTranscriber
from vivavoce.engines.tts.scripted import ScriptedSynthesizer
from vivavoce.engines.vad.scripted import ScriptedDetector
from vivavoce.protocol.codec import encode_server_event
from vivavoce.protocol.ids import CountingIds
from vivavoce.protocol.server_events import ServerEvent
from vivavoce.runtime.clock import LoopClock
from vivavoce.runtime.local_upstream import LocalUpstream
from vivavoce.runtime.performers import EngineSet
from vivavoce.runtime.registry import Registry, SessionSettings
from vivavoce.runtime.relay_flow import TURN_MESSAGES
from vivavoce.runtime.relays import RelayPlan
from vivavoce.runtime.sink import AtCapacity, LiveSession, SessionRequest
from vivavoce.runtime.upstreams import UpstreamListener, UpstreamRequest, UpstreamUnavailable
from vivavoce.testing.virtual import run_virtual

SESSION = {"type": "realtime", "object": "realtime.session", "id": "sess_up", "model": "gpt-realtime"}
CREATED = json.dumps({"type": "session.created", "event_id": "e1", "session": SESSION}).encode()
APPEND = b'{"type":"input_audio_buffer.append","audio":"AAAA"}'
UPDATE = b'{"type":"session.update","session":{"type":"realtime","instructions":"x"}}'
KEY = "key-1"
DOWN = UpstreamUnavailable(UpstreamFault("refused", "It is down."))

Json = dict[str, Any]  # JSON boundary: events as they come


class Link:
    """A link whose other end is the test."""

    def __init__(self, listener: UpstreamListener) -> None:
        self.listener = listener
        self.sent: list[bytes] = []
        self.is_reading = True
        self.is_open = True

    def send(self, message: bytes) -> None:
        self.sent.append(message)

    def pause_reading(self) -> None:
        self.is_reading = False

    def resume_reading(self) -> None:
        self.is_reading = True

    def close(self) -> None:
        self.is_open = False

    def abort(self) -> None:
        self.is_open = False

    def lose(self, code: int = 1006) -> None:
        self.is_open = False
        self.listener.link_closed(code, "")


class Upstreams:
    """An upstream that greets everyone, until it is told otherwise."""

    name = "upstream"

    def __init__(self) -> None:
        self.links: list[Link] = []
        self.fault: Exception | None = None
        self.greeting: Callable[[Link], object] = lambda link: link.listener.receive(CREATED)
        self.requests: list[UpstreamRequest] = []

    async def connect(self, request: UpstreamRequest, listener: UpstreamListener) -> Link:
        self.requests.append(request)
        if self.fault is not None:
            raise self.fault
        link = Link(listener)
        self.links.append(link)
        asyncio.get_running_loop().call_soon(self.greeting, link)
        return link

    async def close(self) -> None: ...


class Outlet:
    """What the client gets."""

    def __init__(self) -> None:
        self.messages: list[bytes] = []
        self.end: tuple[int, str] | None = None

    @property
    def events(self) -> list[Json]:
        return [json.loads(message) for message in self.messages]

    @property
    def types(self) -> list[str]:
        return [event["type"] for event in self.events]

    def send(self, sequence: int, event: ServerEvent) -> None:
        self.messages.append(encode_server_event(event))

    def play(self, sequence: int, audio: PlayAudio) -> None:
        raise AssertionError("a relayed session passes on")

    def pass_on(self, sequence: int, message: bytes, *, is_final: bool = False) -> None:
        self.messages.append(message)

    def clear_playout(self, response_id: str) -> None: ...

    def close(self, code: int, reason: str) -> None:
        self.end = (code, reason)

    async def writable(self) -> None: ...


def engines() -> EngineSet:
    script = load_script("")
    return EngineSet(
        name="scripted",
        detector=ScriptedDetector(script),
        transcriber=ScriptedTranscriber(script),
        generator=ScriptedGenerator(script),
        synthesizer=ScriptedSynthesizer(script),
    )


class Relay:
    """A registry that relays everything to `upstreams`, or goes on in scripted engines."""

    def __init__(self, *, fails_over: bool = False, book: SpendingBook | None = None, **plan: Any) -> None:
        self.upstreams = Upstreams()
        local = LocalUpstream("scripted", lambda wanted, sink: self.registry.open_failover(wanted, sink, engines()))
        connectors = (self.upstreams, local) if fails_over else (self.upstreams,)
        self.plan = RelayPlan(connectors=connectors, models=("gpt-*",), **plan)
        settings = SessionSettings(
            default_model="scripted",
            voice="marin",
            instructions="",
            max_sessions=2,
            max_sessions_per_key=1,
            relay=self.plan,
            tools=self.plan.tools,
            spending=book,
        )
        self.registry = Registry({"scripted": engines()}, settings, LoopClock(), CountingIds())

    def open(self, key: str | None = KEY) -> tuple[LiveSession, Outlet]:
        """Open a session of a relayed model."""
        outlet = Outlet()
        return self.registry.open(SessionRequest("req_1", "gpt-realtime", key), outlet), outlet

    @property
    def link(self) -> Link:
        """The newest link."""
        return self.upstreams.links[-1]


def post(session: LiveSession, message: bytes) -> None:
    """Post a message as a transport does for a session that takes messages."""
    session.post(ClientMessage(message))  # type: ignore[arg-type]  # as `transports.parsing` has it


async def turns(count: int = 20) -> None:
    """Let everything that waits for a turn of the loop have one."""
    for _ in range(count):
        turn = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_soon(turn.set_result, None)
        await turn


async def later(seconds: float) -> None:
    """Let virtual time pass."""
    passed = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_later(seconds, passed.set_result, None)
    await passed


# What is read -----------------------------------------------------------------------------------------------------


def test_a_client_is_read_again_when_a_link_that_took_nothing_was_lost() -> None:
    async def work() -> None:
        relay = Relay()
        session, _ = relay.open()
        await turns()
        relay.link.listener.block_writing()
        assert session.is_behind()

        relay.link.lose()
        await turns()

        assert len(relay.upstreams.links) == 2
        assert not session.is_behind()
        await session.caught_up()

    run_virtual(work())


def test_a_link_in_use_that_takes_nothing_holds_the_client_whatever_the_next_one_says() -> None:
    async def work() -> None:
        relay = Relay(rollover_s=10.0)
        relay.upstreams.greeting = lambda link: None
        session, _ = relay.open()
        await turns()
        first = relay.link
        first.listener.receive(CREATED)
        await later(11)
        second = relay.link
        assert second is not first

        first.listener.block_writing()
        second.listener.block_writing()
        second.listener.unblock_writing()

        assert session.is_behind()
        first.listener.unblock_writing()
        assert not session.is_behind()

    run_virtual(work())


def test_a_little_is_held_while_there_is_no_upstream_so_that_a_client_that_leaves_is_noticed() -> None:
    async def work() -> None:
        relay = Relay()
        relay.upstreams.greeting = lambda link: None
        session, _ = relay.open()

        post(session, UPDATE)

        assert not session.is_behind()

    run_virtual(work())


@pytest.mark.parametrize("message", [APPEND, UPDATE, b"{}", b"x" * 100_000], ids=["audio", "update", "tiny", "large"])
def test_a_client_that_floods_before_there_is_an_upstream_is_soon_not_read(message: bytes) -> None:
    async def work() -> None:
        relay = Relay()
        relay.upstreams.greeting = lambda link: None
        session, outlet = relay.open()

        count = 0
        while not session.is_behind():
            post(session, message)
            count += 1
            await turns(2)  # a flood makes it rest for a turn besides

        assert count * len(message) < 200_000
        assert count < 1000
        await turns()
        relay.link.listener.receive(CREATED)
        assert not session.is_behind()
        assert outlet.types[0] == "session.created"

    run_virtual(work())


def test_a_client_that_takes_nothing_keeps_its_upstream_unread_also_after_a_change() -> None:
    async def work() -> None:
        relay = Relay()
        session, _ = relay.open()
        await turns()

        session.set_full(True)
        assert not relay.link.is_reading
        relay.link.lose()
        await turns()

        assert len(relay.upstreams.links) == 2
        assert not relay.link.is_reading
        session.set_full(False)
        assert relay.link.is_reading

    run_virtual(work())


@pytest.mark.parametrize("message", [APPEND, b'{"type":"response.cancel"}'], ids=["audio", "event"])
def test_a_client_that_floods_rests_for_a_turn_of_the_loop(message: bytes) -> None:
    async def work() -> None:
        relay = Relay()
        session, _ = relay.open()
        await turns()

        for _ in range(TURN_MESSAGES):
            assert not session.is_behind()
            post(session, message)

        assert session.is_behind()
        await turns()
        assert not session.is_behind()

    run_virtual(work())


def test_an_upstream_that_floods_rests_for_a_turn_of_the_loop_unless_nobody_reads_it_anyway() -> None:
    async def work() -> None:
        relay = Relay()
        session, _ = relay.open()
        await turns()

        seen = []
        for _ in range(TURN_MESSAGES - 1):
            seen.append(relay.link.is_reading)
            relay.link.listener.receive(b'{"type":"tiny"}')
        seen.append(relay.link.is_reading)
        await turns()
        seen.append(relay.link.is_reading)
        assert seen == [True] * (TURN_MESSAGES - 1) + [False, True]

        for _ in range(TURN_MESSAGES):
            relay.link.listener.receive(b'{"type":"tiny"}')
        session.set_full(True)
        await turns()
        assert not relay.link.is_reading

    run_virtual(work())


# Retry storms -----------------------------------------------------------------------------------------------------


def test_an_upstream_that_greets_and_closes_is_not_dialled_without_end() -> None:
    async def work() -> None:
        relay = Relay(retry_s=30.0)

        def greet_and_close(link: Link) -> None:
            link.listener.receive(CREATED)
            if len(relay.upstreams.links) < 100:
                link.lose(1011)

        relay.upstreams.greeting = greet_and_close
        _, outlet = relay.open()
        await later(60)

        assert len(relay.upstreams.links) < 30
        assert outlet.end is not None and outlet.end[0] == 1013

    run_virtual(work())


def test_sessions_that_lost_their_upstream_at_once_do_not_come_back_at_once() -> None:
    async def work() -> None:
        relays = [Relay(retry_s=30.0) for _ in range(40)]
        for relay in relays:
            relay.upstreams.fault = DOWN
            relay.open()

        loop, seen = asyncio.get_running_loop(), 0
        times: dict[float, int] = {}
        for _ in range(3000):
            await later(0.001)
            count = sum(len(relay.upstreams.requests) for relay in relays)
            if count > seen and loop.time() > 0.2:
                times[round(loop.time(), 3)] = count - seen
            seen = count

        assert times
        assert max(times.values()) <= 10, times

    run_virtual(work())


# What an upstream raises ------------------------------------------------------------------------------------------


def test_a_connector_that_raises_what_nobody_expected_is_as_one_that_refuses() -> None:
    async def work() -> None:
        relay = Relay(fails_over=True, retry_s=0.0)
        relay.upstreams.fault = KeyError("scripted")
        session, outlet = relay.open()

        await later(1)

        assert outlet.events[0]["session"]["vivavoce"]["engine"] == "scripted"
        session.post(Disconnected())

    run_virtual(work())


# Order ------------------------------------------------------------------------------------------------------------


class Prompt:
    """An upstream that answers within the call, as a pipeline of this process may."""

    name = "prompt"

    async def connect(self, request: UpstreamRequest, listener: UpstreamListener) -> Link:
        link = PromptLink(listener)
        asyncio.get_running_loop().call_soon(listener.receive, CREATED)
        return link

    async def close(self) -> None: ...


class PromptLink(Link):
    """Answers `response.create` before `send` returns."""

    def send(self, message: bytes) -> None:
        if json.loads(message)["type"] != "response.create":
            return
        response = {"id": "resp_1", "object": "realtime.response", "status": "in_progress", "output": []}
        where = {"response_id": "resp_1", "item_id": "item_1", "output_index": 0, "content_index": 0}
        item = {"id": "item_1", "type": "message", "role": "assistant", "status": "in_progress", "content": []}
        for event in (
            {"type": "response.created", "event_id": "e2", "response": response},
            {"type": "response.output_item.added", "event_id": "e3", "response_id": "resp_1", "output_index": 0,
             "item": item},
            {"type": "response.output_audio.delta", "event_id": "e4", **where, "delta": "AAAA"},
        ):  # fmt: skip
            self.listener.receive(msgspec.json.encode(event))


def test_audio_that_comes_within_a_call_does_not_overtake_what_came_before_it() -> None:
    async def work() -> None:
        relay = Relay()
        settings = msgspec.structs.replace(relay.plan, connectors=(Prompt(),))
        relay.registry._settings = msgspec.structs.replace(relay.registry._settings, relay=settings)
        session, outlet = relay.open()
        await turns()

        post(session, b'{"type":"response.create"}')

        wanted = ["session.created", "response.created", "response.output_item.added", "response.output_audio.delta"]
        assert outlet.types == wanted

    run_virtual(work())


# Nothing is left behind -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("phase", ["dialling", "greeting", "waiting", "live", "rolling over", "failed over"])
def test_a_client_that_leaves_takes_its_links_and_tasks_with_it(phase: str) -> None:
    async def work() -> None:
        relay = Relay(fails_over=phase == "failed over", retry_s=0.0 if phase == "failed over" else 30.0, rollover_s=10)
        before = asyncio.all_tasks()
        upstreams = relay.upstreams
        if phase in ("greeting", "rolling over"):
            upstreams.greeting = lambda link: None
        if phase in ("waiting", "failed over"):
            upstreams.fault = DOWN
        session, outlet = relay.open()
        if phase == "rolling over":
            await turns()
            relay.link.listener.receive(CREATED)
            await later(11)
            assert len(upstreams.links) == 2
        elif phase == "failed over":
            await later(1)
            assert outlet.types == ["session.created"]
        elif phase != "dialling":
            await turns()

        session.post(Disconnected())
        await turns()

        assert len(relay.registry) == 0
        assert asyncio.all_tasks() == before
        assert not any(link.is_open for link in upstreams.links)
        dials = len(upstreams.requests)
        await later(60)
        assert len(upstreams.requests) == dials

    run_virtual(work())


# A conversation that goes on here -----------------------------------------------------------------------------------


async def failed_over(relay: Relay, key: str | None = KEY) -> tuple[LiveSession, Outlet]:
    relay.upstreams.fault = DOWN
    session, outlet = relay.open(key)
    await later(1)
    return session, outlet


def test_a_session_that_goes_on_here_is_counted_once() -> None:
    async def work() -> None:
        relay = Relay(fails_over=True, retry_s=0.0)

        first, _ = await failed_over(relay)

        assert len(relay.registry) == 1
        with pytest.raises(AtCapacity, match="This key"):
            relay.open()
        second, _ = relay.open("key-2")
        with pytest.raises(AtCapacity, match="The server"):
            relay.open("key-3")
        first.post(Disconnected())
        second.post(Disconnected())
        await turns()
        assert len(relay.registry) == 0

    run_virtual(work())


def test_a_session_that_goes_on_here_keeps_its_model() -> None:
    async def work() -> None:
        _, outlet = await failed_over(Relay(fails_over=True, retry_s=0.0))

        session = outlet.events[0]["session"]
        assert session["model"] == "gpt-realtime"
        assert session["vivavoce"]["engine"] == "scripted"

    run_virtual(work())


def test_responses_of_this_machine_cost_nothing_and_need_no_budget() -> None:
    async def work() -> None:
        prices = load_prices(None)
        assert prices.find("gpt-realtime") is not None
        book = SpendingBook(prices, Budget(1, NANO))  # a budget that no response of gpt-realtime fits
        relay = Relay(fails_over=True, retry_s=0.0, book=book)
        session, outlet = await failed_over(relay)

        post(session, b'{"type":"response.create"}')
        await later(10)

        assert "error" not in outlet.types, outlet.events[-1]
        assert outlet.types[-1] == "response.done"
        totals = book.ledger(KEY, 0.0).totals(0.0)
        assert totals.nano == 0
        assert list(totals.models) == ["local"]
        session.post(Disconnected())

    run_virtual(work())


def test_draining_ends_a_session_that_goes_on_here_once() -> None:
    async def work() -> None:
        relay = Relay(fails_over=True, retry_s=0.0)
        session, outlet = await failed_over(relay)

        relay.registry.drain()
        await later(1)

        assert outlet.end == (1012, "The server is restarting.")
        assert "error" not in outlet.types
        session.post(Disconnected())
        assert len(relay.registry) == 0

    run_virtual(work())
