"""Background work goes when no main work is under way, one piece at a time."""

import asyncio

from vivavoce.runtime.priority import Precedence


async def one_turn() -> None:
    """Let everything that is ready run once."""
    turned = asyncio.Event()
    asyncio.get_running_loop().call_soon(turned.set)
    await turned.wait()


def test_background_work_waits_for_the_last_piece_of_main_work() -> None:
    async def main() -> None:
        precedence = Precedence()
        precedence.enter("resp_1")
        precedence.enter("resp_1")
        waiting = asyncio.get_running_loop().create_task(precedence.wait())

        precedence.leave("resp_1")
        await one_turn()
        is_waiting = not waiting.done()
        precedence.leave("resp_1")
        await waiting

        assert is_waiting

    asyncio.run(main())


def test_a_response_that_ends_lets_the_background_go_whatever_it_had_left() -> None:
    async def main() -> None:
        precedence = Precedence()
        for _ in range(3):
            precedence.enter("resp_1")

        precedence.leave_all("resp_1")
        precedence.leave_all("resp_1")

        await asyncio.wait_for(precedence.wait(), 1)

    asyncio.run(main())


def test_work_that_was_not_counted_ends_without_effect() -> None:
    async def main() -> None:
        precedence = Precedence()
        precedence.enter("resp_1")

        precedence.leave("resp_background")

        waiting = asyncio.get_running_loop().create_task(precedence.wait())
        await one_turn()
        assert not waiting.done()
        waiting.cancel()

    asyncio.run(main())
