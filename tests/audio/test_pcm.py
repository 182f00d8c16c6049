"""Conversion, duration and level of pcm16 audio."""

import numpy as np
import pytest

from vivavoce.audio import pcm


def sine(level: float, rate_hz: int = 16_000) -> bytes:
    return pcm.from_float((level * np.sin(2 * np.pi * 1000 * np.arange(rate_hz) / rate_hz)).astype(np.float32))


def test_every_sample_value_survives_the_way_through_float() -> None:
    values = np.arange(-32768, 32768).astype("<i2").tobytes()

    assert pcm.from_float(pcm.to_float(values)) == values


def test_float_audio_beyond_full_scale_saturates() -> None:
    loud = np.array([2.0, 1.0, -1.0, -2.0], np.float32)

    assert pcm.to_int16(pcm.from_float(loud)).tolist() == [32767, 32767, -32768, -32768]


def test_an_odd_number_of_bytes_is_refused() -> None:
    with pytest.raises(ValueError, match="even number of bytes, got 3"):
        pcm.to_float(b"abc")


@pytest.mark.parametrize(
    ("byte_count", "rate_hz", "duration_ms"), [(48, 24_000, 1.0), (640, 16_000, 20.0), (0, 8_000, 0.0)]
)
def test_duration_counts_two_bytes_a_sample(byte_count: int, rate_hz: int, duration_ms: float) -> None:
    assert pcm.duration_ms(byte_count, rate_hz) == duration_ms
    assert pcm.bytes_for_ms(duration_ms, rate_hz) == byte_count


def test_bytes_for_a_duration_are_whole_samples() -> None:
    assert pcm.bytes_for_ms(10.03, 24_000) == 480


def test_a_sine_has_an_rms_level_3_db_below_its_peak() -> None:
    assert pcm.peak_dbfs(sine(0.5)) == pytest.approx(-6.02, abs=0.01)
    assert pcm.rms_dbfs(sine(0.5)) == pytest.approx(-9.03, abs=0.01)


def test_silence_and_nothing_have_the_lowest_level() -> None:
    for audio in (b"", bytes(640)):
        assert pcm.rms_dbfs(audio) == pcm.peak_dbfs(audio) == pcm.SILENCE_DBFS


def test_a_full_scale_square_wave_is_at_zero() -> None:
    assert pcm.rms_dbfs(np.full(100, -32768, "<i2").tobytes()) == 0.0
