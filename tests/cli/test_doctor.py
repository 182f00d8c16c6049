"""`vivavoce doctor` as a user runs it: what it measures, what it leaves alone, and when it fails."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from tests.app.serving import serving
from tests.engines.compatible_servers import Out, Request, Server
from tests.transports.peers import run
from vivavoce.app.server import AppSettings
from vivavoce.cli import app
from vivavoce.cli.checks import CheckFailed
from vivavoce.cli.elsewhere import Place, place_of, withheld_places
from vivavoce.cli.measuring import SENTENCES, Measurement
from vivavoce.cli.selftest import EngineTest
from vivavoce.cli.upstream_check import measure_upstream
from vivavoce.config.load import load
from vivavoce.config.model import Configuration
from vivavoce.wiring import build_pipelines, build_registry, narrow_to

SCRIPTED = """
[engines]
default = "scripted"
[models.table]
vivavoce-local = "scripted"
"""
EVENT = b'{"choices": [{"index": 0, "delta": {"content": "Hello there."}, "finish_reason": "stop"}]}'
ANSWER = b"data: " + EVENT + b"\n\ndata: [DONE]\n\n"


@pytest.fixture
def scripted(tmp_path: Path) -> str:
    """A configuration without the embedded engines."""
    path = tmp_path / "scripted.toml"
    path.write_text(SCRIPTED)
    return str(path)


def doctor(*arguments: str, **environment: str) -> Result:
    return CliRunner().invoke(app, ["doctor", *arguments], env=environment)


def stages_of(report: dict[str, Any]) -> dict[str, dict[str, Any]]:  # JSON boundary
    return {one["stage"]: one for one in report["measurements"]}


def names(stage: dict[str, Any]) -> set[str]:  # JSON boundary
    return {figure["name"] for figure in stage["figures"]}


def test_every_stage_is_measured_and_the_report_tells_how(scripted: str) -> None:
    report = json.loads(doctor("--json", "--config", scripted).stdout)

    stages = stages_of(report)
    assert list(stages) == ["speaks", "understands", "round trip", "answers"]
    assert {"real-time factor", "first audio, median"} <= names(stages["speaks"])
    assert {"first words, median"} <= names(stages["answers"])
    assert all(figure["value"] >= 0 for stage in stages.values() for figure in stage["figures"])
    assert (report["sentences"], report["spoken_by"], report["is_human_speech"]) == (8, "scripted", False)


def test_a_scripted_recogniser_has_no_error_rate(scripted: str) -> None:
    report = json.loads(doctor("--json", "--config", scripted).stdout)

    assert "word error rate" not in names(stages_of(report)["understands"])


def test_the_table_says_how_many_sentences_and_that_nobody_spoke_them(scripted: str) -> None:
    result = doctor("--config", scripted)

    assert result.exit_code == 0, result.stdout
    assert f"Measured with {len(SENTENCES)} sentences, spoken by scripted." in result.stdout
    assert "Synthesized speech is not human speech" in result.stdout
    assert "all checks passed" in result.stdout


# A model of one's own -------------------------------------------------------------------------------------------


async def write_answer(request: Request, out: Out) -> None:
    """Answer a chat in one event."""
    out.head("text/event-stream")
    out.chunk(ANSWER)
    out.chunk(b"")


async def refuse(request: Request, out: Out) -> None:
    out.whole(b'{"error": {"message": "no"}}', status="401 Unauthorized")


def hybrid(port: int) -> Configuration:
    """Return a configuration whose answers a server on loopback writes."""
    flags = {
        "engines.default": "hybrid",
        "models.table": {"vivavoce-local": "hybrid"},
        "hybrid.generator.engine": "chat-completions",
        "hybrid.generator.base_url": f"http://127.0.0.1:{port}/v1",
        "hybrid.generator.model": "tiny",
    }
    return narrow_to(load(flags, {}).configuration, None)


@contextlib.asynccontextmanager
async def under_test(configuration: Configuration, withheld: dict[str, Place]) -> AsyncIterator[EngineTest]:
    """Give the test of a pipeline that is started for it, with its sentences spoken."""
    pipelines = build_pipelines(configuration)
    try:
        test = EngineTest(configuration, pipelines, withheld)
        steps = dict(test.steps())
        await steps["engines start"]()
        yield test
    finally:
        await pipelines.close()


@pytest.mark.slow
def test_a_model_server_on_this_machine_is_measured_unasked() -> None:
    server = Server(write_answer)

    async def scenario() -> tuple[str, list[Measurement]]:
        async with server.listening():
            configuration = hybrid(server.port)
            withheld = withheld_places(configuration, may_spend=False)
            async with under_test(configuration, withheld) as test:
                return await dict(test.steps())["respond"](), test.measurements

    sentence, measurements = asyncio.run(scenario())

    assert "3 questions" in sentence
    assert [(one.stage, one.engine, one.state) for one in measurements] == [("answers", "chat-completions", "measured")]
    assert len(server.requests) == 3


@pytest.mark.slow
def test_an_engine_that_may_cost_money_is_reached_for_and_asked_nothing() -> None:
    server = Server(write_answer)

    async def scenario() -> tuple[str, str, list[Measurement]]:
        async with server.listening():
            withheld = {"generator": Place("127.0.0.1", server.port)}
            async with under_test(hybrid(server.port), withheld) as test:
                steps = dict(test.steps())
                return await steps["respond"](), await steps["answer"](), test.measurements

    asked, answered, measurements = asyncio.run(scenario())

    assert asked.startswith("not measured: ") and "--spend" in asked
    assert answered.startswith("not done: generator")
    assert [one.state for one in measurements] == ["not measured"]
    assert server.requests == []


@pytest.mark.slow
def test_a_chosen_model_that_refuses_is_a_failure() -> None:
    server = Server(refuse)

    async def scenario() -> tuple[int, dict[str, Any]]:
        async with server.listening():
            environment = {
                "VIVAVOCE_ENGINES__DEFAULT": "hybrid",
                "VIVAVOCE_MODELS__TABLE": '{"vivavoce-local": "hybrid"}',
                "VIVAVOCE_HYBRID__GENERATOR__ENGINE": "chat-completions",
                "VIVAVOCE_HYBRID__GENERATOR__BASE_URL": f"http://127.0.0.1:{server.port}/v1",
                "VIVAVOCE_HYBRID__GENERATOR__MODEL": "tiny",
            }
            result = await asyncio.to_thread(doctor, "--json", **environment)
            return result.exit_code, json.loads(result.stdout)

    exit_code, report = asyncio.run(scenario())

    failed = {check["name"] for check in report["checks"] if not check["is_ok"]}
    assert "respond" in failed
    assert exit_code == report["failures"] == len(failed)


@pytest.mark.slow
def test_a_host_that_does_not_answer_is_a_failure_also_without_a_question() -> None:
    async def scenario() -> None:
        withheld = {"generator": Place("127.0.0.1", 1)}
        async with under_test(hybrid(1), withheld) as test:
            await dict(test.steps())["respond"]()

    with pytest.raises(CheckFailed, match=r"127\.0\.0\.1:1 cannot be reached"):
        asyncio.run(scenario())


@pytest.mark.slow
def test_where_the_voice_is_not_asked_the_built_in_one_speaks_the_sentences() -> None:
    server = Server(refuse)

    async def scenario() -> tuple[str, EngineTest]:
        async with server.listening():
            flags = {
                "engines.default": "hybrid",
                "models.table": {"vivavoce-local": "hybrid"},
                "hybrid.synthesizer.engine": "speech",
                "hybrid.synthesizer.base_url": f"http://127.0.0.1:{server.port}/v1",
                "hybrid.synthesizer.model": "voice",
            }
            withheld = {"synthesizer": Place("127.0.0.1", server.port)}
            async with under_test(narrow_to(load(flags, {}).configuration, None), withheld) as test:
                return await dict(test.steps())["synthesise"](), test

    sentence, test = asyncio.run(scenario())

    assert sentence.startswith("not measured: ")
    assert test.speaker.startswith("flite")
    assert server.requests == []


# Where things are -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "is_near"),
    [
        ("http://127.0.0.1:11434/v1", True),
        ("http://localhost:8000/v1", True),
        ("http://[::1]:8000/v1", True),
        ("http://192.168.1.7:1234/v1", True),
        ("http://ollama:11434/v1", True),
        ("http://gpu.local/v1", True),
        ("https://api.openai.com/v1", False),
        ("https://8.8.8.8/v1", False),
        ("wss://voice.example.com/v1", False),
    ],
)
def test_only_this_machine_and_its_own_network_cost_nothing(url: str, is_near: bool) -> None:
    assert place_of(url).is_near is is_near


@pytest.mark.parametrize("url", ["", "nothing", "http://", "http://host:x/v1", "ftp://host/v1"])
def test_an_address_that_is_none_is_told(url: str) -> None:
    with pytest.raises(CheckFailed, match="expected the address of a server"):
        place_of(url)


def test_leave_to_spend_withholds_nothing() -> None:
    flags = {"hybrid.generator.engine": "responses", "hybrid.generator.base_url": "https://api.openai.com/v1"}
    table = {"engines.default": "hybrid", "models.table": {"vivavoce-local": "hybrid"}}
    configuration = load({**table, **flags}, {}).configuration

    assert withheld_places(configuration, may_spend=True) == {}
    assert withheld_places(configuration, may_spend=False) == {"generator": Place("api.openai.com", 443)}


# The upstream ---------------------------------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def upstream(key: str = "") -> AsyncIterator[Configuration]:
    """Give a configuration that relays to a scripted server, which admits the key `sk-good`."""
    configuration = narrow_to(load({}, {}).configuration, "vivavoce-scripted")
    pipelines = build_pipelines(configuration)
    await pipelines.start_default()
    try:
        async with serving(build_registry(configuration, pipelines), AppSettings(api_keys=("sk-good",))) as port:
            flags = {"upstream.url": f"http://127.0.0.1:{port}/v1", "upstream.api_key": key}
            yield load(flags, {}).configuration
    finally:
        await pipelines.close()


def test_an_upstream_of_ones_own_is_asked_one_question() -> None:
    async def scenario() -> Measurement:
        async with upstream("sk-good") as configuration:
            return await measure_upstream(configuration, may_spend=False)

    measured = run(scenario())

    assert (measured.stage, measured.state) == ("upstream", "measured")
    assert [figure.name for figure in measured.figures] == ["connected and greeted", "first words"]


def test_an_upstream_that_refuses_the_key_is_a_failure() -> None:
    async def scenario() -> str:
        async with upstream("sk-bad") as configuration:
            with pytest.raises(CheckFailed) as refused:
                await measure_upstream(configuration, may_spend=False)
            return str(refused.value)

    assert "did not accept this server's key" in run(scenario())


def test_an_upstream_that_is_not_there_is_a_failure_beside_working_engines(scripted: str) -> None:
    result = doctor("--json", "--config", scripted, VIVAVOCE_UPSTREAM__URL="http://127.0.0.1:1/v1")

    report = json.loads(result.stdout)
    assert [check["name"] for check in report["checks"] if not check["is_ok"]] == ["upstream"]
    assert result.exit_code == 1
    assert stages_of(report)["answers"]["state"] == "measured"
