"""A session on a WebSocket: what reaches the session, what reaches the client, and when nothing is read."""

import asyncio
import base64
import contextlib
import json
import threading
from collections.abc import AsyncIterator, Callable
from typing import Any

import msgspec
import pytest

from tests.runtime.slow_store import SlowStore
from tests.transports.echo_host import EchoHost, EchoSession
from tests.transports.peers import (
    BINARY,
    CLOSE,
    KEY,
    TEXT,
    RawClient,
    accepting,
    close_payload,
    frame,
    raw_client,
    run,
)
from vivavoce.core.relay.vocabulary import ClientMessage
from vivavoce.core.vocabulary import ClientRejected, Disconnected, FromClient
from vivavoce.dialects.beta import BetaDialect
from vivavoce.protocol.client_events import (
    ClientEvent,
    InputAudioBufferAppend,
    InputAudioBufferClear,
    SessionUpdate,
)
from vivavoce.protocol.response_events import ResponseOutputAudioDelta
from vivavoce.runtime.outbox import HIGH_MARK_BYTES, PersistenceGate
from vivavoce.runtime.sink import SessionRequest
from vivavoce.transports.connection import FrameLink, Handshake
from vivavoce.transports.parsing import MessageParser
from vivavoce.transports.picows_connection import PicowsLink
from vivavoce.transports.websocket import WebSocketSession
from vivavoce.transports.websockets_connection import WebsocketsLink

CLEAR = b'{"type":"input_audio_buffer.clear"}'
COMMIT = b'{"type":"input_audio_buffer.commit"}'

MakeLink = Callable[[], FrameLink]

pytestmark = pytest.mark.parametrize("make_link", [PicowsLink, WebsocketsLink])


class Talk:
    """A client, and the session at the other end."""

    def __init__(self, client: RawClient, session: EchoSession) -> None:
        self.client = client
        self.session = session

    async def send(self, *messages: bytes) -> None:
        await self.client.send(*(frame(TEXT, message) for message in messages))

    async def next_event(self) -> dict[str, Any]:  # JSON boundary
        opcode, payload = await self.client.read_frame()
        assert opcode == TEXT, f"expected an event, got opcode {opcode}: {payload!r}"
        event: dict[str, Any] = json.loads(payload)
        return event

    async def next_input(self) -> object:
        return await self.session.inputs.get()


@contextlib.asynccontextmanager
async def talking(
    make_link: MakeLink,
    host: EchoHost | None = None,
    *,
    gate: PersistenceGate | None = None,
    parser: MessageParser | None = None,
    dialect: BetaDialect | None = None,
    receive_buffer_bytes: int | None = None,
) -> AsyncIterator[Talk]:
    """Connect a client to an echo session and skip its first event."""
    chosen = host or EchoHost()
    ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    with contextlib.closing(parser or MessageParser()) as used:
        loop = asyncio.get_running_loop()
        websocket = WebSocketSession(make_link(), loop, used, gate=gate, dialect=dialect, ended=ended.set_result)
        session = chosen.open(SessionRequest("req_1"), websocket.sink)
        begin = lambda transport: websocket.start(session, transport, Handshake(KEY))  # noqa: E731
        async with accepting(begin) as port:
            async with raw_client(port, receive_buffer_bytes=receive_buffer_bytes) as client:
                await client.upgrade()
                talk = Talk(client, await chosen.sessions.get())
                assert (await talk.next_event())["type"] == "input_audio_buffer.cleared"
                yield talk
            await ended


# Both ways ------------------------------------------------------------------------------------------


def test_events_sent_before_the_upgrade_was_answered_come_first(make_link: MakeLink) -> None:
    async def scenario() -> None:
        async with talking(make_link):
            pass  # `talking` reads the event that the host sent while it opened the session

    run(scenario())


def test_audio_goes_in_and_comes_out_as_it_was(make_link: MakeLink) -> None:
    async def scenario() -> dict[str, Any]:
        async with talking(make_link) as talk:
            await talk.send(b'{"type":"input_audio_buffer.append","audio":"%s"}' % base64.b64encode(audio))
            return await talk.next_event()

    audio = bytes(range(256)) * 8

    event = run(scenario())

    assert event["type"] == "response.output_audio.delta"
    assert base64.b64decode(event["delta"]) == audio


