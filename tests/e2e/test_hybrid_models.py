"""Models of the hybrid pipeline over real sockets: each session chooses by its model which servers do its stages."""

import asyncio
import contextlib
import json
from collections.abc import Iterator
from typing import Any

import httpx2
import msgspec
import pytest

from tests.e2e.talking import talking
from tests.e2e.test_hybrid import ANSWERED, HEARD, MODEL, PCM, SPOKEN, at, serving, speak, word
from tests.engines.compatible_servers import DEADLINE_S, KEY, Json, Server, gives, sse, streams

AUDIO = {"input": {"transcription": {"model": "m"}, "turn_detection": None}}
OTHER_PCM = PCM[::-1]
SMALL, LARGE = "This is the first clause of an answer, and this is what comes after it.", "Another model."
OTHER_ANSWER = gives(
    {
        "object": "response",
        "status": "completed",
        "output": [{"type": "message", "content": [{"type": "output_text", "text": LARGE}]}],
    }
)


class Servers(msgspec.Struct):
    """The servers of the pipeline's own stages, and those that models have instead."""

    transcriber: Server
    generator: Server
    synthesizer: Server
    other_generator: Server
    other_synthesizer: Server

    @property
    def all(self) -> tuple[Server, ...]:
        return (
            self.transcriber,
            self.generator,
            self.synthesizer,
            self.other_generator,
            self.other_synthesizer,
        )

    def asked(self) -> list[int]:
        """Return how often each was asked."""
        return [len(server.requests) for server in self.all]

    def stages(self) -> dict[str, dict[str, Any]]:
        return {
            "transcriber": at(self.transcriber.port, "transcriptions"),
            "generator": at(self.generator.port, "chat-completions"),
            "synthesizer": at(self.synthesizer.port, "speech"),
        }

    def models(self) -> Json:
        other = {"engine": "responses", "base_url": f"http://127.0.0.1:{self.other_generator.port}/v1"}
        return {
            "renamed": {"generator": {"model": "n"}},
            "Large 2.1": {
                "generator": other,
                "synthesizer": at(self.other_synthesizer.port, "speech") | {"voices": {"*": "af_sky"}},
            },
        }


class Running(msgspec.Struct):
    """A server process and the loop of the servers that it asks."""

    runner: asyncio.Runner
    servers: Servers
    address: str


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Give one server process for all tests."""
    with asyncio.Runner() as runner:
        servers = Servers(*(Server(streams(b"")) for _ in range(5)))
        listening = contextlib.AsyncExitStack()
        for server in servers.all:
            runner.run(listening.enter_async_context(server.listening()))
        models = f"VIVAVOCE_HYBRID__MODELS={json.dumps(servers.models())}"
        with serving(tmp_path_factory.mktemp("hybrid"), servers.stages(), models) as address:
            yield Running(runner, servers, address)
        runner.run(listening.aclose())


@pytest.fixture
def servers(running: Running) -> Servers:
    """Give the servers, of which nothing was asked yet."""
    answers = (HEARD, ANSWERED, SPOKEN, OTHER_ANSWER, streams(OTHER_PCM, "audio/pcm"))
    for server, answer in zip(running.servers.all, answers, strict=True):
        server.become(answer)
    return running.servers


def turn(running: Running, model: str) -> tuple[Json, Any]:
    """Hold one spoken turn; return the session and the answer."""

    async def scenario() -> tuple[Json, Any]:
        async with asyncio.timeout(DEADLINE_S), talking(running.address, model, audio=AUDIO) as client:
            await speak(client)
            await client.wait_for("conversation.item.input_audio_transcription.completed")
            answer = await client.respond()
            return client.of_type("session.updated")[0]["session"], answer

    return running.runner.run(scenario())


def test_a_model_has_its_own_stages_and_shares_the_others(running: Running, servers: Servers) -> None:
    session, answer = turn(running, "Large 2.1")

    assert session["model"] == "Large 2.1"
    assert session["vivavoce"]["engine"] == "hybrid"
    assert session["vivavoce"]["stages"]["llm"] == "responses"
    assert (answer.text, answer.audio) == (LARGE, OTHER_PCM)
    assert servers.asked() == [1, 0, 0, 1, 1]
    assert servers.other_synthesizer.requests[0].json["voice"] == "af_sky"


def test_a_model_that_differs_in_its_name_only_asks_the_same_server_for_another(
    running: Running, servers: Servers
) -> None:
    _, answer = turn(running, "renamed")

    assert answer.text == SMALL
    assert servers.asked()[3:] == [0, 0]
    assert servers.generator.requests[0].json["model"] == "n"
    assert servers.generator.requests[0].headers["authorization"] == f"Bearer {KEY}"


def test_the_key_of_one_server_is_not_sent_to_that_of_a_model(running: Running, servers: Servers) -> None:
    turn(running, "Large 2.1")

    assert "authorization" not in servers.other_generator.requests[0].headers


@pytest.mark.parametrize("model", [MODEL, "any-other"])
def test_other_models_have_the_stages_of_the_pipeline(running: Running, servers: Servers, model: str) -> None:
    _, answer = turn(running, model)

    assert answer.text == SMALL
    assert servers.asked()[3:] == [0, 0]
    assert servers.generator.requests[0].json["model"] == "m"


def test_sessions_of_several_models_run_side_by_side(running: Running, servers: Servers) -> None:
    async def text_of(model: str) -> str:
        async with talking(running.address, model, output_modalities=["text"]) as client:
            return str((await client.ask("Go on.")).text)

    async def scenario() -> list[str]:
        async with asyncio.timeout(DEADLINE_S):
            return await asyncio.gather(*(text_of(model) for model in ("Large 2.1", MODEL, "renamed")))

    servers.generator.become(streams(sse(word("Hm.", "stop"), "[DONE]")))

    assert running.runner.run(scenario()) == [LARGE, "Hm.", "Hm."]


def test_models_are_listed_and_told_with_their_stages(running: Running) -> None:
    listed = httpx2.get(f"http://{running.address}/v1/models").json()["data"]
    pipelines = httpx2.get(f"http://{running.address}/api/engines").json()["data"]

    names = {model["id"] for model in listed}
    stages = {name: pipeline["stages"] for pipeline in pipelines for name in pipeline["models"]}
    assert {MODEL, "renamed", "Large 2.1"} <= names
    assert {stage["job"]: stage["name"] for stage in stages["Large 2.1"]}["llm"] == "responses"
    assert {stage["job"]: stage["name"] for stage in stages[MODEL]}["llm"] == "chat-completions"
