"""The record of a connection counts what was answered, and the page names the rows and their tests."""

import json
import re
from pathlib import Path

import pytest

import vivavoce
from vivavoce.testing.findings import Event
from vivavoce.testing.matrix import ConnectionRecord, Seen, current_test, tap
from vivavoce.testing.matrix_page import missing, outdated, page, rows_of
from vivavoce.testing.matrix_rows import ERROR_CODES, PENDING, SERVER_ERROR, SESSION_KIND, Row, all_rows, paths_in
from vivavoce.testing.proxy import Passed

PACKAGE = Path(vivavoce.__file__).parent
# How errors are made: ClientError("code", ...), HttpError(code="code"), the codes of an EngineError.
CODES = re.compile(r'(?:ClientError|ProtocolError)\(\s*"([a-z_]+)"|\bcode="([a-z_]+)"')

FORMAT = {"type": "audio/pcmu"}
SESSION: Event = {"type": "realtime", "instructions": "Be kind.", "tools": [], "audio": {"input": {"format": FORMAT}}}


def error(code: str | None, event_id: str | None = None, param: str | None = None, message: str = "") -> Event:
    detail = {"type": "invalid_request_error", "code": code, "message": message, "param": param, "event_id": event_id}
    return {"type": "error", "error": detail}


def shown(seen: Seen, kind: str) -> set[str]:
    return {row.name for row in seen.sources if row.kind == kind}


def test_rows_are_unique_and_count_the_events_of_the_wire() -> None:
    rows = all_rows()

    assert len(set(rows)) == len(rows)
    assert sum(row.kind == "client event" for row in rows) == 11
    assert sum(row.kind == "server event" for row in rows) == 46
    assert {row.name for row in rows if row.kind == "error code"} == set(ERROR_CODES)
    assert set(PENDING) <= set(rows)


def test_every_error_code_in_the_sources_has_a_row() -> None:
    sources = [path.read_text("utf-8") for path in PACKAGE.rglob("*.py") if "testing" not in path.parts]
    found = {code for text in sources for match in CODES.findall(text) for code in match if code}

    assert {"invalid_value", "engine_timeout", "model_not_found"} <= found
    assert found - set(ERROR_CODES) == set()


def test_a_field_has_a_row_for_each_shape_and_the_fields_of_it() -> None:
    names = {row.name for row in all_rows() if row.kind == "session"}

    assert {"audio.input.format", "audio.input.format = audio/pcmu", "audio.input.turn_detection.eagerness"} <= names
    assert {"tools[] = mcp", "tools[].server_label", "tool_choice.name", "truncation.retention_ratio"} <= names


def test_the_paths_of_what_was_sent_are_named_like_the_rows() -> None:
    sent = {
        "audio": {"input": {"turn_detection": None, "format": FORMAT}},
        "tools": [{"type": "function", "name": "f"}],
    }

    assert set(paths_in(sent)) == {
        "audio",
        "audio.input",
        "audio.input.turn_detection",
        "audio.input.format",
        "audio.input.format = audio/pcmu",
        "audio.input.format.type",
        "tools",
        "tools[] = function",
        "tools[].type",
        "tools[].name",
    }


def test_a_session_field_counts_when_the_session_shows_it() -> None:
    seen = Seen()
    record = ConnectionRecord(seen)
    patch = {"instructions": "Be kind.", "audio": {"input": {"format": FORMAT}, "output": {"speed": 1.2}}}

    record.client({"type": "session.update", "session": patch})
    before = shown(seen, "session")
    record.server({"type": "session.updated", "session": SESSION})

    assert before == set()
    assert shown(seen, "session") == {
        "instructions",
        "audio",
        "audio.input",
        "audio.input.format",
        "audio.input.format = audio/pcmu",
    }


def test_null_and_credentials_count_though_the_session_repeats_neither() -> None:
    seen = Seen()
    sent = {"tools": [{"type": "mcp", "server_label": "docs", "authorization": "x"}], "tracing": None}
    tools = [{"type": "mcp", "server_label": "docs"}]

    seen.note_session(sent, {**SESSION, "tools": tools})

    assert {"tools[].authorization", "tools[].server_label", "tracing"} <= shown(seen, "session")


