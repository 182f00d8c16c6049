"""Where a compatible server is, with what key, and how long it may take. The key never shows in a representation."""

import urllib.parse
from typing import Final

import msgspec

from vivavoce.protocol.errors import ClientError
from vivavoce.protocol.hosts import DEFAULT_PORTS, Endpoint, check_headers, read_endpoint

MAX_KEY_LENGTH: Final = 4096


class Timeouts(msgspec.Struct, frozen=True):
    """Seconds to wait for a server; the time a listener may be left without an answer sets them."""

    connect_s: float = 5.0
    first_s: float = 30.0  # from the request to the first event or audio, with connecting and one more try
    silence_s: float = 15.0  # between one event or piece of audio and the next; comments of a stream do not count
    total_s: float = 300.0  # of waiting for one answer altogether; time in which nobody reads it does not count


class CompatibleServer(msgspec.Struct, frozen=True):
    """An OpenAI-compatible server. `base_url` ends before `/chat/completions` and its like, mostly in `/v1`.

    Raises ValueError for a URL, key or header that cannot be sent; the message never holds the key or a header's value.
    """

    base_url: str
    api_key: str = ""  # sent as a bearer token; empty: none is sent
    headers: tuple[tuple[str, str], ...] = ()  # further ones, with every request
    timeouts: Timeouts = Timeouts()
    max_connections: int = 64
    checks_models: bool = False  # `start` asks for `/models`, and fails where that fails
    query: tuple[tuple[str, str], ...] = ()  # parameters of every request, such as Azure's `api-version`

    def __post_init__(self) -> None:
        try:
            read_endpoint(self.base_url, "base_url")
            check_headers(dict(self.headers), bool(self.api_key))
        except ClientError as error:
            raise ValueError(f"{error.detail.param}: {error}") from None
        if "?" in self.base_url:
            raise ValueError("base_url: expected no query; its parameters belong into 'query'")
        if any(not name for name, _ in self.query):
            raise ValueError("query: expected parameters with a name")
        if len(self.api_key) > MAX_KEY_LENGTH or any(not "!" <= character <= "~" for character in self.api_key):
            raise ValueError(f"api_key: expected at most {MAX_KEY_LENGTH} visible ASCII characters")

    @property
    def endpoint(self) -> Endpoint:
        """Return host and port."""
        return read_endpoint(self.base_url, "base_url")

    @property
    def place(self) -> str:
        """Return host and port as messages show them."""
        return f"{_bracketed(self.endpoint.host)}:{self.endpoint.port}"

    @property
    def authority(self) -> str:
        """Return host and port as a `Host` header has them."""
        endpoint = self.endpoint
        return _bracketed(endpoint.host) if endpoint.port == DEFAULT_PORTS[endpoint.scheme] else self.place

    @property
    def secrets(self) -> tuple[str, ...]:
        """Return what must not be repeated."""
        return tuple(secret for secret in (self.api_key, *(value for _, value in self.headers + self.query)) if secret)

    def target(self, path: str, *query: tuple[str, str]) -> str:
        """Return what a request line asks for; `path` is below the base URL, `query` goes before the configured one."""
        base = "/" + self.base_url.split("://", 1)[1].partition("/")[2].strip("/")
        parameters = urllib.parse.urlencode((*query, *self.query))
        return base.rstrip("/") + path + (f"?{parameters}" if parameters else "")

    def request_headers(self) -> list[tuple[str, str]]:
        """Return the headers that every request carries; nothing may be compressed, so nothing is unpacked here."""
        key = [("Authorization", f"Bearer {self.api_key}")] if self.api_key else []
        return [*key, ("Accept-Encoding", "identity"), ("User-Agent", "vivavoce"), *self.headers]

    def __repr__(self) -> str:
        return f"CompatibleServer({self.place}, api_key={'set' if self.api_key else 'none'})"


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
