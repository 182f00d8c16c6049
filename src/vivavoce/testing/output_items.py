"""Order within one output item of a response: parts, deltas and dones (ordering invariants 5, 6 and 7)."""

import base64
import binascii
from typing import Final

from vivavoce.testing.findings import SHAPE, Event, Findings
from vivavoce.testing.item_objects import check_closed, check_content, check_opened, check_part_opened

# Delta stream -> the field of its `.done` event that repeats the whole; audio is not repeated.
STREAMS: Final[dict[str, str | None]] = {
    "response.output_text": "text",
    "response.output_audio_transcript": "transcript",
    "response.output_audio": None,
    "response.function_call_arguments": "arguments",
    "response.mcp_call_arguments": "arguments",
}
PART_STREAMS: Final[dict[str, tuple[str, ...]]] = {
    "text": ("response.output_text",),
    "audio": ("response.output_audio", "response.output_audio_transcript"),
}
ARGUMENT_STREAMS: Final[dict[str, str]] = {
    "function_call": "response.function_call_arguments",
    "mcp_call": "response.mcp_call_arguments",
}


class Stream:
    """The deltas of one stream so far, and the log index of its typed done (None before it)."""

    def __init__(self) -> None:
        self.text = ""
        self.whole = ""  # what the typed done says
        self.first_done_index: int | None = None


class Part:
    """A content part: its streams by name and whether it is done."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.streams = {name: Stream() for name in PART_STREAMS.get(kind, ())}
        self.is_done = False

    @property
    def words(self) -> str:
        """What the part says, as its deltas had it."""
        return next((s.text for name, s in self.streams.items() if STREAMS[name] is not None), "")


class OutputItem:
    """What was sent of one output item."""

    def __init__(self, item: Event, output_index: int, is_default: bool, sample_bytes: int) -> None:
        self.opened = item
        self.finished: Event | None = None  # as conversation.item.done or response.output_item.done has it
        self.is_truncated = False
        self.output_index = output_index
        self.is_default = is_default  # written to the default conversation
        self.sample_bytes = sample_bytes  # audio deltas hold whole samples
        self.parts: dict[int, Part] = {}
        arguments = ARGUMENT_STREAMS.get(str(item.get("type")))
        self.arguments = {} if arguments is None else {arguments: Stream()}
        self.is_added = False  # conversation.item.added was sent
        self.is_finished = False  # conversation.item.done was sent
        self.is_done = False  # response.output_item.done was sent
        self.last_delta_index = -1

    @property
    def id(self) -> str:
        """The id that it was opened with."""
        return str(self.opened["id"])

    @property
    def is_incomplete(self) -> bool:
        """Whether it was cut short."""
        return self.finished is not None and self.finished.get("status") == "incomplete"

    def first_done_index(self) -> int | None:
        """The log index of the first `.done` event of the item's streams, or None."""
        streams = [*self.arguments.values(), *(s for part in self.parts.values() for s in part.streams.values())]
        return min((s.first_done_index for s in streams if s.first_done_index is not None), default=None)


def open_item(item: OutputItem, findings: Findings) -> None:
    """Check an item that a response opens."""
    check_opened(item.opened, findings)


def check_item_event(item: OutputItem, event: Event, findings: Findings) -> None:
    """Check an event that belongs to a known output item of a live response."""
    kind = str(event["type"])
    if "output_index" in event:
        findings.expect(
            event["output_index"] == item.output_index,
            SHAPE,
            f"{kind} says output_index {event['output_index']!r}, item '{item.id}' has {item.output_index}",
        )
    stream, _, verb = kind.rpartition(".")
    match kind:
        case "conversation.item.added":
            _add_to_conversation(item, event, findings)
        case "conversation.item.done":
            _finish_in_conversation(item, event, findings)
        case "response.output_item.done":
            _close_item(item, event, findings)
        case "response.content_part.added":
            _add_part(item, event, findings)
        case "response.content_part.done":
            _close_part(item, event, findings)
        case _ if stream in STREAMS and verb == "delta":
            _extend(item, stream, event, findings)
        case _ if stream in STREAMS and verb == "done":
            _end_stream(item, stream, event, findings)


def check_nothing_open(item: OutputItem, findings: Findings) -> None:
    """Check, at `response.done`, that all that was opened is closed (invariant 7)."""
    findings.expect(item.is_done, 7, f"item '{item.id}' has no response.output_item.done before response.done")
    for index, part in item.parts.items():
        findings.expect(part.is_done, 7, f"part {index} of item '{item.id}' has no content_part.done at response.done")


def _add_to_conversation(item: OutputItem, event: Event, findings: Findings) -> None:
    is_same = event["item"] == item.opened
    findings.expect(is_same, SHAPE, f"item '{item.id}' enters the conversation another than the response opened it")
    findings.expect(item.is_default, 5, f"item '{item.id}' of an out-of-band response entered the conversation")
    findings.expect(not item.is_added, 5, f"conversation.item.added was sent twice for item '{item.id}'")
    findings.expect(not item.parts, 5, f"conversation.item.added of item '{item.id}' comes after its parts")
    item.is_added = True


def _finish_in_conversation(item: OutputItem, event: Event, findings: Findings) -> None:
    findings.expect(item.is_default, 5, f"item '{item.id}' of an out-of-band response has a conversation.item.done")
    findings.expect(item.is_added, 5, f"conversation.item.done of '{item.id}' comes before its conversation.item.added")
    findings.expect(not item.is_finished, 5, f"conversation.item.done was sent twice for item '{item.id}'")
    _expect_contents_done(item, str(event["type"]), findings)
    _check_final(item, event["item"], findings)
    item.is_finished = True


