"""Items by the client's hand: created, retrieved, cut and deleted."""

from collections.abc import Sequence

import msgspec

from vivavoce.core import hearing
from vivavoce.core.context import item_text
from vivavoce.core.conversation import Beside, Entry
from vivavoce.core.input_buffer import samples_in, whole_samples
from vivavoce.core.limits import MAX_RETRIEVED_AUDIO_BYTES, SAMPLES_PER_MS, TRUNCATE_OVERSHOOT_MS
from vivavoce.core.planning import encoding_of
from vivavoce.core.state import SessionState, TranscriptSettled
from vivavoce.core.vocabulary import AbortTranscript
from vivavoce.protocol.client_events import (
    ConversationItemCreate,
    ConversationItemDelete,
    ConversationItemRetrieve,
    ConversationItemTruncate,
)
from vivavoce.protocol.errors import (
    ClientError,
    approval_request_missing,
    audio_already_shorter,
    call_missing,
    duplicate_item,
    invalid_content,
    item_missing_on_delete,
    item_missing_on_retrieve,
    item_missing_on_truncate,
    not_truncatable,
)
from vivavoce.protocol.items import (
    ContentPart,
    FunctionCall,
    FunctionCallOutput,
    InputAudio,
    InputImage,
    Item,
    ItemReference,
    McpApprovalRequest,
    McpApprovalResponse,
    Message,
    OutputAudio,
    OutputText,
)
from vivavoce.protocol.server_events import (
    ConversationItemAdded,
    ConversationItemDeleted,
    ConversationItemDone,
    ConversationItemRetrieved,
    ConversationItemTruncated,
)

ItemEvent = ConversationItemCreate | ConversationItemRetrieve | ConversationItemTruncate | ConversationItemDelete


def handle_item_event(state: SessionState, event: ItemEvent, now: float) -> None:
    """Do what a client wants with an item.

    Raises:
        ClientError: the event cannot be honoured.
    """
    match event:
        case ConversationItemCreate():
            create_item(state, event, now)
        case ConversationItemRetrieve(item_id=item_id):
            retrieve_item(state, item_id)
        case ConversationItemTruncate():
            truncate_item(state, event)
        case ConversationItemDelete(item_id=item_id):
            delete_item(state, item_id)


def create_item(state: SessionState, event: ConversationItemCreate, now: float) -> None:
    """Add the client's item; it never starts a response."""
    entry = _entry(state, event.item)
    item = entry.item
    if state.transcripts.get(item.id) is not None:
        raise duplicate_item(item.id)  # speech that was announced will get this id
    if isinstance(item, FunctionCallOutput) and state.tools.state(item.call_id) is None:
        raise call_missing(item.call_id)
    if isinstance(item, McpApprovalResponse) and not state.tools.mcp.is_asked(item.approval_request_id):
        raise approval_request_missing(item.approval_request_id)
    previous_id = state.conversation.insert(entry, event.previous_item_id)
    if isinstance(item, FunctionCall):
        state.tools.request(item.call_id)
    elif isinstance(item, FunctionCallOutput):
        state.tools.give_back(item.call_id)
    elif isinstance(item, McpApprovalResponse):
        state.tools.mcp.answer(item.approval_request_id, approve=item.approve)
    out = state.out
    out.send(ConversationItemAdded(event_id=out.event_id(), previous_item_id=previous_id, item=item))
    out.send(ConversationItemDone(event_id=out.event_id(), previous_item_id=previous_id, item=item))
    transcribe_input(state, (entry,), now)


def retrieve_item(state: SessionState, item_id: str) -> None:
    """Send an item with its audio, if it is kept and small enough for one message."""
    entry = state.conversation.get(item_id)
    if entry is None:
        raise item_missing_on_retrieve(item_id)
    item = entry.item
    if isinstance(item, Message) and 0 < entry.audio_bytes <= MAX_RETRIEVED_AUDIO_BYTES:
        audio = entry.audio
        content = tuple(_with_audio(part, audio) for part in item.content)
        item = msgspec.structs.replace(item, content=content)
    state.out.send(ConversationItemRetrieved(event_id=state.out.event_id(), item=item))


def truncate_item(state: SessionState, event: ConversationItemTruncate) -> None:
    """Cut an assistant item to what the listener heard; replaces the server's own estimate."""
    entry = state.conversation.get(event.item_id)
    if entry is None:
        raise item_missing_on_truncate(event.item_id)
    _check_truncatable(entry, event)
    heard_samples = min(event.audio_end_ms * SAMPLES_PER_MS, entry.samples)
    if entry.heard_samples is not None and not entry.is_estimate:
        heard_samples = min(heard_samples, entry.heard_samples)
    entry.heard_samples = heard_samples
    entry.is_estimate = False
    if not entry.is_in_progress:
        state.conversation.cut(entry)
    state.out.send(
        ConversationItemTruncated(
            event_id=state.out.event_id(),
            item_id=event.item_id,
            content_index=event.content_index,
            audio_end_ms=event.audio_end_ms,
        )
    )


