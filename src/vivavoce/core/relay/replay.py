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


def seed_items(mirror: Mirror) -> list[tuple[MirrorItem, list[Body]]]:
    """Return the items that a fresh upstream is given, in order, each with the bodies it is made of."""
    chosen: list[tuple[MirrorItem, list[Body]]] = []
    characters = 0
    for item in reversed(list(mirror)):
        bodies = seed_bodies(item)
        if not bodies:
            continue
        characters += sum(_characters(body) for body in bodies)
        if len(chosen) >= MAX_SEED_ITEMS or (chosen and characters > MAX_SEED_CHARACTERS):
            break
        chosen.append((item, bodies))
    return chosen[::-1]


def seed_bodies(item: MirrorItem) -> list[Body]:
    """Return the `item` of each `conversation.item.create` that stands for an item; empty if nothing can."""
    kind = item.body.get("type")
    if kind == "message":
        content = list(_content(item))
        return [{"id": item.id, "type": "message", "role": item.role, "content": content}] if content else []
    if kind == "mcp_call":
        return _mcp_call(item)
    names = _COPIED.get(kind) if isinstance(kind, str) else None
    if names is None or any(not isinstance(item.body.get(name), str) for name in names):
        return []
    return [{"id": item.id, **{name: item.body[name] for name in names}}]


def _content(item: MirrorItem) -> Iterator[Body]:
    for part in item.parts():
        match part.get("type"):
            case "input_audio":
                words = part.get("transcript")
                if words:
                    yield {"type": "input_text", "text": words}
                elif item.audio and words is None:
                    yield {"type": "input_audio", "audio": joined_base64(item.audio)}
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
    call = {"id": item.id, "type": "function_call", "name": name, "call_id": item.id, "arguments": given}
    result = {"id": f"{item.id[:28]}_out", "type": "function_call_output", "call_id": item.id, "output": output}
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
