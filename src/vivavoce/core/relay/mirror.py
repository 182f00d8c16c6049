"""The conversation as the upstream has told it: what a fresh upstream is given, and what old items are answered from.

It holds no audio but that of user items whose words are not known, and of that only the most recent.
"""

from collections.abc import Iterator
from typing import Final

import msgspec

from vivavoce.core.relay.vocabulary import Body, Json

MAX_ITEMS: Final = 10_000
MAX_KEPT_AUDIO_BYTES: Final = 4 * 1024 * 1024  # base64 characters, of all items of a session
_MAX_PARTS: Final = 64


class MirrorItem(msgspec.Struct):
    """One item. `link` is the link on which it came about: there the upstream has its audio."""

    id: str
    body: Body
    link: int
    is_hidden: bool = False  # the client knows nothing of it
    is_open: bool = False  # it is added and not done
    audio_bytes: int = 0  # of the assistant, decoded
    audio: list[str] = []  # of the user, base64, as long as the words are not known
    version: int = 0  # changes with everything that a fresh upstream would be told differently

    @property
    def role(self) -> str:
        """Return who speaks: the role of a message, else empty."""
        role = self.body.get("role")
        return role if isinstance(role, str) else ""

    def parts(self) -> list[Body]:
        """Return its content parts."""
        content = self.body.get("content")
        return [part for part in content if isinstance(part, dict)] if isinstance(content, list) else []

    def part(self, index: Json) -> Body | None:
        """Return a content part, None if there is no such."""
        return _part_of(self.body, index)


class Mirror:
    """The items of the default conversation, in their order."""

    __slots__ = ("_items", "_kept_audio_bytes", "_order", "_with_audio")

    def __init__(self) -> None:
        self._items: dict[str, MirrorItem] = {}
        self._order: list[str] = []
        self._with_audio: dict[str, MirrorItem] = {}
        self._kept_audio_bytes = 0

    def __iter__(self) -> Iterator[MirrorItem]:
        return (self._items[id_] for id_ in self._order)

    def __len__(self) -> int:
        return len(self._order)

    @property
    def kept_audio_bytes(self) -> int:
        """Return how much audio is kept, in characters of base64."""
        return self._kept_audio_bytes

    def get(self, item_id: Json) -> MirrorItem | None:
        """Return an item by its id, None if there is no such."""
        return self._items.get(item_id) if isinstance(item_id, str) else None

    def at(self, index: int) -> MirrorItem:
        return self._items[self._order[index]]

    def index(self, item_id: Json) -> int | None:
        """Return where an item stands, None if there is no such."""
        if not isinstance(item_id, str) or item_id not in self._items:
            return None
        last = len(self._order) - 1
        return last if self._order[last] == item_id else self._order.index(item_id)

    def visible_before(self, index: int) -> str | None:
        """Return the last item before an index that the client sees, None if there is none."""
        while index > 0:
            index -= 1
            if not self.at(index).is_hidden:
                return self._order[index]
        return None

    def add(self, item: MirrorItem, index: int | None = None) -> None:
        """Put an item at an index, or last. The oldest goes when there are too many."""
        self.remove(item.id)
        self._items[item.id] = item
        self._order.insert(len(self._order) if index is None else index, item.id)
        if len(self._order) > MAX_ITEMS:
            self.remove(self._order[0])

    def change(self, item: MirrorItem, body: Body) -> None:
        """Take a later state of an item; words that only we know stay."""
        known, item.body = item.body, body
        for index, part in enumerate(item.parts()):
            before = _part_of(known, index)
            if before is not None and part.get("transcript") is None and before.get("transcript"):
                part["transcript"] = before["transcript"]
        item.version += 1

    def remove(self, item_id: Json) -> None:
        item = self.get(item_id)
        if item is not None:
            self._drop_audio(item)
            del self._items[item.id]
            self._order.remove(item.id)

    def keep_audio(self, item: MirrorItem, audio: list[str]) -> None:
        """Keep the audio of a user item until its words are known; the oldest goes when it is too much."""
        item.audio = audio
        self._with_audio[item.id] = item
        self._kept_audio_bytes += sum(map(len, audio))
        while self._kept_audio_bytes > MAX_KEPT_AUDIO_BYTES:
            self._drop_audio(next(iter(self._with_audio.values())))

    def transcribe(self, item: MirrorItem, index: Json, transcript: Json) -> None:
        """Take the words of a user item."""
        part = item.part(index)
        if part is not None and isinstance(transcript, str):
            part["transcript"] = transcript
            item.version += 1
            self._drop_audio(item)

    def hear(self, item_id: str, size_bytes: int) -> None:
        """Count audio of the assistant."""
        item = self._items.get(item_id)
        if item is not None:
            item.audio_bytes += size_bytes

    def write(self, item: MirrorItem, index: Json, name: str, text: Json) -> None:
        """Add to the `text` or `transcript` of a part that is being written; the part is made if there is none yet."""
        if not isinstance(text, str) or not isinstance(index, int):
            return
        content = item.body.get("content")
        if not isinstance(content, list):
            content = item.body["content"] = []
        kind = "output_text" if name == "text" else "output_audio"
        while 0 <= index and len(content) <= index < _MAX_PARTS:
            content.append({"type": kind})
        part = item.part(index)
        if part is not None:
            known = part.get(name)
            part[name] = (known if isinstance(known, str) else "") + text

    def _drop_audio(self, item: MirrorItem) -> None:
        if self._with_audio.pop(item.id, None) is not None:
            self._kept_audio_bytes -= sum(map(len, item.audio))
            item.audio = []


def _part_of(body: Body, index: Json) -> Body | None:
    content = body.get("content")
    if not isinstance(content, list) or not isinstance(index, int) or not 0 <= index < len(content):
        return None
    part = content[index]
    return part if isinstance(part, dict) else None


def cut_words(text: str, share: float) -> str:
    """Return about so much of a text, up to the end of a word; `share` in [0, 1]."""
    if share >= 1:
        return text
    kept = text[: round(len(text) * max(0.0, share))]
    if not kept or text[len(kept) : len(kept) + 1].isspace():
        return kept.rstrip()
    return kept.rpartition(" ")[0].rstrip()
