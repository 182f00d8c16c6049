"""How a server relays: which models go to which upstreams, and what every relayed session gets."""

import contextlib
import fnmatch
import random
from collections.abc import Callable
from typing import Any, Final

import msgspec

from vivavoce.core.relay.session import RelaySession
from vivavoce.core.relay.setting import RelaySetting
from vivavoce.core.relay.vocabulary import Body
from vivavoce.core.spending import Spending
from vivavoce.protocol.ids import IdSource
from vivavoce.protocol.session import SessionPatch, TracingChoice
from vivavoce.runtime.clock import Clock
from vivavoce.runtime.relay_account import RelayAccount
from vivavoce.runtime.relaying import HostedRelay, RelayParts
from vivavoce.runtime.sink import SessionRequest, Sink
from vivavoce.runtime.tracing import Tracer
from vivavoce.runtime.upstreams import ToolBox, UpstreamConnector, UpstreamRequest
from vivavoce.runtime.watching import RelayWatch, SessionObserver

# Fields for which null is a value; elsewhere it stands for a field that was not given.
_NULLABLE: Final = frozenset({"tracing", "transcription", "noise_reduction", "turn_detection"})


class RelayPlan(msgspec.Struct, frozen=True, kw_only=True):
    """The upstreams of a server, in the order in which they are tried, and what goes to them.

    `models` are patterns of names. `is_default`: sessions without a model, or with one that no table names, go there.
    """

    connectors: tuple[UpstreamConnector, ...]
    models: tuple[str, ...] = ()
    pinned_model: str | None = None  # that every session gets, whatever it asks for
    default_model: str | None = None  # of sessions that name none
    is_default: bool = False
    lifetime_s: float = 3600.0
    connect_s: float = 10.0
    retry_s: float = 30.0
    rollover_s: float = 3300.0
    tools: ToolBox | None = None

    def serves(self, model: str | None, known: bool) -> bool:
        """Return whether sessions of a model are relayed; `known`: the model table has it for another engine."""
        if known:
            return False
        if model is not None and any(fnmatch.fnmatchcase(model, pattern) for pattern in self.models):
            return True
        return self.is_default and (model is None or not self.models)

    def setting(self, session_id: str, request: SessionRequest) -> RelaySetting:
        """Return what a session is opened with."""
        configuration, locked = configuration_of(request.configuration, request.relayed)
        return RelaySetting(
            session_id=session_id,
            targets=tuple(connector.name for connector in self.connectors),
            kind=request.kind,
            model=self.model_of(request),
            configuration=configuration,
            locked=locked,
            functions=() if self.tools is None else tuple(self.tools.functions),
            lifetime_s=self.lifetime_s,
            connect_s=self.connect_s,
            retry_s=self.retry_s,
            rollover_s=self.rollover_s,
            jitter=random.random(),
        )

    def model_of(self, request: SessionRequest) -> str | None:
        """Return the model that an upstream is asked for."""
        return self.pinned_model or request.model or self.default_model

    async def close(self) -> None:
        """Release what the connectors share."""
        for connector in self.connectors:
            await connector.close()


class RelayEntry(msgspec.Struct, frozen=True):
    """One session that is to be relayed, and what surrounds it."""

    session_id: str
    request: SessionRequest
    sink: Sink
    spending: Spending
    tracer: Tracer | None = None
    observer: SessionObserver | None = None


def open_relay(
    plan: RelayPlan, entry: RelayEntry, clock: Clock, ids: IdSource, on_closed: Callable[[], None]
) -> HostedRelay:
    """Return a relayed session; the `Opened` input starts it."""
    request = entry.request
    account, setting = RelayAccount(entry.spending), plan.setting(entry.session_id, request)
    watch = RelayWatch(entry.session_id, entry.tracer, entry.observer)
    if (tracing := setting.configuration.get("tracing")) is not None:
        with contextlib.suppress(msgspec.ValidationError):  # the upstream tells
            watch.start_trace(msgspec.convert(tracing, TracingChoice))
    core = RelaySession(setting, ids, account)
    parts = RelayParts(
        plan.connectors,
        UpstreamRequest(
            plan.model_of(request), request.kind, request.safety_identifier, request.credential_id, account
        ),
        entry.sink,
        clock,
        plan.tools,
        watch,
    )
    return HostedRelay(entry.session_id, core, parts, on_closed)


def configuration_of(patch: SessionPatch | None, relayed: Body | None = None) -> tuple[Body, tuple[str, ...]]:
    """Return the session of a client secret as an upstream takes it, and the paths that are locked in it.

    Args:
        relayed: the session object as it came; without it, as much of it as this server understands.
    """
    if patch is None:
        return {}, ()
    extension = patch.vivavoce
    locked = () if extension is None or extension.locked is None else extension.locked
    body = _given(msgspec.to_builtins(patch)) if relayed is None else dict(relayed)
    for name in ("type", "model", "vivavoce"):
        body.pop(name, None)
    return body, locked


def _given(value: Any) -> Any:  # JSON boundary
    if not isinstance(value, dict):
        return value
    kept = {name: member for name, member in value.items() if member is not None or name in _NULLABLE}
    if kept.get("tracing", ...) is None:
        del kept["tracing"]
    return {name: _given(member) if name in ("audio", "input", "output") else member for name, member in kept.items()}
