"""The live resampler: exact positions, no seams, little delay, clean spectrum."""

import math

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vivavoce.audio.resample import StreamResampler, resample_file

PAIRS = [
    (24_000, 16_000),
    (16_000, 24_000),
    (8_000, 24_000),
    (24_000, 8_000),
    (48_000, 16_000),
    (48_000, 24_000),
    (44_100, 24_000),
    (22_050, 24_000),
    (24_000, 44_100),
    (16_000, 24_300),
]


def sine(frequency_hz: float, rate_hz: int, samples: int) -> npt.NDArray[np.float64]:
    return 10_000 * np.sin(2 * np.pi * frequency_hz * np.arange(samples) / rate_hz)


def as_bytes(samples: npt.NDArray[np.float64]) -> bytes:
    return np.rint(samples).astype("<i2").tobytes()


def converted(pcm: bytes, from_hz: int, to_hz: int) -> npt.NDArray[np.float64]:
    resampler = StreamResampler(from_hz, to_hz)
    return np.frombuffer(resampler.process(pcm) + resampler.flush(), "<i2").astype(np.float64)


def power_db(samples: npt.NDArray[np.float64]) -> float:
    return 10 * math.log10(np.mean(samples**2) + 1e-9)


@pytest.mark.parametrize(("from_hz", "to_hz"), PAIRS)
def test_a_tone_keeps_its_place_on_the_time_line(from_hz: int, to_hz: int) -> None:
    output = converted(as_bytes(sine(1000, from_hz, from_hz)), from_hz, to_hz)
    expected = sine(1000, to_hz, to_hz)

    inner = slice(to_hz // 50, -to_hz // 50)
    assert power_db(output[inner] - expected[inner]) < power_db(expected) - 70


@pytest.mark.parametrize(("from_hz", "to_hz"), PAIRS)
def test_a_stream_has_its_exact_length(from_hz: int, to_hz: int) -> None:
    for samples in (0, 1, 479, 480, 1001):
        assert len(converted(bytes(2 * samples), from_hz, to_hz)) == math.ceil(samples * to_hz / from_hz)


@pytest.mark.parametrize(("from_hz", "to_hz"), PAIRS)
def test_no_more_than_the_half_filter_is_withheld(from_hz: int, to_hz: int) -> None:
    resampler = StreamResampler(from_hz, to_hz)
    given_s = received_s = 0.0

    for _ in range(50):
        given_s += 0.02
        received_s += len(resampler.process(bytes(from_hz // 50 * 2))) / 2 / to_hz

        assert given_s - received_s <= 17 / min(from_hz, to_hz) + 1 / to_hz


@pytest.mark.parametrize(("from_hz", "to_hz"), [pair for pair in PAIRS if pair[0] > pair[1]])
def test_tones_above_the_lower_band_do_not_fold_back(from_hz: int, to_hz: int) -> None:
    tone = as_bytes(sine(0.56 * to_hz, from_hz, from_hz))

    assert power_db(converted(tone, from_hz, to_hz)[200:-200]) < power_db(sine(1000, 8000, 8000)) - 70


@pytest.mark.parametrize(("from_hz", "to_hz"), [pair for pair in PAIRS if 1.2 * pair[0] < pair[1]])
def test_the_upper_band_stays_empty(from_hz: int, to_hz: int) -> None:
    tone = sine(0.4 * from_hz, from_hz, from_hz)

    spectrum = np.abs(np.fft.rfft(converted(as_bytes(tone), from_hz, to_hz)[1000:-1000] * np.hanning(to_hz - 2000)))

    image = spectrum[int(0.56 * from_hz * len(spectrum) * 2 / to_hz) :]
    assert image.max() < spectrum.max() * 10 ** (-65 / 20)


@given(cuts=st.lists(st.integers(0, 700), max_size=20), pair=st.sampled_from(PAIRS))
def test_cutting_a_stream_anywhere_leaves_no_seam(cuts: list[int], pair: tuple[int, int]) -> None:
    audio = np.random.default_rng(3).integers(-9000, 9000, sum(cuts) + 100).astype("<i2").tobytes()
    resampler = StreamResampler(*pair)

    pieces, at = [], 0
    for cut in cuts:
        pieces.append(resampler.process(audio[at : at + 2 * cut]))
        at += 2 * cut
    pieces += [resampler.process(audio[at:]), resampler.flush()]

    in_pieces = np.frombuffer(b"".join(pieces), "<i2").astype(int)
    assert np.abs(in_pieces - converted(audio, *pair)).max(initial=0) <= 1  # summation order may round differently


def test_a_stream_after_a_flush_begins_afresh() -> None:
    tone = as_bytes(sine(700, 24_000, 2400))
    resampler = StreamResampler(24_000, 16_000)

    first = resampler.process(tone) + resampler.flush()

    assert resampler.process(tone) + resampler.flush() == first


def test_equal_rates_pass_bytes_through() -> None:
    resampler = StreamResampler(24_000, 24_000)

    assert resampler.process(b"\1\2\3\4") + resampler.flush() == b"\1\2\3\4"


def test_full_scale_input_saturates_instead_of_wrapping() -> None:
    square = np.tile(np.repeat([32767, -32768], 40), 50).astype("<i2").tobytes()

    output = converted(square, 24_000, 16_000)

    assert output.max() == 32767
    assert output.min() == -32768
    assert np.abs(np.diff(np.sign(output[output != 0]))).sum() / 2 < 110


@pytest.mark.parametrize(
    ("from_hz", "to_hz", "message"),
    [
        (0, 16_000, "between 4000 and 384000 Hz, got 0"),
        (24_000, 500_000, "got 500000"),
        (16_001, 24_000, "24000 phases"),
    ],
)
def test_impossible_rates_are_refused(from_hz: int, to_hz: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        StreamResampler(from_hz, to_hz)


def test_half_a_sample_is_refused() -> None:
    with pytest.raises(ValueError, match="even number of bytes, got 3"):
        StreamResampler(24_000, 16_000).process(b"\0\0\0")


@pytest.mark.parametrize(("from_hz", "to_hz"), [(44_100, 24_000), (8_000, 24_000), (16_001, 24_000)])
def test_a_file_keeps_its_tone_and_length(from_hz: int, to_hz: int) -> None:
    output = np.frombuffer(resample_file(as_bytes(sine(1000, from_hz, from_hz)), from_hz, to_hz), "<i2").astype(float)

    inner = slice(to_hz // 20, -to_hz // 20)
    assert abs(len(output) - to_hz) <= 1
    assert power_db(output[inner] - sine(1000, to_hz, len(output))[inner]) < power_db(output) - 60


def test_a_file_at_the_wanted_rate_is_unchanged() -> None:
    assert resample_file(b"\1\2", 24_000, 24_000) == b"\1\2"
