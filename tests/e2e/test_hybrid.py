"""The hybrid pipeline over real sockets: a server process whose stages are other servers, here on loopback."""

import asyncio
import contextlib
import json
import sys
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import pytest

from bench.checked_client import CheckedClient
from tests.e2e.talking import talking
from tests.engines.compatible_servers import (
    DEADLINE_S,
    KEY,
    Answer,
    Json,
    Out,
    Request,
    Server,
    gives,
    sse,
    stalls,
    streams,
)
from tests.engines.realtime_upstream import Peer, Upstream
from tests.repository.serving import served

T = TypeVar("T")

MODEL = "vivavoce-hybrid"
SECOND = bytes(range(256)) * 188  # 1.003 s of pcm16le, mono, 24 kHz
PCM = bytes(range(250)) * 96  # half a second of speech
FIRST_CLAUSE = "This is the first clause of an answer, "
REST = "and this is what comes after it."
USED = {"type": "tokens", "input_tokens": 12, "output_tokens": 3, "total_tokens": 15}
TURN = {"turn_detection": None}


def word(content: str, finish_reason: str | None = None) -> Json:
    return {"choices": [{"index": 0, "delta": {"content": content}, "finish_reason": finish_reason}]}


HEARD = streams(
    sse(
        {"type": "transcript.text.delta", "delta": "What is "},
        {"type": "transcript.text.delta", "delta": "this?"},
        {"type": "transcript.text.done", "text": "What is this?", "usage": USED},
    )
)
ANSWERED = streams(sse(word("<think>Hm.</think>" + FIRST_CLAUSE), word(REST), word("", "stop"), "[DONE]"))
SPOKEN = streams(PCM, "audio/pcm")


class Stages(msgspec.Struct):
    """The servers of the three stages, and what makes the program run."""

    runner: asyncio.Runner
    transcriber: Server
    generator: Server
    synthesizer: Server
    address: str = ""

    def run(self, scenario: Coroutine[Any, Any, T]) -> T:
        """Run a scenario on the loop of the servers."""

        async def limited() -> T:
            async with asyncio.timeout(DEADLINE_S):
                return await scenario

        return self.runner.run(limited())

    def become(self, heard: Answer = HEARD, answered: Answer = ANSWERED, spoken: Answer = SPOKEN) -> None:
        """Forget what was asked, and answer like this."""
        self.transcriber.become(heard)
        self.generator.become(answered)
        self.synthesizer.become(spoken)

    @property
    def settings(self) -> dict[str, dict[str, Any]]:
        return {
            "transcriber": {**at(self.transcriber.port, "transcriptions"), "hints": "keywords"},
            "generator": at(self.generator.port, "chat-completions"),
            "synthesizer": {**at(self.synthesizer.port, "speech"), "voices": {"marin": "af_heart", "*": "af_sky"}},
        }


def at(port: int, engine: str) -> dict[str, Any]:
    """Return the settings of a stage."""
    return {"engine": engine, "base_url": f"http://127.0.0.1:{port}/v1", "api_key": KEY, "model": "m"}


@contextlib.contextmanager
def serving(folder: Path, stages: dict[str, dict[str, Any]], *more: str) -> Iterator[str]:
    """Run a server process with these stages, and more settings as variables; gives its host and port."""
    lines = [
        f"VIVAVOCE_HYBRID__{stage.upper()}__{name.upper()}={value if isinstance(value, str) else json.dumps(value)}"
        for stage, settings in stages.items()
        for name, value in settings.items()
    ]
    (folder / ".env").write_text("\n".join(["VIVAVOCE_ENGINES__DEFAULT=hybrid", *lines, *more]))
    with served([sys.executable, "-m", "vivavoce"], folder) as url:
        yield url.removeprefix("http://")


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stages]:
    """Give one server process for all tests, with the servers of its stages."""
    with asyncio.Runner() as runner:
        stages = Stages(runner, Server(HEARD), Server(ANSWERED), Server(SPOKEN))
        listening = contextlib.AsyncExitStack()
        for server in (stages.transcriber, stages.generator, stages.synthesizer):
            runner.run(listening.enter_async_context(server.listening()))
        with serving(tmp_path_factory.mktemp("hybrid"), stages.settings) as stages.address:
            yield stages
        runner.run(listening.aclose())


