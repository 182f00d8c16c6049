"""The noise reducer: what it does to noise, to speech and to the timeline. Noise is made here, speech by Flite."""

import asyncio
import functools
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.engines.flite_builds import Speaker
from tests.require import require
from vivavoce.assets.cache import AssetCache, default_directory
from vivavoce.assets.errors import AssetMissing
from vivavoce.audio.resample import resample_file
from vivavoce.engines.base import EngineError
from vivavoce.engines.noise.frames import delay_samples
from vivavoce.engines.noise.rnnoise import RnnoiseReducer

Kind = Literal["near_field", "far_field"]
Sound = npt.NDArray[np.float64]

RATES_HZ = (24_000, 8_000)
KINDS: tuple[Kind, ...] = ("near_field", "far_field")
LEARNED_S = 2.0  # by then the noise is known


def program_path() -> Path:
    try:
        return AssetCache(default_directory()).path("rnnoise-wasm")
    except AssetMissing as error:
        require(False, f"the asset rnnoise-wasm ({error})")
        raise


@functools.cache
def reducer() -> RnnoiseReducer:
    engine = RnnoiseReducer(program_path())
    asyncio.run(engine.start())
    return engine


@pytest.fixture(autouse=True, scope="module")
def closed_at_the_end() -> Iterator[None]:
    yield
    if reducer.cache_info().currsize:
        asyncio.run(reducer().close())
        reducer.cache_clear()


