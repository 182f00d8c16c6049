"""A client's mistakes as data, and the texts of the API's error catalogue.

Codes and texts follow the Realtime API's error events; clients match the code, a few match the start of a text.
"""

from collections.abc import Iterable

import msgspec


class ErrorDetail(msgspec.Struct, frozen=True, kw_only=True):
    """The `error` object of an error event. All five keys are always sent; `param` is a dotted path."""

    type: str = "invalid_request_error"
    code: str | None = None
    message: str
    param: str | None = None
    event_id: str | None = None


class ClientError(Exception):
    """The client's mistake; it becomes an `error` event and the session goes on."""

    def __init__(
        self,
        code: str | None,
        message: str,
        param: str | None = None,
        event_id: str | None = None,
        type: str = "invalid_request_error",
    ) -> None:
        super().__init__(message)
        self.detail = ErrorDetail(type=type, code=code, message=message, param=param, event_id=event_id)

    def with_event_id(self, event_id: str | None) -> "ClientError":
        """Return the same error in answer to the client event `event_id`."""
        return type(self)(self.detail.code, self.detail.message, self.detail.param, event_id, self.detail.type)


class ProtocolError(ClientError):
    """Bytes that are not a JSON object we can read."""


MAX_QUOTED = 200  # characters of a client's value that an error repeats


def quoted(value: object) -> str:
    """Return a client's value as an error shows it: cut to a readable length, without quotes around it."""
    text = str(value)
    return text if len(text) <= MAX_QUOTED else f"{text[:MAX_QUOTED]}…"


def listed(values: Iterable[object]) -> str:
    """Return the values quoted and joined as the API does: `'a', 'b' and 'c'`."""
    texts = [f"'{value}'" for value in values]
    if len(texts) < 2:
        return "".join(texts) or "none"
    return f"{', '.join(texts[:-1])} and {texts[-1]}"


def unreadable(reason: str, event_id: str | None = None) -> ProtocolError:
    """The payload is not a readable JSON object."""
    return ProtocolError("invalid_event", f"Invalid event: {reason}.", None, event_id)


def unknown_parameter(param: str) -> ClientError:
    """A key that the API does not have."""
    return ClientError("unknown_parameter", f"Unknown parameter: '{param}'.", param)


def missing_parameter(param: str) -> ClientError:
    """A required key is absent (or null)."""
    return ClientError("missing_required_parameter", f"Missing required parameter: '{param}'.", param)


def invalid_value(value: object, supported: Iterable[object], param: str) -> ClientError:
    """A value outside the allowed set."""
    text = f"Invalid value: '{quoted(value)}'. Supported values are: {listed(supported)}."
    return ClientError("invalid_value", text, param)


def invalid_content(param: str, explanation: str) -> ClientError:
    """A value of the right type that is not acceptable; the explanation is a sentence without its full stop."""
    return ClientError("invalid_value", f"Invalid '{param}': {explanation}.", param)


def invalid_type(param: str, expected: str, got: str) -> ClientError:
    """A value of the wrong JSON type; `expected` and `got` carry their article."""
    text = f"Invalid type for '{param}': expected {expected}, but got {got} instead."
    return ClientError("invalid_type", text, param)


def out_of_range(param: str, kind: str, bound: str, value: object) -> ClientError:
    """A number outside its range. `kind` is "integer" or "decimal", `bound` is like ">= 1" or "<= 4096"."""
    side, word = ("below_min", "below minimum") if bound.startswith(">") else ("above_max", "above maximum")
    text = f"Invalid '{param}': {kind} {word} value. Expected a value {bound}, but got {quoted(value)} instead."
    return ClientError(f"{kind}_{side}_value", text, param)


def wrong_session_kind(update: str, session: str) -> ClientError:
    """An update of one kind of session for a session of the other kind."""
    text = f"Passing a {update} session update event to a {session} session is not allowed."
    return ClientError(None, text)


def buffer_too_small(buffered_ms: float) -> ClientError:
    """A commit of less than 100 ms."""
    text = (
        "Error committing input audio buffer: buffer too small. "
        f"Expected at least 100ms of audio, but buffer only has {buffered_ms:.2f}ms of audio."
    )
    return ClientError("input_audio_buffer_commit_empty", text)


