"""What a kind of malformed or hostile message is.

A kind is a function that draws one message. What a message must be answered with stands beside it: the codes that the
error may have, and whether its `event_id` can be read and therefore has to be repeated.
"""

from collections.abc import Callable
from random import Random
from typing import Final

import msgspec

from bench.checked_client import Json

EXISTING_ITEM: Final = "item_that_exists"  # the session has an item of this id before the first message
UNREADABLE: Final = "invalid_event"
OUT_OF_RANGE: Final = (
    "integer_below_min_value",
    "integer_above_max_value",
    "decimal_below_min_value",
    "decimal_above_max_value",
)

Draw = Callable[[Random], Json | str | bytes]


class Kind(msgspec.Struct, frozen=True):
    """A kind of message. `draw` gives an event, or text or bytes whose `event_id` nobody can read."""

    name: str
    draw: Draw
    codes: tuple[str | None, ...]
    is_large: bool = False


KINDS: Final[list[Kind]] = []  # grows with each module of kinds that is imported


def kind(*codes: str | None, is_large: bool = False) -> Callable[[Draw], Draw]:
    """Make a function a kind: named after it, answered by one of the codes."""

    def register(draw: Draw) -> Draw:
        KINDS.append(Kind(draw.__name__, draw, codes, is_large))
        return draw

    return register
