"""Order of items and user turns, and who may be answered, checked event by event with state that can be copied."""

from typing import Final

import msgspec

from vivavoce.protocol import server_events as wire
from vivavoce.protocol.items import McpListTools
from vivavoce.protocol.session import RealtimeSession, TurnDetection
from vivavoce.testing.model_rules import Broken, expect

ANNOUNCED: Final = 1
ADDED: Final = 2
TRANSCRIBED: Final = 4  # completed or failed was sent

_DELTA: Final = wire.ConversationItemInputAudioTranscriptionDelta
_COMPLETED: Final = wire.ConversationItemInputAudioTranscriptionCompleted
_FAILED: Final = wire.ConversationItemInputAudioTranscriptionFailed
_TRANSCRIPTION: Final = frozenset({_DELTA, _COMPLETED, _FAILED})
_ANNOUNCING: Final = frozenset(
    {
        wire.InputAudioBufferSpeechStarted,
        wire.InputAudioBufferTimeoutTriggered,
        wire.InputAudioBufferCommitted,
        wire.ConversationItemAdded,
        wire.ResponseOutputItemAdded,
    }
)
_ENDS_OF_SPEECH: Final = frozenset({wire.InputAudioBufferSpeechStopped, wire.InputAudioBufferTimeoutTriggered})


class Circumstances(msgspec.Struct, frozen=True):
    """What an event comes with."""

    asked: str | None  # the client event that is being answered
    is_busy: bool  # a response is active
    is_aside: bool  # the event belongs to a response out of band


class TurnRules:
    """What the client knows of items and turns."""

    def __init__(self) -> None:
        self.session: RealtimeSession | None = None  # as it was echoed last
        self.items: dict[str, int] = {}  # flags, until an item is deleted
        self.due: tuple[str, str] | None = None  # the tag and item of the event that the turn being written needs
        self.ended: tuple[str, bool] | None = None  # item whose end of speech was the event before; by timeout
        self.invited = False  # a turn may be answered without the client asking for it
        self.started = False  # speech_started was sent in this batch

    @property
    def detection(self) -> TurnDetection | None:
        """The turn detection in force."""
        return None if self.session is None else self.session.audio.input.turn_detection

    def read(self, event: wire.ServerEvent, circumstances: Circumstances) -> None:
        """Check a server event."""
        kind = type(event)
        self._check_start(event)
        item_id = item_id_of(event)
        if item_id is not None:
            self._check_item(event, item_id)
        if kind in _TRANSCRIPTION:
            return
        if self.due is not None and not circumstances.is_aside and kind is not wire.ErrorEvent:
            self._continue_turn(event, item_id)
        if isinstance(event, wire.InputAudioBufferCommitted):
            self._open_turn(event.item_id, circumstances)
        elif isinstance(event, wire.InputAudioBufferSpeechStarted):
            self.started = True
            self.invited = False
        elif isinstance(event, wire.SessionUpdated) and not _invites(self.detection):
            self.invited = False
        is_end = item_id is not None and kind in _ENDS_OF_SPEECH
        self.ended = (item_id or "", kind is wire.InputAudioBufferTimeoutTriggered) if is_end else None

    def _check_start(self, event: wire.ServerEvent) -> None:
        is_start = isinstance(event, wire.SessionCreated)
        if is_start == (self.session is not None):
            raise Broken("session first", "session.created is missing or was sent twice")
        if isinstance(event, wire.SessionCreated | wire.SessionUpdated):
            assert isinstance(event.session, RealtimeSession), "the model holds conversations"
            self.session = event.session

    def _check_item(self, event: wire.ServerEvent, item_id: str) -> None:
        flags = self.items.get(item_id, 0)
        kind = type(event)
        if kind in _ANNOUNCING:
            flags |= ANNOUNCED
        expect(bool(flags & ANNOUNCED), "announced", "an event of an item that was not announced")
        before = getattr(event, "previous_item_id", None)
        expect(before is None or before in self.items, "announced", "previous_item_id was not announced")
        if kind is wire.ConversationItemAdded:
            expect(not flags & ADDED, "item order", "conversation.item.added was sent twice")
            flags |= ADDED
        elif kind in _TRANSCRIPTION:
            flags = _transcribed(event, flags)
        self.items[item_id] = flags
        if kind is wire.ConversationItemDeleted:
            del self.items[item_id]

    def _continue_turn(self, event: wire.ServerEvent, item_id: str | None) -> None:
        kind = type(event)
        wanted = wire.ConversationItemAdded if self.due and self.due[0] == "added" else wire.ConversationItemDone
        if self.due is None or kind is not wanted or item_id != self.due[1]:
            raise Broken("turn in one piece", f"{kind.__name__} within a turn that is being written")
        self.due = ("done", self.due[1]) if kind is wire.ConversationItemAdded else None

    def _open_turn(self, item_id: str, circumstances: Circumstances) -> None:
        is_detected = self.ended is not None and self.ended[0] == item_id
        is_prompt = self.ended is not None and self.ended[1]
        is_due = is_detected is (circumstances.asked != "input_audio_buffer.commit")
        expect(is_due, "stopped before commit", "a commit without the end of speech, or a client's with it")
        self.invited = is_detected and not circumstances.is_busy and (is_prompt or _invites(self.detection))
        self.due = ("added", item_id)


def _invites(detection: TurnDetection | None) -> bool:
    return detection is not None and detection.create_response


def _transcribed(event: wire.ServerEvent, flags: int) -> int:
    expect(not flags & TRANSCRIBED, "transcript order", "an event after the final transcript")
    if isinstance(event, _DELTA):
        return flags
    expect(bool(flags & ADDED), "transcript order", "a final transcript before the item")
    return flags | TRANSCRIBED


def item_id_of(event: wire.ServerEvent) -> str | None:
    """Return the item that an event is about."""
    item = getattr(event, "item", None)
    value = getattr(event, "item_id", None) if item is None else item.id
    return value if isinstance(value, str) else None


def answers(event: wire.ServerEvent, asked: str) -> bool:
    """Whether an event is the success of a client event of that type; responses are counted elsewhere."""
    if isinstance(event, wire.ConversationItemAdded) and isinstance(event.item, McpListTools):
        return False
    return asked in SUCCESSES and isinstance(event, SUCCESSES[asked])


SUCCESSES: Final[dict[str, type]] = {
    "session.update": wire.SessionUpdated,
    "input_audio_buffer.commit": wire.InputAudioBufferCommitted,
    "input_audio_buffer.clear": wire.InputAudioBufferCleared,
    "conversation.item.create": wire.ConversationItemAdded,
    "conversation.item.retrieve": wire.ConversationItemRetrieved,
    "conversation.item.truncate": wire.ConversationItemTruncated,
    "conversation.item.delete": wire.ConversationItemDeleted,
    "response.create": wire.ResponseCreated,
    "response.cancel": wire.ResponseDone,
}
