"""Which requests are ours to answer: the Host and Origin check, and the CORS headers that follow from it.

The Host check defeats DNS rebinding (a foreign name that resolves to this machine); the Origin check defeats pages
of other sites, which a browser lets open WebSockets to anywhere. Both hold for HTTP and WebSocket alike.
"""

import ipaddress
import re
from collections.abc import Sequence
from typing import Final
from urllib.parse import urlsplit

import msgspec

from vivavoce.app.errors import HttpError

ANY_ORIGIN: Final = "*"
LOOPBACK_NAMES: Final = frozenset({"localhost", "127.0.0.1", "::1"})
PROTECTED_PREFIXES: Final = ("/v1", "/openai", "/api", "/metrics")
SESSION_PREFIXES: Final = ("/v1/realtime", "/v1/realtime/translations", "/openai/v1/realtime")
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_SHOWN_CHARACTERS: Final = 100

_ALLOWED_METHODS: Final = "GET, POST, PUT, PATCH, DELETE, OPTIONS"
_ALLOWED_HEADERS: Final = ("Authorization", "Content-Type", "OpenAI-Beta", "X-OpenAI-Agents-SDK", "api-key")
_HEADER_NAME: Final = re.compile(r"[A-Za-z0-9-]{1,64}")
_MAX_ASKED_HEADERS: Final = 64
_EXPOSED_HEADERS: Final = "Location, X-Request-Id"


class Authority(msgspec.Struct, frozen=True):
    """A host name or address in its one normal form, and the port if it was given."""

    host: str
    port: int | None


class AccessPolicy(msgspec.Struct, frozen=True):
    """What the check goes by. Make it with `access_policy`, which normalises names and origins."""

    host_names: frozenset[str]
    allowed_origins: frozenset[str]
    has_keys: bool


class Asked(msgspec.Struct, frozen=True):
    """What the check looks at: every value of the two headers, and the address the connection came in at."""

    hosts: Sequence[str]
    origins: Sequence[str] = ()
    local_address: str | None = None


def access_policy(
    host_names: Sequence[str] = (), allowed_origins: Sequence[str] = (), *, has_keys: bool = False
) -> AccessPolicy:
    """Return the policy for a server that answers to `host_names` besides the loopback names.

    Args:
        allowed_origins: origins such as `https://app.example`; `*` allows all but `null` and needs keys.
        has_keys: whether a key is demanded. Keys may be made later: `with_keys` returns the policy for then.

    Raises:
        ValueError: a name or an origin that can never match, or `*` without keys.
    """
    names = [parse_authority(name) for name in host_names]
    for name, authority in zip(host_names, names, strict=True):
        if authority is None or authority.port is not None:
            raise ValueError(f"expected a host name or address without a port, got {name!r}")
    origins = frozenset(_configured_origin(origin, has_keys) for origin in allowed_origins)
    hosts = LOOPBACK_NAMES | {authority.host for authority in names if authority is not None}
    return AccessPolicy(hosts, origins, has_keys)


def with_keys(policy: AccessPolicy, *, has_keys: bool) -> AccessPolicy:
    """Return the policy for a server that demands a key, or does not."""
    return policy if policy.has_keys == has_keys else msgspec.structs.replace(policy, has_keys=has_keys)


def check_access(policy: AccessPolicy, asked: Asked) -> HttpError | None:
    """Return why the request is refused (421 for its Host, 403 for its Origin), or None."""
    host = parse_authority(asked.hosts[0]) if len(asked.hosts) == 1 else None
    if host is None or not _is_own_host(policy, host.host, asked.local_address):
        return HttpError(status=421, message=f"Not a host of this server: {_shown(asked.hosts)}.")
    if len(asked.origins) > 1 or not all(_is_allowed(policy, host, origin) for origin in asked.origins):
        return HttpError(status=403, message=f"Not an allowed origin: {_shown(asked.origins)}.")
    return None


def cors_headers(policy: AccessPolicy, origin: str | None) -> dict[str, str]:
    """Return the CORS headers for an answer to a request that passed the check."""
    if policy.has_keys:
        return {"access-control-allow-origin": "*", "access-control-expose-headers": _EXPOSED_HEADERS}
    if origin is None:
        return {"vary": "Origin"}
    return {
        "access-control-allow-origin": origin,
        "access-control-expose-headers": _EXPOSED_HEADERS,
        "vary": "Origin",
    }


