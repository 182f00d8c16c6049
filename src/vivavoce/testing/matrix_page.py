"""The event matrix as a page: what was shown on real connections, by which tests and stock clients."""

from collections.abc import Collection, Iterable
from typing import Final

from vivavoce.testing.matrix import Seen
from vivavoce.testing.matrix_rows import KINDS, PENDING, Kind, Row, all_rows

SHOWN_TESTS: Final = 3  # named per row; the page is no list of all tests
TITLES: Final[dict[Kind, str]] = {
    "client event": "Client events",
    "server event": "Server events",
    "session": "Fields of `session.update`",
    "transcription session": "Fields of `session.update` in a transcription session",
    "response.create": "Fields of `response.create`",
    "error code": "Error codes",
}
HEAD: Final = """# Events, fields and errors, and what proves them

Generated from a run of all tests; `VIVAVOCE_EVENT_MATRIX=write make test` writes it. Each row was exercised by a client
on a real connection to a running server; the first few of its tests are named, and every stock client. A field counts
where `session.updated` or `response.created` answered it, or an error that names it. "Codec" says that the tests of the
wire types encode or decode it. A row that is pending says why; any other row without a test fails the build.

"""


def missing(seen: Seen) -> list[Row]:
    """Return the rows that nothing has shown and that are not pending."""
    return [row for row in all_rows() if row not in seen.sources and row not in PENDING]


def outdated(seen: Seen) -> list[Row]:
    """Return the rows that are pending although something has shown them, and pending rows that are no rows."""
    return [row for row in PENDING if row in seen.sources or row not in all_rows()]


def page(seen: Seen, in_codec_tests: Collection[Row]) -> str:
    """Return the text of docs/reference/events.md."""
    rows = all_rows()
    sections = [_section(kind, [row for row in rows if row.kind == kind], seen, in_codec_tests) for kind in KINDS]
    return HEAD + "\n".join(sections)


def rows_of(page_text: str) -> list[tuple[str, bool]]:
    """Return the names of the rows on a page, in their order, with whether each is pending."""
    lines = [line.split("|") for line in page_text.splitlines() if line.startswith("| `")]
    return [(cells[1].strip().strip("`"), any(cell.strip().startswith("pending") for cell in cells)) for cells in lines]


def _section(kind: Kind, rows: Iterable[Row], seen: Seen, in_codec_tests: Collection[Row]) -> str:
    has_codec = kind in ("client event", "server event")
    head = f"## {TITLES[kind]}\n\n| {kind} |{' Codec |' if has_codec else ''} Tests | Clients |\n"
    head += "|---|" + ("---|" if has_codec else "") + "---|---|\n"
    return head + "".join(_line(row, seen, row in in_codec_tests if has_codec else None) for row in rows)


def _line(row: Row, seen: Seen, is_in_codec_tests: bool | None) -> str:
    codec = "" if is_in_codec_tests is None else f" {'yes' if is_in_codec_tests else 'no'} |"
    sources = seen.sources.get(row, set())
    if row in PENDING:
        return f"| `{row.name}` |{codec} pending: {PENDING[row]} |  |\n"
    tests = sorted(source for source in sources if "::" in source)
    clients = sorted(sources.difference(tests))
    shown = [f"`{test.removeprefix('tests/')}`" for test in tests[:SHOWN_TESTS]]
    return f"| `{row.name}` |{codec} {'<br>'.join(shown)} | {', '.join(clients)} |\n"
