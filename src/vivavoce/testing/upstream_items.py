"""The conversation of a scripted upstream: what its model would see."""

import copy
from typing import Final

from vivavoce.testing.upstream_objects import error_event
from vivavoce.testing.upstream_replies import Json

BYTES_PER_MS: Final = 48


class Refused(Exception):
    """A client's mistake; `answer` is the `error` event."""

    def __init__(self, code: str | None, message: str, param: str | None = None) -> None:
        super().__init__(message)
        self.answer = error_event(code, message, param)


class Items:
    """Items in order, with the sound of those that have any. Returned items are copies."""

    def __init__(self) -> None:
        self._items: list[Json] = []
        self._sound: dict[str, bytes] = {}

    @property
    def all(self) -> list[Json]:
        """The items in order, as the model sees them."""
        return copy.deepcopy(self._items)

    @property
    def last_id(self) -> str | None:
        return self._items[-1]["id"] if self._items else None

    def add(self, item: Json, after: str | None = None, sound: bytes | None = None) -> str | None:
        """Add an item at the end, or after another (`root`: at the start); return the id of its predecessor.

        Raises:
            Refused: its id is there already, or its predecessor is not.
        """
        if self._index(item["id"]) is not None:
            message = f"Error adding item: an item with id '{item['id']}' already exists."
            raise Refused("item_create_duplicate_item_id", message)
        place = self._place(after)
        self._items.insert(place, item)
        if sound is not None:
            self._sound[item["id"]] = sound
        return self._items[place - 1]["id"] if place else None

    def before(self, item_id: str) -> str | None:
        """Return the id of an item's predecessor."""
        index = self._index(item_id)
        return self._items[index - 1]["id"] if index else None

    def change(self, item: Json, sound: bytes | None = None) -> None:
        """Replace an item by its further form, if it was not deleted."""
        index = self._index(item["id"])
        if index is not None:
            self._items[index] = item
            if sound:
                self._sound[item["id"]] = sound

    def get(self, item_id: str, deed: str = "retriev", code: str = "retrieve") -> Json:
        """Return an item.

        Raises:
            Refused: there is none; the message says that `deed` went wrong.
        """
        index = self._index(item_id)
        if index is None:
            message = f"Error {deed}ing item: the item with id '{item_id}' does not exist."
            raise Refused(f"item_{code}_invalid_item_id", message, "item_id")
        return copy.deepcopy(self._items[index])

    def sound_of(self, item_id: str) -> bytes | None:
        """Return the sound that is kept of an item: pcm16le, mono, 24 kHz."""
        return self._sound.get(item_id)

    def delete(self, item_id: str) -> None:
        """Remove an item; raises as `get`."""
        self.get(item_id, "delet", "delete")
        self._items = [item for item in self._items if item["id"] != item_id]
        self._sound.pop(item_id, None)

    def truncate(self, item_id: str, end_ms: int) -> None:
        """Cut the sound of an answer, and forget its transcript.

        Raises:
            Refused: no such item, no sound in it (such as text that was replayed), or less than `end_ms`.
        """
        item, sound = self.get(item_id, "truncat", "truncate"), self._sound.get(item_id)
        if item.get("role") != "assistant" or sound is None:
            raise Refused("invalid_value", "Only model output audio messages can be truncated", "item_id")
        if end_ms * BYTES_PER_MS > len(sound):
            has_ms = len(sound) // BYTES_PER_MS
            raise Refused("invalid_value", f"Audio content of {has_ms}ms is already shorter than {end_ms}ms")
        item["content"] = [{"type": "output_audio", "transcript": None}]
        self.change(item, sound[: end_ms * BYTES_PER_MS])

    def _index(self, item_id: str) -> int | None:
        return next((index for index, item in enumerate(self._items) if item["id"] == item_id), None)

    def _place(self, after: str | None) -> int:
        if after is None:
            return len(self._items)
        if after == "root":
            return 0
        index = self._index(after)
        if index is None:
            message = f"Error adding item: the previous item with id '{after}' does not exist."
            raise Refused("item_create_invalid_previous_item_id", message, "previous_item_id")
        return index + 1
