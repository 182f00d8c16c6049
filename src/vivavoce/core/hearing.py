"""From audio to items: feeds the detector and the transcriber, follows the turn, commits utterances."""

from vivavoce.core.conversation import Entry
from vivavoce.core.detection import Detection, detection_of, end_turn_if_due, turn_settings
from vivavoce.core.input_buffer import samples_in
from vivavoce.core.limits import (
    MAX_IDLE_PROMPTS,
    ONSET_WINDOWS,
    ONSET_WINDOWS_AUDIBLE,
    SAMPLES_PER_MS,
    TRANSCRIPT_TIMEOUT_S,
    TURN_SCORE_SAMPLES,
    TURN_SCORE_SILENCE_MS,
)
from vivavoce.core.listening import Utterance
from vivavoce.core.playout import Playing
from vivavoce.core.requests import SAMPLE_RATE_HZ, TranscriptOptions
from vivavoce.core.state import SessionState, SpeechBegan, SpeechEnded, UserIdle, UtteranceCommitted
from vivavoce.core.transcript_results import settle_failed_transcript
from vivavoce.core.transcripts import Transcript
from vivavoce.core.turn import Turn, TurnStarted, TurnStopped
from vivavoce.core.vocabulary import (
    AbortTranscript,
    DetectionFailed,
    DetectSpeech,
    EngineFault,
    FeedTranscript,
    FinishTranscript,
    OpenTranscript,
    ScoreTurn,
    SpeechScored,
)
from vivavoce.protocol.errors import ErrorDetail
from vivavoce.protocol.items import InputAudio, Message
from vivavoce.protocol.server_events import (
    ConversationItemAdded,
    ConversationItemDone,
    ErrorEvent,
    InputAudioBufferCommitted,
    InputAudioBufferSpeechStarted,
    InputAudioBufferSpeechStopped,
    InputAudioBufferTimeoutTriggered,
)


def append_audio(state: SessionState, audio: bytes) -> None:
    """Take audio from the client and hand it on to whoever listens.

    Raises:
        ClientError: `input_audio_buffer_full`.
    """
    listening = state.listening
    position = listening.buffer.end_sample
    added = listening.buffer.append(audio)
    if not added:
        return
    detection = detection_of(state)
    if detection is None:
        _feed_manual_turn(state, added)
        return
    if listening.is_deaf:
        listening.buffer.discard_before(listening.buffer.end_sample)
        return
    state.out.put(DetectSpeech(listening.detection_id, position, added, listening.buffer.encoding))
    end_turn_if_due(state)


def score_window(state: SessionState, scored: SpeechScored, now: float) -> None:
    """Take the detector's score of one window."""
    listening = state.listening
    detection = detection_of(state)
    if detection is None or scored.detection_id != listening.detection_id or listening.is_deaf:
        return
    is_audible = state.playout.state(now) is Playing.PLAYING
    onset_windows = ONSET_WINDOWS_AUDIBLE if is_audible else ONSET_WINDOWS
    settings = turn_settings(state, detection)
    change = listening.turn.score(scored.end_sample, scored.probability, settings, onset_windows)
    if isinstance(change, TurnStarted):
        state.facts.append(SpeechBegan(change.onset_sample))
    if isinstance(change, TurnStopped):
        _speech_ended(state, change)
        return
    _feed_utterance(state, scored.end_sample)
    if listening.turn.state is Turn.IDLE:
        _follow_silence(state, detection, is_audible)
        return
    end_turn_if_due(state)  # audio that was appended with the window's last may complete the silence
    if detection.eagerness is not None and state.profile.policy.scores_turns:
        _follow_sound(state)


def fail_detection(state: SessionState, failed: DetectionFailed) -> None:
    """Tell the client that nobody hears its speech begin or end; a turn under way ends with what was appended."""
    listening = state.listening
    if detection_of(state) is None or failed.detection_id != listening.detection_id:
        return
    listening.turn.reset(listening.buffer.end_sample)
    listening.is_deaf = True
    if listening.utterance is not None:
        state.facts.append(SpeechEnded(listening.buffer.end_sample))
    message = f"Speech detection failed: {failed.fault.message}. 'input_audio_buffer.clear' starts it again."
    detail = ErrorDetail(type="server_error", code=failed.fault.code, message=message)
    state.out.send(ErrorEvent(event_id=state.out.event_id(), error=detail))


