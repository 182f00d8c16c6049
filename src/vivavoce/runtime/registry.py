"""The live sessions of this process: opened within limits, drained at shutdown, each on its own."""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from vivavoce.core.session import LocalSession
from vivavoce.core.vocabulary import Draining, Input, Opened
from vivavoce.protocol.extensions import SessionExtension
from vivavoce.protocol.ids import IdSource
from vivavoce.protocol.session import default_session
from vivavoce.runtime.clock import Clock
from vivavoce.runtime.performers import EnginePerformer, EngineSet
from vivavoce.runtime.runner import Runner, TraceEntry
from vivavoce.runtime.sink import AtCapacity, LiveSession, SessionRequest, Sink

MAX_PENDING_MS: Final = 2_000.0  # audio that detector or recogniser may hold; then the socket is not read
CATCH_UP_POLL_S: Final = 0.02
RETRY_AFTER_S: Final = 5


class SessionSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What every session of this server starts with. `lifetime_s` 0 is unlimited."""

    default_model: str
    voice: str
    instructions: str
    lifetime_s: float = 3600.0
    max_sessions: int = 100
    max_sessions_per_key: int = 100


class HostedSession:
    """A session with its runner and its engines."""

    def __init__(self, session_id: str, performer_of: Callable[[Callable[[Input], None]], EnginePerformer]) -> None:
        self._id = session_id
        self._performer = performer_of(self.post)
        self._runner: Runner | None = None

    @property
    def id(self) -> str:
        return self._id

    @property
    def performer(self) -> EnginePerformer:
        return self._performer

    def run_with(self, runner: Runner) -> None:
        self._runner = runner

    def post(self, input: Input) -> None:
        """Hand an input to the session."""
        assert self._runner is not None, "a session runs before anything is posted"
        self._runner.post(input)

    def is_behind(self) -> bool:
        return self._performer.pending_ms > MAX_PENDING_MS

    async def caught_up(self) -> None:
        """Return when the engines hold no more than their share of audio."""
        while self.is_behind():  # noqa: ASYNC110  # engines report a level, not an event
            await asyncio.sleep(CATCH_UP_POLL_S)


class Registry:
    """Opens sessions and knows them all. `engines` maps model names; unknown names run on the default model."""

    def __init__(
        self,
        engines: Mapping[str, EngineSet],
        settings: SessionSettings,
        clock: Clock,
        ids: IdSource,
        trace: Callable[[str, TraceEntry], None] | None = None,
    ) -> None:
        self._engines = engines
        self._settings = settings
        self._clock = clock
        self._ids = ids
        self._trace = trace
        self._live: dict[str, HostedSession] = {}
        self._live_by_key: Counter[str] = Counter()
        self._empty = asyncio.Event()
        self._empty.set()

    def __len__(self) -> int:
        return len(self._live)

    def open(self, request: SessionRequest, sink: Sink) -> LiveSession:
        """Start a session.

        Raises:
            AtCapacity: the global or per-key limit is reached.
        """
        self._check_capacity(request)
        settings = self._settings
        engines = self._engines.get(request.model or "", self._engines[settings.default_model])
        session_id = self._ids.make("sess")
        effective = default_session(
            id=session_id,
            model=request.model or settings.default_model,
            voice=settings.voice,
            expires_at=0,
            instructions=settings.instructions,
        )
        effective = msgspec.structs.replace(
            effective, vivavoce=SessionExtension(engine=engines.name, stages=engines.stages)
        )
        hosted = HostedSession(session_id, lambda post: EnginePerformer(engines, sink, post))
        core = LocalSession(effective, self._ids, settings.lifetime_s)
        hosted.run_with(self._runner(core, hosted, request))
        self._enter(hosted, request)
        hosted.post(Opened(self._clock.unix_s()))
        return hosted

    def drain(self) -> None:
        """Tell every session that the server goes down."""
        for hosted in tuple(self._live.values()):
            hosted.post(Draining())

    async def emptied(self) -> None:
        """Return when no session is left."""
        await self._empty.wait()

    def _runner(self, core: LocalSession, hosted: HostedSession, request: SessionRequest) -> Runner:
        trace = self._trace
        return Runner(
            core,
            hosted.performer,
            self._clock,
            on_closed=lambda: self._leave(hosted, request),
            trace=None if trace is None else lambda entry: trace(hosted.id, entry),
        )

    def _check_capacity(self, request: SessionRequest) -> None:
        settings = self._settings
        if len(self._live) >= settings.max_sessions:
            raise AtCapacity(f"The server holds its limit of {settings.max_sessions} sessions.", RETRY_AFTER_S)
        key = request.credential_id
        if key is not None and self._live_by_key[key] >= settings.max_sessions_per_key:
            raise AtCapacity(f"This key holds its limit of {settings.max_sessions_per_key} sessions.", RETRY_AFTER_S)

    def _enter(self, hosted: HostedSession, request: SessionRequest) -> None:
        self._live[hosted.id] = hosted
        if request.credential_id is not None:
            self._live_by_key[request.credential_id] += 1
        self._empty.clear()

    def _leave(self, hosted: HostedSession, request: SessionRequest) -> None:
        del self._live[hosted.id]
        if request.credential_id is not None:
            self._live_by_key[request.credential_id] -= 1
            self._live_by_key += Counter()  # forget keys without sessions
        if not self._live:
            self._empty.set()
