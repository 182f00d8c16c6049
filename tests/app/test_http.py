"""The HTTP routes over real sockets: models, health, the page, and errors in the API's shape."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import pytest

from tests.app.serving import Answer, ask, server_threads, serving
from tests.transports.echo_host import EchoHost
from tests.transports.peers import run
from vivavoce.app.server import AppSettings

DEFAULT = AppSettings()
KEYED = AppSettings(api_keys=("sk-good",))


class Asking(Protocol):
    """Asks a server with these settings one thing; `{port}` in the head is its port."""

    def __call__(self, *head: str, settings: AppSettings = DEFAULT) -> Answer: ...


@pytest.fixture(scope="module")
def answer_to() -> Iterator[Asking]:
    with server_threads() as servers:

        def asking(*head: str, settings: AppSettings = DEFAULT) -> Answer:
            port = servers.port(settings)
            return run(ask(port, "\n".join(head).replace("{port}", str(port))))

        yield asking


@pytest.fixture(scope="module")
def web_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A built web client of one page and one script, and a file beside it that is not part of it."""
    folder = tmp_path_factory.mktemp("web") / "dist"
    folder.mkdir()
    (folder.parent / "server.py").write_text("secret")
    (folder / "index.html").write_text("<!doctype html><title>Vivavoce</title>")
    (folder / "assets").mkdir()
    (folder / "assets" / "app.js").write_text("export {}")
    return folder


# Models ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("prefix", ["/v1", "/openai/v1"])
def test_models_are_listed_in_the_apis_shape(answer_to: Asking, prefix: str) -> None:
    answer = answer_to(f"GET {prefix}/models HTTP/1.1")

    assert answer.status == 200
    assert answer.json["object"] == "list"
    assert answer.json["data"][0] == {
        "id": "vivavoce-local",
        "created": 1,
        "object": "model",
        "owned_by": "vivavoce",
    }


def test_a_model_is_shown_by_its_name(answer_to: Asking) -> None:
    assert answer_to("GET /v1/models/vivavoce-scripted HTTP/1.1").json["id"] == "vivavoce-scripted"


def test_an_unknown_model_is_not_found(answer_to: Asking) -> None:
    answer = answer_to("GET /v1/models/nobody HTTP/1.1")

    assert answer.status == 404
    assert answer.error["code"] == "model_not_found"
    assert answer.error["param"] == "model"


# Health ------------------------------------------------------------------------------------------


def test_health_needs_no_key(answer_to: Asking) -> None:
    assert answer_to("GET /healthz HTTP/1.1", settings=KEYED).status == 200


def test_the_server_is_ready_when_every_engine_is() -> None:
    async def scenario(engines: dict[str, bool]) -> Answer:
        async with serving(EchoHost(), readiness=lambda: engines) as port:
            return await ask(port, "GET /readyz HTTP/1.1")

    ready = run(scenario({"stt": True, "tts": True}))
    starting = run(scenario({"stt": True, "tts": False}))

    assert (ready.status, ready.json["status"]) == (200, "ready")
    assert (starting.status, starting.json["status"]) == (503, "starting")
    assert starting.json["engines"] == {"stt": True, "tts": False}


# The page ------------------------------------------------------------------------------------------


def test_the_built_page_and_its_files_are_served(answer_to: Asking, web_dir: Path) -> None:
    settings = AppSettings(web_dir=web_dir, api_keys=("sk-good",))

    page = answer_to("GET / HTTP/1.1", settings=settings)
    script = answer_to("GET /assets/app.js HTTP/1.1", settings=settings)

    assert (page.status, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert b"<title>Vivavoce" in page.body
    assert (script.status, script.body) == (200, b"export {}")


def test_the_page_may_only_load_from_here(answer_to: Asking, web_dir: Path) -> None:
    page = answer_to("GET / HTTP/1.1", settings=AppSettings(web_dir=web_dir))

    assert page.headers["content-security-policy"].startswith("default-src 'self'; connect-src 'self' ws: wss:;")
    assert page.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("settings", [AppSettings(), AppSettings(web_dir=Path("nowhere"))])
def test_a_page_that_is_not_built_says_how_to_build_it(answer_to: Asking, settings: AppSettings) -> None:
    page = answer_to("GET / HTTP/1.1", settings=settings)

    assert page.status == 503
    assert b"make setup" in page.body


@pytest.mark.parametrize(
    "path", ["/../server.py", "/..%2fserver.py", "/%2e%2e/server.py", "/assets/..%5c..%5cx", "/%00"]
)
def test_no_file_outside_the_built_page_is_served(answer_to: Asking, web_dir: Path, path: str) -> None:
    answer = answer_to(f"GET {path} HTTP/1.1", settings=AppSettings(web_dir=web_dir))

    assert answer.status in (400, 404)
    assert b"secret" not in answer.body
    assert answer.error["type"] == "invalid_request_error"


# Errors ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("request_line", "status"),
    [
        ("GET /nope", 404),
        ("POST /v1/realtime/calls", 404),
        ("POST /v1/realtime/calls/rtc_1/hangup", 404),
        ("GET /api/conversations", 404),
        ("GET /metrics", 404),
        ("DELETE /v1/models", 405),
        ("POST /healthz", 405),
        ("POST /v1/realtime", 405),
        ("GET /v1/realtime", 426),
        ("GET /openai/v1/realtime", 426),
    ],
)
def test_what_is_not_served_is_an_error_in_the_apis_shape(answer_to: Asking, request_line: str, status: int) -> None:
    answer = answer_to(f"{request_line} HTTP/1.1")

    assert answer.status == status
    assert answer.headers["content-type"] == "application/json"
    assert set(answer.error) == {"message", "type", "param", "code"}
    assert answer.headers["x-request-id"].startswith("req_")


