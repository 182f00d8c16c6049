"""The OpenAPI document: it covers every route, fits what is answered, and is the one in the repository."""

import re
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from starlette.routing import Route

from scripts import reference
from tests.app.serving import MODELS, ask_json, serving
from tests.transports.echo_host import EchoHost
from tests.transports.peers import run
from vivavoce.app.authentication import Gatekeeper, KeyRing
from vivavoce.app.http import build_http
from vivavoce.app.minting import Mint
from vivavoce.app.openapi import document, encoded_document
from vivavoce.app.secrets import ClientSecrets
from vivavoce.app.server import rest_routes
from vivavoce.app.upgrade import never_translates

SESSION = {"type": "realtime", "model": "m", "tools": [{"type": "function", "name": "f"}], "tracing": "auto"}


def test_the_document_has_every_route_with_its_methods_and_no_other() -> None:
    gatekeeper = Gatekeeper(KeyRing(()), ClientSecrets(lambda: 0))
    more = rest_routes(Mint(EchoHost(), gatekeeper.secrets, MODELS), gatekeeper, never_translates)
    app = build_http(MODELS, dict, lambda: False, None, more)
    served = {
        (re.sub(r":\w+}", "}", route.path), method.lower())
        for route in app.routes
        if isinstance(route, Route)
        for method in (route.methods or {"GET"}) - {"HEAD"}
    }

    described = {(path, method) for path, methods in document()["paths"].items() for method in methods}

    assert described == served


def test_every_reference_in_the_document_leads_somewhere() -> None:
    text = encoded_document().decode()
    components = document()["components"]

    for kind, name in set(re.findall(r'"#/components/(\w+)/(\w+)"', text)):
        assert name in components[kind]


def test_operations_have_distinct_ids_and_a_summary() -> None:
    operations = [operation for methods in document()["paths"].values() for operation in methods.values()]

    assert len({operation["operationId"] for operation in operations}) == len(operations)
    assert all(operation["summary"].endswith(".") for operation in operations)


def test_the_document_in_the_repository_is_the_one_that_is_served() -> None:
    async def scenario() -> bytes:
        async with serving(EchoHost()) as port:
            return (await ask_json(port, "GET /openapi.json")).body

    assert run(scenario()) == encoded_document()
    assert not reference.is_stale(reference.OPENAPI, encoded_document().decode()), "run `make docs`"


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/realtime/client_secrets", {"session": SESSION}),
        ("/v1/realtime/client_secrets", {"session": {"type": "transcription"}}),
        ("/v1/realtime/client_secrets", {"session": {"type": "other"}}),
        ("/v1/realtime/sessions", {"voice": "ash"}),
        ("/v1/realtime/transcription_sessions", {}),
        ("/v1/realtime/translations/client_secrets", {"session": {"model": "t"}}),
    ],
)
def test_answers_are_as_described(path: str, body: dict[str, Any]) -> None:
    async def scenario() -> tuple[int, Any]:
        async with serving(EchoHost()) as port:
            answer = await ask_json(port, f"POST {path}", body)
            return answer.status, answer.json

    status, answered = run(scenario())

    Draft202012Validator(schema_of(path, status)).validate(answered)


@pytest.mark.parametrize(
    "body",
    [
        {"expires_after": {"seconds": 9}},
        {"session": {"type": "realtime", "surprise": 1}},
        {"session": {"type": "realtime", "audio": {"output": {"speed": 9}}}},
        {"session": {"type": "realtime", "tools": [{"type": "function", "name": "a b"}]}},
    ],
)
def test_the_document_refuses_what_the_server_refuses(body: dict[str, Any]) -> None:
    schema = request_schema("/v1/realtime/client_secrets")

    assert not Draft202012Validator(schema).is_valid(body)
    assert Draft202012Validator(schema).is_valid({"session": SESSION, "expires_after": None})


def schema_of(path: str, status: int) -> dict[str, Any]:
    """Return the schema of an answer, with all components."""
    described = document()
    answer = described["paths"][path]["post"]["responses"][str(status)]
    if "$ref" in answer:
        answer = described["components"]["responses"][answer["$ref"].rpartition("/")[2]]
    return {**answer["content"]["application/json"]["schema"], "components": described["components"]}


def request_schema(path: str) -> dict[str, Any]:
    described = document()
    content = described["paths"][path]["post"]["requestBody"]["content"]
    return {**content["application/json"]["schema"], "components": described["components"]}


def test_the_document_names_no_folder_of_this_machine() -> None:
    assert str(Path.home()) not in encoded_document().decode()
