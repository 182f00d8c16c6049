"""Reads and writes WAV files. Everything read becomes pcm16 mono at the file's own rate.

Follows the RIFF/WAVE specification (IBM and Microsoft, 1991) with WAVE_FORMAT_EXTENSIBLE; the standard library's
reader knows integer samples only.
"""

import struct
import wave
from pathlib import Path
from typing import BinaryIO, Final

import msgspec
import numpy as np
import numpy.typing as npt

from vivavoce.audio import g711
from vivavoce.audio import pcm as pcm_audio

FORMAT_PCM: Final = 1
FORMAT_FLOAT: Final = 3
FORMAT_ALAW: Final = 6
FORMAT_MULAW: Final = 7
FORMAT_EXTENSIBLE: Final = 0xFFFE
SUBFORMAT_OFFSET: Final = 24  # of the real format code in an extensible fmt chunk
MAX_CHANNELS: Final = 64

FloatSamples = npt.NDArray[np.float64]


class WavError(ValueError):
    """The bytes are not a WAV file that can be read; the message says what was expected and what came."""


class WavAudio(msgspec.Struct, frozen=True):
    """A recording: pcm16le, mono; `channels` is what the file had before the downmix."""

    pcm: bytes
    rate_hz: int
    channels: int

    def __repr__(self) -> str:
        return f"WavAudio(pcm={len(self.pcm)} bytes, rate_hz={self.rate_hz}, channels={self.channels})"


class _Format(msgspec.Struct, frozen=True):
    code: int
    channels: int
    rate_hz: int
    sample_bits: int


def read_wav(source: Path | BinaryIO) -> WavAudio:
    """Return the audio of a WAV file: PCM of 8, 16, 24 or 32 bits, float of 32 or 64, A-law or mu-law.

    Channels are averaged. A file cut short gives the whole frames it has; a data size of 0 or 0xFFFFFFFF, as
    written by programs that stream, means up to the end of the file.

    Raises:
        WavError: not a WAV file, no format or data chunk, or an encoding that is not listed above.
        OSError: the file cannot be read.
    """
    content = source.read_bytes() if isinstance(source, Path) else source.read()
    if content[:4] != b"RIFF" or content[8:12] != b"WAVE":
        raise WavError(f"expected a WAV file starting with RIFF and WAVE, got {content[:12]!r}")
    layout, data = _chunks(content)
    samples = _decode(layout, data)
    if layout.channels == 1 and layout.code == FORMAT_PCM and layout.sample_bits == 16:
        return WavAudio(data[: samples.size * 2], layout.rate_hz, 1)
    mono = samples[: samples.size // layout.channels * layout.channels].reshape(-1, layout.channels).mean(axis=1)
    return WavAudio(pcm_audio.from_float(mono.astype(np.float32)), layout.rate_hz, layout.channels)


def write_wav(target: Path | BinaryIO, pcm: bytes, rate_hz: int) -> None:
    """Write pcm16le mono as a WAV file; `target` is replaced if it is a path. Raises OSError."""
    with wave.open(str(target) if isinstance(target, Path) else target, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(pcm_audio.SAMPLE_BYTES)
        file.setframerate(rate_hz)
        file.writeframes(pcm)


def _chunks(content: bytes) -> tuple[_Format, bytes]:
    layout, offset = None, 12
    while offset + 8 <= len(content):
        name, size = struct.unpack_from("<4sI", content, offset)
        if name == b"fmt ":
            layout = _read_format(content[offset + 8 : offset + 8 + size])
        if name == b"data":
            if layout is None:
                raise WavError("expected the format chunk before the data chunk, got the data chunk first")
            end = len(content) if size in {0, 0xFFFFFFFF} else offset + 8 + size
            return layout, content[offset + 8 : end]
        offset += 8 + size + size % 2  # chunks are padded to even lengths
    raise WavError(f"expected a format and a data chunk, found no {'format' if layout is None else 'data'} chunk")


def _read_format(chunk: bytes) -> _Format:
    if len(chunk) < 16:
        raise WavError(f"expected a format chunk of at least 16 bytes, got {len(chunk)}")
    code, channels, rate_hz, _, _, sample_bits = struct.unpack_from("<HHIIHH", chunk)
    if code == FORMAT_EXTENSIBLE and len(chunk) >= SUBFORMAT_OFFSET + 2:
        (code,) = struct.unpack_from("<H", chunk, SUBFORMAT_OFFSET)
    if not 1 <= channels <= MAX_CHANNELS:
        raise WavError(f"expected 1 to {MAX_CHANNELS} channels, got {channels}")
    if not rate_hz:
        raise WavError("expected a sample rate above 0 Hz, got 0")
    return _Format(code, channels, rate_hz, sample_bits)


def _decode(layout: _Format, data: bytes) -> FloatSamples:
    """Return the interleaved samples in [-1, 1]; an incomplete last sample is dropped."""
    whole = data[: len(data) // max(1, layout.sample_bits // 8) * max(1, layout.sample_bits // 8)]
    match layout.code, layout.sample_bits:
        case 1, 8:
            return (np.frombuffer(whole, np.uint8).astype(np.float64) - 128.0) / 128.0
        case 1, 16:
            return np.frombuffer(whole, "<i2") / pcm_audio.FULL_SCALE
        case 1, 24:
            triples = np.frombuffer(whole, np.uint8).reshape(-1, 3)
            return np.pad(triples, ((0, 0), (1, 0))).copy().view("<i4")[:, 0] / 2.0**31
        case 1, 32:
            return np.frombuffer(whole, "<i4") / 2.0**31
        case 3, 32 | 64 as bits:
            return np.nan_to_num(np.frombuffer(whole, f"<f{bits // 8}").astype(np.float64))
        case 6, 8:
            return np.frombuffer(g711.decode_alaw(whole), "<i2") / pcm_audio.FULL_SCALE
        case 7, 8:
            return np.frombuffer(g711.decode_mulaw(whole), "<i2") / pcm_audio.FULL_SCALE
    raise WavError(
        "expected PCM of 8, 16, 24 or 32 bits, float of 32 or 64 bits, A-law or mu-law, "
        f"got WAV format {layout.code} with {layout.sample_bits} bits"
    )
