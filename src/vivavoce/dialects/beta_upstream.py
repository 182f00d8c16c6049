"""A client of today's API on an upstream that speaks only the beta: its events become the beta's, and back.

Follows the beta reference, reversed. What an upstream of the beta does not say is put together from what it said
before: that an item is complete, the name of a called function, how long transcribed speech was. That memory is
`Heard`; it is bounded, and what falls out of it is said less well, never wrongly.
"""

from collections import OrderedDict
from collections.abc import Callable
from typing import Final, Generic, TypeVar

import msgspec

from vivavoce.dialects.beta import RENAMED
from vivavoce.dialects.beta_errors import error_to_ga
from vivavoce.dialects.beta_fields import RESPONSE_PLACES, Body, Json
from vivavoce.dialects.beta_items import (
    item_for_beta_upstream,
    item_from_beta_upstream,
    params_to_beta,
    response_from_beta,
)
from vivavoce.dialects.beta_messages import (
    body_of,
    check_size,
    event_type,
    message_of,
    messages_of,
    names_in_bytes,
    retyped,
)
from vivavoce.dialects.beta_session import OMITTED, Kind, check_canonical, flat_echo_to_ga, ga_to_flat_patch
from vivavoce.protocol.errors import ClientError, unknown_parameter
from vivavoce.protocol.misspellings import suggested

MAX_REMEMBERED: Final = 256  # items of running responses, and utterances that wait for their transcript
TO_GA: Final = {beta: ga for ga, beta in RENAMED.items()}

_TO_GA_BYTES: Final = names_in_bytes(TO_GA)
_HEAD_BYTES: Final = 512  # the indices stand before the delta
_INDICES: Final = (b'"content_index"', b'"output_index"')
_PART_EVENTS: Final = frozenset({*TO_GA, "response.content_part.added", "response.content_part.done"})
_TRANSCRIPTION: Final = "conversation.item.input_audio_transcription."

V = TypeVar("V")


class Recent(Generic[V]):
    """The values of the last `MAX_REMEMBERED` keys."""

    def __init__(self) -> None:
        self._values: OrderedDict[str, V] = OrderedDict()

    def put(self, key: Json, value: V) -> None:
        if isinstance(key, str):
            self._values[key] = value
            self._values.move_to_end(key)
            while len(self._values) > MAX_REMEMBERED:
                self._values.popitem(last=False)

    def get(self, key: Json) -> V | None:
        return self._values.get(key) if isinstance(key, str) else None

    def pop(self, key: Json) -> V | None:
        return self._values.pop(key, None) if isinstance(key, str) else None

    def items(self) -> list[tuple[str, V]]:
        return list(self._values.items())


class OpenItem(msgspec.Struct):
    """An item that a response is writing."""

    response_id: Json
    output_index: Json
    name: Json  # of the called function
    created: Body | None = None  # its `conversation.item.created`; out of band there is none


class Heard(msgspec.Struct):
    """What is remembered of an upstream's events."""

    open_items: Recent[OpenItem]
    speech_ms: Recent[tuple[Json, Json]]  # start and end of an utterance


