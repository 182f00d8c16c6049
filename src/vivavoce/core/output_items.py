"""The items of a response while they are written: each is opened, filled and closed with its events in order.

Every `added` is matched by a `done`, whatever ends the item. Items of an out-of-band response never enter the
conversation and cause no `conversation.item.*` events.
"""

import enum
from typing import Literal

import msgspec

from vivavoce.core.conversation import Conversation, Entry
from vivavoce.core.emitter import Emitter
from vivavoce.core.heard import SpokenSegment
from vivavoce.core.requests import AudioEncoding, Word
from vivavoce.core.vocabulary import PlayAudio
from vivavoce.protocol.items import FunctionCall, Item, Message, OutputAudio, OutputText
from vivavoce.protocol.server_events import (
    AudioPart,
    ConversationItemAdded,
    ConversationItemDone,
    ResponseContentPartAdded,
    ResponseContentPartDone,
    ResponseFunctionCallArgumentsDelta,
    ResponseFunctionCallArgumentsDone,
    ResponseOutputAudioDone,
    ResponseOutputAudioTranscriptDelta,
    ResponseOutputAudioTranscriptDone,
    ResponseOutputItemAdded,
    ResponseOutputItemDone,
    ResponseOutputTextDelta,
    ResponseOutputTextDone,
    TextPart,
)

ItemStatus = Literal["in_progress", "completed", "incomplete"]


class Writing(enum.Enum):
    """Where an output item is."""

    OPEN = "open"
    CLOSED = "closed"


class Place(msgspec.Struct, frozen=True):
    """Where an output item stands; `conversation` is None out of band."""

    response_id: str
    item_id: str
    output_index: int
    conversation: Conversation | None


def open_item(out: Emitter, place: Place, entry: Entry) -> None:
    """Announce an item and put it into its conversation."""
    out.send(
        ResponseOutputItemAdded(
            event_id=out.event_id(),
            response_id=place.response_id,
            output_index=place.output_index,
            item=entry.item,
        )
    )
    if place.conversation is not None:
        previous_id = place.conversation.append(entry)
        out.send(ConversationItemAdded(event_id=out.event_id(), previous_item_id=previous_id, item=entry.item))


def close_item(out: Emitter, place: Place, entry: Entry, item: Item) -> None:
    """Give an item its final form; an item that was deleted meanwhile stays deleted."""
    entry.item = item
    entry.is_in_progress = False
    conversation = place.conversation
    if conversation is not None and conversation.get(place.item_id) is entry:
        previous_id = conversation.previous_id(place.item_id)
        out.send(ConversationItemDone(event_id=out.event_id(), previous_item_id=previous_id, item=item))
    out.send(
        ResponseOutputItemDone(
            event_id=out.event_id(), response_id=place.response_id, output_index=place.output_index, item=item
        )
    )


