"""What the client has sent that the upstream has not settled: sent again over a fresh link, in its order.

Audio counts on the client's clock: milliseconds of audio ever appended. Settled is audio that was committed or, while
a detector listens and hears no speech, older than `KEPT_SILENCE_MS`; a request is settled by its answer.
"""

from collections import deque
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

from vivavoce.core.relay.vocabulary import Body, Json

KEPT_SILENCE_MS: Final = 1_000.0  # what a detector needs from before the moment it hears speech
MAX_JOURNAL_BYTES: Final = 8 * 1024 * 1024

# Requests and the events that settle them; an `error` does it as well.
SETTLED_BY: Final = {
    "session.updated": "session.update",
    "conversation.item.added": "conversation.item.create",
    "conversation.item.created": "conversation.item.create",
    "conversation.item.deleted": "conversation.item.delete",
    "conversation.item.truncated": "conversation.item.truncate",
    "conversation.item.retrieved": "conversation.item.retrieve",
    "input_audio_buffer.committed": "input_audio_buffer.commit",
    "response.created": "response.create",
}
REQUESTS: Final = frozenset(SETTLED_BY.values())


class Sent(NamedTuple):
    """A message that went to the upstream. For audio: where it ends on the client's clock, else a request's type."""

    message: bytes
    end_ms: float
    request: str = ""
    event_id: str | None = None
    item_id: str | None = None
    audio_ms: float = 0.0


class Journal:
    """The unsettled messages of one session."""

    def __init__(self) -> None:
        self.clock_ms = 0.0  # all audio ever appended
        self.bytes_per_ms = 48.0  # pcm16 at 24 kHz; 8 for G.711
        self.keeps_silence_only = True  # a detector listens and hears no speech
        self._entries: deque[Sent] = deque()
        self._size_bytes = 0

    def __iter__(self) -> Iterator[Sent]:
        return iter(self._entries)

    def hear(self, message: bytes, audio_bytes: int) -> None:
        """Note audio that was sent."""
        audio_ms = audio_bytes / self.bytes_per_ms
        self.clock_ms = clock_ms = self.clock_ms + audio_ms
        entries = self._entries
        entries.append(Sent(message, clock_ms, "", None, None, audio_ms))
        self._size_bytes += len(message)
        if self.keeps_silence_only:
            oldest_ms = clock_ms - KEPT_SILENCE_MS
            while entries[0].end_ms < oldest_ms and not entries[0].request:
                self._size_bytes -= len(entries.popleft().message)
        elif self._size_bytes > MAX_JOURNAL_BYTES:
            self._shrink()

    def ask(self, message: bytes, request: str, body: Body) -> None:
        """Note a request that was sent."""
        item = body.get("item")
        item_id = item.get("id") if isinstance(item, dict) else body.get("item_id")
        event_id = body.get("event_id")
        entry = Sent(message, self.clock_ms, request, _text(event_id), _text(item_id))
        self._entries.append(entry)
        self._size_bytes += len(message)

    def settle(self, event: str, item_id: Json = None) -> bool:
        """An event came that may answer a request; return whether it did."""
        request = SETTLED_BY[event]
        for entry in self._entries:
            if entry.request == request and (entry.item_id is None or item_id is None or entry.item_id == item_id):
                self._remove(entry)
                return True
        return False

    def refuse(self, event_id: Json) -> str | None:
        """An error came in answer to a client event; return the type of the request that it settles."""
        requests = [entry for entry in self._entries if entry.request]
        matching = [entry for entry in requests if entry.event_id == event_id] if event_id is not None else requests
        if not matching:
            return None
        self._remove(matching[0])
        return matching[0].request

    def is_waiting(self, request: str = "") -> bool:
        """Tell whether a request, of this type if one is given, has no answer yet."""
        return any(entry.request and request in ("", entry.request) for entry in self._entries)

    def audio_between(self, start_ms: float, end_ms: float) -> list[bytes]:
        """Return the messages with the audio of a span of the clock, as far as they are kept."""
        return [entry.message for entry in self._entries if not entry.request and start_ms < entry.end_ms <= end_ms]

    def origin_ms(self) -> float:
        """Return where on the clock the audio begins that is kept; the clock itself where there is none."""
        kept_ms = sum(entry.audio_ms for entry in self._entries)
        return self.clock_ms - kept_ms

    def commit(self, end_ms: float) -> None:
        """Audio up to here belongs to an item now."""
        self._keep(lambda entry: bool(entry.request) or entry.end_ms > end_ms)

    def committed_by_client(self) -> list[bytes]:
        """The oldest commit of the client was carried out: return the audio before it, which is kept no more."""
        audio: list[bytes] = []
        for entry in list(self._entries):
            if entry.request == "input_audio_buffer.commit":
                self._remove(entry)
                break
            if not entry.request:
                audio.append(entry.message)
                self._remove(entry)
        return audio

    def clear(self) -> None:
        """The client cleared the buffer."""
        self._keep(lambda entry: bool(entry.request))

    def forget(self, request: str) -> None:
        """Requests of a type are not sent again."""
        self._keep(lambda entry: entry.request != request)

    def _keep(self, wanted: Callable[[Sent], bool]) -> None:
        self._entries = deque(entry for entry in self._entries if wanted(entry))
        self._size_bytes = sum(len(entry.message) for entry in self._entries)

    def _remove(self, entry: Sent) -> None:
        self._entries.remove(entry)
        self._size_bytes -= len(entry.message)

    def _shrink(self) -> None:
        for entry in list(self._entries):
            if self._size_bytes <= MAX_JOURNAL_BYTES:
                return
            if not entry.request:
                self._remove(entry)


def _text(value: Json) -> str | None:
    return value if isinstance(value, str) else None