def test_bad_json_is_an_error_event_and_the_connection_stays(make_link: MakeLink) -> None:
    async def scenario() -> list[str]:
        async with talking(make_link) as talk:
            await talk.send(b'{"type":', b"[]", b"null", b"", CLEAR)
            return [(await talk.next_event())["type"] for _ in range(5)]

    assert run(scenario()) == ["error"] * 4 + ["input_audio_buffer.cleared"]


def test_a_binary_frame_is_an_error_event_and_the_connection_stays(make_link: MakeLink) -> None:
    async def scenario() -> list[dict[str, Any]]:
        async with talking(make_link) as talk:
            await talk.client.send(frame(BINARY, b"\x00\x01"), frame(TEXT, CLEAR))
            return [await talk.next_event(), await talk.next_event()]

    refused, after = run(scenario())

    assert refused["error"]["code"] == "invalid_event"
    assert "binary" in refused["error"]["message"]
    assert after["type"] == "input_audio_buffer.cleared"


@pytest.mark.parametrize("padding", [0, 300_000])
def test_text_that_is_not_utf8_closes_with_1007(make_link: MakeLink, padding: int) -> None:
    async def scenario() -> tuple[tuple[int, str], int | None]:
        async with talking(make_link) as talk:
            await talk.send(b" " * padding + b'{"type": "\xc3\x28"}')
            closed = await talk.client.read_close()
            await talk.client.send(frame(CLOSE, close_payload(1007)))
            return closed, await talk.session.disconnected()

    (code, _), learned = run(scenario())

    assert (code, learned) == (1007, 1007)


def test_the_fast_encoding_is_the_event_of_the_protocol(make_link: MakeLink) -> None:
    async def scenario() -> bytes:
        async with talking(make_link) as talk:
            talk.session.play(b"\x01\x02\x03\x04")
            return (await talk.client.read_frame())[1]

    event = msgspec.json.decode(run(scenario()), type=ResponseOutputAudioDelta)

    assert (event.response_id, event.item_id, event.delta) == ("resp_1", "item_1", b"\x01\x02\x03\x04")


# Sessions that take messages ------------------------------------------------------------------------------


def test_a_session_that_takes_messages_gets_them_and_gives_them_byte_for_byte(make_link: MakeLink) -> None:
    async def scenario() -> list[tuple[object, bytes]]:
        async with talking(make_link, EchoHost(takes_messages=True)) as talk:
            await talk.send(*messages)
            return [(await talk.next_input(), (await talk.client.read_frame())[1]) for _ in messages]

    messages = (b'{ "type":"of.tomorrow", "a": 1.0 }', b'{"type":', "é".encode(), b"")

    assert run(scenario()) == [(ClientMessage(message), message) for message in messages]


def test_of_a_large_message_the_session_gets_the_json_unless_it_is_audio(make_link: MakeLink) -> None:
    async def scenario() -> list[object]:
        async with talking(make_link, EchoHost(takes_messages=True)) as talk:
            await talk.send(update, append)
            received = [await talk.next_input() for _ in range(2)]
            assert [(await talk.client.read_frame())[1] for _ in range(2)] == [update, append]
            return received

    text = "x" * 300_000
    update = b'{"type":"session.update","session":{"instructions":"%s"}}' % text.encode()
    append = b'{"type":"input_audio_buffer.append","audio":"%s"}' % base64.b64encode(bytes(300_000))
    body = {"type": "session.update", "session": {"instructions": text}}

    assert run(scenario()) == [ClientMessage(update, body), ClientMessage(append)]


@pytest.mark.parametrize("message", [b"[%s]", b'{"type":"x","type":"y","a":%s}', b'{"type":7,"a":%s}'])
def test_a_large_message_that_is_no_event_is_refused(make_link: MakeLink, message: bytes) -> None:
    async def scenario() -> str:
        async with talking(make_link, EchoHost(takes_messages=True)) as talk:
            await talk.send(message % (b'"%s"' % (b"x" * 300_000)))
            return str((await talk.next_event())["type"])

    assert run(scenario()) == "error"


