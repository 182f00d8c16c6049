"""SIGTERM while somebody is being spoken to: the conversation is ended properly, and so is the process."""

import asyncio
import os
import signal
from pathlib import Path
from typing import Any

from bench.checked_client import CheckedClient
from bench.server import running_server
from tests.e2e.talking import SCRIPTED, scripted, talking

CONFIGURATION = """
[server]
drain_s = 0.5
[engines]
default = "scripted"
[models.table]
vivavoce-local = "scripted"
"""


def test_a_server_that_is_told_to_stop_finishes_what_it_says(tmp_path: Path) -> None:
    client = stopped_while_answering(tmp_path, say=[{"text": f"Sentence {n}. ", "delay_ms": 10} for n in range(20)])

    assert close_code(client) == 1012
    assert [event["response"]["status"] for event in client.of_type("response.done")] == ["completed"]


def test_a_server_that_is_told_to_stop_cancels_what_takes_too_long(tmp_path: Path) -> None:
    client = stopped_while_answering(tmp_path, say="On and on. ", is_endless=True)

    assert close_code(client) == 1012
    assert [event["response"]["status"] for event in client.of_type("response.done")] == ["cancelled"]


def stopped_while_answering(folder: Path, **answer: Any) -> CheckedClient:
    """Send SIGTERM to a server in the middle of an answer; returns its client when it is disconnected."""

    async def conversation(address: str, pid: int) -> CheckedClient:
        async with talking(address, SCRIPTED, instructions=scripted(otherwise=answer)) as client:
            await client.send({"type": "response.create"})
            await client.wait_for("response.output_audio.delta")
            os.kill(pid, signal.SIGTERM)
            await client.wait_until(lambda: client.closed is not None)
            return client

    settings = folder / "vivavoce.toml"
    settings.write_text(CONFIGURATION)
    with running_server("--config", str(settings)) as server:
        return asyncio.run(conversation(server.address, server.pid))


def close_code(client: CheckedClient) -> int | None:
    return client.closed.rcvd.code if client.closed is not None and client.closed.rcvd is not None else None
