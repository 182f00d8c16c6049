"""The endpoint's timing and closing against a scripted link; time is moved by hand."""

import asyncio
from collections.abc import Callable
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.runtime.manual_timers import ManualTimers
from tests.transports.peers import CLOSE, CONTINUATION, PONG, TEXT, close_payload
from vivavoce.transports.connection import (
    LINGER_S,
    PING_INTERVAL_S,
    FrameError,
    FrameReceiver,
    Handshake,
    MessageJoiner,
    TextSender,
    cut_reason,
    is_utf8,
    parse_close,
)
from vivavoce.transports.endpoint import Endpoint
from vivavoce.transports.picows_connection import PicowsLink


class ScriptedLink:
    """A `FrameLink` that notes what it is asked for."""

    def __init__(self) -> None:
        self.deliver_text: Callable[[bytes], None] | None = None
        self.done: list[str] = []
        self.arrived_bytes = 0

    def start(self, transport: asyncio.Transport, handshake: Handshake, endpoint: FrameReceiver) -> None:
        self.done.append("start")

    def text_sender(self) -> TextSender:
        def send(message: bytes) -> None:
            self.done.append(f"text {message.decode()}")

        return send

    def send_ping(self) -> None:
        self.done.append("ping")

    def send_pong(self, payload: bytes) -> None:
        self.done.append("pong")

    def send_close(self, code: int, reason: str) -> None:
        self.done.append(f"close {code}")

    def pause_reading(self) -> None:
        self.done.append("pause")

    def resume_reading(self) -> None:
        self.done.append("resume")

    def buffered_bytes(self) -> int:
        return 0

    def progress(self) -> int:
        return self.arrived_bytes

    def discard_input(self) -> None:
        self.done.append("discard")

    def disconnect(self) -> None:
        self.done.append("disconnect")

    def abort(self) -> None:
        self.done.append("abort")


class Notes:
    """A `ConnectionListener` that keeps what it is told."""

    def __init__(self) -> None:
        self.texts: list[bytes] = []
        self.codes: list[int] = []

    def receive_text(self, message: bytes) -> None:
        self.texts.append(message)

    def receive_binary(self, message: bytes) -> None:
        self.texts.append(message)

    def block_writing(self) -> None:
        """Not the subject here."""

    def unblock_writing(self) -> None:
        """Not the subject here."""

    def connection_lost(self, code: int) -> None:
        self.codes.append(code)


class NoTransport:
    """Stands for a transport, of which an endpoint itself uses this much."""

    def set_write_buffer_limits(self, high: int, low: int) -> None:
        """There is no buffer."""


class Bench:
    """An endpoint that has been started, with its surroundings."""

    def __init__(self) -> None:
        self.link, self.notes, self.timers = ScriptedLink(), Notes(), ManualTimers()
        self.endpoint = Endpoint(self.link, self.notes, self.timers)
        self.endpoint.start(cast(asyncio.Transport, NoTransport()), Handshake("key"))
        self.link.done.clear()

    def arrive(self, opcode: int, payload: bytes = b"") -> None:
        self.link.arrived_bytes += 6 + len(payload)
        self.endpoint.receive_frame(opcode, True, payload)


# Pings ------------------------------------------------------------------------------------------


def test_a_client_is_pinged_every_20_seconds() -> None:
    bench = Bench()

    for _ in range(3):
        bench.timers.advance(PING_INTERVAL_S)
        bench.arrive(PONG)

    assert bench.link.done == ["ping", "ping", "ping"]


def test_a_client_that_answers_no_ping_is_closed_with_1011_and_then_dropped() -> None:
    bench = Bench()

    bench.timers.advance(2 * PING_INTERVAL_S)
    bench.timers.advance(LINGER_S)

    assert bench.link.done == ["ping", "close 1011", "resume", "abort"]


def test_data_counts_as_an_answer() -> None:
    bench = Bench()

    bench.timers.advance(PING_INTERVAL_S)
    bench.arrive(TEXT, b"busy")
    bench.timers.advance(PING_INTERVAL_S)

    assert bench.link.done == ["ping", "ping"]


def test_part_of_a_slow_large_frame_counts_as_an_answer() -> None:
    bench = Bench()

    bench.timers.advance(PING_INTERVAL_S)
    bench.link.arrived_bytes += 1
    bench.timers.advance(PING_INTERVAL_S)

    assert bench.link.done == ["ping", "ping"]