@pytest.mark.parametrize("padding", [0, 300_000])
@pytest.mark.parametrize("dialect", [None, BetaDialect()])
def test_a_message_that_is_not_utf8_is_not_passed_on(
    make_link: MakeLink, dialect: BetaDialect | None, padding: int
) -> None:
    async def scenario() -> tuple[int, str]:
        async with talking(make_link, EchoHost(takes_messages=True), dialect=dialect) as talk:
            await talk.send(b" " * padding + b'{"type": "\xc3\x28"}')
            return await talk.client.read_close()

    assert run(scenario())[0] == 1007


# Clients of the beta ------------------------------------------------------------------------------------------

UPDATE = b'{"type":"session.update","event_id":"e1","session":{"temperature":0.7,"voice":"ash"}}'


def test_the_audio_for_a_client_of_the_beta_has_its_name(make_link: MakeLink) -> None:
    async def scenario() -> dict[str, Any]:
        async with talking(make_link, dialect=BetaDialect()) as talk:
            talk.session.play(b"\x01\x02")
            return await talk.next_event()

    assert run(scenario())["type"] == "response.audio.delta"


def test_what_a_client_of_the_beta_says_becomes_an_event_of_today(make_link: MakeLink) -> None:
    async def scenario() -> tuple[object, object]:
        dialect = BetaDialect()
        async with talking(make_link, dialect=dialect) as talk:
            await talk.send(UPDATE)
            return await talk.next_input(), dialect.temperature

    received, temperature = run(scenario())

    assert isinstance(received, FromClient) and isinstance(received.event, SessionUpdate)
    audio = received.event.session.audio
    assert audio is not None and audio.output is not None
    assert (audio.output.voice, temperature) == ("ash", 0.7)


def test_a_mistake_of_a_client_of_the_beta_is_told_in_its_own_names(make_link: MakeLink) -> None:
    async def scenario() -> dict[str, Any]:
        async with talking(make_link, dialect=BetaDialect()) as talk:
            await talk.send(UPDATE.replace(b'"ash"', b"7"))
            return await talk.next_event()

    error = run(scenario())["error"]

    assert (error["code"], error["param"], error["event_id"]) == ("invalid_type", "session.voice", "e1")


def test_messages_of_a_client_of_the_beta_are_passed_as_those_of_today(make_link: MakeLink) -> None:
    async def scenario() -> list[object]:
        async with talking(make_link, EchoHost(takes_messages=True), dialect=BetaDialect()) as talk:
            await talk.send(UPDATE, UPDATE.replace(b"0.7", b"7"), CLEAR)
            return [await talk.next_input() for _ in range(3)]

    update, refused, clear = run(scenario())

    assert isinstance(update, ClientMessage)
    session = msgspec.json.decode(update.message)["session"]
    assert session == {"type": "realtime", "audio": {"output": {"voice": "ash"}}}
    assert isinstance(refused, ClientRejected)
    assert refused.error.param == "session.temperature"
    assert clear == ClientMessage(CLEAR)


def test_a_large_message_of_a_client_of_the_beta_comes_with_its_json_of_today(make_link: MakeLink) -> None:
    async def scenario() -> object:
        async with talking(make_link, EchoHost(takes_messages=True), dialect=BetaDialect()) as talk:
            large = b'"temperature":0.7,"instructions":"%s"' % (b"x" * 300_000)
            await talk.send(UPDATE.replace(b'"temperature":0.7', large))
            return await talk.next_input()

    received = run(scenario())

    assert isinstance(received, ClientMessage) and received.body is not None
    assert received.body == msgspec.json.decode(received.message)
    assert received.body["session"]["audio"] == {"output": {"voice": "ash"}}


