"""`/v1/realtime` over real sockets: the upgrade, its refusals, the handed-over connection; on both backends."""

import asyncio
import contextlib
import json
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Subprotocol

from tests.app.serving import Answer, ask, serving, upgrade_head
from tests.transports.echo_host import EchoHost
from tests.transports.peers import run
from vivavoce.app.models import ModelCatalogue
from vivavoce.app.server import AppSettings
from vivavoce.runtime.sink import LiveSession, SessionRequest, Sink
from vivavoce.testing.matrix import ConnectionRecord

CLEAR = '{"type":"input_audio_buffer.clear"}'
KEYED = AppSettings(api_keys=("sk-good",))
BETA_PROTOCOL = "openai-beta.realtime-v1"
KEY_PROTOCOL = "openai-insecure-api-key."

both_backends = pytest.mark.parametrize("backend", ["picows", "websockets"])


def client_of(port: int, target: str = "/v1/realtime", *, protocols: tuple[str, ...] = (), **options: Any) -> connect:
    """Return a client's connection to be entered; `options` go to the library."""
    offered = [Subprotocol(protocol) for protocol in protocols] or None
    return connect(f"ws://127.0.0.1:{port}{target}", subprotocols=offered, **options)


async def types_of(websocket: ClientConnection, count: int) -> list[str]:
    return [json.loads(await websocket.recv())["type"] for _ in range(count)]


# Accepted -----------------------------------------------------------------------------------------------------------


@both_backends
def test_a_session_is_opened_and_served(backend: str) -> None:
    async def scenario() -> list[str]:
        async with serving(EchoHost(), AppSettings(websocket_backend=backend)) as port:
            async with client_of(port) as websocket:
                await websocket.send(CLEAR)
                return await types_of(websocket, 2)

    assert run(scenario()) == ["input_audio_buffer.cleared"] * 2


@both_backends
def test_the_answer_has_a_request_id_and_the_subprotocol_realtime_and_no_extension(backend: str) -> None:
    async def scenario() -> dict[str, str]:
        host = EchoHost()
        async with serving(host, AppSettings(websocket_backend=backend)) as port:
            async with client_of(port, protocols=("realtime", f"{KEY_PROTOCOL}sk-1")) as websocket:
                assert websocket.response is not None
                assert websocket.response.headers["x-request-id"] == host.requests[0].request_id
                return {name.lower(): value for name, value in websocket.response.headers.raw_items()}

    headers = run(scenario())

    assert headers["sec-websocket-protocol"] == "realtime"
    assert "sec-websocket-extensions" not in headers
    assert "sk-1" not in repr(headers)


def test_the_model_and_the_credential_reach_the_host() -> None:
    async def scenario() -> SessionRequest:
        host = EchoHost()
        async with serving(host, KEYED) as port:
            headers = {"Authorization": "Bearer sk-good"}
            async with client_of(port, "/v1/realtime?model=gpt-realtime", additional_headers=headers):
                return host.requests[0]

    request = run(scenario())

    assert request.model == "gpt-realtime"
    assert request.credential_id is not None
    assert "sk-good" not in request.credential_id


@pytest.mark.parametrize("connection", ["Upgrade", "upgrade", "keep-alive, Upgrade"])
def test_an_upgrade_is_understood_in_every_spelling(connection: str) -> None:
    async def scenario() -> int:
        head = (
            upgrade_head()
            .replace("Connection: Upgrade", f"Connection: {connection}")
            .replace("Upgrade: websocket", "Upgrade: WebSocket")
        )
        async with serving(EchoHost()) as port:
            return (await ask(port, head)).status

    assert run(scenario()) == 101


def test_http_and_sessions_share_the_port() -> None:
    async def scenario() -> tuple[list[str], int]:
        async with serving(EchoHost()) as port, client_of(port) as websocket:
            status = (await ask(port, "GET /healthz HTTP/1.1")).status
            await websocket.send(CLEAR)
            return await types_of(websocket, 2), status

    assert run(scenario()) == (["input_audio_buffer.cleared"] * 2, 200)


