"""Flite's sound of one clause into the speech that is delivered: another pitch and level, trimmed, with word times.

Flite starts and ends a clause with 0.1 to 0.3 s of silence. What is delivered starts with the first audible sound and
ends a chosen time after the last word, both faded, so that clauses can follow each other.
"""

from collections.abc import Iterator
from typing import Final

import numpy as np

from vivavoce.audio.pcm import FloatAudio, quantize, to_int16
from vivavoce.audio.resample import StreamResampler
from vivavoce.core.requests import Word
from vivavoce.engines.base import SPEECH_RATE_HZ, SpeechChunk
from vivavoce.engines.tts.flite_build import FLITE_RATE_HZ, Timeline
from vivavoce.engines.tts.speakable import Clause

SAMPLES_PER_MS: Final = SPEECH_RATE_HZ // 1000
AUDIBLE: Final = 160.0  # in quantisation steps: -46 dBFS, 26 dB below running speech
LEAD_SAMPLES: Final = 8 * SAMPLES_PER_MS  # kept before the first audible sample
FADE_IN_SAMPLES: Final = 4 * SAMPLES_PER_MS
FADE_OUT_SAMPLES: Final = 5 * SAMPLES_PER_MS

Span = tuple[int, int]


class ClauseAudio:
    """A listener to one clause. All positions are samples at 24 kHz from the start of Flite's sound."""

    def __init__(self, clause: Clause, ratio: float, gain: float, tail_ms: int) -> None:
        """Prepare for one clause.

        Args:
            ratio: above 1 raises pitch and formants and shortens the sound.
            gain: factor on the amplitude.
            tail_ms: silence after the last word.
        """
        self._clause = clause
        self._samples_per_s = SPEECH_RATE_HZ / ratio  # of Flite's seconds
        self._gain = np.float32(gain)
        self._tail_samples = tail_ms * SAMPLES_PER_MS
        self._resampler = StreamResampler(round(FLITE_RATE_HZ * ratio), SPEECH_RATE_HZ)
        self._words: list[tuple[str, Span]] = []  # not yet delivered
        self._origin: int | None = None  # where delivery starts
        self._position = 0  # of what comes next
        self._end = 0  # where delivery ends
        self._held = np.zeros(0, np.float32)  # the last silence before the first sound

    def begin(self, timeline: Timeline) -> None:
        """Learn where the words lie in the sound that follows."""
        self._end = self._place(timeline.speech_end_s) + self._tail_samples
        spans = [(self._place(start_s), self._place(end_s)) for start_s, end_s in timeline.spans]
        self._words = list(zip((piece.text for piece in self._clause), _piece_spans(self._clause, spans), strict=True))

    def feed(self, pcm: bytes) -> SpeechChunk | None:
        """Take Flite's sound, pcm16le, mono, 16 kHz; return what can be delivered of it.

        Word times count from the first sample delivered.
        """
        return self._advance(to_int16(self._resampler.process(pcm)).astype(np.float32) * self._gain)

    def finish(self) -> SpeechChunk | None:
        """Return the rest, filled up with silence; None where nothing was audible at all."""
        rest = to_int16(self._resampler.flush()).astype(np.float32) * self._gain
        missing = max(0, self._end - self._position - self._held.size - rest.size)
        return self._advance(np.concatenate((rest, np.zeros(missing, np.float32))))

    @property
    def is_complete(self) -> bool:
        """Whether all that is to be delivered has been."""
        return self._position >= self._end

    def _place(self, time_s: float) -> int:
        return round(time_s * self._samples_per_s)

    def _advance(self, sound: FloatAudio) -> SpeechChunk | None:
        if self._origin is None:
            sound = self._without_silence(np.concatenate((self._held, sound)))
        sound = self._faded(sound[: max(0, self._end - self._position)])
        if not sound.size:
            return None
        self._position += sound.size
        return SpeechChunk(quantize(sound), tuple(self._started_words()))

    def _without_silence(self, sound: FloatAudio) -> FloatAudio:
        """Drop what lies before the first audible sample; hold back the last of the silence while there is none."""
        audible = np.flatnonzero(np.abs(sound) > AUDIBLE)
        dropped = max(0, (int(audible[0]) if audible.size else sound.size) - LEAD_SAMPLES)
        self._position += dropped
        if not audible.size:
            self._held = sound[dropped:]
            return sound[:0]
        self._origin = self._position
        return sound[dropped:]

    def _faded(self, sound: FloatAudio) -> FloatAudio:
        origin = self._position if self._origin is None else self._origin
        places = np.arange(self._position, self._position + sound.size)
        if self._position < origin + FADE_IN_SAMPLES:
            sound = sound * np.minimum(1.0, (places - origin) / FADE_IN_SAMPLES)
        if self._position + sound.size > self._end - FADE_OUT_SAMPLES:
            sound = sound * np.minimum(1.0, (self._end - 1 - places) / FADE_OUT_SAMPLES)
        return sound.astype(np.float32, copy=False)

    def _started_words(self) -> Iterator[Word]:
        """Yield the words that start before `_position`, and at the end all that are left."""
        origin = self._origin or 0
        while self._words and (self._words[0][1][0] < self._position or self.is_complete):
            text, (start, end) = self._words.pop(0)
            start, end = max(start - origin, 0), max(end - origin, 0)
            yield Word(text, start_ms=start // SAMPLES_PER_MS, end_ms=end // SAMPLES_PER_MS)


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
