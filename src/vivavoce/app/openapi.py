"""The OpenAPI document of the REST surface, made from the types that the routes read and write."""

import functools
import re
from collections.abc import Iterator
from importlib.metadata import version
from typing import Any, Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from vivavoce.app.flat_schemas import flat_schemas
from vivavoce.app.operations import BODY_ERRORS, COMMON_ERRORS, ErrorBody, Operation, operations

PATH: Final = "/openapi.json"
REF: Final = "#/components/schemas/{name}"
Json = Any  # JSON boundary: a document

_STATUS: Final = {
    200: "Done.",
    202: "Begun.",
    400: "The request breaks a rule; the error names the field.",
    401: "The key is missing, unknown or revoked, or the client secret has expired.",
    403: "The origin is not allowed, or a client secret may not do this.",
    404: "There is no such thing here.",
    405: "The path does not know this method.",
    409: "Something else has to end first.",
    408: "The body took too long.",
    413: "The body is too large.",
    415: "The body is not JSON.",
    421: "The server does not answer to this Host.",
    426: "Expected an upgrade to a WebSocket.",
    429: "No more client secrets are kept; `Retry-After` tells when to try again.",
    431: "The head of the request is too large.",
    500: "A fault of the server.",
    503: "Not ready.",
}
_PARAMETER: Final = re.compile(r"{(\w+)}")


def openapi_route() -> Route:
    """Return the route that serves the document."""
    return Route(PATH, show_document, methods=["GET"])


async def show_document(request: Request) -> Response:
    return Response(encoded_document(), media_type="application/json")


@functools.cache
def encoded_document() -> bytes:
    """Return the document as JSON text."""
    return msgspec.json.format(msgspec.json.encode(document()), indent=2) + b"\n"


def document() -> Json:
    """Return the document."""
    every = operations()
    types = list(dict.fromkeys(type_ for operation in every for type_ in _types_of(operation)))
    schemas, components = msgspec.json.schema_components(types, ref_template=REF)
    components = {**components, **flat_schemas(components)}
    schema_of = dict(zip(types, schemas, strict=True))
    paths: dict[str, Json] = {}
    for operation in every:
        paths.setdefault(operation.path, {})[operation.method] = _described(operation, schema_of)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Vivavoce",
            "version": version("vivavoce"),
            "description": "The REST surface of a self-hosted realtime voice server.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": paths,
        "components": {
            "schemas": _tidied(components),
            "responses": {
                f"Error{status}": _answer(status, ErrorBody, schema_of) for status in (*COMMON_ERRORS, *BODY_ERRORS)
            },
            "securitySchemes": _SECURITY,
        },
    }


_SECURITY: Final[Json] = {
    "bearer": {"type": "http", "scheme": "bearer"},
    "azure": {"type": "apiKey", "in": "header", "name": "api-key"},
}


def _types_of(operation: Operation) -> Iterator[Any]:
    yield ErrorBody
    yield from (type_ for type_ in (operation.body, *operation.answers.values()) if not isinstance(type_, str | None))


def _described(operation: Operation, schema_of: dict[Any, Json]) -> Json:
    described: dict[str, Json] = {"operationId": operation.id, "summary": operation.summary}
    if names := _PARAMETER.findall(operation.path):
        described["parameters"] = [
            {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
            for name in names
        ]
    if operation.body is not None:
        described["requestBody"] = {"required": False, "content": _content(operation.body, schema_of)}
    errors = {status: {"$ref": f"#/components/responses/Error{status}"} for status in _error_statuses(operation)}
    answers = {status: _answer(status, type_, schema_of) for status, type_ in operation.answers.items()}
    described["responses"] = {str(status): answer for status, answer in sorted((errors | answers).items())}
    described["security"] = [] if operation.is_open else [{"bearer": []}, {"azure": []}, {}]
    return described


def _answer(status: int, type_: Any, schema_of: dict[Any, Json]) -> Json:
    return {"description": _STATUS[status], "content": _content(type_, schema_of)}


def _error_statuses(operation: Operation) -> tuple[int, ...]:
    return COMMON_ERRORS if operation.body is None else (*COMMON_ERRORS, *BODY_ERRORS)


def _content(type_: Any, schema_of: dict[Any, Json]) -> Json:
    schema = {"$ref": REF.format(name=type_)} if isinstance(type_, str) else schema_of[type_]
    return {"application/json": {"schema": schema}}


def _tidied(schema: Json) -> Json:
    """Return schemas in the words of JSON Schema, where msgspec has Python's; optional keys may also be null."""
    if isinstance(schema, list):
        return [_tidied(member) for member in schema]
    if not isinstance(schema, dict):
        return schema
    tidied = {key: _tidied(value) for key, value in schema.items()}
    if isinstance(tidied.get("pattern"), str):
        tidied["pattern"] = tidied["pattern"].replace(r"\Z", "$")
    if tidied.get("type") == "object" and isinstance(tidied.get("properties"), dict):
        required = tidied.get("required", [])
        tidied["properties"] = {
            name: member if name in required else _nullable(member) for name, member in tidied["properties"].items()
        }
    return tidied


def _nullable(schema: Json) -> Json:
    """SDKs write null for what they leave unset."""
    if {"type": "null"} in schema.get("anyOf", ()):
        return schema
    outer = {key: value for key, value in schema.items() if key in ("default", "description")}
    inner = {key: value for key, value in schema.items() if key not in outer}
    return {**outer, "anyOf": [inner, {"type": "null"}]}
