"""What goes wrong on the way to an upstream, as a session's faults; over sockets in tests/transports."""

import logging
import ssl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vivavoce.engines.upstream.faults import Faults
from vivavoce.engines.upstream.settings import UpstreamSettings

KEY = "sk-not-to-be-told"


def faults() -> Faults:
    return Faults(UpstreamSettings("https://upstream.example.com/v1", KEY))


@given(
    status=st.integers(200, 599),
    retry_after=st.text(max_size=40),
    body=st.binary(max_size=200) | st.just(b'{"error":{"code":[1],"type":{"a":1}}}') | st.just(b"[" * 10_000),
)
def test_whatever_a_refusal_says_it_is_a_fault(status: int, retry_after: str, body: bytes) -> None:
    fault = faults().refused(status, {"retry-after": retry_after}, body)

    assert fault.kind in ("refused", "unauthorized", "not_found", "rate_limited", "quota_exhausted")
    assert fault.retry_after_s is None or fault.retry_after_s >= 0


def test_a_fault_says_nothing_of_what_the_upstream_wrote() -> None:
    body = b'{"error":{"code":"secret_code","message":"at upstream.example.com with %s"}}' % KEY.encode()

    message = faults().refused(401, {}, body).message

    assert message == "The upstream did not accept this server's key."


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (ConnectionRefusedError(111, "Connect call failed ('10.0.0.1', 443)"), "ConnectionRefusedError"),
        (ssl.SSLCertVerificationError(1, "self-signed certificate"), "TLS failed"),
    ],
)
def test_an_operator_learns_where_and_what(error: OSError, told: str, caplog: pytest.LogCaptureFixture) -> None:
    fault = faults().unreachable(error)

    [record] = caplog.records
    assert fault.kind == "refused"
    assert record.levelno == logging.WARNING
    assert told in str(record.__dict__["reason"])
    assert "upstream.example.com:443" in str(record.__dict__["reason"])


@pytest.mark.parametrize("header", ["", "soon", "Sat, 21 Nov 2026"])
def test_a_wait_that_cannot_be_read_is_short(header: str) -> None:
    fault = faults().refused(429, {"retry-after": header}, b"")

    assert fault.retry_after_s == 0.25
