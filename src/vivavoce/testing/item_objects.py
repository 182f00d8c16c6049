"""What the item objects of a response's output must hold when they open and close (shape rules, number 0)."""

from collections.abc import Mapping
from typing import Any, Final

from vivavoce.testing.findings import SHAPE, Event, Findings

# What an item has when it opens, by its type; the value is what it must be, `str` any text.
OPENED: Final[dict[str, dict[str, object]]] = {
    "message": {"status": "in_progress", "role": "assistant", "content": []},
    "function_call": {"status": "in_progress", "arguments": "", "call_id": str, "name": str},
    "mcp_call": {"arguments": "", "server_label": str, "name": str},
}
# What an item keeps while it is written.
KEPT: Final = ("type", "role", "call_id", "name", "server_label")
FINAL: Final = ("completed", "incomplete")
# Part type of the stream -> part type of the item, and the key of its words.
ITEM_PARTS: Final[dict[str, tuple[str, str]]] = {
    "text": ("output_text", "text"),
    "audio": ("output_audio", "transcript"),
}


def check_opened(item: Event, findings: Findings) -> None:
    """Check an item that a response opens: in progress and empty."""
    for key, wanted in OPENED.get(str(item.get("type")), {}).items():
        value = item.get(key)
        fits = isinstance(value, str) and bool(value) if wanted is str else key in item and value == wanted
        said = "some text" if wanted is str else repr(wanted)
        findings.expect(fits, SHAPE, f"item '{item.get('id')}' opens with {key} {value!r}, expected {said}")


def check_part_opened(part: Event, item_id: str, findings: Findings) -> None:
    """Check a content part that opens: empty, with the key its words will have."""
    key = ITEM_PARTS.get(str(part.get("type")), ("", ""))[1]
    if key:
        findings.expect(part.get(key) == "", SHAPE, f"a part of item '{item_id}' opens with {key} {part.get(key)!r}")


def check_closed(opened: Event, item: Event, findings: Findings) -> None:
    """Check a finished item against the one that was opened."""
    for key in KEPT:
        is_same = item.get(key) == opened.get(key)
        sentence = f"item '{item.get('id')}' ends with {key} {item.get(key)!r}, it began with {opened.get(key)!r}"
        findings.expect(is_same, SHAPE, sentence)
    if item.get("type") in ("message", "function_call"):
        status = item.get("status")
        findings.expect(status in FINAL, SHAPE, f"item '{item.get('id')}' ends with status {status!r}")


def check_content(item: Event, parts: list[tuple[str, str]], findings: Findings) -> None:
    """Check the content of a finished message against its parts as they were streamed: type and words of each."""
    content: list[Mapping[str, Any]] = item.get("content") or []  # JSON boundary
    wanted = [(ITEM_PARTS.get(kind, (kind, ""))[0], words) for kind, words in parts]
    said = [(part.get("type"), part.get("text", part.get("transcript"))) for part in content]
    sentence = f"item '{item.get('id')}' ends with content {said!r}, streamed was {wanted!r}"
    findings.expect(said == wanted, SHAPE, sentence)