@both_backends
def test_every_session_of_many_learns_that_its_client_left(backend: str) -> None:
    async def scenario() -> list[int | None]:
        host = EchoHost()
        async with serving(host, AppSettings(websocket_backend=backend)) as port:
            for _ in range(20):
                async with client_of(port) as websocket:
                    await websocket.recv()
            return [await host.sessions.get_nowait().disconnected() for _ in range(20)]

    assert run(scenario()) == [1000] * 20


# Refused ------------------------------------------------------------------------------------------------------------


def refusal_of(head: str, settings: AppSettings | None = None, host: EchoHost | None = None) -> Answer:
    """Return the answer to an upgrade that opens no session."""

    async def scenario() -> Answer:
        chosen = host or EchoHost()
        opened_before = len(chosen.requests)
        async with serving(chosen, settings) as port:
            answer = await ask(port, head)
            assert len(chosen.requests) == opened_before
            return answer

    return run(scenario())


@pytest.mark.parametrize(
    ("head", "status", "code"),
    [
        (upgrade_head(), 401, "invalid_api_key"),
        (upgrade_head("/v1/realtime", "Authorization: Bearer sk-bad"), 401, "invalid_api_key"),
        (upgrade_head("/v1/realtime?call_id=rtc_1", "api-key: sk-good"), 404, "call_id_not_found"),
        (upgrade_head("/v1/realtime?intent=other", "api-key: sk-good"), 400, "invalid_value"),
        (upgrade_head("/elsewhere", "api-key: sk-good"), 404, None),
        (upgrade_head("/v1/realtime", "Host: evil.example"), 421, None),
        (upgrade_head("/v1/realtime", "Origin: http://evil.example"), 403, None),
        (upgrade_head("/v1/realtime", "Origin: null"), 403, None),
        (upgrade_head().replace("Version: 13", "Version: 12"), 426, None),
        (upgrade_head().replace("GET", "POST"), 400, None),
        (upgrade_head().replace("AAEC", "!!!!"), 400, None),
    ],
)
def test_a_refused_upgrade_is_answered_in_the_apis_shape(head: str, status: int, code: str | None) -> None:
    answer = refusal_of(head, KEYED)

    assert (answer.status, answer.error["code"]) == (status, code)
    assert answer.headers["x-request-id"].startswith("req_")
    assert answer.headers["connection"] == "close"
    assert b"sk-bad" not in answer.body


def test_at_capacity_the_upgrade_is_refused_with_503_and_when_to_come_back() -> None:
    answer = refusal_of(upgrade_head(), host=EchoHost(limit=0))

    assert (answer.status, answer.error["type"]) == (503, "server_error")
    assert answer.headers["retry-after"] == "5"


@both_backends
def test_a_browser_with_a_bad_key_is_told_by_an_event_and_closed_with_3000(backend: str) -> None:
    async def scenario() -> tuple[dict[str, Any], int | None, str | None]:
        host = EchoHost()
        settings = AppSettings(api_keys=("sk-good",), websocket_backend=backend)
        async with serving(host, settings) as port:
            async with client_of(port, protocols=("realtime", f"{KEY_PROTOCOL}sk-bad")) as websocket:
                event = json.loads(await websocket.recv())
                with pytest.raises(ConnectionClosed):
                    await websocket.recv()
                assert host.requests == []
                return event, websocket.close_code, websocket.close_reason

    event, code, reason = run(scenario())

    assert event["type"] == "error"
    assert event["error"]["code"] == "invalid_api_key"
    assert event["event_id"].startswith("event_")
    assert (code, reason) == (3000, "invalid_request_error.invalid_api_key")