def begin_detected_turn(state: SessionState, onset_sample: int) -> None:
    """Announce speech and start to transcribe it, with the padding before its onset."""
    detection = detection_of(state)
    assert detection is not None, "only a detector hears speech begin"
    listening = state.listening
    start_sample = max(listening.buffer.start_sample, onset_sample - detection.prefix_padding_ms * SAMPLES_PER_MS)
    utterance = begin_utterance(state, start_sample, is_announced=True)
    listening.idle_since_sample = None
    listening.idle_prompts = 0
    state.out.send(
        InputAudioBufferSpeechStarted(
            event_id=state.out.event_id(),
            audio_start_ms=start_sample // SAMPLES_PER_MS,
            item_id=utterance.item_id,
        )
    )
    _feed_utterance(state, listening.turn.scored_sample)


def commit_detected_turn(state: SessionState, end_sample: int, now: float) -> None:
    """End the utterance where the detector heard its end."""
    utterance = _utterance(state)
    state.out.send(
        InputAudioBufferSpeechStopped(
            event_id=state.out.event_id(), audio_end_ms=end_sample // SAMPLES_PER_MS, item_id=utterance.item_id
        )
    )
    detection = detection_of(state)
    _commit(state, end_sample, now, wants_answer=detection is not None and detection.creates_response)


def commit_for_client(state: SessionState, now: float) -> None:
    """Commit everything that is buffered, at the client's word."""
    state.listening.restart_detection()
    _commit(state, state.listening.buffer.end_sample, now, wants_answer=False)


def commit_silence(state: SessionState, end_sample: int) -> Entry:
    """Make an item of the silence that timed out and return it; nobody needs to look for words in it."""
    listening = state.listening
    start_sample = listening.idle_since_sample or end_sample
    item_id = state.out.make_id("item")
    listening.idle_since_sample = None
    listening.idle_prompts += 1
    listening.prompted_after = state.responding.finished_count
    state.out.send(
        InputAudioBufferTimeoutTriggered(
            event_id=state.out.event_id(),
            audio_start_ms=start_sample // SAMPLES_PER_MS,
            audio_end_ms=end_sample // SAMPLES_PER_MS,
            item_id=item_id,
        )
    )
    return _add_user_audio(state, item_id, listening.buffer.pieces(start_sample, end_sample))


def abandon_utterance(state: SessionState) -> None:
    """Forget the speech that was being heard."""
    utterance = state.listening.utterance
    state.listening.utterance = None
    if utterance is not None and state.transcripts.drop(utterance.item_id):
        state.out.put(AbortTranscript(utterance.item_id))


def begin_utterance(state: SessionState, start_sample: int, *, is_announced: bool) -> Utterance:
    """Start to transcribe speech under the id that its item will get."""
    item_id = state.out.make_id("item")
    utterance = Utterance(item_id, start_sample, start_sample, is_announced)
    state.listening.utterance = utterance
    _open_transcript(state, item_id, is_announced=is_announced)
    return utterance


def transcribe_audio(state: SessionState, entry: Entry, now: float) -> None:
    """Find out the words of an item that came with audio and without a transcript; the client is not told."""
    item_id = entry.item.id
    transcript = state.transcripts.open(item_id, is_visible=False, is_announced=True)
    state.out.put(OpenTranscript(item_id, entry.encoding, _transcript_options(state, transcript)))
    state.out.put(FeedTranscript(item_id, entry.audio))
    _finish_transcript(state, entry, now)


def _feed_manual_turn(state: SessionState, added: bytes) -> None:
    utterance = state.listening.utterance
    if utterance is None:
        utterance = begin_utterance(state, state.listening.buffer.start_sample, is_announced=False)
    _feed_utterance(state, state.listening.buffer.end_sample)


def _speech_ended(state: SessionState, stopped: TurnStopped) -> None:
    state.facts.append(SpeechEnded(stopped.end_sample))


def _follow_sound(state: SessionState) -> None:
    """Ask the turn scorer once about each silence, when the turn could end for the first time."""
    listening = state.listening
    utterance = listening.utterance
    if utterance is None or listening.turn.state is Turn.IDLE:
        return
    if listening.turn.state is Turn.SPEECH:
        utterance.sound = None
        return
    scored_sample = listening.turn.scored_sample
    is_asked = utterance.asked_sample > listening.turn.last_speech_sample
    if is_asked or listening.turn.silence_samples < TURN_SCORE_SILENCE_MS * SAMPLES_PER_MS:
        return
    utterance.asked_sample = scored_sample
    first_sample = max(utterance.start_sample, scored_sample - TURN_SCORE_SAMPLES)
    audio = listening.buffer.take(first_sample, scored_sample)
    state.out.put(ScoreTurn(utterance.item_id, scored_sample, audio, listening.buffer.encoding))


