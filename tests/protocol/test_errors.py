"""The error catalogue's codes, texts and parameters."""

import msgspec
import pytest

from vivavoce.protocol import errors
from vivavoce.protocol.errors import ClientError, ErrorDetail

CATALOGUE = [
    (errors.unknown_parameter("session.x"), "unknown_parameter", "Unknown parameter: 'session.x'.", "session.x"),
    (
        errors.missing_parameter("session.type"),
        "missing_required_parameter",
        "Missing required parameter: 'session.type'.",
        "session.type",
    ),
    (
        errors.invalid_value("X", ("a", "b", "c"), "p"),
        "invalid_value",
        "Invalid value: 'X'. Supported values are: 'a', 'b' and 'c'.",
        "p",
    ),
    (
        errors.invalid_type("session.x", "a string", "an integer"),
        "invalid_type",
        "Invalid type for 'session.x': expected a string, but got an integer instead.",
        "session.x",
    ),
    (
        errors.out_of_range("session.x", "integer", "<= 4096", 5000),
        "integer_above_max_value",
        "Invalid 'session.x': integer above maximum value. Expected a value <= 4096, but got 5000 instead.",
        "session.x",
    ),
    (
        errors.out_of_range("session.x", "decimal", ">= 0.25", 0.1),
        "decimal_below_min_value",
        "Invalid 'session.x': decimal below minimum value. Expected a value >= 0.25, but got 0.1 instead.",
        "session.x",
    ),
    (
        errors.buffer_too_small(12.3456),
        "input_audio_buffer_commit_empty",
        "Error committing input audio buffer: buffer too small. Expected at least 100ms of audio, "
        "but buffer only has 12.35ms of audio.",
        None,
    ),
    (
        errors.active_response("resp_1"),
        "conversation_already_has_active_response",
        "Conversation already has an active response in progress: resp_1. "
        "Wait until the response is finished before creating a new one.",
        None,
    ),
    (
        errors.no_active_response(),
        "response_cancel_not_active",
        "Cancellation failed: no active response found",
        None,
    ),
    (
        errors.previous_item_missing("X"),
        "item_create_invalid_previous_item_id",
        "Error adding item: the previous item with id 'X' does not exist.",
        "previous_item_id",
    ),
    (
        errors.duplicate_item("X"),
        "item_create_duplicate_item_id",
        "Error adding item: an item with id 'X' already exists.",
        "item.id",
    ),
    (
        errors.call_missing("X"),
        "invalid_value",
        "Error adding item: no function call with call_id 'X' exists in the conversation.",
        "item.call_id",
    ),
    (
        errors.item_missing_on_retrieve("X"),
        "item_retrieve_invalid_item_id",
        "Error retrieving item: the item with id 'X' does not exist.",
        "item_id",
    ),
    (
        errors.item_missing_on_delete("X"),
        "item_delete_invalid_item_id",
        "Error deleting item: the item with id 'X' does not exist.",
        "item_id",
    ),
    (
        errors.item_missing_on_truncate("X"),
        "item_truncate_invalid_item_id",
        "Error truncating item: the item with id 'X' does not exist.",
        "item_id",
    ),
    (
        errors.audio_already_shorter(3750, 5000),
        "invalid_value",
        "Audio content of 3750ms is already shorter than 5000ms",
        None,
    ),
    (
        errors.voice_locked(),
        "cannot_update_voice",
        "Cannot update a conversation's voice if assistant audio is present.",
        None,
    ),
    (errors.session_expired(), "session_expired", "Your session hit the maximum duration of 60 minutes.", None),
    (
        errors.wrong_session_kind("realtime", "transcription"),
        None,
        "Passing a realtime session update event to a transcription session is not allowed.",
        None,
    ),
    (errors.unreadable("it is empty"), "invalid_event", "Invalid event: it is empty.", None),
]


@pytest.mark.parametrize(("error", "code", "message", "param"), CATALOGUE)
def test_the_error_has_the_code_text_and_parameter_of_the_catalogue(
    error: ClientError, code: str | None, message: str, param: str | None
) -> None:
    assert error.detail == ErrorDetail(code=code, message=message, param=param)
    assert str(error) == message


@pytest.mark.parametrize(
    ("error", "code"), [(errors.server_error(), None), (errors.buffer_full(900_000), "input_audio_buffer_full")]
)
def test_failures_of_ours_are_server_errors(error: ClientError, code: str | None) -> None:
    assert (error.detail.type, error.detail.code) == ("server_error", code)


def test_an_error_can_be_answered_to_an_event() -> None:
    error = errors.unreadable("it is empty").with_event_id("client_1")

    assert error.detail.event_id == "client_1"
    assert isinstance(error, errors.ProtocolError)


def test_all_five_keys_are_always_encoded() -> None:
    payload = msgspec.json.encode(ErrorDetail(message="m"))

    assert payload == b'{"type":"invalid_request_error","code":null,"message":"m","param":null,"event_id":null}'


def test_a_long_value_is_cut_in_the_text() -> None:
    error = errors.invalid_value("x" * 10_000, ("a",), "p")

    assert error.detail.message == f"Invalid value: '{'x' * 200}…'. Supported values are: 'a'."


def test_no_supported_value_is_said_in_words() -> None:
    assert errors.listed(()) == "none"
