"""Error answers in the API's shape, for every route and for refused upgrades."""

import re
import secrets
from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

import msgspec

REQUEST_ID_HEADER: Final = "x-request-id"
_SHOWN_CHARACTERS: Final = 200
_CREDENTIALS: Final = re.compile(r"(ek_|vv_|sk-)[\w-]+")


class HttpError(msgspec.Struct, frozen=True, kw_only=True):
    """An answer with a JSON error body: `{"error": {"message", "type", "param", "code"}}`."""

    status: int
    message: str
    type: str = "invalid_request_error"
    param: str | None = None
    code: str | None = None
    headers: Mapping[str, str] = {}

    def body(self) -> bytes:
        detail = {"message": self.message, "type": self.type, "param": self.param, "code": self.code}
        return msgspec.json.encode({"error": detail})

    def answer(self, request_id: str) -> bytes:
        """Return the whole HTTP/1.1 answer, for a connection that is closed after it."""
        body = self.body()
        headers = {
            "content-type": "application/json",
            "content-length": str(len(body)),
            "connection": "close",
            REQUEST_ID_HEADER: request_id,
            **self.headers,
        }
        lines = [f"HTTP/1.1 {self.status} {HTTPStatus(self.status).phrase}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


def make_request_id() -> str:
    """Return a fresh id for `x-request-id`."""
    return f"req_{secrets.token_hex(16)}"


def logged_path(path: str) -> str:
    """Return a path as logs show it: cut, in printable ASCII, and without a key that somebody put there."""
    shown = _CREDENTIALS.sub(r"\1***", path[: 2 * _SHOWN_CHARACTERS])[:_SHOWN_CHARACTERS]
    return shown if shown.isascii() and shown.isprintable() else ascii(shown)


def unknown_url(method: str, path: str) -> HttpError:
    return HttpError(status=404, message=f"Unknown request URL: {method} {path[:_SHOWN_CHARACTERS]}.")


def internal_error() -> HttpError:
    message = "The server had an error while processing your request. Sorry about that!"
    return HttpError(status=500, message=message, type="server_error")


def draining() -> HttpError:
    message = "The server is shutting down."
    return HttpError(status=503, message=message, type="server_error", headers={"retry-after": "5"})
