"""What a fresh upstream is told of a conversation that it did not hear.

Items keep their ids. The user's audio becomes its words, the assistant's its transcript; audio whose words are not
known is given as audio where it was kept. Items that only their own upstream can make (lists of MCP tools, approvals)
are left out, MCP calls become function calls with their outputs.
"""

import base64
import binascii
from collections.abc import Iterator
from typing import Final

from vivavoce.core.relay.mirror import Mirror, MirrorItem
from vivavoce.core.relay.vocabulary import Body

MAX_SEED_ITEMS: Final = 1_000  # the most recent; an upstream's context holds less
MAX_SEED_CHARACTERS: Final = 1_000_000

_COPIED: Final = {
    "function_call": ("type", "name", "call_id", "arguments"),
    "function_call_output": ("type", "call_id", "output"),
}


def seed_items(mirror: Mirror) -> tuple[list[tuple[MirrorItem, list[Body]]], frozenset[str]]:
    """Return the items that a fresh upstream is given, in order, each with the bodies it is made of.

    Returns:
        The items, and the ids of those that are left out because there are too many after them.
    """
    chosen: list[tuple[MirrorItem, list[Body]]] = []
    characters = 0
    for item, bodies in reversed(replayable(mirror)):
        characters += sum(_characters(body) for body in bodies)
        if len(chosen) >= MAX_SEED_ITEMS or (chosen and characters > MAX_SEED_CHARACTERS):
            oldest = mirror.index(chosen[-1][0].id)
            return chosen[::-1], frozenset(mirror.at(index).id for index in range(oldest or 0))
        chosen.append((item, bodies))
    return chosen[::-1], frozenset()


def replayable(mirror: Mirror) -> list[tuple[MirrorItem, list[Body]]]:
    """Return all items of which something can be told, in order, each with the bodies it is made of.

    The output of a call that cannot be told (it was cut) is not told either.
    """
    calls: set[str] = set()
    found: list[tuple[MirrorItem, list[Body]]] = []
    for item in mirror:
        bodies = seed_bodies(item)
        for body in bodies:
            if body["type"] == "function_call":
                calls.add(body["call_id"])
        if bodies and not (bodies[0]["type"] == "function_call_output" and bodies[0]["call_id"] not in calls):
            found.append((item, bodies))
    return found


def seed_bodies(item: MirrorItem) -> list[Body]:
    """Return the `item` of each `conversation.item.create` that stands for an item; empty if nothing can."""
    kind = item.body.get("type")
    if kind == "message":
        content = list(_content(item))
        return [{"id": item.id, "type": "message", "role": item.role, "content": content}] if content else []
    if kind == "mcp_call":
        return _mcp_call(item)
    names = _COPIED.get(kind) if isinstance(kind, str) else None
    if kind == "function_call" and item.body.get("status") in ("in_progress", "incomplete"):
        return []  # nobody runs it, and its arguments may be half a text
    if names is None or any(not isinstance(item.body.get(name), str) for name in names):
        return []
    return [{"id": item.id, **{name: item.body[name] for name in names}}]


def out_id(item_id: str) -> str:
    """Return the id of the output that is told of an MCP call."""
    return f"{item_id[:28]}_out"


def _content(item: MirrorItem) -> Iterator[Body]:
    audio = item.audio
    for part in item.parts():
        match part.get("type"):
            case "input_audio":
                words = part.get("transcript")
                if words:
                    yield {"type": "input_text", "text": words}
                elif audio and words is None:
                    yield {"type": "input_audio", "audio": joined_base64(audio)}
                    audio = []
            case "output_audio" | "audio":
                if part.get("transcript"):
                    yield {"type": "output_text", "text": part["transcript"]}
            case "output_text" | "text":
                if part.get("text"):
                    yield {"type": "output_text", "text": part["text"]}
            case "input_text" | "input_image":
                yield part


def _mcp_call(item: MirrorItem) -> list[Body]:
    name, arguments, output = (item.body.get(key) for key in ("name", "arguments", "output"))
    if not isinstance(name, str) or not isinstance(output, str):
        return []
    given = arguments if isinstance(arguments, str) else "{}"
    call_id = item.id[:32]
    call = {"id": item.id, "type": "function_call", "name": name, "call_id": call_id, "arguments": given}
    result = {"id": out_id(item.id), "type": "function_call_output", "call_id": call_id, "output": output}
    return [call, result]


def _characters(body: Body) -> int:
    content = body.get("content")
    parts = content if isinstance(content, list) else [body]
    return sum(len(value) for part in parts for value in part.values() if isinstance(value, str))


def joined_base64(pieces: list[str]) -> str:
    """Return the base64 of several pieces of audio one after the other."""
    if all(not piece.endswith("=") for piece in pieces[:-1]):
        return "".join(pieces)
    audio = bytearray()
    for piece in pieces:
        try:
            audio += base64.b64decode(piece)
        except (binascii.Error, ValueError):  # the upstream refused it when it came
            continue
    return base64.b64encode(bytes(audio)).decode()
