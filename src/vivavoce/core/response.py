"""One response: from `response.created` to exactly one `response.done`, whatever happens between.

    WAITING ──► GENERATING ──► SPEAKING ──► COMPLETED | INCOMPLETE
       │          │    ▲           │
       └──────► CALLING (MCP) ─────┤
       └────────────┴──────────────┴──────► CANCELLED | FAILED

WAITING: the transcripts of its context are not final, or its tools are being listed. CALLING: the generator has
ended, MCP tools have not returned; then it goes on in another round. SPEAKING: no more is generated, speech is still
being made. Text of a spoken message becomes segments; a segment's words are announced with its first audio, so that a
cancelled response never claims words that nobody could have heard.
"""

import enum
from typing import Final, Literal

import msgspec

from vivavoce.core.context import text_tokens
from vivavoce.core.conversation import Conversation, Entry
from vivavoce.core.emitter import Emitter
from vivavoce.core.heard import SpokenSegment
from vivavoce.core.limits import CHARACTERS_PER_TOKEN, MAX_MCP_ROUNDS
from vivavoce.core.mcp import THIS_SERVER, McpTarget
from vivavoce.core.mcp_calls import HiddenCall, HiddenCalls, McpCallOutput, McpRounds, write_approval_request
from vivavoce.core.output_items import ItemStatus, MessageOutput, Place, Writing, write_call
from vivavoce.core.requests import AudioEncoding, GenerationEnd, SpeechRequest, Word
from vivavoce.core.segments import Segmenter
from vivavoce.core.vocabulary import CancelGeneration, CancelSpeaking, EngineFault, Speak
from vivavoce.protocol.items import Item, McpError
from vivavoce.protocol.responses import ResponseAudio, StatusReason
from vivavoce.protocol.tools import Tool, ToolChoice


class ResponseState(enum.Enum):
    """Where a response is."""

    WAITING = "waiting"
    GENERATING = "generating"
    CALLING = "calling"
    SPEAKING = "speaking"
    COMPLETED = "completed"
    INCOMPLETE = "incomplete"
    CANCELLED = "cancelled"
    FAILED = "failed"


LIVE: Final = frozenset(
    {ResponseState.WAITING, ResponseState.GENERATING, ResponseState.CALLING, ResponseState.SPEAKING}
)
_CUTS: Final = frozenset({ResponseState.CANCELLED, ResponseState.FAILED})  # there was more to say
_ENDS: Final = frozenset(ResponseState) - LIVE
TRANSITIONS: Final[dict[ResponseState, frozenset[ResponseState]]] = {
    ResponseState.WAITING: frozenset({ResponseState.GENERATING, ResponseState.CALLING}) | _ENDS,
    ResponseState.GENERATING: frozenset({ResponseState.CALLING, ResponseState.SPEAKING}) | _ENDS,
    ResponseState.CALLING: frozenset({ResponseState.GENERATING, ResponseState.SPEAKING}) | _ENDS,
    ResponseState.SPEAKING: _ENDS,
    **{end: frozenset() for end in _ENDS},
}

CancelReason = Literal["turn_detected", "client_cancelled"]


class ResponsePlan(msgspec.Struct, frozen=True):
    """What a response was asked to be; fixed when it is created."""

    is_audio: bool
    instructions: str
    tools: tuple[Tool, ...]
    tool_choice: ToolChoice
    max_output_tokens: int | None  # None: no limit
    speed: float
    encoding: AudioEncoding
    audio: ResponseAudio
    conversation: Conversation | None  # None: out of band
    context: tuple[Entry, ...]
    metadata: dict[str, str] | None
    answers_item_id: str | None = None  # of an automatic response: the utterance it answers
    has_own_input: bool = False  # the client spelled the context out
    say: str | None = None  # spoken exactly as given: no generator is asked

    @property
    def voice(self) -> str:
        return self.audio.output.voice


class Ending(msgspec.Struct, frozen=True):
    """Why a response ends: `reason` is that of `status_details`; both are None where nothing is remarkable."""

    reason: StatusReason | None = None
    fault: EngineFault | None = None