def _close_item(item: OutputItem, event: Event, findings: Findings) -> None:
    findings.expect(not item.is_done, 5, f"response.output_item.done was sent twice for item '{item.id}'")
    if item.is_default:
        findings.expect(item.is_finished, 5, f"output_item.done of '{item.id}' comes before its conversation.item.done")
    else:
        _expect_contents_done(item, str(event["type"]), findings)
    _check_final(item, event["item"], findings)
    item.is_done = True


def _check_final(item: OutputItem, final: Event, findings: Findings) -> None:
    """Check an item in its last state, the first time against what was streamed, then against the first time."""
    if item.finished is not None:
        sentence = f"response.output_item.done of '{item.id}' differs from its conversation.item.done"
        findings.expect(final == item.finished, SHAPE, sentence)
        return
    item.finished = final
    check_closed(item.opened, final, findings)
    for stream in item.arguments.values():
        said = final.get("arguments")
        findings.expect(said == stream.whole, SHAPE, f"item '{item.id}' ends with arguments {said!r}")
    if final.get("type") == "message" and not item.is_truncated:
        check_content(final, [(part.kind, part.words) for part in item.parts.values()], findings)


def _expect_contents_done(item: OutputItem, kind: str, findings: Findings) -> None:
    for index, part in item.parts.items():
        findings.expect(part.is_done, 5, f"{kind} of item '{item.id}' comes before content_part.done of part {index}")
    for name, stream in item.arguments.items():
        findings.expect(stream.first_done_index is not None, 5, f"{kind} of item '{item.id}' comes before {name}.done")


def _add_part(item: OutputItem, event: Event, findings: Findings) -> None:
    index = int(event["content_index"])
    findings.expect(index == len(item.parts), 6, f"item '{item.id}' opens part {index}, expected {len(item.parts)}")
    findings.expect(not item.is_done, 5, f"item '{item.id}' opens part {index} after its response.output_item.done")
    if item.is_default:
        findings.expect(item.is_added, 5, f"part {index} of item '{item.id}' comes before its conversation.item.added")
    kind = str(event["part"].get("type"))
    findings.expect(kind in PART_STREAMS, SHAPE, f"part type {kind!r} of item '{item.id}', expected 'audio' or 'text'")
    check_part_opened(event["part"], item.id, findings)
    item.parts[index] = Part(kind)


def _close_part(item: OutputItem, event: Event, findings: Findings) -> None:
    index = int(event["content_index"])
    part = item.parts.get(index)
    if part is None:
        findings.add(6, f"content_part.done for part {index} of item '{item.id}', which was never added")
        return
    findings.expect(not part.is_done, 6, f"content_part.done was sent twice for part {index} of item '{item.id}'")
    kind = event["part"].get("type")
    findings.expect(kind == part.kind, 6, f"part {index} of item '{item.id}' is done as {kind!r}, it is {part.kind!r}")
    for name, stream in part.streams.items():
        is_ended = stream.first_done_index is not None
        findings.expect(is_ended, 6, f"content_part.done of item '{item.id}' comes before {name}.done")
        field = STREAMS[name]
        if field is not None:
            _compare(item, event, event["part"].get(field), stream.text, findings)
    part.is_done = True


def _stream_of(item: OutputItem, name: str, event: Event, findings: Findings) -> Stream | None:
    if name in item.arguments:
        return item.arguments[name]
    part = item.parts.get(int(event.get("content_index", -1)))
    if part is None or name not in part.streams:
        findings.add(6, f"{event['type']} of item '{item.id}' has no content part added for it")
        return None
    return part.streams[name]


def _extend(item: OutputItem, name: str, event: Event, findings: Findings) -> None:
    item.last_delta_index = findings.index
    stream = _stream_of(item, name, event, findings)
    if stream is None:
        return
    _check_call(item, event, findings)
    is_open = stream.first_done_index is None
    findings.expect(is_open, 6, f"{event['type']} of item '{item.id}' comes after its {name}.done")
    if STREAMS[name] is None:
        _check_audio(event["delta"], item.sample_bytes, findings)
    else:
        stream.text += event["delta"]


def _end_stream(item: OutputItem, name: str, event: Event, findings: Findings) -> None:
    stream = _stream_of(item, name, event, findings)
    if stream is None:
        return
    findings.expect(stream.first_done_index is None, 6, f"{name}.done was sent twice for item '{item.id}'")
    stream.first_done_index = findings.index
    _check_call(item, event, findings)
    field = STREAMS[name]
    if field is None:
        return
    stream.whole = str(event.get(field))
    if stream.text or not name.startswith("response.mcp_call"):  # the arguments of MCP calls may come at once
        _compare(item, event, event.get(field), stream.text, findings)


def _check_call(item: OutputItem, event: Event, findings: Findings) -> None:
    """Check that an event about a call's arguments names the call."""
    for key in ("call_id", "name"):
        is_same = event.get(key, item.opened.get(key)) == item.opened.get(key)
        findings.expect(is_same, SHAPE, f"{event['type']} of item '{item.id}' has another {key} than the item")


def _compare(item: OutputItem, event: Event, said: object, streamed: str, findings: Findings) -> None:
    sentence = f"{event['type']} of item '{item.id}' says {said!r}, its deltas {streamed!r}"
    findings.expect(said == streamed, 6, sentence)


def _check_audio(delta: str, sample_bytes: int, findings: Findings) -> None:
    try:
        length_bytes = len(base64.b64decode(delta, validate=True))
    except (binascii.Error, ValueError):
        findings.add(SHAPE, "an audio delta is not base64")
        return
    findings.expect(
        length_bytes > 0 and length_bytes % sample_bytes == 0,
        SHAPE,
        f"an audio delta has {length_bytes} bytes, expected whole samples of {sample_bytes} bytes",
    )
