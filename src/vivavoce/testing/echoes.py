"""What the success event of a client event must repeat of it."""

from collections.abc import Mapping
from typing import Any, Final

from vivavoce.testing.findings import SHAPE, Event, Findings
from vivavoce.testing.session_objects import check_shown

REPEATED: Final = ("item_id", "content_index", "audio_end_ms")  # of conversation.item.truncate
OF_ITEMS: Final = ("type", "role", "call_id", "name", "arguments", "output", "approve", "approval_request_id")


def check_echo(asked: Event, answer: Event, findings: Findings) -> None:
    """Check a success event against the client event that it answers."""
    match asked.get("type"):
        case "session.update" if isinstance(asked.get("session"), Mapping):
            check_shown(asked["session"], answer["session"], findings)
        case "conversation.item.create" if isinstance(asked.get("item"), Mapping):
            _check_item(asked["item"], answer["item"], findings)
        case "conversation.item.truncate":
            _check_repeated(asked, answer, REPEATED, findings)
        case "response.create":
            metadata, echoed = metadata_of(asked), answer["response"].get("metadata")
            findings.expect(
                echoed == metadata, SHAPE, f"response.created has metadata {echoed!r}, asked was {metadata!r}"
            )
        case _:
            pass


def metadata_of(create: Event) -> Any:  # JSON boundary: whatever the client wrote
    """The metadata that a response.create asks for."""
    response = create.get("response")
    return response.get("metadata") if isinstance(response, Mapping) else None


def is_out_of_band(create: Event) -> bool:
    """Whether a response.create asks for a response outside the conversation."""
    response = create.get("response")
    return isinstance(response, Mapping) and response.get("conversation") == "none"


def _check_item(given: Event, item: Event, findings: Findings) -> None:
    _check_repeated(given, item, OF_ITEMS, findings)
    parts, echoed = given.get("content") or (), item.get("content") or ()
    for index, (part, said) in enumerate(zip(parts, echoed, strict=False)):
        _check_repeated(part, said, ("type", "text"), findings, f"content[{index}].")
    findings.expect(len(parts) == len(echoed), SHAPE, f"an item of {len(parts)} parts was added with {len(echoed)}")


def _check_repeated(given: Event, said: Event, keys: tuple[str, ...], findings: Findings, place: str = "") -> None:
    for key in keys:
        if given.get(key) is not None:
            is_same = said.get(key) == given[key]
            findings.expect(is_same, SHAPE, f"{place}{key} was {given[key]!r}, the answer says {said.get(key)!r}")
