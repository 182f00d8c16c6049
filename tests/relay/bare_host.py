"""A host of relayed sessions put together without `wiring`."""

from vivavoce.config.model import Configuration
from vivavoce.core.relay.session import RelaySession
from vivavoce.core.relay.setting import RelaySetting
from vivavoce.core.spending import NoSpending
from vivavoce.core.vocabulary import Opened
from vivavoce.engines.upstream.settings import UpstreamSettings
from vivavoce.protocol.session_fields import EffectiveSession
from vivavoce.runtime.clock import RandomIds, SystemClock
from vivavoce.runtime.relaying import HostedRelay, RelayParts
from vivavoce.runtime.sink import LiveSession, SessionRequest, Sink
from vivavoce.runtime.upstreams import UpstreamRequest
from vivavoce.transports.upstream_websocket import UpstreamWebSocket


class BareHost:
    """Relays every session."""

    def __init__(self, configuration: Configuration) -> None:
        self._configuration = configuration
        upstream = configuration.upstream
        settings = UpstreamSettings(
            upstream.url, api_key=upstream.api_key.get_secret_value(), connect_s=upstream.connect_s
        )
        self._connector = UpstreamWebSocket(settings)

    def open(self, request: SessionRequest, sink: Sink) -> LiveSession:
        ids, clock, upstream = RandomIds(), SystemClock(), self._configuration.upstream
        setting = RelaySetting(
            session_id=ids.make("sess"),
            targets=("upstream",),
            kind=request.kind,
            model=upstream.model or request.model,
            connect_s=upstream.connect_s,
            retry_s=upstream.retry_s,
            rollover_s=upstream.rollover_min * 60,
        )
        core = RelaySession(setting, ids, NoSpending())
        asked = UpstreamRequest(setting.model, request.kind, request.safety_identifier)
        parts = RelayParts((self._connector,), asked, sink, clock)
        hosted = HostedRelay(setting.session_id, core, parts, on_closed=lambda: None)
        hosted.post(Opened(clock.unix_s()))
        return hosted

    def describe(self, request: SessionRequest) -> EffectiveSession:
        raise NotImplementedError("tests of relayed sessions ask for no secrets of this host")
