"""The recogniser of moonshine-voice: the real library, with a model made on the spot that counts half seconds.

No model of the vendor is here, so nothing is said about how well it hears; see docs/guides/speech.md.
"""

import asyncio
import functools
import importlib.util
import os
import signal
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
import pytest

from tests.engines.moonshine_models import ARCHITECTURE, WORD_MS, WORDS, write_counting_model
from tests.engines.utterances import Heard
from tests.require import require
from vivavoce.core.requests import TranscriptOptions
from vivavoce.engines.base import EngineError, Final
from vivavoce.engines.stt.moonshine import MoonshineModel, MoonshineTranscriber, workers_at_most
from vivavoce.engines.stt.moonshine_worker import AgreedPrefix, timed_words
from vivavoce.engines.stt.pocketsphinx import PocketsphinxStream
from vivavoce.engines.stt.pocketsphinx_worker import WordRow

PIECE_BYTES = 1280  # 40 ms


@asynccontextmanager
async def started(folder: Path) -> AsyncIterator[MoonshineTranscriber]:
    require(importlib.util.find_spec("moonshine_voice"), "the Python package moonshine-voice")
    transcriber = MoonshineTranscriber(MoonshineModel(write_counting_model(folder / "model"), ARCHITECTURE))
    await transcriber.start()
    try:
        yield transcriber
    finally:
        await transcriber.close()


def spoken(seconds: float) -> bytes:
    """A sound without any quiet moment."""
    return np.full(round(seconds * 16_000), 3000, "<i2").tobytes()


async def transcript(transcriber: MoonshineTranscriber, pcm: bytes) -> tuple[Heard, Final]:
    heard = Heard()
    stream = transcriber.open(TranscriptOptions(language="en-GB"), heard)
    await fed(stream, pcm)
    stream.finish()
    final = await heard.result()
    assert isinstance(final, Final), final
    return heard, final


async def fed(stream: PocketsphinxStream, pcm: bytes) -> None:
    for start in range(0, len(pcm), PIECE_BYTES):
        stream.feed(pcm[start : start + PIECE_BYTES])


@functools.cache  # the processes are the expensive part
def transcribed() -> list[tuple[Heard, Final]]:
    """Return what was heard of 3.2 s, nothing, 0.2 s, 20 s with a quiet moment after 16 s, 31 s without, and 3.2 s."""
    quiet = spoken(16) + bytes(6400) + spoken(3.8)
    utterances = [spoken(3.2), b"", spoken(0.2), quiet, spoken(31), spoken(3.2)]

    async def body() -> list[tuple[Heard, Final]]:
        with tempfile.TemporaryDirectory() as folder:
            async with started(Path(folder)) as transcriber:
                return [await transcript(transcriber, pcm) for pcm in utterances]

    return asyncio.run(body())


def test_speech_is_transcribed_with_the_time_of_each_word() -> None:
    _, final = transcribed()[0]

    assert final.text == "one two three four five six"
    assert [word.text for word in final.words] == list(WORDS[:6])
    assert all(abs(word.start_ms - index * WORD_MS) < 60 for index, word in enumerate(final.words))
    assert all(abs(word.end_ms - (index + 1) * WORD_MS) < 60 for index, word in enumerate(final.words))


def test_partials_come_while_speech_goes_on_and_grow_a_prefix_that_stays() -> None:
    heard, final = transcribed()[0]

    stable = [partial.stable for partial in heard.partials]
    assert stable[-1]
    assert all(partial.text.startswith(partial.stable) for partial in heard.partials)
    assert all(after.startswith(before) for before, after in zip(stable, stable[1:], strict=False))
    assert final.text.startswith(stable[-1])


def test_silence_and_nothing_have_an_empty_transcript() -> None:
    results = transcribed()

    assert [results[index][1] for index in (1, 2)] == [Final(""), Final("")]


def test_a_long_utterance_is_cut_at_a_quiet_moment_and_its_times_go_on() -> None:
    _, final = transcribed()[3]

    assert final.text.split() == [*WORDS, *WORDS[:7]]
    second = final.words[len(WORDS)]
    assert second.text == "one"
    assert abs(second.start_ms - 16_100) <= 100


def test_a_long_utterance_without_a_quiet_moment_is_cut_too() -> None:
    _, final = transcribed()[4]

    assert final.text.split() == [*WORDS, *WORDS]
    assert abs(final.words[len(WORDS)].start_ms - 25_000) <= 100