def preflight_headers(asked: str = "") -> dict[str, str]:
    """Return what an `OPTIONS` answer has besides `cors_headers`.

    Args:
        asked: `Access-Control-Request-Headers`. Client libraries add headers of their own (`x-stainless-…`), so what
            an admitted origin names is allowed: no header gives it more than its key does.
    """
    names = [name.strip() for name in asked.split(",")[:_MAX_ASKED_HEADERS]]
    known = {name.lower() for name in _ALLOWED_HEADERS}
    more = [name for name in names if _HEADER_NAME.fullmatch(name) and name.lower() not in known]
    return {
        "access-control-allow-methods": _ALLOWED_METHODS,
        "access-control-allow-headers": ", ".join((*_ALLOWED_HEADERS, *more)),
        "access-control-max-age": "600",
    }


def opens_to_secrets(path: str) -> bool:
    """Tell whether an HTTP request may come with a client secret: it opens realtime sessions and does nothing else."""
    calls = tuple(f"{prefix}/calls" for prefix in SESSION_PREFIXES)
    return path in SESSION_PREFIXES or path in calls or path.startswith(tuple(f"{call}/" for call in calls))


def is_protected(path: str) -> bool:
    """Tell whether a path needs a credential: the API does, health and the web client do not."""
    return any(path == prefix or path.startswith(f"{prefix}/") for prefix in PROTECTED_PREFIXES)


def parse_authority(text: str) -> Authority | None:
    """Return `HOST[:PORT]` in normal form, or None if it is none.

    Names are lower case without a trailing dot; addresses are as short as possible and without brackets.
    """
    host, port = _split_port(text)
    if host.startswith("[") and host.endswith("]"):
        return _address_authority(host[1:-1], port, version=6)
    host = host.lower().removesuffix(".")
    if not host or any(character in host for character in "[]:@/\\?# \t%,") or not host.isascii():
        return _address_authority(text, "", version=6)  # a configured `::1` comes without brackets
    return _named_authority(host, port)


def _split_port(text: str) -> tuple[str, str]:
    head, colon, port = text.rpartition(":")
    if colon and (head.endswith("]") or ":" not in head):
        return head, port if port.isdigit() and port.isascii() else "bad"
    return text, ""


def _named_authority(host: str, port: str) -> Authority | None:
    return None if port == "bad" else Authority(host, _port_number(port))


def _address_authority(address: str, port: str, version: int) -> Authority | None:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return None
    if parsed.version != version or port == "bad":
        return None
    return Authority(str(parsed), _port_number(port))


def _port_number(port: str) -> int | None:
    return int(port[:6]) if port else None


def _configured_origin(origin: str, has_keys: bool) -> str:
    if origin == ANY_ORIGIN:
        if not has_keys:
            raise ValueError("the origin '*' is allowed only when API keys are configured")
        return origin
    normal = normal_origin(origin)
    if normal is None:
        raise ValueError(f"expected an origin such as 'https://app.example', got {origin!r}")
    return normal


def normal_origin(origin: str) -> str | None:
    """Return an origin in normal form with its port always given, or None for `null` and other non-origins."""
    try:
        parts = urlsplit(origin)
    except ValueError:
        return None
    authority = parse_authority(parts.netloc)
    if authority is None or parts.path or parts.query or parts.fragment:
        return None
    port = authority.port or _DEFAULT_PORTS.get(parts.scheme)
    return None if port is None else f"{parts.scheme}://{authority.host}:{port}"


def _is_own_host(policy: AccessPolicy, host: str, local_address: str | None) -> bool:
    return host in policy.host_names or (local_address is not None and host == local_address.partition("%")[0])


def _is_allowed(policy: AccessPolicy, host: Authority, origin: str) -> bool:
    normal = normal_origin(origin)
    if normal is None:
        return False
    if normal in policy.allowed_origins or (ANY_ORIGIN in policy.allowed_origins and policy.has_keys):
        return True
    # Our own page: the same host and port as asked for, over http or (behind a proxy that ends TLS) https.
    return any(normal == f"{scheme}://{host.host}:{host.port or port}" for scheme, port in _DEFAULT_PORTS.items())


def _shown(values: Sequence[str]) -> str:
    return ", ".join(repr(value[:_SHOWN_CHARACTERS]) for value in values[:2]) or "none was given"
