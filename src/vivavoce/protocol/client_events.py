"""The events that a client of the GA API may send, one struct per wire name."""

from typing import Annotated

import msgspec
from msgspec import Meta

from vivavoce.protocol.items import Audio, ClientItem
from vivavoce.protocol.responses import ResponseParams
from vivavoce.protocol.session import MAX_INTEGER, SessionPatch

MAX_EVENT_ID_LENGTH = 512


class _ClientEvent(msgspec.Struct, frozen=True, kw_only=True):
    """What all client events share; `event_id` is repeated in the error if the event fails."""

    event_id: Annotated[str, Meta(max_length=MAX_EVENT_ID_LENGTH)] | None = None


class SessionUpdate(_ClientEvent, frozen=True, kw_only=True, tag="session.update"):
    """Change the session's configuration."""

    session: SessionPatch


class InputAudioBufferAppend(_ClientEvent, frozen=True, kw_only=True, tag="input_audio_buffer.append"):
    """More user audio, in the session's input format; never acknowledged."""

    audio: Audio

    def __repr__(self) -> str:
        return f"InputAudioBufferAppend(event_id={self.event_id!r}, audio={len(self.audio)} bytes)"


class InputAudioBufferCommit(_ClientEvent, frozen=True, kw_only=True, tag="input_audio_buffer.commit"):
    """Make a user message from the buffered audio."""


class InputAudioBufferClear(_ClientEvent, frozen=True, kw_only=True, tag="input_audio_buffer.clear"):
    """Drop the buffered audio."""


class ConversationItemCreate(_ClientEvent, frozen=True, kw_only=True, tag="conversation.item.create"):
    """Add an item: at the end (None), first ("root") or directly after `previous_item_id`."""

    item: ClientItem
    previous_item_id: str | None = None


class ConversationItemRetrieve(_ClientEvent, frozen=True, kw_only=True, tag="conversation.item.retrieve"):
    """Ask for an item with its audio."""

    item_id: str


class ConversationItemTruncate(_ClientEvent, frozen=True, kw_only=True, tag="conversation.item.truncate"):
    """Cut an assistant item to the first `audio_end_ms` of its audio."""

    item_id: str
    content_index: Annotated[int, Meta(ge=0, le=MAX_INTEGER)]
    audio_end_ms: Annotated[int, Meta(ge=0, le=MAX_INTEGER)]


class ConversationItemDelete(_ClientEvent, frozen=True, kw_only=True, tag="conversation.item.delete"):
    """Remove an item."""

    item_id: str


class ResponseCreate(_ClientEvent, frozen=True, kw_only=True, tag="response.create"):
    """Answer; `response` holds what differs from the session."""

    response: ResponseParams | None = None


class ResponseCancel(_ClientEvent, frozen=True, kw_only=True, tag="response.cancel"):
    """Stop a response: this one, or the active one of the default conversation."""

    response_id: str | None = None


class OutputAudioBufferClear(_ClientEvent, frozen=True, kw_only=True, tag="output_audio_buffer.clear"):
    """Drop audio that was generated but not yet played (WebRTC and SIP only)."""


ClientEvent = (
    SessionUpdate
    | InputAudioBufferAppend
    | InputAudioBufferCommit
    | InputAudioBufferClear
    | ConversationItemCreate
    | ConversationItemRetrieve
    | ConversationItemTruncate
    | ConversationItemDelete
    | ResponseCreate
    | ResponseCancel
    | OutputAudioBufferClear
)
