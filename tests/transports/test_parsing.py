"""Messages become inputs, whatever they hold; large ones within a budget."""

import asyncio
import contextlib
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.transports.peers import run
from vivavoce.core.vocabulary import ClientRejected, FromClient
from vivavoce.protocol.client_events import ClientEvent, InputAudioBufferClear
from vivavoce.transports.parsing import BadText, ByteBudget, MessageParser, parse_message

CLEAR = b'{"type": "input_audio_buffer.clear"}'


def test_a_client_event_is_passed_on() -> None:
    assert parse_message(CLEAR) == FromClient(InputAudioBufferClear())


def test_what_is_no_json_is_rejected_and_does_not_raise() -> None:
    parsed = parse_message(b'{"type"')

    assert isinstance(parsed, ClientRejected)
    assert parsed.error.type == "invalid_request_error"


def test_what_is_no_utf8_is_told_apart_from_bad_json() -> None:
    with pytest.raises(BadText):
        parse_message(b'{"type": "\xff"}')


@pytest.mark.fuzz
@given(st.binary(max_size=200))
def test_any_bytes_are_an_input_or_bad_text(message: bytes) -> None:
    try:
        assert isinstance(parse_message(message), FromClient | ClientRejected)
    except BadText:
        with pytest.raises(UnicodeDecodeError):
            message.decode()


def test_a_large_message_is_decoded_in_another_thread() -> None:
    threads: list[threading.Thread] = []

    def decode(payload: bytes) -> ClientEvent:
        threads.append(threading.current_thread())
        return InputAudioBufferClear()

    async def scenario() -> None:
        with contextlib.closing(MessageParser(decode)) as parser:
            assert await parser.parse_aside(CLEAR) == FromClient(InputAudioBufferClear())

    run(scenario())

    assert threads[0] is not threading.main_thread()


# The budget ------------------------------------------------------------------------------------------


class Use:
    """One use of a budget: holds its bytes until it is told to let go."""

    def __init__(self, budget: ByteBudget, size_bytes: int, log: list[str], name: str) -> None:
        self._budget = budget
        self._size_bytes = size_bytes
        self._log = log
        self._name = name
        self.started = asyncio.Event()
        self.go_on = asyncio.Event()

    async def run(self) -> None:
        async with self._budget.hold(self._size_bytes):
            self._log.append(self._name)
            self.started.set()
            await self.go_on.wait()


def test_what_exceeds_the_budget_waits_its_turn() -> None:
    async def scenario() -> list[str]:
        budget, log = ByteBudget(100), list[str]()
        first, second, third = (Use(budget, size, log, name) for name, size in (("a", 60), ("b", 60), ("c", 10)))
        async with asyncio.TaskGroup() as tasks:
            for use in (first, second, third):
                tasks.create_task(use.run())
            await first.started.wait()
            before = list(log)  # c would fit, but b asked first
            for use in (first, second, third):
                use.go_on.set()
        assert before == ["a"]
        assert budget.used_bytes == 0
        return log

    assert run(scenario()) == ["a", "b", "c"]


def test_who_stops_waiting_lets_the_next_one_in() -> None:
    async def scenario() -> None:
        budget, log = ByteBudget(100), list[str]()
        first, second, third = (Use(budget, size, log, name) for name, size in (("a", 60), ("b", 60), ("c", 10)))
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(first.run())
            await first.started.wait()
            waiting = tasks.create_task(second.run())
            await asyncio.wait({waiting}, timeout=0)
            tasks.create_task(third.run())
            waiting.cancel()
            await third.started.wait()
            first.go_on.set()
            third.go_on.set()
        assert log == ["a", "c"]
        assert budget.used_bytes == 0

    run(scenario())


def test_more_than_the_whole_budget_is_an_error() -> None:
    async def scenario() -> None:
        with pytest.raises(ValueError, match="expected at most 100 bytes, got 101"):
            async with ByteBudget(100).hold(101):
                pass

    run(scenario())
