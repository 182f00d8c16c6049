"""What responses cost: a price list, what one session has spent, and the budget that the sessions of a key share.

Money is in US dollars. Prices come from `config/prices.toml` through `wiring`.
"""

from typing import Protocol

from vivavoce.protocol.extensions import SessionCost
from vivavoce.protocol.responses import Usage


class Spending(Protocol):
    """What a session tells about its responses; one object for each session, over the budget of its key."""

    def admit(self, now: float) -> str | None:
        """Return why no further response may begin, in words, or None. Counts nothing."""
        ...

    def begin(self, response_id: str, now: float) -> None:
        """A response began; until `charge` it counts with what it may cost."""
        ...

    def charge(self, response_id: str, model: str | None, usage: Usage | None, now: float) -> float:
        """A response ended with this usage; return its cost. Once for each response that began."""
        ...

    def report(self, now: float) -> SessionCost:
        """Return what the session has cost so far."""
        ...
