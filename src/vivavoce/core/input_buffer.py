"""The input audio buffer: one per session, on a sample clock that never goes back.

Positions are samples of the 24 kHz session clock counted from the first byte ever appended; `clear` and `commit`
do not reset them. Audio stays in its wire encoding.
"""

import enum
from collections import deque
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


MIN_PIECE_BYTES: Final = 960  # smaller appends are joined, so that their number costs no memory


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
    """Uncommitted audio between `start_sample` and `end_sample`, kept as it came, so that a commit copies nothing."""

    def __init__(self) -> None:
        self.encoding = AudioEncoding.PCM
        self.start_sample = 0  # of the first byte kept
        self._pieces: deque[bytes] = deque()
        self._skipped_bytes = 0  # of the first piece: discarded, not copied
        self._kept_bytes = 0
        self._carry = b""  # an odd byte of a pcm append waits for the next one

    @property
    def state(self) -> Buffer:
        return Buffer.FILLING if self._kept_bytes or self._carry else Buffer.EMPTY

    @property
    def end_sample(self) -> int:
        return self.start_sample + samples_in(self._kept_bytes, self.encoding)

    @property
    def duration_ms(self) -> float:
        return (self.end_sample - self.start_sample) / SAMPLES_PER_MS

    def append(self, audio: bytes) -> bytes:
        """Add audio and return what became whole samples.

        Raises:
            ClientError: `input_audio_buffer_full` above 15 minutes; nothing was added.
        """
        whole = self._carry + audio if self._carry else audio
        added = whole_samples(whole, self.encoding)
        if self.duration_ms + samples_in(len(added), self.encoding) / SAMPLES_PER_MS > MAX_BUFFER_MS:
            raise buffer_full(MAX_BUFFER_MS)
        self._carry = whole[len(added) :]
        self._kept_bytes += len(added)
        if self._pieces and len(self._pieces[-1]) < MIN_PIECE_BYTES:
            self._pieces[-1] += added
        elif added:
            self._pieces.append(added)
        return added

    def take(self, from_sample: int, to_sample: int) -> bytes:
        """Return the audio between two positions, clamped to what is kept."""
        return b"".join(self.pieces(from_sample, to_sample))

    def pieces(self, from_sample: int, to_sample: int) -> tuple[bytes, ...]:
        """Return the same audio in the pieces that it is kept in."""
        first = bytes_in(max(0, from_sample - self.start_sample), self.encoding)
        last = bytes_in(max(0, to_sample - self.start_sample), self.encoding)
        found: list[bytes] = []
        end = self._kept_bytes
        for piece in reversed(self._pieces):  # what is wanted lies near the end
            begin = end - len(piece)
            if end > first and begin < last:
                found.append(piece[max(first - begin, 0) : last - begin])
            if begin <= first:
                break
            end = begin
        return tuple(reversed(found))

    def discard_before(self, sample: int) -> None:
        """Forget audio before a position."""
        count = min(bytes_in(max(0, sample - self.start_sample), self.encoding), self._kept_bytes)
        self.start_sample += samples_in(count, self.encoding)
        self._kept_bytes -= count
        self._skipped_bytes += count
        while self._pieces and self._skipped_bytes >= len(self._pieces[0]):
            self._skipped_bytes -= len(self._pieces.popleft())

    def clear(self) -> None:
        """Forget all audio; the clock stays."""
        self.discard_before(self.end_sample)
        self._carry = b""

    def use_encoding(self, encoding: AudioEncoding) -> None:
        """Change the wire encoding; only while empty."""
        assert self.state is Buffer.EMPTY, "the encoding changes only while no audio is buffered"
        self.encoding = encoding
