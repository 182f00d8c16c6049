"""What crosses the core of a translation session: inputs (past tense) and outputs (imperative).

Translation is continuous: there are no items and no responses, so the vocabulary of conversations does not fit. The
events of a connection's life are shared with it. Audio is pcm16le, mono, 24 kHz. A session has one translation at
most, so results carry no id; what comes after its end is dropped.
"""

import msgspec

from vivavoce.core.vocabulary import ClientRejected, Close, Disconnected, Draining, EngineFault, Opened, ReduceNoise
from vivavoce.protocol.translation import TranslationClientEvent, TranslationServerEvent

# Inputs -------------------------------------------------------------------------------------------------------


class FromTranslationClient(msgspec.Struct, frozen=True):
    """The client sent an event."""

    event: TranslationClientEvent


class SourceHeard(msgspec.Struct, frozen=True):
    """More of what was said; `elapsed_ms` is its place in the input."""

    text: str
    elapsed_ms: int | None = None


class TextTranslated(msgspec.Struct, frozen=True):
    """More of the translation; `elapsed_ms` is the place in the input that it belongs to."""

    text: str
    elapsed_ms: int | None = None


class SpeechTranslated(msgspec.Struct, frozen=True):
    """More of the spoken translation."""

    audio: bytes
    elapsed_ms: int | None = None

    def __repr__(self) -> str:
        return f"SpeechTranslated(audio={len(self.audio)} bytes)"


class TranslationFinished(msgspec.Struct, frozen=True):
    """All that was fed has been translated; comes once, after `FinishTranslation`."""


class TranslationFailed(msgspec.Struct, frozen=True):
    """The translator failed; nothing more comes of it."""

    fault: EngineFault


Translated = SourceHeard | TextTranslated | SpeechTranslated | TranslationFinished | TranslationFailed
TranslationSessionInput = Opened | FromTranslationClient | ClientRejected | Translated | Draining | Disconnected

# Outputs ------------------------------------------------------------------------------------------------------


class SendTranslation(msgspec.Struct, frozen=True):
    """Send an event to the client."""

    event: TranslationServerEvent


class OpenTranslation(msgspec.Struct, frozen=True):
    """Start to translate; `wants_source`: the words of the source as well."""

    language: str
    wants_source: bool


class ChangeTranslation(msgspec.Struct, frozen=True):
    """Translate what is fed from here on in this way."""

    language: str
    wants_source: bool


class FeedTranslation(msgspec.Struct, frozen=True):
    """More audio to translate."""

    audio: bytes

    def __repr__(self) -> str:
        return f"FeedTranslation(audio={len(self.audio)} bytes)"


class FinishTranslation(msgspec.Struct, frozen=True):
    """No audio follows; what is left is wanted."""


class AbortTranslation(msgspec.Struct, frozen=True):
    """Nothing more is wanted; idempotent."""


TranslatorOutput = OpenTranslation | ChangeTranslation | FeedTranslation | FinishTranslation | AbortTranslation
TranslationSessionOutput = SendTranslation | TranslatorOutput | ReduceNoise | Close