def test_a_field_counts_when_an_error_names_it() -> None:
    seen = Seen()
    record = ConnectionRecord(seen)

    record.client({"type": "session.update", "event_id": "c1", "session": {"tools": [{"type": "mcp", "headers": {}}]}})
    record.server(error("invalid_value", "c1", "session.tools[0].headers"))
    record.client({"type": "response.create", "event_id": "c2", "response": {"max_output_tokens": 0}})
    record.server(error("integer_below_min_value", "c2", "response.max_output_tokens"))

    assert shown(seen, "session") == {"tools[] = mcp", "tools[].headers"}
    assert shown(seen, "response.create") == {"max_output_tokens"}
    assert shown(seen, "error code") == {"invalid_value", "integer_below_min_value"}


def test_fields_of_a_transcription_session_are_rows_of_their_own() -> None:
    seen = Seen()
    session = {"type": "transcription", "audio": {"input": {"format": FORMAT}}}

    seen.note_session({"audio": {"input": {"format": FORMAT}}}, session)

    assert shown(seen, "session") == set()
    assert "audio.input.format" in shown(seen, "transcription session")


def test_the_fields_of_a_response_count_when_it_is_created_by_its_kind() -> None:
    seen = Seen()
    record = ConnectionRecord(seen)

    record.client({"type": "response.create", "response": {"instructions": "Answer."}})
    record.client({"type": "response.create", "response": {"conversation": "none", "metadata": {"topic": "x"}}})
    record.server({"type": "response.created", "response": {"id": "resp_1", "conversation_id": None}})

    assert shown(seen, "response.create") == {"conversation", "metadata"}


def test_failures_count_as_errors_wherever_they_are_told() -> None:
    seen = Seen()
    record = ConnectionRecord(seen)
    failed = {"id": "resp_1", "status": "failed", "status_details": {"error": {"code": "engine_timeout"}}}

    record.server({"type": "response.done", "response": failed})
    record.server({"type": "conversation.item.input_audio_transcription.failed", "error": {"code": "server_error"}})
    record.server(error(None, message="Passing a realtime session update event to a transcription session"))
    record.server(error(None, message="The server had an error"))

    assert shown(seen, "error code") == {"engine_timeout", "server_error", SESSION_KIND, SERVER_ERROR}


def test_the_tap_notes_events_of_each_connection_under_its_label() -> None:
    seen = Seen()
    note = tap("a client 1.0", seen)

    for number, direction, message in (
        (1, ">", {"type": "session.update", "session": {"instructions": "x"}}),
        (2, "<", {"type": "session.updated", "session": SESSION}),
        (1, "<", {"type": "session.updated", "session": SESSION}),
    ):
        note(Passed(number, "/v1/realtime", "<" if direction == "<" else ">", json.dumps(message)))
    note(Passed(1, "/v1/realtime", ">", b"\xff"))

    assert seen.sources[Row("session", "instructions")] == {"a client 1.0"}
    assert seen.sources[Row("server event", "session.updated")] == {"a client 1.0"}


def test_a_row_is_noted_under_the_test_that_runs() -> None:
    assert current_test().endswith("test_matrix.py::test_a_row_is_noted_under_the_test_that_runs")


@pytest.mark.parametrize("name", ["[x", "y] (z"])
def test_parameters_of_a_test_are_no_part_of_its_name(name: str) -> None:
    assert current_test().endswith("::test_parameters_of_a_test_are_no_part_of_its_name")


def test_the_page_names_tests_and_clients_and_tells_why_a_row_is_pending() -> None:
    seen = Seen()
    for test in "dabc":
        seen.note("client event", ["response.create"], f"tests/e2e/test_x.py::test_{test}")
    seen.note("client event", ["response.create"], "openai 3.52")

    text = page(seen, {Row("client event", "response.create")})

    tests = "<br>".join(f"`e2e/test_x.py::test_{name}`" for name in "abc")
    assert f"| `response.create` | yes | {tests} | openai 3.52 |\n" in text
    assert "| `input_audio_buffer.dtmf_event_received` | no | pending: needs telephony" in text


def test_the_rows_of_a_page_are_read_back_in_their_order() -> None:
    rows = [(row.name, row in PENDING) for row in all_rows()]

    assert rows_of(page(Seen(), ())) == rows


def test_rows_that_nothing_showed_are_missing_and_pending_ones_that_were_shown_are_outdated() -> None:
    seen = Seen()
    pending = next(iter(PENDING))
    seen.note("client event", ["response.create"])
    seen.note(pending.kind, [pending.name])

    assert Row("client event", "response.create") not in missing(seen)
    assert len(missing(seen)) == len(all_rows()) - len(PENDING) - 1
    assert outdated(seen) == [pending]
