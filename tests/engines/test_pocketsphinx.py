"""The embedded recogniser on human speech."""

import asyncio
import functools
import importlib.util
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import numpy as np

from tests.engines.utterances import Heard
from tests.require import require
from tests.speech_samples import Clip, clip
from vivavoce.core.requests import TranscriptOptions
from vivavoce.engines.base import Final
from vivavoce.engines.stt.pocketsphinx import PocketsphinxTranscriber


@asynccontextmanager
async def started() -> AsyncIterator[PocketsphinxTranscriber]:
    require(importlib.util.find_spec("pocketsphinx"), "the Python package pocketsphinx")
    transcriber = PocketsphinxTranscriber(max_workers=1)
    await transcriber.start()
    try:
        yield transcriber
    finally:
        await transcriber.close()


def speech() -> Clip:
    return clip("goforward", "go forward ten meters")


@functools.cache  # decoding is the expensive part of these tests
def transcribed() -> list[tuple[Heard, Final]]:
    """Return what was heard of a command, noise, silence, one window, nothing, and the same command again."""
    noise = (np.random.default_rng(1).standard_normal(16_000) * 6000).astype("<i2").tobytes()
    utterances = [speech().pcm, noise, bytes(32_000), bytes(320), b"", speech().pcm]

    async def body() -> list[tuple[Heard, Final]]:
        async with started() as transcriber:
            return [await transcript(transcriber, pcm) for pcm in utterances]

    return asyncio.run(body())


async def transcript(transcriber: PocketsphinxTranscriber, pcm: bytes) -> tuple[Heard, Final]:
    heard = Heard()
    stream = transcriber.open(TranscriptOptions(language="en"), heard)
    for start in range(0, len(pcm), 1280):
        stream.feed(pcm[start : start + 1280])
    stream.finish()
    final = await heard.result()
    assert isinstance(final, Final), final
    return heard, final


def test_a_spoken_command_is_transcribed_with_its_word_times() -> None:
    _, final = transcribed()[0]

    assert final.text == speech().text
    assert [word.text for word in final.words] == speech().text.split()
    starts = [word.start_ms for word in final.words]
    assert starts == sorted(starts)
    assert 200 < starts[0] < 700
    assert all(word.start_ms < word.end_ms <= len(speech().pcm) / 32 for word in final.words)


def test_partials_grow_a_stable_prefix_of_their_text() -> None:
    heard, _ = transcribed()[0]

    stable = [partial.stable for partial in heard.partials]
    assert heard.partials
    assert all(partial.text.startswith(partial.stable) for partial in heard.partials)
    assert all(after.startswith(before) for before, after in zip(stable, stable[1:], strict=False))


def test_an_utterance_does_not_depend_on_the_ones_before() -> None:
    results = transcribed()

    assert results[-1][1] == results[0][1]


def test_silence_and_nothing_have_an_empty_transcript() -> None:
    assert [final.text for _, final in transcribed()[2:5]] == ["", "", ""]


def test_the_limits_are_told_as_capabilities() -> None:
    capabilities = PocketsphinxTranscriber.capabilities

    assert capabilities.languages == ("en",)
    assert capabilities.has_word_times
    assert "Demo-grade" in capabilities.note
