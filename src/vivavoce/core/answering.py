"""Creates responses, starts their generation when their context is complete, and reports their end."""

from typing import Final

import msgspec
from msgspec import UNSET

from vivavoce.core.asking import request_of
from vivavoce.core.context import audio_tokens, context_characters, text_tokens
from vivavoce.core.limits import MAX_MCP_ROUNDS, MS_PER_OUTPUT_AUDIO_TOKEN, SAMPLES_PER_MS
from vivavoce.core.response import CancelReason, Response, ResponsePlan, ResponseState
from vivavoce.core.spending import Speech
from vivavoce.core.state import SessionState
from vivavoce.core.truncation import ContextTooLong
from vivavoce.core.vocabulary import EngineFault, Generate
from vivavoce.protocol import responses as wire
from vivavoce.protocol.errors import ClientError, insufficient_quota
from vivavoce.protocol.extensions import ResponseCost, ResponseReport
from vivavoce.protocol.server_events import ErrorEvent, RateLimitsUpdated, ResponseCreated, ResponseDone
from vivavoce.protocol.tools import McpTool

# The types of failures that are not ours; all others are `server_error`.
_ERROR_TYPES: Final = {
    "rate_limit_exceeded": "rate_limit_error",
    "insufficient_quota": "insufficient_quota",
    "context_length_exceeded": "invalid_request_error",
    "bad_response_create": "invalid_request_error",
    "invalid_value": "invalid_request_error",
}


def create_response(state: SessionState, plan: ResponsePlan, now: float) -> Response:
    """Announce a response; its generation begins when its context is complete."""
    response = announce_response(state, plan)
    refusal = state.profile.limits.admit(now)
    state.profile.spending.begin(response.id, now, MAX_MCP_ROUNDS if _may_call(state, plan) else 1)
    if refusal is not None:
        fail_response(state, response, EngineFault("session", "rate_limit_exceeded", refusal), now)
    else:
        begin_when_ready(state, response, now)
    return response


def answer_unasked(state: SessionState, plan: ResponsePlan, now: float) -> Response | None:
    """Create a response that no event of the client has asked for; where its budget refuses it, one error tells."""
    refusal = state.profile.spending.admit(now)
    if refusal is None:
        return create_response(state, plan, now)
    state.out.send(ErrorEvent(event_id=state.out.event_id(), error=insufficient_quota(refusal).detail))
    return None


def announce_response(state: SessionState, plan: ResponsePlan) -> Response:
    """Send `response.created`; the caller begins the response or ends it."""
    response = Response(state.out.make_id("resp"), plan)
    state.responding.live[response.id] = response
    if plan.conversation is not None:
        assert state.responding.active is None, "one response at a time writes to the conversation"
        state.responding.active = response
        state.responding.pending = None
        if plan.say is None:
            response.mcp.approved = state.tools.mcp.take_approved()
    state.listening.idle_since_sample = None
    state.out.send(ResponseCreated(event_id=state.out.event_id(), response=_wire_response(response)))
    return response


def begin_when_ready(state: SessionState, response: Response, now: float) -> None:
    """Ask the generator unless words of the context, or tools that are being listed, are still to come."""
    plan = response.plan
    if response.state is not ResponseState.WAITING:
        return
    if plan.say is not None:
        response.say(state.out, plan.say)
        report_end(state, response, now)
        return
    awaited = state.transcripts.awaited()
    if awaited and any(entry.item.id in awaited for entry in plan.context):
        return
    if plan.tools and state.tools.mcp.is_awaited(plan.tools):
        return
    if response.mcp.approved:
        response.begin_calling(state.out)
    elif _answers_silence(state, response):
        response.complete_empty(state.out)
        report_end(state, response, now)
    else:
        generate(state, response, now)


def generate(state: SessionState, response: Response, now: float) -> None:
    """Ask the generator for a round of a response: its first, or one that goes on from what MCP tools returned."""
    plan = response.plan
    try:
        request, entries = request_of(state, response, now)
    except (ClientError, ContextTooLong) as error:
        fail_response(state, response, _unanswerable(error), now)
        return
    characters = len(request.instructions) + context_characters(request.items)
    response.begin(text_tokens(characters), audio_tokens(entries))
    state.out.put(Generate(response.id, request, is_background=plan.conversation is None))


