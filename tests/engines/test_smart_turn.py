"""Log-mel features against their definition; the turn scorer against its model file, which is fetched if need be."""

import asyncio
import math
from pathlib import Path

import numpy as np
import pytest

from tests.require import require
from tests.speech_samples import clip
from vivavoce.assets.cache import AssetCache, default_directory
from vivavoce.assets.errors import AssetError, AssetMissing
from vivavoce.engines.base import EngineError
from vivavoce.engines.turn.log_mel import BANDS, FRAMES, HOP_SAMPLES, RATE_HZ, SPAN_SAMPLES, log_mel
from vivavoce.engines.turn.smart_turn import ASSET, MAX_WAITING, SmartTurnScorer

SILENCE_200_MS = bytes(RATE_HZ // 5 * 2)


def tone(frequency_hz: float, seconds: float, level: float = 0.3) -> bytes:
    """A tone as pcm16le, mono, 16 kHz."""
    turns = np.arange(int(seconds * RATE_HZ)) * (frequency_hz / RATE_HZ)
    samples = np.asarray(np.sin(2 * math.pi * turns) * level * 32767, "<i2")
    return samples.tobytes()


@pytest.fixture(scope="session")
def model_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The installed model file, else one that is fetched into a folder of this run: 12 MB, seconds."""
    try:
        return AssetCache(default_directory()).path(ASSET)
    except AssetMissing:
        pass
    try:
        return AssetCache(tmp_path_factory.mktemp("assets")).fetch(ASSET)
    except AssetError as error:
        require(False, f"the asset {ASSET}, which cannot be fetched here: {error}")
        raise


def scores(model_path: Path, *utterances: bytes) -> list[float]:
    """What the started engine says of each utterance."""

    async def score_all() -> list[float]:
        scorer = SmartTurnScorer(model_path)
        await scorer.start()
        try:
            return [await scorer.score(pcm) for pcm in utterances]
        finally:
            await scorer.close()

    return asyncio.run(score_all())


@pytest.mark.parametrize("seconds", [0.0, 0.5, 8.0, 11.0])
def test_features_have_the_shape_of_eight_seconds(seconds: float) -> None:
    features = log_mel(tone(440, seconds))

    assert features.shape == (BANDS, FRAMES)
    assert features.dtype == np.float32
    assert np.isfinite(features).all()


def test_short_audio_lies_at_the_end() -> None:
    features = log_mel(tone(440, 1.0))

    loudest = features.max(axis=0)
    assert (loudest[-99:] > loudest[: FRAMES - 102].max() + 0.5).all()


def test_the_last_eight_seconds_of_long_audio_count() -> None:
    last = tone(440, 4.0) + tone(1200, 4.0)

    assert np.array_equal(log_mel(tone(300, 3.0) + last), log_mel(last))


@pytest.mark.parametrize("frequency_hz", [200.0, 440.0, 1000.0, 2500.0, 6000.0])
def test_a_tone_stands_in_its_mel_band(frequency_hz: float) -> None:
    # Slaney's scale: 200/3 Hz a mel up to 1 kHz, then 27 mels for a factor of 6.4; bands are equally wide in mels
    mels = frequency_hz * 3 / 200 if frequency_hz < 1000 else 15 + 27 * math.log(frequency_hz / 1000) / math.log(6.4)
    highest_mels = 15 + 27 * math.log(8) / math.log(6.4)
    band = mels / highest_mels * (BANDS + 1) - 1

    features = log_mel(tone(frequency_hz, 8.0))

    assert abs(int(features[:, FRAMES // 2].argmax()) - band) <= 1


def test_loudness_does_not_change_the_features() -> None:
    loud, quiet = log_mel(tone(440, 8.0, 0.8)), log_mel(tone(440, 8.0, 0.08))

    assert np.abs(loud - quiet).max() < 0.05


def test_the_dynamic_range_is_eighty_decibels() -> None:
    features = log_mel(tone(440, 2.0))

    assert features.max() - features.min() == pytest.approx(2.0, abs=1e-5)  # eight decades, a quarter of a unit each


def test_a_click_stands_in_the_frames_around_it() -> None:
    samples = np.zeros(SPAN_SAMPLES, "<i2")
    samples[300 * HOP_SAMPLES] = 30_000

    loudest = log_mel(samples.tobytes()).max(axis=0)

    assert set(np.flatnonzero(loudest > loudest.min() + 0.1)) == {299, 300, 301}


@pytest.mark.slow
def test_a_sentence_is_more_complete_at_its_end_than_within(model_path: Path) -> None:
    speech = clip("goforward", "go forward ten meters").pcm
    within = speech[: int(1.3 * RATE_HZ) * 2]  # "go forward ten"

    at_end, at_break = scores(model_path, speech + SILENCE_200_MS, within + SILENCE_200_MS)

    assert at_end > 0.8
    assert at_break < at_end


@pytest.mark.slow
def test_scores_are_probabilities_and_repeat(model_path: Path) -> None:
    noise = np.random.default_rng(5).normal(0, 3000, RATE_HZ).astype("<i2").tobytes()

    first, empty, again = scores(model_path, noise, b"", noise)

    assert first == again
    assert 0 <= first <= 1
    assert 0 <= empty <= 1


@pytest.mark.slow
def test_scores_beyond_the_bound_are_refused_and_the_others_made(model_path: Path) -> None:
    async def crowd() -> list[float | BaseException]:
        scorer = SmartTurnScorer(model_path)
        await scorer.start()
        try:
            wanted = (scorer.score(tone(300, 0.5)) for _ in range(MAX_WAITING + 2))
            return await asyncio.gather(*wanted, return_exceptions=True)
        finally:
            await scorer.close()

    results = asyncio.run(crowd())

    refused = [one for one in results if isinstance(one, EngineError)]
    assert [one.code for one in refused] == ["engine_timeout"] * 2
    assert len([one for one in results if isinstance(one, float)]) == MAX_WAITING


@pytest.mark.slow
def test_a_scorer_that_is_closed_twice_refuses_to_score(model_path: Path) -> None:
    async def close_and_score() -> None:
        scorer = SmartTurnScorer(model_path)
        await scorer.start()
        await scorer.close()
        await scorer.close()
        await scorer.score(b"")

    with pytest.raises(EngineError, match="not running"):
        asyncio.run(close_and_score())


def test_a_scorer_that_was_not_started_refuses_to_score(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="not running"):
        asyncio.run(SmartTurnScorer(tmp_path / "model.onnx").score(b"\0\0"))


def test_half_a_sample_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="even number of bytes, got 3"):
        asyncio.run(SmartTurnScorer(tmp_path / "model.onnx").score(b"abc"))


def test_a_file_that_is_no_model_is_told_by_name(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(b"no model")

    with pytest.raises(EngineError, match=r"the model model\.onnx cannot be loaded"):
        asyncio.run(SmartTurnScorer(path).start())
