"""The last tests of a run: what it has shown on real connections is what docs/reference/events.md says.

VIVAVOCE_EVENT_MATRIX=write writes the page from the run, if nothing is missing.
"""

import os
from pathlib import Path

from tests.protocol.payloads import VALID_EVENTS
from tests.protocol.samples import SERVER_EVENTS
from vivavoce.testing.matrix import SEEN
from vivavoce.testing.matrix_page import missing, outdated, page, rows_of
from vivavoce.testing.matrix_rows import Row, all_rows

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "events.md"


def rows_in_codec_tests() -> set[Row]:
    sent = {Row("client event", str(event["type"])) for event in VALID_EVENTS}
    return sent | {Row("server event", str(event.__struct_config__.tag)) for event in SERVER_EVENTS}


def test_the_tests_of_the_wire_types_show_every_event() -> None:
    events = {row for row in all_rows() if row.kind in ("client event", "server event")}

    assert events - rows_in_codec_tests() == set()
    assert len(events) == 11 + 46


def test_every_row_was_shown_on_a_real_connection_or_is_pending(whole_run: None) -> None:
    assert [f"{row.kind}: {row.name}" for row in missing(SEEN)] == []
    assert [f"{row.kind}: {row.name}" for row in outdated(SEEN)] == []


def test_the_page_has_the_rows_of_this_run(whole_run: None) -> None:
    text = page(SEEN, rows_in_codec_tests())
    if os.environ.get("VIVAVOCE_EVENT_MATRIX") == "write" and not missing(SEEN):
        PAGE.write_text(text, "utf-8")

    assert PAGE.is_file(), "run: VIVAVOCE_EVENT_MATRIX=write make test"
    assert rows_of(PAGE.read_text("utf-8")) == rows_of(text), "run: VIVAVOCE_EVENT_MATRIX=write make test"
