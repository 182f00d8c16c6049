"""Where another Realtime server is and how it is asked: its address and the headers of the upgrade.

Follows the Realtime API reference, "Connect over WebSocket", and Azure's for its own forms: there a `deployment` in the
query stands for the model, and the key goes into the header `api-key`. Key and headers never show in a representation.
"""

import re
from typing import Final, Literal
from urllib.parse import urlencode

import msgspec

from vivavoce.engines.compatible.settings import MAX_KEY_LENGTH
from vivavoce.protocol.errors import ClientError
from vivavoce.protocol.hosts import DEFAULT_PORTS, Endpoint, check_headers, read_endpoint
from vivavoce.protocol.session_fields import SessionKind

Dialect = Literal["ga", "beta"]
Header = tuple[str, str]

AZURE_KEY: Final = "api-key"
_SCHEMES: Final = {"ws": "http", "wss": "https"}  # what the rule on hosts knows
_OWN_HEADERS: Final = ("openai-beta", "openai-safety-identifier", "user-agent")  # and all of `sec-websocket-`
_OWN_PARAMETERS: Final = ("model", "intent")
_VISIBLE: Final = re.compile(r"[!-~]+\Z")
_VALUE: Final = re.compile(r"[ -~]*\Z")


class Address(msgspec.Struct, frozen=True):
    """Where and for what a connection asks."""

    endpoint: Endpoint  # its scheme is http or https
    authority: str  # as the header `Host` has it
    target: str  # path and query

    @property
    def is_secure(self) -> bool:
        return self.endpoint.scheme == "https"


class UpstreamSettings(msgspec.Struct, frozen=True):
    """A Realtime server to relay to.

    Raises ValueError for a value that cannot be used; it names the field and never repeats a key or a header's value.
    """

    url: str  # base of its API, mostly ending in `/v1`; http, https, ws or wss
    api_key: str = ""  # sent as a bearer token; empty: none is sent
    dialect: Dialect = "ga"
    headers: tuple[Header, ...] = ()  # further ones; with `api-key` among them no bearer token is sent
    query: tuple[tuple[str, str], ...] = ()  # further parameters
    connect_s: float = 10.0  # from the first packet to the answered upgrade

    def __post_init__(self) -> None:
        _check_url(self.url)
        _check_key(self.api_key)
        _check_headers(self.headers, bool(self.api_key))
        _check_query(self.query)
        if not 0 < self.connect_s <= 120:
            raise ValueError(f"connect_s: expected seconds above 0 and at most 120, but got {self.connect_s:g}")

    @property
    def place(self) -> str:
        """Return host and port as logs show them."""
        endpoint = _endpoint(self.url)
        return f"{_bracketed(endpoint.host)}:{endpoint.port}"

    @property
    def secrets(self) -> tuple[str, ...]:
        """Return what must not be repeated."""
        return tuple(secret for secret in (self.api_key, *(value for _, value in self.headers)) if secret)

    def address(self, model: str | None, kind: SessionKind = "realtime") -> Address:
        """Return what to ask for; a transcription session names its model in its configuration, not here."""
        endpoint = _endpoint(self.url)
        is_named = not any(name == "deployment" for name, _ in self.query)
        chosen = [("intent", "transcription")] if kind == "transcription" else []
        if kind == "realtime" and model is not None and is_named:
            chosen = [("model", model)]
        query = urlencode([*self.query, *chosen])
        path = _path(self.url).rstrip("/") + "/realtime"
        return Address(endpoint, _authority(endpoint), f"{path}?{query}" if query else path)

    def request_headers(self, safety_identifier: str | None = None) -> list[Header]:
        """Return the headers of an upgrade besides those of RFC 6455.

        Args:
            safety_identifier: the end user; left out where it cannot stand in a header.
        """
        headers: list[Header] = [("User-Agent", "vivavoce")]
        if self.api_key and not any(name.lower() == AZURE_KEY for name, _ in self.headers):
            headers.append(("Authorization", f"Bearer {self.api_key}"))
        if self.dialect == "beta":
            headers.append(("OpenAI-Beta", "realtime=v1"))
        if safety_identifier and _VALUE.match(safety_identifier):
            headers.append(("OpenAI-Safety-Identifier", safety_identifier))
        return [*headers, *self.headers]

    def __repr__(self) -> str:
        return f"UpstreamSettings({self.place}, {self.dialect}, api_key={'set' if self.api_key else 'none'})"


def _check_url(url: str) -> None:
    try:
        _endpoint(url)
    except ClientError as error:
        raise ValueError(f"url: {error}") from None
    if "?" in url:
        raise ValueError("url: expected no query; further parameters stand in `query`")


def _check_key(key: str) -> None:
    if len(key) > MAX_KEY_LENGTH or (key and not _VISIBLE.match(key)):
        raise ValueError(f"api_key: expected at most {MAX_KEY_LENGTH} visible ASCII characters")


def _check_headers(headers: tuple[Header, ...], has_key: bool) -> None:
    names = [name.lower() for name, _ in headers]
    for name in names:
        if name in _OWN_HEADERS or name.startswith("sec-websocket-"):
            raise ValueError(f"headers.{name}: this header is set by the connection itself")
        if names.count(name) > 1:
            raise ValueError(f"headers.{name}: the header is given twice")
    try:
        check_headers(dict(headers), has_key)
    except ClientError as error:
        raise ValueError(f"{error.detail.param}: {error}") from None


def _check_query(query: tuple[tuple[str, str], ...]) -> None:
    for name, _ in query:
        if name in _OWN_PARAMETERS or not name:
            raise ValueError(f"query.{name}: this parameter is set by the connection itself")


def _endpoint(url: str) -> Endpoint:
    scheme, colon, rest = url.partition("://")
    return read_endpoint(f"{_SCHEMES.get(scheme.lower(), scheme)}{colon}{rest}", "url")


def _path(url: str) -> str:
    return "".join(url.partition("://")[2].partition("/")[1:])


def _authority(endpoint: Endpoint) -> str:
    host = _bracketed(endpoint.host)
    return host if endpoint.port == DEFAULT_PORTS[endpoint.scheme] else f"{host}:{endpoint.port}"


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
