"""The live sessions of this process: opened within limits, drained at shutdown, each on its own."""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from vivavoce.core.configuring import configured, shown
from vivavoce.core.policy import SessionPolicy
from vivavoce.core.rate_limits import RateLimits
from vivavoce.core.session import LocalSession
from vivavoce.core.spending import NO_SPENDING, PaidModels, Spending, SpendingBook
from vivavoce.core.state import Profile
from vivavoce.core.vocabulary import Draining, Opened
from vivavoce.protocol.errors import ClientError
from vivavoce.protocol.extensions import SessionExtension
from vivavoce.protocol.ids import IdSource
from vivavoce.protocol.session import RealtimeSession, default_session, merge
from vivavoce.protocol.session_body import decode_session
from vivavoce.protocol.session_fields import EffectiveSession, as_kind
from vivavoce.runtime.clock import Clock
from vivavoce.runtime.hosted import HostedSession
from vivavoce.runtime.performers import EngineSet
from vivavoce.runtime.relays import RelayEntry, RelayPlan, open_relay
from vivavoce.runtime.runner import Runner, TraceEntry
from vivavoce.runtime.sink import AtCapacity, LiveSession, SessionRequest, Sink
from vivavoce.runtime.tracing import Tracer
from vivavoce.runtime.translation import HostedTranslation, TranslationSetting, initial_translation
from vivavoce.runtime.upstreams import ToolBox, UpstreamRequest
from vivavoce.runtime.watching import SessionObserver

RETRY_AFTER_S: Final = 5
MAX_REMEMBERED_KEYS: Final = 10_000  # whose rate limits are kept


class SessionSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What every session of this server starts with; the limits are per key, 0 is unlimited."""

    default_model: str
    voice: str
    instructions: str
    policy: SessionPolicy = SessionPolicy()
    requests_per_min: int = 0
    tokens_per_min: int = 0
    max_sessions: int = 100
    max_sessions_per_key: int = 100
    spending: SpendingBook | None = None  # None: nothing costs anything
    tools: ToolBox | None = None  # the server's own functions
    relay: RelayPlan | None = None  # to which upstreams sessions are relayed; None: none are
    observe: Callable[[str], SessionObserver] | None = None  # makes the observer of a session, by its id


class Registry:
    """Opens sessions and knows them all. `engines` maps model names; unknown names run on the default model."""

    def __init__(
        self,
        engines: Mapping[str, EngineSet],
        settings: SessionSettings,
        clock: Clock,
        ids: IdSource,
        trace: Callable[[str, TraceEntry], None] | None = None,
        tracer: Tracer | None = None,
    ) -> None:
        """Make a host of sessions.

        Args:
            trace: told every call into a session's core, for replays.
            tracer: keeps the traces that clients ask for; None: nothing is kept.
        """
        self._tracer = tracer
        self._engines = engines
        self._settings = settings
        self._clock = clock
        self._ids = ids
        self._trace = trace
        self._live: dict[str, LiveSession] = {}
        self._live_by_key: Counter[str] = Counter()
        self._limits: dict[str, RateLimits] = {}
        self._empty = asyncio.Event()
        self._empty.set()

    @property
    def spending(self) -> SpendingBook | None:
        """What the sessions of each key cost; None: nothing costs anything."""
        return self._settings.spending

    def __len__(self) -> int:
        return len(self._live)

    def open(self, request: SessionRequest, sink: Sink) -> LiveSession:
        """Start a session.

        Raises:
            AtCapacity: the global or per-key limit is reached.
            ClientError: the request's configuration cannot be had.
        """
        self._check_capacity(request)
        if (plan := self._settings.relay) is not None and self.relays(request.model):
            return self._open_relay(plan, request, sink)
        return self._open_local(_judged_here(request), sink)

    def relays(self, model: str | None) -> bool:
        """Return whether sessions of a model are relayed; None is no model in particular."""
        return self._settings.relay is not None and self._settings.relay.serves(model, known=model in self._engines)

    def open_failover(self, wanted: UpstreamRequest, sink: Sink, engines: EngineSet) -> LiveSession:
        """Start a session in which a relayed one goes on. It is counted and traced as that one, and pays with it.

        Raises:
            ClientError: the session cannot be had.
        """
        request = SessionRequest(
            "failover", wanted.model, wanted.credential_id, wanted.kind, safety_identifier=wanted.safety_identifier
        )
        spending = NO_SPENDING if wanted.account is None else wanted.account.hand_over(engines.paid)
        hosted, core = self._prepare(request, sink, engines, spending)
        hosted.run_with(Runner(core, hosted, self._clock, on_closed=lambda: None))
        hosted.post(Opened(self._clock.unix_s()))
        return hosted

    def _open_local(self, request: SessionRequest, sink: Sink) -> LiveSession:
        engines = self._engines_of(request)
        spending = self._account(request, engines.paid)
        try:
            hosted, core = self._prepare(request, sink, engines, spending, self._tracer)
        except ClientError:
            spending.close(self._clock.monotonic_s())
            raise
        hosted.run_with(self._runner(core, hosted, request, spending))
        self._enter(hosted, request)
        hosted.post(Opened(self._clock.unix_s()))
        return hosted

    def _prepare(
        self,
        request: SessionRequest,
        sink: Sink,
        engines: EngineSet,
        spending: Spending,
        tracer: Tracer | None = None,
    ) -> tuple[HostedSession, LocalSession]:
        profile = self._profile(request, engines)
        effective = self._configured(request, engines, profile)
        hosted = HostedSession(effective.id, engines, sink, tracer, self._observer(effective.id))
        profile = msgspec.structs.replace(profile, spending=spending, paid=engines.paid)
        return hosted, LocalSession.with_profile(effective, self._ids, profile)

    def _open_relay(self, plan: RelayPlan, request: SessionRequest, sink: Sink) -> LiveSession:
        spending = self._account(request, PaidModels(generator=plan.model_of(request)))
        session_id = self._ids.make("sess")
        entry = RelayEntry(session_id, request, sink, spending, self._tracer, self._observer(session_id))
        hosted = open_relay(
            plan, entry, self._clock, self._ids, on_closed=lambda: self._leave(hosted, request, spending)
        )
        self._enter(hosted, request)
        hosted.post(Opened(self._clock.unix_s()))
        return hosted

    def _observer(self, session_id: str) -> SessionObserver | None:
        return None if self._settings.observe is None else self._settings.observe(session_id)

    def describe(self, request: SessionRequest) -> EffectiveSession:
        """Return the session that a request would get, before it starts: `expires_at` is 0.

        Raises:
            ClientError: the request's configuration cannot be had.
        """
        if (plan := self._settings.relay) is not None and self.relays(request.model):
            return self._described(plan, request)
        request, engines = _judged_here(request), self._engines_of(request)
        profile = self._profile(request, engines)
        return shown(self._configured(request, engines, profile), profile)

    def _described(self, plan: RelayPlan, request: SessionRequest) -> EffectiveSession:
        """Return what is known of a relayed session: the upstream has its own defaults, and judges the rest."""
        settings, patch = self._settings, request.configuration
        model = plan.model_of(request) or settings.default_model
        session = default_session(
            id=self._ids.make("sess"), model=model, voice=settings.voice, expires_at=0, instructions=""
        )
        if patch is not None:
            session = merge(session, msgspec.structs.replace(patch, model=None))
        locked = (patch.vivavoce.locked if patch is not None and patch.vivavoce is not None else None) or ()
        extension = SessionExtension(engine=plan.connectors[0].name, locked=locked)
        return as_kind(msgspec.structs.replace(session, vivavoce=extension), request.kind)

    def translates(self, model: str | None) -> bool:
        """Return whether the engines behind a model name translate; None is the default model."""
        return not self.relays(model) and self._engines_named(model).translator is not None

    def open_translation(self, request: SessionRequest, sink: Sink) -> LiveSession:
        """Start a translation session; raises as `open`."""
        self._check_capacity(request)
        engines = self._engines_of(request)
        model = request.model or self._settings.default_model
        session = initial_translation(self._ids.make("sess"), model, engines.name, request.translation)
        setting = TranslationSetting(engines, self._profile(request, engines).policy, self._clock, self._ids)
        hosted = HostedTranslation(session, setting, sink, on_closed=lambda: self._leave(hosted, request))
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

    def _engines_of(self, request: SessionRequest) -> EngineSet:
        return msgspec.structs.replace(self._engines_named(request.model), tools=self._settings.tools)

    def _engines_named(self, model: str | None) -> EngineSet:
        return self._engines.get(model or "", self._engines[self._settings.default_model])

    def _profile(self, request: SessionRequest, engines: EngineSet) -> Profile:
        settings, languages = self._settings, engines.transcriber.capabilities.languages
        policy = msgspec.structs.replace(
            settings.policy,
            language=languages[0] if len(languages) == 1 else None,
            scores_turns=engines.turn_scorer is not None,
            transcription_models=engines.transcriber.capabilities.models,
            ignored=(*(path for path in self._ignorable() if path not in engines.honoured), *engines.unused),
            context_tokens=engines.generator.capabilities.context_tokens or settings.policy.context_tokens,
        )
        functions = () if engines.tools is None else tuple(engines.tools.functions)
        limits = self._limits_of(request)
        return Profile(request.kind, policy, limits, settings.instructions, functions=functions)

    def _ignorable(self) -> tuple[str, ...]:
        ignored = self._settings.policy.ignored
        return ignored if self._tracer is not None else (*ignored, "tracing")

    def _limits_of(self, request: SessionRequest) -> RateLimits:
        """Return the limits that all sessions of a key share, one after the other too.

        A server without keys admits any; so many are remembered, and those longest unused are forgotten.
        """
        settings = self._settings
        key = request.credential_id or ""
        limits = self._limits.pop(key, None) or RateLimits(settings.requests_per_min, settings.tokens_per_min)
        self._limits[key] = limits  # the most recent is the last
        if len(self._limits) > MAX_REMEMBERED_KEYS:
            del self._limits[next(iter(self._limits))]
        return limits

    def _configured(self, request: SessionRequest, engines: EngineSet, profile: Profile) -> RealtimeSession:
        settings = self._settings
        session = default_session(
            id=self._ids.make("sess"),
            model=request.model or settings.default_model,
            voice=settings.voice,
            expires_at=0,
            instructions=settings.instructions,
        )
        extension = SessionExtension(engine=engines.name, stages=engines.stages)
        session = msgspec.structs.replace(session, vivavoce=extension)
        if request.configuration is None:
            return session
        return configured(session, request.configuration, profile)

    def _account(self, request: SessionRequest, models: PaidModels) -> Spending:
        """Open the account of a session with the ledger of its key; `_leave` closes it."""
        book = self._settings.spending
        if book is None:
            return NO_SPENDING
        now = self._clock.monotonic_s()
        book.clock.set(self._clock.unix_s(), now)
        return book.session(request.credential_id, now, models)

    def _runner(self, core: LocalSession, hosted: HostedSession, request: SessionRequest, spending: Spending) -> Runner:
        trace = self._trace
        return Runner(
            core,
            hosted,
            self._clock,
            on_closed=lambda: self._leave(hosted, request, spending),
            trace=None if trace is None else lambda entry: trace(hosted.id, entry),
        )

    def _check_capacity(self, request: SessionRequest) -> None:
        settings = self._settings
        if len(self._live) >= settings.max_sessions:
            raise AtCapacity(f"The server holds its limit of {settings.max_sessions} sessions.", RETRY_AFTER_S)
        key = request.credential_id
        if key is not None and self._live_by_key[key] >= settings.max_sessions_per_key:
            raise AtCapacity(f"This key holds its limit of {settings.max_sessions_per_key} sessions.", RETRY_AFTER_S)

    def _enter(self, hosted: LiveSession, request: SessionRequest) -> None:
        self._live[hosted.id] = hosted
        if request.credential_id is not None:
            self._live_by_key[request.credential_id] += 1
        self._empty.clear()

    def _leave(self, hosted: LiveSession, request: SessionRequest, spending: Spending = NO_SPENDING) -> None:
        spending.close(self._clock.monotonic_s())
        del self._live[hosted.id]
        if request.credential_id is not None:
            self._live_by_key[request.credential_id] -= 1
            self._live_by_key += Counter()  # forget keys without sessions
        if not self._live:
            self._empty.set()


def _judged_here(request: SessionRequest) -> SessionRequest:
    """Return a request whose session object was for an upstream to judge as one for the engines here.

    Raises:
        ClientError: `session.update` would not take it.
    """
    if request.relayed is None:
        return request
    return msgspec.structs.replace(request, configuration=decode_session(request.relayed), relayed=None)
