"""A server at the edge of what its machine and its settings give."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.app.serving import Answer, ask
from tests.transports.peers import DEADLINE_S, run
from vivavoce.app.server import AppSettings

ROOT = Path(__file__).parents[2]
MAX_DESCRIPTORS = 48
CONNECTIONS = 80
LIMITED = f"""
import resource, runpy
resource.setrlimit(resource.RLIMIT_NOFILE, ({MAX_DESCRIPTORS}, {MAX_DESCRIPTORS}))
runpy.run_module("tests.app.server_process", run_name="__main__")
"""


@pytest.mark.parametrize("key", ["ek_configured", "schlüssel", "a\tb", "sk-\x00", ""])
def test_a_key_that_no_request_could_use_is_refused_without_telling_it(key: str) -> None:
    with pytest.raises(ValueError, match="expected API keys") as caught:
        AppSettings(api_keys=("sk-good", key))

    assert not key or key not in str(caught.value)


def test_a_server_out_of_descriptors_rests_and_serves_again() -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", LIMITED, "quick", "1"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}"},
    )
    try:
        assert process.stdout is not None
        port = int(process.stdout.readline().split()[1])

        answer = run(besieged(port))

        assert answer.status == 200
    finally:
        process.terminate()
        _, log = process.communicate(timeout=DEADLINE_S)
    assert "Too many open files" in log
    assert "remove_reader" not in log
    assert log.count("Too many open files") < CONNECTIONS


async def besieged(port: int) -> Answer:
    """Return the answer of a server that was out of descriptors a moment ago."""
    peers = [await asyncio.open_connection("127.0.0.1", port) for _ in range(CONNECTIONS)]
    _, first = peers[0]
    first.write(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
    await peers[0][0].readuntil(b"\r\n\r\n")
    for _, writer in peers:
        writer.transport.abort()
    return await ask(port, "GET /healthz HTTP/1.1")
