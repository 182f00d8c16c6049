"""What goes wrong with a compatible server, as EngineErrors.

Messages name the server, the status and the identifiers that the API gives its errors (`code`, `type`, `param`). What a
server writes in words is left out: it may repeat the key or the conversation.
"""

import http
import re
from collections.abc import Iterable
from email.utils import parsedate_to_datetime
from typing import Any, Final

import msgspec

from vivavoce.engines.base import EngineError

DEFAULT_RETRY_S: Final = 0.25
NEVER: Final = float("inf")  # a wait that fits no deadline

_IDENTIFIER: Final = re.compile(r"[A-Za-z0-9_.\-\[\]]{1,64}\Z")
_SECONDS: Final = re.compile(r"\d{1,9}(?:\.\d{1,9})?\Z")
_TIMED_OUT: Final = frozenset({http.HTTPStatus.REQUEST_TIMEOUT, http.HTTPStatus.GATEWAY_TIMEOUT})
_TEMPORARY: Final = frozenset({408, 409, 425, 429})  # and all from 500
_EXHAUSTED: Final = frozenset({"insufficient_quota", "billing_hard_limit_reached"})  # a 429 that no waiting ends
_TELLING: Final = {
    401: "the key was not accepted",
    403: "the key may not do this",
    404: "it has no such address or model",
    429: "too many requests",
}


class Refusal(EngineError):
    """The server did not begin to answer; `retry_after_s` is when one more try may succeed, infinite for never."""

    def __init__(self, cause: EngineError, retry_after_s: float = NEVER) -> None:
        super().__init__(cause.engine, str(cause), code=cause.code, is_retryable=cause.is_retryable)
        self.retry_after_s = retry_after_s


class Failures:
    """Makes the errors of one engine and server; what holds a secret is left out."""

    def __init__(self, engine: str, place: str, secrets: Iterable[str]) -> None:
        self._engine = engine
        self._place = place
        self._secrets = tuple(secrets)

    def unreachable(self, what: str) -> EngineError:
        """Return the error for a server that cannot be reached or whose connection broke."""
        return EngineError(self._engine, f"{self._place}: {what}", is_retryable=True)

    def late(self, awaited: str, limit_s: float) -> EngineError:
        """Return the error for a deadline that passed."""
        message = f"{self._place}: no {awaited} within {limit_s:g} s"
        return EngineError(self._engine, message, code="engine_timeout", is_retryable=True)

    def broken(self, what: str) -> EngineError:
        """Return the error for an answer that cannot be used."""
        return EngineError(self._engine, f"{self._place}: {what}", code="server_error")

    def refused(self, status: int, headers: dict[str, str], body: bytes) -> Refusal:
        """Return the error for an HTTP status other than 2xx."""
        told = self._identifiers(error_in(body))
        what = _TELLING.get(status, "redirects are not followed" if status < 400 else "")
        described = ", ".join(part for part in (what, told) if part)
        is_temporary = status >= 500 or (status in _TEMPORARY and not _EXHAUSTED & set(told.split(" ")))
        error = EngineError(
            self._engine,
            f"{self._place} answered {status}" + (f" ({described})" if described else ""),
            code=_code_of(status),
            is_retryable=is_temporary,
        )
        may_retry = is_temporary and headers.get("x-should-retry") != "false"
        return Refusal(error, retry_after_s(headers) if may_retry else NEVER)

    def reported(self, error: object) -> EngineError:
        """Return the error for an error object within an answer."""
        told = self._identifiers(error)
        is_limit = "rate_limit" in told
        return EngineError(
            self._engine,
            f"{self._place} reported an error" + (f" ({told})" if told else ""),
            code="engine_unavailable" if is_limit else "server_error",
            is_retryable=is_limit or "server_error" in told or "overloaded" in told,
        )

    def _identifiers(self, error: object) -> str:
        if not isinstance(error, dict):
            return ""
        values = dict.fromkeys(str(error.get(key) or "") for key in ("code", "type", "param"))
        return " ".join(value for value in values if _IDENTIFIER.match(value) and not self._is_secret(value))

    def _is_secret(self, text: str) -> bool:
        return any(secret in text for secret in self._secrets)


def error_in(body: bytes) -> Any:  # JSON boundary: error bodies differ by server
    """Return the error object in a body, or the body itself; None if it is no JSON."""
    try:
        value = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return None
    return value.get("error", value) if isinstance(value, dict) else None


def retry_after_s(headers: dict[str, str]) -> float:
    """Return how long the server asks to wait; `DEFAULT_RETRY_S` if it does not say.

    Follows RFC 9110 section 10.2.3, with `retry-after-ms` before it, which the hosted API sends as well. A date is
    compared with the server's own `date`.
    """
    milliseconds, value = headers.get("retry-after-ms", ""), headers.get("retry-after", "")
    if _SECONDS.match(milliseconds):
        return float(milliseconds) / 1000
    if _SECONDS.match(value):
        return float(value)
    if not value:
        return DEFAULT_RETRY_S
    try:
        wait = parsedate_to_datetime(value) - parsedate_to_datetime(headers.get("date", ""))
    except (TypeError, ValueError):
        return DEFAULT_RETRY_S
    return max(0.0, wait.total_seconds())


def _code_of(status: int) -> str:
    if status in _TIMED_OUT:
        return "engine_timeout"
    is_our_request = 400 <= status < 500 and status not in _TEMPORARY | {401, 403, 404}
    return "server_error" if is_our_request else "engine_unavailable"
