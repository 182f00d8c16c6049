"""The responses that an upstream has begun and not ended, and how they end where the upstream cannot end them."""

from collections.abc import Iterator
from typing import Final

import msgspec

from vivavoce.core.relay.journal import Asked
from vivavoce.core.relay.vocabulary import Body, Json

_PART_NAMES: Final = {"text": "output_text", "audio": "output_audio"}


class OpenPart(msgspec.Struct):
    """A content part that is being written. `open` are the streams that have no done yet."""

    kind: str  # text, audio
    words: str = ""
    open: set[str] = set()


class OpenItem(msgspec.Struct):
    """An output item, from its `added` to the end of its response."""

    body: Body
    output_index: Json  # as the client sees it
    is_hidden: bool = False
    is_added: bool = False  # to the conversation
    final: Body | None = None  # as its `done` showed it
    arguments: str = ""
    has_arguments: bool = False  # they are done
    parts: dict[int, OpenPart] = {}


class OpenResponse(msgspec.Struct):
    """A response between its `created` and its `done`."""

    id: str
    body: Body
    rival: Asked | None = None  # a request that it may answer, unless it is the detector's
    items: dict[str, OpenItem] = {}
    hidden: list[int] = []  # the output indices of hidden items

    @property
    def is_default(self) -> bool:
        """Return whether it writes to the default conversation."""
        return self.body.get("conversation_id") is not None

    def shown_index(self, index: Json) -> Json:
        """Return what an output index is without the hidden items."""
        return index - sum(hidden < index for hidden in self.hidden) if isinstance(index, int) else index


class Responses:
    """The open responses of a session, by id."""

    __slots__ = ("is_shifted", "open")

    def __init__(self) -> None:
        self.open: dict[str, OpenResponse] = {}
        self.is_shifted = False  # output indices are others than the client sees

    def begin(self, body: Body, rival: Asked | None) -> OpenResponse | None:
        """Take `response.created`; None if it has no id."""
        id_ = body.get("id")
        if not isinstance(id_, str):
            return None
        self.open[id_] = OpenResponse(id_, body, rival)
        return self.open[id_]

    def get(self, response_id: Json) -> OpenResponse | None:
        return self.open.get(response_id) if isinstance(response_id, str) else None

    def end(self, response_id: Json) -> OpenResponse | None:
        """Take `response.done`."""
        ended = self.open.pop(response_id, None) if isinstance(response_id, str) else None
        self.is_shifted = any(response.hidden for response in self.open.values())
        return ended

    def default(self) -> OpenResponse | None:
        """Return the response that writes to the default conversation."""
        return next((response for response in self.open.values() if response.is_default), None)

    def item(self, event: Body) -> OpenItem | None:
        """Return the item of an open response that an event is about."""
        response = self.get(event.get("response_id"))
        item_id = event.get("item_id")
        return None if response is None or not isinstance(item_id, str) else response.items.get(item_id)

    def owns(self, item_id: str) -> bool:
        """Tell whether an item is the output of an open response."""
        return any(item_id in response.items for response in self.open.values())

    def note_added(self, item_id: str) -> None:
        """An item was added to the conversation."""
        for response in self.open.values():
            if item_id in response.items:
                response.items[item_id].is_added = True

    def follow(self, type_: str, event: Body) -> None:
        """Take an event about the content of an open item."""
        item = self.item(event)
        if item is None:
            return
        if type_.startswith("response.function_call_arguments."):
            item.has_arguments = item.has_arguments or type_.endswith(".done")
            item.arguments += text_of(event.get("delta"))
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
            part.words += text_of(event.get("delta"))
        case "response.output_text.done":
            part.open.discard("text")
        case "response.output_audio_transcript.done":
            part.open.discard("transcript")
        case "response.output_audio.done":
            part.open.discard("audio")
        case "response.content_part.done":
            part.open.discard("part")


def content_ends(response: OpenResponse, item_id: str, item: OpenItem) -> Iterator[Body]:
    """Yield every `done` that the content of an item lacks, without event ids."""
    common = {"response_id": response.id, "item_id": item_id, "output_index": item.output_index}
    if item.body.get("type") == "function_call" and not item.has_arguments:
        call = {"call_id": item.body.get("call_id"), "name": item.body.get("name"), "arguments": item.arguments}
        yield {"type": "response.function_call_arguments.done", **common, **call}
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


def cut_body(item: OpenItem) -> Body:
    """Return an item that ends before it is whole."""
    body = {**item.body, "status": "incomplete"}
    if body.get("type") == "function_call":
        body["arguments"] = item.arguments
    elif body.get("type") == "message":
        names = {"text": "text", "audio": "transcript"}
        body["content"] = [
            {"type": _PART_NAMES[part.kind], names[part.kind]: part.words} for part in item.parts.values()
        ]
    return body


def text_of(value: Json) -> str:
    """Return a text of an event, empty where there is none."""
    return value if isinstance(value, str) else ""
