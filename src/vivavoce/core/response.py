"""One response: from `response.created` to exactly one `response.done`, whatever happens between.

    WAITING ──► GENERATING ──► SPEAKING ──► COMPLETED | INCOMPLETE
       └────────────┴──────────────┴──────► CANCELLED | FAILED

WAITING: the transcripts of its context are not final. SPEAKING: the generator has ended, speech is still being
made. Text of a spoken message becomes segments; a segment's words are announced with its first audio, so that a
cancelled response never claims words that nobody could have heard.
"""

import enum
from typing import Final, Literal

import msgspec

from vivavoce.core.conversation import Conversation, Entry
from vivavoce.core.emitter import Emitter
from vivavoce.core.heard import SpokenSegment
from vivavoce.core.limits import CHARACTERS_PER_TOKEN
from vivavoce.core.output_items import ItemStatus, MessageOutput, Place, Writing, write_call
from vivavoce.core.requests import AudioEncoding, FunctionSpec, GenerationEnd, SpeechRequest, Word
from vivavoce.core.segments import Segmenter
from vivavoce.core.vocabulary import CancelGeneration, CancelSpeaking, EngineFault, Speak
from vivavoce.protocol.items import Item
from vivavoce.protocol.responses import ResponseAudio, StatusReason


class ResponseState(enum.Enum):
    """Where a response is."""

    WAITING = "waiting"
    GENERATING = "generating"
    SPEAKING = "speaking"
    COMPLETED = "completed"
    INCOMPLETE = "incomplete"
    CANCELLED = "cancelled"
    FAILED = "failed"


LIVE: Final = frozenset({ResponseState.WAITING, ResponseState.GENERATING, ResponseState.SPEAKING})
_CUTS: Final = frozenset({ResponseState.CANCELLED, ResponseState.FAILED})  # there was more to say
_ENDS: Final = frozenset(ResponseState) - LIVE
TRANSITIONS: Final[dict[ResponseState, frozenset[ResponseState]]] = {
    ResponseState.WAITING: frozenset({ResponseState.GENERATING}) | _ENDS,
    ResponseState.GENERATING: frozenset({ResponseState.SPEAKING}) | _ENDS,
    ResponseState.SPEAKING: _ENDS,
    **{end: frozenset() for end in _ENDS},
}

CancelReason = Literal["turn_detected", "client_cancelled"]


class ResponsePlan(msgspec.Struct, frozen=True):
    """What a response was asked to be; fixed when it is created."""

    is_audio: bool
    instructions: str
    tools: tuple[FunctionSpec, ...]
    tool_choice: str
    max_output_tokens: int | None  # None: no limit
    voice: str
    speed: float
    encoding: AudioEncoding
    audio: ResponseAudio
    conversation: Conversation | None  # None: out of band
    context: tuple[Entry, ...]
    metadata: dict[str, str] | None
    answers_item_id: str | None = None  # of an automatic response: the utterance it answers


class Ending(msgspec.Struct, frozen=True):
    """Why a response ends: `reason` is that of `status_details`; both are None where nothing is remarkable."""

    reason: StatusReason | None = None
    fault: EngineFault | None = None


class _Speech(msgspec.Struct):
    """A segment that was handed to the synthesizer."""

    message: MessageOutput
    text: str
    spoken: SpokenSegment | None = None
    is_finished: bool = False


