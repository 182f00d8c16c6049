"""What surrounds every HTTP request: the access check, the credential, CORS, security headers, ids and the log."""

import logging
from collections.abc import Mapping
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from vivavoce.app.access import (
    AccessPolicy,
    Asked,
    check_access,
    cors_headers,
    is_protected,
    opens_to_secrets,
    preflight_headers,
    with_keys,
)
from vivavoce.app.authentication import Gatekeeper, header_keys
from vivavoce.app.errors import REQUEST_ID_HEADER, HttpError, internal_error, logged_path, make_request_id

_LOG: Final = logging.getLogger("vivavoce.access")

SECURITY_HEADERS: Final = {
    "content-security-policy": (
        "default-src 'self'; connect-src 'self' ws: wss:; media-src 'self' blob:; "
        "worker-src 'self' blob:; img-src 'self' data:"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
}


class RequestGate:
    """ASGI middleware around the whole HTTP application."""

    def __init__(self, app: ASGIApp, access: AccessPolicy, gatekeeper: Gatekeeper) -> None:
        self._app = app
        self._access = access
        self._gatekeeper = gatekeeper

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        outcome = _Outcome(send, make_request_id(), SECURITY_HEADERS)
        scope.setdefault("state", {})["request_id"] = outcome.request_id
        access = with_keys(self._access, has_keys=self._gatekeeper.ring.has_keys)
        refusal = check_access(access, asked_of(scope, headers))
        if refusal is None:
            outcome.headers = {**SECURITY_HEADERS, **cors_headers(access, headers.get("origin"))}
            refusal = self._check_key(scope, headers)
        await self._answer(scope, receive, outcome, refusal)
        fields = {"request_id": outcome.request_id, "method": scope["method"], "path": logged_path(scope["path"])}
        _LOG.info("request answered", extra={**fields, "status": outcome.status})

    def _check_key(self, scope: Scope, headers: Headers) -> HttpError | None:
        """Leave the caller in `scope["state"]["caller"]`, or return why it is refused."""
        if not is_protected(scope["path"]) or is_preflight(scope, headers):
            return None
        caller = self._gatekeeper.identify(
            header_keys({name: headers.getlist(name) for name in ("authorization", "api-key")})
        )
        if isinstance(caller, HttpError):
            return caller
        if caller.secret is not None and not opens_to_secrets(scope["path"]):
            message = "A client secret opens realtime sessions only; this request needs an API key."
            return HttpError(status=403, message=message, code="insufficient_permissions")
        scope["state"]["caller"] = caller
        return None

    async def _answer(self, scope: Scope, receive: Receive, outcome: "_Outcome", refusal: HttpError | None) -> None:
        if refusal is not None:
            await outcome.send_error(refusal)
        elif is_preflight(scope, Headers(scope=scope)):
            await outcome.send_empty(
                204, preflight_headers(Headers(scope=scope).get("access-control-request-headers", ""))
            )
        else:
            await self._pass_on(scope, receive, outcome)

    async def _pass_on(self, scope: Scope, receive: Receive, outcome: "_Outcome") -> None:
        try:
            await self._app(scope, receive, outcome.send)
        except Exception:  # our bug; it costs this request and no other
            _LOG.exception("request failed", extra={"request_id": outcome.request_id})
            if outcome.status == 0:
                await outcome.send_error(internal_error())


class _Outcome:
    """The answer on its way out, with the headers that every answer has."""

    def __init__(self, send: Send, request_id: str, headers: Mapping[str, str]) -> None:
        self._send = send
        self.request_id = request_id
        self.headers = headers
        self.status = 0

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = MutableHeaders(scope=message)
            for name, value in self.headers.items():
                headers.setdefault(name, value)
            headers[REQUEST_ID_HEADER] = self.request_id
        await self._send(message)

    async def send_error(self, error: HttpError) -> None:
        headers = {"content-type": "application/json", **error.headers}
        await self.send_empty(error.status, headers, error.body())

    async def send_empty(self, status: int, headers: Mapping[str, str], body: bytes = b"") -> None:
        raw = [(name.encode(), value.encode()) for name, value in headers.items()]
        if status != 204:
            raw.append((b"content-length", str(len(body)).encode()))
        await self.send({"type": "http.response.start", "status": status, "headers": raw})
        await self.send({"type": "http.response.body", "body": body})


def asked_of(scope: Scope, headers: Headers) -> Asked:
    """Return what the access check looks at."""
    server = scope.get("server")
    return Asked(headers.getlist("host"), headers.getlist("origin"), server[0] if server else None)


def is_preflight(scope: Scope, headers: Headers) -> bool:
    """Tell whether a browser asks what it may send."""
    return scope["method"] == "OPTIONS" and "access-control-request-method" in headers
