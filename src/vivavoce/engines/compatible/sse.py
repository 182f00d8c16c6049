"""Reads server-sent events from bytes as they come, cut anywhere.

Follows the HTML standard, section 9.2.6 (interpreting an event stream), with one difference: an event that lacks the
empty line after it when the stream ends is given too, because some servers leave it out.
"""

from typing import Final

import msgspec

MAX_EVENT_BYTES: Final = 1_048_576
_BOM: Final = b"\xef\xbb\xbf"


class EventTooLargeError(ValueError):
    """An event has more bytes than the reader takes."""


class ServerSentEvent(msgspec.Struct, frozen=True):
    """One event; `data` is its lines joined by line feeds, not decoded."""

    data: bytes
    name: str = ""

    def __repr__(self) -> str:
        return f"ServerSentEvent({len(self.data)} bytes, name={self.name!r})"


class SseReader:
    """Turns the bytes of one stream into events. Comments, ids and retry times are read and dropped."""

    def __init__(self, max_event_bytes: int = MAX_EVENT_BYTES) -> None:
        self._max_event_bytes = max_event_bytes
        self._line = bytearray()  # the line that has no end yet
        self._data: list[bytes] = []
        self._data_bytes = 0
        self._name = ""
        self._ended_in_cr = False
        self._is_start = True

    def feed(self, received: bytes) -> list[ServerSentEvent]:
        """Return the events that these bytes complete.

        Raises EventTooLargeError; the reader is of no use after that.
        """
        if self._ended_in_cr and received.startswith(b"\n"):
            received = received[1:]
            self._ended_in_cr = False
        if b"\r" in received:
            self._ended_in_cr = received.endswith(b"\r")
            received = received.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        elif received:
            self._ended_in_cr = False
        *ends, rest = received.split(b"\n")
        events: list[ServerSentEvent] = []
        for end in ends:
            self._grow(end)
            self._end_line(events)
        self._grow(rest)
        return events

    def finish(self) -> list[ServerSentEvent]:
        """Return the event that the end of the stream completes, if there is one."""
        events: list[ServerSentEvent] = []
        self._end_line(events)
        self._dispatch(events)
        return events

    def _grow(self, part: bytes) -> None:
        self._line += part
        if len(self._line) + self._data_bytes > self._max_event_bytes:
            raise EventTooLargeError(f"an event has more than {self._max_event_bytes} bytes")

    def _end_line(self, events: list[ServerSentEvent]) -> None:
        line = bytes(self._line)
        self._line.clear()
        if self._is_start:
            self._is_start = False
            line = line.removeprefix(_BOM)
        if not line:
            self._dispatch(events)
            return
        field, _, value = line.partition(b":")
        if field == b"data":
            self._data.append(value.removeprefix(b" "))
            self._data_bytes += len(value) + 1
        elif field == b"event":
            self._name = value.removeprefix(b" ").decode(errors="replace")

    def _dispatch(self, events: list[ServerSentEvent]) -> None:
        if self._data:
            events.append(ServerSentEvent(b"\n".join(self._data), self._name))
        self._data.clear()
        self._data_bytes = 0
        self._name = ""
