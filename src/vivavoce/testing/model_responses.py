"""Order within responses, checked event by event: what the order checker of `conformance` checks of a whole log.

It reads events before they are encoded and keeps no more than is open, so that it can be copied with its session.
"""

from typing import Final

import msgspec

from vivavoce.core.vocabulary import PlayAudio
from vivavoce.protocol import server_events as wire
from vivavoce.testing.model_rules import Broken, expect

ADDED: Final = 1  # conversation.item.added was sent
PART: Final = 2
AUDIO_DONE: Final = 4
TEXT_DONE: Final = 8  # of a text, a transcript or arguments
PART_DONE: Final = 16
FINISHED: Final = 32  # conversation.item.done was sent
DONE: Final = 64
CALLS: Final = frozenset({"function_call", "mcp_call"})  # items whose arguments are streamed


class Written(msgspec.Struct):
    """What was sent of an output item; `flags` says which events, `text` joins its deltas."""

    index: int
    is_default: bool
    tag: str
    is_audio: bool = False
    flags: int = 0
    text: str = ""


class Running(msgspec.Struct):
    """What was sent of a response that is not done."""

    is_default: bool
    items: dict[str, Written]


class ResponseRules:
    """The responses that run, by id."""

    def __init__(self) -> None:
        self.running: dict[str, Running] = {}

    def active_id(self) -> str | None:
        """Return the response that writes to the conversation."""
        return next((id for id, running in self.running.items() if running.is_default), None)

    def owner(self, item_id: str) -> Running | None:
        """Return the running response that writes an item."""
        return next((running for running in self.running.values() if item_id in running.items), None)

    def read(self, event: wire.ServerEvent) -> None:
        """Check a server event."""
        reader = _READERS.get(type(event))
        if reader is not None:
            reader(self, event)  # type: ignore[operator]  # each reader takes the type it stands for
        elif (response_id := getattr(event, "response_id", None)) is not None:
            self._running(response_id)

    def play(self, output: PlayAudio) -> None:
        """Check audio for the listener."""
        item = self._item(output.response_id, output.item_id)
        is_open = bool(item.flags & PART) and not item.flags & (AUDIO_DONE | PART_DONE | DONE)
        expect(is_open and item.is_audio, "part order", "audio outside its part")
        expect(output.samples > 0 and bool(output.audio), "part order", "a delta without audio")

    def create(self, event: wire.ResponseCreated) -> None:
        response = event.response
        is_default = response.conversation_id is not None
        expect(response.id not in self.running, "response once", "response.created was sent twice")
        expect(not (is_default and self.active_id()), "one active", "a response was created beside the active one")
        self.running[response.id] = Running(is_default, {})

    def end(self, event: wire.ResponseDone) -> None:
        running = self._running(event.response.id)
        sent = list(running.items)
        if [item.id for item in event.response.output] != sent:
            raise Broken("closed at done", f"{len(event.response.output)} items listed, {len(sent)} sent")
        for item in running.items.values():
            expect(bool(item.flags & DONE), "closed at done", "an item is open at response.done")
        expect(event.response.status != "in_progress", "closed at done", "response.done says in_progress")
        del self.running[event.response.id]

    def open_item(self, event: wire.ResponseOutputItemAdded) -> None:
        running = self._running(event.response_id)
        expect(event.output_index == len(running.items), "item order", "output_index leaps")
        expect(event.item.id not in running.items, "item order", "output_item.added was sent twice")
        tag = str(event.item.__struct_config__.tag)
        running.items[event.item.id] = Written(event.output_index, running.is_default, tag)

    def add_to_conversation(self, event: wire.ConversationItemAdded) -> None:
        running = self.owner(event.item.id)
        if running is not None:
            item = running.items[event.item.id]
            expect(item.is_default and item.flags == 0, "item order", "conversation.item.added out of place")
            item.flags |= ADDED

    def open_part(self, event: wire.ResponseContentPartAdded) -> None:
        item = self._item(event.response_id, event.item_id)
        expect(item.flags == (ADDED if item.is_default else 0), "item order", "content_part.added out of place")
        item.flags |= PART
        item.is_audio = isinstance(event.part, wire.AudioPart)

    def extend(self, event: wire.ResponseOutputTextDelta | wire.ResponseOutputAudioTranscriptDelta) -> None:
        item = self._item(event.response_id, event.item_id)
        is_open = item.flags & PART and not item.flags & (TEXT_DONE | PART_DONE | DONE)
        expect(bool(is_open) and bool(event.delta), "part order", "a text delta outside its part, or empty")
        item.text += event.delta

    def end_text(self, event: wire.ResponseOutputTextDone) -> None:
        self._end_text(self._item(event.response_id, event.item_id), event.text)

    def end_transcript(self, event: wire.ResponseOutputAudioTranscriptDone) -> None:
        self._end_text(self._item(event.response_id, event.item_id), event.transcript)

    def end_audio(self, event: wire.ResponseOutputAudioDone) -> None:
        item = self._item(event.response_id, event.item_id)
        expect(item.flags & (PART | AUDIO_DONE | PART_DONE) == PART, "part order", "audio.done out of place")
        item.flags |= AUDIO_DONE

    def end_part(self, event: wire.ResponseContentPartDone) -> None:
        item = self._item(event.response_id, event.item_id)
        wanted = PART | TEXT_DONE | (AUDIO_DONE if item.is_audio else 0)
        expect(item.flags & ~ADDED == wanted, "part order", "content_part.done out of place")
        said = event.part.transcript if isinstance(event.part, wire.AudioPart) else event.part.text
        expect(said == item.text, "part order", "content_part.done does not repeat the deltas")
        item.flags |= PART_DONE

    def finish_item(self, event: wire.ConversationItemDone) -> None:
        running = self.owner(event.item.id)
        if running is not None:
            item = running.items[event.item.id]
            expect(item.is_default and bool(item.flags & ADDED), "item order", "conversation.item.done out of place")
            expect(not item.flags & (FINISHED | DONE), "item order", "conversation.item.done was sent twice")
            self._expect_contents_done(item)
            item.flags |= FINISHED

    def close_item(self, event: wire.ResponseOutputItemDone) -> None:
        item = self._item(event.response_id, event.item.id)
        expect(event.output_index == item.index, "item order", "output_index changed")
        expect(not item.flags & DONE, "item order", "output_item.done was sent twice")
        if item.is_default:
            expect(bool(item.flags & FINISHED), "item order", "output_item.done before conversation.item.done")
        self._expect_contents_done(item)
        item.flags |= DONE

    def extend_arguments(
        self, event: wire.ResponseFunctionCallArgumentsDelta | wire.ResponseMcpCallArgumentsDelta
    ) -> None:
        item = self._item(event.response_id, event.item_id)
        is_open = not item.flags & (TEXT_DONE | DONE) and item.tag in CALLS
        expect(is_open, "part order", "an arguments delta out of place")
        item.text += event.delta

    def end_arguments(self, event: wire.ResponseFunctionCallArgumentsDone | wire.ResponseMcpCallArgumentsDone) -> None:
        self._end_text(self._item(event.response_id, event.item_id), event.arguments)

    def _end_text(self, item: Written, text: str) -> None:
        is_open = not item.flags & (TEXT_DONE | PART_DONE | DONE) and bool(item.flags & PART or item.tag in CALLS)
        expect(is_open, "part order", "a done out of place")
        expect(text == item.text, "part order", "a done does not repeat its deltas")
        item.flags |= TEXT_DONE

    def _expect_contents_done(self, item: Written) -> None:
        if item.tag in CALLS:
            is_done = bool(item.flags & TEXT_DONE)
        else:
            is_done = bool(item.flags & PART_DONE) or not item.flags & PART
        expect(is_done, "item order", "an item is closed before its contents")

    def _running(self, response_id: str) -> Running:
        running = self.running.get(response_id)
        if running is None:
            raise Broken("response once", "an event of a response that does not run")
        return running

    def _item(self, response_id: str, item_id: str) -> Written:
        item = self._running(response_id).items.get(item_id)
        if item is None:
            raise Broken("item order", "an event of an item that was not added")
        return item


