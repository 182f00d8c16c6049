"""Model servers on this machine are found when they list models, and only then."""

import asyncio
import contextlib
import socket

import pytest

from tests.engines.compatible_servers import DEADLINE_S, Answer, Server, gives, stalls, vanishes
from vivavoce.engines.compatible.detection import USUAL_URLS, Found, probe


def models(owner: str, *ids: str) -> Answer:
    return gives({"object": "list", "data": [{"id": id, "object": "model", "owned_by": owner} for id in ids]})


def found(*answers: Answer) -> tuple[list[Found], list[Server]]:
    """Return what is found among servers with these answers."""
    servers = [Server(answer) for answer in answers]

    async def run() -> list[Found]:
        async with asyncio.timeout(DEADLINE_S), contextlib.AsyncExitStack() as stack:
            for server in servers:
                await stack.enter_async_context(server.listening())
            return await probe([server.settings().base_url for server in servers])

    return asyncio.run(run()), servers


@pytest.mark.parametrize(
    ("owner", "name"),
    [("library", "Ollama"), ("llamacpp", "llama.cpp"), ("organization_owner", "LM Studio"), ("vllm", "vLLM")],
)
def test_a_server_is_named_by_what_it_says_of_its_models(owner: str, name: str) -> None:
    servers, asked = found(models(owner, "small", "large"))

    assert servers == [Found(name, f"http://127.0.0.1:{asked[0].port}/v1", ("small", "large"))]


def test_servers_are_found_in_the_order_of_the_addresses_and_others_left_out() -> None:
    servers, _ = found(
        models("vllm", "a"),
        gives({"error": "no"}, "404 No"),
        gives(b"<html>", content_type="text/html"),
        vanishes,
        stalls(),
        models("vivavoce", "vivavoce-local"),
        models("library", "b"),
    )

    assert [server.models for server in servers] == [("a",), ("b",)]


def test_nothing_but_the_list_is_asked_for_and_no_key_is_sent() -> None:
    _, (server,) = found(models("vllm", "a"))

    assert [(request.method, request.path) for request in server.requests] == [("GET", "/v1/models")]
    assert "authorization" not in server.requests[0].headers


def test_a_port_where_nobody_listens_is_passed_over() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))

        assert asyncio.run(probe([f"http://127.0.0.1:{taken.getsockname()[1]}/v1"])) == []


def test_the_usual_addresses_are_on_this_machine() -> None:
    assert all(url.startswith("http://127.0.0.1:") for url in USUAL_URLS)
