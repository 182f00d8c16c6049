"""Builds what a generator reads from conversation items, and counts what it costs."""

from collections.abc import Iterable, Iterator

from vivavoce.core.conversation import Entry
from vivavoce.core.limits import CHARACTERS_PER_TOKEN, MS_PER_INPUT_AUDIO_TOKEN, SAMPLES_PER_MS
from vivavoce.core.requests import ContextItem, ContextMessage, ContextToolCall, ContextToolOutput
from vivavoce.protocol.items import (
    FunctionCall,
    FunctionCallOutput,
    InputAudio,
    InputText,
    Item,
    Message,
    OutputAudio,
    OutputText,
)


def context_items(entries: Iterable[Entry]) -> tuple[ContextItem, ...]:
    """Return the items as a generator reads them: each call with an output, each output with a call.

    Open calls get a placeholder; the output of a call that was deleted is left out.
    """
    items = [item for entry in entries for item in _context_item(entry)]
    called = {item.call_id for item in items if isinstance(item, ContextToolCall)}
    items = [item for item in items if not isinstance(item, ContextToolOutput) or item.call_id in called]
    answered = {item.call_id for item in items if isinstance(item, ContextToolOutput)}
    return tuple(_with_placeholders(items, answered))


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
    samples = sum(entry.samples for entry in entries if isinstance(entry.item, Message) and entry.item.role == "user")
    return -(-samples // (SAMPLES_PER_MS * MS_PER_INPUT_AUDIO_TOKEN))


def context_characters(items: Iterable[ContextItem]) -> int:
    """Return the characters a context holds."""
    total = 0
    for item in items:
        match item:
            case ContextMessage():
                total += len(item.text)
            case ContextToolCall():
                total += len(item.name) + len(item.arguments)
            case ContextToolOutput():
                total += len(item.output or "")
    return total


def _context_item(entry: Entry) -> Iterator[ContextItem]:
    match entry.item:
        case Message(role="assistant"):
            text = entry.heard_text()
            yield ContextMessage("assistant", text, is_cut=entry.heard_samples is not None)
        case Message(role=role):
            yield ContextMessage(role, entry.text)
        case FunctionCall() as call:
            yield ContextToolCall(call.call_id, call.name, call.arguments)
        case FunctionCallOutput() as output:
            yield ContextToolOutput(output.call_id, output.output)
        case _:
            pass


def _with_placeholders(items: list[ContextItem], answered: set[str]) -> Iterator[ContextItem]:
    for item in items:
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
