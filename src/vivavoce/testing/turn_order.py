"""Order of items and user turns (ordering invariants 3, 9, 10 and 11)."""

from typing import Final

from vivavoce.testing.findings import SHAPE, Event, Findings, item_id_of
from vivavoce.testing.session_objects import at

ANNOUNCING: Final = frozenset(
    {
        "input_audio_buffer.speech_started",
        "input_audio_buffer.timeout_triggered",
        "input_audio_buffer.committed",
        "response.output_item.added",
        "conversation.item.added",
    }
)
TRANSCRIPTION: Final = "conversation.item.input_audio_transcription."
# A commit by the detector directly follows one of these, for the same item.
DETECTOR: Final = frozenset({"input_audio_buffer.speech_stopped", "input_audio_buffer.timeout_triggered"})
# After a commit: what has to come next.
NEXT: Final[dict[str, str]] = {
    "input_audio_buffer.committed": "conversation.item.added",
    "conversation.item.added": "conversation.item.done",
}


class TurnOrder:
    """Checks that ids are announced, turns are written in one piece, and transcripts belong to added items."""

    def __init__(self, findings: Findings) -> None:
        self._findings = findings
        self._announced: set[str] = set()
        self._added: set[str] = set()
        self._transcribed: set[str] = set()
        self._is_transcribing = False  # the session's input transcription is on
        self._transcripts_due: set[str] = set()  # committed items whose transcript has not come
        self._previous: tuple[str, str | None] = ("", None)  # type and item id of the event before
        self._due: tuple[str, str] | None = None  # event and item id that the turn being written needs next
        self._speech: str | None = None  # the item being spoken; "" where that is not known
        self._started_ms: dict[str, int] = {}  # item id -> where its speech began
        self.turns: dict[str, bool] = {}  # committed item id -> whether the detector committed it
        self.awaiting_response: str | None = None  # the detector's turn that an automatic response may answer

    def receive(self, event: Event, is_out_of_band: bool) -> None:
        """Check the next server event; `is_out_of_band`: it belongs to a response outside the conversation."""
        kind, item_id = str(event["type"]), item_id_of(event)
        self._check_known(kind, item_id, event)
        self._check_speech(kind, item_id or "", event)
        if kind.startswith(TRANSCRIPTION):
            self._check_transcript(kind, item_id or "")
        elif not is_out_of_band and kind != "error":
            self._advance(kind, item_id, event)
        self._previous = (kind, item_id)

    def finish_transcripts(self) -> None:
        """Check that every committed item has its transcript, or the failure of it."""
        for item_id in sorted(self._transcripts_due):
            self._findings.add(10, f"item '{item_id}' has no final transcript")

    def _check_known(self, kind: str, item_id: str | None, event: Event) -> None:
        if item_id is not None and kind in ANNOUNCING:
            self._announced.add(item_id)
        elif item_id is not None:
            is_known = item_id in self._announced
            self._findings.expect(is_known, 3, f"{kind} uses item '{item_id}' before it was announced")
        before = event.get("previous_item_id")
        if before is not None:
            is_known = before in self._announced
            self._findings.expect(is_known, 3, f"{kind} follows item '{before}', which was never announced")

    def _check_speech(self, kind: str, item_id: str, event: Event) -> None:
        """Speech starts and stops in turn; a commit or a clear ends it, new settings or a failure may."""
        match kind:
            case "input_audio_buffer.speech_started":
                self._findings.expect(not self._speech, 9, f"speech of '{item_id}' starts within '{self._speech}'")
                self._speech = item_id
                self._started_ms[item_id] = event["audio_start_ms"]
                self._findings.expect(event["audio_start_ms"] >= 0, SHAPE, f"speech of '{item_id}' starts before 0")
            case "input_audio_buffer.speech_stopped":
                is_its_own = self._speech in (item_id, "")
                self._findings.expect(is_its_own, 9, f"speech of '{item_id}' stops, spoken is {self._speech!r}")
                self._speech = None
                is_later = event["audio_end_ms"] >= self._started_ms.get(item_id, 0)
                self._findings.expect(is_later, SHAPE, f"speech of '{item_id}' ends before it starts")
            case "input_audio_buffer.committed" | "input_audio_buffer.cleared":
                self._speech = None
            case "session.updated":
                self._speech = ""
            case "error" if event["error"].get("type") == "server_error":
                self._speech = ""
            case _:
                pass

    def _check_transcript(self, kind: str, item_id: str) -> None:
        if kind.endswith((".delta", ".segment")):
            is_late = item_id in self._transcribed
            self._findings.expect(not is_late, 11, f"{kind} of item '{item_id}' comes after its final transcript")
            return
        is_added = item_id in self._added
        self._findings.expect(is_added, 10, f"{kind} of item '{item_id}' comes before its conversation.item.added")
        self._findings.expect(item_id not in self._transcribed, 10, f"item '{item_id}' has two final transcripts")
        self._transcribed.add(item_id)
        self._transcripts_due.discard(item_id)

    def _advance(self, kind: str, item_id: str | None, event: Event) -> None:
        if kind in ("session.created", "session.updated"):
            self._is_transcribing = at(event["session"], "audio.input.transcription") is not None
        if self._due is not None:
            self._continue_turn(kind, item_id, self._due, event)
        elif kind == "input_audio_buffer.committed":
            self._open_turn(kind, item_id or "")
        elif kind.startswith("input_audio_buffer.") and kind != "input_audio_buffer.cleared":
            self.awaiting_response = None  # `cleared` is about audio that was not committed
        if kind == "conversation.item.added" and item_id is not None:
            is_first = item_id not in self._added
            self._findings.expect(is_first, 5, f"conversation.item.added was sent twice for '{item_id}'")
            self._added.add(item_id)
        elif kind == "conversation.item.deleted" and item_id is not None:
            self._added.discard(item_id)  # clients replace an item by deleting it and creating it under the same id
            self.turns.pop(item_id, None)
            self._transcripts_due.discard(item_id)

    def _open_turn(self, kind: str, item_id: str) -> None:
        is_detected = self._previous[0] in DETECTOR and self._previous[1] == item_id
        self._findings.expect(item_id not in self.turns, 9, f"item '{item_id}' was committed twice")
        self.turns[item_id] = is_detected
        if self._is_transcribing:
            self._transcripts_due.add(item_id)
        self._due = (NEXT[kind], item_id)

    def _continue_turn(self, kind: str, item_id: str | None, due: tuple[str, str], event: Event) -> None:
        if (kind, item_id) != due:
            self._findings.add(9, f"{kind} comes where {due[0]} of the committed item '{due[1]}' is due")
            self._due = None
            return
        content = event["item"].get("content") or [{}]
        is_spoken = event["item"].get("role") == "user" and [part.get("type") for part in content] == ["input_audio"]
        self._findings.expect(is_spoken, SHAPE, f"the committed item '{due[1]}' is no spoken message of the user")
        following = NEXT.get(kind)
        self._due = (following, due[1]) if following is not None else None
        if following is None and self.turns[due[1]]:
            self.awaiting_response = due[1]