def test_while_we_do_not_read_no_answer_is_expected() -> None:
    bench = Bench()

    bench.endpoint.pause_reading()
    bench.timers.advance(5 * PING_INTERVAL_S)

    assert bench.link.done == ["pause", *["ping"] * 5]


# Closing ------------------------------------------------------------------------------------------


def test_a_client_that_does_not_answer_our_close_frame_is_dropped() -> None:
    bench = Bench()

    bench.endpoint.close(1000, "")
    bench.timers.advance(LINGER_S - 0.1)
    before = list(bench.link.done)
    bench.timers.advance(0.2)

    assert "abort" not in before
    assert bench.link.done[-1] == "abort"


def test_an_answered_close_disconnects_and_leaves_no_timer_behind() -> None:
    bench = Bench()

    bench.endpoint.close(1000, "")
    bench.arrive(CLOSE, close_payload(1000))
    bench.endpoint.transport_lost()

    assert bench.link.done == ["close 1000", "resume", "disconnect"]
    assert bench.timers.pending == 0


def test_the_first_close_counts() -> None:
    bench = Bench()

    bench.endpoint.close(4000, "")
    bench.endpoint.close(1000, "")
    bench.arrive(CLOSE, close_payload(1001))
    bench.endpoint.transport_lost()

    assert bench.link.done.count("close 4000") == 1
    assert bench.notes.codes == [4000]


def test_a_lost_transport_is_told_once() -> None:
    bench = Bench()

    bench.endpoint.transport_lost()
    bench.endpoint.transport_lost()

    assert bench.notes.codes == [1006]


def test_nothing_is_sent_after_the_close_frame() -> None:
    bench = Bench()

    bench.endpoint.close(1000, "")
    bench.endpoint.send(b"too late")

    assert "text too late" not in bench.link.done


def test_a_close_frame_behind_held_messages_is_handled_after_them() -> None:
    bench = Bench()
    bench.endpoint.pause_reading()
    bench.arrive(TEXT, b"one")
    bench.arrive(CLOSE, close_payload(1000))

    held = (list(bench.notes.texts), list(bench.link.done))
    bench.endpoint.resume_reading()

    assert held == ([], ["pause"])
    assert bench.notes.texts == [b"one"]
    assert bench.link.done == ["pause", "close 1000", "disconnect"]


# Parts ------------------------------------------------------------------------------------------


@given(st.lists(st.binary(max_size=20), min_size=1, max_size=8))
def test_however_a_message_is_split_it_is_joined_whole(parts: list[bytes]) -> None:
    joiner = MessageJoiner()

    results = [
        joiner.add(CONTINUATION if index else TEXT, index == len(parts) - 1, part) for index, part in enumerate(parts)
    ]

    assert results[:-1] == [None] * (len(parts) - 1)
    assert results[-1] == (TEXT, b"".join(parts))


@given(st.binary(max_size=130))
def test_any_close_payload_has_a_code_that_may_be_told_or_breaks_a_rule(payload: bytes) -> None:
    try:
        code = parse_close(payload)
    except FrameError as fault:
        assert fault.code in (1002, 1007)
    else:
        assert 1000 <= code < 5000


@given(st.text())
def test_a_cut_reason_fits_a_close_frame_and_starts_the_reason(reason: str) -> None:
    cut = cut_reason(reason)

    assert len(cut.encode()) <= 123
    assert reason.startswith(cut)


@pytest.mark.parametrize(
    ("payload", "expected"),
    [(b"", True), (b"plain", True), ("grün".encode(), True), (b"\xff", False), (b"\xed\xa0\x80", False)],
)
def test_utf8_is_told_from_other_bytes(payload: bytes, expected: bool) -> None:
    assert is_utf8(payload) is expected


def test_picows_refuses_a_transport_that_does_not_copy_what_it_queues() -> None:
    """See the frame test of the contract: on other transports it sends corrupted frames."""
    link = PicowsLink()
    native = asyncio.Transport()

    with pytest.raises(TypeError, match="expected a transport of aiofastnet"):
        link.start(native, Handshake("key"), Endpoint(link, Notes(), ManualTimers()))
