"""The answer to an upgrade, byte by byte and against noise."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vivavoce.transports.connection import accept_of
from vivavoce.transports.upstream_upgrade import BODY_LIMIT_BYTES, Answer, AnswerReader, BadAnswer

KEY = "AAAAAAAAAAAAAAAAAAAAAA=="
UPGRADE = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: " + accept_of(KEY).encode() + b"\r\n\r\n"
)
REFUSAL = b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 3\r\nContent-Length: 5\r\n\r\nwords"


def answer_of(*pieces: bytes, is_closed: bool = False) -> Answer | BaseException | None:
    """Return the answer in some pieces, why there is none, or None while it is awaited."""

    async def scenario() -> Answer | BaseException | None:
        reader = AnswerReader()
        for piece in pieces:
            reader.data_received(piece)
        if is_closed:
            reader.connection_lost(None)
        if not reader.answer.done():
            return None
        return reader.answer.exception() or reader.answer.result()

    return asyncio.run(scenario())


@given(st.integers(0, len(UPGRADE) - 1))
def test_an_upgrade_is_read_however_it_is_split(cut: int) -> None:
    answer = answer_of(UPGRADE[:cut], UPGRADE[cut:] + b"\x81\x01x")

    assert isinstance(answer, Answer)
    assert (answer.status, answer.rest) == (101, b"\x81\x01x")
    answer.check(KEY)


@given(st.integers(0, len(REFUSAL) - 1))
def test_a_refusal_is_read_however_it_is_split(cut: int) -> None:
    answer = answer_of(REFUSAL[:cut], REFUSAL[cut:])

    assert isinstance(answer, Answer)
    assert (answer.status, answer.headers["retry-after"], answer.body) == (429, "3", b"words")


def test_a_refusal_that_is_cut_off_tells_what_it_told() -> None:
    answer = answer_of(REFUSAL[:-2], is_closed=True)

    assert isinstance(answer, Answer)
    assert (answer.status, answer.body) == (429, b"wor")


def test_an_endless_body_is_enough_at_its_limit() -> None:
    answer = answer_of(b"HTTP/1.1 403 Forbidden\r\n\r\n", *[b"x" * 1000] * (BODY_LIMIT_BYTES // 1000 + 1))

    assert isinstance(answer, Answer)
    assert len(answer.body) == BODY_LIMIT_BYTES


def test_the_headers_of_an_interim_answer_are_not_those_of_the_answer() -> None:
    answer = answer_of(
        b"HTTP/1.1 103 Early Hints\r\nRetry-After: 9\r\n\r\n", REFUSAL.replace(b"Retry-After: 3\r\n", b"")
    )

    assert isinstance(answer, Answer)
    assert "retry-after" not in answer.headers


@pytest.mark.parametrize("without", [b"Upgrade: websocket\r\n", b"Connection: Upgrade\r\n"])
def test_a_101_without_what_makes_it_an_upgrade_is_no_good(without: bytes) -> None:
    answer = answer_of(UPGRADE.replace(without, b""))

    assert isinstance(answer, BadAnswer)


def test_a_101_for_another_request_is_no_good() -> None:
    answer = answer_of(UPGRADE)

    assert isinstance(answer, Answer)
    with pytest.raises(BadAnswer):
        answer.check("another key")


@given(st.binary(max_size=300) | st.binary(max_size=60).map(lambda noise: UPGRADE[:30] + noise + UPGRADE[30:]))
def test_whatever_comes_it_is_an_answer_or_none(noise: bytes) -> None:
    answer = answer_of(noise, is_closed=True)

    assert isinstance(answer, Answer | BadAnswer | ConnectionResetError)