class Response:
    """A live response. The caller sends `response.created` and `response.done`."""

    def __init__(self, response_id: str, plan: ResponsePlan) -> None:
        self.id = response_id
        self.plan = plan
        self.state = ResponseState.WAITING
        self.ending = Ending()
        self.input_tokens = (0, 0)  # text, audio
        self.generated_tokens = 0  # as the generator counted them; 0: it did not
        self.items: list[MessageOutput | Entry] = []
        self._message: MessageOutput | None = None  # takes the text that is generated
        self._segmenter = Segmenter()
        self._speech: list[_Speech] = []
        self._characters = 0  # of generated text, against the token limit

    @property
    def is_live(self) -> bool:
        return self.state in LIVE

    @property
    def output(self) -> tuple[Item, ...]:
        """The items in output order, each as it stands."""
        return tuple(item.item for item in self.items)

    @property
    def output_characters(self) -> int:
        return self._characters

    @property
    def output_samples(self) -> int:
        return sum(item.entry.samples for item in self.items if isinstance(item, MessageOutput))

    def begin(self, text_tokens: int, audio_tokens: int) -> None:
        """The context is complete and costs this much; the generator was asked."""
        self.input_tokens = (text_tokens, audio_tokens)
        self._go(ResponseState.GENERATING)

    def write(self, out: Emitter, text: str) -> None:
        """Take generated text; what exceeds the token limit is cut and ends the response."""
        if self.state is not ResponseState.GENERATING or not text:
            return
        allowed = self._allowed_text(text)
        self._characters += len(allowed)
        if allowed:
            self._write_allowed(out, allowed)
        if len(allowed) < len(text):
            out.put(CancelGeneration(self.id))
            self.finish_generation(out, "max_output_tokens")

    def call(self, out: Emitter, name: str, arguments: str) -> str | None:
        """Take a generated function call; returns its `call_id`."""
        if self.state is not ResponseState.GENERATING:
            return None
        self._end_message_text(out)
        self._characters += len(name) + len(arguments)
        call_id = out.make_id("call")
        self.items.append(write_call(out, self._next_place(out), call_id, name, arguments))
        return call_id

    def count_tokens(self, input_tokens: int, output_tokens: int) -> None:
        """Take the generator's own counts in place of the estimates; 0 means that it did not count."""
        if self.state is ResponseState.GENERATING:
            self.input_tokens = (input_tokens or self.input_tokens[0], self.input_tokens[1])
            self.generated_tokens = output_tokens

    def finish_generation(self, out: Emitter, reason: GenerationEnd) -> None:
        """The generator has ended."""
        if self.state is not ResponseState.GENERATING:
            return
        self.ending = Ending(reason=None if reason == "stop" else reason)
        self._go(ResponseState.SPEAKING)
        self._end_message_text(out)
        self._finish_when_spoken(out)

    def play(
        self, out: Emitter, segment: int, audio: bytes, samples: int, words: tuple[Word, ...]
    ) -> MessageOutput | None:
        """Take synthesized audio; returns the message it belongs to."""
        if not self.is_live or not 0 <= segment < len(self._speech):
            return None
        speech = self._speech[segment]
        if speech.is_finished:
            return None
        speech.message.play(out, self._announce(out, speech), audio, samples, words)
        return speech.message

    def finish_segment(self, out: Emitter, segment: int) -> None:
        """All audio of a segment has come."""
        if not self.is_live or not 0 <= segment < len(self._speech):
            return
        speech = self._speech[segment]
        self._announce(out, speech).is_complete = True
        speech.is_finished = True
        self._close_spoken_messages(out)
        self._finish_when_spoken(out)

    def cancel(self, out: Emitter, reason: CancelReason) -> None:
        """Stop at once; what was opened is closed as incomplete."""
        self.ending = Ending(reason=reason)
        self._stop_generation(out)
        self._end(out, ResponseState.CANCELLED)

    def fail(self, out: Emitter, fault: EngineFault) -> None:
        """An engine failed; the only report of it is the response's status."""
        self.ending = Ending(fault=fault)
        self._stop_generation(out)
        self._end(out, ResponseState.FAILED)

    def complete_empty(self, out: Emitter) -> None:
        """There is nothing to answer."""
        assert not self.items, "an answer has begun"
        self._end(out, ResponseState.COMPLETED)

    def _allowed_text(self, text: str) -> str:
        limit = self.plan.max_output_tokens
        if limit is None:
            return text
        return text[: max(0, limit * CHARACTERS_PER_TOKEN - self._characters)]

    def _write_allowed(self, out: Emitter, text: str) -> None:
        if self._message is None:
            self._message = MessageOutput(out, self._next_place(out), self.plan.encoding, is_audio=self.plan.is_audio)
            self._segmenter = Segmenter()
            self.items.append(self._message)
        if not self.plan.is_audio:
            self._message.write(out, text)
            return
        for piece in self._segmenter.feed(text):
            self._speak(out, self._message, piece)

    def _speak(self, out: Emitter, message: MessageOutput, text: str) -> None:
        plan = self.plan
        request = SpeechRequest(text=text, voice=plan.voice, speed=plan.speed)
        out.put(Speak(self.id, len(self._speech), request, plan.encoding))
        self._speech.append(_Speech(message, text))

    def _end_message_text(self, out: Emitter) -> None:
        message, self._message = self._message, None
        if message is None:
            return
        for piece in self._segmenter.finish():
            self._speak(out, message, piece)
        self._close_spoken_messages(out)

    def _announce(self, out: Emitter, speech: _Speech) -> SpokenSegment:
        if speech.spoken is None:
            speech.spoken = speech.message.begin_segment(out, speech.text)
        return speech.spoken

    def _close_spoken_messages(self, out: Emitter) -> None:
        for item in self.items:
            if not isinstance(item, MessageOutput) or item.state is Writing.CLOSED or item is self._message:
                continue
            if all(speech.is_finished for speech in self._speech if speech.message is item):
                item.close(out, "incomplete" if self._is_cut_short(item) else "completed")

    def _is_cut_short(self, item: MessageOutput) -> bool:
        return self.ending.reason is not None and item is self.items[-1]

    def _finish_when_spoken(self, out: Emitter) -> None:
        if self.state is ResponseState.SPEAKING and all(speech.is_finished for speech in self._speech):
            self._end(out, ResponseState.INCOMPLETE if self.ending.reason else ResponseState.COMPLETED)

    def _stop_generation(self, out: Emitter) -> None:
        if self.state is ResponseState.GENERATING:
            out.put(CancelGeneration(self.id))

    def _end(self, out: Emitter, state: ResponseState) -> None:
        self._message = None
        if self._speech:
            out.put(CancelSpeaking(self.id))
        for item in self.items:
            if isinstance(item, MessageOutput) and item.state is Writing.OPEN:
                status: ItemStatus = "completed" if state is ResponseState.COMPLETED else "incomplete"
                item.close(out, status, is_cut=state in _CUTS)
        self._go(state)

    def _next_place(self, out: Emitter) -> Place:
        return Place(self.id, out.make_id("item"), len(self.items), self.plan.conversation)

    def _go(self, state: ResponseState) -> None:
        assert state in TRANSITIONS[self.state], f"a response does not go from {self.state.value} to {state.value}"
        self.state = state
