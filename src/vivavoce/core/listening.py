"""Listening: the input buffer, the turn detector and the utterance that is being heard, on one clock."""

import msgspec

from vivavoce.core.input_buffer import InputBuffer
from vivavoce.core.limits import ONSET_WINDOWS_AUDIBLE, SAMPLES_PER_MS, WINDOW_SAMPLES
from vivavoce.core.turn import TurnDetector


class Utterance(msgspec.Struct):
    """Speech that has not been committed: the id its item will get and how much of it the transcriber has."""

    item_id: str
    start_sample: int
    fed_sample: int
    is_announced: bool  # `speech_started` told the client its id
    judged_text: str = ""  # the words whose `completeness` is known
    completeness: float = 0.5
    asked_sample: int = 0  # the turn scorer was asked about the silence up to here
    sound: float | None = None  # its answer, None while this silence has none


class Listening:
    """What the session knows of the user's voice. `detection_id` names the live detector stream."""

    def __init__(self) -> None:
        self.buffer = InputBuffer()
        self.turn = TurnDetector()
        self.utterance: Utterance | None = None
        self.detection_id = 1
        self.is_deaf = False  # the detector failed: audio that comes is nobody's
        self.idle_since_sample: int | None = None  # the silence that may time out began here
        self.idle_prompts = 0
        self.prompted_after = 0  # responses that had finished when the user was last found idle

    def clear(self, kept_ms: int = 0) -> None:
        """Drop uncommitted audio but for its last milliseconds."""
        if kept_ms:
            self.buffer.discard_before(self.buffer.end_sample - kept_ms * SAMPLES_PER_MS)
        else:
            self.buffer.clear()

    def restart_detection(self) -> None:
        """Drop the detector stream; the next audio goes to a fresh one. Scores still under way are void."""
        self.detection_id += 1
        self.is_deaf = False
        self.turn.reset(self.buffer.end_sample)

    def discard_silence(self, prefix_samples: int) -> None:
        """Keep only what a turn that begins now could still need."""
        onset_samples = ONSET_WINDOWS_AUDIBLE * WINDOW_SAMPLES
        self.buffer.discard_before(self.turn.scored_sample - prefix_samples - onset_samples)
