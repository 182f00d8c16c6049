"""Which remote servers a client may name: the rule on a URL and on what is sent along, without resolving anything.

A URL is read by a grammar so narrow that no two parsers can disagree on its host: printable ASCII, no user, no
fragment, a plain name or a canonical address. What other libraries would repair is refused here.
"""

import ipaddress
import re
from collections.abc import Collection, Mapping
from typing import Final

import msgspec

from vivavoce.protocol.errors import ClientError, invalid_content, listed, quoted

MAX_URL_LENGTH: Final = 2048
MAX_HEADERS: Final = 32
MAX_HEADER_LENGTH: Final = 8192  # of a name and its value; what servers take in common
ANY_PUBLIC: Final = "*"
DEFAULT_PORTS: Final = {"http": 80, "https": 443}

_MAX_NAMED: Final = 10  # allowed hosts that an error repeats
_URL: Final = re.compile(
    r"(?P<scheme>[Hh][Tt][Tt][Pp][Ss]?)://(?P<host>\[[!-~]*?\]|(?:(?![:/?#@\[\]\\])[!-~])*)"
    r"(?::(?P<port>[1-9][0-9]{0,4}))?(?P<target>[/?][\x21\x22\x24-\x5b\x5d-\x7e]*)?\Z"
)
_LABEL: Final = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_NAME: Final = re.compile(rf"(?=.{{1,253}}\Z){_LABEL}(?:\.{_LABEL})*\Z")
_NUMERIC_LABEL: Final = re.compile(r"(?:[0-9]+|0x[0-9a-f]*)\Z")  # what resolvers take for a part of an IPv4 address
_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+\Z")  # RFC 9110 section 5.6.2
_HEADER_VALUE: Final = re.compile(r"[\x21-\x7e\x80-\xff](?:[\t\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?\Z")
_BEARER_TOKEN: Final = re.compile(r"[\x21-\x7e]+\Z")
_OWN_HEADERS: Final = frozenset(
    "accept accept-encoding connection content-encoding content-length content-type expect host keep-alive "
    "last-event-id proxy-authorization proxy-connection te trailer transfer-encoding upgrade".split()
)


class Endpoint(msgspec.Struct, frozen=True):
    """Where a URL leads: `host` is a lower-case name or a canonical address, an IPv6 one without brackets."""

    scheme: str
    host: str
    port: int


def check_url(url: str, allowed_hosts: Collection[str], param: str = "server_url") -> None:
    """Accept the URL of a remote server that a client may name.

    Args:
        allowed_hosts: exact names or addresses, `*.example.com` for names below a domain, `*` for any host with a
            public address. Only a host that is named exactly may be reached by `http`.

    Raises:
        ClientError: `invalid_value` at `param`; it names the host and what is allowed, never the rest of the URL.
    """
    endpoint = read_endpoint(url, param)
    if not allowed_hosts:
        raise invalid_content(param, "this server does not let clients name remote servers")
    if is_named(endpoint.host, allowed_hosts):
        return
    if not any(_covers(entry.lower(), endpoint.host) for entry in allowed_hosts):
        raise invalid_content(param, f"the host '{quoted(endpoint.host)}' is not among {_told(allowed_hosts)}")
    if endpoint.scheme != "https":
        raise invalid_content(param, f"expected https for the host '{quoted(endpoint.host)}', but got http")


def read_endpoint(url: str, param: str = "server_url") -> Endpoint:
    """Return where a URL leads. Raises ClientError if it is not written in the one form that is unmistakable."""
    match = _URL.match(url) if len(url) <= MAX_URL_LENGTH else None
    if match is None:
        raise invalid_content(param, _url_mistake(url))
    scheme = match["scheme"].lower()
    port = int(match["port"] or DEFAULT_PORTS[scheme])
    if port > 65535:
        raise invalid_content(param, f"expected a port up to 65535, but got {port}")
    return Endpoint(scheme=scheme, host=_host(match["host"], param), port=port)


def is_named(host: str, allowed_hosts: Collection[str]) -> bool:
    """Return whether a host stands among the allowed ones by its exact name or address."""
    return any(entry.lower() == host for entry in allowed_hosts)


def check_entries(allowed_hosts: Collection[str]) -> None:
    """Raise ValueError for an entry that could never match: with a port, a scheme, or in a form that is refused."""
    for entry in allowed_hosts:
        name = entry.lower()
        if name == ANY_PUBLIC:
            continue
        bare = name.removeprefix("*.")
        try:
            _host(f"[{bare}]" if ":" in bare else bare, "")
        except ClientError as error:
            raise ValueError(f"'{entry}' is no host name, address, '*.DOMAIN' or '*'") from error
        if name != bare and (":" in bare or _is_numeric(bare)):
            raise ValueError(f"'{entry}' has a wildcard before an address")


