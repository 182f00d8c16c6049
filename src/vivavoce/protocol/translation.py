"""Translation sessions: their session object, their few events, and how a client changes them.

The events are a union of their own: the types `session.created` and `session.updated` carry another session here than
in a conversation. Follows the Realtime API reference, translation sessions.
"""

from typing import Annotated, Final, Literal, get_args

import msgspec
from msgspec import UNSET, Meta, UnsetType

from vivavoce.protocol.client_events import MAX_EVENT_ID_LENGTH
from vivavoce.protocol.extensions import SessionExtension
from vivavoce.protocol.items import Audio
from vivavoce.protocol.reading import EventReader
from vivavoce.protocol.response_events import ServerEventBase
from vivavoce.protocol.server_events import ErrorEvent
from vivavoce.protocol.session import NoiseReduction

FRAME_MS: Final = 200  # `elapsed_ms` advances in these steps

Language = Literal["es", "pt", "fr", "ja", "ru", "zh", "de", "ko", "hi", "id", "vi", "it", "en"]
LANGUAGES: Final[tuple[Language, ...]] = get_args(Language)
DEFAULT_LANGUAGE: Final[Language] = "en"  # the reference names none

# Session ------------------------------------------------------------------------------------------------------


class SourceTranscription(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Asks for the words of the source; `model` is repeated, the translating engine hears them itself."""

    model: Annotated[str, Meta(min_length=1)]


class TranslationInput(msgspec.Struct, frozen=True, kw_only=True):
    """The effective `audio.input`."""

    transcription: SourceTranscription | None = None
    noise_reduction: NoiseReduction | None = None


class TranslationOutput(msgspec.Struct, frozen=True, kw_only=True):
    """The effective `audio.output`."""

    language: Language = DEFAULT_LANGUAGE


class TranslationAudio(msgspec.Struct, frozen=True, kw_only=True):
    """The effective `audio`."""

    input: TranslationInput = TranslationInput()
    output: TranslationOutput = TranslationOutput()


class Translation(msgspec.Struct, frozen=True, kw_only=True, tag="translation"):
    """The effective translation session, echoed in full by `session.created` and `session.updated`."""

    id: str
    model: str
    expires_at: int = 0  # unix seconds, 0 before the session starts
    audio: TranslationAudio = TranslationAudio()
    vivavoce: SessionExtension | UnsetType = UNSET


class TranslationInputPatch(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`session.audio.input` as a client sends it."""

    transcription: SourceTranscription | None | UnsetType = UNSET
    noise_reduction: NoiseReduction | None | UnsetType = UNSET


class TranslationOutputPatch(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`session.audio.output` as a client sends it."""

    language: Language | None = None


class TranslationAudioPatch(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`session.audio` as a client sends it."""

    input: TranslationInputPatch | None = None
    output: TranslationOutputPatch | None = None


class TranslationPatch(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The session object of `session.update`: only what is present changes. Type and model are fixed."""

    audio: TranslationAudioPatch | None = None


class TranslationOrder(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The session object of a client secret for translations."""

    model: Annotated[str, Meta(min_length=1)]
    audio: TranslationAudioPatch | None = None

    @property
    def patch(self) -> TranslationPatch:
        """What it changes in a session with that model."""
        return TranslationPatch(audio=self.audio)


def merge_translation(session: Translation, update: TranslationPatch) -> Translation:
    """Return the session with the update applied: `audio`, `audio.input` and `audio.output` merge key by key."""
    if update.audio is None:
        return session
    given, audio = update.audio, session.audio
    merged = TranslationAudio(
        input=audio.input if given.input is None else _merged_input(audio.input, given.input),
        output=audio.output if given.output is None else _merged_output(audio.output, given.output),
    )
    return msgspec.structs.replace(session, audio=merged)


def _merged_input(current: TranslationInput, given: TranslationInputPatch) -> TranslationInput:
    transcription = current.transcription if isinstance(given.transcription, UnsetType) else given.transcription
    return TranslationInput(
        transcription=transcription,
        noise_reduction=_merged_noise_reduction(current.noise_reduction, given.noise_reduction),
    )


def _merged_output(current: TranslationOutput, given: TranslationOutputPatch) -> TranslationOutput:
    return current if given.language is None else TranslationOutput(language=given.language)


def _merged_noise_reduction(
    current: NoiseReduction | None, given: NoiseReduction | None | UnsetType
) -> NoiseReduction | None:
    """An omitted strength keeps its value and is 1 at first."""
    if isinstance(given, UnsetType):
        return current
    if given is None or given.strength is not UNSET:
        return given
    strength = 1.0 if current is None or isinstance(current.strength, UnsetType) else current.strength
    return NoiseReduction(type=given.type, strength=strength)


# Client events ------------------------------------------------------------------------------------------------


class _ClientEvent(msgspec.Struct, frozen=True, kw_only=True):
    """What all client events share; `event_id` is repeated in the error if the event fails."""

    event_id: Annotated[str, Meta(max_length=MAX_EVENT_ID_LENGTH)] | None = None


class TranslationUpdate(_ClientEvent, frozen=True, kw_only=True, tag="session.update"):
    """Change the session's configuration."""

    session: TranslationPatch


class TranslationAppend(_ClientEvent, frozen=True, kw_only=True, tag="session.input_audio_buffer.append"):
    """More audio to translate: pcm16le, mono, 24 kHz; never acknowledged."""

    audio: Audio

    def __repr__(self) -> str:
        return f"TranslationAppend(event_id={self.event_id!r}, audio={len(self.audio)} bytes)"


class TranslationClose(_ClientEvent, frozen=True, kw_only=True, tag="session.close"):
    """Translate what is left, then end."""


TranslationClientEvent = TranslationUpdate | TranslationAppend | TranslationClose

# Server events ------------------------------------------------------------------------------------------------


class TranslationCreated(ServerEventBase, frozen=True, kw_only=True, tag="session.created"):
    """The first event of a connection."""

    session: Translation


class TranslationUpdated(ServerEventBase, frozen=True, kw_only=True, tag="session.updated"):
    """The answer to session.update: the whole effective session."""

    session: Translation


class TranslationClosed(ServerEventBase, frozen=True, kw_only=True, tag="session.closed"):
    """The last event after `session.close`."""


class TranslationInputTranscriptDelta(ServerEventBase, frozen=True, kw_only=True, tag="session.input_transcript.delta"):
    """More of what was said, only while `audio.input.transcription` is set; appended without a space."""

    delta: str
    elapsed_ms: int | UnsetType = UNSET


class TranslationOutputTranscriptDelta(
    ServerEventBase, frozen=True, kw_only=True, tag="session.output_transcript.delta"
):
    """More of the translation; appended without a space."""

    delta: str
    elapsed_ms: int | UnsetType = UNSET


class TranslationOutputAudioDelta(ServerEventBase, frozen=True, kw_only=True, tag="session.output_audio.delta"):
    """More of the spoken translation."""

    delta: bytes
    sample_rate: Literal[24000] = 24000
    channels: Literal[1] = 1
    format: Literal["pcm16"] = "pcm16"
    elapsed_ms: int | UnsetType = UNSET

    def __repr__(self) -> str:
        return f"TranslationOutputAudioDelta(event_id={self.event_id!r}, delta={len(self.delta)} bytes)"


TranslationServerEvent = (
    TranslationCreated
    | TranslationUpdated
    | TranslationClosed
    | TranslationInputTranscriptDelta
    | TranslationOutputTranscriptDelta
    | TranslationOutputAudioDelta
    | ErrorEvent
)

# Reading ------------------------------------------------------------------------------------------------------

_READER: Final[EventReader[TranslationClientEvent]] = EventReader(TranslationClientEvent)


def decode_translation_event(payload: bytes | str) -> TranslationClientEvent:
    """Return the client event that a JSON text holds; audio is decoded from base64.

    Raises:
        ClientError: as `codec.decode_client_event`.
    """
    return _READER.read(payload, lambda event: event)
