"""The cost of one call into the session core, over whole conversations."""

import random
import time
from collections.abc import Iterator
from typing import Final

from bench.figures import Figure, percentile
from vivavoce.core.limits import WINDOW_SAMPLES
from vivavoce.core.session import LocalSession
from vivavoce.core.vocabulary import (
    FinishTranscript,
    FromClient,
    Generate,
    GenerationFinished,
    Input,
    Opened,
    Output,
    Speak,
    SpeechScored,
    SpeechSynthesized,
    SynthesisFinished,
    TextGenerated,
    TranscriptFinalized,
    TranscriptRevised,
)
from vivavoce.protocol.client_events import InputAudioBufferAppend
from vivavoce.protocol.ids import CountingIds
from vivavoce.protocol.session import default_session

TURNS: Final = 400
ALLOWED_US: Final = 50.0


class TimedSession:
    """A session whose every call is timed."""

    def __init__(self) -> None:
        effective = default_session(id="sess_1", model="m", voice="alloy", expires_at=0, instructions="Be kind.")
        self._session = LocalSession(effective, CountingIds())
        self._now = 0.0
        self.costs_us: list[float] = []

    def post(self, input: Input) -> list[Output]:
        self._now += 0.001
        started = time.perf_counter_ns()
        outputs = self._session.handle(input, self._now)
        self.costs_us.append((time.perf_counter_ns() - started) / 1000)
        return outputs

    def wait(self, seconds: float) -> None:
        self._now += seconds


def _windows(choose: random.Random) -> Iterator[float]:
    yield from [0.0] * 10
    yield from [1.0] * choose.randint(20, 60)
    yield from [0.0] * 18


def _turn(session: TimedSession, choose: random.Random, position: int) -> int:
    outputs: list[Output] = []
    for probability in _windows(choose):
        session.post(FromClient(InputAudioBufferAppend(audio=bytes(WINDOW_SAMPLES * 2))))
        position += WINDOW_SAMPLES
        outputs += session.post(SpeechScored(1, position, probability))
    item_id = next(o.item_id for o in outputs if isinstance(o, FinishTranscript))
    session.post(TranscriptRevised(item_id, "what is", "what is the"))
    generate = next(
        o for o in session.post(TranscriptFinalized(item_id, "what is the time")) if isinstance(o, Generate)
    )
    spoken: list[Output] = []
    for sentence in ("It is ten past three, as far as I can tell. ", "What else would you like to know? "):
        spoken += session.post(TextGenerated(generate.response_id, sentence))
    spoken += session.post(GenerationFinished(generate.response_id))
    for speak in [o for o in spoken if isinstance(o, Speak)]:
        for _ in range(8):
            session.post(SpeechSynthesized(generate.response_id, speak.segment, bytes(9600), 4800))
        session.post(SynthesisFinished(generate.response_id, speak.segment))
    session.wait(10.0)
    return position


def run() -> list[Figure]:
    """Return percentiles of `handle` over a long conversation."""
    session, choose, position = TimedSession(), random.Random(1), 0
    session.post(Opened(1_800_000_000))
    for _ in range(TURNS):
        position = _turn(session, choose, position)
    costs = session.costs_us
    return [
        Figure(f"handle, median of {len(costs)} calls over {TURNS} turns", percentile(costs, 0.5), "µs"),
        Figure("handle, p99", percentile(costs, 0.99), "µs", ALLOWED_US),
        Figure("handle, p99.9", percentile(costs, 0.999), "µs"),
    ]
