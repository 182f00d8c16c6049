"""The synthesizer on both builds of Flite: contract, timing of words, trimming, speed."""

import asyncio
from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import pytest

from tests.engines.flite_builds import Build, Speaker, synthesizer
from tests.engines.voice_measures import as_sound, audible_ms, levels_db
from vivavoce.config.voices import load_voices
from vivavoce.core.requests import SpeechRequest
from vivavoce.engines.base import EngineError
from vivavoce.engines.tts.flite import FliteSynthesizer
from vivavoce.testing.engines import SENTENCE, check_synthesizer, speak

BUILDS = ("library", "wasm")
EACH_BUILD = pytest.mark.parametrize("build", BUILDS)


@pytest.fixture(scope="module", params=BUILDS)
def flite(request: pytest.FixtureRequest) -> Iterator[Speaker]:
    """Flite in each of its builds."""
    speaker = Speaker(request.param)
    yield speaker
    speaker.close()


@EACH_BUILD
@pytest.mark.slow
def test_each_build_passes_the_checks_of_all_synthesizers(build: Build) -> None:
    asyncio.run(check_synthesizer(lambda: synthesizer(build)))


def test_the_capabilities_name_the_build_and_the_voices(flite: Speaker) -> None:
    capabilities = flite.engine.capabilities

    assert capabilities.name in {"flite", "flite-wasm"}
    assert capabilities.has_word_times
    assert capabilities.is_streaming
    assert capabilities.voices == tuple(load_voices())


@pytest.mark.parametrize("voice", list(load_voices()))
def test_speech_starts_at_once_and_ends_in_a_short_silence(flite: Speaker, voice: str) -> None:
    speech = flite.speak("Good morning, everyone is welcome.", voice)

    first_ms, last_ms = audible_ms(as_sound(speech.pcm))
    assert first_ms <= 10
    assert 80 <= speech.duration_ms - last_ms <= 170


def test_both_ends_are_faded(flite: Speaker) -> None:
    sound = np.abs(as_sound(flite.speak("Apples and pears.").pcm))

    assert sound[0] <= 0.0005
    assert sound[:24].max() <= 0.02
    assert sound[-1] <= 0.0005


def test_a_word_lies_where_the_audio_is_loud(flite: Speaker) -> None:
    speech = flite.speak("Stop, think, and speak.")

    levels = levels_db(as_sound(speech.pcm))
    for word in speech.words:
        assert levels[word.start_ms // 10 : word.end_ms // 10].max() > -25, word
    for before, after in pairwise(speech.words):
        if before.text.endswith(","):  # Flite pauses at a comma
            pause = levels[before.end_ms // 10 + 3 : after.start_ms // 10 - 1]
            assert pause.size and pause.max() < -35, (before, after)


@pytest.mark.parametrize("voice", ["ash", "shimmer", "echo"])
def test_a_sound_after_a_pause_starts_where_its_word_starts(flite: Speaker, voice: str) -> None:
    speech = flite.speak("Yes. Only. Always.", voice)

    levels = levels_db(as_sound(speech.pcm), 120)  # frames of 5 ms
    loud = levels > -40
    onsets_ms = [5 * n for n in range(20, loud.size) if loud[n] and not loud[n - 20 : n].any()]
    assert len(onsets_ms) == 2
    for onset_ms, word in zip(onsets_ms, speech.words[1:], strict=True):
        assert abs(onset_ms - word.start_ms) <= 40, word


def test_the_builds_agree_on_word_times() -> None:
    library, wasm = Speaker("library"), Speaker("wasm")
    text = "Doctor Smith paid $42.50 for three well-known books, in 2024, at 10:30."

    times = [[(word.start_ms, word.end_ms) for word in build.speak(text).words] for build in (library, wasm)]
    library.close()
    wasm.close()

    assert np.abs(np.array(times[0]) - np.array(times[1])).max() <= 30


@pytest.mark.parametrize("speed", [0.25, 0.5, 0.8, 1.25, 1.5])
def test_speed_changes_the_duration_by_its_factor(flite: Speaker, speed: float) -> None:
    normal = flite.speak(SENTENCE).words[-1].end_ms

    changed = flite.speak(SENTENCE, speed=speed).words[-1].end_ms

    assert changed * speed == pytest.approx(normal, rel=0.1)


def test_each_piece_of_the_text_is_a_word_whether_spoken_or_not(flite: Speaker) -> None:
    speech = flite.speak("**Hello** 😀 world — see [this](https://example.com) 日本語 now!")

    lengths = {word.text: word.end_ms - word.start_ms for word in speech.words}
    assert [text for text, length_ms in lengths.items() if length_ms == 0] == ["😀", "—", "日本語"]


@pytest.mark.parametrize("text", ["", "   ", "😀", "日本語", "---", "...", "\x00", "\ud800", "**  __"])
def test_a_text_without_anything_to_speak_yields_nothing(flite: Speaker, text: str) -> None:
    assert flite.speak(text).chunks == ()


def test_what_no_c_string_can_hold_is_left_out(flite: Speaker) -> None:
    speech = flite.speak("one\x00two \ud83d three\x07 \x1b[31mfour")

    assert speech.duration_ms > 800
    assert len(speech.words) == 4


@pytest.mark.parametrize("text", ["a" * 1000, "7" * 1000, "a.b." * 300, "$" * 50 + "5", "%" * 60 + "s%n%d", "'" * 99])
def test_hostile_text_is_spoken_or_left_out(flite: Speaker, text: str) -> None:
    flite.speak(text)


def test_sentences_are_a_pause_apart(flite: Speaker) -> None:
    speech = flite.speak("This is one. This is two.")

    gap_ms = speech.words[3].start_ms - speech.words[2].end_ms
    assert 200 <= gap_ms <= 350


def test_an_unknown_voice_is_refused_with_the_known_ones(flite: Speaker) -> None:
    with pytest.raises(EngineError, match="voice must be one of alloy, .*, cedar; got 'nova'"):
        flite.speak("Hello.", voice="nova")


@pytest.mark.parametrize("speed", [0.2, 1.6, float("nan")])
def test_a_speed_out_of_range_is_refused(flite: Speaker, speed: float) -> None:
    with pytest.raises(EngineError, match="speed must be between 0.25 and 1.5, got"):
        flite.speak("Hello.", speed=speed)


def test_speaking_before_start_and_after_close_is_refused() -> None:
    async def run() -> None:
        engine = synthesizer("library")
        with pytest.raises(EngineError, match="not started"):
            await speak(engine, "Hello.")
        await engine.start()
        await engine.close()
        with pytest.raises(EngineError, match="closed"):
            await speak(engine, "Hello.")

    asyncio.run(run())


def test_closing_ends_what_is_being_spoken_with_an_error() -> None:
    async def run() -> None:
        engine = synthesizer("library")
        await engine.start()
        chunks = engine.synthesize(SpeechRequest("One sentence. " * 50, "alloy"))
        await anext(chunks)
        await engine.close()
        with pytest.raises(EngineError, match="closed"):
            async for _ in chunks:
                pass

    asyncio.run(run())


def test_without_a_library_and_without_the_program_start_says_so() -> None:
    async def run() -> None:
        engine = FliteSynthesizer(load_voices(), None, "wasm")
        with pytest.raises(EngineError, match="The WebAssembly build of Flite is not installed"):
            await engine.start()
        await engine.close()

    asyncio.run(run())
