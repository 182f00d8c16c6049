"""Connections to upstreams: the one in use, and the one that is being made to take its place.

    DIALING --UpstreamOpened--> GREETING --session.created--> SEEDING --all answered--> READY --> in use

A loss is tried again at once, then after `BACKOFF_S`, until `retry_s` have passed since the loss; then the next target
is tried, and when there is none the session ends.
"""

import enum
from typing import Final

import msgspec

from vivavoce.core.relay.vocabulary import Body, UpstreamFault

BACKOFF_S: Final = (0.25, 0.5, 1.0, 2.0, 4.0)
LASTING_S: Final = 5.0  # a link that was lost sooner counts as one that could not be made
JITTER: Final = 0.5  # by how much of itself a delay is shorter at most
ROLLOVER_RETRY_S: Final = 30.0  # after a replacement could not be made
FATAL_CLOSE_CODES: Final = frozenset({1008, 3000, *range(4000, 5000)})
CLOSE_MESSAGE: Final = "The connection to the upstream ended."

_DECODER: Final = msgspec.json.Decoder(Body)


class LinkPhase(enum.Enum):
    """How far a link has come."""

    DIALING = "dialing"
    GREETING = "greeting"  # open; its `session.created` is to come
    SEEDING = "seeding"  # it is told the session and the conversation
    READY = "ready"  # it can be used
    IN_USE = "in use"


class Told(msgspec.Struct):
    """What a link was told by us."""

    asked: dict[str, str] = {}  # requests without an answer: event id -> what settles it
    fields: dict[str, str] = {}  # updates without an answer: event id -> the field, empty for the whole session
    refused: list[str] = []  # fields of the session that it does not take
    seeded: dict[str, int] = {}  # version of each item that it was given
    undone: dict[str, int] = {}  # items of ours whose `done` is to come, and how often
    left_out: frozenset[str] = frozenset()  # items that were too old to be told
    configuration_version: int = -1

    def expect_done(self, item_id: str) -> None:
        """An item was told: its `done` is not for the client."""
        self.undone[item_id] = self.undone.get(item_id, 0) + 1

    def take_done(self, item_id: str) -> bool:
        """A `done` came, or will not come; return whether it was expected."""
        count = self.undone.pop(item_id, 0)
        if count > 1:
            self.undone[item_id] = count - 1
        return count > 0


class Names(msgspec.Struct):
    """Items that have another id on a link than the client knows."""

    aliases: dict[str, str] = {}  # an upstream's id -> the one that the client knows
    real: dict[str, str] = {}  # the other way round

    def add(self, real_id: str, item_id: str) -> None:
        """Have an upstream's id stand for the client's."""
        self.aliases[real_id] = item_id
        self.real[item_id] = real_id


class Link(msgspec.Struct):
    """One connection."""

    number: int
    target: int
    deadline: float  # when it must be ready
    phase: LinkPhase = LinkPhase.DIALING
    session_json: bytes = b"{}"  # as the upstream showed it last; kept small
    told: Told = msgspec.field(default_factory=Told)
    names: Names = msgspec.field(default_factory=Names)
    backlog: list[bytes] = []  # what came for the client before its `session.created`
    origin_ms: float = 0.0  # where on the client's clock its first audio begins
    fault: UpstreamFault | None = None  # it said why it will not serve us any more
    in_use_since: float = 0.0

    @property
    def session(self) -> Body:
        """Return a copy of the session object as the upstream showed it last."""
        return _DECODER.decode(self.session_json)

    def real_id(self, item_id: str) -> str:
        """Return what an item is called on this link."""
        return self.names.real.get(item_id, item_id)


class Links:
    """The links of a session, and when the next one is dialled."""

    __slots__ = (
        "_count",
        "_haste",
        "_lost_at",
        "_retry_s",
        "_targets",
        "attempt",
        "dial_at",
        "live",
        "next",
        "target",
    )

    def __init__(self, targets: int, retry_s: float, jitter: float = 0.0) -> None:
        """Begin without any.

        Args:
            jitter: from 0 to 1, another for each session: how much sooner than after `BACKOFF_S` it tries again.
        """
        self._targets = targets
        self._retry_s = retry_s
        self._haste = 1.0 - JITTER * jitter
        self._count = 0
        self.live: Link | None = None
        self.next: Link | None = None
        self.target = 0
        self.attempt = 0
        self.dial_at: float | None = None
        self._lost_at: float | None = None

    def dial(self, now: float, connect_s: float) -> Link:
        """Begin a link to the current target."""
        self._count += 1
        self.dial_at = None
        self.next = Link(self._count, self.target, now + connect_s)
        return self.next

    def lose(self, now: float) -> bool:
        """The link in use is gone; try again at once. Return False if it did not last: then `fail` decides."""
        live, self.live = self.live, None
        if self._lost_at is not None and live is not None and now - live.in_use_since < LASTING_S:
            return False
        self.attempt = 0
        self._lost_at = now
        if self.next is None:
            self.dial_at = now
        return True

    def fail(self, fault: UpstreamFault, now: float) -> bool:
        """The next link failed; return False when nothing is left to try."""
        self.next = None
        if self.live is not None:  # a roll-over: the old link goes on
            self.dial_at = now + ROLLOVER_RETRY_S
            return True
        if self._lost_at is None:
            self._lost_at = now
        delay_s = BACKOFF_S[min(self.attempt, len(BACKOFF_S) - 1)] * self._haste
        if fault.retry_after_s is not None:
            delay_s = max(delay_s, fault.retry_after_s)
        if fault.is_retryable and now + delay_s <= self._lost_at + self._retry_s:
            self.attempt += 1
            self.dial_at = now + delay_s
            return True
        return self._fail_over(now)

    def _fail_over(self, now: float) -> bool:
        self.dial_at = None
        if self.target + 1 >= self._targets:
            return False
        self.target += 1
        self.attempt = 0
        self._lost_at = now
        self.dial_at = now
        return True

    def use(self, link: Link, now: float) -> None:
        """A link is used from now on."""
        link.phase = LinkPhase.IN_USE
        link.in_use_since = now
        if self.live is not None:
            self.attempt, self._lost_at = 0, None
        self.live = link
        if self.next is link:
            self.next = None
        self.dial_at = None

    def get(self, number: int) -> Link | None:
        """Return a link that is wanted, by its number."""
        for link in (self.live, self.next):
            if link is not None and link.number == number:
                return link
        return None


def closed(code: int) -> UpstreamFault:
    """Return what the end of a connection means."""
    if code in FATAL_CLOSE_CODES:
        return UpstreamFault("unauthorized", f"The upstream ended the session (close code {code}).")
    return UpstreamFault("closed", CLOSE_MESSAGE)


def settle_asked(link: Link, answer: str) -> bool:
    """An event came that may answer a request of ours; return whether it did."""
    for event_id, wanted in link.told.asked.items():
        if wanted == answer:
            del link.told.asked[event_id]
            link.told.fields.pop(event_id, None)
            return True
    return False
