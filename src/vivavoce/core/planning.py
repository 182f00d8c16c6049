"""Turns the session's configuration and a client's overrides into the plan of a response."""

from collections.abc import Sequence
from typing import Final

from vivavoce.core.conversation import Entry
from vivavoce.core.requests import AudioEncoding, FunctionSpec
from vivavoce.core.response import ResponsePlan
from vivavoce.core.state import SessionState
from vivavoce.protocol.errors import invalid_content, invalid_value, voice_locked
from vivavoce.protocol.responses import ResponseAudio, ResponseAudioOutput, ResponseParams
from vivavoce.protocol.session import (
    AudioFormat,
    PcmaFormat,
    PcmFormat,
    PcmuFormat,
)
from vivavoce.protocol.tools import FunctionTool, Tool, ToolChoice, ToolChoiceFunction

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
        ClientError: `cannot_update_voice` once the session has spoken with another voice.
    """
    session, params = state.session, params or _NO_PARAMS
    audio_format = params.format or session.audio.output.format
    voice = params.voice or session.audio.output.voice
    check_voice(state, voice)
    tokens = params.max_output_tokens or session.max_output_tokens
    tools = session.tools if params.tools is None else params.tools
    choice = params.tool_choice or session.tool_choice
    check_choice(tools, choice, "response.tool_choice")
    return ResponsePlan(
        is_audio="audio" in (params.output_modalities or session.output_modalities),
        instructions=session.instructions if params.instructions is None else params.instructions,
        tools=_function_specs(tools),
        tool_choice=_choice(choice),
        max_output_tokens=tokens if isinstance(tokens, int) else None,
        voice=voice,
        speed=session.audio.output.speed,
        encoding=encoding_of(audio_format),
        audio=ResponseAudio(output=ResponseAudioOutput(format=audio_format, voice=voice)),
        conversation=None if params.conversation == "none" else state.conversation,
        context=tuple(context),
        metadata=params.metadata,
        answers_item_id=answers_item_id,
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
    if isinstance(choice, ToolChoiceFunction) and choice.name not in names:
        raise invalid_value(choice.name, names, f"{param}.name")
    if choice == "required" and not names:
        raise invalid_content(param, "'required' needs at least one tool, but there is none")


def _function_specs(tools: Sequence[Tool]) -> tuple[FunctionSpec, ...]:
    return tuple(
        FunctionSpec(tool.name, tool.description if isinstance(tool.description, str) else "", tool.parameters)
        for tool in tools
        if isinstance(tool, FunctionTool)
    )


def _choice(choice: ToolChoice) -> str:
    if isinstance(choice, ToolChoiceFunction):
        return f"function:{choice.name}"
    return choice if isinstance(choice, str) else "auto"
