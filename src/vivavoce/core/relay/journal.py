"""What the client has sent that the upstream has not settled: sent again over a fresh link, in its order.

Audio counts on the client's clock: milliseconds of audio ever appended. Settled is audio that was committed or, while
a detector listens and hears no speech, older than `KEPT_SILENCE_MS`; a request is settled by its answer. What is kept
is bounded: the oldest audio goes first, then the oldest requests.
"""

from collections import deque
from collections.abc import Callable, Iterator
from typing import Final

import msgspec

from vivavoce.core.relay.messages import cut_append
from vivavoce.core.relay.vocabulary import Body, Json

KEPT_SILENCE_MS: Final = 1_000.0  # what a detector needs from before the moment it hears speech
MAX_JOURNAL_BYTES: Final = 8 * 1024 * 1024
MIN_CUT_MS: Final = 50.0  # what is heard twice of a message that reaches over the end of an utterance

# Requests and the events that settle them; an `error` does it as well.
SETTLED_BY: Final = {
    "session.updated": "session.update",
    "conversation.item.added": "conversation.item.create",
    "conversation.item.deleted": "conversation.item.delete",
    "conversation.item.truncated": "conversation.item.truncate",
    "conversation.item.retrieved": "conversation.item.retrieve",
    "input_audio_buffer.committed": "input_audio_buffer.commit",
    "input_audio_buffer.cleared": "input_audio_buffer.clear",
    "response.created": "response.create",
    "response.done": "response.cancel",
}
REQUESTS: Final = frozenset(SETTLED_BY.values())
# What an error refuses that names no event.
_REFUSALS: Final = {
    "response_cancel_not_active": "response.cancel",
    "conversation_already_has_active_response": "response.create",
    "input_audio_buffer_commit_empty": "input_audio_buffer.commit",
    "item_create_invalid_previous_item_id": "conversation.item.create",
    "item_create_duplicate_item_id": "conversation.item.create",
    "item_retrieve_invalid_item_id": "conversation.item.retrieve",
    "item_truncate_invalid_item_id": "conversation.item.truncate",
    "item_delete_invalid_item_id": "conversation.item.delete",
}

# Audio that was sent: the message, where it ends on the client's clock, how long it is. Made for every message of
# every session, so it is a plain tuple.
Heard = tuple[bytes, float, float]


class Asked(msgspec.Struct, eq=False):
    """A request that was sent. `key` tells it from others of its type: an item's id, or the kind of a response."""

    message: bytes
    request: str
    event_id: str | None
    key: str | None


