"""Runs a stock client's program against a server, through a proxy that notes every message."""

import asyncio
import contextlib
import json
import os
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from tests.clients import environments
from tests.clients.conftest import Recordings, Running
from tests.e2e.talking import SCRIPTED, scripted
from vivavoce.app.tls import server_context
from vivavoce.dialects.beta import BetaDialect
from vivavoce.dialects.beta_upstream import BetaUpstream
from vivavoce.testing import matrix
from vivavoce.testing.proxy import Passed, Proxy, recording_proxy

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).parent
DEADLINE_S = 100.0  # for a program on a busy machine; it takes less than ten seconds
INSTRUCTIONS = scripted(
    turns=[
        {
            "contains": "weather",
            "calls": [{"name": "get_weather", "arguments": {"city": "Paris"}}],
            "then": [{"say": "The service says: {output}"}],
        },
        {"contains": "for ever", "say": "One more sentence is being said here. ", "is_endless": True},
    ],
    otherwise={"say": "You said: {heard}"},
)
TOOL = {
    "type": "function",
    "name": "get_weather",
    "description": "Tell the weather of a city.",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}
Json = dict[str, Any]  # JSON boundary: what programs print and what passes on the wire


class Client(msgspec.Struct, frozen=True):
    """A stock client: its label in documents, and how its program is started."""

    label: str
    command: Callable[[], list[str]]
    is_tls: bool = False  # it dials `wss` only
    is_browser: bool = False
    is_beta: bool = False  # it speaks the beta
    connections: int = 2


class Run(msgspec.Struct, frozen=True):
    """What a program said it did, what passed on its connections (in today's API), and how long it took."""

    client: Client
    found: Json
    passed: tuple[Passed, ...]
    took_s: float

    def __repr__(self) -> str:
        return f"Run({self.client.label}, {len(self.passed)} messages, {self.took_s:.1f} s, {self.found})"

    def events(self, direction: str, kind: str) -> list[Json]:
        """Return the events of a type from the client (`>`) or the server (`<`)."""
        decoded = [json.loads(one.message) for one in self.passed if one.direction == direction]
        return [event for event in decoded if event["type"] == kind]


def _python(name: str, program: str, *options: str) -> Callable[[], list[str]]:
    return lambda: [str(environments.python_of(name)), str(HERE / name / program), *options]


def _early_beta() -> list[str]:
    return [str(environments.python_of("openai-beta-early")), str(HERE / "openai-beta" / "program.py")]


def _node(name: str) -> Callable[[], list[str]]:
    return lambda: [sys.executable, str(ROOT / "scripts" / "node.py"), "node", str(_folder(name) / "program.js")]


def _folder(name: str) -> Path:
    return environments.node_folder_of(name)


CLIENTS = (
    Client("openai (async)", _python("openai", "async_program.py")),
    Client("openai (sync)", _python("openai", "sync_program.py")),
    Client("openai-agents", _python("openai-agents", "program.py")),
    Client("openai (Node)", _node("openai-node"), is_tls=True),
    Client("@openai/agents-realtime (Node)", _node("agents-realtime")),
    Client(
        "@openai/agents-realtime (Chromium)",
        lambda: [sys.executable, str(_folder("agents-realtime") / "browser.py")],
        is_browser=True,
    ),
    Client("openai (beta)", _early_beta, is_beta=True),
    Client("openai (beta, Azure)", _python("openai-beta", "program.py", "--azure"), is_beta=True),
    Client("openai-realtime-api (Node)", _node("openai-realtime-api"), is_beta=True),
    Client("rt-client (Node, Azure)", _node("rt-client"), is_beta=True, connections=3),
)


async def run_program(client: Client, server: Running, recordings: Recordings, page_url: str, folder: Path) -> Run:
    """Run the client's program; raises AssertionError with its complaints when it fails or takes too long."""
    passed: list[Passed] = []
    note = matrix.tap(client.label)

    def tap(message: Passed) -> None:
        passed.append(message)
        note(message)

    tls = None if server.tls is None else server_context(server.tls)
    command = await asyncio.to_thread(client.command)
    async with recording_proxy(server.url, tap=tap, tls=tls, upstream_tls=server.trust) as proxy:
        path = folder / "assignment.json"
        path.write_text(json.dumps(_assignment(proxy, recordings, page_url)))
        began_s = time.monotonic()
        printed = await _output([*command, str(path)], _environment(server))
    took_s = time.monotonic() - began_s
    return Run(client, json.loads(printed), translated(passed) if client.is_beta else tuple(passed), took_s)


def translated(passed: Iterable[Passed]) -> tuple[Passed, ...]:
    """Return what passed on connections of the beta as it would have on those of today's API."""
    dialects: dict[int, tuple[BetaDialect, BetaUpstream]] = {}
    found: list[Passed] = []
    for one in passed:
        assert isinstance(one.message, str), "the wire has no binary messages"
        client, server = dialects.setdefault(one.connection, (BetaDialect(), BetaUpstream()))
        message = one.message.encode()
        told = [client.client(message)] if one.direction == ">" else server.server(message)
        found += [msgspec.structs.replace(one, message=text.decode()) for text in told]
    return tuple(found)


def _assignment(proxy: Proxy, recordings: Recordings, page_url: str) -> Json:
    return {
        "url": proxy.url,
        "websocket_url": proxy.websocket_url,
        "key": "sk-any",
        "scripted_model": SCRIPTED,
        "spoken_model": "vivavoce-local",
        "instructions": INSTRUCTIONS,
        "tool": TOOL,
        "question": str(recordings.question),
        "interruption": str(recordings.interruption),
        "page_url": page_url,
    }


def _environment(server: Running) -> Mapping[str, str]:
    trusted = {} if server.tls is None else {"NODE_EXTRA_CA_CERTS": str(server.tls.certificate)}
    return {**os.environ, "PYTHONPATH": str(ROOT), **trusted}


async def _output(command: list[str], environment: Mapping[str, str]) -> bytes:
    """Return what a program printed; it ends with this call, whatever happens."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*command, env=environment, stdout=pipe, stderr=pipe)
    try:
        async with asyncio.timeout(DEADLINE_S):
            printed, complaints = await process.communicate()
    except TimeoutError as error:
        process.kill()
        _, complaints = await process.communicate()
        raise AssertionError(f"no end within {DEADLINE_S:.0f} s: {complaints.decode()[-2000:]}") from error
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
    assert process.returncode == 0, f"ended with {process.returncode}: {complaints.decode()[-2000:]}"
    return printed
