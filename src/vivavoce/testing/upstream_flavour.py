"""How a scripted upstream writes its events: plainly, or with all that a relay must let through unharmed."""

import json
from collections.abc import Callable
from typing import Final, Literal

from vivavoce.testing.upstream_replies import Json

Flavour = Literal["plain", "strange"]
Encode = Callable[[Json], bytes]

# Spellings that reading and writing again would change: numbers, escapes, white space, the order and place of keys.
STRANGE_VALUE: Final = '{"b" : 1.50,  "a":[1e3, -0.0, "\\u00e9\\/é😀", null, 12345678901234567890]}'
STRANGE_EVENT: Final[Json] = {"type": "weather.changed", "item_id": "item_unknown", "sky": {"clouds": []}}
_MARK: Final = '"x_strange": 0'


def encode_plain(event: Json) -> bytes:
    """Return an event as JSON without white space."""
    return json.dumps(event, separators=(",", ":"), ensure_ascii=False).encode()


def encode_strange(event: Json) -> bytes:
    """Return an event with unknown fields in it and in its objects, spelled in unusual ways."""
    text = json.dumps(_with_marks(event), separators=(" , ", ": "), ensure_ascii=True)
    spelled = text.replace(_MARK, f'"x_strange" :{STRANGE_VALUE}')
    return f" {spelled}\n".encode()


def encoder(flavour: Flavour) -> Encode:
    """Return how events are written."""
    return encode_plain if flavour == "plain" else encode_strange


def _with_marks(event: Json) -> Json:
    marked = {"x_strange": 0, **event}
    for key in ("session", "response", "item", "part", "error"):
        if isinstance(event.get(key), dict):
            marked[key] = {**event[key], "x_strange": 0}
    return marked
