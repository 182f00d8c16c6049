"""The HTTP routes: models, health, the web client; every error in the API's JSON shape."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Receive, Scope, Send

from vivavoce.app.access import is_protected
from vivavoce.app.bodies import RequestRefused, error_of
from vivavoce.app.errors import HttpError, internal_error, unknown_url
from vivavoce.app.models import ModelCatalogue, model_not_found
from vivavoce.protocol.errors import ClientError

Readiness = Callable[[], Mapping[str, bool]]
"""Returns, for every engine that must be up, whether it is."""

_NOT_BUILT: Final = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>Vivavoce</title></head>
<body>
<h1>Vivavoce is running</h1>
<p>Its web client has not been built. <code>make setup</code> builds it; then reload this page.</p>
<p>The API is served at <code>/v1/realtime</code>.</p>
</body>
</html>
"""


def build_http(
    models: ModelCatalogue,
    readiness: Readiness,
    is_draining: Callable[[], bool],
    web_dir: Path | None,
    more: Sequence[BaseRoute] = (),
) -> Starlette:
    """Return the HTTP application with `more` routes, without the checks that `gate.RequestGate` puts around it."""

    async def list_models(request: Request) -> Response:
        return json_response(200, models.listing())

    async def show_model(request: Request) -> Response:
        model = request.path_params["model"]
        card = models.find(model)
        return error_response(model_not_found(model)) if card is None else json_response(200, msgspec.json.encode(card))

    async def show_readiness(request: Request) -> Response:
        return readiness_response(readiness(), is_draining=is_draining())

    routes = [
        Route("/healthz", show_health),
        Route("/readyz", show_readiness),
        *(
            Route(f"{prefix}{path}", endpoint)
            for prefix in ("/v1", "/openai/v1")
            for path, endpoint in (("/models", list_models), ("/models/{model:path}", show_model))
        ),
        Route("/v1/realtime", require_upgrade),
        Route("/openai/v1/realtime", require_upgrade),
        *more,
    ]
    app = Starlette(routes=routes, exception_handlers=_HANDLERS)
    app.router.redirect_slashes = False  # the current SDKs refuse redirects, and WebSockets get none
    app.router.default = WebClient(web_dir)  # not a mount, which would hide that a route exists for other methods
    return app


def json_response(status: int, body: bytes, headers: Mapping[str, str] | None = None) -> Response:
    return Response(body, status, headers, media_type="application/json")


def error_response(error: HttpError) -> Response:
    return json_response(error.status, error.body(), error.headers)


def readiness_response(engines: Mapping[str, bool], *, is_draining: bool) -> Response:
    """Return 200 when the server can take sessions, else 503 with what it waits for."""
    status = "draining" if is_draining else "ready" if all(engines.values()) else "starting"
    body = msgspec.json.encode({"status": status, "engines": dict(engines)})
    return json_response(200 if status == "ready" else 503, body)


async def show_health(request: Request) -> Response:
    """The process answers; that is all this tells."""
    return json_response(200, b'{"status":"ok"}')


async def require_upgrade(request: Request) -> Response:
    headers = {"upgrade": "websocket", "connection": "Upgrade"}
    return error_response(HttpError(status=426, message="Expected an upgrade to a WebSocket.", headers=headers))


async def show_unknown_url(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer 404 for any method; also for routes of the API that this server does not have."""
    await error_response(unknown_url(scope["method"], scope["path"]))(scope, receive, send)


async def show_http_exception(request: Request, exc: Exception) -> Response:
    assert isinstance(exc, HTTPException), "registered for HTTPException only"
    if exc.status_code == 404:
        return error_response(unknown_url(request.method, request.url.path))
    message = f"{exc.detail}: {request.method} {request.url.path}."
    return error_response(HttpError(status=exc.status_code, message=message, headers=exc.headers or {}))


async def show_refusal(request: Request, exc: Exception) -> Response:
    assert isinstance(exc, RequestRefused), "registered for RequestRefused only"
    return error_response(exc.error)


async def show_client_error(request: Request, exc: Exception) -> Response:
    assert isinstance(exc, ClientError), "registered for ClientError only"
    return error_response(error_of(exc))


async def show_failure(request: Request, exc: Exception) -> Response:
    """Answer for our bug; Starlette raises it again, and the gate logs it."""
    return error_response(internal_error())


_HANDLERS: Final = {
    HTTPException: show_http_exception,
    RequestRefused: show_refusal,
    ClientError: show_client_error,
    Exception: show_failure,
}


class WebClient:
    """What no route serves: the built web client, or a page that tells how to build it; nothing below the API."""

    def __init__(self, web_dir: Path | None) -> None:
        self._web_dir = web_dir
        self._files = None if web_dir is None else StaticFiles(directory=web_dir, html=True, check_dir=False)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if is_protected(scope["path"]):
            await show_unknown_url(scope, receive, send)
        elif self._files is not None and self._web_dir is not None and (self._web_dir / "index.html").is_file():
            await self._files(scope, receive, send)
        elif scope["path"] == "/" and scope["method"] in ("GET", "HEAD"):
            await HTMLResponse(_NOT_BUILT, 503)(scope, receive, send)
        else:
            await show_unknown_url(scope, receive, send)
