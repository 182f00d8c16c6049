"""What each client event does. A mistake raises ClientError and changes nothing."""

from typing import Final, assert_never

from vivavoce.core import client_items, hearing
from vivavoce.core.answering import cancel_response, create_response
from vivavoce.core.configuring import extension_of, update_session
from vivavoce.core.detection import detection_of
from vivavoce.core.limits import MAX_RESPONSES, MIN_COMMIT_MS, SAMPLES_PER_MS
from vivavoce.core.mcp_tools import check_labels, check_servers, import_tools
from vivavoce.core.planning import (
    check_forced_server,
    plan_response,
)
from vivavoce.core.rules import answer_pending
from vivavoce.core.state import SessionState
from vivavoce.protocol import client_events as client
from vivavoce.protocol.errors import (
    ClientError,
    active_response,
    bad_response,
    buffer_too_small,
    insufficient_quota,
    no_active_response,
    not_in_session_kind,
)
from vivavoce.protocol.locks import refuse_locked_event
from vivavoce.protocol.server_events import InputAudioBufferCleared

# Events of conversations that a transcription session does not have.
_CONVERSATION_EVENTS: Final = (
    client.ConversationItemCreate,
    client.ConversationItemTruncate,
    client.ResponseCreate,
    client.ResponseCancel,
)


def handle_client_event(state: SessionState, event: client.ClientEvent, now: float) -> None:
    """Do what a client event asks for.

    Raises:
        ClientError: the event cannot be honoured; the session is unchanged.
    """
    if state.profile.kind == "transcription" and isinstance(event, _CONVERSATION_EVENTS):
        raise not_in_session_kind(str(event.__struct_config__.tag), "transcription")
    refuse_locked_event(extension_of(state.session).locked, state.session, event)
    match event:
        case client.SessionUpdate(session=patch):
            update_session(state, patch, now)
        case client.InputAudioBufferAppend(audio=audio):
            hearing.append_audio(state, audio)
        case client.InputAudioBufferCommit():
            _commit_buffer(state, now)
        case client.InputAudioBufferClear():
            _clear_buffer(state)
        case (
            client.ConversationItemCreate()
            | client.ConversationItemRetrieve()
            | client.ConversationItemTruncate()
            | client.ConversationItemDelete()
        ):
            client_items.handle_item_event(state, event, now)
        case client.ResponseCreate():
            _create_response(state, event, now)
        case client.ResponseCancel(response_id=response_id):
            _cancel_response(state, response_id, now)
        case client.OutputAudioBufferClear():
            raise ClientError(
                "invalid_value",
                "Invalid value: 'output_audio_buffer.clear' is for WebRTC and SIP; "
                "a WebSocket client owns its playback.",
                "type",
            )
        case never:
            assert_never(never)


def _commit_buffer(state: SessionState, now: float) -> None:
    listening = state.listening
    if listening.utterance is None and detection_of(state) is not None:
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
    state.listening.clear(extension_of(state.session).pre_roll_ms if detection_of(state) is None else 0)
    state.listening.restart_detection()
    state.out.send(InputAudioBufferCleared(event_id=state.out.event_id()))


def _create_response(state: SessionState, event: client.ResponseCreate, now: float) -> None:
    params = event.response
    is_out_of_band = params is not None and params.conversation == "none"
    if state.responding.active is not None and not is_out_of_band:
        raise active_response(state.responding.active.id)
    if len(state.responding.live) >= MAX_RESPONSES:
        raise bad_response(f"At most {MAX_RESPONSES} responses may run at once.", "response")
    if (refusal := state.profile.spending.admit(now)) is not None:
        raise insufficient_quota(refusal)
    if params is not None and params.tools is not None:
        check_servers(state, params.tools, "response.tools")
        check_labels(state, params.tools, "response.tools")
    given = params.input if params is not None else None
    context = tuple(state.conversation) if given is None else client_items.context_entries(state, given)
    plan = plan_response(state, params, context)
    check_forced_server(state, plan.tools, plan.tool_choice)
    if given is not None:
        client_items.transcribe_input(state, context, now)
    if params is not None and params.tools is not None:
        import_tools(state, plan.tools, now)
    create_response(state, plan, now)


def _cancel_response(state: SessionState, response_id: str | None, now: float) -> None:
    responding = state.responding
    response = responding.active if response_id is None else responding.live.get(response_id)
    if response is None:
        raise no_active_response()
    cancel_response(state, response, "client_cancelled", now)
