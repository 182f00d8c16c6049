"""The conversation as the upstream has told it: what a fresh upstream is given, and what old items are answered from.

It holds no audio but that of user items whose words are not known, and of that only the most recent.
"""

from collections import deque
from collections.abc import Iterator
from typing import Final

import msgspec

from vivavoce.core.relay.vocabulary import Body, Json

MAX_ITEMS: Final = 10_000
MAX_KEPT_AUDIO_BYTES: Final = 4 * 1024 * 1024  # base64 characters, of all items of a session


class MirrorItem(msgspec.Struct):
    """One item. `link` is the link on which it came about: there the upstream has its audio."""

    id: str
    body: Body
    link: int
    is_hidden: bool = False  # the client knows nothing of it
    audio_bytes: int = 0  # of the assistant, decoded
    is_cut: bool = False  # its audio was truncated
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
        content = self.body.get("content")
        if not isinstance(content, list) or not isinstance(index, int) or not 0 <= index < len(content):
            return None
        part = content[index]
        return part if isinstance(part, dict) else None


class Mirror:
    """The items of the default conversation, in their order."""

    def __init__(self) -> None:
        self._items: dict[str, MirrorItem] = {}
        self._order: list[str] = []
        self._with_audio: deque[MirrorItem] = deque()
        self._kept_audio_bytes = 0
        self.forgotten = 0  # items that fell out, being the oldest of too many

    def __iter__(self) -> Iterator[MirrorItem]:
        return (self._items[id_] for id_ in self._order)

    def __len__(self) -> int:
        return len(self._order)

    def get(self, item_id: Json) -> MirrorItem | None:
        """Return an item by its id, None if there is no such."""
        return self._items.get(item_id) if isinstance(item_id, str) else None

    def add(self, item: MirrorItem, previous_id: Json) -> None:
        """Put an item behind another; behind the last where that is not known, first for "root"."""
        if item.id in self._items:
            self.change(self._items[item.id], item.body)
            return
        self._items[item.id] = item
        if previous_id == "root":
            self._order.insert(0, item.id)
        elif isinstance(previous_id, str) and previous_id in self._items and previous_id != self.last_id():
            self._order.insert(self._order.index(previous_id) + 1, item.id)
        else:
            self._order.append(item.id)
        if len(self._order) > MAX_ITEMS:
            self.forgotten += 1
            del self._items[self._order.pop(0)]

    def change(self, item: MirrorItem, body: Body) -> None:
        """Take a later state of an item; words that only we know stay."""
        known = item.body
        item.body = body
        for index, part in enumerate(item.parts()):
            before = _part_of(known, index)
            if before is not None and part.get("transcript") is None and before.get("transcript"):
                part["transcript"] = before["transcript"]
        item.version += 1

    def remove(self, item_id: Json) -> None:
        if isinstance(item_id, str) and self._items.pop(item_id, None) is not None:
            self._order.remove(item_id)

    def last_id(self) -> str | None:
        """Return the id of the last item."""
        return self._order[-1] if self._order else None

    def before(self, item_id: str, *, is_visible: bool = False) -> str | None:
        """Return the id of the item before another, of those that the client sees if asked; None if it is the first."""
        index = self._order.index(item_id) if item_id in self._items else len(self._order)
        for id_ in reversed(self._order[:index]):
            if not (is_visible and self._items[id_].is_hidden):
                return id_
        return None

    def keep_audio(self, item: MirrorItem, audio: list[str]) -> None:
        """Keep the audio of a user item until its words are known; the oldest goes when it is too much."""
        item.audio = audio
        self._with_audio.append(item)
        self._kept_audio_bytes += sum(map(len, audio))
        while self._kept_audio_bytes > MAX_KEPT_AUDIO_BYTES:
            self._drop_audio(self._with_audio.popleft())

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
        content = item.body.setdefault("content", [])
        kind = "output_text" if name == "text" else "output_audio"
        while isinstance(content, list) and 0 <= index and len(content) <= index < 64:
            content.append({"type": kind})
        part = item.part(index)
        if part is not None:
            part[name] = (part.get(name) or "") + text

    def _drop_audio(self, item: MirrorItem) -> None:
        self._kept_audio_bytes -= sum(map(len, item.audio))
        item.audio = []
        if not self._kept_audio_bytes:
            self._with_audio.clear()


def _part_of(body: Body, index: int) -> Body | None:
    content = body.get("content")
    if not isinstance(content, list) or index >= len(content):
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
