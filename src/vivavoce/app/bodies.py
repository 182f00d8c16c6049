"""The bodies of requests: read within a size and a time, and refused in the API's words."""

import asyncio
from typing import Final

from starlette.requests import ClientDisconnect, Request

from vivavoce.app.errors import HttpError
from vivavoce.protocol.errors import ClientError

MAX_BODY_BYTES: Final = 2 * 1024 * 1024  # instructions of 1 MiB and tools
BODY_DEADLINE_S: Final = 30.0
_JSON_TYPES: Final = ("application/json", "")
_ENCODINGS: Final = ("identity", "")
_STATUS_OF_CODE: Final = {"model_not_found": 404, "parameter_locked": 403}


class RequestRefused(Exception):
    """A request that ends with an error answer."""

    def __init__(self, error: HttpError) -> None:
        super().__init__(error.message)
        self.error = error


async def read_json_body(request: Request) -> bytes:
    """Return the body of a request that carries JSON; empty if it has none.

    Raises:
        RequestRefused: another content type or a compressed body (415), too large (413), too slow (408).
    """
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if content_type not in _JSON_TYPES:
        message = f"Expected a body of type application/json, got {content_type[:100]!r}."
        raise RequestRefused(HttpError(status=415, message=message))
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in _ENCODINGS:
        message = f"Expected a body that is not compressed, got the content encoding {encoding[:100]!r}."
        raise RequestRefused(HttpError(status=415, message=message, headers={"accept-encoding": "identity"}))
    try:
        async with asyncio.timeout(BODY_DEADLINE_S):
            return await _read(request)
    except TimeoutError as error:
        message = f"The whole body did not come within {BODY_DEADLINE_S:g} seconds."
        raise RequestRefused(HttpError(status=408, message=message)) from error
    except ClientDisconnect as error:
        raise RequestRefused(HttpError(status=400, message="The body ended early.")) from error


async def _read(request: Request) -> bytes:
    announced = request.headers.get("content-length", "0")
    if not announced.isdigit() or int(announced[:12]) > MAX_BODY_BYTES:
        raise RequestRefused(_too_large())
    parts: list[bytes] = []
    size_bytes = 0
    async for part in request.stream():
        size_bytes += len(part)
        if size_bytes > MAX_BODY_BYTES:
            raise RequestRefused(_too_large())
        parts.append(part)
    return b"".join(parts)


def _too_large() -> HttpError:
    message = f"The body is too large: at most {MAX_BODY_BYTES} bytes are accepted."
    return HttpError(status=413, message=message)


def error_of(fault: ClientError) -> HttpError:
    """Return a client's mistake as an HTTP answer: 400, or what its code stands for."""
    detail = fault.detail
    status = 500 if detail.type == "server_error" else _STATUS_OF_CODE.get(detail.code or "", 400)
    return HttpError(status=status, message=detail.message, type=detail.type, param=detail.param, code=detail.code)
