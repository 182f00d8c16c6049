"""Flite's sound of one clause into the speech that is delivered: another pitch and level, trimmed, with word times.

Flite starts and ends a clause with 0.1 to 0.3 s of silence. What is delivered starts with the first audible sound and
ends a chosen time after the last word, both faded, so that clauses can follow each other.
"""

from collections.abc import Iterator
from typing import Final

import numpy as np

from vivavoce.audio.pcm import quantize, to_int16
from vivavoce.audio.resample import StreamResampler
from vivavoce.core.requests import Word
from vivavoce.engines.base import SPEECH_RATE_HZ, SpeechChunk
from vivavoce.engines.tts.flite_build import FLITE_RATE_HZ, Timeline
from vivavoce.engines.tts.speakable import Clause

SAMPLES_PER_MS: Final = SPEECH_RATE_HZ // 1000
AUDIBLE: Final = 328.0  # in quantisation steps: -40 dBFS, 20 dB below running speech, above the noise in Flite's pauses
LEAD_SAMPLES: Final = 8 * SAMPLES_PER_MS  # kept before the first audible sample
FADE_IN_SAMPLES: Final = 4 * SAMPLES_PER_MS
FADE_OUT_SAMPLES: Final = 40 * SAMPLES_PER_MS
# Held back at the end until it is known where the sound really ends: a last consonant may be silent.
HELD_SAMPLES: Final = 150 * SAMPLES_PER_MS

Span = tuple[int, int]


class ClauseAudio:
    """Turns the sound of one clause into chunks. Positions are samples at 24 kHz from the start of Flite's sound."""

    def __init__(self, clause: Clause, ratio: float, gain: float, tail_ms: int, first_sample: int) -> None:
        """Prepare for one clause.

        Args:
            ratio: above 1 raises pitch and formants and shortens the sound.
            gain: factor on the amplitude.
            tail_ms: silence after the last sound; at least 40.
            first_sample: how much speech of the request came before; word times count from its start.
        """
        self._clause = clause
        self._samples_per_s = SPEECH_RATE_HZ / ratio  # of Flite's seconds
        self._gain = np.float32(gain)
        self._tail_samples = tail_ms * SAMPLES_PER_MS
        self._first_sample = first_sample
        self._resampler = StreamResampler(round(FLITE_RATE_HZ * ratio), SPEECH_RATE_HZ)
        self._words: list[tuple[str, Span]] = []  # not yet delivered
        self._origin: int | None = None  # where delivery starts
        self._speech_end = 0
        self._sound = np.zeros(0, np.float32)  # not yet delivered
        self._position = 0  # of the first sample of `_sound`

    def begin(self, timeline: Timeline) -> None:
        """Learn where the words lie in the sound that follows."""
        self._speech_end = self._place(timeline.speech_end_s)
        spans = [(self._place(start_s), self._place(end_s)) for start_s, end_s in timeline.spans]
        self._words = list(zip((piece.text for piece in self._clause), _piece_spans(self._clause, spans), strict=True))

    def feed(self, pcm: bytes) -> SpeechChunk | None:
        """Take Flite's sound, pcm16le, mono, 16 kHz; return what can be delivered so far."""
        self._take(self._resampler.process(pcm))
        ready = min(self._position + self._sound.size, self._speech_end - HELD_SAMPLES) - self._position
        return self._deliver(ready, is_last=False) if ready > 0 and self._origin is not None else None

    def finish(self) -> SpeechChunk | None:
        """Return the rest with its silence; None where nothing was audible at all."""
        self._take(self._resampler.flush())
        if self._origin is None:
            return None
        audible = np.flatnonzero(np.abs(self._sound) > AUDIBLE)
        size = (int(audible[-1]) + 1 if audible.size else 0) + self._tail_samples
        size = max(size, self._speech_end - self._position)
        self._sound = np.pad(self._sound[:size], (0, max(0, size - self._sound.size)))
        self._sound[-FADE_OUT_SAMPLES:] *= np.linspace(1, 0, FADE_OUT_SAMPLES, dtype=np.float32)
        return self._deliver(size, is_last=True)

    @property
    def has_all_sound(self) -> bool:
        """Whether what still comes from Flite is silence that is not needed."""
        return self._position + self._sound.size >= self._speech_end + self._tail_samples

    def _place(self, time_s: float) -> int:
        return round(time_s * self._samples_per_s)

    def _take(self, pcm: bytes) -> None:
        self._sound = np.concatenate((self._sound, to_int16(pcm).astype(np.float32) * self._gain))
        if self._origin is None:
            self._drop_silence()

    def _drop_silence(self) -> None:
        """Drop what lies before the first audible sample, and mark it as the start if there is one."""
        audible = np.flatnonzero(np.abs(self._sound) > AUDIBLE)
        dropped = max(0, (int(audible[0]) if audible.size else self._sound.size) - LEAD_SAMPLES)
        self._sound = self._sound[dropped:]
        self._position += dropped
        if audible.size:
            self._origin = self._position
            faded = self._sound[:FADE_IN_SAMPLES]
            faded *= np.linspace(0, 1, faded.size, dtype=np.float32)

    def _deliver(self, size: int, is_last: bool) -> SpeechChunk:
        delivered, self._sound = self._sound[:size], self._sound[size:]
        self._position += delivered.size
        return SpeechChunk(quantize(delivered), tuple(self._started_words(is_last)))

    def _started_words(self, is_last: bool) -> Iterator[Word]:
        """Yield the words that start before `_position`; with the last chunk all that are left."""
        while self._words and (self._words[0][1][0] < self._position or is_last):
            text, (start, end) = self._words.pop(0)
            yield Word(text, start_ms=self._time_ms(start), end_ms=self._time_ms(end))

    def _time_ms(self, place: int) -> int:
        origin = self._origin or 0
        return (self._first_sample + max(0, place - origin)) // SAMPLES_PER_MS


def _piece_spans(clause: Clause, spans: list[Span]) -> list[Span]:
    """Return where each piece is spoken; one without a word lies where the piece before it ends and has no length."""
    result: list[Span] = []
    place = spans[0][0]
    first = 0
    for piece in clause:
        count = len(piece.spoken)
        span = (spans[first][0], spans[first + count - 1][1]) if count else (place, place)
        first += count
        place = span[1]
        result.append(span)
    return result
