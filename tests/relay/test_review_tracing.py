"""A trace of a relayed conversation has the lines that the same conversation has in the upstream."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from tests.app.serving import ask_json, serving
from tests.relay.relaying import MODEL, RawTalk, configured, raw_talk
from tests.transports.peers import run
from vivavoce.config.load import load
from vivavoce.config.model import Configuration
from vivavoce.runtime.tracing import Tracer
from vivavoce.testing.upstream import scripted_upstream
from vivavoce.wiring import app_settings, build_pipelines, build_registry

Json = dict[str, Any]  # JSON boundary: lines of a trace
OURS = ("event_id", "expires_at", "id", "item_id", "response_id", "previous_item_id", "conversation_id", "call_id")


@contextlib.asynccontextmanager
async def traced(configuration: Configuration, folder: Path) -> AsyncIterator[str]:
    """Run a server that keeps traces in a folder; gives its address."""
    pipelines = build_pipelines(configuration)
    tracer = Tracer(folder)
    await pipelines.start_default()
    try:
        host = build_registry(configuration, pipelines, tracer)
        async with serving(host, app_settings(configuration)) as port:
            yield f"127.0.0.1:{port}"
    finally:
        await pipelines.close()
        tracer.close()


def scripted() -> Configuration:
    return load({"engines.default": "scripted"}, {}).configuration


async def converse(talk: RawTalk) -> None:
    """Hold a conversation with an answer, an error and a change of the session."""
    await talk.read_to("session.created")
    await talk.send({"type": "session.update", "session": {"type": "realtime", "tracing": "auto"}})
    await talk.read_to("session.updated")
    content = [{"type": "input_text", "text": "hi"}]
    item = {"type": "message", "role": "user", "content": content}
    await talk.send({"type": "conversation.item.create", "event_id": "c1", "item": item})
    await talk.read_to("conversation.item.done")
    await talk.send({"type": "conversation.item.delete", "event_id": "c2", "item_id": "item_of_nobody"})
    await talk.read_to("error")
    await talk.send({"type": "session.update", "session": {"type": "realtime", "instructions": "Be brief."}})
    await talk.read_to("session.updated")
    await talk.send({"type": "input_audio_buffer.append", "audio": "AAAA"})
    await talk.send({"type": "response.create"})
    await talk.read_to("response.done")


def lines_of(folder: Path) -> list[Json]:
    (path,) = folder.glob("*.jsonl")
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def neutral(value: Any) -> Any:  # JSON boundary
    """Return a value without ids, times, and who answers."""
    if isinstance(value, dict):
        kept = {name: neutral(one) for name, one in value.items() if name not in (*OURS, "ms", "vivavoce")}
        return {name: one for name, one in kept.items() if name not in ("session_id", "started_unix_s")}
    return [neutral(one) for one in value] if isinstance(value, list) else value


def test_both_traces_have_the_same_lines(tmp_path: Path) -> None:
    async def work() -> None:
        local, relayed = tmp_path / "local", tmp_path / "relayed"
        async with (
            traced(scripted(), tmp_path / "behind") as behind,
            traced(scripted(), local) as own,
            traced(configured(f"http://{behind}/v1"), relayed) as relay,
        ):
            for address in (own, relay):
                async with raw_talk(address) as talk:
                    await converse(talk)
                async with asyncio.timeout(5):
                    await talk.socket.wait_closed()

        wanted, got = neutral(lines_of(local)), neutral(lines_of(relayed))
        assert [line.get("type") for line in got] == [line.get("type") for line in wanted]
        assert got == wanted

    run(work())


def test_a_voice_that_only_the_upstream_knows_is_traced(tmp_path: Path) -> None:
    async def work() -> None:
        async with scripted_upstream("strange") as upstream, traced(configured(upstream.url), tmp_path) as address:
            async with raw_talk(address) as talk:
                await talk.read_to("session.created")
                await talk.send({"type": "session.update", "session": {"type": "realtime", "tracing": "auto"}})
                await talk.read_to("session.updated")
                audio = {"output": {"voice": "nova-2027"}}
                await talk.send({"type": "session.update", "session": {"type": "realtime", "audio": audio}})
                await talk.read_to("session.updated")

        lines = [line for line in lines_of(tmp_path) if "from" in line]
        types = [(line["from"], line["type"]) for line in lines]
        assert types == [("client", "session.update"), ("server", "session.updated")]
        assert lines[0]["event"]["session"]["audio"]["output"]["voice"] == "nova-2027"

    run(work())


def test_a_secret_that_wants_a_trace_has_one_of_the_relayed_session_too(tmp_path: Path) -> None:
    async def work() -> None:
        async with scripted_upstream() as upstream, traced(configured(upstream.url), tmp_path) as address:
            session = {"type": "realtime", "model": MODEL, "tracing": {"workflow_name": "calls"}}
            port = int(address.rpartition(":")[2])
            answer = await ask_json(port, "POST /v1/realtime/client_secrets", {"session": session})
            async with raw_talk(address, key=answer.json["value"]) as talk:
                await talk.read_to("session.created")
                await talk.send({"type": "input_audio_buffer.clear"})
                await talk.read_to("input_audio_buffer.cleared")

        head, *events, _ = lines_of(tmp_path)
        assert head["workflow_name"] == "calls"
        assert [line["type"] for line in events] == ["input_audio_buffer.clear", "input_audio_buffer.cleared"]

    run(work())