def test_an_utterance_does_not_depend_on_the_ones_before() -> None:
    results = transcribed()

    assert results[5][1] == results[0][1]


def test_an_aborted_utterance_delivers_nothing_and_the_next_one_is_whole(tmp_path: Path) -> None:
    async def body() -> None:
        async with started(tmp_path) as transcriber:
            aborted = Heard()
            stream = transcriber.open(TranscriptOptions(), aborted)
            await fed(stream, spoken(1.5))
            while not aborted.partials:
                await aborted.change()
            stream.abort()
            known = len(aborted.partials)

            _, final = await transcript(transcriber, spoken(1.1))

            assert final.text == "one two"
            assert (len(aborted.partials), aborted.last) == (known, [])

    asyncio.run(body())


def test_utterances_of_two_speakers_do_not_mix(tmp_path: Path) -> None:
    async def body() -> None:
        async with started(tmp_path) as transcriber:
            short, long = await asyncio.gather(
                transcript(transcriber, spoken(1.1)), transcript(transcriber, spoken(2.6))
            )

            assert (short[1].text, long[1].text) == ("one two", "one two three four five")

    asyncio.run(body())


def test_another_language_than_the_models_is_refused(tmp_path: Path) -> None:
    async def body() -> None:
        transcriber = MoonshineTranscriber(MoonshineModel(tmp_path, ARCHITECTURE))
        heard = Heard()

        transcriber.open(TranscriptOptions(language="fr"), heard).finish()

        error = await heard.result()
        assert isinstance(error, EngineError)
        assert (error.engine, "'en' only" in str(error)) == ("moonshine", True)

    asyncio.run(body())


@pytest.mark.parametrize("damage", ["encoder.ort", "streaming_config.json", "tokenizer.bin"])
def test_a_damaged_model_is_told_at_the_start(tmp_path: Path, damage: str) -> None:
    require(importlib.util.find_spec("moonshine_voice"), "the Python package moonshine-voice")
    model = write_counting_model(tmp_path / "model")
    (model / damage).write_bytes(b"" if damage == "tokenizer.bin" else b"not what it was")

    async def body() -> None:
        with pytest.raises(EngineError) as raised:
            await MoonshineTranscriber(MoonshineModel(model, ARCHITECTURE)).start()

        assert raised.value.engine == "moonshine"

    asyncio.run(body())


def test_a_killed_process_fails_its_utterance_and_is_replaced(tmp_path: Path) -> None:
    async def body() -> None:
        async with started(tmp_path) as transcriber:
            heard = Heard()
            stream = transcriber.open(TranscriptOptions(), heard)
            stream.feed(spoken(1))
            while not heard.partials:
                await heard.change()
            (process_id,) = await transcriber.process_ids()
            os.kill(process_id, signal.SIGKILL)

            error = await heard.result()

            assert isinstance(error, EngineError) and error.is_retryable
            assert (await transcript(transcriber, spoken(1.1)))[1].text == "one two"

    asyncio.run(body())


def test_words_that_were_told_as_stable_stay_where_the_final_hypothesis_differs() -> None:
    prefix = AgreedPrefix()
    for _ in range(3):
        prefix.revise(["send", "it", "now"])

    rows = prefix.finished([WordRow(text=word, start_ms=0, end_ms=1) for word in ("sent", "it", "now", "please")])

    assert [row["text"] for row in rows] == ["send", "it", "now", "please"]


def test_words_are_not_lost_where_the_final_hypothesis_is_shorter_than_what_was_stable() -> None:
    prefix = AgreedPrefix()
    for _ in range(3):
        prefix.revise(["send", "it"])

    assert [row["text"] for row in prefix.finished([])] == ["send", "it"]


def test_words_without_an_alignment_share_the_time_of_their_part() -> None:
    rows = timed_words(["one", "two"], [("one", 0.0, 0.4)], 1000, 3000)

    assert [(row["start_ms"], row["end_ms"]) for row in rows] == [(1000, 2000), (2000, 3000)]


def test_times_never_go_back_and_stay_within_their_part() -> None:
    rows = timed_words(["one", "two"], [("one", 0.5, 1.6), ("two", 1.2, 9.0)], 0, 2000)

    assert [(row["start_ms"], row["end_ms"]) for row in rows] == [(500, 1600), (1600, 2000)]


@pytest.mark.parametrize(("cores", "workers"), [(1, 1), (2, 1), (8, 4)])
def test_there_are_no_more_processes_than_half_the_cores(cores: int, workers: int) -> None:
    assert workers_at_most(cores) == workers
