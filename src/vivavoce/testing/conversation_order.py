"""The order of the items in the conversation: `previous_item_id` tells the place at which an item stands."""

from vivavoce.testing.findings import SHAPE, Event, Findings, item_id_of


class ConversationOrder:
    """Follows the items of the default conversation."""

    def __init__(self, findings: Findings) -> None:
        self._findings = findings
        self._order: list[str] = []
        self._unfinished: dict[str, tuple[object, Event]] = {}  # item id -> previous_item_id and item when added
        self._contents: dict[str, tuple[str, ...]] = {}  # item id -> the types of its content parts

    @property
    def last(self) -> str | None:
        """The id of the last item."""
        return self._order[-1] if self._order else None

    def receive(self, event: Event) -> None:
        """Check the next server event; whether an added item may stand where it does, `expect_place` checks."""
        kind, item_id = str(event["type"]), item_id_of(event) or ""
        if kind == "conversation.item.added":
            self._add(item_id, event)
        elif kind == "conversation.item.done":
            self._finish(item_id, event)
        elif kind == "conversation.item.deleted":
            self._delete(item_id)
        elif kind == "input_audio_buffer.committed":
            self.expect_place(kind, item_id, event, self.last)
        elif kind.startswith("conversation.item.input_audio_transcription."):
            self._check_transcribed(kind, item_id, event)

    def expect_place(self, kind: str, item_id: str, event: Event, before: str | None) -> None:
        """Check that an event puts its item behind `before`; None is the first place."""
        said = event.get("previous_item_id")
        is_there = "previous_item_id" in event and said == before
        self._findings.expect(is_there, SHAPE, f"{kind} puts '{item_id}' behind {said!r}, expected {before!r}")

    def finish(self) -> None:
        """Check that no item is left unfinished."""
        for item_id in self._unfinished:
            self._findings.add(5, f"item '{item_id}' has no conversation.item.done")

    def _add(self, item_id: str, event: Event) -> None:
        before = event.get("previous_item_id")
        place = self._order.index(before) + 1 if before in self._order else 0 if before is None else len(self._order)
        if item_id not in self._order:
            self._order.insert(place, item_id)
        self._unfinished[item_id] = (before, event["item"])
        self._contents[item_id] = tuple(str(part.get("type")) for part in event["item"].get("content") or ())

    def _finish(self, item_id: str, event: Event) -> None:
        added = self._unfinished.pop(item_id, None)
        if added is None:
            self._findings.add(5, f"conversation.item.done of '{item_id}' without conversation.item.added before it")
            return
        said, item = event.get("previous_item_id"), event["item"]
        is_there = said in (added[0], self._before(item_id))
        self._findings.expect(is_there, SHAPE, f"'{item_id}' is done behind {said!r}, it was added behind {added[0]!r}")
        status = item.get("status", "completed")
        self._findings.expect(status != "in_progress", SHAPE, f"item '{item_id}' is done and in progress")
        for key in ("type", "role"):
            is_same = item.get(key) == added[1].get(key)
            self._findings.expect(is_same, SHAPE, f"item '{item_id}' is done with another {key} than it was added with")

    def _before(self, item_id: str) -> str | None:
        place = self._order.index(item_id) if item_id in self._order else 0
        return self._order[place - 1] if place > 0 else None

    def _delete(self, item_id: str) -> None:
        if item_id in self._order:
            self._order.remove(item_id)
        self._unfinished.pop(item_id, None)

    def _check_transcribed(self, kind: str, item_id: str, event: Event) -> None:
        contents, index = self._contents.get(item_id), event["content_index"]
        if contents is not None:
            is_audio = 0 <= index < len(contents) and contents[index] == "input_audio"
            self._findings.expect(is_audio, SHAPE, f"{kind} is of part {index} of '{item_id}', which is no audio")
