"""WAV files of many kinds in, pcm16 mono out."""

import io
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vivavoce.audio import g711
from vivavoce.audio.wav import WavAudio, WavError, read_wav, write_wav

STEPS = np.array([0, 8192, -8192, 16384, -32768], np.int64)


def wav(code: int, bits: int, data: bytes, channels: int = 1, rate_hz: int = 8000, size: int | None = None) -> bytes:
    frame = channels * bits // 8
    layout = struct.pack("<HHIIHH", code, channels, rate_hz, rate_hz * frame, frame, bits)
    body = b"WAVE" + b"fmt " + struct.pack("<I", len(layout)) + layout
    body += b"LIST\3\0\0\0abc\0"  # an odd chunk with its padding
    body += b"data" + struct.pack("<I", len(data) if size is None else size) + data
    return b"RIFF" + struct.pack("<I", len(body)) + body


def read(content: bytes) -> WavAudio:
    return read_wav(io.BytesIO(content))


def samples(audio: WavAudio) -> list[int]:
    return [int(sample) for sample in np.frombuffer(audio.pcm, "<i2")]


@pytest.mark.parametrize(
    ("code", "bits", "data"),
    [
        (1, 8, (STEPS // 256 + 128).astype(np.uint8).tobytes()),
        (1, 16, STEPS.astype("<i2").tobytes()),
        (1, 24, b"".join(int(step * 256).to_bytes(3, "little", signed=True) for step in STEPS)),
        (1, 32, (STEPS * 65536).astype("<i4").tobytes()),
        (3, 32, (STEPS / 32768).astype("<f4").tobytes()),
        (3, 64, (STEPS / 32768).astype("<f8").tobytes()),
    ],
)
def test_every_encoding_gives_the_same_samples(code: int, bits: int, data: bytes) -> None:
    assert samples(read(wav(code, bits, data))) == STEPS.tolist()


def test_telephone_encodings_are_decoded() -> None:
    codes = bytes(range(256))

    assert read(wav(7, 8, codes)).pcm == g711.decode_mulaw(codes)
    assert read(wav(6, 8, codes)).pcm == g711.decode_alaw(codes)


def test_channels_are_averaged_and_counted() -> None:
    stereo = np.array([1000, 3000, -500, -501], "<i2").tobytes()

    audio = read(wav(1, 16, stereo, channels=2, rate_hz=44_100))

    assert samples(audio) == [2000, -500]
    assert (audio.rate_hz, audio.channels) == (44_100, 2)


def test_the_extensible_format_is_read_by_its_sub_format() -> None:
    layout = struct.pack("<HHIIHH", 0xFFFE, 1, 8000, 32_000, 4, 32) + struct.pack("<HHIH", 22, 32, 4, 3) + bytes(14)
    content = (
        b"RIFF\0\0\0\0WAVEfmt " + struct.pack("<I", len(layout)) + layout + b"data\4\0\0\0" + struct.pack("<f", 0.5)
    )

    assert samples(read(content)) == [16384]


@pytest.mark.parametrize("size", [0, 0xFFFFFFFF, 100])
def test_a_length_that_was_never_filled_in_means_the_rest_of_the_file(size: int) -> None:
    assert samples(read(wav(1, 16, STEPS.astype("<i2").tobytes(), size=size))) == STEPS.tolist()


def test_a_file_cut_within_a_frame_gives_its_whole_frames() -> None:
    assert samples(read(wav(1, 16, bytes(11), channels=2))) == [0, 0]


def test_float_that_is_not_a_number_becomes_silence() -> None:
    assert samples(read(wav(3, 32, np.array([np.nan, 2.0], "<f4").tobytes()))) == [0, 32767]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "starting with RIFF and WAVE, got b''"),
        (b"ID3\4" + bytes(20), "got b'ID3"),
        (b"RIFF\4\0\0\0WAVE", "no format chunk"),
        (wav(1, 16, b"")[:36], "no data chunk"),
        (b"RIFF\0\0\0\0WAVEdata\0\0\0\0", "format chunk before the data chunk"),
        (b"RIFF\0\0\0\0WAVEfmt \2\0\0\0ab", "at least 16 bytes, got 2"),
        (wav(1, 12, bytes(4)), "got WAV format 1 with 12 bits"),
        (wav(85, 16, bytes(4)), "got WAV format 85"),
        (wav(1, 16, bytes(4), channels=0), "1 to 64 channels, got 0"),
        (wav(1, 16, bytes(4), rate_hz=0), "above 0 Hz, got 0"),
    ],
)
def test_what_cannot_be_read_is_explained(content: bytes, message: str) -> None:
    with pytest.raises(WavError, match=message):
        read(content)


@given(content=st.binary(max_size=200).map(lambda tail: wav(1, 16, b"")[:12] + tail) | st.binary(max_size=64))
def test_any_bytes_give_audio_or_a_wav_error(content: bytes) -> None:
    try:
        audio = read(content)
    except WavError:
        return

    assert len(audio.pcm) % 2 == 0


def test_a_written_file_reads_back(tmp_path: Path) -> None:
    pcm = STEPS.astype("<i2").tobytes()

    write_wav(tmp_path / "out.wav", pcm, 24_000)

    assert read_wav(tmp_path / "out.wav") == WavAudio(pcm, 24_000, 1)
    buffer = io.BytesIO()
    write_wav(buffer, pcm, 24_000)
    assert buffer.getvalue() == (tmp_path / "out.wav").read_bytes()


def test_audio_is_printed_as_its_length() -> None:
    assert repr(WavAudio(bytes(20), 8000, 1)) == "WavAudio(pcm=20 bytes, rate_hz=8000, channels=1)"
