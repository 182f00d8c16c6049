"""Creates responses, starts their generation when their context is complete, and reports their end."""

from msgspec import UNSET

from vivavoce.core.context import audio_tokens, context_characters, context_items, text_tokens
from vivavoce.core.limits import MS_PER_OUTPUT_AUDIO_TOKEN, SAMPLES_PER_MS
from vivavoce.core.requests import GenerationRequest
from vivavoce.core.response import CancelReason, Response, ResponsePlan, ResponseState
from vivavoce.core.state import SessionState
from vivavoce.core.vocabulary import EngineFault, Generate
from vivavoce.protocol import responses as wire
from vivavoce.protocol.server_events import ResponseCreated, ResponseDone


def create_response(state: SessionState, plan: ResponsePlan, now: float) -> Response:
    """Announce a response; its generation begins when the transcripts of its context are final."""
    response = announce_response(state, plan)
    begin_when_ready(state, response, now)
    return response


def announce_response(state: SessionState, plan: ResponsePlan) -> Response:
    """Send `response.created`; the caller begins the response or ends it."""
    response = Response(state.out.make_id("resp"), plan)
    state.responding.live[response.id] = response
    if plan.conversation is not None:
        assert state.responding.active is None, "one response at a time writes to the conversation"
        state.responding.active = response
        state.responding.pending = None
    state.listening.idle_since_sample = None
    state.out.send(ResponseCreated(event_id=state.out.event_id(), response=_wire_response(response)))
    return response


def begin_when_ready(state: SessionState, response: Response, now: float) -> None:
    """Ask the generator unless words of the context are still to come."""
    if response.state is not ResponseState.WAITING:
        return
    awaited = state.transcripts.awaited()
    if awaited and any(entry.item.id in awaited for entry in response.plan.context):
        return
    if _answers_silence(state, response):
        response.complete_empty(state.out)
        report_end(state, response)
        return
    request = _request(state, response.plan, now)
    characters = len(request.instructions) + context_characters(request.items)
    response.begin(text_tokens(characters), audio_tokens(response.plan.context))
    state.out.put(Generate(response.id, request))


def cancel_response(state: SessionState, response: Response, reason: CancelReason) -> None:
    """Stop a response and report it."""
    response.cancel(state.out, reason)
    report_end(state, response)


def fail_response(state: SessionState, response: Response, fault: EngineFault) -> None:
    """End a response that an engine could not go on with."""
    response.fail(state.out, fault)
    report_end(state, response)


def report_end(state: SessionState, response: Response) -> None:
    """Send `response.done` once a response has ended."""
    if response.is_live:
        return
    state.responding.forget(response)
    state.out.send(ResponseDone(event_id=state.out.event_id(), response=_wire_response(response)))


def _answers_silence(state: SessionState, response: Response) -> bool:
    item_id = response.plan.answers_item_id
    entry = state.conversation.get(item_id) if item_id is not None else None
    return entry is not None and not entry.text


def _request(state: SessionState, plan: ResponsePlan, now: float) -> GenerationRequest:
    return GenerationRequest(
        instructions=plan.instructions,
        items=context_items(plan.context),
        tools=plan.tools,
        tool_choice=plan.tool_choice,
        is_spoken=plan.is_audio,
        elapsed_s=now - state.opened_at,
        model=state.session.model,
    )


def _wire_response(response: Response) -> wire.Response:
    plan = response.plan
    return wire.Response(
        id=response.id,
        status=_status(response),
        status_details=_status_details(response),
        output=response.output,
        conversation_id=plan.conversation.id if plan.conversation is not None else None,
        output_modalities=("audio",) if plan.is_audio else ("text",),
        max_output_tokens="inf" if plan.max_output_tokens is None else plan.max_output_tokens,
        audio=plan.audio,
        usage=None if response.is_live else _usage(response),
        metadata=plan.metadata,
    )


def _status(response: Response) -> wire.ResponseStatus:
    match response.state:
        case ResponseState.COMPLETED:
            return "completed"
        case ResponseState.INCOMPLETE:
            return "incomplete"
        case ResponseState.CANCELLED:
            return "cancelled"
        case ResponseState.FAILED:
            return "failed"
        case _:
            return "in_progress"


def _status_details(response: Response) -> wire.StatusDetails | None:
    match response.state:
        case ResponseState.CANCELLED:
            return wire.StatusDetails(type="cancelled", reason=response.ending.reason or UNSET)
        case ResponseState.INCOMPLETE:
            return wire.StatusDetails(type="incomplete", reason=response.ending.reason or UNSET)
        case ResponseState.FAILED:
            fault = response.ending.fault
            assert fault is not None, "a failed response names its fault"
            error = wire.StatusError(type="server_error", code=fault.code, message=fault.message)
            return wire.StatusDetails(type="failed", error=error)
        case _:
            return None


def _usage(response: Response) -> wire.Usage:
    text_in, audio_in = response.input_tokens
    text_out = response.generated_tokens or text_tokens(response.output_characters)
    audio_out = -(-response.output_samples // (SAMPLES_PER_MS * MS_PER_OUTPUT_AUDIO_TOKEN))
    return wire.Usage(
        total_tokens=text_in + audio_in + text_out + audio_out,
        input_tokens=text_in + audio_in,
        output_tokens=text_out + audio_out,
        input_token_details=wire.InputTokenDetails(text_tokens=text_in, audio_tokens=audio_in),
        output_token_details=wire.OutputTokenDetails(text_tokens=text_out, audio_tokens=audio_out),
    )
