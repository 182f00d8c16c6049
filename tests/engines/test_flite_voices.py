"""The ten voices as they sound: distinct, equally loud, understood by the embedded recogniser, never clipped.

Limits: two voices differ by 8 % in pitch (1.3 semitones) or by 6 % in formants (the geometric mean of F2 and F3);
word error rate at most 15 % and content words recalled at least 70 % over a dozen sentences. WER is measured at 2 to
9 %; it moves by 3 points from run to run because Flite's noise is random.
"""

import itertools
import math
from collections.abc import Iterator

import msgspec
import pocketsphinx
import pytest

from tests.engines.flite_builds import Speaker
from tests.engines.voice_measures import Sound, as_sound, formants_hz, median_pitch_hz, peak_db, speech_level_db
from vivavoce.audio.resample import resample_file
from vivavoce.config.voices import load_voices
from vivavoce.testing.wer import content_word_recall, word_error_rate

PITCH_RATIO = 1.08
FORMANT_RATIO = 1.06
VOICES = tuple(load_voices())
SENTENCES = (
    "I will meet you at the station after lunch.",
    "The weather is going to be warm and sunny tomorrow.",
    "Please send the report to my office before the end of the day.",
    "Could you tell me how to get to the nearest hospital?",
    "My brother and his wife are coming to visit us next week.",
    "It takes about twenty minutes to walk from here to the river.",
    "The children were playing football in the park this morning.",
    "I think you should speak to your doctor about the problem.",
    "They decided to leave early because of the heavy traffic.",
    "Let me know what time the train arrives in the city.",
    "The answer to your question is three hundred and forty two.",
    "I have set a timer for five minutes.",
)


class Heard(msgspec.Struct, frozen=True):
    """A voice speaking all sentences, and what the recogniser made of it."""

    sounds: tuple[Sound, ...]
    recognised: tuple[str, ...]

    @property
    def pitch_hz(self) -> float:
        return math.prod(median_pitch_hz(sound) for sound in self.sounds[:3]) ** (1 / 3)

    @property
    def formant_hz(self) -> float:
        formants = [formants_hz(sound) for sound in self.sounds]
        return math.prod(math.sqrt(second * third) for _, second, third in formants) ** (1 / len(formants))


@pytest.fixture(scope="module")
def heard() -> Iterator[dict[str, Heard]]:
    """Each voice's rendering of the sentences."""
    speaker = Speaker("library")
    decoder = pocketsphinx.Decoder(loglevel="FATAL", fwdflat=False)
    yield {voice: _heard(speaker, decoder, voice) for voice in VOICES}
    speaker.close()


def _heard(speaker: Speaker, decoder: pocketsphinx.Decoder, voice: str) -> Heard:
    speeches = [speaker.speak(sentence, voice).pcm for sentence in SENTENCES]
    return Heard(tuple(map(as_sound, speeches)), tuple(_recognised(decoder, pcm) for pcm in speeches))


def _recognised(decoder: pocketsphinx.Decoder, pcm: bytes) -> str:
    decoder.start_utt()
    decoder.process_raw(bytes(6400) + resample_file(pcm, 24_000, 16_000) + bytes(6400))
    decoder.end_utt()
    hypothesis = decoder.hyp()
    return str(hypothesis.hypstr) if hypothesis else ""


@pytest.mark.slow
def test_every_two_voices_differ_in_pitch_or_formants(heard: dict[str, Heard]) -> None:
    measured = {voice: (sounds.pitch_hz, sounds.formant_hz) for voice, sounds in heard.items()}

    alike = [pair for pair in itertools.combinations(VOICES, 2) if not _differ(measured[pair[0]], measured[pair[1]])]

    assert alike == []


def _differ(one: tuple[float, float], other: tuple[float, float]) -> bool:
    pitch, formant = (max(a / b, b / a) for a, b in zip(one, other, strict=True))
    return pitch >= PITCH_RATIO or formant >= FORMANT_RATIO


@pytest.mark.slow
@pytest.mark.parametrize("voice", VOICES)
def test_a_voice_is_understood(heard: dict[str, Heard], voice: str) -> None:
    said, recognised = " ".join(SENTENCES), " ".join(heard[voice].recognised)

    assert word_error_rate(said, recognised) <= 0.15
    assert content_word_recall(said, recognised) >= 0.7


@pytest.mark.slow
@pytest.mark.parametrize("voice", VOICES)
def test_a_voice_has_the_pitch_of_its_recipe(heard: dict[str, Heard], voice: str) -> None:
    pitch_hz = load_voices()[voice].pitch_hz or 102 * load_voices()[voice].formant_ratio  # the speaker rms has 102 Hz

    assert heard[voice].pitch_hz == pytest.approx(pitch_hz, rel=0.06)


@pytest.mark.slow
@pytest.mark.parametrize("voice", VOICES)
def test_voices_are_equally_loud_and_not_clipped(heard: dict[str, Heard], voice: str) -> None:
    levels = [speech_level_db(sound) for sound in heard[voice].sounds]

    assert sum(levels) / len(levels) == pytest.approx(-20, abs=1.5)
    assert max(map(peak_db, heard[voice].sounds)) < -1