def buffer_full(limit_ms: int) -> ClientError:
    """More uncommitted audio than the session keeps (our own code)."""
    text = f"The input audio buffer is full: it holds at most {limit_ms}ms of uncommitted audio."
    return ClientError("input_audio_buffer_full", text, type="server_error")


def active_response(response_id: str) -> ClientError:
    """A second response for the default conversation."""
    text = (
        f"Conversation already has an active response in progress: {response_id}. "
        "Wait until the response is finished before creating a new one."
    )
    return ClientError("conversation_already_has_active_response", text)


def no_active_response() -> ClientError:
    """Nothing to cancel. Clients match the prefix `Cancellation failed`."""
    return ClientError("response_cancel_not_active", "Cancellation failed: no active response found")


def previous_item_missing(item_id: str) -> ClientError:
    """An item is to follow one that does not exist."""
    text = f"Error adding item: the previous item with id '{quoted(item_id)}' does not exist."
    return ClientError("item_create_invalid_previous_item_id", text, "previous_item_id")


def duplicate_item(item_id: str) -> ClientError:
    """An item with this id exists."""
    text = f"Error adding item: an item with id '{quoted(item_id)}' already exists."
    return ClientError("item_create_duplicate_item_id", text, "item.id")


def call_missing(call_id: str) -> ClientError:
    """A function output whose call is not in the conversation."""
    text = f"Error adding item: no function call with call_id '{quoted(call_id)}' exists in the conversation."
    return ClientError("invalid_value", text, "item.call_id")


def approval_request_missing(request_id: str) -> ClientError:
    """The answer to an approval request that is not open."""
    text = f"Error adding item: no approval request with id '{quoted(request_id)}' waits for an answer."
    return ClientError("invalid_value", text, "item.approval_request_id")


def item_missing_on_retrieve(item_id: str) -> ClientError:
    """conversation.item.retrieve names no item."""
    text = f"Error retrieving item: the item with id '{quoted(item_id)}' does not exist."
    return ClientError("item_retrieve_invalid_item_id", text, "item_id")


def item_missing_on_delete(item_id: str) -> ClientError:
    """conversation.item.delete names no item."""
    text = f"Error deleting item: the item with id '{quoted(item_id)}' does not exist."
    return ClientError("item_delete_invalid_item_id", text, "item_id")


def item_missing_on_truncate(item_id: str) -> ClientError:
    """conversation.item.truncate names no item."""
    return not_truncatable(f"the item with id '{quoted(item_id)}' does not exist")


def not_truncatable(reason: str) -> ClientError:
    """conversation.item.truncate names an item without assistant audio."""
    return ClientError("item_truncate_invalid_item_id", f"Error truncating item: {reason}.", "item_id")


def audio_already_shorter(audio_ms: int, audio_end_ms: int) -> ClientError:
    """conversation.item.truncate beyond the end of the audio."""
    return ClientError("invalid_value", f"Audio content of {audio_ms}ms is already shorter than {audio_end_ms}ms")


def prompt_missing(prompt_id: str, param: str) -> ClientError:
    """A stored prompt that this server does not have (our own code)."""
    return ClientError("prompt_not_found", f"No stored prompt '{quoted(prompt_id)}' exists.", param)


def bad_response(explanation: str, param: str | None = None) -> ClientError:
    """A response that cannot be started; the explanation is a sentence."""
    return ClientError("bad_response_create", explanation, param)


def not_in_session_kind(event: str, kind: str) -> ClientError:
    """An event that this kind of session does not have."""
    text = f"The event '{event}' is not allowed in a {kind} session."
    return ClientError("invalid_event", text, "type")


def voice_locked() -> ClientError:
    """The voice may not change once the session has produced audio."""
    text = "Cannot update a conversation's voice if assistant audio is present."
    return ClientError("cannot_update_voice", text)


def session_expired(limit_minutes: int = 60) -> ClientError:
    """The session's lifetime is over; the close reason has the same text."""
    text = f"Your session hit the maximum duration of {limit_minutes} minutes."
    return ClientError("session_expired", text)


def server_error() -> ClientError:
    """Our own failure, without its details."""
    text = "The server had an error while processing your request. Sorry about that!"
    return ClientError(None, text, type="server_error")


def insufficient_quota(message: str) -> ClientError:
    """The budget of the client's key does not allow for more."""
    return ClientError("insufficient_quota", message, type="insufficient_quota")