class TokenCount(msgspec.Struct):
    """What a response has cost so far; `cached` is part of `text_in`. Counts of rounds add up."""

    text_in: int = 0
    audio_in: int = 0
    cached: int = 0
    text_out: int = 0  # of the rounds that have ended
    estimated: int = 0  # of the input, in the round under way
    counted_characters: int = 0  # of output: those that `text_out` stands for


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
        self.tokens = TokenCount()
        self.items: list[MessageOutput | McpCallOutput | Entry] = []
        self.mcp = McpRounds()
        self.hidden = HiddenCalls()
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
    def output_tokens(self) -> int:
        """Text tokens that were generated; an estimate for the round under way."""
        return self.tokens.text_out + text_tokens(self._characters - self.tokens.counted_characters)

    @property
    def output_samples(self) -> int:
        return sum(item.entry.samples for item in self.items if isinstance(item, MessageOutput))

    @property
    def spoken_characters(self) -> int:
        """Of the text that was given to the synthesizer."""
        return sum(len(speech.text) for speech in self._speech)

    @property
    def wants_round(self) -> bool:
        """Whether its MCP calls have returned, and it goes on with what they say."""
        return self.state is ResponseState.CALLING and self.mcp.is_complete

    def begin(self, text_in: int, audio_in: int) -> None:
        """The context is complete and costs this many tokens; the generator was asked."""
        self.tokens.text_in += text_in
        self.tokens.estimated = text_in
        self.tokens.audio_in += audio_in
        self.mcp.begin()
        self._go(ResponseState.GENERATING)

    def begin_calling(self, out: Emitter) -> None:
        """Make the calls that the client has approved; their results are generated from."""
        self._go(ResponseState.CALLING)
        calls, self.mcp.approved = self.mcp.approved, []
        for call in calls:
            target = McpTarget(call.server, call.name, needs_approval=False)
            self._call_mcp(out, target, call.arguments, call.request_id)

    def say(self, out: Emitter, text: str) -> None:
        """Give a text as it stands."""
        self._go(ResponseState.GENERATING)
        self._characters += len(text)
        self._write_allowed(out, text)
        self.finish_generation(out, "stop")

    def text_of(self, message: MessageOutput) -> str:
        """Return all that was generated for a message, spoken or not."""
        if not message.is_audio:
            return message.entry.text
        return "".join(speech.text for speech in self._speech if speech.message is message)

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

    def call(self, out: Emitter, name: str, arguments: str) -> Entry | None:
        """Take a generated call of a function or an MCP tool; returns the entry of its item, None if it has none."""
        if self.state is not ResponseState.GENERATING or not self.mcp.may_call:
            return None
        self._end_message_text(out)
        self._characters += len(name) + len(arguments)
        target = self.mcp.targets.get(name)
        if target is not None and target.server == THIS_SERVER:
            self._call_hidden(out, target, arguments)
            return None
        if target is not None and not target.needs_approval:
            return self._call_mcp(out, target, arguments)
        self.mcp.awaits_client = True
        place = self._next_place(out)
        if target is not None:
            entry = write_approval_request(out, place, target, arguments)
        else:
            entry = write_call(out, place, out.make_id("call"), name, arguments)
        self.items.append(entry)
        return entry

    def take_mcp_result(self, out: Emitter, item_id: str, output: str | None, error: McpError | None) -> None:
        """An MCP tool has returned or failed."""
        call = self.mcp.open.pop(item_id, None)
        if call is None:
            return
        call.close(out, output, error)
        self._leave_calling(out)

    def count_tokens(self, counted: TokenCount) -> None:
        """Take the generator's own counts of a round in place of the estimate; 0 means that it did not count."""
        if self.state is ResponseState.GENERATING:
            text_in = counted.text_in if counted.text_in > 0 else self.tokens.estimated
            self.tokens.text_in += text_in - self.tokens.estimated
            self.tokens.cached += max(0, min(counted.cached, text_in))
            text_out = counted.text_out if counted.text_out > 0 else self.output_tokens - self.tokens.text_out
            self.tokens.text_out += text_out
            self.tokens.counted_characters = self._characters

    def finish_generation(self, out: Emitter, reason: GenerationEnd) -> None:
        """The generator has ended."""
        if self.state is not ResponseState.GENERATING:
            return
        self.ending = Ending(reason=None if reason == "stop" else reason)
        self._go(ResponseState.CALLING if self.mcp.has_called else ResponseState.SPEAKING)
        self._end_message_text(out)
        self._leave_calling(out)
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

    def _call_mcp(
        self, out: Emitter, target: McpTarget, arguments: str, approval_request_id: str | None = None
    ) -> Entry:
        call = McpCallOutput(out, self._next_place(out), target, arguments, approval_request_id)
        self.mcp.has_called = True
        self.mcp.open[call.place.item_id] = call
        self.items.append(call)
        return call.entry

    def _call_hidden(self, out: Emitter, target: McpTarget, arguments: str) -> None:
        call = HiddenCall(out, out.make_id("call"), target, arguments)
        self.mcp.has_called = True
        self.mcp.open[call.call_id] = call
        self.hidden.add(len(self.items), call)

    def _leave_calling(self, out: Emitter) -> None:
        """Go on to the end if what has returned leads to no further round."""
        if self.state is not ResponseState.CALLING or self.mcp.open:
            return
        is_last = self.ending.reason is not None or self.mcp.count >= MAX_MCP_ROUNDS
        if is_last or self.mcp.awaits_client:
            self.mcp.has_called = False
            self._go(ResponseState.SPEAKING)
            self._finish_when_spoken(out)

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
        is_background = plan.conversation is None
        out.put(Speak(self.id, len(self._speech), request, plan.encoding, is_background))
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
        self.mcp.open.clear()
        self.hidden.cancel(out)
        self.hidden.leave_to([item if isinstance(item, Entry) else item.entry for item in self.items])
        for item in self.items:
            if isinstance(item, McpCallOutput) and item.state is Writing.OPEN:
                item.cancel(out)
            if isinstance(item, MessageOutput) and item.state is Writing.OPEN:
                status: ItemStatus = "completed" if state is ResponseState.COMPLETED else "incomplete"
                item.close(out, status, is_cut=state in _CUTS)
        self._go(state)

    def _next_place(self, out: Emitter) -> Place:
        return Place(self.id, out.make_id("item"), len(self.items), self.plan.conversation)

    def _go(self, state: ResponseState) -> None:
        assert state in TRANSITIONS[self.state], f"a response does not go from {self.state.value} to {state.value}"
        self.state = state