def delete_item(state: SessionState, item_id: str) -> None:
    """Remove an item; words of it that are still to come are wanted no more."""
    entry = state.conversation.get(item_id)
    if entry is None:
        raise item_missing_on_delete(item_id)
    if entry.is_in_progress:
        raise ClientError(
            "item_delete_invalid_item_id",
            f"Error deleting item: the item with id '{item_id}' is still being generated.",
            "item_id",
        )
    state.conversation.delete(item_id)
    if isinstance(entry.item, FunctionCall):
        state.tools.forget(entry.item.call_id)
    if isinstance(entry.item, McpApprovalRequest):
        state.tools.mcp.forget(item_id)
    if isinstance(entry.item, McpApprovalResponse):
        state.tools.mcp.forget(entry.item.approval_request_id)
    if state.transcripts.drop(item_id):
        state.out.put(AbortTranscript(item_id))
        state.facts.append(TranscriptSettled(item_id, "", None))
    state.out.send(ConversationItemDeleted(event_id=state.out.event_id(), item_id=item_id))


def context_entries(state: SessionState, given: Sequence[Item | ItemReference]) -> tuple[Entry, ...]:
    """Return the context that `response.input` spells out.

    Raises:
        ClientError: `invalid_value` for a reference to an unknown item, and for an output without its call.
    """
    entries = tuple(_context_entry(state, item, f"response.input[{index}]") for index, item in enumerate(given))
    calls = {entry.item.call_id for entry in entries if isinstance(entry.item, FunctionCall)}
    for index, entry in enumerate(entries):
        if isinstance(entry.item, FunctionCallOutput) and entry.item.call_id not in calls:
            explanation = f"the input has no function call with call_id '{entry.item.call_id}'"
            raise invalid_content(f"response.input[{index}].call_id", explanation)
    return entries


def transcribe_input(state: SessionState, entries: Sequence[Entry], now: float) -> None:
    """Find out the words of items that came with audio only."""
    for entry in entries:
        if entry.wants_transcript and entry.pieces and state.transcripts.get(entry.item.id) is None:
            hearing.transcribe_audio(state, entry, now)


def _context_entry(state: SessionState, item: Item | ItemReference, path: str) -> Entry:
    """An item of the client's gets an id of its own: it is not in the conversation, whatever it is called."""
    if not isinstance(item, ItemReference):
        return _entry(state, msgspec.structs.replace(item, id=""))
    entry = state.conversation.get(item.id)
    if entry is None:
        raise invalid_content(f"{path}.id", f"no item with id '{item.id}' exists")
    return entry


def _entry(state: SessionState, item: Item) -> Entry:
    item_id = item.id or state.out.make_id("item")
    item = msgspec.structs.replace(item, id=item_id)
    match item:
        case Message():
            return _message_entry(state, item)
        case FunctionCall(call_id=""):
            return Entry(item=msgspec.structs.replace(item, call_id=state.out.make_id("call")))
        case _:
            return Entry(item=item)


def _message_entry(state: SessionState, message: Message) -> Entry:
    encoding = encoding_of(state.session.audio.input.format)
    parts = [part for part in message.content if isinstance(part, InputAudio) and part.audio]
    audio = b"".join(whole_samples(part.audio, encoding) for part in parts if part.audio)
    stored = msgspec.structs.replace(message, status="completed", content=tuple(map(_stored, message.content)))
    return Entry(
        item=stored,
        text=item_text(stored),
        pieces=(audio,) if audio else (),
        encoding=encoding,
        samples=samples_in(len(audio), encoding),
        wants_transcript=any(part.transcript is None for part in parts),
        beside=Beside() if any(isinstance(part, InputImage) for part in stored.content) else None,
    )


def _stored(part: ContentPart) -> ContentPart:
    """Audio never appears in `added` and `done`; an assistant's words are kept as text."""
    match part:
        case InputAudio(transcript=transcript):
            return InputAudio(transcript=transcript)
        case OutputAudio(transcript=transcript):
            return OutputText(transcript or "")
        case _:
            return part


def _with_audio(part: ContentPart, audio: bytes) -> ContentPart:
    match part:
        case InputAudio(transcript=transcript):
            return InputAudio(audio=audio, transcript=transcript)
        case OutputAudio(transcript=transcript):
            return OutputAudio(audio=audio, transcript=transcript)
        case _:
            return part


def _check_truncatable(entry: Entry, event: ConversationItemTruncate) -> None:
    item = entry.item
    if not isinstance(item, Message) or item.role != "assistant":
        raise not_truncatable(f"the item with id '{event.item_id}' is not an assistant message")
    if not entry.is_spoken:
        raise not_truncatable(f"the item with id '{event.item_id}' has no audio")
    if event.content_index != 0:
        raise invalid_content("content_index", f"expected 0, but got {event.content_index}")
    audio_ms = entry.samples // SAMPLES_PER_MS
    if event.audio_end_ms > audio_ms + TRUNCATE_OVERSHOOT_MS:
        raise audio_already_shorter(audio_ms, event.audio_end_ms)
