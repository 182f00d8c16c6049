"""Where the output of a session on a WebSocket goes: to its outbox, in the dialect of its client."""

from typing import Final

from vivavoce.core.vocabulary import PlayAudio
from vivavoce.dialects.beta import BetaDialect
from vivavoce.protocol.codec import encode_server_event
from vivavoce.protocol.response_events import ResponseDone, ResponseOutputAudioDelta, ResponseOutputItemDone
from vivavoce.protocol.server_events import (
    ConversationItemDeleted,
    ConversationItemDone,
    ConversationItemInputAudioTranscriptionCompleted,
    ConversationItemInputAudioTranscriptionFailed,
    ConversationItemTruncated,
    InputAudioBufferCommitted,
    ServerEvent,
)
from vivavoce.runtime.outbox import Outbox

# Events that tell the client that something is kept: they wait until it is durable.
FINAL_EVENTS: Final = frozenset(
    {
        ConversationItemDeleted,
        ConversationItemDone,
        ConversationItemInputAudioTranscriptionCompleted,
        ConversationItemInputAudioTranscriptionFailed,
        ConversationItemTruncated,
        InputAudioBufferCommitted,
        ResponseDone,
        ResponseOutputItemDone,
    }
)


class WebSocketSink:
    """The `Sink` of a client of today's API."""

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox

    def send(self, sequence: int, event: ServerEvent) -> None:
        self._outbox.put(sequence, encode_server_event(event), is_final=type(event) in FINAL_EVENTS)

    def play(self, sequence: int, audio: PlayAudio) -> None:
        self._outbox.put(sequence, encode_audio(audio))

    def pass_on(self, sequence: int, message: bytes, *, is_final: bool = False) -> None:
        self._outbox.put(sequence, message, is_final=is_final)

    def clear_playout(self, response_id: str) -> None:
        """Do nothing: on a WebSocket the client owns the playout."""

    def close(self, code: int, reason: str) -> None:
        self._outbox.end(code, reason)

    async def writable(self) -> None:
        await self._outbox.writable()


class BetaSink:
    """The `Sink` of a client of the beta.

    What its client is told about an item is final when the item is complete from the start: no second event comes.
    """

    def __init__(self, outbox: Outbox, dialect: BetaDialect) -> None:
        self._outbox = outbox
        self._dialect = dialect

    def send(self, sequence: int, event: ServerEvent) -> None:
        self.pass_on(sequence, encode_server_event(event), is_final=type(event) in FINAL_EVENTS)

    def play(self, sequence: int, audio: PlayAudio) -> None:
        for message in self._dialect.server(encode_audio(audio)):
            self._outbox.put(sequence, message)

    def pass_on(self, sequence: int, message: bytes, *, is_final: bool = False) -> None:
        is_final = is_final or self._dialect.is_whole_item(message)
        for translated in self._dialect.server(message):
            self._outbox.put(sequence, translated, is_final=is_final)

    def clear_playout(self, response_id: str) -> None:
        """Do nothing: on a WebSocket the client owns the playout."""

    def close(self, code: int, reason: str) -> None:
        self._outbox.end(code, reason)

    async def writable(self) -> None:
        await self._outbox.writable()


def encode_audio(audio: PlayAudio) -> bytes:
    """Return an encoded `response.output_audio.delta`."""
    return encode_server_event(
        ResponseOutputAudioDelta(
            event_id=audio.event_id,
            response_id=audio.response_id,
            item_id=audio.item_id,
            output_index=audio.output_index,
            content_index=audio.content_index,
            delta=audio.audio,
        )
    )