def test_what_is_no_http_is_an_error_in_the_apis_shape(answer_to: Asking) -> None:
    answer = answer_to("NONSENSE", "Host: localhost")

    assert answer.status == 400
    assert answer.error["type"] == "invalid_request_error"
    assert answer.headers["x-request-id"].startswith("req_")


def test_an_exception_is_a_server_error_without_details(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> tuple[Answer, Answer]:
        async with serving(EchoHost(), readiness=broken) as port:
            return await ask(port, "GET /readyz HTTP/1.1"), await ask(port, "GET /healthz HTTP/1.1")

    failed, after = run(scenario())

    assert (failed.status, failed.error["type"]) == (500, "server_error")
    assert b"broken" not in failed.body
    assert after.status == 200
    request_ids = [getattr(record, "request_id", None) for record in caplog.records if record.exc_info]
    assert request_ids == [failed.headers["x-request-id"]]


def broken() -> dict[str, bool]:
    raise RuntimeError("broken")


# Access ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("header", "status"),
    [
        ("Authorization: Bearer sk-good", 200),
        ("api-key: sk-good", 200),
        ("Authorization: Bearer sk-bad", 401),
        ("X-Nothing: 1", 401),
    ],
)
@pytest.mark.parametrize("path", ["/v1/models", "/openai/v1/models"])
def test_the_api_asks_for_a_key(answer_to: Asking, path: str, header: str, status: int) -> None:
    answer = answer_to(f"GET {path} HTTP/1.1", header, settings=KEYED)

    assert answer.status == status
    assert status == 200 or answer.error["code"] == "invalid_api_key"
    assert b"sk-bad" not in answer.body


@pytest.mark.parametrize("path", ["/", "/healthz", "/v1/models", "/nope"])
def test_every_path_checks_host_and_origin(answer_to: Asking, path: str) -> None:
    assert answer_to(f"GET {path} HTTP/1.1", "Host: evil.example").status == 421
    assert answer_to(f"GET {path} HTTP/1.1", "Origin: http://evil.example").status == 403


def test_our_own_origin_is_echoed(answer_to: Asking) -> None:
    answer = answer_to("GET /v1/models HTTP/1.1", "Origin: http://localhost:{port}")

    assert answer.headers["access-control-allow-origin"].startswith("http://localhost:")
    assert answer.headers["vary"] == "Origin"


def test_a_refused_origin_is_told_nothing(answer_to: Asking) -> None:
    answer = answer_to("GET /v1/models HTTP/1.1", "Origin: http://evil.example", settings=KEYED)

    assert "access-control-allow-origin" not in answer.headers


def test_a_preflight_is_answered_without_a_key(answer_to: Asking) -> None:
    settings = AppSettings(api_keys=("sk-good",), allowed_origins=("https://app.example",))

    answer = answer_to(
        "OPTIONS /v1/realtime/calls HTTP/1.1",
        "Origin: https://app.example",
        "Access-Control-Request-Method: POST",
        settings=settings,
    )

    assert answer.status == 204
    assert answer.headers["access-control-allow-origin"] == "*"
    allowed = answer.headers["access-control-allow-headers"].lower().split(", ")
    assert {"authorization", "content-type", "openai-beta", "x-openai-agents-sdk"} <= set(allowed)
    assert "x-request-id" in answer.headers["access-control-expose-headers"].lower()


def test_no_key_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        async with serving(EchoHost(), KEYED) as port:
            await ask(port, "GET /v1/models?api-key=sk-secret HTTP/1.1\nAuthorization: Bearer sk-secret")

    caplog.set_level("DEBUG")
    run(scenario())

    ours = [record for record in caplog.records if record.name.startswith(("vivavoce", "uvicorn"))]
    assert any(getattr(record, "path", None) == "/v1/models" for record in ours)
    assert not any("sk-secret" in repr(vars(record)) for record in ours)


def test_many_requests_share_a_connection() -> None:
    async def scenario() -> list[bytes]:
        async with serving(EchoHost()) as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            heads = []
            for _ in range(3):
                writer.write(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
                heads.append(await reader.readuntil(b'"ok"}'))
            writer.close()
            await writer.wait_closed()
            return heads

    assert all(head.startswith(b"HTTP/1.1 200") for head in run(scenario()))
