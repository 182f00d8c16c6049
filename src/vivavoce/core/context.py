"""Builds what a generator reads from conversation items, and counts what it costs."""

from collections.abc import Iterable, Iterator
from typing import Final

from vivavoce.core.conversation import Beside, Entry
from vivavoce.core.limits import CHARACTERS_PER_TOKEN, MS_PER_INPUT_AUDIO_TOKEN, SAMPLES_PER_MS
from vivavoce.core.requests import ContextImage, ContextItem, ContextMessage, ContextToolCall, ContextToolOutput
from vivavoce.protocol.items import (
    FunctionCall,
    FunctionCallOutput,
    InputAudio,
    InputImage,
    InputText,
    Item,
    McpApprovalRequest,
    McpApprovalResponse,
    McpCall,
    Message,
    OutputAudio,
    OutputText,
)

_NOTHING: Final = Beside()
_MCP_ITEMS: Final = frozenset({McpCall, McpApprovalRequest})


def context_items(entries: Iterable[Entry]) -> tuple[ContextItem, ...]:
    """Return the items as a generator reads them: each call with an output, each output with a call.

    Open calls get a placeholder; the output of a call that was deleted is left out. A request to call an
    MCP tool stands for its call until the client has approved it; then the call stands for itself.
    """
    entries = tuple(entries)
    items = [item for entry in entries if (item := _context_item(entry)) is not None]
    if any([type(entry.item) in _MCP_ITEMS or entry.beside is not None for entry in entries]):
        items = _with_mcp(entries)
    outputs = [item for item in items if type(item) is ContextToolOutput]
    calls = [item for item in items if type(item) is ContextToolCall]
    if not outputs and not calls:
        return tuple(items)
    called = {call.call_id for call in calls}
    answered = {output.call_id for output in outputs}
    return tuple(_paired(items, called, answered))


def item_text(item: Item) -> str:
    """Return the words an item carries when it enters the conversation."""
    if not isinstance(item, Message):
        return ""
    return " ".join(text for part in item.content if (text := _part_text(part)))


def text_tokens(characters: int) -> int:
    """Return an estimate of the text tokens in that many characters."""
    return -(-characters // CHARACTERS_PER_TOKEN)


def audio_tokens(entries: Iterable[Entry]) -> int:
    """Return the audio tokens of the user audio in a context, at the hosted rate of one per 100 ms."""
    samples = sum([entry.samples for entry in entries if not entry.is_spoken])
    return -(-samples // (SAMPLES_PER_MS * MS_PER_INPUT_AUDIO_TOKEN))


def context_characters(items: Iterable[ContextItem]) -> int:
    """Return the characters a context holds."""
    return sum([_characters(item) for item in items])


def _characters(item: ContextItem) -> int:
    if type(item) is ContextMessage:
        return len(item.text)
    if isinstance(item, ContextToolCall):
        return len(item.name) + len(item.arguments)
    return len(item.output or "") if isinstance(item, ContextToolOutput) else 0


def _context_item(entry: Entry) -> ContextItem | None:
    item = entry.item
    if type(item) is Message:  # a conversation may have thousands: this is the fast way to ask
        if item.role == "assistant":
            return ContextMessage("assistant", entry.heard_text(), entry.heard_samples is not None)
        return ContextMessage(item.role, entry.text, images=_images(item) if entry.beside is not None else ())
    if isinstance(item, FunctionCall):
        return ContextToolCall(item.call_id, item.name, item.arguments)
    if isinstance(item, FunctionCallOutput):
        return ContextToolOutput(item.call_id, item.output)
    return None


def _with_mcp(entries: tuple[Entry, ...]) -> list[ContextItem]:
    """Return the items of a context in which the server has called tools or functions itself, or has asked to."""
    found = [entry.item for entry in entries]
    answers = {item.approval_request_id: item for item in found if isinstance(item, McpApprovalResponse)}
    approved = {request_id for request_id, answer in answers.items() if answer.approve}
    items: list[ContextItem] = []
    for entry in entries:
        beside = entry.beside or _NOTHING
        items += beside.before
        match entry.item:
            case McpCall() as call:
                items += [ContextToolCall(call.id, call.name, call.arguments), _mcp_output(call)]
            case McpApprovalRequest() as asked if asked.id not in approved:
                output = ContextToolOutput(asked.id, _refusal(answers.get(asked.id)))
                items += [ContextToolCall(asked.id, asked.name, asked.arguments), output]
            case _:
                other = _context_item(entry)
                items += [other] if other is not None else []
        items += beside.after
    return items


def _mcp_output(call: McpCall) -> ContextToolOutput:
    if call.error is not None:
        return ContextToolOutput(call.id, f"The tool failed: {call.error.message}")
    return ContextToolOutput(call.id, call.output)


def _refusal(answer: McpApprovalResponse | None) -> str | None:
    """Return what stands for a refused call; None while the client has not answered."""
    if answer is None:
        return None
    return f"The user did not approve this call. {answer.reason or ''}".rstrip()


def _images(message: Message) -> tuple[ContextImage, ...]:
    return tuple(ContextImage(part.image_url, part.detail) for part in message.content if isinstance(part, InputImage))


def _paired(items: list[ContextItem], called: set[str], answered: set[str]) -> Iterator[ContextItem]:
    for item in items:
        if isinstance(item, ContextToolOutput) and item.call_id not in called:
            continue
        yield item
        if isinstance(item, ContextToolCall) and item.call_id not in answered:
            yield ContextToolOutput(item.call_id, None)


def _part_text(part: object) -> str:
    match part:
        case InputText(text=text) | OutputText(text=text):
            return text
        case InputAudio(transcript=transcript) | OutputAudio(transcript=transcript):
            return transcript or ""
        case _:
            return ""
