"""A session with its runner, its engines and what surrounds it: the intake of audio and the trace."""

import asyncio
from typing import Final

from vivavoce.core.vocabulary import ClientRejected, FromClient, Input, Output, PlayAudio, ReduceNoise
from vivavoce.protocol.server_events import ServerEvent
from vivavoce.protocol.session import TracingChoice
from vivavoce.runtime.intake import Intake
from vivavoce.runtime.performers import EnginePerformer, EngineSet
from vivavoce.runtime.runner import Runner
from vivavoce.runtime.sink import Sink
from vivavoce.runtime.tracing import Tracer
from vivavoce.runtime.watching import Observers, SessionObserver

MAX_PENDING_MS: Final = 2_000.0  # audio that an engine may hold; then the socket is not read
CATCH_UP_POLL_S: Final = 0.02


class HostedSession:
    """The `LiveSession` of a transport, and the `SessionWatch` of its own performer."""

    def __init__(
        self,
        session_id: str,
        engines: EngineSet,
        sink: Sink,
        tracer: Tracer | None = None,
        observer: SessionObserver | None = None,
    ) -> None:
        self._id = session_id
        self._tracer = tracer
        self._observers = Observers([] if observer is None else [observer])
        self._is_traced = False
        self._performer = EnginePerformer(engines, sink, self._run, self)
        self._intake = Intake(engines.noise_reducer, self._run)
        self._runner: Runner | None = None

    @property
    def id(self) -> str:
        return self._id

    @property
    def takes_messages(self) -> bool:
        return False

    def run_with(self, runner: Runner) -> None:
        self._runner = runner

    def post(self, input: Input) -> None:
        """Hand an input to the session; the client's own in their order, after audio that is being cleaned."""
        if self._observers and isinstance(input, FromClient):
            self._observers.client(input.event)
        if isinstance(input, FromClient | ClientRejected):
            self._intake.put(input)
        else:
            self._run(input)

    def forward(self, message: bytes) -> bool:
        """Return False: messages are decoded on their way."""
        return False

    def is_behind(self) -> bool:
        return max(self._performer.pending_ms, self._intake.pending_ms) > MAX_PENDING_MS

    async def caught_up(self) -> None:
        """Return when the engines hold no more than their share of audio."""
        while self.is_behind():  # noqa: ASYNC110  # engines report a level, not an event
            await asyncio.sleep(CATCH_UP_POLL_S)

    def set_full(self, is_full: bool) -> None:
        """Do nothing: what is made here waits for `Sink.writable`."""

    # SessionWatch and Performer -------------------------------------------------------------------------------

    def reduce_noise(self, wanted: ReduceNoise) -> None:
        self._intake.set(wanted)

    def start_trace(self, tracing: TracingChoice) -> None:
        """Keep a trace from here on, where there is room for traces."""
        if self._tracer is not None and not self._is_traced:
            self._is_traced = True
            self._observers.add(self._tracer.open(self._id, tracing))

    def note_sent(self, event: ServerEvent | PlayAudio) -> None:
        """An event or audio goes to the client."""
        if self._observers:
            self._observers.server(event)

    def perform(self, output: Output) -> None:
        """Carry out one output; never blocks."""
        self._performer.perform(output)

    def close(self) -> None:
        """Stop everything; may be called again."""
        self._observers.close()
        self._intake.close()
        self._performer.close()

    def _run(self, input: Input) -> None:
        assert self._runner is not None, "a session runs before anything is posted"
        self._runner.post(input)
