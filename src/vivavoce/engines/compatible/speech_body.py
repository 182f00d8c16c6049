"""Turns the audio that a server sends, cut anywhere, into pcm16le, mono, 24 kHz. Does no I/O.

Takes raw pcm16le and WAV files with pcm16, as they are streamed: the sizes in their headers are not believed.
"""

import re
import struct
from typing import Final

import numpy as np

from vivavoce.audio import pcm as pcm_audio
from vivavoce.audio.resample import StreamResampler
from vivavoce.engines.base import SPEECH_RATE_HZ

MAX_HEADER_BYTES: Final = 65_536
MAX_CHANNELS: Final = 8
FORMAT_PCM: Final = 1
FORMAT_EXTENSIBLE: Final = 0xFFFE
_RATE: Final = re.compile(r"\brate=\"?(\d{4,6})\b", re.IGNORECASE)
_CHANNELS: Final = re.compile(r"\bchannels=\"?(\d)\b", re.IGNORECASE)


class AudioError(ValueError):
    """The bytes are no audio that can be played; the message says what came."""


class SpeechBody:
    """One answer's audio. `rate_hz` is that of raw audio whose content type names none."""

    def __init__(self, parameters: str, rate_hz: int) -> None:
        rate, channels = _RATE.search(parameters), _CHANNELS.search(parameters)
        self._rate_hz = int(rate[1]) if rate else rate_hz
        self._channels = int(channels[1]) if channels else 1
        self._held = b""  # a header that is not whole, or less than a sample of each channel
        self._resampler: StreamResampler | None = None

    def feed(self, received: bytes) -> bytes:
        """Return the audio that these bytes complete, possibly none. Raises AudioError."""
        held = self._held + received
        if self._resampler is None:
            data = self._after_header(held)
            if data is None:
                self._held = held
                return b""
            held = data
            self._resampler = self._new_resampler()
        whole = len(held) - len(held) % (pcm_audio.SAMPLE_BYTES * self._channels)
        self._held = held[whole:]
        return self._resampler.process(self._mixed(held[:whole]))

    def finish(self) -> bytes:
        """Return what is left; half a sample at the end is dropped."""
        return self._resampler.flush() if self._resampler is not None else b""

    def _new_resampler(self) -> StreamResampler:
        if not 1 <= self._channels <= MAX_CHANNELS:
            raise AudioError(f"expected 1 to {MAX_CHANNELS} channels, got {self._channels}")
        try:
            return StreamResampler(self._rate_hz, SPEECH_RATE_HZ)
        except ValueError as error:
            raise AudioError(str(error)) from error

    def _mixed(self, pcm: bytes) -> bytes:
        if self._channels == 1:
            return pcm
        samples = pcm_audio.to_int16(pcm).reshape(-1, self._channels)
        return pcm_audio.quantize(samples.mean(axis=1, dtype=np.float32))

    def _after_header(self, start: bytes) -> bytes | None:
        """Return the audio after the header, all if there is none; None while that cannot be told."""
        if len(start) < 4:
            return None if b"RIFF".startswith(start) else start
        if start[:4] != b"RIFF":
            return start
        position = 12
        while len(start) >= position + 8:
            name, size = struct.unpack_from("<4sI", start, position)
            position += 8
            if name == b"data":
                return start[position:]
            if size > MAX_HEADER_BYTES:
                raise AudioError(f"the WAV header has a chunk of {size} bytes before its audio")
            if name == b"fmt " and len(start) >= position + size:
                self._take_format(start[position : position + size])
            position += size + size % 2
        if len(start) > MAX_HEADER_BYTES:
            raise AudioError(f"no audio within {MAX_HEADER_BYTES} bytes of a WAV file")
        return None

    def _take_format(self, layout: bytes) -> None:
        if len(layout) < 16:
            raise AudioError(f"the WAV format has {len(layout)} bytes, expected at least 16")
        code, self._channels, self._rate_hz, _, _, sample_bits = struct.unpack_from("<HHIIHH", layout)
        if code == FORMAT_EXTENSIBLE and len(layout) >= 26:
            (code,) = struct.unpack_from("<H", layout, 24)
        if (code, sample_bits) != (FORMAT_PCM, 16):
            raise AudioError(f"expected WAV with 16-bit PCM, got format {code} with {sample_bits} bits")
