"""A client of the beta API on a session of today's: its events become ours, ours become its own.

Follows the beta reference. Events that are the same in both pass as the very bytes that came. Remembered are the
temperature, which a session object of ours has no place for, and the conversation's id, which the beta tells when a
session begins and ours with the first response.
"""

from collections.abc import Callable
from typing import Final

from vivavoce.dialects.beta_errors import below, error_to_beta
from vivavoce.dialects.beta_fields import RESPONSE_PLACES, Body, Json
from vivavoce.dialects.beta_items import item_from_beta_client, item_to_beta, params_from_beta_client, response_to_beta
from vivavoce.dialects.beta_messages import (
    body_of,
    check_size,
    event_type,
    message_of,
    messages_of,
    names_in_bytes,
    retyped,
)
from vivavoce.dialects.beta_session import Kind, checked_temperature, flat_to_ga, ga_to_flat
from vivavoce.protocol.client_events import ClientEvent
from vivavoce.protocol.codec import decode_client_event
from vivavoce.protocol.errors import ClientError, unknown_parameter
from vivavoce.protocol.misspellings import suggested

# Ours -> the beta's. The rest of the event is the same.
RENAMED: Final = {
    "response.output_text.delta": "response.text.delta",
    "response.output_text.done": "response.text.done",
    "response.output_audio.delta": "response.audio.delta",
    "response.output_audio.done": "response.audio.done",
    "response.output_audio_transcript.delta": "response.audio_transcript.delta",
    "response.output_audio_transcript.done": "response.audio_transcript.done",
}
# Events that the beta does not have: it learns of a whole item from `response.output_item.done`, of a timeout from
# the commit that follows.
DROPPED: Final = frozenset(
    {
        "conversation.item.done",
        "input_audio_buffer.timeout_triggered",
        "input_audio_buffer.dtmf_event_received",
    }
)
# Events that came to be during the beta and that no client asks for; rt-client ends on a type that it does not know.
LATE_EVENTS: Final = frozenset(
    {
        "conversation.item.input_audio_transcription.delta",
        "conversation.item.input_audio_transcription.segment",
    }
)
_ITEM_EVENTS: Final = {
    "conversation.item.added": "conversation.item.created",
    "conversation.item.retrieved": "conversation.item.retrieved",
    "response.output_item.added": "response.output_item.added",
    "response.output_item.done": "response.output_item.done",
}
# Of items that have none: these are whole from the start, a list of tools and a call are not.
_STATUS_OF: Final = {"mcp_approval_request": "completed", "mcp_approval_response": "completed"}
_SESSION_EVENTS: Final = ("session.created", "session.updated")
_RESPONSE_EVENTS: Final = ("response.created", "response.done")
_GA_PARAMS: Final = ("audio", "output_modalities")  # of a response: fields that the beta says otherwise
_PARAMS: Final = (*RESPONSE_PLACES, "instructions", "max_output_tokens", "temperature", "conversation", "input")
_ASSISTANT: Final = b'"assistant"'
_ADDED: Final = b'"conversation.item.added"'
_HEAD_BYTES: Final = 1024  # of a message, where its type stands
_RENAMED_BYTES: Final = names_in_bytes(RENAMED)


