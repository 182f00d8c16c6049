"""What every WebSocket backend must do, over real sockets; the same suite for each."""

import asyncio
import logging
import random
from collections.abc import Callable

import pytest

from tests.runtime.manual_timers import ManualTimers
from tests.transports.peers import (
    BINARY,
    CLOSE,
    CONTINUATION,
    PING,
    PONG,
    TEXT,
    RawClient,
    Recorder,
    close_payload,
    frame,
    listening,
    raw_client,
    run,
)
from vivavoce.transports.connection import MESSAGE_LIMIT_BYTES, FrameLink
from vivavoce.transports.picows_connection import PicowsLink
from vivavoce.transports.websockets_connection import WebsocketsLink

MakeLink = Callable[[], FrameLink]

KIB, MIB = 1024, 1024 * 1024
EDGE_SIZES = (1, 2, 125, 126, 127, 4095, 4096, 4097, 8191, 8192, 8193, 65535, 65536, 65537, 200_000, MIB, 4 * MIB)
BACKENDS = [PicowsLink, WebsocketsLink]

pytestmark = pytest.mark.parametrize("make_link", BACKENDS)


def text_of(size_bytes: int, seed: int) -> bytes:
    """Return text in which no two stretches are alike, so that a byte out of place shows."""
    return random.Random(seed).randbytes(size_bytes // 2 + 1).hex().encode()[:size_bytes]


async def _talk(make_link: MakeLink, *frames: bytes) -> tuple[list[tuple[int, bytes]], int]:
    """Send frames to an endpoint that echoes; return the frames until its close frame, and the code it ended with."""
    listener = Recorder()
    listener.is_echoing = True
    async with listening(make_link, listener) as port, raw_client(port) as client:
        await client.upgrade()
        await client.send(*frames)
        answers = [await client.read_frame()]
        while answers[-1][0] != CLOSE:
            answers.append(await client.read_frame())
        client.writer.close()
        return answers, await listener.lost


# Bytes ------------------------------------------------------------------------------------------


def test_messages_of_every_edge_size_come_back_byte_for_byte(make_link: MakeLink) -> None:
    async def scenario() -> list[bytes]:
        listener = Recorder()
        listener.is_echoing = True
        async with listening(make_link, listener) as port, raw_client(port) as client:
            await client.upgrade()
            echoes = []
            for message in messages:
                await client.send(frame(TEXT, message))
                echoes.append((await client.read_frame())[1])
            return echoes

    messages = [text_of(size, size) for size in EDGE_SIZES]

    assert run(scenario()) == messages


def test_messages_sent_at_once_come_back_byte_for_byte(make_link: MakeLink) -> None:
    async def scenario() -> list[bytes]:
        listener = Recorder()
        listener.is_echoing = True
        async with listening(make_link, listener) as port, raw_client(port) as client, asyncio.TaskGroup() as tasks:
            await client.upgrade()
            tasks.create_task(client.send(*(frame(TEXT, message) for message in messages)))
            return [(await client.read_frame())[1] for _ in messages]

    generator = random.Random(7)
    messages = [text_of(generator.choice(EDGE_SIZES[:-2]), seed) for seed in range(300)]

    assert run(scenario()) == messages


@pytest.mark.parametrize("size", [126, 8192, 8193, 65536, 70_000])
def test_200_pipelined_frames_reach_a_delayed_reader_uncorrupted(make_link: MakeLink, size: int) -> None:
    """A backend that reuses a buffer which the transport still holds fails here, if sizes vary from frame to frame."""

    async def scenario() -> list[bytes]:
        listener = Recorder()
        async with listening(make_link, listener) as port:
            async with raw_client(port, receive_buffer_bytes=4096) as client:
                await client.upgrade()
                for message in messages:  # more than the socket takes before anything is read
                    _send(listener, message)
                return [(await client.read_frame())[1] for _ in messages]

    messages = [text_of(length, seed) for seed in range(200) for length in (size + seed % 3, 100 + seed)]

    assert run(scenario()) == messages


def _send(listener: Recorder, message: bytes) -> None:
    assert listener.endpoint is not None
    listener.endpoint.send(message)


# Messages ------------------------------------------------------------------------------------------


def test_fragments_are_joined_and_a_ping_between_them_is_answered_at_once(make_link: MakeLink) -> None:
    frames = [
        frame(TEXT, b"one ", is_last=False),
        frame(PING, b"are you there"),
        frame(CONTINUATION, b"two ", is_last=False),
        frame(CONTINUATION, b"three"),
        frame(CLOSE, close_payload(1000)),
    ]

    answers, _ = run(_talk(make_link, *frames))

    assert answers[:-1] == [(PONG, b"are you there"), (TEXT, b"one two three")]


def test_frames_that_arrive_byte_by_byte_are_read(make_link: MakeLink) -> None:
    async def scenario() -> tuple[str, bytes]:
        listener = Recorder()
        async with listening(make_link, listener) as port, raw_client(port) as client:
            await client.upgrade()
            for byte in frame(TEXT, b"drop by drop"):
                await client.send(bytes([byte]))
            return await listener.messages.get()

    assert run(scenario()) == ("text", b"drop by drop")


def test_a_binary_message_is_told_apart(make_link: MakeLink) -> None:
    async def scenario() -> tuple[str, bytes]:
        listener = Recorder()
        async with listening(make_link, listener) as port, raw_client(port) as client:
            await client.upgrade()
            await client.send(frame(BINARY, b"\xff\x00"))
            return await listener.messages.get()

    assert run(scenario()) == ("binary", b"\xff\x00")


def test_an_empty_message_is_a_message(make_link: MakeLink) -> None:
    answers, _ = run(_talk(make_link, frame(TEXT), frame(CLOSE, close_payload(1000))))

    assert answers[:-1] == [(TEXT, b"")]


# Broken rules ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "frames",
    [
        pytest.param([frame(CONTINUATION, b"x")], id="continuation without a start"),
        pytest.param([frame(TEXT, b"x", is_last=False), frame(TEXT, b"y")], id="start within a message"),
        pytest.param([frame(TEXT, b"x", reserved=4)], id="reserved bit"),
        pytest.param([frame(TEXT, b"x", is_masked=False)], id="no mask"),
        pytest.param([frame(3, b"x")], id="unknown opcode"),
        pytest.param([frame(PING, b"x", is_last=False)], id="fragmented ping"),
        pytest.param([frame(PING, b"x" * 126)], id="long ping"),
        pytest.param([frame(CLOSE, b"\x03")], id="half a close code"),
        pytest.param([frame(CLOSE, close_payload(1005))], id="a close code that must not be sent"),
        pytest.param([frame(CLOSE, close_payload(999))], id="a close code below the range"),
    ],
)
def test_a_broken_framing_rule_closes_with_1002(make_link: MakeLink, frames: list[bytes]) -> None:
    answers, code = run(_talk(make_link, *frames))

    assert int.from_bytes(answers[-1][1][:2], "big") == 1002
    assert code == 1002


