"""The conversation: its items in order, with what the wire does not carry (audio, words, what was heard).

Items are the frozen wire structs; an entry replaces its item when something about it becomes known.
"""

from collections import deque
from collections.abc import Iterator

import msgspec

from vivavoce.core.heard import SpokenSegment, heard_text
from vivavoce.core.input_buffer import bytes_in
from vivavoce.core.limits import MAX_ITEM_AUDIO_BYTES, MAX_ITEM_CHARACTERS, MAX_ITEMS
from vivavoce.core.requests import AudioEncoding, ContextItem
from vivavoce.protocol.errors import ClientError, duplicate_item, previous_item_missing
from vivavoce.protocol.items import (
    ContentPart,
    FunctionCall,
    FunctionCallOutput,
    InputImage,
    InputText,
    Item,
    McpApprovalRequest,
    McpCall,
    McpListTools,
    Message,
    OutputAudio,
    OutputText,
)

ROOT = "root"  # as `previous_item_id`: before all other items


class Beside(msgspec.Struct, frozen=True):
    """Marks an item that says more to a generator than its text: images, or calls of the server's own functions."""

    before: tuple[ContextItem, ...] = ()
    after: tuple[ContextItem, ...] = ()


class Entry(msgspec.Struct):
    """An item and its side data.

    `text` is what a generator reads: the transcript of user audio or all text of an assistant message.
    `heard_samples` is None while the whole audio counts as heard; `is_estimate` tells the server's own estimate
    from a client's truncation.
    """

    item: Item
    text: str = ""
    pieces: tuple[bytes, ...] = ()  # of its audio, in the encoding; joined only when the audio is asked for
    encoding: AudioEncoding = AudioEncoding.PCM
    samples: int = 0  # of audio that was committed or sent, on the 24 kHz clock
    segments: list[SpokenSegment] = []
    heard_samples: int | None = None
    is_estimate: bool = False
    is_in_progress: bool = False
    is_spoken: bool = False  # an assistant message that is given as audio
    wants_transcript: bool = False  # the client's audio came without words
    beside: Beside | None = None  # where there is more for the generator than text

    @property
    def audio_bytes(self) -> int:
        """How many bytes of audio are kept."""
        return sum(map(len, self.pieces))

    @property
    def audio(self) -> bytes:
        """The audio that is kept."""
        return b"".join(self.pieces)

    def heard_text(self) -> str:
        """Return what the listener heard of an assistant message."""
        if self.heard_samples is None or not self.segments:
            return self.text
        return heard_text(self.segments, self.heard_samples)