@pytest.fixture
def stages(running: Stages) -> Stages:
    """Give the servers as they are at first."""
    running.become()
    return running


def conversation(stages: Stages, **session: Any) -> contextlib.AbstractAsyncContextManager[CheckedClient]:
    """Talk to the server without turn detection."""
    audio = {"input": {"transcription": {"model": "m"}, **TURN}}
    return talking(stages.address, MODEL, **{"audio": audio, **session})


async def speak(client: CheckedClient) -> None:
    await client.append(SECOND)
    await client.send({"type": "input_audio_buffer.commit"})


def fields(request: Request) -> dict[str, str]:
    """Return the fields of a form, but for its file."""
    boundary = request.headers["content-type"].partition("boundary=")[2]
    parts = [part.partition(b"\r\n\r\n") for part in request.body.split(f"--{boundary}".encode())[1:-1]]
    named = {head.decode().partition('name="')[2].partition('"')[0]: body for head, _, body in parts}
    return {name: body.removesuffix(b"\r\n").decode() for name, body in named.items() if name != "file"}


def test_a_spoken_turn_is_heard_answered_and_spoken_by_the_servers_of_its_stages(stages: Stages) -> None:
    async def scenario() -> tuple[Json, Json, Any]:
        hearing = {"model": "m", "language": "en", "prompt": "A quiz.", "keywords": ["Wien"], "delay": "low"}
        async with conversation(stages, audio={"input": {"transcription": hearing, **TURN}}) as client:
            await speak(client)
            completed = await client.wait_for("conversation.item.input_audio_transcription.completed")
            answer = await client.respond()
            return client.of_type("session.updated")[0]["session"]["vivavoce"], completed, answer

    session, completed, answer = stages.run(scenario())

    assert session["engine"] == "hybrid"
    assert session["stages"]["stt"] == "transcriptions"
    assert (session["stages"]["llm"], session["stages"]["tts"]) == ("chat-completions", "speech")
    assert session["ignored"] == ["audio.input.transcription.delay"]
    assert (completed["transcript"], completed["usage"]) == ("What is this?", USED)
    assert answer.text == FIRST_CLAUSE + REST
    assert answer.audio == PCM * 2
    heard = fields(stages.transcriber.requests[0])
    assert (heard["model"], heard["language"], heard["prompt"], heard["keywords[]"]) == ("m", "en", "A quiz.", "Wien")
    messages = stages.generator.requests[0].json["messages"]
    assert messages[-1] == {"role": "user", "content": "What is this?"}
    asked = [(request.json["input"], request.json["voice"]) for request in stages.synthesizer.requests]
    assert asked == [(FIRST_CLAUSE.strip(), "af_heart"), (REST, "af_heart")]


def test_the_first_clause_is_being_spoken_while_the_rest_is_still_to_be_written(stages: Stages) -> None:
    async def answered(request: Request, out: Out) -> None:
        out.head("text/event-stream")
        out.chunk(sse(word(FIRST_CLAUSE), word("and ")))
        await stages.synthesizer.asked.wait()  # nothing more is written before speech was asked for
        await heard.wait()
        out.chunk(sse(word("more.", "stop"), "[DONE]"))
        out.chunk(b"")

    async def scenario() -> tuple[list[str], str]:
        async with conversation(stages) as client:
            await client.write("Go on.")
            await client.send({"type": "response.create"})
            await client.wait_for("response.output_audio.delta")
            before = client.types()
            heard.set()
            return before, (await client.answer(0)).text

    heard = asyncio.Event()
    stages.become(answered=answered)
    before, text = stages.run(scenario())

    assert "response.done" not in before
    assert text == FIRST_CLAUSE + "and more."


