"""The seam between transports and the runtime: who asks for a session, and where its output goes."""

from typing import Protocol, runtime_checkable

import msgspec

from vivavoce.core.vocabulary import Input, PlayAudio
from vivavoce.protocol.server_events import ServerEvent
from vivavoce.protocol.session import SessionPatch
from vivavoce.protocol.session_body import RelayedSession
from vivavoce.protocol.session_fields import EffectiveSession, SessionKind
from vivavoce.protocol.translation import TranslationPatch


class SessionRequest(msgspec.Struct, frozen=True):
    """What a transport knows about a client that wants a session."""

    request_id: str
    model: str | None = None
    credential_id: str | None = None  # a hash of the key, None on open loopback; per-key limits count by it
    kind: SessionKind = "realtime"
    configuration: SessionPatch | None = None  # of the client secret: already in `session.created`
    safety_identifier: str | None = None  # the end user as the client names them
    translation: TranslationPatch | None = None  # of the client secret, for a translation session
    relayed: RelayedSession | None = None  # the object of `configuration` as it came, where an upstream judges it


class AtCapacity(Exception):
    """No session can be opened; `retry_after_s` tells when to try again."""

    def __init__(self, message: str, retry_after_s: int) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class Sink(Protocol):
    """Where a session's output goes; implemented by each transport. All methods are called on the loop's thread.

    `sequence` counts the session's events and audio pieces from 1.
    """

    def send(self, sequence: int, event: ServerEvent) -> None: ...

    def play(self, sequence: int, audio: PlayAudio) -> None: ...

    def pass_on(self, sequence: int, message: bytes, *, is_final: bool = False) -> None:
        """Send an event of the GA API that is encoded already; `is_final`: it tells that something is kept."""
        ...

    def clear_playout(self, response_id: str) -> None: ...

    def close(self, code: int, reason: str) -> None: ...

    async def writable(self) -> None:
        """Return when the outbox is below its high mark; synthesis waits here."""
        ...


class LiveSession(Protocol):
    """A running session as a transport sees it."""

    @property
    def id(self) -> str: ...

    @property
    def takes_messages(self) -> bool:
        """Whether it takes the client's messages as they came, as `ClientMessage`; others take decoded events."""
        ...

    def post(self, input: Input) -> None:
        """Hand an input to the session; plain, synchronous, re-entrant."""
        ...

    def forward(self, message: bytes) -> bool:
        """Take a client's message on the shortest way; False if it must be posted. For sessions that take messages."""
        ...

    def is_behind(self) -> bool:
        """Whether an engine holds more than its 2 s of audio: the transport stops reading until `caught_up`."""
        ...

    async def caught_up(self) -> None: ...

    def set_full(self, is_full: bool) -> None:
        """The client does not take what it is sent, or takes it again: what comes from elsewhere can wait."""
        ...


class SessionHost(Protocol):
    """Opens sessions; implemented by `runtime.registry`."""

    def open(self, request: SessionRequest, sink: Sink) -> LiveSession:
        """Start a session (the `Opened` input is posted by the host).

        Raises:
            AtCapacity: the global or per-key limit is reached.
            ClientError: the request's configuration cannot be had.
        """
        ...

    def relays(self, model: str | None) -> bool:
        """Return whether sessions of a model go to another server; None is no model in particular."""
        ...

    def describe(self, request: SessionRequest) -> EffectiveSession:
        """Return the session that a request would get, before it starts: `expires_at` is 0.

        Raises:
            ClientError: the request's configuration cannot be had.
        """
        ...


@runtime_checkable
class TranslationHost(Protocol):
    """Opens translation sessions, where an engine translates; implemented by `runtime.registry`."""

    def translates(self, model: str | None) -> bool:
        """Return whether the engines behind a model name translate; None is the default model."""
        ...

    def open_translation(self, request: SessionRequest, sink: Sink) -> LiveSession:
        """Start a translation session for a model that translates; raises as `SessionHost.open`.

        What is posted to it as `FromClient` carries a `TranslationClientEvent`.
        """
        ...
