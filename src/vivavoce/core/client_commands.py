"""What each client event does. A mistake raises ClientError and changes nothing."""

from typing import assert_never

from vivavoce.core import client_items, hearing
from vivavoce.core.answering import cancel_response, create_response
from vivavoce.core.limits import MAX_RESPONSES, MIN_COMMIT_MS, SAMPLES_PER_MS
from vivavoce.core.planning import check_choice, check_voice, encoding_of, plan_response
from vivavoce.core.rules import answer_pending
from vivavoce.core.state import SessionState
from vivavoce.protocol import client_events as client
from vivavoce.protocol.errors import (
    ClientError,
    active_response,
    buffer_too_small,
    invalid_content,
    no_active_response,
)
from vivavoce.protocol.server_events import InputAudioBufferCleared, SessionUpdated
from vivavoce.protocol.session import RealtimeSession, merge


def handle_client_event(state: SessionState, event: client.ClientEvent, now: float) -> None:
    """Do what a client event asks for.

    Raises:
        ClientError: the event cannot be honoured; the session is unchanged.
    """
    match event:
        case client.SessionUpdate(session=patch):
            _update_session(state, merge(state.session, patch), now)
        case client.InputAudioBufferAppend(audio=audio):
            hearing.append_audio(state, audio)
        case client.InputAudioBufferCommit():
            _commit_buffer(state, now)
        case client.InputAudioBufferClear():
            _clear_buffer(state)
        case client.ConversationItemCreate():
            client_items.create_item(state, event, now)
        case client.ConversationItemRetrieve(item_id=item_id):
            client_items.retrieve_item(state, item_id)
        case client.ConversationItemTruncate():
            client_items.truncate_item(state, event)
        case client.ConversationItemDelete(item_id=item_id):
            client_items.delete_item(state, item_id)
        case client.ResponseCreate():
            _create_response(state, event, now)
        case client.ResponseCancel(response_id=response_id):
            _cancel_response(state, response_id)
        case client.OutputAudioBufferClear():
            raise ClientError(
                "invalid_value",
                "Invalid value: 'output_audio_buffer.clear' is for WebRTC and SIP; "
                "a WebSocket client owns its playback.",
                "type",
            )
        case never:
            assert_never(never)


def _update_session(state: SessionState, session: RealtimeSession, now: float) -> None:
    check_voice(state, session.audio.output.voice)
    check_choice(session.tools, session.tool_choice, "session.tool_choice")
    before, after = state.session.audio.input, session.audio.input
    if encoding_of(after.format) is not state.listening.buffer.encoding:
        _change_encoding(state, session)
    if state.responding.pending is not None and not _answers_by_itself(session):
        answer_pending(state, now)  # the turn ended under the former settings
    if after.turn_detection is None or before.turn_detection is None:
        _switch_detection(state, was_on=before.turn_detection is not None, is_on=after.turn_detection is not None)
    state.session = session
    state.out.send(SessionUpdated(event_id=state.out.event_id(), session=session))


def _answers_by_itself(session: RealtimeSession) -> bool:
    detection = session.audio.input.turn_detection
    return detection is not None and detection.create_response


def _change_encoding(state: SessionState, session: RealtimeSession) -> None:
    """With detection on, buffered silence is nobody's audio and does not stand in the way."""
    listening = state.listening
    if listening.utterance is not None or (hearing.vad_of(state) is None and listening.buffer.duration_ms):
        raise invalid_content(
            "session.audio.input.format", "the format changes only while no audio is buffered; commit or clear first"
        )
    listening.buffer.clear()
    listening.buffer.use_encoding(encoding_of(session.audio.input.format))
    listening.restart_detection()


def _switch_detection(state: SessionState, *, was_on: bool, is_on: bool) -> None:
    """Switched off, speech that is being heard stays for the client to commit; switched on, detection starts afresh."""
    if was_on == is_on:
        return
    if is_on:
        hearing.abandon_utterance(state)
    state.listening.restart_detection()


def _commit_buffer(state: SessionState, now: float) -> None:
    listening = state.listening
    if listening.utterance is None and hearing.vad_of(state) is not None:
        raise buffer_too_small(0.0)
    start_sample = listening.utterance.start_sample if listening.utterance else listening.buffer.start_sample
    buffered_ms = (listening.buffer.end_sample - start_sample) / SAMPLES_PER_MS
    if buffered_ms < MIN_COMMIT_MS:
        raise buffer_too_small(buffered_ms)
    if listening.utterance is None:
        hearing.begin_utterance(state, start_sample, is_announced=False)
    if state.responding.pending is not None:
        answer_pending(state, now)  # before anything of another turn
    hearing.commit_for_client(state, now)


def _clear_buffer(state: SessionState) -> None:
    hearing.abandon_utterance(state)
    state.listening.buffer.clear()
    state.listening.restart_detection()
    state.out.send(InputAudioBufferCleared(event_id=state.out.event_id()))


def _create_response(state: SessionState, event: client.ResponseCreate, now: float) -> None:
    params = event.response
    is_out_of_band = params is not None and params.conversation == "none"
    if state.responding.active is not None and not is_out_of_band:
        raise active_response(state.responding.active.id)
    if len(state.responding.live) >= MAX_RESPONSES:
        raise ClientError("bad_response_create", f"At most {MAX_RESPONSES} responses may run at once.", "response")
    given = params.input if params is not None else None
    if given is None:
        plan = plan_response(state, params, tuple(state.conversation))
    else:
        context = client_items.context_entries(state, given)
        plan = plan_response(state, params, context)
        client_items.transcribe_input(state, context, now)
    create_response(state, plan, now)


def _cancel_response(state: SessionState, response_id: str | None) -> None:
    responding = state.responding
    response = responding.active if response_id is None else responding.live.get(response_id)
    if response is None:
        raise no_active_response()
    cancel_response(state, response, "client_cancelled")
