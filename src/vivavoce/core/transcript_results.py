"""What transcribers deliver: words that grow, words that are final, or none; and how the client learns of them."""

import math
from typing import Final

from msgspec import UNSET, UnsetType

from vivavoce.core.detection import end_turn_if_due
from vivavoce.core.limits import SAMPLES_PER_MS
from vivavoce.core.requests import Word
from vivavoce.core.state import SessionState, TranscriptSettled
from vivavoce.core.transcripts import Transcript, TranscriptState
from vivavoce.core.vocabulary import EngineFault, TranscriptFailed, TranscriptFinalized, TranscriptRevised
from vivavoce.protocol.items import InputAudio, Message
from vivavoce.protocol.server_events import (
    ConversationItemInputAudioTranscriptionCompleted,
    ConversationItemInputAudioTranscriptionDelta,
    ConversationItemInputAudioTranscriptionFailed,
    ConversationItemInputAudioTranscriptionSegment,
    DurationUsage,
    LogProb,
    TranscriptionError,
)

MIN_CONFIDENCE: Final = 1e-6  # keeps a log probability finite


def take_transcript(
    state: SessionState, result: TranscriptRevised | TranscriptFinalized | TranscriptFailed, now: float
) -> None:
    """Take what a transcriber says of an utterance."""
    match result:
        case TranscriptRevised():
            revise_transcript(state, result)
        case TranscriptFinalized():
            finalize_transcript(state, result, now)
        case TranscriptFailed():
            fail_transcript(state, result)


def revise_transcript(state: SessionState, revised: TranscriptRevised) -> None:
    """More of an utterance is known; the client gets what will not be rewritten."""
    transcript = state.transcripts.get(revised.item_id)
    if transcript is None:
        return
    transcript.stable = revised.stable
    transcript.text = revised.text
    end_turn_if_due(state)
    if transcript.is_visible and transcript.is_announced:
        _send_delta(state, transcript)


def finalize_transcript(state: SessionState, final: TranscriptFinalized, now: float) -> None:
    """An utterance's words are known."""
    if not _is_awaited(state, final.item_id):
        return
    transcript = state.transcripts.settle(final.item_id)
    text = final.text.strip()
    entry = transcript.entry
    assert entry is not None, "a transcript that is awaited belongs to an item"
    _charge(state, entry.samples, final, now)
    entry.text = f"{entry.text} {text}".strip()  # the client may have written beside what it said
    entry.wants_transcript = False
    if transcript.is_visible:
        if isinstance(entry.item, Message):
            entry.item = _with_transcript(entry.item, text)
        transcript.stable = text
        _send_delta(state, transcript)
        _send_segments(state, final)
        send_completed(state, final.item_id, text, entry.samples, final)
    state.facts.append(TranscriptSettled(final.item_id, text, None))


def fail_transcript(state: SessionState, failed: TranscriptFailed) -> None:
    """The transcriber gave up; before the commit this only marks the utterance, which is then tried once more."""
    transcript = state.transcripts.get(failed.item_id)
    if transcript is None:
        return
    if transcript.state is TranscriptState.LISTENING:
        transcript.fault = failed.fault
        return
    settle_failed_transcript(state, failed.item_id, failed.fault)


def settle_failed_transcript(state: SessionState, item_id: str, fault: EngineFault) -> None:
    """An utterance's words will not be known."""
    transcript = state.transcripts.settle(item_id)
    if transcript.is_visible:
        state.out.send(
            ConversationItemInputAudioTranscriptionFailed(
                event_id=state.out.event_id(),
                item_id=item_id,
                content_index=0,
                error=TranscriptionError(
                    type="server_error",
                    code=fault.code,
                    message=f"Input transcription failed for item '{item_id}': {fault.message}",
                ),
            )
        )
    state.facts.append(TranscriptSettled(item_id, "", fault))


def _charge(state: SessionState, samples: int, final: TranscriptFinalized, now: float) -> None:
    asked = state.session.audio.input.transcription
    model = state.profile.paid.transcriber_for(asked.model if asked is not None else "")
    state.profile.spending.charge_transcription(model, final.usage or _duration(samples), now)


def _duration(samples: int) -> DurationUsage:
    return DurationUsage(seconds=samples / SAMPLES_PER_MS / 1000)


def _is_awaited(state: SessionState, item_id: str) -> bool:
    transcript = state.transcripts.get(item_id)
    return transcript is not None and transcript.state is TranscriptState.FINISHING


def _with_transcript(item: Message, text: str) -> Message:
    return Message(id=item.id, role=item.role, status=item.status, content=(InputAudio(transcript=text),))


def _send_delta(state: SessionState, transcript: Transcript) -> None:
    delta = transcript.unsent()
    if not delta:
        return
    transcript.sent += delta
    state.out.send(
        ConversationItemInputAudioTranscriptionDelta(
            event_id=state.out.event_id(), item_id=transcript.item_id, content_index=0, delta=delta
        )
    )


def _send_segments(state: SessionState, final: TranscriptFinalized) -> None:
    """Tell who said what, before the whole transcript."""
    for part in final.parts:
        state.out.send(
            ConversationItemInputAudioTranscriptionSegment(
                event_id=state.out.event_id(),
                item_id=final.item_id,
                content_index=0,
                id=state.out.make_id("seg"),
                text=part.text,
                speaker=part.speaker,
                start=part.start_ms / 1000,
                end=part.end_ms / 1000,
            )
        )


def send_completed(
    state: SessionState, item_id: str, text: str, samples: int, final: TranscriptFinalized | None = None
) -> None:
    """Tell the client the words of an item, and how sure they are where it wants to know.

    The usage is what the transcriber's server has counted, else the length of the audio.
    """
    asks_logprobs = "item.input_audio_transcription.logprobs" in (state.session.include or ())
    used = final.usage if final is not None else None
    words = final.words if final is not None else ()
    state.out.send(
        ConversationItemInputAudioTranscriptionCompleted(
            event_id=state.out.event_id(),
            item_id=item_id,
            content_index=0,
            transcript=text,
            usage=used or _duration(samples),
            logprobs=_logprobs(words) if asks_logprobs else UNSET,
        )
    )


def _logprobs(words: tuple[Word, ...]) -> tuple[LogProb, ...] | UnsetType:
    """Return the words' log probabilities, each word with the space before it; absent where the engine has none."""
    if not words or any(word.confidence is None for word in words):
        return UNSET
    return tuple(
        _logprob(word.text if index == 0 else f" {word.text}", word.confidence or 0.0)
        for index, word in enumerate(words)
    )


def _logprob(token: str, confidence: float) -> LogProb:
    logprob = math.log(min(max(confidence, MIN_CONFIDENCE), 1.0))
    return LogProb(token=token, logprob=logprob, bytes=tuple(token.encode()))
