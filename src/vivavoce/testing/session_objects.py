"""What session objects must hold: always the same session, complete, with the changes that the client asked for."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from vivavoce.testing.findings import SHAPE, Event, Findings

# Fields of an update that the session shows as they were given. The others are shown in another form or merged
# with what was there: formats by their short names, tools without their credentials, prompts, tracing.
SHOWN: Final = (
    "output_modalities",
    "instructions",
    "tool_choice",
    "max_output_tokens",
    "truncation",
    "audio.input.transcription",
    "audio.input.noise_reduction",
    "audio.input.turn_detection",
    "audio.output.speed",
)


class SessionObjects:
    """Checks the session objects of one connection."""

    def __init__(self, findings: Findings) -> None:
        self._findings = findings
        self._id: object = None
        self.extension_events: tuple[str, ...] = ()  # that the client has opted in to

    def receive(self, event: Event) -> None:
        """Check the next server event."""
        kind = str(event["type"])
        if kind in ("session.created", "session.updated"):
            self._check(kind, event["session"])
        elif kind.startswith("vivavoce."):
            is_wanted = kind in self.extension_events
            self._findings.expect(is_wanted, SHAPE, f"{kind} was sent to a client that did not opt in to it")

    def _check(self, kind: str, session: Event) -> None:
        is_same = self._id in (None, session.get("id"))
        self._findings.expect(is_same, SHAPE, f"{kind} is of session {session.get('id')!r}, expected {self._id!r}")
        self._id = session.get("id")
        sides = ("input", "output") if session.get("type") == "realtime" else ("input",)
        for side in sides:
            is_there = isinstance(at(session, f"audio.{side}"), Mapping)
            self._findings.expect(is_there, SHAPE, f"the session of {kind} has no audio.{side}")
        self.extension_events = tuple(at(session, "vivavoce.events") or ())


def check_shown(update: Event, session: Event, findings: Findings) -> None:
    """Check that an updated session shows what the update asked for."""
    for path in SHOWN:
        given, shown = at(update, path), at(session, path)
        if given is not None:
            for place, wanted, value in _differences(path, given, shown):
                findings.add(SHAPE, f"session.{place} was set to {wanted!r}, the session shows {value!r}")


def _differences(path: str, given: Any, shown: Any) -> Iterator[tuple[str, object, object]]:  # JSON boundary
    if isinstance(given, Mapping) and isinstance(shown, Mapping):
        for key in given:
            if given[key] is not None and key in shown:
                yield from _differences(f"{path}.{key}", given[key], shown[key])
    elif given != shown:
        yield path, given, shown


def at(value: Any, path: str) -> Any:  # JSON boundary
    """The value at a dotted path of an object, None where there is none."""
    for key in path.split("."):
        value = value.get(key) if isinstance(value, Mapping) else None
    return value
