"""The documents of the wire are up to date, hold together, and describe what is really encoded."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from tests.protocol.payloads import VALID_EVENTS
from tests.protocol.samples import SERVER_EVENTS
from vivavoce.protocol.codec import encode_server_event
from vivavoce.testing.asyncapi import asyncapi, event_schema, extensions, portable, text

REFERENCE = Path(__file__).parents[2] / "docs" / "reference"
DOCUMENT = asyncapi()


def references(value: Any) -> Iterator[str]:  # JSON boundary: a document
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for member in value.values():
            yield from references(member)
    elif isinstance(value, list):
        for member in value:
            yield from references(member)


def resolved(document: Any, reference: str) -> Any:
    for key in reference.removeprefix("#/").split("/"):
        document = document[key]
    return document


@pytest.mark.parametrize(("name", "document"), [("asyncapi.json", DOCUMENT), ("extensions.schema.json", extensions())])
def test_the_committed_document_is_up_to_date_and_its_references_lead_somewhere(name: str, document: Any) -> None:
    assert (REFERENCE / name).read_text("utf-8") == text(document), "run `make docs`"
    assert all(resolved(document, reference) is not None for reference in references(document))


def test_the_document_has_a_message_for_every_event_in_its_direction() -> None:
    messages = DOCUMENT["channels"]["realtime"]["messages"]
    operations = {name: operation["messages"] for name, operation in DOCUMENT["operations"].items()}

    assert len(messages) == 11 + 46
    assert len(operations["realtime.receive"]) == 11
    assert len(operations["realtime.send"]) == 46
    assert {"$ref": "#/channels/realtime/messages/response.create"} in operations["realtime.receive"]


def test_a_message_is_named_as_on_the_wire_and_says_what_it_is() -> None:
    for channel in DOCUMENT["channels"].values():
        for wire_name, reference in channel["messages"].items():
            message = resolved(DOCUMENT, reference["$ref"])

            assert message["name"] == wire_name
            assert message["summary"].endswith(".") or message["summary"]


@pytest.mark.parametrize("event", SERVER_EVENTS, ids=lambda event: str(event.__struct_config__.tag))
def test_what_the_server_encodes_is_what_the_document_describes(event: Any) -> None:
    sent = json.loads(encode_server_event(event))
    schema = event_schema(DOCUMENT, "realtime", sent["type"])

    Draft202012Validator.check_schema(schema)
    Draft202012Validator(schema).validate(sent)


@pytest.mark.parametrize("event", VALID_EVENTS, ids=lambda event: str(event["type"]))
def test_what_the_server_takes_is_what_the_document_describes(event: Any) -> None:
    Draft202012Validator(event_schema(DOCUMENT, "realtime", event["type"])).validate(event)


def test_the_document_refuses_what_is_wrong() -> None:
    validator = Draft202012Validator(event_schema(DOCUMENT, "realtime", "response.output_audio.done"))
    right = {"type": "response.output_audio.done", "event_id": "event_1", "response_id": "resp_1", "item_id": "item_1"}

    assert validator.is_valid({**right, "output_index": 0, "content_index": 0})
    assert not validator.is_valid({**right, "output_index": 0.5, "content_index": 0})
    assert not validator.is_valid(right)


def test_extensions_are_described_field_by_field_and_checked() -> None:
    document = extensions()
    validator = Draft202012Validator(document)

    assert validator.is_valid({"sent": {"response.vivavoce": {"say": "Hello."}}})
    assert not validator.is_valid({"sent": {"response.vivavoce": {"sing": "Hello."}}})
    assert not validator.is_valid({"sent": {"session.vivavoce": {"pre_roll_ms": -1}}})
    fields = [field for schema in document["$defs"].values() for field in schema["properties"].values()]
    assert fields and all(field["description"] for field in fields)


def test_patterns_are_those_of_json_schema() -> None:
    assert portable({"pattern": r"^[a-z]\Z", "discriminator": {"mapping": {}}}) == {"pattern": "^[a-z]$"}
    assert r"\Z" not in text(DOCUMENT)
