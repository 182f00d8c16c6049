"""The seam between the relay and what it relays to: connections to upstreams, and the functions of the server.

An upstream is another Realtime server (`transports.upstream_websocket`) or, as a fall-back, an engine of this process.
Messages are text messages of the GA API as bytes; connectors translate where the upstream speaks another dialect.
"""

from collections.abc import Sequence
from typing import Protocol

import msgspec

from vivavoce.core.relay.vocabulary import UpstreamFault
from vivavoce.core.requests import FunctionSpec
from vivavoce.engines.tools import ToolError as ToolError
from vivavoce.protocol.session_fields import SessionKind
from vivavoce.runtime.relay_account import RelayAccount


class UpstreamUnavailable(Exception):
    """No connection came about."""

    def __init__(self, fault: UpstreamFault) -> None:
        super().__init__(fault.message)
        self.fault = fault


class UpstreamRequest(msgspec.Struct, frozen=True):
    """What a relayed session asks an upstream for."""

    model: str | None  # None: the upstream's default
    kind: SessionKind = "realtime"
    safety_identifier: str | None = None  # the end user, for the header `OpenAI-Safety-Identifier`
    credential_id: str | None = None  # of the client's key, whose limits hold in this process; told to no other
    account: RelayAccount | None = None  # of the session


class UpstreamListener(Protocol):
    """Who is told what happens on a link. Calls come on the loop's thread, `link_closed` once and last."""

    def receive(self, message: bytes) -> None:
        """A text message came; it is UTF-8."""
        ...

    def link_failed(self, fault: UpstreamFault) -> None:
        """The upstream broke the rules (binary, not UTF-8, too large); `link_closed` follows."""
        ...

    def block_writing(self) -> None:
        """The upstream does not take what it is sent: stop reading from the client."""
        ...

    def unblock_writing(self) -> None: ...

    def link_closed(self, code: int, reason: str) -> None: ...


class UpstreamLink(Protocol):
    """An open connection to an upstream."""

    def send(self, message: bytes) -> None:
        """Send a text message; what the network does not take is buffered."""
        ...

    def pause_reading(self) -> None:
        """Deliver nothing until `resume_reading`: the client does not take it."""
        ...

    def resume_reading(self) -> None: ...

    def close(self) -> None:
        """Close with 1000; nothing is delivered any more but `link_closed`."""
        ...

    def abort(self) -> None:
        """Drop the connection without a word."""
        ...


class UpstreamConnector(Protocol):
    """One configured upstream."""

    @property
    def name(self) -> str:
        """As `session.vivavoce.engine` shows it."""
        ...

    async def connect(self, request: UpstreamRequest, listener: UpstreamListener) -> UpstreamLink:
        """Connect; cancelling gives up. Nothing is delivered before this has returned.

        Raises:
            UpstreamUnavailable: it cannot be reached, or refuses.
        """
        ...

    async def close(self) -> None:
        """Release what connections share."""
        ...


class ToolBox(Protocol):
    """The functions registered on the server."""

    @property
    def functions(self) -> Sequence[FunctionSpec]: ...

    async def call(self, name: str, arguments: str) -> str:
        """Call a function with JSON text and return its output as text; cancelling stops it.

        Raises:
            ToolError: it failed or took too long; the text is for the model.
        """
        ...
