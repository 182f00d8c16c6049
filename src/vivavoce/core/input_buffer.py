"""The input audio buffer: one per session, on a sample clock that never goes back.

Positions are samples of the 24 kHz session clock counted from the first byte ever appended; `clear` and `commit`
do not reset them. Audio stays in its wire encoding.
"""

import enum
from typing import Final

from vivavoce.core.limits import MAX_BUFFER_MS, SAMPLES_PER_MS
from vivavoce.core.requests import AudioEncoding
from vivavoce.protocol.errors import buffer_full


class Buffer(enum.Enum):
    """Whether audio waits for a commit."""

    EMPTY = "empty"
    FILLING = "filling"


# encoding -> (bytes of one wire sample, session samples of one wire sample)
_WIRE_SAMPLE: Final = {AudioEncoding.PCM: (2, 1), AudioEncoding.PCMU: (1, 3), AudioEncoding.PCMA: (1, 3)}


def samples_in(byte_count: int, encoding: AudioEncoding) -> int:
    """Return how many session samples whole wire samples in `byte_count` bytes last."""
    width, samples = _WIRE_SAMPLE[encoding]
    return byte_count // width * samples


def bytes_in(samples: int, encoding: AudioEncoding) -> int:
    """Return the bytes that hold `samples` session samples, rounded down to whole wire samples."""
    width, per_wire_sample = _WIRE_SAMPLE[encoding]
    return samples // per_wire_sample * width


def whole_samples(audio: bytes, encoding: AudioEncoding) -> bytes:
    """Return audio without the rest of a sample at its end."""
    width, _ = _WIRE_SAMPLE[encoding]
    return audio[: len(audio) - len(audio) % width]


class InputBuffer:
    """Uncommitted audio between `start_sample` and `end_sample`."""

    def __init__(self) -> None:
        self.encoding = AudioEncoding.PCM
        self.start_sample = 0  # of the first byte kept
        self._data = bytearray()
        self._carry = b""  # an odd byte of a pcm append waits for the next one

    @property
    def state(self) -> Buffer:
        return Buffer.FILLING if self._data or self._carry else Buffer.EMPTY

    @property
    def end_sample(self) -> int:
        return self.start_sample + samples_in(len(self._data), self.encoding)

    @property
    def duration_ms(self) -> float:
        return (self.end_sample - self.start_sample) / SAMPLES_PER_MS

    def append(self, audio: bytes) -> bytes:
        """Add audio and return what became whole samples.

        Raises:
            ClientError: `input_audio_buffer_full` above 15 minutes; nothing was added.
        """
        width = _WIRE_SAMPLE[self.encoding][0]
        whole = self._carry + audio if self._carry else audio
        cut = len(whole) - len(whole) % width
        added = whole if cut == len(whole) else whole[:cut]
        if self.duration_ms + samples_in(cut, self.encoding) / SAMPLES_PER_MS > MAX_BUFFER_MS:
            raise buffer_full(MAX_BUFFER_MS)
        self._carry = whole[cut:]
        self._data += added
        return added

    def take(self, from_sample: int, to_sample: int) -> bytes:
        """Return a copy of the audio between two positions, clamped to what is kept."""
        first = bytes_in(max(0, from_sample - self.start_sample), self.encoding)
        last = bytes_in(max(0, to_sample - self.start_sample), self.encoding)
        return bytes(self._data[first:last])

    def discard_before(self, sample: int) -> None:
        """Forget audio before a position."""
        width, per_wire_sample = _WIRE_SAMPLE[self.encoding]
        count = min(max(0, (sample - self.start_sample) // per_wire_sample), len(self._data) // width)
        del self._data[: count * width]
        self.start_sample += count * per_wire_sample

    def clear(self) -> None:
        """Forget all audio; the clock stays."""
        self.start_sample = self.end_sample
        self._data.clear()
        self._carry = b""

    def use_encoding(self, encoding: AudioEncoding) -> None:
        """Change the wire encoding; only while empty."""
        assert self.state is Buffer.EMPTY, "the encoding changes only while no audio is buffered"
        self.encoding = encoding
