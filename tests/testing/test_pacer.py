"""Chunks leave at the pace of a microphone; the tests run in virtual time."""

import asyncio

from vivavoce.testing.pacer import pace, split_chunks
from vivavoce.testing.virtual import run_virtual


def test_chunks_leave_one_per_period_after_their_audio_is_over() -> None:
    sent: list[tuple[bytes, int]] = []

    async def send(chunk: bytes) -> None:
        sent.append((chunk, round(asyncio.get_running_loop().time() * 1000)))

    run_virtual(pace(split_chunks(b"abcde", 2), 20, send))

    assert sent == [(b"ab", 20), (b"cd", 40), (b"e", 60)]


def test_a_slow_receiver_delays_no_later_chunk() -> None:
    times_ms: list[int] = []

    async def send(chunk: bytes) -> None:
        loop = asyncio.get_running_loop()
        times_ms.append(round(loop.time() * 1000))
        if chunk == b"a":
            late = loop.create_future()
            loop.call_at(0.055, late.set_result, None)
            await late

    run_virtual(pace([b"a", b"b", b"c", b"d"], 20, send))

    assert times_ms == [20, 55, 60, 80]