def continue_response(state: SessionState, response: Response, now: float) -> None:
    """Go on with a response whose MCP calls have returned, and report its end if it has ended."""
    if response.wants_round:
        generate(state, response, now)
    report_end(state, response, now)


def cancel_response(state: SessionState, response: Response, reason: CancelReason, now: float) -> None:
    """Stop a response and report it."""
    response.cancel(state.out, reason)
    report_end(state, response, now)


def fail_response(state: SessionState, response: Response, fault: EngineFault, now: float) -> None:
    """End a response that an engine could not go on with."""
    response.fail(state.out, fault)
    report_end(state, response, now)


def report_end(state: SessionState, response: Response, now: float) -> None:
    """Send `response.done` once a response has ended, and what it has left of the limits."""
    if response.is_live or response.id not in state.responding.live:
        return
    state.responding.forget(response)
    for call in response.mcp.approved:  # it ended before it made them: the client may approve once more
        state.tools.mcp.ask(call)
    ended, cost_usd = _wire_response(response), charge(state, response, now)
    if state.shows_cost:
        cost = ResponseCost(usd=cost_usd, session=state.profile.spending.report(now))
        ended = msgspec.structs.replace(ended, vivavoce=ResponseReport(cost=cost))
    state.out.send(ResponseDone(event_id=state.out.event_id(), response=ended))
    limits = state.profile.limits
    if left := limits.report(now):
        state.out.send(RateLimitsUpdated(event_id=state.out.event_id(), rate_limits=left))


def charge(state: SessionState, response: Response, now: float) -> float:
    """Count against the limits and the budget what a response has used; return its cost in US dollars."""
    usage, profile = _usage(response), state.profile
    profile.limits.charge(usage.total_tokens, now)
    model, voice = profile.paid.generator, profile.paid.synthesizer
    if model is not None:
        usage = _without_audio(usage) if response.mcp.count else wire.Usage()
    speech = None
    if voice is not None and response.spoken_characters:
        speech = Speech(voice, response.spoken_characters, response.output_samples // SAMPLES_PER_MS)
    return profile.spending.charge(response.id, model, usage, now, speech)


def _without_audio(usage: wire.Usage) -> wire.Usage:
    """Return what a generator of text has used: audio tokens are an estimate for what other engines heard and said."""
    read, written = usage.input_token_details, usage.output_token_details
    return wire.Usage(
        total_tokens=read.text_tokens + written.text_tokens,
        input_tokens=read.text_tokens,
        output_tokens=written.text_tokens,
        input_token_details=msgspec.structs.replace(read, audio_tokens=0),
        output_token_details=msgspec.structs.replace(written, audio_tokens=0),
    )


def _may_call(state: SessionState, plan: ResponsePlan) -> bool:
    """Tell whether a response may ask its generator more than once."""
    return bool(state.profile.functions) or any(isinstance(tool, McpTool) for tool in plan.tools)


def _answers_silence(state: SessionState, response: Response) -> bool:
    item_id = response.plan.answers_item_id
    entry = state.conversation.get(item_id) if item_id is not None else None
    return entry is not None and not entry.text


def _unanswerable(error: ClientError | ContextTooLong) -> EngineFault:
    if isinstance(error, ContextTooLong):
        return EngineFault("session", "context_length_exceeded", f"The conversation is too long: {error}.")
    return EngineFault("session", error.detail.code or "bad_response_create", error.detail.message)


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
            kind = _ERROR_TYPES.get(fault.code, "server_error")
            error = wire.StatusError(type=kind, code=fault.code, message=fault.message)
            return wire.StatusDetails(type="failed", error=error)
        case _:
            return None


def _usage(response: Response) -> wire.Usage:
    tokens = response.tokens
    text_out = response.output_tokens
    audio_out = -(-response.output_samples // (SAMPLES_PER_MS * MS_PER_OUTPUT_AUDIO_TOKEN))
    return wire.Usage(
        total_tokens=tokens.text_in + tokens.audio_in + text_out + audio_out,
        input_tokens=tokens.text_in + tokens.audio_in,
        output_tokens=text_out + audio_out,
        input_token_details=wire.InputTokenDetails(
            text_tokens=tokens.text_in,
            audio_tokens=tokens.audio_in,
            cached_tokens=tokens.cached,
            cached_tokens_details=wire.CachedTokensDetails(text_tokens=tokens.cached),
        ),
        output_token_details=wire.OutputTokenDetails(text_tokens=text_out, audio_tokens=audio_out),
    )