def check_authorization(authorization: str, param: str = "authorization") -> None:
    """Accept a bearer token. Raises ClientError, which does not repeat it."""
    if len(authorization) > MAX_HEADER_LENGTH or not _BEARER_TOKEN.match(authorization):
        explanation = f"expected an access token of 1 to {MAX_HEADER_LENGTH} visible ASCII characters, without 'Bearer'"
        raise invalid_content(param, explanation)


def check_headers(headers: Mapping[str, str], has_authorization: bool = False, param: str = "headers") -> None:
    """Accept the headers that a client wants sent to a remote server.

    Args:
        has_authorization: a bearer token is sent besides them.

    Raises:
        ClientError: `invalid_value` at `param` or below; it names a header, never its value.
    """
    if len(headers) > MAX_HEADERS:
        raise invalid_content(param, f"expected at most {MAX_HEADERS} headers, but got {len(headers)}")
    names = [name.lower() for name in headers]
    for name, value in headers.items():
        _check_header(name, value, param)
        if names.count(name.lower()) > 1:
            raise invalid_content(param, f"the header '{name}' is given twice")
    if has_authorization and "authorization" in names:
        raise invalid_content(param, "expected no header 'authorization' beside the field 'authorization'")


def _check_header(name: str, value: str, param: str) -> None:
    if not _TOKEN.match(name):
        raise invalid_content(param, f"'{quoted(name)}' is no header name")
    if name.lower() in _OWN_HEADERS or name.lower().startswith("mcp-"):
        raise invalid_content(f"{param}.{quoted(name)}", "this header is set by the server itself")
    if len(name) + len(value) > MAX_HEADER_LENGTH or not _HEADER_VALUE.match(value):
        explanation = f"expected a header of at most {MAX_HEADER_LENGTH} characters, without control characters"
        raise invalid_content(f"{param}.{quoted(name)}", explanation)


def _url_mistake(url: str) -> str:
    """The first thing that is wrong with a URL that does not have the form."""
    if len(url) > MAX_URL_LENGTH:
        return f"expected a URL of at most {MAX_URL_LENGTH} characters, but got {len(url)}"
    if re.search(r"[^\x21-\x7e]|\\", url):
        return "expected a URL of visible ASCII characters; write names as 'xn--…' and encode the rest with '%'"
    if not re.match(r"https?://", url, re.IGNORECASE):
        return "expected a URL that starts with 'https://'"
    if "#" in url:
        return "expected a URL without a fragment"
    if "@" in re.split(r"[/?]", url.split("://", 1)[1], maxsplit=1)[0]:
        return "expected a URL without a user name or password"
    return "expected a URL like 'https://example.com/mcp'"


def _host(text: str, param: str) -> str:
    """Return a host in lower case; raise if it is no plain name and no address in its canonical form."""
    host = text.lower()
    if host.startswith("["):
        return _canonical(host[1:-1], ipaddress.IPv6Address, param)
    if host.endswith("."):
        raise invalid_content(param, f"expected the host without the dot at its end, but got '{quoted(host)}'")
    if not _NAME.match(host):
        raise invalid_content(param, f"'{quoted(text)}' is no host name")
    return _canonical(host, ipaddress.IPv4Address, param) if _is_numeric(host) else host


def _is_numeric(host: str) -> bool:
    """Return whether a host ends in a number; resolvers read such a name as an IPv4 address (WHATWG URL, hosts)."""
    return _NUMERIC_LABEL.match(host.rpartition(".")[2]) is not None


def _canonical(text: str, kind: type[ipaddress.IPv4Address] | type[ipaddress.IPv6Address], param: str) -> str:
    try:
        address = str(kind(text))
    except ValueError:
        address = ""
    if address != text or "%" in text:
        expected = f", which is '{address}'" if address and "%" not in text else ""
        raise invalid_content(param, f"expected an address in its canonical form{expected}, but got '{quoted(text)}'")
    return address


def _covers(entry: str, host: str) -> bool:
    """Return whether an entry with a wildcard admits a host; a domain's wildcard admits no address."""
    if entry == ANY_PUBLIC:
        return True
    return entry.startswith("*.") and host.endswith(entry[1:]) and ":" not in host and not _is_numeric(host)


def _told(allowed_hosts: Collection[str]) -> str:
    named = listed(list(allowed_hosts)[:_MAX_NAMED])
    rest = len(allowed_hosts) - _MAX_NAMED
    return f"the allowed hosts {named}" + (f" and {rest} more" if rest > 0 else "")
