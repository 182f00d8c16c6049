"""Connections that lead where the rule was checked: a name is resolved here, and its address is dialled as it stands.

Nothing resolves a second time, so a name that changes its address between the check and the connection gains nothing.
TLS still asks for, and checks, the name: httpcore2 passes it to `start_tls`.
"""

import contextlib
import ssl
from collections.abc import Collection, Iterable
from typing import Any, Final

import httpcore2

from vivavoce.engines.mcp.addresses import AddressRefusedError, Resolve, permitted_addresses
from vivavoce.engines.mcp.exchange import Exchange
from vivavoce.engines.mcp.failures import refused, unreachable

CONNECT_S: Final = 5.0  # for one address; the next one is tried after that
SocketOption = tuple[int, int, int] | tuple[int, int, bytes | bytearray] | tuple[int, int, None, int]


class PinnedNetwork(httpcore2.AsyncNetworkBackend):
    """Connects to permitted addresses only, and counts what comes."""

    def __init__(self, allowed_hosts: Collection[str], resolve: Resolve, exchange: Exchange) -> None:
        self._allowed_hosts = allowed_hosts
        self._resolve = resolve
        self.exchange = exchange
        self._dialler = httpcore2.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109  # httpcore2's signature
        local_address: str | None = None,
        socket_options: Iterable[SocketOption] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        """Connect to the first permitted address that answers.

        Raises httpcore2.ConnectError; the reason for the client stands in the exchange.
        """
        try:
            addresses = await permitted_addresses(host, port, self._allowed_hosts, self._resolve)
        except AddressRefusedError as error:
            self.exchange.give_up(refused(str(error)))
            raise httpcore2.ConnectError("refused") from error
        except (OSError, UnicodeError) as error:
            self.exchange.give_up(unreachable(f"the host '{host}' has no address"))
            raise httpcore2.ConnectError("not resolved") from error
        return await self._first_that_answers(addresses, port)

    async def _first_that_answers(self, addresses: Iterable[str], port: int) -> httpcore2.AsyncNetworkStream:
        for address in addresses:
            with contextlib.suppress(httpcore2.ConnectError, httpcore2.ConnectTimeout):
                return CountedStream(await self._dialler.connect_tcp(address, port, timeout=CONNECT_S), self)
        self.exchange.give_up(unreachable("it does not accept connections"))
        raise httpcore2.ConnectError("no address answers")

    def count(self, received_bytes: int) -> None:
        """Raise httpcore2.ReadError if more has come than one operation may bring."""
        if not self.exchange.count(received_bytes):
            raise httpcore2.ReadError("too much was received")


class CountedStream(httpcore2.AsyncNetworkStream):
    """A connection whose received bytes count."""

    def __init__(self, stream: httpcore2.AsyncNetworkStream, network: PinnedNetwork) -> None:
        self._stream = stream
        self._network = network

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109  # httpcore2's signature
        received = await self._stream.read(max_bytes, timeout)
        self._network.count(len(received))
        return received

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109  # httpcore2's signature
        await self._stream.write(buffer, timeout)

    async def aclose(self) -> None:
        await self._stream.aclose()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109  # httpcore2's signature
    ) -> httpcore2.AsyncNetworkStream:
        try:
            stream = await self._stream.start_tls(ssl_context, server_hostname, timeout)
        except httpcore2.ConnectError:
            self._network.exchange.give_up(unreachable("its certificate was not accepted, or TLS failed"))
            raise
        return CountedStream(stream, self._network)

    def get_extra_info(self, info: str) -> Any:
        """Return what httpcore2 asks of a stream; Any is its own type."""
        return self._stream.get_extra_info(info)