@pytest.mark.parametrize("payload", [close_payload(999), close_payload(1004), close_payload(1005), b"\x03"])
def test_what_a_client_does_wrong_is_not_logged(
    make_link: MakeLink, payload: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)

    run(_talk(make_link, frame(CLOSE, payload)))

    assert caplog.records == []


def test_a_close_reason_that_is_not_utf8_closes_with_1007(make_link: MakeLink) -> None:
    answers, _ = run(_talk(make_link, frame(CLOSE, close_payload(1000) + b"\xff")))

    assert int.from_bytes(answers[-1][1][:2], "big") == 1007


def test_a_message_at_the_limit_is_taken(make_link: MakeLink) -> None:
    async def scenario() -> int:
        listener = Recorder()
        async with listening(make_link, listener) as port, raw_client(port) as client:
            await client.upgrade()
            await client.send(frame(TEXT, b"x" * MESSAGE_LIMIT_BYTES))
            return len((await listener.messages.get())[1])

    assert run(scenario()) == MESSAGE_LIMIT_BYTES


def test_a_frame_over_the_limit_closes_with_1009_and_the_close_frame_arrives(make_link: MakeLink) -> None:
    answers, code = run(_talk(make_link, frame(TEXT, b"x" * (MESSAGE_LIMIT_BYTES + 64 * KIB))))

    assert int.from_bytes(answers[-1][1][:2], "big") == 1009
    assert code == 1009


def test_fragments_over_the_limit_close_with_1009(make_link: MakeLink) -> None:
    parts = [frame(CONTINUATION if index else TEXT, b"x" * 3 * MIB, is_last=False) for index in range(8)]

    answers, _ = run(_talk(make_link, *parts))

    assert int.from_bytes(answers[-1][1][:2], "big") == 1009


