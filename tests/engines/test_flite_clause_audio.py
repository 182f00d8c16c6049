"""The sound of one clause: trimming, fades, level, pitch, and where words come to lie. Sounds are made here."""

import numpy as np
import pytest

from vivavoce.engines.base import SpeechChunk
from vivavoce.engines.tts.clause_audio import ClauseAudio
from vivavoce.engines.tts.flite_build import Timeline
from vivavoce.engines.tts.speakable import Piece

RATE_HZ = 16_000
PIECE_BYTES = 2 * RATE_HZ // 20
CLAUSE = (Piece("one", ("one",)), Piece("😀", ()), Piece("A/B", ("A", "B")))
# 0.2 s of silence, three words of 0.3 s with a pause before the last, 0.3 s of silence.
TIMELINE = Timeline(((0.2, 0.5), (0.5, 0.8), (0.9, 1.2)))


def sound() -> bytes:
    time_s = np.arange(RATE_HZ * 3 // 2) / RATE_HZ
    spoken = sum(((start <= time_s) & (time_s < end)).astype(float) for start, end in TIMELINE.spans)
    return (8000 * np.sin(2 * np.pi * 200 * time_s) * spoken).astype("<i2").tobytes()


def chunks(
    ratio: float = 1.0, gain: float = 1.0, tail_ms: int = 120, first_sample: int = 0, pcm: bytes | None = None
) -> list[SpeechChunk]:
    """Return what is delivered of the sound above."""
    audio = ClauseAudio(CLAUSE, ratio, gain, tail_ms, first_sample)
    audio.begin(TIMELINE)
    pcm = sound() if pcm is None else pcm
    made = [audio.feed(pcm[start : start + PIECE_BYTES]) for start in range(0, len(pcm), PIECE_BYTES)]
    return [chunk for chunk in [*made, audio.finish()] if chunk is not None]


def samples(made: list[SpeechChunk]) -> "np.ndarray[tuple[int], np.dtype[np.int16]]":
    return np.frombuffer(b"".join(chunk.pcm for chunk in made), "<i2")


def times(made: list[SpeechChunk]) -> list[tuple[str, int, int]]:
    return [(word.text, word.start_ms, word.end_ms) for chunk in made for word in chunk.words]


def test_silence_is_trimmed_to_a_short_lead_and_the_tail() -> None:
    made = samples(chunks(tail_ms=100))

    loud = np.flatnonzero(np.abs(made) > 400)
    assert loud[0] <= 240
    assert made.size == pytest.approx((8 + 1000 + 100) * 24, abs=120)


def test_words_lie_in_the_delivered_sound_and_unspoken_pieces_have_no_length() -> None:
    made = times(chunks())

    assert [text for text, _, _ in made] == ["one", "😀", "A/B"]
    assert [start for _, start, _ in made] == pytest.approx([8, 308, 308], abs=3)
    assert [end for _, _, end in made] == pytest.approx([308, 308, 1008], abs=3)


def test_a_word_comes_with_the_chunk_in_which_it_starts() -> None:
    position_ms = 0.0
    for chunk in chunks():
        end_ms = position_ms + len(chunk.pcm) / 48
        assert all(position_ms - 1 <= word.start_ms < end_ms for word in chunk.words)
        position_ms = end_ms


def test_a_higher_ratio_raises_the_pitch_and_shortens_sound_and_words() -> None:
    made = chunks(ratio=1.25)

    spectrum = np.abs(np.fft.rfft(samples(made)[2400:12000].astype(float), 24_000))
    assert spectrum.argmax() == pytest.approx(250, abs=2)
    assert times(made)[-1][2] == pytest.approx(8 + 800, abs=3)


def test_word_times_count_from_the_start_of_the_request() -> None:
    assert times(chunks(first_sample=24_000))[0][1:] == pytest.approx((1008, 1308), abs=3)


def test_the_gain_is_applied_and_saturates() -> None:
    assert np.abs(samples(chunks(gain=0.5))).max() == pytest.approx(4000, rel=0.02)
    assert samples(chunks(gain=100.0)).max() == 32767


def test_the_first_and_the_last_samples_are_faded() -> None:
    made = samples(chunks(pcm=(np.full(RATE_HZ * 3 // 2, 8000)).astype("<i2").tobytes()))

    assert made[0] == 0
    assert np.all(np.diff(made[:96].astype(int)) >= 0)
    assert made[-1] == 0
    assert np.all(np.diff(made[-900:].astype(int)) <= 0)


def test_the_tail_is_filled_up_where_the_sound_ends_early() -> None:
    made = samples(chunks(tail_ms=500, pcm=sound()[: 2 * 19_300]))

    assert made.size == pytest.approx((8 + 1000 + 500) * 24, abs=120)
    assert not made[-9000:].any()


def test_a_silent_clause_delivers_nothing() -> None:
    assert chunks(pcm=bytes(2 * RATE_HZ)) == []


def test_a_last_word_that_ends_silently_ends_within_the_audio() -> None:
    early = sound()[: 2 * RATE_HZ] + bytes(RATE_HZ)  # silent for the last 0.2 s of the last word

    made = chunks(pcm=early, tail_ms=40)

    assert times(made)[-1][2] <= samples(made).size / 24
    assert times(made)[-1][2] == pytest.approx(1008, abs=3)


def test_the_end_of_the_speech_is_known_before_all_silence_has_come() -> None:
    audio = ClauseAudio(CLAUSE, 1.0, 1.0, 120, 0)
    audio.begin(TIMELINE)

    audio.feed(sound()[: 2 * RATE_HZ])
    assert not audio.has_all_sound

    audio.feed(sound()[2 * RATE_HZ : 2 * RATE_HZ * 14 // 10])
    assert audio.has_all_sound
