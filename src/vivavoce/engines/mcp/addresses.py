"""Which addresses may be connected to, and how names become addresses.

The special ranges are those of IANA's registries for IPv4 and IPv6; the standard library's `is_global` changed between
patch versions of Python, so they stand here.
"""

import asyncio
import ipaddress
import socket
from collections.abc import Awaitable, Callable, Collection, Sequence
from concurrent.futures import Executor
from typing import Final

from vivavoce.protocol.hosts import is_named

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolve = Callable[[str, int], Awaitable[Sequence[str]]]  # (host, port) -> addresses, best first; raises OSError

MAX_ADDRESSES: Final = 32  # of one name; more is a mistake or an attack

_V4_SPECIAL: Final = tuple(
    ipaddress.IPv4Network(network)
    for network in (
        "0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24 192.0.2.0/24 "
        "192.88.99.0/24 192.168.0.0/16 198.18.0.0/15 198.51.100.0/24 203.0.113.0/24 224.0.0.0/4 240.0.0.0/4"
    ).split()
)
_V6_GLOBAL: Final = ipaddress.IPv6Network("2000::/3")  # all that is assigned as global unicast
_V6_SPECIAL: Final = tuple(
    ipaddress.IPv6Network(network) for network in "2001::/23 2001:db8::/32 2002::/16 3fff::/20".split()
)
_V6_MAPPED: Final = ipaddress.IPv6Network("::ffff:0:0/96")
_V6_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")  # RFC 6052
# Never a server that an operator means: own link (cloud metadata stands there), multicast, unspecified, reserved.
_NEVER: Final = tuple(
    ipaddress.ip_network(network) for network in "0.0.0.0/8 169.254.0.0/16 224.0.0.0/4 240.0.0.0/4".split()
)


class AddressRefusedError(Exception):
    """A host's addresses may not be connected to; the message is for the client."""


def is_public(address: Address) -> bool:
    """Return whether an address is globally routable, also the IPv4 address within a mapped or NAT64 one.

    6to4 and Teredo addresses are not: they lead to whatever IPv4 address they carry.
    """
    plain = _without_ipv6_form(address)
    if isinstance(plain, ipaddress.IPv4Address):
        return not any(plain in network for network in _V4_SPECIAL)
    return plain in _V6_GLOBAL and not any(plain in network for network in _V6_SPECIAL)


def is_reachable_by_name(address: Address) -> bool:
    """Return whether an address may be connected to when the operator named its host: public, private, or loopback."""
    plain = _without_ipv6_form(address)
    if isinstance(plain, ipaddress.IPv4Address):
        return not any(plain in network for network in _NEVER)
    return is_public(plain) or plain.is_loopback or plain in ipaddress.IPv6Network("fc00::/7")


async def permitted_addresses(host: str, port: int, allowed_hosts: Collection[str], resolve: Resolve) -> list[str]:
    """Return the addresses of a host, to be connected to as they stand.

    Args:
        host: as `protocol.hosts.read_endpoint` returns it.

    Raises:
        AddressRefusedError: one of them may not be connected to.
        OSError: there is none.
    """
    found = [host] if _is_address(host) else list(await resolve(host, port))
    if not 0 < len(found) <= MAX_ADDRESSES:
        raise OSError(f"expected 1 to {MAX_ADDRESSES} addresses, but got {len(found)}")
    is_permitted = is_reachable_by_name if is_named(host, allowed_hosts) else is_public
    for text in found:
        if "%" in text or not _is_address(text) or not is_permitted(ipaddress.ip_address(text)):
            raise AddressRefusedError(f"the host '{host}' leads to an address that this server does not connect to")
    return found


def resolve_with(threads: Executor) -> Resolve:
    """Return a resolver that asks the system in these threads: a name that hangs holds no thread of others."""

    async def resolve(host: str, port: int) -> list[str]:
        loop = asyncio.get_running_loop()
        found = await loop.run_in_executor(threads, _system_addresses, host, port)
        return list(dict.fromkeys(found))

    return resolve


def _system_addresses(host: str, port: int) -> list[str]:
    return [str(entry[4][0]) for entry in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _without_ipv6_form(address: Address) -> Address:
    """Return the IPv4 address that a mapped or NAT64 address stands for, any other address as it is."""
    if isinstance(address, ipaddress.IPv6Address) and (address in _V6_MAPPED or address in _V6_NAT64):
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address
