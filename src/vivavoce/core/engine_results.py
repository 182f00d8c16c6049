"""What engines deliver: transcripts, text, calls and speech. Results for ids that are not live are dropped."""

from typing import assert_never

from vivavoce.core.answering import fail_response, report_end
from vivavoce.core.limits import SAMPLES_PER_MS
from vivavoce.core.state import SessionState, TranscriptSettled
from vivavoce.core.transcripts import Transcript, TranscriptState
from vivavoce.core.vocabulary import (
    EngineFault,
    EngineResult,
    GenerationFailed,
    GenerationFinished,
    SpeechSynthesized,
    SynthesisFailed,
    SynthesisFinished,
    TextGenerated,
    ToolCallGenerated,
    TranscriptFailed,
    TranscriptFinalized,
    TranscriptRevised,
)
from vivavoce.protocol.items import InputAudio, Message
from vivavoce.protocol.server_events import (
    ConversationItemInputAudioTranscriptionCompleted,
    ConversationItemInputAudioTranscriptionDelta,
    ConversationItemInputAudioTranscriptionFailed,
    DurationUsage,
    TranscriptionError,
)


def take_result(state: SessionState, result: EngineResult, now: float) -> None:
    """Hand an engine's result to the machine that asked for it."""
    match result:
        case TranscriptRevised():
            revise_transcript(state, result)
        case TranscriptFinalized():
            finalize_transcript(state, result)
        case TranscriptFailed():
            fail_transcript(state, result)
        case TextGenerated():
            take_text(state, result)
        case ToolCallGenerated():
            take_tool_call(state, result)
        case GenerationFinished():
            finish_generation(state, result)
        case GenerationFailed() | SynthesisFailed():
            fail_generation(state, result)
        case SpeechSynthesized():
            take_speech(state, result, now)
        case SynthesisFinished():
            finish_speech(state, result)
        case never:
            assert_never(never)


def revise_transcript(state: SessionState, revised: TranscriptRevised) -> None:
    """More of an utterance is known; the client gets what will not be rewritten."""
    transcript = state.transcripts.get(revised.item_id)
    if transcript is None:
        return
    transcript.stable = revised.stable
    if transcript.is_visible and transcript.is_announced:
        _send_delta(state, transcript)


def finalize_transcript(state: SessionState, final: TranscriptFinalized) -> None:
    """An utterance's words are known."""
    if not _is_awaited(state, final.item_id):
        return
    transcript = state.transcripts.settle(final.item_id)
    text = final.text.strip()
    entry = transcript.entry
    assert entry is not None, "a transcript that is awaited belongs to an item"
    entry.text = f"{entry.text} {text}".strip()  # the client may have written beside what it said
    entry.wants_transcript = False
    if transcript.is_visible:
        if isinstance(entry.item, Message):
            entry.item = _with_transcript(entry.item, text)
        transcript.stable = text
        _send_delta(state, transcript)
        send_completed(state, final.item_id, text, entry.samples)
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


def take_text(state: SessionState, generated: TextGenerated) -> None:
    response = state.responding.live.get(generated.response_id)
    if response is not None:
        response.write(state.out, generated.text)
        report_end(state, response)


def take_tool_call(state: SessionState, generated: ToolCallGenerated) -> None:
    response = state.responding.live.get(generated.response_id)
    if response is None:
        return
    call_id = response.call(state.out, generated.name, generated.arguments)
    if call_id is not None and response.plan.conversation is not None:
        state.tools.request(call_id)


def finish_generation(state: SessionState, finished: GenerationFinished) -> None:
    response = state.responding.live.get(finished.response_id)
    if response is not None:
        response.count_tokens(finished.input_tokens, finished.output_tokens)
        response.finish_generation(state.out, finished.reason)
        report_end(state, response)


def fail_generation(state: SessionState, failed: GenerationFailed | SynthesisFailed) -> None:
    response = state.responding.live.get(failed.response_id)
    if response is not None:
        fail_response(state, response, failed.fault)


def take_speech(state: SessionState, speech: SpeechSynthesized, now: float) -> None:
    """Audio for the listener."""
    response = state.responding.live.get(speech.response_id)
    if response is None:
        return
    message = response.play(state.out, speech.segment, speech.audio, speech.samples, speech.words)
    if message is not None:
        state.responding.has_spoken = True
        is_in_conversation = response.plan.conversation is not None
        state.playout.play(message.place.item_id, speech.samples, now, response.id if is_in_conversation else "")


def finish_speech(state: SessionState, finished: SynthesisFinished) -> None:
    response = state.responding.live.get(finished.response_id)
    if response is not None:
        response.finish_segment(state.out, finished.segment)
        report_end(state, response)


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


def send_completed(state: SessionState, item_id: str, text: str, samples: int) -> None:
    """Tell the client the words of an item."""
    state.out.send(
        ConversationItemInputAudioTranscriptionCompleted(
            event_id=state.out.event_id(),
            item_id=item_id,
            content_index=0,
            transcript=text,
            usage=DurationUsage(seconds=samples / SAMPLES_PER_MS / 1000),
        )
    )
