"""G.711 against the values of the recommendation."""

from collections.abc import Callable

import numpy as np
import pytest

from vivavoce.audio import g711

Codec = Callable[[bytes], bytes]

ALL_CODES = bytes(range(256))


def pcm_of(*samples: int) -> bytes:
    return np.array(samples, "<i2").tobytes()


def samples_of(pcm: bytes) -> list[int]:
    return [int(sample) for sample in np.frombuffer(pcm, "<i2")]


# G.711 tables 1a, 1b (A-law, 13 bits, here times 8) and 2a, 2b (mu-law, 14 bits, here times 4).
@pytest.mark.parametrize(
    ("code", "value"),
    [(0xFF, 0), (0x7F, 0), (0xFE, 8), (0x7E, -8), (0xEF, 132), (0x80, 32124), (0x00, -32124), (0x8F, 16764)],
)
def test_mulaw_codes_have_the_values_of_table_2(code: int, value: int) -> None:
    assert samples_of(g711.decode_mulaw(bytes([code]))) == [value]


@pytest.mark.parametrize(
    ("code", "value"),
    [(0xD5, 8), (0x55, -8), (0xD4, 24), (0xC5, 264), (0xAA, 32256), (0x2A, -32256), (0xA5, 16896), (0x25, -16896)],
)
def test_alaw_codes_have_the_values_of_table_1(code: int, value: int) -> None:
    assert samples_of(g711.decode_alaw(bytes([code]))) == [value]


def test_alaw_codes_survive_the_way_through_pcm() -> None:
    assert g711.encode_alaw(g711.decode_alaw(ALL_CODES)) == ALL_CODES


def test_mulaw_codes_survive_the_way_through_pcm_but_for_negative_zero() -> None:
    expected = ALL_CODES.replace(b"\x7f", b"\xff")

    assert g711.encode_mulaw(g711.decode_mulaw(ALL_CODES)) == expected


@pytest.mark.parametrize(
    ("encode", "decode"), [(g711.encode_mulaw, g711.decode_mulaw), (g711.encode_alaw, g711.decode_alaw)]
)
def test_every_sample_decodes_within_half_a_step_of_its_segment(encode: Codec, decode: Codec) -> None:
    values = np.arange(-32124, 32125)

    decoded = np.frombuffer(decode(encode(values.astype("<i2").tobytes())), "<i2").astype(int)

    assert np.all(np.abs(decoded - values) <= np.abs(values) / 32 + 8)
    assert np.all(np.diff(decoded) >= 0)


@pytest.mark.parametrize(
    ("sample", "mulaw", "alaw"),
    [(0, 0xFF, 0xD5), (-1, 0x7E, 0x55), (32767, 0x80, 0xAA), (-32768, 0x00, 0x2A), (1000, 0xCE, 0xFA)],
)
def test_samples_have_known_codes(sample: int, mulaw: int, alaw: int) -> None:
    assert g711.encode_mulaw(pcm_of(sample)) == bytes([mulaw])
    assert g711.encode_alaw(pcm_of(sample)) == bytes([alaw])


def test_silence_codes_encode_silence() -> None:
    assert g711.encode_mulaw(bytes(2)) == bytes([g711.MULAW_SILENCE])
    assert g711.encode_alaw(bytes(2)) == bytes([g711.ALAW_SILENCE])


def test_half_a_sample_is_refused() -> None:
    with pytest.raises(ValueError, match="got 1"):
        g711.encode_mulaw(b"\0")
