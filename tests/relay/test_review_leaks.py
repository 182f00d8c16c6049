"""Key and headers of the upstream show nowhere: to no client, in no log, over no REST, whatever the upstream says."""

import json
import logging

import pytest
from websockets.http11 import Request

from tests.app.serving import ask_json
from tests.relay.relaying import KEY, configured, raw_talk, relay
from tests.transports.peers import run
from vivavoce.testing import upstream_faults as faults
from vivavoce.testing.upstream import Upstream, scripted_upstream
from vivavoce.testing.upstream_faults import Fault
from vivavoce.testing.upstream_wire import UpstreamConnection

HEADER = "header-secret-5e6f"
TELLING = f"Incorrect API key provided: {KEY} (x-own: {HEADER})."


def _refuse(connection: UpstreamConnection, request: Request) -> None:
    error = {"type": "invalid_request_error", "code": "invalid_api_key", "message": TELLING}
    headers = (("Content-Type", "application/json"), ("WWW-Authenticate", TELLING), ("x-request-id", KEY))
    connection.refuse(401, headers, json.dumps({"error": error}).encode())


def _tell(connection: UpstreamConnection) -> None:
    error = {"type": "invalid_request_error", "code": "invalid_api_key", "message": TELLING, "param": None}
    connection.send_event({"type": "error", "event_id": "e1", "error": error})
    connection.close(3000, f"bad {KEY}")


def _close(connection: UpstreamConnection) -> None:
    connection.close(4001, f"bad {KEY}")


TELLTALES = (Fault("refuse", answer=_refuse), Fault("tell", strike=_tell), Fault("close", strike=_close))


def everything_logged(caplog: pytest.LogCaptureFixture) -> str:
    """Return all records with their fields and traces."""
    shown = logging.Formatter().format
    return "\n".join(f"{shown(record)} {record.__dict__}" for record in caplog.records if record.name != "asyncio")


@pytest.mark.parametrize("fault", TELLTALES, ids=repr)
@pytest.mark.parametrize("is_live", [False, True], ids=["start", "live"])
def test_what_an_upstream_tells_of_the_key_is_not_told_on(
    fault: Fault, is_live: bool, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "vivavoce")

    async def converse(upstream: Upstream, address: str) -> list[bytes]:
        if not is_live:
            upstream.fail_next(fault)
        async with raw_talk(address) as talk:
            if is_live:
                await talk.read_to("session.created")
                upstream.strike(fault)
            await talk.read_to_close()
            assert talk.close_code == 1011
            return [*talk.messages, (talk.socket.close_reason or "").encode()]

    async def work() -> list[bytes]:
        settings = {"headers": {"x-own": HEADER}, "retry_s": 0.2}
        async with scripted_upstream() as upstream, relay(configured(upstream.url, **settings)) as address:
            told = await converse(upstream, address)
            assert upstream.handshakes[0].headers["x-own"] == HEADER
            port = int(address.rpartition(":")[2])
            for path in ("/api/engines", "/v1/models", "/readyz", "/api/cost", "/openapi.json"):
                told.append((await ask_json(port, f"GET {path}")).body)
            return told

    told = run(work())

    assert not [message for message in told if KEY.encode() in message or HEADER.encode() in message]
    logged = everything_logged(caplog)
    assert "upstream failed" in logged or fault.answer is None
    assert KEY not in logged
    assert HEADER not in logged


def test_a_redirect_is_not_followed() -> None:
    async def work() -> None:
        async with scripted_upstream() as upstream, relay(configured(upstream.url, retry_s=0.1)) as address:
            upstream.fail_next(faults.REDIRECT, 5)
            async with raw_talk(address) as talk:
                await talk.read_to_close()

            assert [one.fault for one in upstream.handshakes] == ["redirect"] * len(upstream.handshakes)
            assert talk.types() == ["error"]

    run(work())
