"""The embedded recogniser in its worker processes, on human speech."""

import asyncio
import importlib.util
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.require import require
from tests.speech_samples import clip
from vivavoce.core.requests import TranscriptOptions
from vivavoce.engines.base import EngineError, Final, Partial
from vivavoce.engines.stt.pocketsphinx import PocketsphinxStream, PocketsphinxTranscriber

ENGLISH = TranscriptOptions(language="en")
DEADLINE_S = 60


class Heard:
    """What an utterance delivered; the last result is awaited, never slept for."""

    def __init__(self) -> None:
        self.partials: list[Partial] = []
        self.last: list[Final | EngineError] = []
        self._changed = asyncio.Event()

    def __call__(self, result: Partial | Final | EngineError) -> None:
        if isinstance(result, Partial):
            self.partials.append(result)
        else:
            self.last.append(result)
        self._changed.set()

    async def result(self) -> Final | EngineError:
        async with asyncio.timeout(DEADLINE_S):
            while not self.last:
                await self.change()
        return self.last[0]

    async def change(self) -> None:
        self._changed.clear()
        await self._changed.wait()

    async def text(self) -> str:
        result = await self.result()
        assert isinstance(result, Final), result
        return result.text


@asynccontextmanager
async def started(min_workers: int = 1, max_workers: int = 2) -> AsyncIterator[PocketsphinxTranscriber]:
    require(importlib.util.find_spec("pocketsphinx"), "the Python package pocketsphinx")
    transcriber = PocketsphinxTranscriber(min_workers, max_workers)
    await transcriber.start()
    try:
        yield transcriber
    finally:
        await transcriber.close()


def feed(stream: PocketsphinxStream, pcm: bytes, step: int = 1280) -> None:
    for start in range(0, len(pcm), step):
        stream.feed(pcm[start : start + step])


def test_a_spoken_command_is_transcribed_with_its_word_times() -> None:
    speech = clip("goforward", "go forward ten meters")

    async def body() -> tuple[Heard, Final | EngineError]:
        async with started() as transcriber:
            heard = Heard()
            stream = transcriber.open(ENGLISH, heard)
            feed(stream, speech.pcm)
            stream.finish()
            return heard, await heard.result()

    heard, final = asyncio.run(body())

    assert isinstance(final, Final)
    assert final.text == speech.text
    assert [word.text for word in final.words] == speech.text.split()
    starts = [word.start_ms for word in final.words]
    assert starts == sorted(starts)
    assert 200 < starts[0] < 700
    assert all(word.start_ms < word.end_ms <= len(speech.pcm) / 32 for word in final.words)
    assert len(heard.last) == 1
    assert heard.partials
    assert all(partial.text.startswith(partial.stable) for partial in heard.partials)
    stable = [partial.stable for partial in heard.partials]
    assert all(after.startswith(before) for before, after in zip(stable, stable[1:], strict=False))


def test_an_utterance_does_not_depend_on_the_ones_before() -> None:
    speech, other = clip("goforward", ""), clip("something", "")

    async def body() -> list[Final | EngineError]:
        async with started(max_workers=1) as transcriber:
            results = []
            for pcm in (speech.pcm, other.pcm, speech.pcm):
                heard = Heard()
                stream = transcriber.open(ENGLISH, heard)
                stream.feed(pcm)
                stream.finish()
                results.append(await heard.result())
            return results

    first, _, third = asyncio.run(body())

    assert first == third


def test_utterances_beyond_the_workers_wait_and_are_all_transcribed() -> None:
    speech = clip("goforward", "go forward ten meters")

    async def body() -> list[str]:
        async with started(max_workers=1) as transcriber:
            heard = [Heard() for _ in range(3)]
            streams = [transcriber.open(ENGLISH, sink) for sink in heard]
            for stream in streams:
                feed(stream, speech.pcm)
            for stream in streams:
                stream.finish()
            return [await sink.text() for sink in heard]

    assert asyncio.run(body()) == [speech.text] * 3


def test_an_unfinished_utterance_that_is_not_fed_gives_its_worker_up() -> None:
    speech = clip("goforward", "go forward ten meters")

    async def body() -> tuple[str, str]:
        async with started(max_workers=1) as transcriber:
            stalled, live = Heard(), Heard()
            first = transcriber.open(ENGLISH, stalled)
            first.feed(speech.pcm[:40_000])
            second = transcriber.open(ENGLISH, live)
            second.feed(speech.pcm)
            second.finish()
            live_text = await live.text()
            first.feed(speech.pcm[40_000:])
            first.finish()
            return live_text, await stalled.text()

    assert asyncio.run(body()) == (speech.text, speech.text)


def test_an_aborted_utterance_delivers_nothing_and_frees_its_worker() -> None:
    speech = clip("goforward", "go forward ten meters")

    async def body() -> tuple[Heard, str]:
        async with started(max_workers=1) as transcriber:
            aborted, after = Heard(), Heard()
            stream = transcriber.open(ENGLISH, aborted)
            stream.feed(speech.pcm * 20)
            stream.abort()
            stream.abort()
            stream.feed(speech.pcm)
            stream.finish()
            following = transcriber.open(ENGLISH, after)
            following.feed(speech.pcm)
            following.finish()
            return aborted, await after.text()

    aborted, text = asyncio.run(body())

    assert (aborted.partials, aborted.last) == ([], [])
    assert text == speech.text


def test_silence_and_nothing_have_an_empty_transcript() -> None:
    async def body() -> list[str]:
        async with started() as transcriber:
            texts = []
            for pcm in (b"", bytes(320), bytes(32_000), bytes(96_000)):
                heard = Heard()
                stream = transcriber.open(ENGLISH, heard)
                stream.feed(pcm)
                stream.finish()
                texts.append(await heard.text())
            return texts

    assert asyncio.run(body()) == ["", "", "", ""]


