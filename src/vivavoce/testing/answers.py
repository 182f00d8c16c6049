"""Each client event has at most one success event or one error (ordering invariant 13)."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from vivavoce.testing.conversation_order import ConversationOrder
from vivavoce.testing.echoes import check_echo, is_out_of_band, metadata_of
from vivavoce.testing.findings import SHAPE, Event, Findings, item_id_of
from vivavoce.testing.turn_order import TurnOrder

# Success event -> the client event it answers.
ANSWERS: Final[dict[str, str]] = {
    "session.updated": "session.update",
    "input_audio_buffer.committed": "input_audio_buffer.commit",
    "input_audio_buffer.cleared": "input_audio_buffer.clear",
    "conversation.item.added": "conversation.item.create",
    "conversation.item.retrieved": "conversation.item.retrieve",
    "conversation.item.truncated": "conversation.item.truncate",
    "conversation.item.deleted": "conversation.item.delete",
    "response.created": "response.create",
    "response.done": "response.cancel",
}
# Client events whose success is silent or optional.
UNANSWERED: Final = frozenset({"input_audio_buffer.append", "output_audio_buffer.clear"})
# Error code -> the client event it refuses, for errors that cannot quote an `event_id`.
REFUSALS: Final[dict[str, str]] = {
    "response_cancel_not_active": "response.cancel",
    "conversation_already_has_active_response": "response.create",
    "input_audio_buffer_commit_empty": "input_audio_buffer.commit",
    "item_create_invalid_previous_item_id": "conversation.item.create",
    "item_create_duplicate_item_id": "conversation.item.create",
    "item_retrieve_invalid_item_id": "conversation.item.retrieve",
    "item_truncate_invalid_item_id": "conversation.item.truncate",
    "item_delete_invalid_item_id": "conversation.item.delete",
}


class Asked(msgspec.Struct, eq=False):
    """A client event that waits for its answer."""

    event: Event
    kind: str
    event_id: str | None
    item_id: str | None
    index: int


class Answers:
    """Pairs client events with the success events and errors that answer them."""

    def __init__(self, findings: Findings, turns: TurnOrder, items: ConversationOrder) -> None:
        self._findings = findings
        self._items = items
        self._turns = turns
        self._waiting: list[Asked] = []
        self._silent: list[Asked] = []  # events that only an error would answer
        self._may_answer_by_itself = True  # the session's create_response
        self._surplus = 0  # responses that answer either a turn or a response.create
        self._approved = 0  # MCP calls that the client has approved: each may cause a response that makes it
        self._is_playout_ours = False  # WebRTC: the server truncates by itself

    def ask(self, event: Event) -> None:
        """Remember a client event."""
        event_id = event.get("event_id")
        kind = str(event.get("type"))
        asked = Asked(
            event, kind, event_id if isinstance(event_id, str) else None, item_id_of(event), self._findings.index
        )
        (self._silent if kind in UNANSWERED else self._waiting).append(asked)

    def receive(self, event: Event, is_output: bool) -> None:
        """Pair the next server event; `is_output` tells that its item is the output of a response.

        It must be read before the conversation's order takes the event in.
        """
        kind = str(event["type"])
        match kind:
            case "error":
                self._refuse(event["error"])
            case "session.created" | "session.updated":
                self._may_answer_by_itself = _creates_responses(event.get("session", {}))
            case "conversation.item.added":
                self._approved += event["item"].get("approve") is True
            case "output_audio_buffer.cleared":
                self._is_playout_ours = True
            case _:
                pass
        asked: Asked | None = None
        if kind == "response.created":
            asked = self._pair_response(event["response"])
        elif kind in ANSWERS and not self._is_unasked(kind, event, is_output):
            asked = self._pair(kind, item_id_of(event))
        if asked is not None:
            check_echo(asked.event, event, self._findings)
        if kind == "conversation.item.added":
            self._expect_place(event, asked)

    def _expect_place(self, event: Event, asked: Asked | None) -> None:
        """An item stands where the client wants it, or last."""
        wanted = asked.event.get("previous_item_id") if asked is not None else None
        before = None if wanted == "root" else wanted or self._items.last
        self._items.expect_place(str(event["type"]), item_id_of(event) or "", event, before)

    def finish(self) -> None:
        """Check that every client event that needs an answer has got one."""
        for asked in self._waiting:
            is_maybe_answered = asked.kind == "response.create" and self._surplus > 0
            if not is_maybe_answered:
                self._findings.add(13, f"{asked.kind} (entry {asked.index}) got neither a success event nor an error")

    def _is_unasked(self, kind: str, event: Event, is_output: bool) -> bool:
        item_id = item_id_of(event) or ""
        match kind:
            case "input_audio_buffer.committed":
                return self._turns.turns.get(item_id, False)
            case "conversation.item.added":
                return is_output or item_id in self._turns.turns or event["item"].get("type") == "mcp_list_tools"
            case "conversation.item.truncated":
                return self._is_playout_ours and self._find(ANSWERS[kind], item_id) is None
            case "response.done":
                return not _is_client_cancelled(event["response"])
            case _:
                return False

    def _find(self, kind: str, item_id: str | None) -> Asked | None:
        same = [asked for asked in self._waiting if asked.kind == kind and asked.item_id in (None, item_id)]
        exact = [asked for asked in same if asked.item_id == item_id]
        return next(iter(exact or same), None)

    def _pair(self, kind: str, item_id: str | None) -> Asked | None:
        asked = self._find(ANSWERS[kind], item_id)
        if asked is not None:
            self._waiting.remove(asked)
        elif kind == "input_audio_buffer.committed":
            self._findings.add(9, f"item '{item_id}' was committed neither after its speech_stopped nor for a client")
        else:
            self._findings.add(13, f"{kind} answers no waiting {ANSWERS[kind]}")
        return asked

    def _find_create(self, response: Event) -> Asked | None:
        """The response.create that a response answers: of its kind, if possible with its metadata."""
        is_aside = response.get("conversation_id", "") is None
        waiting = [a for a in self._waiting if a.kind == "response.create" and is_out_of_band(a.event) == is_aside]
        exact = [asked for asked in waiting if metadata_of(asked.event) == response.get("metadata")]
        return next(iter(exact or waiting), None)

    def _pair_response(self, response: Event) -> Asked | None:
        """Return the response.create that is answered, None where there is none or it cannot be told."""
        response_id, is_aside = response.get("id"), response.get("conversation_id", "") is None
        is_automatic = self._turns.awaiting_response is not None and self._may_answer_by_itself and not is_aside
        asked = self._find_create(response)
        if is_automatic:
            self._surplus += asked is not None
            self._turns.awaiting_response = None
        elif asked is not None:
            self._waiting.remove(asked)
        elif self._surplus > 0:
            self._surplus -= 1
        elif self._approved > 0 and not is_aside:
            self._approved -= 1
        else:
            self._findings.add(9, f"response '{response_id}' answers no response.create and follows no detected turn")
        return None if is_automatic else asked

    def _refuse(self, error: Event) -> None:
        missing = [key for key in ("type", "code", "message", "param", "event_id") if key not in error]
        self._findings.expect(not missing, SHAPE, f"an error lacks {missing}")
        event_id = error.get("event_id")
        asked = self._refused(error) if event_id is None else self._named(event_id)
        if asked is not None:
            (self._silent if asked.kind in UNANSWERED else self._waiting).remove(asked)
        elif event_id is not None:
            self._findings.add(13, f"an error names event '{event_id}', which waits for no answer")
        elif error.get("type") == "invalid_request_error" and error.get("code") != "session_expired":
            self._findings.add(13, f"an error ({error.get('code')}) answers no client event")

    def _named(self, event_id: str) -> Asked | None:
        return next((asked for asked in (*self._waiting, *self._silent) if asked.event_id == event_id), None)

    def _refused(self, error: Event) -> Asked | None:
        """The client event without an id that an error without one most likely refuses."""
        nameless = [asked for asked in self._waiting if asked.event_id is None]
        by_code = [asked for asked in nameless if asked.kind == REFUSALS.get(str(error.get("code")))]
        unknown = [asked for asked in nameless if asked.kind not in ANSWERS.values()]
        silent = [asked for asked in self._silent if asked.event_id is None]
        return next(iter(by_code or unknown or nameless or silent), None)


def _is_client_cancelled(response: Event) -> bool:
    details = response.get("status_details")
    return isinstance(details, Mapping) and details.get("reason") == "client_cancelled"


def _creates_responses(session: Event) -> bool:
    """Whether detected turns are answered by themselves; true where the session object does not tell."""
    value: Any = session  # JSON boundary: a session object
    for key in ("audio", "input", "turn_detection"):
        if not isinstance(value, Mapping) or key not in value:
            return True
        value = value[key]
    return value is not None and value.get("create_response") is not False