@pytest.mark.fuzz
def test_after_any_bytes_the_connection_ends_and_the_listener_learns_it_once(make_link: MakeLink) -> None:
    async def scenario(noise: bytes) -> int:
        listener = Recorder()
        async with listening(make_link, listener) as port, raw_client(port) as client:
            await client.upgrade()
            await client.send(noise)
            client.writer.write_eof()
            await client.read_to_end()
            return await listener.lost

    async def scenarios() -> list[int]:
        return [await scenario(noise) for noise in (*heads, *randoms)]

    generator = random.Random(11)
    heads = [bytes([first, second]) + bytes(20) for first in range(0, 256, 5) for second in (0x80, 0xFE, 0xFF, 5)]
    randoms = [generator.randbytes(generator.randrange(300)) for _ in range(100)]

    codes = run(scenarios())

    assert all(1000 <= code < 5000 for code in codes)


def test_nothing_is_delivered_after_a_broken_rule(make_link: MakeLink) -> None:
    answers, _ = run(_talk(make_link, frame(CONTINUATION, b"x"), frame(TEXT, b"too late")))

    assert [opcode for opcode, _ in answers] == [CLOSE]


# Closing ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [1000, 1001, 3000, 4999])
def test_the_clients_close_is_answered_with_its_code(make_link: MakeLink, code: int) -> None:
    answers, learned = run(_talk(make_link, frame(CLOSE, close_payload(code, "bye"))))

    assert int.from_bytes(answers[-1][1][:2], "big") == code
    assert learned == code


def test_an_empty_close_frame_is_told_as_1005(make_link: MakeLink) -> None:
    _, learned = run(_talk(make_link, frame(CLOSE)))

    assert learned == 1005


def test_our_close_frame_follows_what_was_sent_and_waits_for_the_answer(make_link: MakeLink) -> None:
    async def scenario() -> tuple[tuple[int, bytes], tuple[int, str], int]:
        listener = Recorder()
        async with listening(make_link, listener) as port, raw_client(port) as client:
            await client.upgrade()
            await listener.flow.get()
            _send(listener, b"last words")
            assert listener.endpoint is not None
            listener.endpoint.close(4000, "not here")
            last, closed = await client.read_frame(), await client.read_close()
            await client.send(frame(TEXT, b"dropped"), frame(CLOSE, close_payload(4000)))
            assert await client.read_to_end() == b""
            assert listener.messages.empty()
            return last, closed, await listener.lost

    assert run(scenario()) == ((TEXT, b"last words"), (4000, "not here"), 4000)


@pytest.mark.parametrize("is_paused", [False, True])
def test_a_close_from_within_a_message_ends_with_the_clients_answer(make_link: MakeLink, is_paused: bool) -> None:
    async def scenario() -> int:
        listener = Recorder()
        listener.closes_on = b"close"
        listener.pauses_on = b"close" if is_paused else None
        async with listening(make_link, listener, ManualTimers()) as port, raw_client(port) as client:
            await client.upgrade()
            await client.send(frame(TEXT, b"close"))
            assert (await client.read_close())[0] == 4000
            await client.send(frame(CLOSE, close_payload(4000)))
            assert await client.read_to_end() == b""  # no time passes, so nothing else ends it
            return await listener.lost

    assert run(scenario()) == 4000


def test_a_long_close_reason_is_cut_between_characters(make_link: MakeLink) -> None:
    async def scenario() -> tuple[int, str]:
        listener = Recorder()
        async with listening(make_link, listener) as port, raw_client(port) as client:
            await client.upgrade()
            await listener.flow.get()
            assert listener.endpoint is not None
            listener.endpoint.close(1011, "ä" * 100)
            return await client.read_close()

    assert run(scenario()) == (1011, "ä" * 61)


def test_a_client_that_sends_no_more_is_gone(make_link: MakeLink) -> None:
    async def scenario() -> int:
        listener = Recorder()
        async with listening(make_link, listener) as port, raw_client(port) as client:
            await client.upgrade()
            client.writer.write_eof()
            assert await client.read_to_end() == b""
            return await listener.lost

    assert run(scenario()) == 1006


def test_a_reset_connection_is_gone(make_link: MakeLink) -> None:
    async def scenario() -> int:
        listener = Recorder()
        async with listening(make_link, listener) as port, raw_client(port) as client:
            await client.upgrade()
            client.reset()
            return await listener.lost

    assert run(scenario()) == 1006