def test_the_backlog_is_told_and_worked_off() -> None:
    async def body() -> tuple[float, float]:
        async with started() as transcriber:
            heard = Heard()
            stream = transcriber.open(ENGLISH, heard)
            stream.feed(clip("goforward", "").pcm)
            backlog_ms = stream.pending_ms
            async with asyncio.timeout(DEADLINE_S):
                while stream.pending_ms > 0:
                    await heard.change()
            return backlog_ms, stream.pending_ms

    backlog_ms, after_ms = asyncio.run(body())

    assert backlog_ms == len(clip("goforward", "").pcm) / 32
    assert after_ms == 0.0


def test_a_worker_that_dies_fails_its_utterance_and_is_replaced() -> None:
    speech = clip("goforward", "go forward ten meters")

    async def body() -> tuple[Final | EngineError, str, str]:
        async with started(min_workers=2) as transcriber:
            victim, neighbour, later = Heard(), Heard(), Heard()
            first, second = transcriber.open(ENGLISH, victim), transcriber.open(ENGLISH, neighbour)
            first.feed(speech.pcm)
            second.feed(speech.pcm)
            os.kill((await transcriber.process_ids())[0], signal.SIGKILL)
            failure = await victim.result()
            first.finish()
            second.finish()
            neighbour_text = await neighbour.text()
            third = transcriber.open(ENGLISH, later)
            third.feed(speech.pcm)
            third.finish()
            return failure, neighbour_text, await later.text()

    failure, neighbour_text, later_text = asyncio.run(body())

    assert isinstance(failure, EngineError)
    assert failure.is_retryable
    assert "died while it decoded this utterance" in str(failure)
    assert (neighbour_text, later_text) == (speech.text, speech.text)


def test_the_only_worker_is_replaced_for_those_who_come_after_its_death() -> None:
    speech = clip("goforward", "go forward ten meters")

    async def body() -> str:
        async with started(max_workers=1) as transcriber:
            victim, later = Heard(), Heard()
            transcriber.open(ENGLISH, victim).feed(speech.pcm)
            os.kill((await transcriber.process_ids())[0], signal.SIGKILL)
            await victim.result()
            stream = transcriber.open(ENGLISH, later)
            stream.feed(speech.pcm)
            stream.finish()
            return await later.text()

    assert asyncio.run(body()) == speech.text


def test_closing_fails_what_is_live_and_ends_the_processes() -> None:
    async def body() -> tuple[list[int], Heard, Heard]:
        async with started(max_workers=1) as transcriber:
            decoding, waiting = Heard(), Heard()
            transcriber.open(ENGLISH, decoding)
            transcriber.open(ENGLISH, waiting)
            ids = await transcriber.process_ids()
            await transcriber.close()
            return ids, decoding, waiting

    ids, decoding, waiting = asyncio.run(body())

    assert [len(heard.last) for heard in (decoding, waiting)] == [1, 1]
    for process_id in ids:
        with pytest.raises(ProcessLookupError):
            os.kill(process_id, 0)


def test_another_language_fails_at_the_end_with_a_plain_sentence() -> None:
    async def body() -> tuple[int, Final | EngineError]:
        async with started() as transcriber:
            heard = Heard()
            stream = transcriber.open(TranscriptOptions(language="de"), heard)
            stream.feed(bytes(3200))
            before = len(heard.last)
            stream.finish()
            return before, await heard.result()

    before, failure = asyncio.run(body())

    assert before == 0
    assert str(failure) == "this recogniser knows English only, the language asked for is 'de'"


def test_an_utterance_of_more_than_15_minutes_fails() -> None:
    async def body() -> Final | EngineError:
        async with started() as transcriber:
            heard = Heard()
            transcriber.open(ENGLISH, heard).feed(bytes(900 * 32_000 + 2))
            return await heard.result()

    assert "an utterance may last 15 minutes" in str(asyncio.run(body()))


def test_an_odd_number_of_bytes_is_refused() -> None:
    async def body() -> None:
        async with started() as transcriber:
            transcriber.open(ENGLISH, Heard()).feed(b"\0")

    with pytest.raises(ValueError, match="even number of bytes, got 1"):
        asyncio.run(body())


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (("/absent/python",), "did not start"),
        ((sys.executable, "-c", "pass"), "the recogniser process ended"),
    ],
)
def test_a_worker_that_cannot_run_fails_the_start(command: tuple[str, ...], message: str) -> None:
    async def body() -> None:
        transcriber = PocketsphinxTranscriber(command=command)
        try:
            await transcriber.start()
        finally:
            await transcriber.close()

    with pytest.raises(EngineError, match=message):
        asyncio.run(body())


def test_a_library_that_cannot_load_is_explained(tmp_path: Path) -> None:
    (tmp_path / "pocketsphinx.py").write_text("raise ImportError('no wheel for this platform')")
    worker = Path(sys.modules[PocketsphinxTranscriber.__module__].__file__ or "").with_name("pocketsphinx_worker.py")
    run = f"import sys, runpy; sys.path.insert(0, {str(tmp_path)!r}); runpy.run_path({str(worker)!r}, None, '__main__')"

    async def body() -> None:
        transcriber = PocketsphinxTranscriber(command=(sys.executable, "-c", run))
        try:
            await transcriber.start()
        finally:
            await transcriber.close()

    with pytest.raises(EngineError, match="ImportError: no wheel for this platform"):
        asyncio.run(body())


def test_the_limits_are_told_as_capabilities() -> None:
    capabilities = PocketsphinxTranscriber.capabilities

    assert capabilities.languages == ("en",)
    assert capabilities.has_word_times
    assert "Demo-grade" in capabilities.note
