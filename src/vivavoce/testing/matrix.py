"""Notes which rows of the event matrix were shown on real connections, and by which test or client.

A session field counts when a client sent it and `session.updated` shows it, or an error names it. A field of a
response counts when the response was created, or an error names it.
"""

import json
import os
import re
from collections.abc import Iterable, Mapping
from typing import Final

from vivavoce.testing.echoes import is_out_of_band
from vivavoce.testing.findings import Event
from vivavoce.testing.matrix_rows import SERVER_ERROR, SESSION_KIND, Kind, Row, known_rows, paths_in
from vivavoce.testing.proxy import Passed, Tap

# Fields that are honoured and never repeated: credentials.
UNECHOED: Final = ("tools[].authorization", "tools[].headers")
_INDEX: Final = re.compile(r"\[\d+\]")


class Seen:
    """Which rows were shown, each with the tests and clients that did: a test's node id without its parameters, or
    a client's label."""

    def __init__(self) -> None:
        self.sources: dict[Row, set[str]] = {}

    def note(self, kind: Kind, names: Iterable[str], source: str | None = None) -> None:
        """Note rows for a source, the current test where none is given. Names that are no rows are left out."""
        rows = known_rows()
        for row in (Row(kind, name) for name in names):
            if row in rows:
                self.sources.setdefault(row, set()).add(source or current_test())

    def note_error(self, code: str | None, message: str = "", source: str | None = None) -> None:
        """Note an error by its code; for errors in HTTP answers and in refused upgrades."""
        if code is None:
            code = SESSION_KIND if message.startswith("Passing a") else SERVER_ERROR
        self.note("error code", [code], source)

    def note_session(self, sent: Event, shown: Event, source: str | None = None) -> None:
        """Note the fields of a session object that was sent, as far as the effective session shows them."""
        visible = set(paths_in(shown))
        kind: Kind = "transcription session" if shown.get("type") == "transcription" else "session"
        self.note(kind, (path for path in paths_in(sent) if _is_shown(path, sent, visible)), source)


def _is_shown(path: str, sent: Event, visible: set[str]) -> bool:
    is_below_credentials = any(path.startswith(name) for name in UNECHOED)
    is_null_or_short = "[]" not in path and " = " not in path and not isinstance(_value(sent, path), Mapping | list)
    return path in visible or is_below_credentials or (is_null_or_short and _value(sent, path) is None)


def _value(sent: object, path: str) -> object:
    for key in path.split("."):
        sent = sent.get(key) if isinstance(sent, Mapping) else None
    return sent


SEEN: Final = Seen()  # what this process has seen; the event matrix is made of it


def current_test() -> str:
    """Return the node id of the running test without parameters, "(no test)" outside of one."""
    running = os.environ.get("PYTEST_CURRENT_TEST", "(no test)")
    return running.rpartition(" (")[0].partition("[")[0] or running


class ConnectionRecord:
    """Follows one connection and notes what it shows."""

    def __init__(self, seen: Seen = SEEN, label: str | None = None) -> None:
        self._seen = seen
        self._label = label
        self._updates: list[Event] = []  # of the session, waiting for their answer
        self._creates: list[Event] = []  # of responses, waiting for theirs
        self._session_kind: Kind = "session"

    def client(self, event: Event) -> None:
        """Read an event that the client sent."""
        kind = str(event.get("type"))
        self._seen.note("client event", [kind], self._label)
        if kind == "session.update" and isinstance(event.get("session"), Mapping):
            self._updates.append(event)
        elif kind == "response.create":
            self._creates.append(event)

    def server(self, event: Event) -> None:
        """Read an event that the server sent."""
        kind = str(event.get("type"))
        self._seen.note("server event", [kind], self._label)
        match kind:
            case "session.created" if event["session"].get("type") == "transcription":
                self._session_kind = "transcription session"
            case "session.updated" if self._updates:
                self._seen.note_session(self._updates.pop(0)["session"], event["session"], self._label)
            case "response.created":
                self._created(event["response"])
            case "response.done":
                self._note_failure((event["response"].get("status_details") or {}).get("error"))
            case "conversation.item.input_audio_transcription.failed":
                self._note_failure(event["error"])
            case "error":
                self._refuse(event["error"])
            case _:
                pass

    def _created(self, response: Event) -> None:
        is_aside = response.get("conversation_id") is None
        asked = next((create for create in self._creates if is_out_of_band(create) == is_aside), None)
        if asked is not None:
            self._creates.remove(asked)
            self._seen.note("response.create", paths_in(asked.get("response") or {}), self._label)

    def _note_failure(self, error: Event | None) -> None:
        if error is not None:
            self._seen.note_error(error.get("code"), str(error.get("message")), self._label)

    def _refuse(self, error: Event) -> None:
        """Note an error, and the field that it names in the update or the response that it refuses."""
        self._seen.note_error(error.get("code"), str(error.get("message")), self._label)
        root, _, field = _INDEX.sub("[]", error.get("param") or "").partition(".")
        for waiting in (self._updates, self._creates):
            asked = next((event for event in waiting if _answers(error, event)), None)
            if asked is not None:
                waiting.remove(asked)
                self._note_refused(root, field, asked.get(root))
                return

    def _note_refused(self, root: str, field: str, sent: object) -> None:
        """A field that is named is refused with all that was sent below it, and in the shapes of what is above."""
        below = (f"{field}.", f"{field} = ", f"{field}[]")
        above = tuple(f"{field[: dot.start()]} = " for dot in re.finditer(r"\.", field))
        fields = [path for path in paths_in(sent) if path == field or path.startswith((*below, *above))]
        if root == "session":
            self._seen.note(self._session_kind, fields, self._label)
        elif root == "response":
            self._seen.note("response.create", fields, self._label)


def _answers(error: Event, event: Event) -> bool:
    return error.get("event_id") is not None and error.get("event_id") == event.get("event_id")


def tap(label: str | None = None, seen: Seen = SEEN) -> Tap:
    """Return a tap for `recording_proxy` that notes what passes under a label, such as "openai-agents 0.24.0".

    Without a label it is noted under the test that runs.
    """
    records: dict[int, ConnectionRecord] = {}

    def note(passed: Passed) -> None:
        record = records.setdefault(passed.connection, ConnectionRecord(seen, label))
        try:
            event = json.loads(passed.message)
        except ValueError:
            return
        if isinstance(event, dict):
            (record.client if passed.direction == ">" else record.server)(event)

    return note
