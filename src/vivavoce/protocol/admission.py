"""Rules on client events that types cannot express. Each raises the ClientError that names the field."""

from collections.abc import Collection, Sequence
from typing import Any, Final

import msgspec
from msgspec import UnsetType

from vivavoce.protocol.client_events import ClientEvent, ConversationItemCreate, ResponseCreate, SessionUpdate
from vivavoce.protocol.errors import ClientError, invalid_content, invalid_value, missing_parameter
from vivavoce.protocol.extensions import EXTENSION_EVENTS
from vivavoce.protocol.items import (
    ClientItem,
    ContentPart,
    FunctionCall,
    FunctionCallOutput,
    InputAudio,
    InputImage,
    InputText,
    ItemReference,
    McpApprovalRequest,
    McpApprovalResponse,
    McpCall,
    McpListTools,
    OutputAudio,
    OutputText,
    Role,
)
from vivavoce.protocol.locks import check_locks
from vivavoce.protocol.pictures import check_picture
from vivavoce.protocol.responses import ResponseParams
from vivavoce.protocol.session import Modality, SessionPatch, Tracing, VoiceId
from vivavoce.protocol.tools import McpTool, Tool

MAX_INSTRUCTIONS_BYTES: Final = 1024 * 1024  # of UTF-8
MAX_JSON_DEPTH: Final = 64  # of free JSON that is stored and encoded again
MAX_JSON_VALUES: Final = 50_000  # of one such value, counting every member
MAX_METADATA_KEY: Final = 64
MAX_METADATA_VALUE: Final = 512

# Message parts that a client may write, by role; assistant audio is taken as its transcript.
_PARTS_OF_ROLE: Final[dict[Role, tuple[type[ContentPart], ...]]] = {
    "user": (InputText, InputAudio, InputImage),
    "system": (InputText,),
    "assistant": (OutputText, OutputAudio),
}
_PART_NAMES: Final[dict[Role, tuple[str, ...]]] = {
    "user": ("input_text", "input_audio", "input_image"),
    "system": ("input_text",),
    "assistant": ("output_text",),
}


def admit(event: ClientEvent, voices: Collection[str]) -> ClientEvent:
    """Return the event as the session takes it.

    Items become `completed`, and assistant audio with a transcript becomes text.

    Raises:
        ClientError: the event breaks a rule or asks for what this server does not do.
    """
    match event:
        case SessionUpdate(session=session):
            check_session(session, voices)
        case ConversationItemCreate(item=item):
            return msgspec.structs.replace(event, item=_admit_item(item, "item"))
        case ResponseCreate(response=ResponseParams() as params):
            return msgspec.structs.replace(event, response=_admit_response(params, voices))
        case _:
            pass
    return event


def check_session(session: SessionPatch, voices: Collection[str]) -> None:
    """Check the session object of an update.

    Raises:
        ClientError: a field breaks a rule.
    """
    _check_shared(session, "session")
    if isinstance(session.tracing, Tracing) and not isinstance(session.tracing.metadata, UnsetType):
        _check_json(session.tracing.metadata, "session.tracing.metadata")
    if session.audio is not None and session.audio.output is not None:
        _check_voice(session.audio.output.voice, voices, "session.audio.output.voice")
    for index, name in enumerate(session.vivavoce.events or () if session.vivavoce is not None else ()):
        if name not in EXTENSION_EVENTS:
            raise invalid_value(name, EXTENSION_EVENTS, f"session.vivavoce.events[{index}]")
    if session.vivavoce is not None:
        check_locks(session.vivavoce.locked or (), "session.vivavoce.locked")


def _admit_response(params: ResponseParams, voices: Collection[str]) -> ResponseParams:
    _check_shared(params, "response")
    if params.audio is not None and params.audio.output is not None:
        _check_voice(params.audio.output.voice, voices, "response.audio.output.voice")
    for key, value in (params.metadata or {}).items():
        _check_metadata(key, value)
    _check_say(params)
    if params.input is None:
        return params
    admitted = tuple(_admit_input(item, f"response.input[{index}]") for index, item in enumerate(params.input))
    return msgspec.structs.replace(params, input=admitted)


def _check_shared(fields: SessionPatch | ResponseParams, path: str) -> None:
    _check_modalities(fields.output_modalities, f"{path}.output_modalities")
    _check_instructions(fields.instructions, f"{path}.instructions")
    for index, tool in enumerate(fields.tools or ()):
        _check_tool(tool, f"{path}.tools[{index}]")
    _check_labels(fields.tools or (), f"{path}.tools")


