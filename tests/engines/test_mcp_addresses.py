"""Which addresses may be connected to, whatever form they are written in."""

import asyncio
import ipaddress
import socket
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vivavoce.engines.mcp.addresses import (
    AddressRefusedError,
    is_public,
    is_reachable_by_name,
    permitted_addresses,
)

SPECIAL = (
    "0.0.0.0 10.1.2.3 100.64.0.1 127.0.0.1 169.254.169.254 172.31.0.1 192.0.0.8 192.0.2.1 192.88.99.1 192.168.1.1 "
    "198.18.0.1 198.51.100.1 203.0.113.1 224.0.0.1 240.0.0.1 255.255.255.255 "
    ":: ::1 ::ffff:127.0.0.1 ::ffff:169.254.169.254 ::127.0.0.1 64:ff9b::10.0.0.1 64:ff9b:1::1 100::1 2001::1 "
    "2001:db8::1 2002:7f00:1::1 2002:808:808::1 3fff::1 5f00::1 fc00::1 fd00::1 fe80::1 fec0::1 ff02::1 4000::1"
).split()


@pytest.mark.parametrize("text", SPECIAL)
def test_a_special_address_is_not_public(text: str) -> None:
    assert not is_public(ipaddress.ip_address(text))


@pytest.mark.parametrize(
    "text", ["8.8.8.8", "100.128.0.1", "172.32.0.1", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"]
)
def test_an_address_of_the_internet_is_public(text: str) -> None:
    assert is_public(ipaddress.ip_address(text))


@given(st.ip_addresses(v=4).filter(lambda address: not is_public(address)))
def test_an_address_that_is_not_public_does_not_become_so_in_ipv6(address: ipaddress.IPv4Address) -> None:
    number = int(address)
    forms = [0xFFFF << 32 | number, number, 0x64FF9B << 96 | number, 0x2002 << 112 | number << 80]

    assert not any(is_public(ipaddress.IPv6Address(form)) for form in forms)


@given(st.ip_addresses())
def test_what_is_public_is_global_for_the_standard_library_too(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> None:
    plain = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped else address

    assert not is_public(address) or plain.is_global


@pytest.mark.parametrize(
    "text", ["127.0.0.1", "10.0.0.1", "100.64.0.1", "8.8.8.8", "::1", "fd00::1", "::ffff:10.0.0.1"]
)
def test_a_named_host_may_be_private(text: str) -> None:
    assert is_reachable_by_name(ipaddress.ip_address(text))


@pytest.mark.parametrize(
    "text", ["0.0.0.0", "169.254.169.254", "224.0.0.1", "255.255.255.255", "::", "fe80::1", "ff02::1"]
)
def test_even_a_named_host_may_not_be_link_local_or_multicast(text: str) -> None:
    assert not is_reachable_by_name(ipaddress.ip_address(text))


@pytest.mark.parametrize(
    ("host", "allowed", "found"),
    [
        ("a.example", "*", ["127.0.0.1"]),
        ("a.example", "*", ["8.8.8.8", "127.0.0.1"]),
        ("a.example", "*", ["8.8.8.8", "::ffff:10.0.0.1"]),
        ("a.example", "*.example", ["10.0.0.1"]),
        ("a.example", "a.example", ["169.254.169.254"]),
        ("a.example", "a.example", ["fe80::1%eth0"]),
        ("a.example", "*", ["not an address"]),
        ("10.0.0.1", "*", []),
        ("::1", "*", []),
    ],
)
def test_one_address_that_is_not_permitted_refuses_the_host(host: str, allowed: str, found: list[str]) -> None:
    with pytest.raises(AddressRefusedError, match=f"the host '{host}' leads to an address"):
        asyncio.run(permitted_addresses(host, 443, (allowed,), answering(found)))


@pytest.mark.parametrize(
    ("host", "allowed", "found", "expected"),
    [
        ("a.example", "*", ["8.8.8.8", "2606:4700::1111"], ["8.8.8.8", "2606:4700::1111"]),
        ("a.example", "a.example", ["127.0.0.1"], ["127.0.0.1"]),
        ("10.0.0.1", "10.0.0.1", [], ["10.0.0.1"]),
        ("8.8.8.8", "*", [], ["8.8.8.8"]),
    ],
)
def test_permitted_addresses_come_in_the_order_of_the_resolver(
    host: str, allowed: str, found: list[str], expected: list[str]
) -> None:
    assert asyncio.run(permitted_addresses(host, 443, (allowed,), answering(found))) == expected


@pytest.mark.parametrize("count", [0, 33])
def test_a_name_with_no_or_too_many_addresses_is_an_error(count: int) -> None:
    with pytest.raises(OSError, match=f"but got {count}"):
        asyncio.run(permitted_addresses("a.example", 443, ("*",), answering(["8.8.8.8"] * count)))


def test_a_name_that_is_not_found_is_an_error() -> None:
    async def fail(host: str, port: int) -> Sequence[str]:
        raise socket.gaierror(socket.EAI_NONAME, "not known")

    with pytest.raises(OSError, match="not known"):
        asyncio.run(permitted_addresses("a.example", 443, ("*",), fail))


class answering:  # noqa: N801  # reads as a function
    """A resolver that always finds the same addresses."""

    def __init__(self, found: Sequence[str]) -> None:
        self._found = found

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        return self._found