class BetaUpstream:
    """The dialect of one connection to an upstream."""

    def __init__(self) -> None:
        self._heard = Heard(Recent(), Recent())

    # To the upstream --------------------------------------------------------------------------------------------

    def client(self, message: bytes) -> bytes:
        """Return a client's message as the upstream takes it; what cannot be read passes.

        Raises:
            ClientError: a field of the beta, which a client of today must not use; or an update without a type.
        """
        translate = _CLIENT_EVENTS.get(event_type(message))
        if translate is None:
            return message
        check_size(message)
        body = body_of(message)
        if body is None:
            return message
        try:
            return message_of(translate(body))
        except ClientError as error:
            event_id = body.get("event_id")
            raise error.with_event_id(event_id if isinstance(event_id, str) else None) from error

    # From the upstream ------------------------------------------------------------------------------------------

    def server(self, message: bytes) -> list[bytes]:
        """Return the messages that the client gets for one event of the upstream: none, one, or several."""
        if all(message.find(index, 0, _HEAD_BYTES) >= 0 for index in _INDICES):
            renamed = retyped(message, _TO_GA_BYTES)
            if renamed is not None:
                return [renamed]
        if event_type(message) not in _SERVER_EVENTS:
            return [message]
        body = body_of(message)
        return [message] if body is None else messages_of(self.events(body), message)

    def events(self, event: Body) -> list[Body]:
        """Return the events that the client gets for one of the upstream, as JSON objects."""
        type_ = event.get("type")
        translate = _SERVER_EVENTS.get(type_) if isinstance(type_, str) else None
        return [event] if translate is None else translate(self, event)

    def _session(self, event: Body) -> list[Body]:
        type_, kind = str(event["type"]), _kind(event)
        session = event.get("session")
        if not isinstance(session, dict):
            return [event]
        name = type_.removeprefix("transcription_")
        return [{**event, "type": name, "session": flat_echo_to_ga(session, kind)}]

    def _drop(self, event: Body) -> list[Body]:
        return []

    def _item_created(self, event: Body) -> list[Body]:
        item = event.get("item")
        id_, status = (item.get("id"), item.get("status")) if isinstance(item, dict) else (None, None)
        opened = self._heard.open_items.get(id_)
        if opened is None and (status == "in_progress" or _is_listing(item)):  # before its response opens it
            opened = OpenItem(None, None, None)
            self._heard.open_items.put(id_, opened)
        status = "completed" if opened is None else "in_progress"
        added = {**event, "type": "conversation.item.added", "item": item_from_beta_upstream(item, status)}
        if opened is None:
            return [added, _done(added)]
        opened.created = added
        return [added]

    def _item_opened(self, event: Body) -> list[Body]:
        item = item_from_beta_upstream(event.get("item"), "in_progress")
        if isinstance(item, dict):
            announced = self._heard.open_items.get(item.get("id"))
            created = None if announced is None else announced.created
            opened = OpenItem(event.get("response_id"), event.get("output_index"), item.get("name"), created)
            self._heard.open_items.put(item.get("id"), opened)
        return [{**event, "item": item}]

    def _item_closed(self, event: Body) -> list[Body]:
        item = item_from_beta_upstream(event.get("item"), "completed")
        closed = self._heard.open_items.pop(item.get("id")) if isinstance(item, dict) else None
        shown = {**event, "item": item}
        if closed is None or closed.created is None:
            return [shown]
        return [_done(closed.created, item), shown]

    def _listed(self, event: Body) -> list[Body]:
        """The tools that were listed are told only when the item is retrieved."""
        opened = self._heard.open_items.pop(event.get("item_id"))
        return [event] if opened is None or opened.created is None else [event, _done(opened.created)]

    def _item_retrieved(self, event: Body) -> list[Body]:
        return [{**event, "item": item_from_beta_upstream(event.get("item"), "completed")}]

    def _response(self, event: Body) -> list[Body]:
        return [{**event, "response": response_from_beta(event.get("response"))}]

    def _response_done(self, event: Body) -> list[Body]:
        """Items that the upstream has left open are done as the response has them, or as far as they came."""
        [shown] = self._response(event)
        response = shown["response"] if isinstance(shown["response"], dict) else {}
        output = response.get("output")
        items = {item.get("id"): item for item in output or () if isinstance(item, dict)} if _is_list(output) else {}
        done = []
        for id_, left in self._heard.open_items.items():
            if left.response_id == response.get("id"):
                self._heard.open_items.pop(id_)
                if left.created is not None:
                    done.append(_done(left.created, items.get(id_) or _incomplete(left.created)))
        return [*done, shown]

    def _part(self, event: Body) -> list[Body]:
        type_ = str(event["type"])
        open_item = self._heard.open_items.get(event.get("item_id"))
        index = 0 if open_item is None or open_item.output_index is None else open_item.output_index
        return [{"output_index": index, "content_index": 0, **event, "type": TO_GA.get(type_, type_)}]

    def _arguments_done(self, event: Body) -> list[Body]:
        open_item = self._heard.open_items.get(event.get("item_id"))
        name = None if open_item is None else open_item.name
        return [event if "name" in event or name is None else {**event, "name": name}]

    def _speech_started(self, event: Body) -> list[Body]:
        self._heard.speech_ms.put(event.get("item_id"), (event.get("audio_start_ms"), None))
        return [event]

    def _speech_stopped(self, event: Body) -> list[Body]:
        start_ms, _ = self._heard.speech_ms.get(event.get("item_id")) or (None, None)
        self._heard.speech_ms.put(event.get("item_id"), (start_ms, event.get("audio_end_ms")))
        return [event]

    def _transcribed(self, event: Body) -> list[Body]:
        shown = {"content_index": 0, **event}
        if shown["type"] == f"{_TRANSCRIPTION}delta":
            return [shown]
        start_ms, end_ms = self._heard.speech_ms.pop(event.get("item_id")) or (None, None)
        if shown["type"] == f"{_TRANSCRIPTION}completed" and shown.get("usage") is None:
            shown["usage"] = {"type": "duration", "seconds": _seconds(start_ms, end_ms)}
        return [shown]

    def _error(self, event: Body) -> list[Body]:
        return [{**event, "error": error_to_ga(event.get("error"))}]