def test_cancelling_closes_the_stream_of_the_answer(stages: Stages) -> None:
    stages.become(answered=stalls(sse(word(FIRST_CLAUSE))))

    async def scenario() -> Json:
        async with conversation(stages) as client:
            await client.write("Go on.")
            await client.send({"type": "response.create"})
            await client.wait_for("response.output_audio_transcript.delta")
            await client.send({"type": "response.cancel"})
            await stages.generator.hung_up.wait()
            return await client.wait_for("response.done")

    assert stages.run(scenario())["response"]["status"] == "cancelled"


def test_cancelling_closes_the_stream_of_the_speech(stages: Stages) -> None:
    stages.become(spoken=stalls(PCM, "audio/pcm"))

    async def scenario() -> Json:
        async with conversation(stages) as client:
            await client.write("Go on.")
            await client.send({"type": "response.create"})
            await client.wait_for("response.output_audio.delta")
            await client.send({"type": "response.cancel"})
            await stages.synthesizer.hung_up.wait()
            return await client.wait_for("response.done")

    assert stages.run(scenario())["response"]["status"] == "cancelled"


def test_deleting_a_turn_closes_the_request_for_its_transcript(stages: Stages) -> None:
    stages.become(heard=stalls())

    async def scenario() -> None:
        async with conversation(stages) as client:
            await speak(client)
            committed = await client.wait_for("input_audio_buffer.committed")
            await stages.transcriber.asked.wait()
            await client.send({"type": "conversation.item.delete", "item_id": committed["item_id"]})
            await stages.transcriber.hung_up.wait()

    stages.run(scenario())


def test_a_server_that_refuses_the_key_fails_the_answer_and_the_session_goes_on(stages: Stages) -> None:
    stages.become(answered=gives({"error": {"code": "invalid_api_key"}}, "401 Unauthorized"))

    async def scenario() -> list[Json]:
        async with conversation(stages) as client:
            return [(await client.ask("Go on.")).response for _ in range(2)]

    for response in stages.run(scenario()):
        error = response["status_details"]["error"]
        assert (response["status"], error["code"]) == ("failed", "engine_unavailable")
        assert KEY not in str(response)


def test_a_transcription_model_that_the_stage_does_not_offer_is_listed_as_ignored(stages: Stages) -> None:
    async def scenario() -> Json:
        async with conversation(stages) as client:
            hearing = {"input": {"transcription": {"model": "whisper-1"}}}
            return await client.configure(audio=hearing)

    session = stages.run(scenario())

    assert session["audio"]["input"]["transcription"]["model"] == "whisper-1"
    assert session["vivavoce"]["ignored"] == ["audio.input.transcription.model"]


def test_hints_of_the_session_reach_a_realtime_transcription_session(tmp_path: Path) -> None:
    asked: list[Json] = []

    async def play(peer: Peer) -> None:
        asked.append((await peer.greet())["audio"]["input"]["transcription"])
        await peer.utterance()
        await peer.complete("What is this?")

    async def listen() -> Upstream:
        return await listening.enter_async_context(Upstream(play).listening())

    async def scenario(address: str) -> Json:
        hearing = {"model": "best", "language": "de", "prompt": "A quiz.", "keywords": ["Wien"]}
        async with talking(address, MODEL, audio={"input": {"transcription": hearing, **TURN}}) as client:
            await speak(client)
            return await client.wait_for("conversation.item.input_audio_transcription.completed")

    with asyncio.Runner() as runner:
        listening = contextlib.AsyncExitStack()
        upstream = runner.run(listen())
        models = {"best": "gpt-live-transcribe"}
        with serving(tmp_path, {"transcriber": {**at(upstream.port, "hosted-realtime"), "models": models}}) as address:
            completed = runner.run(asyncio.wait_for(scenario(address), DEADLINE_S))
        runner.run(listening.aclose())

    assert completed["transcript"] == "What is this?"
    assert asked == [{"model": "gpt-live-transcribe", "language": "de", "prompt": "A quiz.", "keywords": ["Wien"]}]
