"""The life of a session: whether it takes input, and how it ends."""

import enum
from typing import Final


class Lifecycle(enum.Enum):
    """Where a session is in its life."""

    CREATED = "created"  # constructed, nothing sent
    ACTIVE = "active"
    DRAINING = "draining"  # the server goes down; what is being answered is finished
    CLOSING = "closing"  # a close was asked for; only the end of the connection is awaited
    CLOSED = "closed"


TRANSITIONS: Final[dict[Lifecycle, frozenset[Lifecycle]]] = {
    Lifecycle.CREATED: frozenset({Lifecycle.ACTIVE, Lifecycle.CLOSED}),
    Lifecycle.ACTIVE: frozenset({Lifecycle.DRAINING, Lifecycle.CLOSING, Lifecycle.CLOSED}),
    Lifecycle.DRAINING: frozenset({Lifecycle.CLOSING, Lifecycle.CLOSED}),
    Lifecycle.CLOSING: frozenset({Lifecycle.CLOSED}),
    Lifecycle.CLOSED: frozenset(),
}
TAKES_INPUT: Final = frozenset({Lifecycle.ACTIVE, Lifecycle.DRAINING})


def advance(state: Lifecycle, to: Lifecycle) -> Lifecycle:
    """Return the next state of a session's life."""
    assert to in TRANSITIONS[state], f"a session does not go from {state.value} to {to.value}"
    return to
