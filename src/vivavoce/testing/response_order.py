"""Order within responses (ordering invariants 4, 7, 8 and 12, and through `output_items` 5 and 6)."""

from collections.abc import Mapping

from vivavoce.testing.findings import SHAPE, Event, Findings, item_id_of, response_id_of
from vivavoce.testing.output_items import OutputItem, check_item_event, check_nothing_open, open_item
from vivavoce.testing.response_objects import check_created, check_done


class ResponseTrack:
    """What was sent of one response."""

    def __init__(self, response: Event, index: int) -> None:
        self.id = str(response["id"])
        self.index = index  # where it was created
        self.created = response
        # A response without the key is taken for one of the default conversation.
        self.is_default = response.get("conversation_id", "") is not None
        self.sample_bytes = _sample_bytes(response)
        self.items: dict[str, OutputItem] = {}
        self.status = "in_progress"

    @property
    def is_done(self) -> bool:
        """Whether `response.done` was sent."""
        return self.status != "in_progress"


def _sample_bytes(response: Event) -> int:
    """Bytes per sample of the response's audio; linear 16 bit where the event does not tell."""
    value: object = response
    for key in ("audio", "output", "format", "type"):
        value = value.get(key) if isinstance(value, Mapping) else None
    return 1 if value in ("audio/pcmu", "audio/pcma") else 2


class ResponseOrder:
    """Checks `response.*` events and the `conversation.item.*` events of output items."""

    def __init__(self, findings: Findings) -> None:
        self._findings = findings
        self._responses: dict[str, ResponseTrack] = {}
        self._owners: dict[str, ResponseTrack] = {}  # output item id -> its response
        self._last_interruption_index = -1  # where speech began that may interrupt

    def receive(self, event: Event) -> None:
        """Check the next server event."""
        kind = str(event["type"])
        if kind == "response.created":
            self._create(event["response"])
        elif kind.startswith("response."):
            self._continue(kind, event)
        elif kind in ("conversation.item.added", "conversation.item.done"):
            self._check_item(event)
        elif kind == "conversation.item.deleted":
            self._owners.pop(item_id_of(event) or "", None)  # the id may be used again
        elif kind == "conversation.item.truncated":
            self._note_truncated(item_id_of(event) or "")
        elif kind == "input_audio_buffer.speech_started":
            self._last_interruption_index = self._findings.index

    def finish(self) -> None:
        """Check that no response is left open."""
        for track in self._responses.values():
            self._findings.expect(track.is_done, 4, f"response '{track.id}' has no response.done")

    def owns(self, item_id: str) -> bool:
        """Whether an item is the output of a response."""
        return item_id in self._owners

    def is_out_of_band(self, response_id: str | None) -> bool:
        """Whether a response is known and writes to no conversation."""
        track = self._responses.get(response_id or "")
        return track is not None and not track.is_default

    def _note_truncated(self, item_id: str) -> None:
        track = self._owners.get(item_id)
        if track is not None:
            track.items[item_id].is_truncated = True

    def _create(self, response: Event) -> None:
        check_created(response, self._findings)
        track = ResponseTrack(response, self._findings.index)
        self._findings.expect(track.id not in self._responses, 4, f"response.created was sent twice for '{track.id}'")
        for other in self._responses.values():
            overlaps = track.is_default and other.is_default and not other.is_done
            self._findings.expect(not overlaps, 4, f"response '{track.id}' was created while '{other.id}' is active")
        self._responses[track.id] = track

    def _continue(self, kind: str, event: Event) -> None:
        track = self._find(kind, event)
        if track is None:
            return
        if track.is_done:
            is_stray_delta = track.status == "cancelled" and kind.endswith(".delta")
            self._findings.add(12 if is_stray_delta else 4, f"{kind} of '{track.id}' comes after its response.done")
        elif kind == "response.done":
            self._end(track, event["response"])
        elif kind == "response.output_item.added":
            self._open_item(track, event)
        else:
            self._check_item(event)

    def _find(self, kind: str, event: Event) -> ResponseTrack | None:
        response_id = response_id_of(event)
        if response_id is None:  # response.mcp_call.* carry only the item
            return self._owners.get(item_id_of(event) or "")
        track = self._responses.get(response_id)
        if track is None:
            self._findings.add(4, f"{kind} of '{response_id}' comes before its response.created")
        return track

    def _open_item(self, track: ResponseTrack, event: Event) -> None:
        index = event["output_index"]
        expected = len(track.items)
        self._findings.expect(index == expected, 8, f"'{track.id}' opens output_index {index}, expected {expected}")
        item = OutputItem(event["item"], index, track.is_default, track.sample_bytes)
        is_first = item.id not in self._owners
        self._findings.expect(is_first, 5, f"response.output_item.added was sent twice for '{item.id}'")
        open_item(item, self._findings)
        track.items[item.id] = item
        self._owners[item.id] = track

    def _check_item(self, event: Event) -> None:
        item_id = item_id_of(event)
        if item_id is None:
            return
        track = self._owners.get(item_id)
        if track is not None:
            check_item_event(track.items[item_id], event, self._findings)
        elif str(event["type"]).startswith("response."):
            self._findings.add(5, f"{event['type']} of item '{item_id}' comes before its response.output_item.added")

    def _end(self, track: ResponseTrack, response: Event) -> None:
        track.status = str(response.get("status"))
        self._findings.expect(track.is_done, SHAPE, f"response.done of '{track.id}' has status 'in_progress'")
        check_done(track.created, response, self._findings)
        for item in track.items.values():
            check_nothing_open(item, self._findings)
            if track.status == "cancelled":
                self._check_cut(item)
                self._check_interrupted(track, item, response)
        self._check_output(track, response)

    def _check_output(self, track: ResponseTrack, response: Event) -> None:
        """`response.done` lists the items in their last state."""
        listed = [str(item.get("id")) for item in response.get("output", ())]
        sent = list(track.items)
        self._findings.expect(listed == sent, SHAPE, f"response.done of '{track.id}' lists {listed}, sent were {sent}")

        for item in response.get("output", ()):
            known = track.items.get(str(item.get("id")))
            is_same = known is None or known.finished is None or known.is_truncated or item == known.finished
            self._findings.expect(is_same, SHAPE, f"response.done has item '{item.get('id')}' another than its done")

    def _check_interrupted(self, track: ResponseTrack, item: OutputItem, response: Event) -> None:
        """Of an item that speech has cut there is no delta after the speech began.

        A server's own reasons to cancel are told as `turn_detected` too; they need no speech.
        """
        details = response.get("status_details")
        is_detected = isinstance(details, Mapping) and details.get("reason") == "turn_detected"
        is_cut_by_speech = is_detected and self._last_interruption_index > track.index
        is_clean = not is_cut_by_speech or item.last_delta_index < self._last_interruption_index
        self._findings.expect(is_clean, 12, f"item '{item.id}' has a delta after the speech that interrupted it")

    def _check_cut(self, item: OutputItem) -> None:
        """An item that the cancel cut short has no delta after its first done."""
        first_done = item.first_done_index()
        is_clean = first_done is None or item.last_delta_index < first_done or not item.is_incomplete
        self._findings.expect(is_clean, 12, f"item '{item.id}' has a delta after the cancel's dones")
