"""The connector to another Realtime server over a WebSocket.

Redirects are not followed and no proxy is read from the environment: the key goes where it is configured to go, and
nowhere else. Compression is not offered: it costs many times what relaying does.
"""

import asyncio
import ipaddress
import ssl
from typing import Final

import aiofastnet

from vivavoce.engines.upstream.faults import Faults
from vivavoce.engines.upstream.settings import Address, UpstreamSettings
from vivavoce.runtime.upstreams import UpstreamLink, UpstreamListener, UpstreamRequest, UpstreamUnavailable
from vivavoce.transports.picows_parser import UpgradeRequest
from vivavoce.transports.upstream_beta import BetaLink
from vivavoce.transports.upstream_link import WebSocketLink
from vivavoce.transports.upstream_upgrade import SWITCHING_PROTOCOLS, Answer, AnswerReader, BadAnswer

NEXT_ADDRESS_S: Final = 0.25  # RFC 8305 section 5: when the next address of a name is tried beside the first
BODY_S: Final = 1.0  # what the rest of a refusal gets
SHUTDOWN_S: Final = 5.0  # what a peer gets to end TLS
RECORD_BUFFER_BYTES: Final = 16 * 1024 + 320  # one TLS record; the library's own choice takes 512 KiB a peer


class UpstreamWebSocket:
    """An `UpstreamConnector`."""

    def __init__(self, settings: UpstreamSettings, tls: ssl.SSLContext | None = None) -> None:
        """Make a connector.

        Args:
            tls: whom to trust; by default whom the system trusts.
        """
        self._settings = settings
        self._faults = Faults(settings)
        is_secure = settings.address(None).is_secure
        self._tls = (tls or ssl.create_default_context()) if is_secure else None

    @property
    def name(self) -> str:
        return "upstream"

    async def connect(self, request: UpstreamRequest, listener: UpstreamListener) -> UpstreamLink:
        """Connect; see `UpstreamConnector`."""
        limit_s = self._settings.connect_s
        try:
            async with asyncio.timeout(limit_s):
                return await self._connect(request, listener)
        except TimeoutError:
            raise UpstreamUnavailable(self._faults.late(limit_s)) from None
        except OSError as error:
            raise UpstreamUnavailable(self._faults.unreachable(error)) from None
        except BadAnswer as error:
            raise UpstreamUnavailable(self._faults.broken(str(error))) from None

    async def close(self) -> None:
        """Nothing is shared but the TLS context."""

    async def _connect(self, request: UpstreamRequest, listener: UpstreamListener) -> UpstreamLink:
        if self._settings.dialect == "ga":
            return await self._open(request, listener)
        link = BetaLink(listener)
        link.begin(await self._open(request, link))
        return link

    async def _open(self, request: UpstreamRequest, listener: UpstreamListener) -> WebSocketLink:
        address = self._settings.address(request.model, request.kind)
        headers = tuple(self._settings.request_headers(request.safety_identifier))
        link = WebSocketLink(listener, self._faults.broken)
        transport, reader = await self._dial(address)
        try:
            key = link.ask(transport, UpgradeRequest(address.authority, address.target, headers))
            answer = await self._answer(reader)
            if answer.status != SWITCHING_PROTOCOLS:
                raise UpstreamUnavailable(self._faults.refused(answer.status, answer.headers, answer.body))
            answer.check(key)
            if transport.is_closing():
                raise ConnectionResetError("closed behind the answer")
            link.begin(transport, key, answer.rest)
        except BaseException:
            transport.abort()
            raise
        return link

    async def _dial(self, address: Address) -> tuple[asyncio.Transport, AnswerReader]:
        endpoint, tls = address.endpoint, self._tls
        # Options of TLS are refused without it.
        return await aiofastnet.create_connection(
            asyncio.get_running_loop(),
            AnswerReader,
            endpoint.host,
            endpoint.port,
            ssl=tls,
            server_hostname=None if tls is None else endpoint.host,
            ssl_handshake_timeout=None if tls is None else self._settings.connect_s,
            ssl_shutdown_timeout=None if tls is None else SHUTDOWN_S,
            ssl_incoming_bio_size=None if tls is None else RECORD_BUFFER_BYTES,
            ssl_outgoing_bio_size=None if tls is None else RECORD_BUFFER_BYTES,
            # A single address needs no race, and a race that is cancelled leaves its socket to the collector.
            happy_eyeballs_delay=None if _is_literal(endpoint.host) else NEXT_ADDRESS_S,
        )

    async def _answer(self, reader: AnswerReader) -> Answer:
        """Return the answer; the body of a refusal may be cut where it does not come."""
        loop = asyncio.get_running_loop()
        cut = loop.call_later(max(self._settings.connect_s - BODY_S, self._settings.connect_s / 2), reader.finish)
        try:
            return await reader.answer
        finally:
            cut.cancel()


def _is_literal(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