@functools.cache
def speech(rate_hz: int) -> Sound:
    """Return six seconds of speech between silences, its RMS while somebody speaks about 2000."""
    speaker = Speaker("wasm")
    spoken = speaker.speak("Could you tell me how to get to the nearest hospital? I am new here. Thank you very much.")
    speaker.close()
    pcm = resample_file(b"".join(chunk.pcm for chunk in spoken.chunks), 24_000, rate_hz)
    sound = np.frombuffer(pcm, "<i2").astype(np.float64)
    pause = np.zeros(rate_hz // 2)
    return np.concatenate((pause, sound * (2_000 / level(sound)), pause))


def noise(color: str, rms: float, seconds: float, rate_hz: int) -> Sound:
    """Return white noise, or noise that falls by 3 dB per octave."""
    size = int(seconds * rate_hz)
    spectrum = np.fft.rfft(np.random.default_rng(3).standard_normal(size))
    if color == "pink":
        spectrum /= np.sqrt(np.maximum(np.arange(spectrum.size), 20 * seconds))
    made = np.fft.irfft(spectrum, size)
    scaled: Sound = made * (rms / level(made))
    return scaled


def level(sound: Sound) -> float:
    """Return the RMS of the loud half of the 20 ms frames."""
    power = np.sort(np.mean(sound[: sound.size // 400 * 400].reshape(-1, 400) ** 2, axis=1))
    return float(np.sqrt(np.mean(power[power.size // 2 :])))


def decibels(after: float, before: float) -> float:
    return float(20 * np.log10(max(after, 1e-3) / before))


def pcm_of(sound: Sound) -> bytes:
    return np.clip(np.rint(sound), -32768, 32767).astype("<i2").tobytes()


def cleaned(sound: Sound, kind: Kind, rate_hz: int, strength: float = 1.0) -> Sound:
    stream = reducer().open(kind, strength, rate_hz)
    pcm = stream.process(pcm_of(sound)) + stream.flush()
    stream.close()
    return np.frombuffer(pcm, "<i2").astype(np.float64)


@pytest.mark.parametrize("rate_hz", RATES_HZ)
@pytest.mark.parametrize("color", ["white", "pink"])
@pytest.mark.parametrize("rms", [30, 1_000])
def test_steady_noise_falls_by_twelve_decibels_near_and_by_more_than_twenty_far(
    rms: float, color: str, rate_hz: int
) -> None:
    heard = noise(color, rms, LEARNED_S + 1, rate_hz)
    learned = int(LEARNED_S * rate_hz)

    near, far = (level(cleaned(heard, kind, rate_hz)[learned:]) for kind in KINDS)

    assert decibels(near, rms) == pytest.approx(-12, abs=1.5)
    assert decibels(far, rms) < -20


@pytest.mark.parametrize("rate_hz", RATES_HZ)
def test_near_field_leaves_the_level_of_speech(rate_hz: int) -> None:
    assert decibels(level(cleaned(speech(rate_hz), "near_field", rate_hz)), level(speech(rate_hz))) > -1


def test_far_field_raises_quiet_speech_towards_one_level_and_near_field_does_not() -> None:
    quiet = np.tile(speech(24_000) * 0.15, 2)
    second = slice(quiet.size // 2, None)

    near, far = (level(cleaned(quiet, kind, 24_000)[second]) for kind in KINDS)

    assert decibels(near, level(quiet[second])) < 0.5
    assert decibels(far, level(quiet[second])) > 10
    assert far < 4_000


def test_far_field_does_not_raise_noise_when_nobody_speaks() -> None:
    hiss = noise("white", 50, 10, 24_000)

    assert level(cleaned(hiss, "far_field", 24_000)[-24_000:]) < 50


def test_raised_speech_is_not_clipped() -> None:
    shouted_after_whispering = np.concatenate((np.tile(speech(24_000) * 0.05, 3), speech(24_000) * 3))
    assert np.max(np.abs(shouted_after_whispering)) < 32_767

    heard = cleaned(shouted_after_whispering, "far_field", 24_000)

    assert np.count_nonzero(np.abs(heard) >= 32_767) == 0


@pytest.mark.parametrize("kind", KINDS)
def test_strength_goes_from_no_change_to_all(kind: Kind) -> None:
    heard = noise("pink", 1_000, LEARNED_S + 1, 24_000)
    learned = int(LEARNED_S * 24_000)

    levels = [level(cleaned(heard, kind, 24_000, strength)[learned:]) for strength in (0.0, 0.25, 0.5, 0.75, 1.0)]

    assert np.array_equal(cleaned(heard, kind, 24_000, 0.0), np.rint(heard))
    falls_db = np.diff(20 * np.log10(levels))
    assert np.all(falls_db < -2.5)


@pytest.mark.parametrize("rate_hz", RATES_HZ)
@pytest.mark.parametrize("kind", KINDS)
def test_sample_n_out_is_sample_n_in(kind: Kind, rate_hz: int) -> None:
    sound = speech(rate_hz)

    heard = cleaned(sound, kind, rate_hz)

    assert heard.size == sound.size
    for part in np.split(np.arange(sound.size // 4 * 4), 4):  # in every quarter: nothing drifts
        assert lag_samples(heard[part], sound[part]) == 0


def lag_samples(later: Sound, earlier: Sound) -> int:
    """Return by how many samples one sound follows the other.

    The slopes are compared: RNNoise's filter against rumble moves the phase of a voice's lowest tones, not its time.
    """
    size = earlier.size
    spectra = np.fft.rfft(np.diff(later), 2 * size) * np.conj(np.fft.rfft(np.diff(earlier), 2 * size))
    place = int(np.argmax(np.fft.irfft(spectra)))
    return place if place < size else place - 2 * size


@pytest.mark.parametrize("rate_hz", RATES_HZ)
def test_at_most_the_told_delay_and_an_unfinished_frame_are_withheld(rate_hz: int) -> None:
    stream = reducer().open("near_field", 1.0, rate_hz)
    size = rate_hz // 100
    given_samples = returned_samples = 0
    withheld: list[int] = []

    for count in [size, size // 3, size, 1, 5 * size] * 4:
        returned_samples += len(stream.process(bytes(2 * count))) // 2
        given_samples += count
        withheld.append(given_samples - returned_samples)

    assert max(withheld) < delay_samples(rate_hz) + size
    assert delay_samples(rate_hz) / rate_hz <= 0.020
    assert returned_samples + len(stream.flush()) // 2 == given_samples


@settings(max_examples=25)
@given(
    cuts=st.lists(st.integers(0, 6_000), max_size=12),
    rate_hz=st.sampled_from(RATES_HZ),
    kind=st.sampled_from(KINDS),
    strength=st.sampled_from([0.3, 1.0]),
)
def test_any_chunking_of_the_same_audio_gives_the_same_bytes(
    cuts: list[int], rate_hz: int, kind: Kind, strength: float
) -> None:
    pcm = pcm_of(noise("pink", 500, 6_000 / rate_hz, rate_hz) + speech(rate_hz)[rate_hz // 2 :][:6_000])
    whole = reducer().open(kind, strength, rate_hz)
    in_pieces = reducer().open(kind, strength, rate_hz)
    bounds = [0, *sorted(cuts), 6_000]

    pieces = [in_pieces.process(pcm[2 * a : 2 * b]) for a, b in zip(bounds, bounds[1:], strict=False)]

    assert b"".join([*pieces, in_pieces.flush()]) == whole.process(pcm) + whole.flush()


@settings(max_examples=25)
@given(st.lists(st.integers(0, 2_000), min_size=1, max_size=8), st.sampled_from(RATES_HZ))
def test_every_flush_returns_the_rest_and_the_stream_goes_on(counts: list[int], rate_hz: int) -> None:
    stream = reducer().open("far_field", 1.0, rate_hz)

    for count in counts:
        assert len(stream.process(bytes(2 * count)) + stream.flush()) == 2 * count

    assert stream.flush() == b""


def test_what_follows_a_flush_is_in_time_again() -> None:
    sound, half = speech(24_000), speech(24_000).size // 2
    stream = reducer().open("near_field", 1.0, 24_000)

    first = stream.process(pcm_of(sound[:half])) + stream.flush()
    second = stream.process(pcm_of(sound[half:])) + stream.flush()

    assert lag_samples(np.frombuffer(second, "<i2").astype(np.float64), sound[half:]) == 0
    assert len(first) + len(second) == 2 * sound.size


ODD_SOUNDS: dict[str, Callable[[], Sound]] = {
    "silence": lambda: np.zeros(24_000),
    "full-scale noise": lambda: np.random.default_rng(1).uniform(-32_768, 32_767, 24_000),
    "a square wave": lambda: np.where(np.arange(24_000) // 60 % 2, 32_767.0, -32_768.0),
    "a constant": lambda: np.full(24_000, 32_767.0),
    "clicks": lambda: np.where(np.arange(24_000) % 2_400, 0.0, 32_767.0),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ODD_SOUNDS)
def test_any_sound_gives_as_many_finite_samples(name: str, kind: Kind) -> None:
    sound = ODD_SOUNDS[name]()

    heard = cleaned(sound, kind, 24_000)  # numpy would warn of a value that is no number, and a warning fails

    assert heard.size == sound.size
    assert level(heard) <= level(sound) * 1.05


def test_streams_do_not_hear_each_other() -> None:
    pcm = pcm_of(speech(24_000))
    alone = reducer().open("near_field", 1.0, 24_000)
    one, other = (reducer().open("near_field", 1.0, 24_000) for _ in range(2))

    together = b""
    for start in range(0, len(pcm), 960):
        together += one.process(pcm[start : start + 960])
        other.process(pcm_of(noise("white", 3_000, 0.02, 24_000)))

    assert together + one.flush() == alone.process(pcm) + alone.flush()


def test_other_rates_are_refused() -> None:
    with pytest.raises(ValueError, match=re.escape("noise is reduced at (24000, 8000) Hz, got 16000")):
        reducer().open("near_field", 1.0, 16_000)


def test_a_reducer_that_is_not_started_opens_no_stream(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="not started"):
        RnnoiseReducer(tmp_path / "rnnoise.wasm").open("near_field", 1.0, 24_000)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [(None, "cannot be used"), (b"no program", "cannot be used"), (b"\0asm\1\0\0\0", "is not RNNoise as pinned")],
)
def test_a_file_that_is_absent_or_another_is_told_at_the_start(
    tmp_path: Path, content: bytes | None, complaint: str
) -> None:
    path = tmp_path / "rnnoise.wasm"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(EngineError, match=complaint):
        asyncio.run(RnnoiseReducer(path).start())
