"""What crosses the core of a relayed session besides the inputs and outputs that all sessions have.

Messages are the text messages of the GA API as bytes; audio in them is never decoded. A *link* is one connection to an
upstream, numbered from 1 in the order of dialling; results for links that are not wanted any more are dropped.
"""

from typing import Any, Literal

import msgspec

from vivavoce.core.vocabulary import ClientRejected, Close, Disconnected, Draining, Opened, Send, StartTrace

Json = Any  # JSON boundary: events as the upstream and the client have them
Body = dict[str, Json]

FaultKind = Literal[
    "refused",  # no connection, or a status that says nothing else
    "unauthorized",  # 401, 403: our key is not accepted
    "not_found",  # 404: no such path or model
    "rate_limited",  # 429
    "quota_exhausted",  # the account behind our key has no credit
    "timeout",  # nothing came in time
    "broken",  # what came is no event
    "closed",  # an open connection ended
]


class UpstreamFault(msgspec.Struct, frozen=True):
    """Why an upstream cannot be used. `message` is for the client: it holds no key and no address."""

    kind: FaultKind
    message: str
    retry_after_s: float | None = None  # as the upstream asked

    @property
    def is_retryable(self) -> bool:
        """Return whether trying again may help."""
        return self.kind in ("refused", "rate_limited", "timeout", "broken", "closed")


# Inputs -------------------------------------------------------------------------------------------------------


class ClientMessage(msgspec.Struct, frozen=True):
    """The client sent a message of the GA API. `body` is its JSON where it was read aside, being large."""

    message: bytes
    body: Body | None = None

    def __repr__(self) -> str:
        return f"ClientMessage({len(self.message)} bytes)"


class UpstreamOpened(msgspec.Struct, frozen=True):
    """The upstream accepted the connection; its `session.created` is still to come."""

    link: int


class UpstreamFailed(msgspec.Struct, frozen=True):
    """The upstream could not be reached, or broke the rules of the connection."""

    link: int
    fault: UpstreamFault


class UpstreamMessage(msgspec.Struct, frozen=True):
    """The upstream sent a message (already of the GA API)."""

    link: int
    message: bytes

    def __repr__(self) -> str:
        return f"UpstreamMessage({self.link}, {len(self.message)} bytes)"


class UpstreamClosed(msgspec.Struct, frozen=True):
    """The connection ended; `code` is the upstream's close code, 1005 or 1006."""

    link: int
    code: int
    reason: str = ""


class ToolReturned(msgspec.Struct, frozen=True):
    """A function of the server returned, or failed: then `output` says so in words for the model."""

    call_id: str
    output: str
    is_error: bool = False


RelayInput = (
    Opened
    | ClientMessage
    | ClientRejected
    | UpstreamOpened
    | UpstreamFailed
    | UpstreamMessage
    | UpstreamClosed
    | ToolReturned
    | Draining
    | Disconnected
)

# Outputs ------------------------------------------------------------------------------------------------------


class PassOn(msgspec.Struct, frozen=True):
    """Send a message of the GA API to the client. `is_final`: it tells that something is kept."""

    message: bytes
    is_final: bool = False

    def __repr__(self) -> str:
        return f"PassOn({self.message[:80]!r})"


class DialUpstream(msgspec.Struct, frozen=True):
    """Connect to an upstream: `target` counts the configured ones, 0 is the first choice."""

    link: int
    target: int


class SendUpstream(msgspec.Struct, frozen=True):
    """Send a message of the GA API over a link."""

    link: int
    message: bytes

    def __repr__(self) -> str:
        return f"SendUpstream({self.link}, {self.message[:80]!r})"


class CloseUpstream(msgspec.Struct, frozen=True):
    """End a link, or stop dialling; idempotent."""

    link: int


class CallTool(msgspec.Struct, frozen=True):
    """Call a function of the server; `arguments` is JSON text as it was generated."""

    call_id: str
    name: str
    arguments: str


class CancelTool(msgspec.Struct, frozen=True):
    """The call is wanted no more; idempotent."""

    call_id: str


RelayOutput = Send | PassOn | DialUpstream | SendUpstream | CloseUpstream | CallTool | CancelTool | StartTrace | Close