class MessageOutput:
    """An assistant message with one content part, text or audio."""

    def __init__(self, out: Emitter, place: Place, encoding: AudioEncoding, *, is_audio: bool) -> None:
        self.place = place
        self.is_audio = is_audio
        self.state = Writing.OPEN
        self.entry = Entry(item=self._item("in_progress"), encoding=encoding, is_in_progress=True, is_spoken=is_audio)
        self._closed_item: Item | None = None  # as the response reports it, whatever is cut from the entry
        self._audio: list[bytes] = []
        open_item(out, place, self.entry)
        out.send(
            ResponseContentPartAdded(
                event_id=out.event_id(),
                response_id=place.response_id,
                item_id=place.item_id,
                output_index=place.output_index,
                content_index=0,
                part=AudioPart(transcript="") if is_audio else TextPart(text=""),
            )
        )

    @property
    def item(self) -> Item:
        return self._closed_item or self.entry.item

    def write(self, out: Emitter, delta: str) -> None:
        """Add text that the client reads, or that the audio after it speaks."""
        kind = ResponseOutputAudioTranscriptDelta if self.is_audio else ResponseOutputTextDelta
        self.entry.text += delta
        place = self.place
        out.send(
            kind(
                event_id=out.event_id(),
                response_id=place.response_id,
                item_id=place.item_id,
                output_index=place.output_index,
                content_index=0,
                delta=delta,
            )
        )

    def begin_segment(self, out: Emitter, text: str) -> SpokenSegment:
        """Announce the words of the audio that follows."""
        self.write(out, text)
        position = self.entry.samples
        segment = SpokenSegment(text=text, start_sample=position, end_sample=position, words=[], is_complete=False)
        self.entry.segments.append(segment)
        return segment

    def play(self, out: Emitter, segment: SpokenSegment, audio: bytes, samples: int, words: tuple[Word, ...]) -> None:
        """Let the listener hear more of a segment."""
        self._audio.append(audio)
        self.entry.samples += samples
        segment.end_sample = self.entry.samples
        segment.words.extend(words)
        place = self.place
        out.put(
            PlayAudio(
                event_id=out.event_id(),
                response_id=place.response_id,
                item_id=place.item_id,
                output_index=place.output_index,
                content_index=0,
                audio=audio,
                samples=samples,
            )
        )

    def close(self, out: Emitter, status: ItemStatus, *, is_cut: bool = False) -> None:
        """Send everything that ends the item; `is_cut` tells that there was more to say."""
        assert self.state is Writing.OPEN, "an item is closed once"
        self.state = Writing.CLOSED
        (self._send_audio_done if self.is_audio else self._send_text_done)(out)
        self._closed_item = self._item(status, self.entry.text)
        close_item(out, self.place, self.entry, self._closed_item)
        self._keep(is_cut)

    def _keep(self, is_cut: bool) -> None:
        """Store the audio; what was never spoken, or cut by the client meanwhile, does not count as heard."""
        entry, conversation = self.entry, self.place.conversation
        if is_cut and self.is_audio and entry.heard_samples is None:
            entry.heard_samples = entry.samples
            entry.is_estimate = True
        if conversation is not None and conversation.get(self.place.item_id) is entry:
            conversation.keep_audio(entry, *self._audio)
            if entry.heard_samples is not None and not entry.is_estimate:
                conversation.cut(entry)

    def _send_text_done(self, out: Emitter) -> None:
        place, text = self.place, self.entry.text
        out.send(
            ResponseOutputTextDone(
                event_id=out.event_id(),
                response_id=place.response_id,
                item_id=place.item_id,
                output_index=place.output_index,
                content_index=0,
                text=text,
            )
        )
        self._send_part_done(out, TextPart(text=text))

    def _send_audio_done(self, out: Emitter) -> None:
        place, transcript = self.place, self.entry.text
        out.send(
            ResponseOutputAudioDone(
                event_id=out.event_id(),
                response_id=place.response_id,
                item_id=place.item_id,
                output_index=place.output_index,
                content_index=0,
            )
        )
        out.send(
            ResponseOutputAudioTranscriptDone(
                event_id=out.event_id(),
                response_id=place.response_id,
                item_id=place.item_id,
                output_index=place.output_index,
                content_index=0,
                transcript=transcript,
            )
        )
        self._send_part_done(out, AudioPart(transcript=transcript))

    def _send_part_done(self, out: Emitter, part: AudioPart | TextPart) -> None:
        place = self.place
        out.send(
            ResponseContentPartDone(
                event_id=out.event_id(),
                response_id=place.response_id,
                item_id=place.item_id,
                output_index=place.output_index,
                content_index=0,
                part=part,
            )
        )

    def _item(self, status: ItemStatus, text: str | None = None) -> Message:
        part = OutputAudio(transcript=text) if self.is_audio else OutputText(text=text or "")
        content = () if text is None else (part,)
        return Message(id=self.place.item_id, role="assistant", status=status, content=content)


def write_call(out: Emitter, place: Place, call_id: str, name: str, arguments: str) -> Entry:
    """Write a whole function call: its arguments are known at once. Returns its entry, completed."""
    entry = Entry(item=_call(place, name, call_id, "", "in_progress"), is_in_progress=True)
    open_item(out, place, entry)
    out.send(
        ResponseFunctionCallArgumentsDelta(
            event_id=out.event_id(),
            response_id=place.response_id,
            item_id=place.item_id,
            output_index=place.output_index,
            call_id=call_id,
            delta=arguments,
        )
    )
    out.send(
        ResponseFunctionCallArgumentsDone(
            event_id=out.event_id(),
            response_id=place.response_id,
            item_id=place.item_id,
            output_index=place.output_index,
            call_id=call_id,
            name=name,
            arguments=arguments,
        )
    )
    close_item(out, place, entry, _call(place, name, call_id, arguments, "completed"))
    return entry


def _call(place: Place, name: str, call_id: str, arguments: str, status: ItemStatus) -> FunctionCall:
    return FunctionCall(id=place.item_id, name=name, call_id=call_id, arguments=arguments, status=status)
