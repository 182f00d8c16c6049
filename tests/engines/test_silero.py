"""The embedded detector against the model it ships with."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
import pytest

from tests.require import require
from tests.speech_samples import clip
from vivavoce.assets.cache import AssetCache, default_directory
from vivavoce.assets.errors import AssetMissing
from vivavoce.engines.base import EngineError
from vivavoce.engines.vad.silero import INLINE_WINDOWS, WINDOW_BYTES, WINDOW_MS, SileroDetector

NOISE = (
    (np.random.default_rng(7).standard_normal(512 * 60) * np.repeat([300, 3000, 30], 512 * 20)).astype("<i2").tobytes()
)


class Collected:
    """What a stream delivered; `arrived` is awaited, never slept for."""

    def __init__(self) -> None:
        self.probabilities: list[float] = []
        self._changed = asyncio.Event()

    def __call__(self, probabilities: Sequence[float]) -> None:
        self.probabilities.extend(probabilities)
        self._changed.set()

    async def arrived(self, count: int) -> list[float]:
        async with asyncio.timeout(20):
            while len(self.probabilities) < count:
                self._changed.clear()
                await self._changed.wait()
        return self.probabilities


def model_path() -> Path:
    try:
        return AssetCache(default_directory()).path("silero-vad")
    except AssetMissing as error:
        require(False, f"the asset silero-vad ({error})")
        raise


@asynccontextmanager
async def started(inline_streams: int = 8) -> AsyncIterator[SileroDetector]:
    detector = SileroDetector(model_path(), inline_streams)
    await detector.start()
    try:
        yield detector
    finally:
        await detector.close()


async def scores_inline(pcm: bytes) -> list[float]:
    async with started() as detector:
        collected = Collected()
        stream = detector.open(collected)
        for start in range(0, len(pcm), WINDOW_BYTES):
            stream.feed(pcm[start : start + WINDOW_BYTES])
        return collected.probabilities


def test_human_speech_scores_high_and_silence_low() -> None:
    speech = clip("goforward", "go forward ten meters").pcm

    scores = asyncio.run(scores_inline(bytes(16_000) + speech))

    assert max(scores[:15]) < 0.2
    assert max(scores) > 0.95
    assert np.mean(np.array(scores) > 0.5) > 0.3


def test_chunk_lengths_do_not_change_the_scores() -> None:
    async def in_chunks_of(step: int) -> list[float]:
        async with started() as detector:
            collected = Collected()
            stream = detector.open(collected)
            for start in range(0, len(NOISE), step):
                stream.feed(NOISE[start : start + step])
            return collected.probabilities

    expected = asyncio.run(scores_inline(NOISE))

    assert len(expected) == 60
    assert asyncio.run(in_chunks_of(642)) == pytest.approx(expected, abs=1e-5)


def test_few_windows_are_scored_before_feed_returns() -> None:
    async def body() -> tuple[int, float]:
        async with started() as detector:
            collected = Collected()
            stream = detector.open(collected)
            stream.feed(NOISE[: INLINE_WINDOWS * WINDOW_BYTES])
            return len(collected.probabilities), stream.pending_ms

    assert asyncio.run(body()) == (INLINE_WINDOWS, 0.0)


def test_a_bulk_feed_leaves_the_loop_free_and_keeps_order_with_what_follows() -> None:
    async def body() -> tuple[int, float, list[float], float]:
        async with started() as detector:
            collected = Collected()
            stream = detector.open(collected)
            stream.feed(NOISE[: 50 * WINDOW_BYTES])
            stream.feed(NOISE[50 * WINDOW_BYTES : 51 * WINDOW_BYTES])
            at_once, pending_ms = len(collected.probabilities), stream.pending_ms
            await collected.arrived(51)
            stream.feed(NOISE[51 * WINDOW_BYTES :])
            return at_once, pending_ms, await collected.arrived(60), stream.pending_ms

    at_once, pending_ms, scores, pending_after_ms = asyncio.run(body())

    assert at_once == 0
    assert pending_ms == 51 * WINDOW_MS
    assert scores == pytest.approx(asyncio.run(scores_inline(NOISE)), abs=1e-4)
    assert pending_after_ms == 0.0


def test_many_streams_are_batched_with_the_scores_of_one() -> None:
    async def body() -> list[list[float]]:
        async with started(inline_streams=4) as detector:
            sinks = [Collected() for _ in range(40)]
            streams = [detector.open(sink) for sink in sinks]
            for window in range(0, len(NOISE), WINDOW_BYTES):
                for stream in streams:
                    stream.feed(NOISE[window : window + WINDOW_BYTES])
            return [await sink.arrived(60) for sink in sinks]

    expected = asyncio.run(scores_inline(NOISE))

    for scores in asyncio.run(body()):
        assert scores == pytest.approx(expected, abs=1e-4)


def test_order_holds_when_a_crowd_leaves_while_windows_are_with_the_thread() -> None:
    async def body() -> list[float]:
        async with started(inline_streams=2) as detector:
            collected = Collected()
            stream = detector.open(collected)
            others = [detector.open(Collected()) for _ in range(5)]
            for window in range(0, len(NOISE), WINDOW_BYTES):
                if window == 10 * WINDOW_BYTES:
                    for other in others:
                        other.close()
                stream.feed(NOISE[window : window + WINDOW_BYTES])
            return await collected.arrived(60)

    assert asyncio.run(body()) == pytest.approx(asyncio.run(scores_inline(NOISE)), abs=1e-4)


def test_a_closed_stream_delivers_nothing_more() -> None:
    async def body() -> tuple[list[float], list[float]]:
        async with started() as detector:
            closed, other = Collected(), Collected()
            stream, follower = detector.open(closed), detector.open(other)
            stream.feed(NOISE)
            follower.feed(NOISE)
            stream.close()
            stream.close()
            stream.feed(NOISE)
            return closed.probabilities, await other.arrived(60)

    from_closed, from_other = asyncio.run(body())

    assert from_closed == []
    assert len(from_other) == 60


def test_an_odd_number_of_bytes_is_refused() -> None:
    async def body() -> None:
        async with started() as detector:
            detector.open(Collected()).feed(b"\0\0\0")

    with pytest.raises(ValueError, match="even number of bytes, got 3"):
        asyncio.run(body())


def test_a_file_that_is_no_model_fails_the_start(tmp_path: Path) -> None:
    (tmp_path / "broken.onnx").write_bytes(b"not a model")

    with pytest.raises(EngineError, match=r"the model broken\.onnx cannot be loaded"):
        asyncio.run(SileroDetector(tmp_path / "broken.onnx").start())


def test_a_stream_cannot_be_opened_before_the_start() -> None:
    with pytest.raises(EngineError, match="not started"):
        SileroDetector(Path("absent.onnx")).open(Collected())


def test_closing_twice_is_harmless() -> None:
    async def body() -> None:
        async with started() as detector:
            detector.open(Collected()).feed(NOISE)
            await detector.close()

    asyncio.run(body())
