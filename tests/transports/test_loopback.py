"""The client in the same process: events as JSON objects, in order, to the end."""

import asyncio
import base64

import pytest

from tests.transports.echo_host import EchoHost, EchoSession
from tests.transports.peers import run
from vivavoce.core.vocabulary import ClientRejected, Disconnected, FromClient
from vivavoce.protocol.client_events import InputAudioBufferClear
from vivavoce.runtime.outbox import HIGH_MARK_BYTES
from vivavoce.runtime.sink import AtCapacity, SessionRequest
from vivavoce.transports.loopback import LoopbackClient, LoopbackClosed

CLEAR = {"type": "input_audio_buffer.clear"}


async def connected() -> tuple[LoopbackClient, EchoSession]:
    """Return a client of an echo session that has seen its first event."""
    host = EchoHost()
    client = LoopbackClient(host, SessionRequest("req_1"))
    assert (await client.next_event())["type"] == "input_audio_buffer.cleared"
    return client, await host.sessions.get()


def test_events_cross_as_json_objects() -> None:
    async def scenario() -> None:
        client, session = await connected()

        client.send({"type": "input_audio_buffer.append", "audio": base64.b64encode(b"\x01\x02").decode()})

        event = await client.next_event()
        assert event["type"] == "response.output_audio.delta"
        assert base64.b64decode(event["delta"]) == b"\x01\x02"

    run(scenario())


def test_a_bad_event_is_rejected_as_on_a_websocket() -> None:
    async def scenario() -> None:
        client, session = await connected()

        client.send({"type": "nonsense"})
        client.send_text(b"{")

        assert [(await client.next_event())["type"] for _ in range(2)] == ["error", "error"]
        assert isinstance(await session.inputs.get(), ClientRejected)

    run(scenario())


def test_iterating_ends_when_the_session_closes() -> None:
    async def scenario() -> None:
        client, session = await connected()
        client.send(CLEAR)
        client.send({"type": "response.cancel"})

        events = [event["type"] async for event in client]

        assert events == ["input_audio_buffer.cleared"]
        assert client.close_code == 1000

    run(scenario())


def test_after_the_end_nothing_can_be_sent_or_read() -> None:
    async def scenario() -> None:
        client, session = await connected()
        client.send({"type": "response.cancel"})

        with pytest.raises(LoopbackClosed, match="closed with 1000: as asked"):
            await client.next_event()
        with pytest.raises(LoopbackClosed):
            client.send(CLEAR)

    run(scenario())


def test_leaving_tells_the_session_once() -> None:
    async def scenario() -> list[object]:
        client, session = await connected()
        async with client:
            client.send(CLEAR)
        client.close()
        return [session.inputs.get_nowait() for _ in range(session.inputs.qsize())]

    assert run(scenario()) == [FromClient(InputAudioBufferClear()), Disconnected(1000)]


def test_a_waiting_client_gets_an_event_when_it_comes() -> None:
    async def scenario() -> None:
        client, session = await connected()
        async with asyncio.TaskGroup() as tasks:
            waiting = tasks.create_task(client.next_event())
            await asyncio.wait({waiting}, timeout=0)
            session.play(b"")
        assert waiting.result()["type"] == "response.output_audio.delta"

    run(scenario())


def test_producers_wait_for_a_client_that_takes_nothing() -> None:
    async def scenario() -> None:
        client, session = await connected()
        session.play(bytes(HIGH_MARK_BYTES))
        async with asyncio.TaskGroup() as tasks:
            waiting = tasks.create_task(session.writable())
            await asyncio.wait({waiting}, timeout=0)
            assert not waiting.done()

            await client.next_event()

    run(scenario())


def test_the_client_can_wait_for_a_session_that_is_behind() -> None:
    async def scenario() -> None:
        client, session = await connected()
        await client.caught_up()
        session.fall_behind()
        async with asyncio.TaskGroup() as tasks:
            waiting = tasks.create_task(client.caught_up())
            await asyncio.wait({waiting}, timeout=0)
            assert not waiting.done()

            session.catch_up()

    run(scenario())


def test_a_full_host_is_an_exception() -> None:
    async def scenario() -> None:
        with pytest.raises(AtCapacity):
            LoopbackClient(EchoHost(limit=0), SessionRequest("req_1"))

    run(scenario())
