"""The wire types in the web client are those of the server."""

from pathlib import Path

import msgspec
import pytest

from vivavoce.protocol.client_events import ClientEvent
from vivavoce.protocol.server_events import ServerEvent
from vivavoce.testing.typescript import typescript

COMMITTED = Path(__file__).parents[2] / "web" / "src" / "lib" / "protocol.ts"


def test_the_committed_types_are_up_to_date() -> None:
    assert COMMITTED.read_text() == typescript(), "run: python -m vivavoce.testing.typescript > web/src/lib/protocol.ts"


@pytest.mark.parametrize("union", [ServerEvent, ClientEvent])
def test_every_event_has_an_interface_with_its_wire_name(union: msgspec.inspect.UnionType) -> None:
    (events,) = msgspec.inspect.multi_type_info([union])
    assert isinstance(events, msgspec.inspect.UnionType)

    text = typescript()

    for event in events.types:
        assert isinstance(event, msgspec.inspect.StructType)
        head = text.index(f"export interface {event.cls.__name__} {{")
        assert text[head:].split("\n")[1] == f"  readonly type: '{event.tag}';"


def test_what_a_client_may_leave_out_is_optional() -> None:
    text = typescript()

    assert "readonly event_id?: string | null;" in text
    assert "readonly previous_item_id: string | null;" in text
