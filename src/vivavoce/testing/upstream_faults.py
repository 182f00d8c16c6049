"""What can go wrong with an upstream. Each fault can strike an open connection, or any handshake to come."""

import json
from collections.abc import Callable
from typing import Final

import msgspec
from websockets.http11 import Request

from vivavoce.testing.upstream_objects import error_event
from vivavoce.testing.upstream_wire import UpstreamConnection

HUGE_BYTES: Final = 1 << 30  # as the head of a frame announces it; nothing so large is ever sent

Strike = Callable[[UpstreamConnection], None]
Answer = Callable[[UpstreamConnection, Request], None]


class Fault(msgspec.Struct, frozen=True):
    """A way to fail.

    On an open connection `strike` is done. A handshake is answered by `answer`; where there is none, it is accepted
    and struck in place of `session.created`. What has no strike drops the connection, then fails the next handshake.
    """

    name: str
    strike: Strike | None = None
    answer: Answer | None = None
    stops_listening: bool = False

    def __repr__(self) -> str:
        return self.name


def _status(
    status: int, code: str | None, headers: tuple[tuple[str, str], ...] = (), kind: str = "invalid_request_error"
) -> Answer:
    error = {"message": f"The upstream says {status}.", "type": kind, "param": None, "code": code}
    body = json.dumps({"error": error}).encode()
    return lambda connection, request: connection.refuse(status, headers, body)


def _close(code: int, reason: str = "") -> Strike:
    return lambda connection: connection.close(code, reason)


def _tell_and_close(code: str, message: str, close_code: int) -> Strike:
    def strike(connection: UpstreamConnection) -> None:
        connection.send_event(error_event(code, message))
        connection.close(close_code, message)

    return strike


def at_start(fault: Fault) -> Fault:
    """Return a fault that drops the connection, and strikes the next one in place of its `session.created`."""
    strike = fault.strike
    assert strike is not None, f"{fault.name} is no fault of open connections"

    def answer(connection: UpstreamConnection, request: Request) -> None:
        connection.accept(request)
        strike(connection)

    return Fault(f"{fault.name}_at_start", answer=answer)


def _never_answer(connection: UpstreamConnection, request: Request) -> None:
    """The client waits for its handshake."""


def _say_nothing(connection: UpstreamConnection, request: Request) -> None:
    connection.accept(request)


def _answer_garbage(connection: UpstreamConnection, request: Request) -> None:
    connection.send_raw(b"220 mail.example.org ESMTP\r\n\r\n")
    connection.end()


def _send_huge(connection: UpstreamConnection) -> None:
    connection.send_raw(b"\x81\x7f" + HUGE_BYTES.to_bytes(8, "big") + b"{" * 1024)


RESET: Final = Fault("reset", strike=UpstreamConnection.reset)
EOF_WITHOUT_CLOSE: Final = Fault("eof", strike=UpstreamConnection.end)
CLOSE_1000: Final = Fault("close_1000", strike=_close(1000))
CLOSE_1001: Final = Fault("close_1001", strike=_close(1001, "going away"))
CLOSE_1008: Final = Fault("close_1008", strike=_close(1008, "policy"))
CLOSE_1011: Final = Fault("close_1011", strike=_close(1011, "keepalive ping timeout"))
CLOSE_1012: Final = Fault("close_1012", strike=_close(1012, "restart"))
CLOSE_1013: Final = Fault("close_1013", strike=_close(1013, "try again later"))
CLOSE_3000: Final = Fault("close_3000", strike=_close(3000, "invalid_request_error.invalid_api_key"))
CLOSE_4001: Final = Fault("close_4001", strike=_close(4001, "refused"))
GARBAGE: Final = Fault("garbage", strike=lambda connection: connection.send_text(b'{"type": "response.do'))
NOT_AN_OBJECT: Final = Fault("not_an_object", strike=lambda connection: connection.send_text(b'["session.created"]'))
NOT_UTF8: Final = Fault("not_utf8", strike=lambda connection: connection.send_text(b'{"type": "\xff\xfe"}'))
BINARY: Final = Fault("binary", strike=lambda connection: connection.send_binary(b"\x00\x01\x02"))
OVERSIZED: Final = Fault("oversized", strike=_send_huge)
BAD_FRAME: Final = Fault("bad_frame", strike=lambda connection: connection.send_raw(b"\xff\x05hello"))
EXPIRED: Final = Fault(
    "session_expired",
    strike=_tell_and_close("session_expired", "Your session hit the maximum duration of 60 minutes.", 1001),
)
NO_QUOTA: Final = Fault(
    "insufficient_quota", strike=_tell_and_close("insufficient_quota", "You exceeded your current quota.", 1000)
)

REFUSED: Final = Fault("refused", stops_listening=True)
STATUS_401: Final = Fault("401", answer=_status(401, "invalid_api_key"))
STATUS_403: Final = Fault("403", answer=_status(403, "forbidden"))
STATUS_404: Final = Fault("404", answer=_status(404, "model_not_found"))
STATUS_429: Final = Fault("429", answer=_status(429, "rate_limit_exceeded", kind="requests"))
STATUS_429_SOON: Final = Fault("429_soon", answer=_status(429, "rate_limit_exceeded", (("Retry-After", "0"),)))
STATUS_429_LATE: Final = Fault("429_late", answer=_status(429, "rate_limit_exceeded", (("Retry-After", "3600"),)))
STATUS_429_QUOTA: Final = Fault("429_quota", answer=_status(429, "insufficient_quota", kind="insufficient_quota"))
STATUS_500: Final = Fault("500", answer=_status(500, None, kind="server_error"))
STATUS_503: Final = Fault("503", answer=_status(503, None, kind="server_error"))
REDIRECT: Final = Fault("redirect", answer=_status(307, None, (("Location", "ws://127.0.0.1:9/v1/realtime"),)))
NO_ANSWER: Final = Fault("no_answer", answer=_never_answer)
SILENT: Final = Fault("silent", answer=_say_nothing)
NOT_HTTP: Final = Fault("not_http", answer=_answer_garbage)

LINK_FAULTS: Final = (
    RESET,
    EOF_WITHOUT_CLOSE,
    CLOSE_1000,
    CLOSE_1001,
    CLOSE_1011,
    CLOSE_1012,
    CLOSE_1013,
    GARBAGE,
    NOT_AN_OBJECT,
    NOT_UTF8,
    BINARY,
    OVERSIZED,
    BAD_FRAME,
    EXPIRED,
)  # a link is lost, and another can be had
FORBIDDING_FAULTS: Final = (CLOSE_1008, CLOSE_3000, CLOSE_4001, STATUS_401, STATUS_403, STATUS_404)
PASSING_FAULTS: Final = (STATUS_429, STATUS_429_SOON, STATUS_500, STATUS_503, NOT_HTTP)  # of a handshake
