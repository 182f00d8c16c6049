"""What a session hears with: the detector, the transcribers of its utterances, and the turn scorer."""

import asyncio
import logging
from collections.abc import Callable
from contextlib import ExitStack

from vivavoce.core.vocabulary import (
    AbortTranscript,
    DetectSpeech,
    FeedTranscript,
    FinishTranscript,
    Input,
    OpenTranscript,
    ScoreTurn,
    TranscriptFailed,
    TranscriptFinalized,
    TranscriptOutput,
    TranscriptRevised,
    TurnScored,
)
from vivavoce.engines.base import Detector, EngineError, Transcriber, TurnScorer
from vivavoce.runtime.ears import DetectionEar, TranscriptEar, WireDecoder
from vivavoce.runtime.tasks import Tasks
from vivavoce.runtime.texts import whole_text

_log = logging.getLogger(__name__)


class Hearing:
    """The ears of one session."""

    def __init__(
        self,
        detector: Detector,
        transcriber: Transcriber,
        turn_scorer: TurnScorer | None,
        post: Callable[[Input], None],
    ) -> None:
        self._transcriber = transcriber
        self._turn_scorer = turn_scorer
        self._post = post
        self._detection = DetectionEar(detector, post)
        self._transcripts: dict[str, TranscriptEar] = {}
        self._scoring = Tasks()

    def detect(self, speech: DetectSpeech) -> None:
        self._detection.detect(speech)

    def transcribe(self, output: TranscriptOutput) -> None:
        if isinstance(output, OpenTranscript):
            opened = TranscriptEar(self._transcriber, self._settle, output)
            if not opened.is_over:
                self._transcripts[output.item_id] = opened
            return
        ear = self._transcripts.get(output.item_id)
        if ear is None:
            return
        match output:
            case FeedTranscript(audio=audio):
                ear.feed(audio)
            case FinishTranscript():
                ear.finish()
            case AbortTranscript(item_id=item_id):
                del self._transcripts[item_id]
                ear.abort()

    def score_turn(self, asked: ScoreTurn) -> None:
        """Ask the turn scorer; without an answer the words decide alone. One about an earlier silence is given up."""
        if self._turn_scorer is not None:
            self._scoring.cancel()
            self._scoring.start(self._score(self._turn_scorer, asked), name=f"score turn {asked.item_id}")

    @property
    def pending_ms(self) -> float:
        """The largest backlog of audio that an engine holds for this session."""
        return max([self._detection.pending_ms, *(ear.pending_ms for ear in self._transcripts.values())])

    def close(self) -> None:
        """Stop everything; may be called again."""
        self._scoring.cancel()
        with ExitStack() as streams:  # each is closed, whatever another raises
            streams.callback(self._detection.close)
            while self._transcripts:
                streams.callback(self._transcripts.popitem()[1].abort)

    def _settle(self, result: Input) -> None:
        """Pass a transcript on; its stream is over with the final result."""
        if isinstance(result, TranscriptFinalized | TranscriptFailed):
            self._transcripts.pop(result.item_id, None)
        self._post(_whole(result))

    async def _score(self, scorer: TurnScorer, asked: ScoreTurn) -> None:
        try:
            # Several seconds take some milliseconds to bring to the scorer's rate.
            pcm = await asyncio.to_thread(WireDecoder(asked.encoding).decode, asked.audio)
            probability = await scorer.score(pcm)
        except EngineError as error:
            _log.warning("turn scorer failed", extra={"engine": error.engine, "reason": str(error)})
            return
        if not 0 <= probability <= 1:  # NaN neither
            name = scorer.capabilities.name
            raise ValueError(f"the turn scorer '{name}' must answer with a probability in [0, 1], not {probability}")
        self._post(TurnScored(asked.item_id, asked.end_sample, probability))


def _whole(result: Input) -> Input:
    """Return a transcript whose words are Unicode text; where they had to be repaired their times are not known."""
    match result:
        case TranscriptRevised(item_id=item_id, stable=stable, text=text):
            return TranscriptRevised(item_id, whole_text(stable), whole_text(text))
        case TranscriptFinalized(item_id=item_id, text=text) if whole_text(text) != text:
            return TranscriptFinalized(item_id, whole_text(text))
        case _:
            return result