@pytest.mark.parametrize(
    ("target", "protocols", "code", "reason"),
    [
        (
            "/v1/realtime/translations",
            ("realtime", "openai-beta.realtime-v1"),
            4000,
            "invalid_request_error.beta_api_shape_disabled",
        ),
        ("/openai/realtime?deployment=nobody", ("realtime",), 4004, "invalid_request_error.model_not_found"),
        ("/v1/realtime?intent=other", ("realtime",), 4000, "invalid_request_error.invalid_value"),
        ("/v1/realtime?model=nobody", ("realtime",), 4004, "invalid_request_error.model_not_found"),
    ],
)
def test_what_makes_a_session_impossible_is_told_by_an_event_and_a_close_code(
    target: str, protocols: tuple[str, ...], code: int, reason: str
) -> None:
    async def scenario() -> tuple[str, int | None, str | None]:
        async with serving(EchoHost(), models=ModelCatalogue((), is_strict=True)) as port:
            async with client_of(port, target, protocols=protocols) as websocket:
                event = json.loads(await websocket.recv())
                ConnectionRecord().server(event)
                with pytest.raises(ConnectionClosed):
                    await websocket.recv()
                return event["error"]["code"], websocket.close_code, websocket.close_reason

    assert run(scenario()) == (reason.partition(".")[2], code, reason)


def test_the_websockets_library_sees_the_401() -> None:
    async def scenario() -> int:
        async with serving(EchoHost(), KEYED) as port:
            with pytest.raises(InvalidStatus) as refused:
                async with client_of(port):
                    pass
            return refused.value.response.status_code

    assert run(scenario()) == 401


def test_an_exception_while_a_session_is_opened_costs_that_client_only(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> tuple[Answer, int]:
        async with serving(FailingHost()) as port:
            return await ask(port, upgrade_head()), (await ask(port, "GET /healthz HTTP/1.1")).status

    answer, status = run(scenario())

    assert (answer.status, answer.error["type"]) == (500, "server_error")
    assert b"a bug" not in answer.body
    assert status == 200
    assert any(record.exc_info for record in caplog.records)


class FailingHost(EchoHost):
    """A `SessionHost` with a bug."""

    def open(self, request: SessionRequest, sink: Sink) -> LiveSession:
        raise RuntimeError("a bug, for the test")


@pytest.mark.parametrize("protocol_key", [True, False])
def test_the_log_has_the_request_id_and_never_the_key(caplog: pytest.LogCaptureFixture, protocol_key: bool) -> None:
    async def scenario() -> str:
        host = EchoHost()
        protocols = ("realtime", f"{KEY_PROTOCOL}sk-secret") if protocol_key else ()
        headers = {} if protocol_key else {"Authorization": "Bearer sk-secret"}
        async with serving(host, AppSettings(api_keys=("sk-secret",))) as port:
            with caplog.at_level("DEBUG"), contextlib.suppress(ConnectionClosed):
                async with client_of(port, protocols=protocols, additional_headers=headers) as websocket:
                    await websocket.recv()
        return host.requests[0].request_id

    request_id = run(scenario())

    ours = [record for record in caplog.records if record.name.startswith(("vivavoce", "uvicorn", "picows"))]
    assert {"session opened", "session closed"} <= {
        record.message for record in ours if getattr(record, "request_id", None) == request_id
    }
    assert not any("sk-secret" in repr(vars(record)) for record in ours)


# Draining -----------------------------------------------------------------------------------------------------------


@both_backends
def test_when_the_server_stops_its_sessions_are_closed_with_1012(backend: str) -> None:
    async def scenario() -> int | None:
        async with contextlib.AsyncExitStack() as stack:
            async with serving(EchoHost(), AppSettings(websocket_backend=backend)) as port:
                websocket = await stack.enter_async_context(client_of(port))
                await websocket.recv()
            with pytest.raises(ConnectionClosed):
                await websocket.recv()
            return websocket.close_code

    assert run(scenario()) == 1012


@pytest.mark.slow
def test_a_client_that_answers_nothing_does_not_hold_the_server() -> None:
    async def scenario() -> None:
        async with serving(EchoHost()) as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            lines = upgrade_head("/v1/realtime", f"Host: localhost:{port}").splitlines()
            writer.write("\r\n".join([*lines, "", ""]).encode())
            await reader.readuntil(b"\r\n\r\n")
        assert b"\x03\xf4" in await reader.read()  # the close frame with 1012
        writer.close()
        await writer.wait_closed()

    run(scenario())
