"""Where ids come from: a source is injected, so that runs are reproducible.

Prefixes in use: `event`, `sess`, `conv`, `item`, `resp`, `call`.
"""

from typing import Final, Protocol

ID_LENGTH: Final = 20  # characters after the prefix, as in the hosted API


class IdSource(Protocol):
    """Makes ids that are unique within a session."""

    def make(self, prefix: str) -> str:
        """Return `prefix`, an underscore and 20 characters that no other id of this source has."""
        ...


class CountingIds:
    """Ids that count from 1 over all prefixes: `item_00000000000000000001`. For tests and replay."""

    def __init__(self) -> None:
        self._made = 0

    def make(self, prefix: str) -> str:
        """Return the next id, with its number zero-padded to 20 digits."""
        self._made += 1
        return f"{prefix}_{self._made:0{ID_LENGTH}d}"
