"""What engines deliver: transcripts, text, calls and speech. Results for ids that are not live are dropped."""

from typing import assert_never

from vivavoce.core.answering import begin_when_ready, continue_response, fail_response, report_end
from vivavoce.core.detection import take_turn_score
from vivavoce.core.mcp import AskedCall
from vivavoce.core.mcp_tools import take_listing
from vivavoce.core.response import TokenCount
from vivavoce.core.state import SessionState
from vivavoce.core.transcript_results import take_transcript
from vivavoce.core.vocabulary import (
    EngineResult,
    GenerationFailed,
    GenerationFinished,
    McpCallFailed,
    McpCallReturned,
    McpListingFailed,
    McpToolsListed,
    SpeechSynthesized,
    SynthesisFailed,
    SynthesisFinished,
    TextGenerated,
    ToolCallGenerated,
    TranscriptFailed,
    TranscriptFinalized,
    TranscriptRevised,
    TurnScored,
)
from vivavoce.protocol.items import FunctionCall, McpApprovalRequest


def take_result(state: SessionState, result: EngineResult, now: float) -> None:
    """Hand an engine's result to the machine that asked for it."""
    match result:
        case TranscriptRevised() | TranscriptFinalized() | TranscriptFailed():
            take_transcript(state, result, now)
        case TextGenerated():
            take_text(state, result, now)
        case ToolCallGenerated():
            take_tool_call(state, result)
        case GenerationFinished():
            finish_generation(state, result, now)
        case GenerationFailed() | SynthesisFailed():
            fail_generation(state, result, now)
        case SpeechSynthesized():
            take_speech(state, result, now)
        case SynthesisFinished():
            finish_speech(state, result, now)
        case TurnScored():
            take_turn_score(state, result)
        case McpToolsListed() | McpListingFailed():
            take_listing(state, result)
            begin_waiting(state, now)
        case McpCallReturned() | McpCallFailed():
            take_mcp_result(state, result, now)
        case never:
            assert_never(never)


def begin_waiting(state: SessionState, now: float) -> None:
    """Let responses begin that waited for something that has come."""
    for response in list(state.responding.live.values()):
        begin_when_ready(state, response, now)


def take_text(state: SessionState, generated: TextGenerated, now: float) -> None:
    response = state.responding.live.get(generated.response_id)
    if response is not None:
        response.write(state.out, generated.text)
        report_end(state, response, now)


def take_tool_call(state: SessionState, generated: ToolCallGenerated) -> None:
    response = state.responding.live.get(generated.response_id)
    if response is None:
        return
    target = response.mcp.targets.get(generated.name)
    entry = response.call(state.out, generated.name, generated.arguments)
    if entry is None or response.plan.conversation is None:
        return
    if isinstance(entry.item, FunctionCall):
        state.tools.request(entry.item.call_id)
    elif isinstance(entry.item, McpApprovalRequest) and target is not None:
        state.tools.mcp.ask(AskedCall(entry.item.id, target.server, target.name, generated.arguments))


def take_mcp_result(state: SessionState, result: McpCallReturned | McpCallFailed, now: float) -> None:
    """A tool that the server called has returned, and with the last one of a round the response goes on."""
    for response in list(state.responding.live.values()):
        if result.item_id not in response.mcp.open:
            continue
        if isinstance(result, McpCallReturned):
            response.take_mcp_result(state.out, result.item_id, result.output, None)
        else:
            response.take_mcp_result(state.out, result.item_id, None, result.error)
        continue_response(state, response, now)


def finish_generation(state: SessionState, finished: GenerationFinished, now: float) -> None:
    response = state.responding.live.get(finished.response_id)
    if response is not None:
        counted = TokenCount(
            text_in=finished.input_tokens, cached=finished.cached_tokens, text_out=finished.output_tokens
        )
        response.count_tokens(counted)
        response.finish_generation(state.out, finished.reason)
        continue_response(state, response, now)


def fail_generation(state: SessionState, failed: GenerationFailed | SynthesisFailed, now: float) -> None:
    response = state.responding.live.get(failed.response_id)
    if response is not None:
        fail_response(state, response, failed.fault, now)


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


def finish_speech(state: SessionState, finished: SynthesisFinished, now: float) -> None:
    response = state.responding.live.get(finished.response_id)
    if response is not None:
        response.finish_segment(state.out, finished.segment)
        report_end(state, response, now)
