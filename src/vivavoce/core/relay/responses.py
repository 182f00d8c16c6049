"""The responses that an upstream has begun and not ended, and how they end where the upstream cannot end them."""

from collections.abc import Iterator
from typing import Final

import msgspec

from vivavoce.core.relay.vocabulary import Body, Json

DISCONNECTED: Final = "upstream_disconnected"
_PART_NAMES: Final = {"text": "output_text", "audio": "output_audio"}


class OpenPart(msgspec.Struct):
    """A content part that is being written. `open` are the streams that have no done yet."""

    kind: str  # text, audio
    words: str = ""
    open: set[str] = set()


class OpenItem(msgspec.Struct):
    """An output item that is being written."""

    body: Body
    output_index: Json
    is_hidden: bool = False
    previous_id: Json = None  # as `conversation.item.added` said
    is_done: bool = False  # `conversation.item.done` was passed on
    arguments: str = ""
    parts: dict[int, OpenPart] = {}


class OpenResponse(msgspec.Struct):
    """A response between its `created` and its `done`."""

    id: str
    body: Body
    is_mine: bool = False  # a function of the server caused it
    items: dict[str, OpenItem] = {}
    done_items: dict[str, Body] = {}

    @property
    def is_default(self) -> bool:
        """Return whether it writes to the default conversation."""
        return self.body.get("conversation_id") is not None


class Responses:
    """The open responses of a session, by id."""

    def __init__(self) -> None:
        self.open: dict[str, OpenResponse] = {}

    def begin(self, body: Body, *, is_mine: bool) -> OpenResponse | None:
        """Take `response.created`; None if it has no id."""
        id_ = body.get("id")
        if not isinstance(id_, str):
            return None
        self.open[id_] = OpenResponse(id_, body, is_mine)
        return self.open[id_]

    def get(self, response_id: Json) -> OpenResponse | None:
        return self.open.get(response_id) if isinstance(response_id, str) else None

    def end(self, response_id: Json) -> OpenResponse | None:
        """Take `response.done`."""
        return self.open.pop(response_id, None) if isinstance(response_id, str) else None

    def default(self) -> OpenResponse | None:
        """Return the response that writes to the default conversation."""
        return next((response for response in self.open.values() if response.is_default), None)

    def item(self, event: Body) -> OpenItem | None:
        """Return the open item that an event is about."""
        response = self.get(event.get("response_id"))
        item_id = event.get("item_id")
        return None if response is None or not isinstance(item_id, str) else response.items.get(item_id)

    def follow(self, type_: str, event: Body) -> None:
        """Take an event about the content of an open item."""
        item = self.item(event)
        if item is None:
            return
        if type_ == "response.function_call_arguments.delta":
            item.arguments += _text(event.get("delta"))
            return
        index = event.get("content_index")
        if not isinstance(index, int):
            return
        if type_ == "response.content_part.added":
            part = event.get("part")
            kind = "text" if isinstance(part, dict) and part.get("type") == "text" else "audio"
            item.parts[index] = OpenPart(kind, "", {kind, "part"} | ({"transcript"} if kind == "audio" else set()))
        elif (open_part := item.parts.get(index)) is not None:
            _follow_part(open_part, type_, event)


def _follow_part(part: OpenPart, type_: str, event: Body) -> None:
    match type_:
        case "response.output_text.delta" | "response.output_audio_transcript.delta":
            part.words += _text(event.get("delta"))
        case "response.output_text.done":
            part.open.discard("text")
        case "response.output_audio_transcript.done":
            part.open.discard("transcript")
        case "response.output_audio.done":
            part.open.discard("audio")
        case "response.content_part.done":
            part.open.discard("part")


def failed(response: OpenResponse, message: str) -> Iterator[Body]:
    """Yield the events that end a response whose upstream is gone, without their event ids: every `done`, once."""
    output: list[Body] = []
    for item_id, item in response.items.items():
        if item.is_hidden:
            continue
        common = {"response_id": response.id, "item_id": item_id, "output_index": item.output_index}
        yield from _end_content(item, common)
        body = {**item.body, "status": "incomplete", **_written(item)}
        if response.is_default and not item.is_done:
            yield {"type": "conversation.item.done", "previous_item_id": item.previous_id, "item": body}
        place = {"response_id": response.id, "output_index": item.output_index}
        yield {"type": "response.output_item.done", **place, "item": body}
        output.append(body)
    error = {"type": "server_error", "code": DISCONNECTED, "message": message}
    details = {"type": "failed", "error": error}
    done = [*response.done_items.values(), *output]
    ended = {**response.body, "status": "failed", "status_details": details, "output": done, "usage": None}
    yield {"type": "response.done", "response": ended}


def _end_content(item: OpenItem, common: Body) -> Iterator[Body]:
    if item.body.get("type") == "function_call":
        call = {"call_id": item.body.get("call_id"), "name": item.body.get("name"), "arguments": item.arguments}
        yield {"type": "response.function_call_arguments.done", **common, **call}
        return
    for index, part in item.parts.items():
        place = {**common, "content_index": index}
        if "text" in part.open:
            yield {"type": "response.output_text.done", **place, "text": part.words}
        if "audio" in part.open:
            yield {"type": "response.output_audio.done", **place}
        if "transcript" in part.open:
            yield {"type": "response.output_audio_transcript.done", **place, "transcript": part.words}
        if "part" in part.open:
            shown = {"type": part.kind, "text" if part.kind == "text" else "transcript": part.words}
            yield {"type": "response.content_part.done", **place, "part": shown}


def _written(item: OpenItem) -> Body:
    """Return the members of an item that hold what was written of it."""
    if item.body.get("type") == "function_call":
        return {"arguments": item.arguments}
    if item.body.get("type") != "message":
        return {}
    names = {"text": "text", "audio": "transcript"}
    return {"content": [{"type": _PART_NAMES[part.kind], names[part.kind]: part.words} for part in item.parts.values()]}


def _text(value: Json) -> str:
    return value if isinstance(value, str) else ""
