"""The scripted translator: always the same for the same audio."""

from collections.abc import Sequence

import numpy as np
import pytest

from vivavoce.engines.base import (
    EngineError,
    SourceText,
    TranslatedSpeech,
    TranslatedText,
    Translation,
    TranslationEnded,
    TranslationOptions,
)
from vivavoce.engines.script import Script, ScriptError, load_script, script_in_instructions
from vivavoce.engines.translation.scripted import ScriptedTranslator, ScriptedTranslatorStream, tone

MS = bytes(48)
SCRIPT = load_script("""
translations = [
    { audio_ms = 300, source = "eins", target = "one in {language}" },
    { audio_ms = 100, target = "two" },
]
""")


def opened(
    script: Script, language: str = "fr", *, wants_source: bool = True
) -> tuple[ScriptedTranslatorStream, list[Translation | EngineError]]:
    results: list[Translation | EngineError] = []
    options = TranslationOptions(language, wants_source=wants_source)
    return ScriptedTranslator(script).open(options, results.append), results


def words(results: Sequence[Translation | EngineError]) -> list[tuple[str, int | None]]:
    return [(r.text, r.elapsed_ms) for r in results if isinstance(r, SourceText | TranslatedText)]


@pytest.mark.parametrize("chunk_ms", [1, 7, 200, 1_000])
def test_the_size_of_the_chunks_makes_no_difference(chunk_ms: int) -> None:
    stream, results = opened(SCRIPT)

    for start in range(0, 1_000, chunk_ms):
        stream.feed(MS * min(chunk_ms, 1_000 - start))
    stream.finish()

    assert words(results) == [
        ("eins", 300),
        ("one in fr", 300),
        (" two", 400),
        (" scripted source 3", 1_000),
        (" scripted fr 3", 1_000),
    ]
    speech = [r.pcm for r in results if isinstance(r, TranslatedSpeech)]
    assert [len(pcm) // 48 for pcm in speech] == [300, 100, 600]
    assert results[-1] == TranslationEnded()


def test_the_speech_is_a_tone_of_440_hz() -> None:
    samples = np.frombuffer(tone(24_000), "<i2")

    assert int(np.argmax(np.abs(np.fft.rfft(samples)))) == 440


def test_an_utterance_that_completes_exactly_leaves_nothing() -> None:
    stream, results = opened(SCRIPT)

    stream.feed(MS * 400)
    count = len(results)
    stream.finish()

    assert results[count:] == [TranslationEnded()]


def test_a_change_ends_the_utterance_under_way_in_its_language() -> None:
    stream, results = opened(Script(), wants_source=False)

    stream.feed(MS * 500)
    stream.change(TranslationOptions("de", wants_source=True))
    stream.feed(MS * 1_000)

    assert words(results) == [
        ("scripted fr 1", 500),
        (" scripted source 2", 1_500),
        (" scripted de 2", 1_500),
    ]


def test_a_scripted_failure_comes_after_its_utterance_and_ends_the_stream() -> None:
    stream, results = opened(load_script("translations = [{ target = 'a', audio_ms = 10, failure = {} }]"))

    stream.feed(MS * 100)
    stream.finish()

    assert [type(result) for result in results] == [TranslatedText, TranslatedSpeech, EngineError]


def test_after_abort_nothing_is_delivered() -> None:
    stream, results = opened(SCRIPT)

    stream.feed(MS * 200)
    stream.abort()
    stream.feed(MS * 2_000)
    stream.finish()

    assert results == []


def test_translations_are_for_script_files_only() -> None:
    with pytest.raises(EngineError, match="translations"):
        script_in_instructions('vivavoce-script: {"translations": [{"target": "x"}]}', "scripted")
    with pytest.raises(ScriptError, match="audio_ms"):
        load_script("translations = [{ audio_ms = 0 }]")
