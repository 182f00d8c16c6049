"""The client's and the engines' side of a session: what they were asked for, and what they have still to give."""

from typing import Final

from vivavoce.core import vocabulary as core
from vivavoce.core.input_buffer import samples_in
from vivavoce.core.limits import WINDOW_SAMPLES
from vivavoce.testing.model_rules import Broken, expect

UNTRACKED: Final = (core.ClearPlayout, core.ReduceNoise, core.StartTrace)


class Detector:
    """Follows one stream of audio, window by window."""

    def __init__(self) -> None:
        self.id = 0
        self.scored_sample = 0
        self.appended_sample = 0

    def take(self, output: core.DetectSpeech) -> None:
        """Note audio to score."""
        if output.detection_id != self.id:
            expect(output.detection_id > self.id, "engine balance", "a detector stream began again")
            self.id = output.detection_id
            self.scored_sample = output.start_sample
            self.appended_sample = output.start_sample
        expect(output.start_sample == self.appended_sample, "engine balance", "a detector's audio has a gap")
        self.appended_sample += samples_in(len(output.audio), output.encoding)

    @property
    def has_window(self) -> bool:
        return self.scored_sample + WINDOW_SAMPLES <= self.appended_sample


class Peers:
    """Outstanding requests by the id that results must carry."""

    def __init__(self) -> None:
        self.generators: dict[str, bool] = {}  # response -> whether it is out of band
        self.voices: dict[str, tuple[int, ...]] = {}  # response -> segments that are not finished, in order
        self.spoken: dict[str, int] = {}  # response -> segments that were asked for
        self.transcribers: dict[str, bool] = {}  # item -> whether its audio has ended
        self.scorers: dict[str, int] = {}  # item -> end_sample of the turn score that is wanted
        self.listings: dict[str, str] = {}  # mcp_list_tools item -> server
        self.calls: dict[str, str] = {}  # mcp_call item -> its response
        self.rounds: dict[str, bool] = {}  # response -> whether a call of its last round has returned
        self.detector = Detector()
        self.dead: dict[str, str] = {}  # kind of result -> the id that was cancelled or ended last

    def take(self, output: core.Output) -> None:
        """Note a request; raise `Broken` if it does not fit those before."""
        taker = _TAKERS.get(type(output))
        if taker is not None:
            taker(self, output)  # type: ignore[operator]  # each taker takes the type it stands for
        elif not isinstance(output, UNTRACKED):
            raise Broken("engine balance", f"the model does not know {type(output).__name__}")

    def end_response(self, response_id: str) -> None:
        """Check that no engine works for a response that has ended."""
        expect(response_id not in self.generators, "engine balance", "a generator works on when the response is done")
        expect(response_id not in self.voices, "engine balance", "a synthesizer works on when the response is done")
        expect(response_id not in self.calls.values(), "engine balance", "a tool works on when the response is done")
        self.spoken.pop(response_id, None)
        self.rounds.pop(response_id, None)
        self.dead["generate"] = self.dead["speak"] = response_id

    def is_idle(self) -> bool:
        """Whether nothing was asked for that is not finished."""
        return not (self.generators or self.voices or self.transcribers or self.scorers or self.listings or self.calls)

    def is_done(self) -> bool:
        """Whether nothing is left that would come by itself: an utterance that goes on may stay open."""
        return not (
            self.generators
            or self.voices
            or self.scorers
            or self.listings
            or self.calls
            or any(self.transcribers.values())
        )

    def generate(self, output: core.Generate) -> None:
        is_new = output.response_id not in self.generators and self.rounds.get(output.response_id, True)
        expect(is_new, "engine balance", "a response was generated twice")
        self.generators[output.response_id] = output.is_background
        self.rounds[output.response_id] = False

    def cancel_generation(self, output: core.CancelGeneration) -> None:
        self.generators.pop(output.response_id, None)

    def speak(self, output: core.Speak) -> None:
        asked = self.spoken.get(output.response_id, 0)
        expect(output.segment == asked, "engine balance", "segments are not numbered in order")
        expect(bool(output.speech.text), "engine balance", "an empty segment")
        self.spoken[output.response_id] = asked + 1
        self.voices[output.response_id] = (*self.voices.get(output.response_id, ()), output.segment)

    def finish_segment(self, response_id: str) -> None:
        """The synthesizer is through with its first segment."""
        left = self.voices[response_id][1:]
        if left:
            self.voices[response_id] = left
        else:
            del self.voices[response_id]

    def cancel_speaking(self, output: core.CancelSpeaking) -> None:
        self.voices.pop(output.response_id, None)

    def open_transcript(self, output: core.OpenTranscript) -> None:
        expect(output.item_id not in self.transcribers, "engine balance", "a transcript was opened twice")
        self.transcribers[output.item_id] = False

    def feed_transcript(self, output: core.FeedTranscript) -> None:
        is_open = self.transcribers.get(output.item_id) is False
        expect(is_open, "engine balance", "audio for a transcript that is not open")

    def finish_transcript(self, output: core.FinishTranscript) -> None:
        expect(self.transcribers.get(output.item_id) is False, "engine balance", "the end of a transcript not open")
        self.transcribers[output.item_id] = True

    def abort_transcript(self, output: core.AbortTranscript) -> None:
        self.transcribers.pop(output.item_id, None)
        self.scorers.pop(output.item_id, None)
        self.dead["transcribe"] = output.item_id

    def score_turn(self, output: core.ScoreTurn) -> None:
        self.scorers[output.item_id] = output.end_sample

    def list_tools(self, output: core.ListMcpTools) -> None:
        expect(output.item_id not in self.listings, "engine balance", "tools were listed twice")
        self.listings[output.item_id] = output.server.label

    def call_tool(self, item_id: str, response_id: str) -> None:
        """A tool is called for a response."""
        expect(item_id not in self.calls, "engine balance", "a tool was called twice")
        self.calls[item_id] = response_id

    def return_call(self, item_id: str) -> None:
        """A tool has returned or failed; when it was the last one its response may be generated from that."""
        response_id = self.calls.pop(item_id)
        self.rounds[response_id] = response_id not in self.calls.values()
        self.dead["call"] = item_id

    def cancel_mcp(self, output: core.CancelMcp) -> None:
        self.listings.pop(output.item_id, None)
        if self.calls.pop(output.item_id, None) is not None:
            self.dead["call"] = output.item_id

    def detect(self, output: core.DetectSpeech) -> None:
        self.detector.take(output)


_TAKERS: Final = {
    core.Generate: Peers.generate,
    core.CancelGeneration: Peers.cancel_generation,
    core.Speak: Peers.speak,
    core.CancelSpeaking: Peers.cancel_speaking,
    core.OpenTranscript: Peers.open_transcript,
    core.FeedTranscript: Peers.feed_transcript,
    core.FeedTranscript: Peers.feed_transcript,
    core.FinishTranscript: Peers.finish_transcript,
    core.AbortTranscript: Peers.abort_transcript,
    core.ScoreTurn: Peers.score_turn,
    core.ListMcpTools: Peers.list_tools,
    core.CancelMcp: Peers.cancel_mcp,
    core.DetectSpeech: Peers.detect,
}
