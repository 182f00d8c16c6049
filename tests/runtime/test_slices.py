"""Large audio reaches an engine in order, a piece at a time."""

import asyncio

from vivavoce.runtime.slices import SLICE_BYTES, Slices
from vivavoce.testing.virtual import run_virtual


def test_a_small_piece_goes_at_once() -> None:
    taken: list[bytes] = []
    slices = Slices(taken.append)

    slices.put(b"ab")
    slices.then(lambda: taken.append(b"end"))

    assert taken == [b"ab", b"end"]


def test_a_large_piece_leaves_the_loop_to_others_between_its_slices() -> None:
    taken: list[bytes] = []
    turns: list[int] = []

    async def main() -> None:
        slices = Slices(taken.append)
        done = asyncio.Event()
        slices.put(bytes(SLICE_BYTES * 3))
        slices.put(b"after")
        slices.then(done.set)
        asyncio.get_running_loop().call_soon(lambda: turns.append(len(taken)))
        await done.wait()
        assert slices.waiting_bytes == 0

    run_virtual(main())

    assert [len(piece) for piece in taken] == [SLICE_BYTES, SLICE_BYTES, SLICE_BYTES, 5]
    assert turns == [1]  # a callback of others ran after the first slice


def test_cleared_audio_is_never_handed_on() -> None:
    taken: list[bytes] = []

    async def main() -> None:
        slices = Slices(taken.append)
        slices.put(bytes(SLICE_BYTES * 2))
        slices.then(lambda: taken.append(b"end"))

        slices.clear()
        slices.put(b"new")

    run_virtual(main())

    assert taken == [b"new"]
