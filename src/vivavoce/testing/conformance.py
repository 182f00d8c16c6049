"""Checks of what a server sends: the thirteen ordering invariants of the wire, and the types of its events.

`check_order` reads a whole log, `OrderChecker` one event at a time. Both are pure. A violation of a rule that is
not one of the thirteen (an audio delta that is not base64, a wrong index) carries the number 0.
"""

import functools
from collections.abc import Sequence
from typing import Any, get_args

from vivavoce.testing.answers import Answers
from vivavoce.testing.conversation_order import ConversationOrder
from vivavoce.testing.findings import Event, Findings, Violation, item_id_of, response_id_of
from vivavoce.testing.response_order import ResponseOrder
from vivavoce.testing.session_objects import SessionObjects
from vivavoce.testing.turn_order import TurnOrder

LogEntry = tuple[str, Event]  # (">" from the client or "<" from the server, the event as decoded JSON)

__all__ = ["LogEntry", "OrderChecker", "Violation", "check_order", "check_types"]


class OrderChecker:
    """Checks the ordering invariants of one connection, event by event."""

    def __init__(self) -> None:
        self._findings = Findings()
        self._turns = TurnOrder(self._findings)
        self._responses = ResponseOrder(self._findings)
        self._items = ConversationOrder(self._findings)
        self._sessions = SessionObjects(self._findings)
        self._answers = Answers(self._findings, self._turns, self._items)
        self._event_ids: set[str] = set()
        self._is_created = False

    @property
    def violations(self) -> list[Violation]:
        """What was found so far, in log order."""
        return list(self._findings.found)

    def client(self, event: Event) -> None:
        """Read an event that the client sent. Text that is no event is an event with an unknown type: `{}`."""
        self._findings.index += 1
        self._answers.ask(event)

    def server(self, event: Event) -> None:
        """Read an event that the server sent."""
        self._findings.index += 1
        try:
            self._check_start(event)
            self._sessions.receive(event)
            self._responses.receive(event)
            self._turns.receive(event, self._responses.is_out_of_band(response_id_of(event)))
            self._answers.receive(event, self._responses.owns(item_id_of(event) or ""))
            self._items.receive(event)
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            self._findings.add(0, f"{event.get('type')} lacks or garbles a field: {error!r}")

    def finish(self, *, is_cut: bool = False, expects_transcripts: bool = False) -> list[Violation]:
        """Return all violations; a log that does not end in the middle must have no open response or client event.

        Args:
            expects_transcripts: the client has waited for every transcript.
        """
        if expects_transcripts:
            self._turns.finish_transcripts()
        if not is_cut:
            self._responses.finish()
            self._items.finish()
            self._answers.finish()
        return self.violations

    def _check_start(self, event: Event) -> None:
        kind, event_id = event["type"], event.get("event_id")
        is_start = kind == "session.created"
        self._findings.expect(is_start != self._is_created, 1, f"{kind} comes {_start_fault(is_start)}")
        self._is_created = True
        self._findings.expect(isinstance(event_id, str), 2, f"{kind} has event_id {event_id!r}, expected a string")
        self._findings.expect(event_id not in self._event_ids, 2, f"event_id {event_id!r} was used before")
        self._event_ids.add(str(event_id))


def _start_fault(is_start: bool) -> str:
    return "a second time" if is_start else "before session.created"


def check_order(log: Sequence[LogEntry], *, is_cut: bool = False) -> list[Violation]:
    """Return the violations of the ordering invariants in one connection's log, in log order.

    Args:
        is_cut: the log ends in the middle, so open responses and unanswered client events are no violation.
    """
    checker = OrderChecker()
    for direction, event in log:
        if direction == ">":
            checker.client(event)
        else:
            checker.server(event)
    return checker.finish(is_cut=is_cut)


def check_types(event: dict[str, Any]) -> None:  # JSON boundary: a server event as decoded
    """Validate a server event strictly against the types of the `openai` package; keys it does not know are allowed.

    Raises:
        KeyError: the package knows no event of that type.
        pydantic.ValidationError: a field is missing or has a wrong type.
        ModuleNotFoundError: `openai` is not installed; it is a development dependency.
    """
    _event_models()[event["type"]].model_validate(event, strict=True)


@functools.cache
def _event_models() -> dict[str, Any]:  # pydantic models, by the type of the event they describe
    from openai.types.realtime import RealtimeServerEvent  # imported late: only tests and `doctor` validate

    union = get_args(RealtimeServerEvent)[0]
    return {get_args(model.model_fields["type"].annotation)[0]: model for model in get_args(union)}