def test_messages_that_are_passed_on_reach_a_client_of_the_beta_in_its_dialect(make_link: MakeLink) -> None:
    async def scenario() -> list[bytes]:
        async with talking(make_link, EchoHost(takes_messages=True), dialect=BetaDialect()) as talk:
            for message in (delta, done, later):
                talk.session.pass_on(message)
            return [(await talk.client.read_frame())[1] for _ in range(2)]

    delta = b'{"type":"response.output_audio.delta","delta":"AAAA"}'
    done = b'{"type":"conversation.item.done","item":{}}'
    later = b'{"type":"of.tomorrow"}'

    assert run(scenario()) == [delta.replace(b"output_audio", b"audio"), later]


# Reading stops ------------------------------------------------------------------------------------------


def test_a_large_message_keeps_its_place_among_small_ones(make_link: MakeLink) -> None:
    async def scenario() -> list[str]:
        large = b'{"type":"conversation.item.delete","item_id":"' + b"x" * 300_000 + b'"}'
        async with talking(make_link) as talk:
            await talk.send(CLEAR, large, COMMIT)
            return [_name_of(await talk.next_input()) for _ in range(3)]

    assert run(scenario()) == ["InputAudioBufferClear", "ConversationItemDelete", "InputAudioBufferCommit"]


def test_an_append_of_15_mib_arrives_whole(make_link: MakeLink) -> None:
    async def scenario() -> int:
        async with talking(make_link) as talk:
            audio = base64.b64encode(bytes(15 * 1024 * 1024))
            await talk.send(b'{"type":"input_audio_buffer.append","audio":"' + audio + b'"}')
            received = await talk.next_input()
            assert isinstance(received, FromClient)
            assert isinstance(received.event, InputAudioBufferAppend)
            return len(received.event.audio)

    assert run(scenario()) == 15 * 1024 * 1024


def test_while_the_session_is_behind_nothing_more_is_delivered(make_link: MakeLink) -> None:
    async def scenario() -> None:
        async with talking(make_link) as talk:
            talk.session.fall_behind()
            await talk.send(CLEAR, COMMIT)
            await talk.client.send(frame(9, b"p"))
            assert _name_of(await talk.next_input()) == "InputAudioBufferClear"
            assert (await talk.next_event())["type"] == "input_audio_buffer.cleared"
            assert talk.session.inputs.empty()

            talk.session.catch_up()

            assert _name_of(await talk.next_input()) == "InputAudioBufferCommit"

    run(scenario())


def test_from_a_client_that_does_not_read_nothing_is_read_until_it_does(make_link: MakeLink) -> None:
    async def scenario() -> None:
        async with talking(make_link, receive_buffer_bytes=4096) as talk:
            sent = await _fill(talk.session)
            await talk.send(CLEAR)
            assert talk.session.inputs.empty()

            for _ in range(sent):
                await talk.next_event()

            assert _name_of(await talk.next_input()) == "InputAudioBufferClear"
            await talk.session.writable()
            assert sent * 8_000 * 4 / 3 > HIGH_MARK_BYTES

    run(scenario())


async def _fill(session: EchoSession) -> int:
    """Play pieces of 8000 bytes until the outbox takes no more; return how many."""
    sent = 0
    while True:
        session.play(bytes(8_000))
        sent += 1
        async with asyncio.TaskGroup() as tasks:
            waiting = tasks.create_task(session.writable())
            _, pending = await asyncio.wait({waiting}, timeout=0)
            if pending:
                waiting.cancel()
                return sent


# Ends ------------------------------------------------------------------------------------------


def test_the_session_learns_once_that_its_client_is_gone(make_link: MakeLink) -> None:
    async def scenario() -> list[object]:
        async with talking(make_link) as talk:
            await talk.client.send(frame(CLOSE, close_payload(1000)))
            assert await talk.client.read_close() == (1000, "")
            assert await talk.client.read_to_end() == b""
            received = [await talk.next_input()]
        while not talk.session.inputs.empty():
            received.append(talk.session.inputs.get_nowait())
        return received

    assert run(scenario()) == [Disconnected(1000)]


