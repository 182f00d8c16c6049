"""Builds the relay that the configuration asks for: its upstreams in their order, and what goes to them."""

import ipaddress
import socket
from collections.abc import Callable, Iterable
from typing import Final

from vivavoce.config.load import ConfigurationError
from vivavoce.config.model import Configuration
from vivavoce.engines.upstream.settings import UpstreamSettings
from vivavoce.protocol.errors import ClientError
from vivavoce.protocol.hosts import Endpoint, read_endpoint
from vivavoce.runtime.local_upstream import LocalUpstream
from vivavoce.runtime.performers import EngineSet
from vivavoce.runtime.registry import Registry
from vivavoce.runtime.relays import RelayPlan
from vivavoce.runtime.sink import LiveSession, Sink
from vivavoce.runtime.upstreams import ToolBox, UpstreamConnector, UpstreamRequest
from vivavoce.transports.upstream_websocket import UpstreamWebSocket
from vivavoce.wiring.hybrid import is_hosted

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1", "0.0.0.0", "::"})


def build_relay(configuration: Configuration, tools: ToolBox | None, failover: UpstreamConnector | None) -> RelayPlan:
    """Return how sessions are relayed; `upstream.url` is set.

    Raises:
        ConfigurationError: the upstream cannot be addressed, or is this server itself.
    """
    upstream = configuration.upstream
    settings = upstream_settings(configuration)
    table = configuration.models.table
    named = tuple(name for name, engine in table.items() if engine == "upstream")
    connectors: tuple[UpstreamConnector, ...] = (UpstreamWebSocket(settings),)
    return RelayPlan(
        connectors=connectors if failover is None else (*connectors, failover),
        models=(*named, *upstream.models),
        pinned_model=upstream.model or None,
        default_model=configuration.hosted.realtime_model or None,
        is_default=configuration.engines.default == "upstream",
        lifetime_s=configuration.server.session_lifetime_min * 60,
        connect_s=upstream.connect_s,
        retry_s=upstream.retry_s,
        rollover_s=upstream.rollover_min * 60,
        tools=tools,
    )


def upstream_settings(configuration: Configuration) -> UpstreamSettings:
    """Return where the upstream is, and with what key.

    Raises:
        ConfigurationError: it cannot be addressed, or is this server itself.
    """
    upstream, api_key = configuration.upstream, _key(configuration)
    try:
        settings = UpstreamSettings(
            url=upstream.url,
            api_key=api_key,
            dialect=upstream.dialect,
            headers=tuple((name, value.get_secret_value()) for name, value in upstream.headers.items()),
            query=tuple(upstream.query.items()),
            connect_s=upstream.connect_s,
        )
    except ValueError as error:
        raise ConfigurationError(f"upstream.{error}.") from error
    _refuse_ourselves(configuration, settings)
    return settings


def refuse_anonymous(configuration: Configuration, has_keys: bool) -> None:
    """Refuse to spend the upstream's key for whoever comes.

    Raises:
        ConfigurationError: sessions would be relayed for clients without a key.
    """
    upstream = configuration.upstream
    if upstream.url and not has_keys and not upstream.allow_anonymous:
        raise ConfigurationError(
            "upstream.url: this server has no keys, so anyone who reaches it could use the upstream's. "
            "Make one with `vivavoce keys create`, or set upstream.allow_anonymous = true."
        )


def failover_to(name: str, registry: Callable[[], Registry], engines: Callable[[], EngineSet]) -> LocalUpstream:
    """Return a pipeline of this process as an upstream; registry and engines are asked for when it is needed."""

    def open_session(request: UpstreamRequest, sink: Sink) -> LiveSession:
        return registry().open_failover(request, sink, engines())

    return LocalUpstream(name, open_session)


def _key(configuration: Configuration) -> str:
    """Return the upstream's key: the hosted one goes nowhere else.

    Raises:
        ConfigurationError: the hosted service would be asked without a key.
    """
    upstream, endpoint = configuration.upstream, _endpoint(configuration.upstream.url)
    own = upstream.api_key.get_secret_value()
    if own or not is_hosted(f"{endpoint.scheme}://{endpoint.host}:{endpoint.port}"):
        return own
    hosted = configuration.hosted.api_key.get_secret_value()
    if not hosted and not _brings_key(upstream.headers):
        raise ConfigurationError(f"upstream.api_key: {endpoint.host} needs a key; set it, or OPENAI_API_KEY.")
    return hosted


def _brings_key(headers: Iterable[str]) -> bool:
    return any(name.lower() in ("authorization", "api-key") for name in headers)


def _endpoint(url: str) -> Endpoint:
    scheme, colon, rest = url.partition("://")
    http = {"ws": "http", "wss": "https"}.get(scheme.lower(), scheme)
    try:
        return read_endpoint(f"{http}{colon}{rest}", "url")
    except ClientError as error:
        raise ConfigurationError(f"upstream.url: {error}.") from error


def _refuse_ourselves(configuration: Configuration, settings: UpstreamSettings) -> None:
    server, endpoint = configuration.server, _endpoint(settings.url)
    if not server.port or endpoint.port != server.port:
        return
    own_names = {server.host, *server.host_names} | _LOOPBACK
    if endpoint.host in {name.lower() for name in own_names} or _reaches(server.host, endpoint):
        raise ConfigurationError("upstream.url: this is the address of this server itself.")


def _reaches(host: str, endpoint: Endpoint) -> bool:
    """Tell whether an endpoint leads to where this machine listens; a name that is not known leads nowhere."""
    asked, own = _addresses(endpoint.host), _addresses(host)
    if any(address.is_unspecified for address in own):
        return any(address.is_loopback or address.is_unspecified or _is_of_machine(address) for address in asked)
    return bool(asked & own)


def _addresses(host: str) -> set[Address]:
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return set()
    addresses = (ipaddress.ip_address(str(sockaddr[0]).partition("%")[0]) for *_, sockaddr in found)
    return {getattr(address, "ipv4_mapped", None) or address for address in addresses}


def _is_of_machine(address: Address) -> bool:
    """Tell whether an address is one of this machine's: only those can be bound. Nothing is sent."""
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((str(address), 0))
        except OSError:
            return False
    return True
