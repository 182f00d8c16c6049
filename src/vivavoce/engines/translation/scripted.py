"""A translator that says what the script says, whatever the audio is, and always the same for the same audio length."""

from collections.abc import Callable

import numpy as np

from vivavoce.engines.base import (
    SPEECH_RATE_HZ,
    Capabilities,
    EngineError,
    SourceText,
    TranslatedSpeech,
    TranslatedText,
    Translation,
    TranslationEnded,
    TranslationOptions,
)
from vivavoce.engines.script import Script, Utterance

TONE_HZ = 440
TONE_AMPLITUDE = 0.3
_BYTES_PER_MS = 2 * SPEECH_RATE_HZ // 1000
_NAME = "scripted"

Deliver = Callable[[Translation | EngineError], None]


class ScriptedTranslator:
    """Gives the n-th stretch of audio the n-th utterance of the script's `translations`.

    Without one a second of audio is "scripted source N" and "scripted LANGUAGE N". Each stream counts its own.
    """

    def __init__(self, script: Script) -> None:
        self._script = script

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(name=_NAME, is_streaming=True, note="Translates as its script says; made for tests.")

    async def start(self) -> None:
        """Nothing to load."""

    async def close(self) -> None:
        """Nothing to release."""

    def open(self, options: TranslationOptions, deliver: Deliver) -> "ScriptedTranslatorStream":
        """Start a translation; everything is delivered within `feed`, `change` and `finish`."""
        return ScriptedTranslatorStream(self._script.translations, options, deliver)


class ScriptedTranslatorStream:
    """One translation. An utterance is delivered when all its audio was fed; the last one may be cut short."""

    def __init__(self, utterances: tuple[Utterance, ...], options: TranslationOptions, deliver: Deliver) -> None:
        self._utterances = utterances
        self._options = options
        self._deliver = deliver
        self._number = 0  # of utterances that were delivered
        self._fed_bytes = 0  # of the utterance under way
        self._done_bytes = 0  # of those before it
        self._is_over = False

    @property
    def pending_ms(self) -> float:
        """Nothing waits: audio is translated as it comes."""
        return 0.0

    def feed(self, pcm: bytes) -> None:
        """Take audio and deliver the utterances that it completes."""
        self._fed_bytes += len(pcm)
        while not self._is_over and self._fed_bytes >= self._next.audio_ms * _BYTES_PER_MS:
            self._say(self._next.audio_ms * _BYTES_PER_MS)

    def change(self, options: TranslationOptions) -> None:
        """End the utterance under way as it was begun, then translate into another language."""
        self._say_rest()
        self._options = options

    def finish(self) -> None:
        """Deliver the utterance under way and the end."""
        self._say_rest()
        if not self._is_over:
            self._is_over = True
            self._deliver(TranslationEnded())

    def abort(self) -> None:
        """Deliver nothing any more."""
        self._is_over = True

    @property
    def _next(self) -> Utterance:
        if self._number < len(self._utterances):
            return self._utterances[self._number]
        return Utterance(f"scripted source {self._number + 1}", f"scripted {{language}} {self._number + 1}")

    def _say_rest(self) -> None:
        if self._fed_bytes and not self._is_over:
            self._say(self._fed_bytes)

    def _say(self, size_bytes: int) -> None:
        """Deliver the utterance under way, which took so much audio."""
        utterance = self._next
        space = " " if self._number else ""  # deltas are appended as they are
        self._number += 1
        self._fed_bytes -= size_bytes
        self._done_bytes += size_bytes
        elapsed_ms = self._done_bytes // _BYTES_PER_MS
        if self._options.wants_source and utterance.source:
            self._deliver(SourceText(space + utterance.source, elapsed_ms))
        if utterance.target:
            target = utterance.target.replace("{language}", self._options.language)
            self._deliver(TranslatedText(space + target, elapsed_ms))
        self._deliver(TranslatedSpeech(tone(size_bytes // 2), elapsed_ms))
        if utterance.failure is not None and not self._is_over:
            self._is_over = True
            self._deliver(utterance.failure.as_error(_NAME))


def tone(samples: int) -> bytes:
    """Return a tone of so many samples: pcm16le, mono, 24 kHz."""
    wave = np.sin(2 * np.pi * TONE_HZ * np.arange(samples) / SPEECH_RATE_HZ)
    return (wave * TONE_AMPLITUDE * 32_767).astype("<i2").tobytes()