def test_a_session_that_closes_is_told_when_its_client_is_gone(make_link: MakeLink) -> None:
    async def scenario() -> tuple[tuple[int, str], int | None]:
        async with talking(make_link) as talk:
            await talk.send(b'{"type":"response.cancel"}')
            closed = await talk.client.read_close()
            await talk.client.send(frame(CLOSE, close_payload(1000)))
            return closed, await talk.session.disconnected()

    assert run(scenario()) == ((1000, "as asked"), 1000)


def test_a_client_that_resets_is_gone(make_link: MakeLink) -> None:
    async def scenario() -> int | None:
        async with talking(make_link) as talk:
            talk.client.reset()
            return await talk.session.disconnected()

    assert run(scenario()) == 1006


def test_an_exception_out_of_the_session_closes_it_with_1011(
    make_link: MakeLink, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario() -> tuple[int, str]:
        async with talking(make_link) as talk:
            await talk.send(b'{"type":"conversation.item.delete","item_id":"boom"}')
            return await talk.client.read_close()

    code, reason = run(scenario())

    assert code == 1011
    assert "a bug" not in reason
    assert any(record.exc_info for record in caplog.records)


def test_a_client_that_leaves_while_its_message_is_parsed_is_noticed_afterwards(make_link: MakeLink) -> None:
    async def scenario() -> list[object]:
        loop, is_parsing, go_on = asyncio.get_running_loop(), asyncio.Event(), threading.Event()

        def decode(payload: bytes) -> ClientEvent:
            loop.call_soon_threadsafe(is_parsing.set)
            go_on.wait()
            return InputAudioBufferClear()

        async with talking(make_link, parser=MessageParser(decode)) as talk:
            await talk.send(b" " * 300_000)
            await is_parsing.wait()
            talk.client.reset()
            go_on.set()
            return [await talk.next_input(), await talk.next_input()]

    assert run(scenario()) == [FromClient(InputAudioBufferClear()), Disconnected(1006)]


# Durability ------------------------------------------------------------------------------------------


def test_a_final_event_waits_until_it_is_durable(make_link: MakeLink) -> None:
    async def scenario() -> list[str]:
        store = SlowStore()
        async with talking(make_link, gate=store) as talk:
            await talk.send(COMMIT, CLEAR)
            await store.asked.wait()
            await store.persist(2)
            return [(await talk.next_event())["type"] for _ in range(2)]

    assert run(scenario()) == ["input_audio_buffer.committed", "input_audio_buffer.cleared"]


@pytest.mark.parametrize(("status", "is_final"), [("completed", True), ("in_progress", False)])
def test_an_item_that_a_client_of_the_beta_is_told_of_once_waits_until_it_is_durable(
    make_link: MakeLink, status: str, is_final: bool
) -> None:
    async def scenario() -> bool:
        store = SlowStore()
        async with talking(make_link, EchoHost(takes_messages=True), gate=store, dialect=BetaDialect()) as talk:
            await talk.send(b'{"type":"conversation.item.added","item":{"id":"a","status":"%s"}}' % status.encode())
            await talk.next_input()
            was_asked = store.asked.is_set() if not is_final else await store.asked.wait()
            await store.persist(2)
            assert (await talk.next_event())["type"] == "conversation.item.created"
            return was_asked

    assert run(scenario()) is is_final


def test_when_storage_fails_the_client_is_told_and_nothing_is_acknowledged(
    make_link: MakeLink, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario() -> tuple[dict[str, Any], tuple[int, str]]:
        store = SlowStore()
        async with talking(make_link, gate=store) as talk:
            await talk.send(COMMIT)
            await store.asked.wait()
            await store.fail(OSError("disk full"))
            return await talk.next_event(), await talk.client.read_close()

    event, (code, _) = run(scenario())

    assert event["error"]["code"] == "storage_unavailable"
    assert event["error"]["type"] == "server_error"
    assert code == 1011
    assert any(record.exc_info for record in caplog.records)


def _name_of(received: object) -> str:
    assert isinstance(received, FromClient), f"expected a client event, got {received!r}"
    return type(received.event).__name__
