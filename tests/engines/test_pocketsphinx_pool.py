"""Which process gets which utterance, with real processes whose recogniser only counts."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.engines.counting_worker import COMMAND, FATAL
from tests.engines.utterances import Heard
from vivavoce.core.requests import TranscriptOptions
from vivavoce.engines.base import EngineError, Final
from vivavoce.engines.stt import pocketsphinx_worker
from vivavoce.engines.stt.pocketsphinx import PocketsphinxStream, PocketsphinxTranscriber

ENGLISH = TranscriptOptions(language="en-GB")


def silence(duration_ms: int) -> bytes:
    return bytes(duration_ms * 32)


@asynccontextmanager
async def started(min_workers: int = 1, max_workers: int = 1) -> AsyncIterator[PocketsphinxTranscriber]:
    transcriber = PocketsphinxTranscriber(min_workers, max_workers, COMMAND)
    await transcriber.start()
    try:
        yield transcriber
    finally:
        await transcriber.close()


def opened(transcriber: PocketsphinxTranscriber, fed_ms: int = 0) -> tuple[PocketsphinxStream, Heard]:
    heard = Heard()
    stream = transcriber.open(ENGLISH, heard)
    stream.feed(silence(fed_ms))
    return stream, heard


def test_an_utterance_is_decoded_while_it_is_fed() -> None:
    async def body() -> tuple[list[str], str]:
        async with started() as transcriber:
            stream, heard = opened(transcriber, 100)
            await heard.change()
            stream.feed(silence(20))
            stream.finish()
            return [partial.text for partial in heard.partials[:1]], await heard.text()

    assert asyncio.run(body()) == (["100 ms"], "120 ms")


def test_one_result_is_delivered_however_often_the_utterance_is_finished() -> None:
    async def body() -> int:
        async with started() as transcriber:
            first, heard = opened(transcriber, 100)
            first.finish()
            first.finish()
            first.feed(silence(100))
            second, after = opened(transcriber, 50)
            second.finish()
            assert await after.text() == "50 ms"
            return len(heard.last)

    assert asyncio.run(body()) == 1


def test_utterances_beyond_the_workers_wait_their_turn() -> None:
    async def body() -> list[str]:
        async with started() as transcriber:
            utterances = [opened(transcriber, 100 * number) for number in (1, 2, 3)]
            for stream, _ in utterances:
                stream.feed(silence(10))
            for stream, _ in utterances:
                stream.finish()
            return [await heard.text() for _, heard in utterances]

    assert asyncio.run(body()) == ["110 ms", "210 ms", "310 ms"]


def test_a_complete_utterance_goes_before_an_older_one_that_is_still_spoken() -> None:
    async def body() -> tuple[str, list[object]]:
        async with started() as transcriber:
            busy, _ = opened(transcriber, 100)
            _, older = opened(transcriber, 200)
            complete, heard = opened(transcriber, 300)
            complete.finish()
            busy.abort()
            return await heard.text(), [*older.partials, *older.last]

    assert asyncio.run(body()) == ("300 ms", [])


def test_more_workers_start_while_all_are_busy() -> None:
    async def body() -> tuple[int, int, str]:
        async with started(max_workers=2) as transcriber:
            opened(transcriber, 100)
            before = len(await transcriber.process_ids())
            second, heard = opened(transcriber, 200)
            third, _ = opened(transcriber)
            third.abort()
            second.finish()
            text = await heard.text()
            return before, len(await transcriber.process_ids()), text

    assert asyncio.run(body()) == (1, 2, "200 ms")


def test_an_unfinished_utterance_that_is_not_fed_gives_its_worker_up_and_is_decoded_again() -> None:
    async def body() -> tuple[str, str]:
        async with started() as transcriber:
            stalled, stalled_heard = opened(transcriber, 1000)
            await stalled_heard.change()
            complete, complete_heard = opened(transcriber, 200)
            complete.finish()
            text = await complete_heard.text()
            stalled.feed(silence(100))
            stalled.finish()
            return text, await stalled_heard.text()

    assert asyncio.run(body()) == ("200 ms", "1100 ms")


def test_an_aborted_utterance_delivers_nothing_and_frees_its_worker() -> None:
    async def body() -> tuple[Heard, str]:
        async with started() as transcriber:
            stream, heard = opened(transcriber, 600_000)
            stream.abort()
            stream.abort()
            stream.feed(silence(100))
            stream.finish()
            following, after = opened(transcriber, 100)
            following.finish()
            return heard, await after.text()

    heard, text = asyncio.run(body())

    assert (heard.partials, heard.last) == ([], [])
    assert text == "100 ms"


def test_an_utterance_that_waits_can_be_aborted() -> None:
    async def body() -> tuple[Heard, str]:
        async with started() as transcriber:
            busy, busy_heard = opened(transcriber, 100)
            waiting, heard = opened(transcriber, 100)
            waiting.abort()
            busy.finish()
            return heard, await busy_heard.text()

    heard, text = asyncio.run(body())

    assert (heard.partials, heard.last, text) == ([], [], "100 ms")


def test_the_backlog_is_told_and_worked_off() -> None:
    async def body() -> tuple[float, float]:
        async with started() as transcriber:
            stream, heard = opened(transcriber, 2500)
            backlog_ms = stream.pending_ms
            while stream.pending_ms > 0:
                await heard.change()
            return backlog_ms, stream.pending_ms

    assert asyncio.run(body()) == (2500.0, 0.0)


def test_a_worker_that_dies_fails_its_utterance_and_no_other() -> None:
    async def body() -> tuple[Final | EngineError, int, str]:
        async with started(min_workers=2, max_workers=2) as transcriber:
            victim, victim_heard = opened(transcriber, 100)
            neighbour, neighbour_heard = opened(transcriber, 200)
            victim.feed(FATAL)
            failure = await victim_heard.result()
            victim.finish()
            neighbour.finish()
            return failure, len(victim_heard.last), await neighbour_heard.text()

    failure, results, neighbour = asyncio.run(body())

    assert isinstance(failure, EngineError)
    assert failure.is_retryable
    assert "died while it decoded this utterance" in str(failure)
    assert results == 1
    assert neighbour == "200 ms"


def test_a_dead_worker_is_replaced_for_those_who_come_after() -> None:
    async def body() -> str:
        async with started() as transcriber:
            for _ in range(2):
                victim, heard = opened(transcriber)
                victim.feed(FATAL)
                await heard.result()
            stream, heard = opened(transcriber, 100)
            stream.finish()
            return await heard.text()

    assert asyncio.run(body()) == "100 ms"


def test_who_waits_while_the_last_worker_dies_is_told() -> None:
    async def body() -> Final | EngineError:
        async with started() as transcriber:
            victim, _ = opened(transcriber)
            _, waiting = opened(transcriber, 100)
            victim.feed(FATAL)
            return await waiting.result()

    assert "no recogniser process is left" in str(asyncio.run(body()))


def test_closing_fails_what_is_live_and_ends_the_processes() -> None:
    async def body() -> tuple[list[int], Heard, Heard]:
        async with started() as transcriber:
            _, decoding = opened(transcriber, 100)
            _, waiting = opened(transcriber, 100)
            ids = await transcriber.process_ids()
            await transcriber.close()
            return ids, decoding, waiting

    ids, decoding, waiting = asyncio.run(body())

    assert [len(heard.last) for heard in (decoding, waiting)] == [1, 1]
    for process_id in ids:
        with pytest.raises(ProcessLookupError):
            os.kill(process_id, 0)


def test_another_language_fails_at_the_finish_with_a_plain_sentence() -> None:
    async def body() -> tuple[int, Final | EngineError]:
        async with started() as transcriber:
            heard = Heard()
            stream = transcriber.open(TranscriptOptions(language="de"), heard)
            stream.feed(silence(100))
            before = len(heard.last)
            stream.finish()
            return before, await heard.result()

    before, failure = asyncio.run(body())

    assert before == 0
    assert str(failure) == "this recogniser knows English only, the language asked for is 'de'"


def test_an_utterance_of_more_than_15_minutes_fails() -> None:
    async def body() -> Final | EngineError:
        async with started() as transcriber:
            _, heard = opened(transcriber, 900_001)
            return await heard.result()

    assert "an utterance may last 15 minutes" in str(asyncio.run(body()))


def test_an_odd_number_of_bytes_is_refused() -> None:
    async def body() -> None:
        async with started() as transcriber:
            opened(transcriber)[0].feed(b"\0")

    with pytest.raises(ValueError, match="even number of bytes, got 1"):
        asyncio.run(body())


@pytest.mark.parametrize(
    ("command", "message"),
    [(("/absent/python",), "did not start"), ((sys.executable, "-c", "pass"), "the recogniser process ended")],
)
def test_a_worker_that_cannot_run_fails_the_start(command: tuple[str, ...], message: str) -> None:
    with pytest.raises(EngineError, match=message):
        asyncio.run(start_and_close(command))


def test_a_library_that_cannot_load_is_explained(tmp_path: Path) -> None:
    (tmp_path / "pocketsphinx.py").write_text("raise ImportError('no wheel for this platform')")
    run = f"import sys, runpy; sys.path.insert(0, {str(tmp_path)!r}); runpy.run_path({WORKER!r}, None, '__main__')"

    with pytest.raises(EngineError, match="ImportError: no wheel for this platform"):
        asyncio.run(start_and_close((sys.executable, "-c", run)))


def test_nobody_transcribes_before_the_start() -> None:
    heard = Heard()

    async def body() -> None:
        PocketsphinxTranscriber(command=COMMAND).open(ENGLISH, heard)

    asyncio.run(body())

    assert [str(result) for result in heard.last] == ["the recogniser is not started"]


def test_more_workers_than_allowed_are_refused() -> None:
    with pytest.raises(ValueError, match="got 3 and 2"):
        PocketsphinxTranscriber(min_workers=3, max_workers=2)


WORKER = pocketsphinx_worker.__file__


async def start_and_close(command: tuple[str, ...]) -> None:
    transcriber = PocketsphinxTranscriber(command=command)
    try:
        await transcriber.start()
    finally:
        await transcriber.close()
