"""Property: whatever is sent to the REST surface, a real server answers as its OpenAPI document says.

Requests that fit the document, and ones that break it, are drawn by schemathesis for every operation. Rules that a
schema cannot express (voices, one modality, locks) let the server refuse more than the document does.
`VIVAVOCE_FUZZ_SECONDS` gives the target about that long instead of the examples of the hypothesis profile.
"""

import asyncio
import functools
import os
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Final

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_schema_conformance,
    status_code_conformance,
)

from tests.transports.peers import DEADLINE_S
from vivavoce.app.models import ModelCard, ModelCatalogue
from vivavoce.app.openapi import document
from vivavoce.app.server import AppSettings, Server, build_app, new_event_loop
from vivavoce.config.load import load
from vivavoce.wiring import build_pipelines, build_registry, narrow_to

OPERATIONS: Final = {
    result.ok().label: result.ok()
    for result in schemathesis.openapi.from_dict(document()).get_all_operations()
    if isinstance(result, Ok)
}
EXAMPLES_PER_SECOND: Final = 15  # measured with these strategies on a small machine
SECONDS: Final = float(os.environ.get("VIVAVOCE_FUZZ_SECONDS", "0"))
EXAMPLES: Final = int(SECONDS * EXAMPLES_PER_SECOND / len(OPERATIONS)) or max(10, settings().max_examples // 10)
POSTS: Final = sorted(path for path, methods in document()["paths"].items() if "post" in methods)
MODES: Final = st.sampled_from(list(GenerationMode))
HEADERS: Final = {"Authorization": "Bearer sk-good"}

CHECKED: Final = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    negative_data_rejection,
]


@pytest.fixture(scope="module")
def base_url() -> Iterator[str]:
    """A server of scripted sessions on a thread of its own."""
    bound: Future[tuple[int, Callable[[], object]]] = Future()
    with ThreadPoolExecutor(1) as thread:
        running = thread.submit(serve, bound)
        port, stop = bound.result(DEADLINE_S)
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            stop()
            running.result(DEADLINE_S)


def serve(bound: "Future[tuple[int, Callable[[], object]]]") -> None:
    """Serve until told to stop; gives the port and how to stop."""

    async def main() -> None:
        configuration = narrow_to(load({}, environment={}).configuration, "vivavoce-scripted")
        pipelines = build_pipelines(configuration)
        await pipelines.start_default()
        models = ModelCatalogue((ModelCard("vivavoce-scripted"),))
        chosen = AppSettings(port=0, api_keys=("sk-good",))
        host = build_registry(configuration, pipelines)
        server = Server(chosen, build_app(chosen, host, models, pipelines.readiness))
        stop = functools.partial(asyncio.get_running_loop().call_soon_threadsafe, server.request_stop)
        await server.run_until_stopped(lambda address, port: bound.set_result((port, stop)))
        await pipelines.close()

    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        runner.run(main())


@pytest.fixture(scope="module")
def client() -> Iterator[requests.Session]:
    with requests.Session() as session:
        yield session


@pytest.mark.parametrize("label", OPERATIONS)
def test_every_operation_answers_as_its_description_says(label: str, base_url: str, client: requests.Session) -> None:
    operation = OPERATIONS[label]

    @settings(max_examples=EXAMPLES, suppress_health_check=list(HealthCheck))
    @given(MODES.flatmap(operation.as_strategy))
    def answers_as_described(case: Case[Any]) -> None:
        case.call_and_validate(base_url, session=client, headers=HEADERS, checks=CHECKED)

    answers_as_described()


BODIES: Final = st.one_of(
    st.binary(max_size=200),
    st.text(max_size=100).map(str.encode),
    st.sampled_from([b"{" * 5_000, b"[" * 5_000, b'{"session":' * 2_000, b'"' + b"x" * 3_000_000 + b'"', b"9" * 5_000]),
    st.binary(max_size=60).map(lambda raw: b'{"session": {"type": "realtime", "instructions": "' + raw + b'"}}'),
)
TYPES: Final = st.sampled_from(["application/json", "application/json; charset=utf-16", "text/plain", "\xff", ""])
METHODS: Final = st.sampled_from(["POST", "PUT", "PATCH", "DELETE", "GET", "HEAD", "OPTIONS", "BREW"])


@settings(max_examples=10 * EXAMPLES, suppress_health_check=list(HealthCheck))
@given(path=st.sampled_from(POSTS), method=METHODS, content_type=TYPES, body=BODIES)
def test_any_bytes_get_an_answer_in_the_apis_shape(
    base_url: str, path: str, method: str, content_type: str, body: bytes
) -> None:
    headers = {**HEADERS, "Content-Type": content_type}

    answer = requests.request(method, f"{base_url}{path}", data=body, headers=headers, timeout=DEADLINE_S)

    assert answer.status_code < 500
    assert answer.headers["x-request-id"].startswith("req_")
    if answer.status_code >= 400 and method != "HEAD":
        assert set(answer.json()["error"]) == {"message", "type", "param", "code"}
