"""The turn detection in force, whichever of its kinds the session asks for, in the terms of the machines."""

import msgspec

from vivavoce.core.completeness import completeness
from vivavoce.core.endpointing import Eagerness, needed_silence_ms
from vivavoce.core.limits import SAMPLES_PER_MS
from vivavoce.core.state import SessionState, SpeechEnded
from vivavoce.core.turn import Turn, TurnSettings
from vivavoce.core.vocabulary import TurnScored
from vivavoce.protocol.session import SemanticVad, ServerVad

SEMANTIC_THRESHOLD = 0.5  # of speech; `semantic_vad` has no such numbers of its own
SEMANTIC_PREFIX_MS = 300
NEUTRAL_COMPLETENESS = 0.5  # where no words are known


class Detection(msgspec.Struct, frozen=True):
    """What decides on turns and what their ends cause. `eagerness` is None where silence alone decides."""

    threshold: float
    prefix_padding_ms: int
    silence_ms: int
    eagerness: Eagerness | None
    idle_timeout_ms: int | None
    creates_response: bool
    interrupts_response: bool


def detection_of(state: SessionState) -> Detection | None:
    """Return the turn detection in force; None means that the client commits."""
    settings = state.session.audio.input.turn_detection
    answers = state.profile.kind == "realtime"
    match settings:
        case None:
            return None
        case ServerVad():
            return Detection(
                settings.threshold,
                settings.prefix_padding_ms,
                settings.silence_duration_ms,
                None,
                settings.idle_timeout_ms if answers else None,
                answers and settings.create_response,
                answers and settings.interrupt_response,
            )
        case SemanticVad():
            return Detection(
                SEMANTIC_THRESHOLD,
                SEMANTIC_PREFIX_MS,
                0,
                settings.eagerness,
                None,
                answers and settings.create_response,
                answers and settings.interrupt_response,
            )


def turn_settings(state: SessionState, detection: Detection) -> TurnSettings:
    """Return what the turn detector goes by at this moment."""
    silence_ms = (
        detection.silence_ms if detection.eagerness is None else _semantic_silence_ms(state, detection.eagerness)
    )
    return TurnSettings(detection.threshold, silence_ms * SAMPLES_PER_MS)


def take_turn_score(state: SessionState, scored: TurnScored) -> None:
    """Keep what the sound says of the silence that is going on; a score for speech that went on is void."""
    utterance = state.listening.utterance
    if utterance is not None and utterance.item_id == scored.item_id and utterance.asked_sample == scored.end_sample:
        utterance.sound = scored.probability
        end_turn_if_due(state)


def end_turn_if_due(state: SessionState) -> None:
    """End the turn if the silence so far is enough; asked whenever the audio, the words or the sound say more."""
    listening, detection = state.listening, detection_of(state)
    if detection is None or listening.turn.state is not Turn.TRAILING:
        return
    stopped = listening.turn.advance(listening.buffer.end_sample, turn_settings(state, detection))
    if stopped is not None:
        state.facts.append(SpeechEnded(stopped.end_sample))


def _language(state: SessionState) -> str | None:
    """The language that is spoken: as the client says, else the only one that is understood."""
    asked = state.session.audio.input.transcription
    if asked is not None and asked.language is not None:
        return asked.language
    return state.profile.policy.language


def _semantic_silence_ms(state: SessionState, eagerness: Eagerness) -> int:
    utterance = state.listening.utterance
    if utterance is None:
        return needed_silence_ms(eagerness, NEUTRAL_COMPLETENESS)
    transcript = state.transcripts.get(utterance.item_id)
    text = transcript.text if transcript is not None else ""
    if text != utterance.judged_text:
        utterance.judged_text = text
        utterance.completeness = completeness(text, _language(state))
    return needed_silence_ms(eagerness, utterance.completeness, utterance.sound, state.listening.turn.pauses)
