"""The shortest way of audio through a relayed session: one function for each direction.

They are called for nearly every message, so each does everything itself: what such a message costs is mostly how many
functions run for it. A message is compared with how the one before it was laid out, which is read once. What is not
laid out so, or must be looked at, is not theirs: they return False and have done nothing.
"""

from collections.abc import Callable
from typing import Final, Protocol

from vivavoce.core.relay.journal import KEPT_SILENCE_MS, Journal
from vivavoce.core.relay.messages import appended_bytes, audio_delta
from vivavoce.core.relay.mirror import MirrorItem
from vivavoce.core.relay.state import RelayState

Lane = Callable[[bytes], bool]
Deliver = Callable[[bytes], None]

_ID: Final = b'"event_id"'
_DELTA: Final = b'{"type":"response.output_audio.delta","event_id":"'
_AUDIO: Final = b'"delta":"'
_END: Final = b'"}'
_PADDING: Final = ord("=")


class Way(Protocol):
    """Where the client's audio goes."""

    def send(self, message: bytes) -> None:
        """Send a message. It is looked up each time: a way that has ended has another."""
        ...


class Turn:
    """How many messages a client may send before another session has its turn."""

    __slots__ = ("left",)

    def __init__(self, left: int) -> None:
        self.left = left


def client_lane(journal: Journal, turn: Turn, way: Way) -> Lane:
    """Return the way of the client's audio to the upstream: it is noted in the journal, as by `hear`, and sent."""
    head, tail, tail_at, start, quotes = b"", b"?", 0, 0, 0

    def take(message: bytes) -> bool:
        nonlocal head, tail, tail_at, start, quotes
        end = len(message) - 2
        if (
            message[tail_at:start] != tail
            or not message.startswith(head)
            or message[end:] != _END
            or message.count(b'"') != quotes  # so there is none in the id or the audio
            or b"\\" in message
            or not message.isascii()
        ):
            layout = _append_layout(message)
            if layout is None or layout == (head, tail, tail_at, start, quotes):
                return False
            head, tail, tail_at, start, quotes = layout
            return take(message)
        if turn.left <= 1:
            return False
        turn.left -= 1
        size_bytes = (end - start) * 3 // 4
        if message[end - 1] == _PADDING:
            size_bytes = max(0, size_bytes - message.count(b"=", end - 2, end))
        audio_ms = size_bytes / journal.bytes_per_ms
        journal.clock_ms = clock_ms = journal.clock_ms + audio_ms
        if journal.keeps_silence_only:
            entries = journal.entries
            entries.append((message, clock_ms, audio_ms))
            journal.size_bytes += len(message)
            while isinstance(first := entries[0], tuple) and first[1] < clock_ms - KEPT_SILENCE_MS:
                entries.popleft()
                journal.size_bytes -= len(first[0])
        else:
            journal.keep(message, clock_ms, audio_ms)
        way.send(message)
        return True

    return take


def _append_layout(message: bytes) -> tuple[bytes, bytes, int, int, int] | None:
    """Return how an append is laid out: what stands before its id, and behind it from where to where; its quotes.

    Without an id all that stands before the audio is behind it.
    """
    if appended_bytes(message) is None:
        return None
    start = message.rfind(b'"', 0, -2) + 1
    named_at = message.find(_ID, 0, start)
    if named_at < 0:
        return b"", message[:start], 0, start, message.count(b'"')
    id_at = message.find(b'"', named_at + len(_ID), start) + 1
    id_end = message.find(b'"', id_at, start)
    return message[:id_at], message[id_end:start], id_end, start, message.count(b'"')


def server_lane(state: RelayState, pass_on: Deliver) -> Lane:
    """Return the way of the assistant's audio to the client: it is counted in the mirror and passed on."""
    responses = state.responses
    middle, id_end, start = b"?", 0, 0
    item: MirrorItem | None = None

    def take(message: bytes) -> bool:
        nonlocal middle, id_end, start, item
        end = len(message) - 2
        if (
            message[id_end:start] != middle
            or not message.startswith(_DELTA)
            or message.find(b'"', start) != end
            or message[end:] != _END
            or responses.is_shifted
            or item is None
        ):
            layout = _delta_layout(message)
            if layout is None or layout == (middle, id_end, start):
                return False
            middle, id_end, start = layout
            delta = audio_delta(message)
            item = None if delta is None else state.mirror.get(delta[0])
            return item is not None and take(message)
        size_bytes = (end - start) * 3 // 4
        if message[end - 1] == _PADDING:
            size_bytes = max(0, size_bytes - message.count(b"=", end - 2, end))
        item.audio_bytes += size_bytes
        pass_on(message)
        return True

    return take


def _delta_layout(message: bytes) -> tuple[bytes, int, int] | None:
    """Return what stands between the event's id and the audio, and from where to where."""
    if not message.startswith(_DELTA):
        return None
    id_end = message.find(b'"', len(_DELTA))
    start = message.find(_AUDIO, id_end, id_end + 512) + len(_AUDIO)
    return None if id_end < 0 or start <= id_end else (message[id_end:start], id_end, start)
