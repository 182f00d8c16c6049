"""What goes wrong on the way to an upstream, as faults for the session.

A fault's message is for clients: it holds no address, no key and nothing of what the upstream wrote. What an operator
needs to know goes to the log, with the identifiers that the API gives its errors.
"""

import logging
import ssl
from typing import Final

from vivavoce.core.relay.vocabulary import FaultKind, UpstreamFault
from vivavoce.engines.compatible.failures import Failures, error_in, retry_after_s
from vivavoce.engines.upstream.settings import UpstreamSettings

_LOG: Final = logging.getLogger(__name__)

_BY_CODE: Final[dict[str, FaultKind]] = {
    "insufficient_quota": "quota_exhausted",
    "billing_hard_limit_reached": "quota_exhausted",
    "invalid_api_key": "unauthorized",
    "model_not_found": "not_found",
}
_BY_STATUS: Final[dict[int, FaultKind]] = {
    401: "unauthorized",
    402: "quota_exhausted",
    403: "unauthorized",
    404: "not_found",
    429: "rate_limited",
}
_MESSAGES: Final[dict[FaultKind, str]] = {
    "refused": "The upstream refused the connection.",
    "unauthorized": "The upstream did not accept this server's key.",
    "not_found": "The upstream has no such model.",
    "rate_limited": "The upstream takes no more connections for now.",
    "quota_exhausted": "The account of this server at the upstream has no credit left.",
    "timeout": "The upstream did not answer in time.",
    "broken": "The upstream sent what is no event.",
    "closed": "The upstream closed the connection.",
}
_WAITING: Final = ("retry-after", "retry-after-ms")


class Faults:
    """Tells the faults of one upstream, and logs each for the operator."""

    def __init__(self, settings: UpstreamSettings) -> None:
        self._failures = Failures("upstream", settings.place, settings.secrets)
        self._place = settings.place

    def refused(self, status: int, headers: dict[str, str], body: bytes) -> UpstreamFault:
        """Return the fault for an upgrade that was answered with another status than 101."""
        error = error_in(body)
        code = error.get("code") if isinstance(error, dict) else None
        kind = _BY_CODE.get(code) if isinstance(code, str) and 400 <= status < 500 else None
        self._log(str(self._failures.refused(status, headers, body)))
        kind = kind or _BY_STATUS.get(status, "refused")
        waits = kind in ("rate_limited", "refused") and any(name in headers for name in _WAITING)
        return _fault(kind, retry_after_s(headers) if waits else None)

    def unreachable(self, error: OSError) -> UpstreamFault:
        """Return the fault for a connection that did not come about."""
        what = "TLS failed" if isinstance(error, ssl.SSLError | ssl.CertificateError) else "it cannot be reached"
        self._log(f"{self._place}: {what} ({_name(error)})")
        return _fault("refused")

    def late(self, limit_s: float) -> UpstreamFault:
        """Return the fault for an upgrade without an answer."""
        self._log(f"{self._place}: no answer within {limit_s:g} s")
        return _fault("timeout")

    def broken(self, what: str) -> UpstreamFault:
        """Return the fault for an upstream that broke the rules of the connection."""
        self._log(f"{self._place}: {what}")
        return _fault("broken")

    def _log(self, what: str) -> None:
        _LOG.warning("upstream failed", extra={"reason": what})


def _fault(kind: FaultKind, retry_after_s: float | None = None) -> UpstreamFault:
    return UpstreamFault(kind, _MESSAGES[kind], retry_after_s)


def _name(error: OSError) -> str:
    """Return what the system calls an error; its text may hold the address as it was resolved."""
    return str(getattr(error, "reason", None) or getattr(error, "verify_message", None) or type(error).__name__)