def _check_modalities(modalities: tuple[Modality, ...] | None, path: str) -> None:
    if modalities is not None and len(modalities) != 1:
        text = f"Invalid modalities: {list(modalities[:4])}. Supported combinations are: ['text'] and ['audio']."
        raise ClientError("invalid_value", text, path)


def _check_instructions(instructions: str | None, path: str) -> None:
    size = 0 if instructions is None else len(instructions.encode())
    if size > MAX_INSTRUCTIONS_BYTES:
        raise invalid_content(path, f"expected at most {MAX_INSTRUCTIONS_BYTES} bytes of UTF-8, but got {size}")


def _check_tool(tool: Tool, path: str) -> None:
    if isinstance(tool, McpTool):
        _check_mcp_tool(tool, path)
    else:
        _check_json(tool.parameters, f"{path}.parameters")


def _check_mcp_tool(tool: McpTool, path: str) -> None:
    """Connectors and tunnels are services of the hosted platform."""
    for name in ("connector_id", "tunnel_id"):
        if getattr(tool, name):
            raise invalid_content(f"{path}.{name}", "it is not available here, expected a 'server_url'")
    if not tool.server_url:
        raise missing_parameter(f"{path}.server_url")


def _check_labels(tools: Sequence[Tool], path: str) -> None:
    labels = [tool.server_label for tool in tools if isinstance(tool, McpTool)]
    for label in labels:
        if labels.count(label) > 1:
            raise invalid_content(path, f"expected distinct server labels, but got '{label}' twice")


def _check_say(params: ResponseParams) -> None:
    """Words that are spoken exactly as given leave nothing to instruct, to read or to call."""
    if params.vivavoce is None or params.vivavoce.say is None:
        return
    for name in ("instructions", "tools", "tool_choice", "input", "prompt", "max_output_tokens", "reasoning"):
        if getattr(params, name) is not None:
            raise invalid_content(f"response.{name}", "expected null beside 'response.vivavoce.say'")


def _check_voice(voice: str | VoiceId | None, voices: Collection[str], path: str) -> None:
    name = voice.id if isinstance(voice, VoiceId) else voice
    if name is not None and (isinstance(voice, VoiceId) or name not in voices):
        raise invalid_value(name, voices, path)


def _check_metadata(key: str, value: str) -> None:
    if len(key) > MAX_METADATA_KEY:
        raise invalid_content("response.metadata", f"expected keys of at most {MAX_METADATA_KEY} characters")
    if len(value) > MAX_METADATA_VALUE:
        raise invalid_content(f"response.metadata.{key}", f"expected at most {MAX_METADATA_VALUE} characters")


def _admit_input(item: ClientItem | ItemReference, path: str) -> ClientItem | ItemReference:
    return item if isinstance(item, ItemReference) else _admit_item(item, path)


def _admit_item(item: ClientItem, path: str) -> ClientItem:
    if isinstance(item, FunctionCall | FunctionCallOutput):
        return msgspec.structs.replace(item, status="completed")
    if isinstance(item, McpListTools | McpCall | McpApprovalRequest | McpApprovalResponse):
        _check_json(msgspec.to_builtins(item), path)
        return item
    parts = (_admit_part(part, item.role, f"{path}.content[{index}]") for index, part in enumerate(item.content))
    return msgspec.structs.replace(item, status="completed", content=tuple(parts))


def _admit_part(part: ContentPart, role: Role, path: str) -> ContentPart:
    if not isinstance(part, _PARTS_OF_ROLE[role]):
        raise invalid_value(part.__struct_config__.tag, _PART_NAMES[role], f"{path}.type")
    if isinstance(part, InputAudio) and isinstance(part.audio, UnsetType):
        raise missing_parameter(f"{path}.audio")
    if isinstance(part, InputImage):
        check_picture(part.image_url, f"{path}.image_url")
    if not isinstance(part, OutputAudio):
        return part
    if part.transcript is None:  # "cannot populate assistant audio messages", says the reference
        raise missing_parameter(f"{path}.transcript")
    return OutputText(part.transcript)


# Any: free JSON of the client's.
def _check_json(value: Any, path: str) -> None:
    level, count = [value], 0
    for _ in range(MAX_JSON_DEPTH):
        count += sum(len(_members(container)) for container in level)
        if count > MAX_JSON_VALUES:
            raise invalid_content(path, f"expected at most {MAX_JSON_VALUES} values")
        level = [member for container in level for member in _members(container)]
        if not level:
            return
    raise invalid_content(path, f"expected at most {MAX_JSON_DEPTH} levels of nesting")


def _members(container: Any) -> Collection[Any]:
    if isinstance(container, dict):
        return container.values()
    return container if isinstance(container, list) else ()