def _follow_silence(state: SessionState, detection: Detection, is_audible: bool) -> None:
    listening = state.listening
    responding = state.responding
    scored_sample = listening.turn.scored_sample
    timeout_ms = detection.idle_timeout_ms
    if timeout_ms is None or is_audible or responding.active is not None or responding.pending is not None:
        listening.idle_since_sample = None
    elif listening.idle_since_sample is not None:
        if scored_sample - listening.idle_since_sample >= timeout_ms * SAMPLES_PER_MS:
            state.facts.append(UserIdle(scored_sample))
    elif responding.finished_count > listening.prompted_after and listening.idle_prompts < MAX_IDLE_PROMPTS:
        listening.idle_since_sample = scored_sample
    if listening.idle_since_sample is None:
        listening.discard_silence(detection.prefix_padding_ms * SAMPLES_PER_MS)


def _feed_utterance(state: SessionState, to_sample: int) -> None:
    utterance = state.listening.utterance
    if utterance is None or to_sample <= utterance.fed_sample:
        return
    audio = state.listening.buffer.take(utterance.fed_sample, to_sample)
    utterance.fed_sample = to_sample
    transcript = state.transcripts.get(utterance.item_id)
    if audio and transcript is not None and transcript.fault is None:
        state.out.put(FeedTranscript(utterance.item_id, audio))


def _commit(state: SessionState, end_sample: int, now: float, *, wants_answer: bool) -> None:
    listening = state.listening
    utterance = _utterance(state)
    _feed_utterance(state, end_sample)
    pieces = listening.buffer.pieces(utterance.start_sample, end_sample)
    _retry_transcript(state, utterance.item_id, pieces)
    listening.buffer.discard_before(end_sample)
    listening.utterance = None
    entry = _add_user_audio(state, utterance.item_id, pieces)
    state.facts.append(UtteranceCommitted(utterance.item_id, wants_answer))
    _finish_transcript(state, entry, now)


def _retry_transcript(state: SessionState, item_id: str, pieces: tuple[bytes, ...]) -> None:
    """Give the transcriber the whole utterance again if it failed while the user spoke."""
    transcript = state.transcripts.get(item_id)
    if transcript is not None and transcript.fault is not None:
        transcript.fault = None
        options = _transcript_options(state, transcript)
        state.out.put(OpenTranscript(item_id, state.listening.buffer.encoding, options))
        state.out.put(FeedTranscript(item_id, b"".join(pieces)))


def _add_user_audio(state: SessionState, item_id: str, pieces: tuple[bytes, ...]) -> Entry:
    out, encoding = state.out, state.listening.buffer.encoding
    item = Message(id=item_id, role="user", status="completed", content=(InputAudio(transcript=None),))
    entry = Entry(item=item, pieces=pieces, encoding=encoding)
    entry.samples = samples_in(entry.audio_bytes, encoding)
    previous_id = state.conversation.last_id
    out.send(InputAudioBufferCommitted(event_id=out.event_id(), previous_item_id=previous_id, item_id=item_id))
    state.conversation.append(entry)
    out.send(ConversationItemAdded(event_id=out.event_id(), previous_item_id=previous_id, item=item))
    out.send(ConversationItemDone(event_id=out.event_id(), previous_item_id=previous_id, item=item))
    return entry


def _open_transcript(state: SessionState, item_id: str, *, is_announced: bool) -> None:
    is_visible = state.session.audio.input.transcription is not None
    transcript = state.transcripts.open(item_id, is_visible=is_visible, is_announced=is_announced)
    options = _transcript_options(state, transcript)
    state.out.put(OpenTranscript(item_id, state.listening.buffer.encoding, options))


def _transcript_options(state: SessionState, transcript: Transcript) -> TranscriptOptions:
    asked = state.session.audio.input.transcription
    if asked is None:
        return TranscriptOptions(number=transcript.number)
    return TranscriptOptions(
        number=transcript.number,
        language=asked.language,
        prompt=asked.prompt,
        languages=asked.languages or (),
        keywords=asked.keywords or (),
        delay=asked.delay or None,
        model=asked.model if asked.model in state.profile.policy.transcription_models else None,
    )


def _finish_transcript(state: SessionState, entry: Entry, now: float) -> None:
    item_id = entry.item.id
    transcript = state.transcripts.get(item_id)
    assert transcript is not None, "every utterance has a transcript until it is settled"
    transcript.is_announced = True
    transcript.entry = entry
    state.transcripts.finish(item_id, now + TRANSCRIPT_TIMEOUT_S + entry.samples / SAMPLE_RATE_HZ)
    if (refusal := state.profile.spending.admit_transcription(now)) is not None:
        state.out.put(AbortTranscript(item_id))
        settle_failed_transcript(state, item_id, EngineFault("session", "insufficient_quota", refusal))
    else:
        state.out.put(FinishTranscript(item_id))


def _utterance(state: SessionState) -> Utterance:
    utterance = state.listening.utterance
    assert utterance is not None, "a commit ends an utterance"
    return utterance
