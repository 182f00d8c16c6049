"""Client secrets over real sockets: made by REST, used for sessions, refused elsewhere, listed and revoked."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import openai
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Subprotocol

from tests.app.serving import MODELS, Answer, ManualClock, ask, ask_json, serving
from tests.transports.echo_host import EchoHost
from tests.transports.peers import run
from vivavoce.app.bodies import MAX_BODY_BYTES
from vivavoce.app.models import ModelCard, ModelCatalogue
from vivavoce.app.server import AppSettings
from vivavoce.config.load import load
from vivavoce.protocol.errors import ClientError
from vivavoce.runtime.sink import LiveSession, SessionRequest, Sink
from vivavoce.store.credentials import KeyFile
from vivavoce.wiring import build_pipelines, build_registry, narrow_to

CREATE = "POST /v1/realtime/client_secrets"
KEYED = AppSettings(api_keys=("sk-good", "sk-other"))
REALTIME = {"type": "realtime", "model": "gpt-realtime", "instructions": "Be kind."}
STRICT = ModelCatalogue((ModelCard("vivavoce-local"),), is_strict=True)


def created(body: object, *, request: str = CREATE, models: ModelCatalogue = MODELS) -> Answer:
    """Return the answer of a server without keys."""

    async def scenario() -> Answer:
        async with serving(EchoHost(), models=models) as port:
            return await ask_json(port, request, body)

    return run(scenario())


async def secret_for(port: int, session: object = REALTIME, key: str | None = "sk-good", **body: object) -> str:
    """Make a secret and return its text."""
    answer = await ask_json(port, CREATE, {"session": session, **body}, key)
    assert answer.status == 200, answer.body
    value: str = answer.json["value"]
    return value


@contextlib.asynccontextmanager
async def session_of(port: int, secret: str, target: str = "/v1/realtime") -> AsyncIterator[None]:
    """Open a session with a secret in the header, and close it."""
    async with connect(f"ws://127.0.0.1:{port}{target}", additional_headers={"Authorization": f"Bearer {secret}"}):
        yield


async def refusal(port: int, secret: str, target: str = "/v1/realtime") -> tuple[int, str | None]:
    """Return status and code of an upgrade that is refused."""
    with pytest.raises(InvalidStatus) as refused:
        async with session_of(port, secret, target):
            pass
    response = refused.value.response
    return response.status_code, json.loads(response.body or b"{}")["error"]["code"]


# Making one ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("prefix", ["/v1", "/openai/v1"])
def test_the_answer_has_the_secret_its_expiry_and_the_whole_session(prefix: str) -> None:
    answer = created({"session": REALTIME}, request=f"POST {prefix}/realtime/client_secrets")

    assert answer.status == 200
    assert list(answer.json) == ["value", "expires_at", "session"]
    assert answer.json["value"].startswith("ek_")
    session = answer.json["session"]
    assert session["id"].startswith("sess_")
    assert session["expires_at"] == 0
    assert (session["model"], session["instructions"]) == ("gpt-realtime", "Be kind.")
    assert session["audio"]["input"]["turn_detection"]["type"] == "server_vad"
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("body", [None, {}, {"session": None}, {"expires_after": None}])
def test_a_secret_may_be_for_no_session_in_particular(body: object) -> None:
    answer = created(body)

    assert answer.status == 200
    assert answer.json["session"]["type"] == "realtime"


def test_a_secret_for_transcription_shows_a_transcription_session() -> None:
    audio = {"input": {"transcription": {"model": "gpt-4o-transcribe"}}}

    session = created({"session": {"type": "transcription", "audio": audio}}).json["session"]

    assert (session["type"], session["object"]) == ("transcription", "realtime.transcription_session")
    assert session["audio"]["input"]["transcription"]["model"] == "gpt-4o-transcribe"
    assert "model" not in session


@pytest.mark.parametrize(
    ("expires_after", "lifetime_s"),
    [
        (None, 600),
        ({}, 600),
        ({"anchor": "created_at"}, 600),
        ({"anchor": "created_at", "seconds": 10}, 10),
        ({"seconds": 7200}, 7200),
        ({"seconds": 60.0}, 60),
        ({"anchor": None, "seconds": None}, 600),
    ],
)
def test_a_secret_lives_as_long_as_asked(expires_after: object, lifetime_s: int) -> None:
    clock = ManualClock()

    async def scenario() -> Answer:
        async with serving(EchoHost(), clock=clock) as port:
            return await ask_json(port, CREATE, {"expires_after": expires_after})

    assert run(scenario()).json["expires_at"] == clock.now_s + lifetime_s


@pytest.mark.parametrize(
    ("body", "code", "param"),
    [
        ({"expires_after": {"seconds": 9}}, "integer_below_min_value", "expires_after.seconds"),
        ({"expires_after": {"seconds": 7201}}, "integer_above_max_value", "expires_after.seconds"),
        ({"expires_after": {"seconds": "60"}}, "invalid_type", "expires_after.seconds"),
        ({"expires_after": {"seconds": 10**30}}, "integer_above_max_value", "expires_after.seconds"),
        ({"expires_after": {"anchor": "now"}}, "invalid_value", "expires_after.anchor"),
        ({"expires_after": {"minutes": 1}}, "unknown_parameter", "expires_after.minutes"),
        ({"expires_after": 60}, "invalid_type", "expires_after"),
        ({"expires": 60}, "unknown_parameter", "expires"),
        ({"session": {}}, "missing_required_parameter", "session.type"),
        ({"session": {"type": "other"}}, "invalid_value", "session.type"),
        ({"session": []}, "invalid_type", "session"),
        ({"session": {"type": "realtime", "modalities": ["text"]}}, "unknown_parameter", "session.modalities"),
        ({"session": {"type": "realtime", "audio": {"output": {"voice": "bob"}}}}, "invalid_value", None),
        ({"session": {"type": "realtime", "instructions": "\0"}}, "invalid_value", "session.instructions"),
        ({"session": {"type": "realtime", "vivavoce": {"locked": ["x"]}}}, "invalid_value", None),
        ({"session": {"type": "transcription", "instructions": "x"}}, "unknown_parameter", "session.instructions"),
    ],
)
def test_a_body_that_breaks_a_rule_is_answered_as_session_update_would(
    body: object, code: str, param: str | None
) -> None:
    answer = created(body)

    assert answer.status == 400
    assert answer.error["code"] == code
    assert answer.error["type"] == "invalid_request_error"
    assert param is None or answer.error["param"] == param


def test_a_model_that_is_not_served_gets_no_secret() -> None:
    answer = created({"session": REALTIME}, models=STRICT)

    assert (answer.status, answer.error["code"]) == (404, "model_not_found")


@pytest.mark.parametrize(
    ("payload", "head", "status"),
    [
        (b"{", "", 400),
        (b"[]", "", 400),
        (b'"text"', "", 400),
        (b"\xff", "", 400),
        (b'{"session": {"type": "realtime", "instructions": "\xff"}}', "", 400),
        (b'{"session": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "", 400),
        (b'{"expires_after": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "", 400),
        (b'{"expires_after": {"seconds": 1e999}}', "", 400),
        (b'{"session": {"type": "realtime", "max_output_tokens": 1e999}}', "", 400),
        (b"{}", "Content-Type: text/plain", 415),
        (b"{}", "Content-Type: application/x-www-form-urlencoded", 415),
        (b"{}", "Content-Type: application/json; charset=utf-8", 200),
        (b"{}", "X-Nothing: 1", 200),
    ],
)
def test_hostile_bodies_are_answered_with_an_error(payload: bytes, head: str, status: int) -> None:
    async def scenario() -> Answer:
        lines = f"{CREATE} HTTP/1.1\nContent-Length: {len(payload)}\n{head or 'Content-Type: application/json'}"
        async with serving(EchoHost()) as port:
            return await ask(port, lines, payload)

    answer = run(scenario())

    assert answer.status == status
    assert status == 200 or set(answer.error) == {"message", "type", "param", "code"}


def test_a_body_that_is_announced_too_large_is_refused_unread() -> None:
    async def scenario() -> Answer:
        async with serving(EchoHost()) as port:
            return await ask(port, f"{CREATE} HTTP/1.1\nContent-Length: {MAX_BODY_BYTES + 1}")

    assert run(scenario()).status == 413


def test_a_chunked_body_is_refused_when_it_gets_too_large() -> None:
    chunk = b"80000\r\n" + b" " * 0x80000 + b"\r\n"

    async def scenario() -> Answer:
        async with serving(EchoHost()) as port:
            return await ask(port, f"{CREATE} HTTP/1.1\nTransfer-Encoding: chunked", chunk * 5)

    assert run(scenario()).status == 413


def test_a_large_session_within_the_limits_is_taken() -> None:
    answer = created({"session": {"type": "realtime", "instructions": "x" * (1024 * 1024)}})

    assert answer.status == 200


@pytest.mark.parametrize("request_line", ["GET /v1/realtime/client_secrets", "PUT /v1/realtime/sessions"])
def test_other_methods_are_told_which_are_allowed(request_line: str) -> None:
    answer = created(None, request=request_line)

    assert answer.status == 405
    assert answer.headers["allow"] == "POST"
    assert answer.error["type"] == "invalid_request_error"


def test_more_secrets_than_are_kept_are_refused_with_a_time_to_come_back() -> None:
    megabyte = {"session": {"type": "realtime", "instructions": "x" * (1024 * 1024)}}

    async def scenario() -> Answer:
        async with serving(EchoHost()) as port:
            for _ in range(63):
                await ask_json(port, CREATE, megabyte)
            return await ask_json(port, CREATE, megabyte)

    refused = run(scenario())

    assert (refused.status, refused.error["code"]) == (429, "rate_limit_exceeded")
    assert refused.error["type"] == "rate_limit_error"
    assert 0 < int(refused.headers["retry-after"]) <= 600


@pytest.mark.parametrize("key", ["sk-good", "sk-bad"])
def test_a_page_elsewhere_can_read_the_answer_and_the_error(key: str) -> None:
    settings = AppSettings(api_keys=("sk-good",), allowed_origins=("https://app.example",))

    async def scenario() -> Answer:
        lines = f"{CREATE} HTTP/1.1\nContent-Length: 0\nOrigin: https://app.example\nAuthorization: Bearer {key}"
        async with serving(EchoHost(), settings) as port:
            return await ask(port, lines)

    answer = run(scenario())

    assert answer.status == (200 if key == "sk-good" else 401)
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.headers["access-control-expose-headers"] == "Location, X-Request-Id"


def test_any_origin_may_read_answers_as_soon_as_there_is_a_key(tmp_path: Path) -> None:
    clock, file = ManualClock(), KeyFile(tmp_path / "keys.json")
    head = "GET /v1/models HTTP/1.1\nOrigin: http://localhost:{port}\nAuthorization: Bearer {key}"

    async def scenario() -> list[str]:
        async with serving(EchoHost(), AppSettings(key_file=file.path), clock=clock) as port:
            before = await ask(port, head.format(port=port, key="any"))
            key = file.create("", clock.now_s).text
            clock.now_s += 1
            after = await ask(port, head.format(port=port, key=key))
            return [answer.headers["access-control-allow-origin"] for answer in (before, after)]

    before, after = run(scenario())

    assert before.startswith("http://localhost:")
    assert after == "*"


# Using one -----------------------------------------------------------------------------------------------------------


def test_a_secret_opens_sessions_with_its_configuration_as_the_key_that_made_it() -> None:
    async def scenario() -> list[SessionRequest]:
        host = EchoHost()
        async with serving(host, KEYED) as port:
            secret = await secret_for(port)
            for key in ("sk-good", secret, secret):
                async with session_of(port, key):
                    pass
        return host.requests

    by_key, *by_secret = run(scenario())

    assert len(by_secret) == 2
    for request in by_secret:
        assert request.model == "gpt-realtime"
        assert request.configuration is not None
        assert request.configuration.instructions == "Be kind."
        assert request.credential_id == by_key.credential_id


@pytest.mark.parametrize(
    ("headers", "protocols"),
    [
        ({"api-key": "{secret}"}, ()),
        ({"Authorization": "Bearer {secret}"}, ()),
        ({}, ("realtime", "openai-insecure-api-key.{secret}")),
    ],
)
def test_a_secret_comes_in_every_way_that_a_key_does(headers: dict[str, str], protocols: tuple[str, ...]) -> None:
    async def scenario() -> SessionRequest:
        host = EchoHost()
        async with serving(host, KEYED) as port:
            secret = await secret_for(port)
            filled = {name: value.format(secret=secret) for name, value in headers.items()}
            offered = [Subprotocol(protocol.format(secret=secret)) for protocol in protocols] or None
            url = f"ws://127.0.0.1:{port}/v1/realtime"
            async with connect(url, additional_headers=filled, subprotocols=offered):
                return host.requests[0]

    request = run(scenario())

    assert request.configuration is not None
    assert request.configuration.instructions == "Be kind."


def test_a_secret_for_transcription_opens_a_transcription_session() -> None:
    async def scenario() -> list[SessionRequest]:
        host = EchoHost()
        async with serving(host) as port:
            secret = await secret_for(port, {"type": "transcription"}, key=None)
            for target in ("/v1/realtime", "/v1/realtime?intent=transcription&model=gpt-4o-transcribe"):
                async with session_of(port, secret, target):
                    pass
        return host.requests

    requests = run(scenario())

    assert [request.kind for request in requests] == ["transcription"] * 2
    assert [request.model for request in requests] == [None, None]


@pytest.mark.parametrize(
    ("session", "target", "expected"),
    [
        ({"type": "realtime"}, "/v1/realtime?intent=transcription", (403, "insufficient_permissions")),
        (
            {**REALTIME, "vivavoce": {"locked": ["model"]}},
            "/v1/realtime?model=gpt-realtime-2",
            (403, "parameter_locked"),
        ),
        (
            {"type": "realtime", "vivavoce": {"locked": ["model"]}},
            "/v1/realtime?model=gpt-realtime",
            (403, "parameter_locked"),
        ),
    ],
)
def test_what_a_secret_does_not_allow_is_refused(session: object, target: str, expected: tuple[int, str]) -> None:
    async def scenario() -> tuple[int, str | None]:
        async with serving(EchoHost(), KEYED) as port:
            return await refusal(port, await secret_for(port, session), target)

    assert run(scenario()) == expected


def test_a_browser_is_told_of_a_locked_model_by_an_event_and_a_close_code() -> None:
    async def scenario() -> tuple[dict[str, Any], int | None]:
        async with serving(EchoHost()) as port:
            secret = await secret_for(port, {**REALTIME, "vivavoce": {"locked": ["model"]}}, key=None)
            protocols = [Subprotocol("realtime"), Subprotocol(f"openai-insecure-api-key.{secret}")]
            async with connect(f"ws://127.0.0.1:{port}/v1/realtime?model=other", subprotocols=protocols) as websocket:
                event = json.loads(await websocket.recv())
                with contextlib.suppress(ConnectionClosed):
                    await websocket.recv()
                return event["error"], websocket.close_code

    error, code = run(scenario())

    assert (error["code"], error["param"]) == ("parameter_locked", "model")
    assert error["message"] == "The parameter 'model' is locked for this client."
    assert code == 4000


def test_the_query_may_name_another_model_unless_it_is_locked() -> None:
    async def scenario() -> list[str | None]:
        host = EchoHost()
        locked = {**REALTIME, "vivavoce": {"locked": ["model"]}}
        async with serving(host, KEYED) as port:
            async with session_of(port, await secret_for(port), "/v1/realtime?model=other"):
                pass
            async with session_of(port, await secret_for(port, locked), "/v1/realtime?model=gpt-realtime"):
                pass
        return [request.model for request in host.requests]

    assert run(scenario()) == ["other", "gpt-realtime"]


def test_the_end_user_named_by_the_key_holder_goes_before_the_one_named_by_the_client() -> None:
    async def scenario() -> list[str | None]:
        host = EchoHost()
        async with serving(host) as port:
            made = await ask(port, f"{CREATE} HTTP/1.1\nContent-Length: 0\nOpenAI-Safety-Identifier: user-1")
            for key in (made.json["value"], "any"):
                headers = {"Authorization": f"Bearer {key}", "OpenAI-Safety-Identifier": "user-2"}
                async with connect(f"ws://127.0.0.1:{port}/v1/realtime", additional_headers=headers):
                    pass
        return [request.safety_identifier for request in host.requests]

    assert run(scenario()) == ["user-1", "user-2"]


def test_an_expired_secret_is_told_so_in_every_way() -> None:
    clock = ManualClock()

    async def scenario() -> tuple[Answer, tuple[int, str | None]]:
        async with serving(EchoHost(), KEYED, clock=clock) as port:
            secret = await secret_for(port, expires_after={"seconds": 10})
            clock.now_s += 10
            answer = await ask_json(port, "GET /v1/models", key=secret)
            return answer, await refusal(port, secret)

    answer, upgrade = run(scenario())

    assert (answer.status, answer.error["code"]) == (401, "ephemeral_token_expired")
    assert upgrade == (401, "ephemeral_token_expired")


@pytest.mark.parametrize("settings", [KEYED, AppSettings()])
def test_a_secret_that_this_server_did_not_make_is_refused(settings: AppSettings) -> None:
    async def scenario() -> tuple[int, str | None]:
        async with serving(EchoHost(), settings) as port:
            return await refusal(port, "ek_" + "0" * 64)

    assert run(scenario()) == (401, "invalid_api_key")


@pytest.mark.parametrize(
    "request_line",
    [
        "GET /v1/models",
        "POST /v1/realtime/client_secrets",
        "POST /v1/realtime/sessions",
        "POST /v1/realtime/transcription_sessions",
        "POST /v1/realtime/translations/client_secrets",
        "GET /api/client_secrets",
        "DELETE /api/client_secrets/x",
        "GET /metrics",
    ],
)
@pytest.mark.parametrize("settings", [KEYED, AppSettings()])
def test_a_secret_does_nothing_but_open_sessions(request_line: str, settings: AppSettings) -> None:
    async def scenario() -> Answer:
        async with serving(EchoHost(), settings) as port:
            return await ask_json(port, request_line, key=await secret_for(port))

    answer = run(scenario())

    assert (answer.status, answer.error["code"]) == (403, "insufficient_permissions")


def test_a_secret_does_not_make_a_bad_key_good() -> None:
    async def scenario() -> int:
        async with serving(EchoHost(), KEYED) as port:
            secret = await secret_for(port)
            head = f"GET /v1/realtime HTTP/1.1\nAuthorization: Bearer {secret}\napi-key: sk-bad"
            return (await ask(port, head)).status

    assert run(scenario()) == 401


def test_a_configuration_that_the_host_cannot_have_any_more_refuses_the_session() -> None:
    class Forgetful(EchoHost):
        def open(self, request: SessionRequest, sink: Sink) -> LiveSession:
            raise ClientError("invalid_value", "There is no such prompt.", "session.prompt")

    async def scenario() -> tuple[int, str | None]:
        async with serving(Forgetful()) as port:
            return await refusal(port, await secret_for(port, key=None))

    assert run(scenario()) == (400, "invalid_value")


@pytest.mark.parametrize(
    "session",
    [
        {**REALTIME, "tools": [{"type": "function", "name": "f"}], "vivavoce": {"locked": ["tools"]}},
        {"type": "transcription", "audio": {"input": {"transcription": {"model": "m"}, "turn_detection": None}}},
    ],
)
def test_the_session_that_is_shown_is_the_one_that_is_opened(session: dict[str, Any]) -> None:
    async def scenario() -> tuple[Any, Any]:
        configuration = narrow_to(load({}, environment={}).configuration, "vivavoce-scripted")
        pipelines = build_pipelines(configuration)
        await pipelines.start_default()
        async with serving(build_registry(configuration, pipelines)) as port:
            made = await ask_json(port, CREATE, {"session": session})
            headers = {"Authorization": f"Bearer {made.json['value']}"}
            async with connect(f"ws://127.0.0.1:{port}/v1/realtime", additional_headers=headers) as websocket:
                created = json.loads(await websocket.recv())
        await pipelines.close()
        return made.json["session"], created

    shown, created = run(scenario())

    assert created["type"] == "session.created"
    assert created["session"] == {
        **shown,
        "id": created["session"]["id"],
        "expires_at": created["session"]["expires_at"],
    }
    assert (shown["expires_at"], created["session"]["expires_at"] > 0) == (0, True)


# Listing and revoking ------------------------------------------------------------------------------------------------


def test_secrets_are_listed_without_their_text_and_revoked_by_id() -> None:
    async def scenario() -> tuple[str, Answer, Answer, tuple[int, str | None], Answer]:
        async with serving(EchoHost(), KEYED) as port:
            secret = await secret_for(port, {**REALTIME, "vivavoce": {"locked": ["instructions"]}})
            listed = await ask_json(port, "GET /api/client_secrets", key="sk-other")
            id = listed.json["data"][0]["id"]
            deleted = await ask_json(port, f"DELETE /api/client_secrets/{id}", key="sk-other")
            again = await ask_json(port, f"DELETE /api/client_secrets/{id}", key="sk-other")
            return secret, listed, deleted, await refusal(port, secret), again

    secret, listed, deleted, refused, again = run(scenario())

    (card,) = listed.json["data"]
    assert secret not in listed.body.decode()
    assert (card["type"], card["model"], card["locked"]) == ("realtime", "gpt-realtime", ["instructions"])
    assert deleted.json == {"id": card["id"], "object": "client_secret", "deleted": True}
    assert refused == (401, "invalid_api_key")
    assert (again.status, again.error["code"]) == (404, "client_secret_not_found")


def test_a_session_outlives_its_secret() -> None:
    async def scenario() -> str:
        async with serving(EchoHost(), KEYED) as port:
            secret = await secret_for(port)
            headers = {"Authorization": f"Bearer {secret}"}
            async with connect(f"ws://127.0.0.1:{port}/v1/realtime", additional_headers=headers) as websocket:
                await websocket.recv()
                listed = await ask_json(port, "GET /api/client_secrets", key="sk-good")
                await ask_json(port, f"DELETE /api/client_secrets/{listed.json['data'][0]['id']}", key="sk-good")
                await websocket.send('{"type":"input_audio_buffer.clear"}')
                event: dict[str, str] = json.loads(await websocket.recv())
                return event["type"]

    assert run(scenario()) == "input_audio_buffer.cleared"


def test_revoking_a_key_refuses_it_and_its_secrets_on_a_running_server(tmp_path: Path) -> None:
    clock, file = ManualClock(), KeyFile(tmp_path / "keys.json")
    first, second = file.create("first", 0), file.create("second", 0)
    settings = AppSettings(key_file=file.path)

    async def scenario() -> list[object]:
        async with serving(EchoHost(), settings, clock=clock) as port:
            ours, others = await secret_for(port, key=first.text), await secret_for(port, key=second.text)
            file.revoke_key(first.stored.id, 1)
            clock.now_s += 1
            async with session_of(port, others):
                pass
            return [
                (await ask_json(port, "GET /v1/models", key=first.text)).status,
                (await ask_json(port, "GET /v1/models", key=second.text)).status,
                await refusal(port, ours),
            ]

    assert run(scenario()) == [401, 200, (401, "invalid_api_key")]


def test_a_secret_that_is_revoked_in_the_key_file_is_refused(tmp_path: Path) -> None:
    clock, file = ManualClock(), KeyFile(tmp_path / "keys.json")

    async def scenario() -> tuple[int, str | None]:
        async with serving(EchoHost(), AppSettings(key_file=file.path), clock=clock) as port:
            secret = await secret_for(port, key=None)
            listed = await ask_json(port, "GET /api/client_secrets")
            file.revoke_secret(listed.json["data"][0]["id"], clock.now_s)
            clock.now_s += 1
            return await refusal(port, secret)

    assert run(scenario()) == (401, "invalid_api_key")


# With the stock client -----------------------------------------------------------------------------------------------


def test_the_stock_client_makes_a_secret_and_connects_with_it() -> None:
    async def scenario() -> tuple[object, list[SessionRequest]]:
        host = EchoHost()
        async with serving(host, KEYED) as port:
            async with openai.AsyncOpenAI(api_key="sk-good", base_url=f"http://127.0.0.1:{port}/v1") as client:
                made = await client.realtime.client_secrets.create(
                    expires_after={"anchor": "created_at", "seconds": 60},
                    session={"type": "realtime", "model": "gpt-realtime", "instructions": "Be kind."},
                )
            options: dict[str, Any] = {"api_key": made.value, "websocket_base_url": f"ws://127.0.0.1:{port}/v1"}
            async with openai.AsyncOpenAI(**options) as holder:
                async with holder.realtime.connect(model="gpt-realtime") as connection:
                    await asyncio.wait_for(connection.recv_bytes(), 10)
        return made.session, host.requests

    session, requests = run(scenario())

    assert getattr(session, "type", None) == "realtime"
    assert getattr(session, "instructions", None) == "Be kind."
    assert requests[0].configuration == msgspec.convert(REALTIME, type(requests[0].configuration))


def test_the_stock_client_is_told_what_is_wrong() -> None:
    async def scenario() -> openai.BadRequestError:
        async with serving(EchoHost()) as port:
            async with openai.AsyncOpenAI(api_key="any", base_url=f"http://127.0.0.1:{port}/v1") as client:
                with pytest.raises(openai.BadRequestError) as refused:
                    await client.realtime.client_secrets.create(expires_after={"seconds": 7201})
        return refused.value

    error = run(scenario())

    assert (error.code, error.param) == ("integer_above_max_value", "expires_after.seconds")