class Journal:
    """The unsettled messages of one session."""

    __slots__ = ("bytes_per_ms", "clock_ms", "entries", "keeps_silence_only", "size_bytes")

    def __init__(self) -> None:
        self.clock_ms = 0.0  # all audio ever appended
        self.bytes_per_ms = 48.0  # pcm16 at 24 kHz; 8 for G.711
        self.keeps_silence_only = True  # a detector listens and hears no speech
        self.entries: deque[Heard | Asked] = deque()
        self.size_bytes = 0

    def __iter__(self) -> Iterator[Heard | Asked]:
        return iter(self.entries)

    def hear(self, message: bytes, audio_bytes: int) -> None:
        """Note audio that was sent."""
        audio_ms = audio_bytes / self.bytes_per_ms
        self.clock_ms += audio_ms
        self.keep(message, self.clock_ms, audio_ms)

    def keep(self, message: bytes, end_ms: float, audio_ms: float) -> None:
        """Keep audio that ends at a place of the clock, and drop what need not be kept any more."""
        entries = self.entries
        entries.append((message, end_ms, audio_ms))
        self.size_bytes += len(message)
        if self.keeps_silence_only:
            first = entries[0]
            while isinstance(first, tuple) and first[1] < end_ms - KEPT_SILENCE_MS:
                entries.popleft()
                self.size_bytes -= len(first[0])
                first = entries[0]
        if self.size_bytes > MAX_JOURNAL_BYTES:
            self._shrink()

    def ask(self, message: bytes, request: str, event_id: Json, key: str | None = None) -> None:
        """Note a request that was sent."""
        self.entries.append(Asked(message, request, event_id if isinstance(event_id, str) else None, key))
        self.size_bytes += len(message)
        if self.size_bytes > MAX_JOURNAL_BYTES:
            self._shrink()

    # Requests -------------------------------------------------------------------------------------------------

    def waiting(self, request: str = "", key: str | None = None) -> Asked | None:
        """Return the oldest request without an answer, of this type and with this key if they are given.

        One that has no key of its own may be meant by any; one that has the key is more likely meant.
        """
        asked = [one for one in self.entries if isinstance(one, Asked) and request in ("", one.request)]
        if key is None:
            return asked[0] if asked else None
        exact = next((one for one in asked if one.key == key), None)
        return exact or next((one for one in asked if one.key is None), None)

    def is_waiting(self, request: str = "") -> bool:
        """Tell whether a request, of this type if one is given, has no answer yet."""
        return self.waiting(request) is not None

    def settle(self, event: str, key: Json = None) -> Asked | None:
        """An event came that may answer a request; return the one that it does answer."""
        entry = self.waiting(SETTLED_BY[event], key if isinstance(key, str) else None)
        if entry is not None:
            self.drop(entry)
        return entry

    def refuse(self, error: Body) -> Asked | None:
        """An error came that may refuse a request; return the one that it does refuse."""
        event_id, entry = error.get("event_id"), None
        if event_id is not None:
            entry = next((one for one in self.entries if isinstance(one, Asked) and one.event_id == event_id), None)
        elif error.get("type") == "invalid_request_error":
            code = error.get("code")
            entry = self.waiting(_REFUSALS.get(code, "") if isinstance(code, str) else "")
        if entry is not None:
            self.drop(entry)
        return entry

    def drop(self, entry: Asked) -> bool:
        """Keep a request no longer; return whether it was kept."""
        if entry not in self.entries:
            return False
        self.entries.remove(entry)
        self.size_bytes -= len(entry.message)
        return True

    def forget(self, request: str) -> None:
        """Requests of a type are not sent again."""
        self._keep(lambda entry: isinstance(entry, tuple) or entry.request != request)

    # Audio ----------------------------------------------------------------------------------------------------

    def commit(self, start_ms: float, end_ms: float) -> list[bytes]:
        """Audio up to `end_ms` belongs to an item now: return the messages that hold the item's, keep the rest."""
        self._cut(end_ms)
        heard = [entry for entry in self.entries if isinstance(entry, tuple)]
        self._keep(lambda entry: not isinstance(entry, tuple) or entry[1] - entry[2] >= end_ms - MIN_CUT_MS)
        return [message for message, until_ms, ms in heard if start_ms < until_ms and until_ms - ms < end_ms]

    def committed_by_client(self) -> list[bytes]:
        """The oldest commit of the client was carried out: return the audio before it, which is kept no more."""
        commit, audio = self.waiting("input_audio_buffer.commit"), list[bytes]()
        for entry in tuple(self.entries):
            if entry is commit:
                self.drop(commit)
                break
            if isinstance(entry, tuple):
                audio.append(entry[0])
                self.entries.remove(entry)
                self.size_bytes -= len(entry[0])
        return audio

    def clear(self) -> None:
        """The client cleared the buffer, or it was lost."""
        self._keep(lambda entry: not isinstance(entry, tuple))

    def origin_ms(self) -> float:
        """Return where on the clock the audio begins that is kept; the clock itself where there is none."""
        return self.clock_ms - sum(entry[2] for entry in self.entries if isinstance(entry, tuple))

    def _cut(self, end_ms: float) -> None:
        """Cut the message that reaches over the end of an utterance, so that its rest alone is sent again."""
        for index, entry in enumerate(self.entries):
            if not isinstance(entry, tuple) or not entry[1] - entry[2] < end_ms - MIN_CUT_MS < end_ms < entry[1]:
                continue
            rest_ms = entry[1] - end_ms
            rest = cut_append(entry[0], int((entry[2] - rest_ms) * self.bytes_per_ms) & ~1)
            if rest is not None:
                self.entries[index] = (entry[0], end_ms, entry[2] - rest_ms)
                self.entries.insert(index + 1, (rest, entry[1], rest_ms))
                self.size_bytes += len(rest)
            return

    def _keep(self, wanted: Callable[[Heard | Asked], bool]) -> None:
        self.entries = deque(entry for entry in self.entries if wanted(entry))
        self.size_bytes = sum(len(message_of(entry)) for entry in self.entries)

    def _shrink(self) -> None:
        while self.size_bytes > MAX_JOURNAL_BYTES:
            index = next((at for at, entry in enumerate(self.entries) if isinstance(entry, tuple)), 0)
            self.size_bytes -= len(message_of(self.entries[index]))
            del self.entries[index]


def message_of(entry: Heard | Asked) -> bytes:
    """Return the message that was sent."""
    return entry[0] if isinstance(entry, tuple) else entry.message