class Conversation:
    """Items in order. Ids are unique; `conv_...` names the conversation itself."""

    def __init__(self, conversation_id: str) -> None:
        self.id = conversation_id
        self._order: list[str] = []
        self._entries: dict[str, Entry] = {}
        self.dropped: set[str] = set()  # items too old for the model's input
        self._written: dict[str, int] = {}  # characters of the client's items
        self._written_characters = 0
        self._audio_bytes = 0
        self._audio_ids: deque[str] = deque()  # of entries that were given audio, oldest first

    def __len__(self) -> int:
        return len(self._order)

    def __iter__(self) -> Iterator[Entry]:
        return map(self._entries.__getitem__, self._order)

    @property
    def last_id(self) -> str | None:
        return self._order[-1] if self._order else None

    def ids(self) -> tuple[str, ...]:
        return tuple(self._order)

    def get(self, item_id: str) -> Entry | None:
        return self._entries.get(item_id)

    def previous_id(self, item_id: str) -> str | None:
        """Return the id of the item before; None for the first and for an item that is gone."""
        if item_id not in self._entries:
            return None
        index = self._position(item_id)
        return self._order[index - 1] if index else None

    def append(self, entry: Entry) -> str | None:
        """Add an item at the end and return its predecessor's id."""
        assert entry.item.id not in self._entries, "ids are unique"
        previous_id = self.last_id
        self._order.append(entry.item.id)
        self._entries[entry.item.id] = entry
        self._audio_bytes += entry.audio_bytes
        self._note_audio(entry)
        return previous_id

    def insert(self, entry: Entry, previous_item_id: str | None) -> str | None:
        """Add a client's item after another one and return its predecessor's id.

        Raises:
            ClientError: duplicate id, unknown predecessor, too many items or too much in them.
        """
        size = item_characters(entry.item)
        self._check_room(entry.item.id, size)
        index = len(self._order) if previous_item_id is None else self._index_after(previous_item_id)
        self._written[entry.item.id] = size
        self._written_characters += size
        self.append(entry)
        self._order.insert(index, self._order.pop())
        return self._order[index - 1] if index else None

    def delete(self, item_id: str) -> Entry:
        """Remove an item and return its entry."""
        entry = self._entries.pop(item_id)
        self._order.remove(item_id)
        self.dropped.discard(item_id)
        self._written_characters -= self._written.pop(item_id, 0)
        self._audio_bytes -= entry.audio_bytes
        return entry

    def keep_audio(self, entry: Entry, *pieces: bytes) -> None:
        """Give an entry its audio; above the bound the oldest items lose theirs."""
        self._audio_bytes -= entry.audio_bytes
        entry.pieces = pieces
        self._audio_bytes += entry.audio_bytes
        self._note_audio(entry)

    def cut(self, entry: Entry) -> None:
        """Drop the audio after the cut and the transcript, which speaks of more than was heard."""
        assert entry.heard_samples is not None, "the cut is known"
        assert isinstance(entry.item, Message), "only messages are cut"
        self.keep_audio(entry, entry.audio[: bytes_in(entry.heard_samples, entry.encoding)])
        entry.item = msgspec.structs.replace(entry.item, content=(OutputAudio(transcript=None),))

    def _position(self, item_id: str) -> int:
        return next(index for index in range(len(self._order) - 1, -1, -1) if self._order[index] == item_id)

    def _note_audio(self, entry: Entry) -> None:
        if entry.pieces:
            self._audio_ids.append(entry.item.id)
        while self._audio_bytes > MAX_ITEM_AUDIO_BYTES:
            oldest = self._entries.get(self._audio_ids.popleft())
            if oldest is not None:
                self._audio_bytes -= oldest.audio_bytes
                oldest.pieces = ()

    def _check_room(self, item_id: str, size: int) -> None:
        if item_id in self._entries:
            raise duplicate_item(item_id)
        if len(self._order) >= MAX_ITEMS:
            raise ClientError(
                "invalid_value", f"Error adding item: a conversation holds at most {MAX_ITEMS} items.", "item"
            )
        if self._written_characters + size > MAX_ITEM_CHARACTERS:
            text = f"Error adding item: a conversation holds at most {MAX_ITEM_CHARACTERS} characters of the client's."
            raise ClientError("invalid_value", text, "item")

    def _index_after(self, previous_item_id: str) -> int:
        if previous_item_id == ROOT:
            return 0
        if previous_item_id not in self._entries:
            raise previous_item_missing(previous_item_id)
        return self._position(previous_item_id) + 1


def item_characters(item: Item) -> int:
    """Return the characters that an item holds in its longest fields: words, pictures, arguments, outputs, schemas."""
    match item:
        case Message(content=content):
            return sum(map(_part_characters, content))
        case FunctionCall(arguments=arguments) | McpApprovalRequest(arguments=arguments):
            return len(arguments)
        case FunctionCallOutput(output=output):
            return len(output)
        case McpCall(arguments=arguments, output=output):
            return len(arguments) + len(output or "")
        case McpListTools(tools=tools):
            return len(msgspec.json.encode(tools))
        case _:
            return 0


def _part_characters(part: ContentPart) -> int:
    match part:
        case InputText(text=text) | OutputText(text=text):
            return len(text)
        case InputImage(image_url=image_url):
            return len(image_url)
        case _:
            return len(part.transcript or "")