def unsayable(event: Body) -> tuple[str, ...]:
    """Return the paths of a client event's fields that an upstream of the beta is not told, since it has none."""
    found = []
    for root in ("session", "response"):
        fields = event.get(root)
        if isinstance(fields, dict):
            found += [f"{root}.{name}" for name in OMITTED if fields.get(name) is not None]
            choice = fields.get("tool_choice")
            found += [f"{root}.tool_choice"] if isinstance(choice, dict) and choice.get("type") == "mcp" else []
    return tuple(found)


def _update(body: Body) -> Body:
    session = body.get("session")
    if not isinstance(session, dict):
        return body
    check_canonical(session)
    name = "transcription_session.update" if session["type"] == "transcription" else "session.update"
    return {**body, "type": name, "session": ga_to_flat_patch(session)}


def _create_item(body: Body) -> Body:
    return {**body, "item": item_for_beta_upstream(body["item"])} if "item" in body else body


def _create_response(body: Body) -> Body:
    params = body.get("response")
    if not isinstance(params, dict):
        return body
    for name, place in RESPONSE_PLACES.items():
        if name in params and place.path != (name,):
            raise suggested(unknown_parameter(f"response.{name}"), ("audio", "output_modalities"))
    return {**body, "response": params_to_beta(params)}


def _kind(event: Body) -> Kind:
    session = event.get("session")
    object_ = session.get("object") if isinstance(session, dict) else None
    is_transcription = str(event["type"]).startswith("transcription_") or object_ == "realtime.transcription_session"
    return "transcription" if is_transcription else "realtime"


def _done(added: Body, item: Json = None) -> Body:
    """Return the event that says that an item is complete: as `item`, or as it was added."""
    done = {**added, "type": "conversation.item.done", "event_id": f"{added.get('event_id')}_done"}
    return done if item is None else {**done, "item": item}


def _is_listing(item: Json) -> bool:
    return isinstance(item, dict) and item.get("type") == "mcp_list_tools" and not item.get("tools")


def _incomplete(created: Body) -> Json:
    item = created.get("item")
    return {**item, "status": "incomplete"} if isinstance(item, dict) else item


def _is_list(value: Json) -> bool:
    return isinstance(value, list)


def _seconds(start_ms: Json, end_ms: Json) -> float:
    """Return how long an utterance was; 0 where its limits are not known, as after a commit by the client."""
    if not isinstance(start_ms, int) or not isinstance(end_ms, int):
        return 0.0
    return max(0, end_ms - start_ms) / 1000


_CLIENT_EVENTS: Final[dict[str, Callable[[Body], Body]]] = {
    "session.update": _update,
    "conversation.item.create": _create_item,
    "response.create": _create_response,
}
_SERVER_EVENTS: Final[dict[str, Callable[[BetaUpstream, Body], list[Body]]]] = {
    "session.created": BetaUpstream._session,
    "session.updated": BetaUpstream._session,
    "transcription_session.created": BetaUpstream._session,
    "transcription_session.updated": BetaUpstream._session,
    "conversation.created": BetaUpstream._drop,
    "conversation.item.created": BetaUpstream._item_created,
    "conversation.item.retrieved": BetaUpstream._item_retrieved,
    "response.output_item.added": BetaUpstream._item_opened,
    "response.output_item.done": BetaUpstream._item_closed,
    "mcp_list_tools.completed": BetaUpstream._listed,
    "mcp_list_tools.failed": BetaUpstream._listed,
    "response.created": BetaUpstream._response,
    "response.done": BetaUpstream._response_done,
    "response.function_call_arguments.done": BetaUpstream._arguments_done,
    "input_audio_buffer.speech_started": BetaUpstream._speech_started,
    "input_audio_buffer.speech_stopped": BetaUpstream._speech_stopped,
    f"{_TRANSCRIPTION}delta": BetaUpstream._transcribed,
    f"{_TRANSCRIPTION}completed": BetaUpstream._transcribed,
    f"{_TRANSCRIPTION}failed": BetaUpstream._transcribed,
    "error": BetaUpstream._error,
    **dict.fromkeys(_PART_EVENTS, BetaUpstream._part),
}