class BetaDialect:
    """The dialect of one connection. `temperature` is what the client asked for last, for engines that have it."""

    def __init__(
        self, conversation_id: str | None = None, temperature: float | None = None, *, is_early: bool = False
    ) -> None:
        """Make the dialect of a connection.

        Args:
            conversation_id: of the default conversation, for `conversation.created`; made from the session's id
                where it is not known, and from then on the client's name for it.
            temperature: of the session that the client's secret asked for.
            is_early: the client knows the events of 2024 only.
        """
        self.temperature = temperature
        self._conversation_id = conversation_id
        self._is_early = is_early
        self._dropped = DROPPED | LATE_EVENTS if is_early else DROPPED

    # From the client --------------------------------------------------------------------------------------------

    def client(self, message: bytes) -> bytes:
        """Return the client's message as one of today's API; what cannot be read passes, to be refused as usual.

        Raises:
            ClientError: a field that the beta does not have, or a temperature outside its range.
        """
        type_ = event_type(message)
        translate = _CLIENT_EVENTS.get(type_)
        if translate is None or (type_ == "conversation.item.create" and _ASSISTANT not in message):
            return message
        check_size(message)
        body = body_of(message)
        if body is None:
            return message
        try:
            return message_of(translate(self, body))
        except ClientError as error:
            event_id = body.get("event_id")
            raise error.with_event_id(event_id if isinstance(event_id, str) else None) from error

    def decode(self, message: bytes, read: Callable[[bytes], ClientEvent] = decode_client_event) -> ClientEvent:
        """Return the client event of one message; raises ClientError, and keeps the temperature as it was then.

        The error speaks of fields of today's API where it comes from reading them; `server` translates its event.

        Args:
            read: returns the client event of one message of today's API.
        """
        before = self.temperature
        try:
            return read(self.client(message))
        except ClientError:
            self.temperature = before
            raise

    def _update(self, body: Body) -> Body:
        return self._with_session(body, "realtime")

    def _update_transcription(self, body: Body) -> Body:
        return {**self._with_session(body, "transcription"), "type": "session.update"}

    def _with_session(self, body: Body, kind: Kind) -> Body:
        session = body.get("session")
        if not isinstance(session, dict):
            return body
        try:
            translated = flat_to_ga(session, kind, keeps_unknown=True)
        except ClientError as error:
            raise below(error, "session") from error
        if translated.temperature is not None:
            self.temperature = translated.temperature
        return {**body, "session": translated.session}

    def _create_item(self, body: Body) -> Body:
        return {**body, "item": item_from_beta_client(body["item"])} if "item" in body else body

    def _create_response(self, body: Body) -> Body:
        params = body.get("response")
        if not isinstance(params, dict):
            return body
        try:
            for name in _GA_PARAMS:
                if name in params:
                    raise suggested(unknown_parameter(name), _PARAMS)
            checked_temperature(params.get("temperature"))
        except ClientError as error:
            raise below(error, "response") from error
        return {**body, "response": params_from_beta_client(params)}

    # To the client ----------------------------------------------------------------------------------------------

    def is_whole_item(self, message: bytes) -> bool:
        """Return whether one event of ours tells of an item that is complete and of which no second event comes."""
        if message.find(_ADDED, 0, _HEAD_BYTES) < 0 or event_type(message) != "conversation.item.added":
            return False
        item = (body_of(message) or {}).get("item")
        return isinstance(item, dict) and item.get("status", _STATUS_OF.get(str(item.get("type")))) == "completed"

    def server(self, message: bytes) -> list[bytes]:
        """Return the messages that the client gets for one event of ours: none, one, or two when a session began."""
        renamed = retyped(message, _RENAMED_BYTES)
        if renamed is not None:
            return [renamed]
        type_ = event_type(message)
        if type_ in self._dropped:
            return []
        if type_ not in RENAMED and type_ not in _TRANSLATED:
            return [message]
        body = body_of(message)
        return [message] if body is None else messages_of(self.events(body), message)

    def events(self, event: Body) -> list[Body]:
        """Return the events that the client gets for one of ours, as JSON objects."""
        type_ = event.get("type")
        if not isinstance(type_, str):
            return [event]
        if type_ in self._dropped:
            return []
        if type_ in RENAMED:
            return [{**event, "type": RENAMED[type_]}]
        if type_ in _ITEM_EVENTS:
            return [{**event, "type": _ITEM_EVENTS[type_], "item": item_to_beta(event.get("item"))}]
        if type_ in _RESPONSE_EVENTS:
            return [{**event, "response": self._shown_response(event.get("response"))}]
        if type_ in _SESSION_EVENTS:
            return self._session_events(type_, event)
        return [{**event, "error": error_to_beta(event.get("error"))}] if type_ == "error" else [event]

    def _shown_response(self, response: Json) -> Json:
        """Return a response object; in the default conversation it has the id that `conversation.created` told."""
        shown = response_to_beta(response, self.temperature)
        if self._conversation_id is None or not isinstance(shown, dict) or shown.get("conversation_id") is None:
            return shown
        return {**shown, "conversation_id": self._conversation_id}

    def _session_events(self, type_: str, event: Body) -> list[Body]:
        session = event.get("session")
        if not isinstance(session, dict):
            return [event]
        shown = {**event, "session": ga_to_flat(session, self.temperature)}
        if session.get("type") == "transcription":
            return [{**shown, "type": f"transcription_{type_}"}]
        if type_ != "session.created" or self._is_early:
            return [shown]
        if self._conversation_id is None:
            self._conversation_id = f"conv_{str(session.get('id')).removeprefix('sess_')}"
        conversation = {"id": self._conversation_id, "object": "realtime.conversation"}
        event_id = f"{event.get('event_id')}_conversation"
        return [shown, {"type": "conversation.created", "event_id": event_id, "conversation": conversation}]


_CLIENT_EVENTS: Final[dict[str, Callable[[BetaDialect, Body], Body]]] = {
    "session.update": BetaDialect._update,
    "transcription_session.update": BetaDialect._update_transcription,
    "conversation.item.create": BetaDialect._create_item,
    "response.create": BetaDialect._create_response,
}
_TRANSLATED: Final = frozenset({*_ITEM_EVENTS, *_SESSION_EVENTS, *_RESPONSE_EVENTS, "error"})
