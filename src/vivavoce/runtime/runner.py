"""The runner: hands inputs to a session one at a time, performs what it asks for, wakes it at its deadlines."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from typing import Protocol

import msgspec

from vivavoce.core.session import Session
from vivavoce.core.vocabulary import Close, Disconnected, Input, Output, Send
from vivavoce.protocol.errors import server_error
from vivavoce.protocol.server_events import ErrorEvent
from vivavoce.runtime.clock import Clock

_log = logging.getLogger(__name__)

BUG_CLOSE_CODE = 1011


class Performer(Protocol):
    """Carries out a session's outputs."""

    def perform(self, output: Output) -> None: ...

    def close(self) -> None:
        """Stop everything that is under way for the session; may be called again."""
        ...


class TraceEntry(msgspec.Struct, frozen=True):
    """One call into the session: None stands for a timer. Replaying the inputs reproduces the outputs."""

    now: float
    input: Input | None
    outputs: tuple[Output, ...]


class Runner:
    """Runs one session. `post` is a plain function: no task, no loop hop.

    A post made while an input is handled waits in a list that the outermost call drains before it returns. An
    exception out of the session is our bug: the trace is logged, the client told, this session alone is closed.
    """

    def __init__(
        self,
        session: Session,
        performer: Performer,
        clock: Clock,
        *,
        on_closed: Callable[[], None],
        trace: Callable[[TraceEntry], None] | None = None,
    ) -> None:
        self._session = session
        self._performer = performer
        self._clock = clock
        self._on_closed = on_closed
        self._trace = trace
        self._waiting: deque[Input | None] = deque()
        self._is_handling = False
        self._is_closed = False
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at: float | None = None

    @property
    def is_busy(self) -> bool:
        """Whether an input is being handled, so that what is posted waits."""
        return self._is_handling

    def post(self, input: Input) -> None:
        """Hand an input to the session and perform its outputs before anything else."""
        self._post(input)

    def _wake(self) -> None:
        self._timer = self._timer_at = None
        self._post(None)

    def _post(self, input: Input | None) -> None:
        if self._is_closed:
            return
        self._waiting.append(input)
        if self._is_handling:
            return
        self._is_handling = True
        try:
            while self._waiting and not self._is_closed:
                self._handle(self._waiting.popleft())
        finally:
            self._is_handling = False
        self._arm()

    def _handle(self, input: Input | None) -> None:
        now = self._clock.monotonic_s()
        try:
            outputs = self._session.handle_timer(now) if input is None else self._session.handle(input, now)
            if self._trace is not None:
                self._trace(TraceEntry(now, input, tuple(outputs)))
            for output in outputs:
                self._performer.perform(output)
        except Exception:
            _log.exception("session failed", extra={"input_type": type(input).__name__})
            self._fail()
            return
        if isinstance(input, Disconnected):
            self._close()

    def _fail(self) -> None:
        """Our bug: tell the client, end this session, leave all others alone."""
        for output in (
            Send(ErrorEvent(event_id="event_server_error", error=server_error().detail)),
            Close(BUG_CLOSE_CODE, "The server had an error."),
        ):
            try:
                self._performer.perform(output)
            except Exception:
                _log.exception("session could not be closed")
        self._close()

    def _close(self) -> None:
        if self._is_closed:
            return
        self._is_closed = True
        self._waiting.clear()
        try:
            self._performer.close()
        except Exception:
            _log.exception("session could not stop its engines")
        self._on_closed()

    def _arm(self) -> None:
        """Keep one timer, set to the session's next deadline."""
        deadline = None if self._is_closed else self._session.next_deadline()
        at = None if deadline is None else deadline.at
        if at == self._timer_at:
            return
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._timer_at = at
        if at is not None:
            delay_s = max(0.0, at - self._clock.monotonic_s())
            self._timer = asyncio.get_running_loop().call_later(delay_s, self._wake)
