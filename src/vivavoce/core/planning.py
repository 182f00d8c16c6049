"""Turns the session's configuration and a client's overrides into the plan of a response."""

from collections.abc import Sequence
from typing import Final

from vivavoce.core.conversation import Entry
from vivavoce.core.mcp import Listing, allowed
from vivavoce.core.prompts import resolve
from vivavoce.core.requests import AudioEncoding
from vivavoce.core.response import ResponsePlan
from vivavoce.core.state import SessionState
from vivavoce.protocol.errors import bad_response, invalid_content, invalid_value, voice_locked
from vivavoce.protocol.responses import ResponseAudio, ResponseAudioOutput, ResponseParams
from vivavoce.protocol.session import (
    AudioFormat,
    PcmaFormat,
    PcmFormat,
    PcmuFormat,
    RealtimeSession,
)
from vivavoce.protocol.tools import FunctionTool, McpTool, Tool, ToolChoice, ToolChoiceFunction, ToolChoiceMcp

_NO_PARAMS: Final = ResponseParams()
_ENCODINGS: Final = {
    PcmFormat: AudioEncoding.PCM,
    PcmuFormat: AudioEncoding.PCMU,
    PcmaFormat: AudioEncoding.PCMA,
}


def encoding_of(audio_format: AudioFormat) -> AudioEncoding:
    """Return the wire encoding that a format object names."""
    return _ENCODINGS[type(audio_format)]


def plan_response(
    state: SessionState,
    params: ResponseParams | None,
    context: Sequence[Entry],
    answers_item_id: str | None = None,
) -> ResponsePlan:
    """Return the plan of a response: what the client overrides, else what the session says.

    Raises:
        ClientError: `cannot_update_voice` once the session has spoken with another voice; a choice that no tool can
            meet; a prompt that is not stored.
    """
    session, params = state.session, params or _NO_PARAMS
    audio_format = params.format or session.audio.output.format
    voice = params.voice or session.audio.output.voice
    check_voice(state, voice)
    tokens = params.max_output_tokens or session.max_output_tokens
    tools = session.tools if params.tools is None else params.tools
    choice = params.tool_choice or session.tool_choice
    check_choice(tools, choice, "response.tool_choice")
    say = None if params.vivavoce is None else params.vivavoce.say
    return ResponsePlan(
        is_audio="audio" in (params.output_modalities or session.output_modalities),
        instructions=_instructions(state, params),
        tools=tools,
        tool_choice=choice,
        max_output_tokens=tokens if isinstance(tokens, int) else None,
        speed=session.audio.output.speed,
        encoding=encoding_of(audio_format),
        audio=ResponseAudio(output=ResponseAudioOutput(format=audio_format, voice=voice)),
        conversation=None if params.conversation == "none" else state.conversation,
        context=() if say is not None else tuple(context),
        metadata=params.metadata,
        answers_item_id=answers_item_id,
        has_own_input=params.input is not None,
        say=say,
    )


def check_voice(state: SessionState, voice: str) -> None:
    """Refuse another voice once the session has produced audio.

    Raises:
        ClientError: `cannot_update_voice`.
    """
    if state.responding.has_spoken and voice != state.session.audio.output.voice:
        raise voice_locked()


def check_choice(tools: Sequence[Tool], choice: ToolChoice, param: str) -> None:
    """Refuse a choice that no tool can meet.

    Raises:
        ClientError: `invalid_value`, naming the tools there are.
    """
    names = [tool.name for tool in tools if isinstance(tool, FunctionTool)]
    labels = [tool.server_label for tool in tools if isinstance(tool, McpTool)]
    if isinstance(choice, ToolChoiceFunction) and choice.name not in names:
        raise invalid_value(choice.name, names, f"{param}.name")
    if isinstance(choice, ToolChoiceMcp) and choice.server_label not in labels:
        raise invalid_value(choice.server_label, labels, f"{param}.server_label")
    if choice == "required" and not tools:
        raise invalid_content(param, "'required' needs at least one tool, but there is none")


def check_forced_server(state: SessionState, tools: Sequence[Tool], choice: ToolChoice) -> None:
    """Refuse a choice of an MCP server whose tools are not known.

    Raises:
        ClientError: `bad_response_create` while they are being listed or if they could not be listed;
            `invalid_value` for a tool that the server does not have.
    """
    if not isinstance(choice, ToolChoiceMcp):
        return
    label, param = choice.server_label, "response.tool_choice"
    tool = next(tool for tool in tools if isinstance(tool, McpTool) and tool.server_label == label)
    imported = state.tools.mcp.named_by(tool)
    if imported is None or imported.state is not Listing.LISTED:
        is_failed = imported is not None and imported.state is Listing.FAILED
        what = "could not be listed" if is_failed else "are still being listed"
        raise bad_response(f"The tools of the MCP server '{label}' {what}.", f"{param}.server_label")
    names = [listed.name for listed in allowed(tool, imported.tools)]
    if isinstance(choice.name, str) and choice.name not in names:
        raise invalid_value(choice.name, names, f"{param}.name")
    if not names:
        raise bad_response(f"The MCP server '{label}' offers no tool that may be used.", f"{param}.server_label")


def check_prompt(state: SessionState, session: RealtimeSession) -> None:
    """Refuse a prompt that is not stored, or whose variables do not fit.

    Raises:
        ClientError: as `prompts.resolve`.
    """
    if session.prompt is not None:
        resolve(state.profile.policy.prompts, session.prompt, "session.prompt")


def _instructions(state: SessionState, params: ResponseParams) -> str:
    """The nearest word counts: the response's over the session's, and within each instructions over a prompt."""
    prompts, session = state.profile.policy.prompts, state.session
    if params.instructions is not None:
        return params.instructions
    if params.prompt is not None:
        return resolve(prompts, params.prompt, "response.prompt")
    if session.prompt is not None and session.instructions in ("", state.profile.instructions):
        return resolve(prompts, session.prompt, "session.prompt")
    return session.instructions