_READERS: Final = {
    wire.ResponseCreated: ResponseRules.create,
    wire.ResponseDone: ResponseRules.end,
    wire.ResponseOutputItemAdded: ResponseRules.open_item,
    wire.ConversationItemAdded: ResponseRules.add_to_conversation,
    wire.ResponseContentPartAdded: ResponseRules.open_part,
    wire.ResponseOutputTextDelta: ResponseRules.extend,
    wire.ResponseOutputAudioTranscriptDelta: ResponseRules.extend,
    wire.ResponseOutputTextDone: ResponseRules.end_text,
    wire.ResponseOutputAudioTranscriptDone: ResponseRules.end_transcript,
    wire.ResponseOutputAudioDone: ResponseRules.end_audio,
    wire.ResponseContentPartDone: ResponseRules.end_part,
    wire.ConversationItemDone: ResponseRules.finish_item,
    wire.ResponseOutputItemDone: ResponseRules.close_item,
    wire.ResponseFunctionCallArgumentsDelta: ResponseRules.extend_arguments,
    wire.ResponseMcpCallArgumentsDelta: ResponseRules.extend_arguments,
    wire.ResponseFunctionCallArgumentsDone: ResponseRules.end_arguments,
    wire.ResponseMcpCallArgumentsDone: ResponseRules.end_arguments,
}
