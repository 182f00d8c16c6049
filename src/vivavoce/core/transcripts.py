"""Input transcription: one transcript per utterance, from its first audio to its final text.

The pipeline always transcribes, since the words are the generator's input. The client sees transcription events
only if it asked for them when the utterance was opened.
"""

import enum

import msgspec

from vivavoce.core.conversation import Entry
from vivavoce.core.vocabulary import EngineFault


class TranscriptState(enum.Enum):
    """Where a transcript is."""

    LISTENING = "listening"  # the utterance goes on
    FINISHING = "finishing"  # committed; the final text is awaited
    SETTLED = "settled"  # final or failed


class Transcript(msgspec.Struct):
    """One utterance's transcript. `is_announced` tells that the client knows the item id already."""

    item_id: str
    number: int  # of the session's utterances, from 1
    is_visible: bool
    is_announced: bool
    state: TranscriptState = TranscriptState.LISTENING
    stable: str = ""  # what the transcriber will not rewrite
    text: str = ""  # all that it has heard so far
    sent: str = ""  # what the client has got as deltas
    entry: Entry | None = None  # the item whose words these are, from the commit on
    fault: EngineFault | None = None
    deadline: float = 0.0  # while FINISHING: when it counts as failed

    def unsent(self) -> str:
        """Return the stable text that the client has not got yet."""
        return self.stable[len(self.sent) :] if self.stable.startswith(self.sent) else ""


class Transcripts:
    """All transcripts that are not settled, and the outcome of the settled ones until they are taken."""

    def __init__(self) -> None:
        self._live: dict[str, Transcript] = {}
        self._opened_count = 0

    def open(self, item_id: str, *, is_visible: bool, is_announced: bool) -> Transcript:
        self._opened_count += 1
        transcript = Transcript(item_id, self._opened_count, is_visible, is_announced)
        self._live[item_id] = transcript
        return transcript

    def get(self, item_id: str) -> Transcript | None:
        """Return a transcript that is not settled."""
        return self._live.get(item_id)

    def finish(self, item_id: str, deadline: float) -> None:
        transcript = self._live[item_id]
        transcript.state = TranscriptState.FINISHING
        transcript.deadline = deadline

    def settle(self, item_id: str) -> Transcript:
        """Take a transcript out: its text or its fault is final."""
        transcript = self._live.pop(item_id)
        transcript.state = TranscriptState.SETTLED
        return transcript

    def drop(self, item_id: str) -> bool:
        """Forget an abandoned utterance; return whether it was live."""
        return self._live.pop(item_id, None) is not None

    def awaited(self) -> frozenset[str]:
        """Return the items whose text is still to come."""
        return frozenset(self._live)

    def owed(self) -> list[str]:
        """Return the committed items whose words the client waits for."""
        return [t.item_id for t in self._live.values() if t.is_visible and t.state is TranscriptState.FINISHING]

    def first_deadline(self) -> float | None:
        deadlines = [t.deadline for t in self._live.values() if t.state is TranscriptState.FINISHING]
        return min(deadlines, default=None)

    def overdue(self, now: float) -> list[str]:
        """Return the items whose transcriber never answered."""
        return [
            item_id
            for item_id, transcript in self._live.items()
            if transcript.state is TranscriptState.FINISHING and transcript.deadline <= now
        ]