def test_a_reset_behind_unread_data_is_noticed_at_the_latest_by_the_next_write(make_link: MakeLink) -> None:
    """On uvloop the loop reports such a reset once, aiofastnet's short read does not see it, and no more is reported.

    A ping is a write: so within a ping interval the connection is gone whatever happens.
    """

    async def scenario() -> int:
        listener = Recorder()
        async with listening(make_link, listener) as port, raw_client(port) as client:
            await client.upgrade()
            await client.send(frame(TEXT, b"x" * 3 * MIB)[:-1])
            client.reset()
            while not listener.lost.done():
                _send(listener, b"are you there")
                await asyncio.wait({listener.lost}, timeout=0.01)
            return await listener.lost

    assert run(scenario()) == 1006


# Progress ---------------------------------------------------------------------------------------


def test_progress_changes_with_a_message_and_with_part_of_one_and_not_without(make_link: MakeLink) -> None:
    async def scenario() -> list[int]:
        listener, link = Recorder(), make_link()
        async with listening(lambda: link, listener) as port, raw_client(port) as client:
            await client.upgrade()
            await listener.flow.get()
            seen = [link.progress(), link.progress()]
            await client.send(frame(TEXT, b"whole"))
            await listener.messages.get()
            seen.append(link.progress())
            await client.send(frame(TEXT, b"part")[:-1])
            while link.progress() == seen[-1]:
                await asyncio.wait({listener.lost}, timeout=0.01)
            return [*seen, link.progress()]

    before, still, whole, part = run(scenario())

    assert before == still
    assert len({still, whole, part}) == 3


# Flow ------------------------------------------------------------------------------------------


def test_while_reading_is_paused_messages_wait_in_order_and_pings_are_answered(make_link: MakeLink) -> None:
    async def scenario() -> tuple[list[bytes], int]:
        listener = Recorder()
        async with listening(make_link, listener) as port, raw_client(port) as client:
            await client.upgrade()
            await listener.flow.get()
            await _pause_after_first(listener, client)
            assert listener.messages.empty()
            assert listener.endpoint is not None
            listener.endpoint.resume_reading()
            texts = [(await listener.messages.get())[1] for _ in range(3)]
            return texts, await listener.lost

    assert run(scenario()) == ([b"two", b"three", b"four"], 1000)


async def _pause_after_first(listener: Recorder, client: RawClient) -> None:
    """Send five frames in one segment to a listener that pauses on the first; a pong tells that all were read."""
    endpoint = listener.endpoint
    assert endpoint is not None
    listener.pauses_on = b"one"
    frames = [frame(TEXT, text) for text in (b"one", b"two", b"three", b"four")]
    await client.send(b"".join([*frames, frame(PING, b"p"), frame(CLOSE, close_payload(1000))]))
    assert await listener.messages.get() == ("text", b"one")
    assert await client.read_frame() == (PONG, b"p")


def test_a_client_that_does_not_read_blocks_writing_until_it_reads(make_link: MakeLink) -> None:
    async def scenario() -> list[str]:
        listener = Recorder()
        async with listening(make_link, listener) as port:
            async with raw_client(port, receive_buffer_bytes=4096) as client:
                await client.upgrade()
                flow = [await listener.flow.get()]
                sent = 0
                while listener.flow.empty():
                    _send(listener, b"x" * 10_000)
                    sent += 1
                flow.append(await listener.flow.get())
                for _ in range(sent):
                    await client.read_frame()
                flow.append(await listener.flow.get())
                return flow

    assert run(scenario()) == ["unblock", "block", "unblock"]


def test_a_flood_of_pings_from_a_client_that_does_not_read_is_answered_once(make_link: MakeLink) -> None:
    async def scenario() -> list[tuple[int, bytes]]:
        listener = Recorder()
        async with listening(make_link, listener) as port:
            async with raw_client(port, receive_buffer_bytes=4096) as client:
                await client.upgrade()
                await listener.flow.get()
                while listener.flow.empty():
                    _send(listener, b"x" * 10_000)
                await client.send(*(frame(PING, b"%d" % number) for number in range(1000)), frame(TEXT, b"done"))
                await listener.messages.get()
                _send(listener, b"end")
                answers = [await client.read_frame()]
                while answers[-1][1] != b"999":
                    answers.append(await client.read_frame())
                return [answer for answer in answers if answer[0] == PONG]

    assert run(scenario()) == [(PONG, b"999")]
